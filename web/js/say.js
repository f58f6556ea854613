// What is read out. Two regions of the page are live: one waits its turn, one interrupts.

import { byId, setText } from "./dom.js";
import { count } from "./words.js";

const PAUSE = 4000;

/** Says it when the screen reader has time. */
export function say(text) {
  setText(byId("say"), text);
}

/** Says it at once. */
export function alarm(text) {
  setText(byId("say-now"), text);
}

/** Sums up the network whenever it has changed, with a pause in between. */
export function summaries(store) {
  let said = "";
  let last = 0;
  let timer = null;
  const tell = () => {
    timer = null;
    const words = summary(store);
    if (words === said || store.line.name !== "live") return;
    said = words;
    last = Date.now();
    say(words);
  };
  store.on(["network"], () => {
    timer ??= setTimeout(tell, Math.max(500, last + PAUSE - Date.now()));
  });
}

/** The network in one sentence. */
export function summary(store) {
  const nodes = [...store.network.nodes.values()];
  const links = [...store.network.links.values()].filter((link) => link.confirmed).length;
  const number = (test) => nodes.filter(test).length;
  const parts = [count(number((node) => node.state === "present"), "node") + " present"];
  const adrift = number((node) => node.adrift);
  const unreachable = number((node) => node.state === "unreachable");
  const gone = number((node) => node.state === "gone");
  if (adrift > 0) parts.push(`${adrift} of them without links`);
  if (unreachable > 0) parts.push(`${unreachable} unreachable`);
  if (gone > 0) parts.push(`${gone} gone`);
  parts.push(count(links, "link"));
  return parts.join(", ");
}
