// The list of messages, the newest on top.

import { byId, el, reconcile, setText } from "../dom.js";
import { chip } from "../identity.js";
import { rove } from "../rove.js";
import { visible } from "../text.js";
import { clock, number } from "../words.js";

const SHOWN = 120;
const PREVIEW = 140;

/** Keeps the list equal to the store. */
export function messagesPanel(store) {
  const list = byId("message-list");
  const filter = byId("message-filter");
  const empty = byId("message-empty");
  const settle = rove(list);
  const render = () => {
    const wanted = filter.value.trim().toLowerCase();
    const all = store.messages.newest();
    const fitting = wanted === "" ? all : all.filter((message) => fits(message, wanted));
    const hops = store.network.hopsKnown();
    const chosen = store.selection?.kind === "message" ? store.selection.id : null;
    reconcile(list, fitting.slice(0, SHOWN), {
      key: (message) => message.id,
      stamp: (message) => `${message.revision}:${message.id === chosen}:${hops.name === "own" ? "" : hops.of}`,
      make: (message) => row(store, message, message.id === chosen, hops),
    });
    settle();
    empty.hidden = fitting.length > 0;
    setText(empty, all.length === 0 ? "No messages yet. Publish one below." : "No message fits the filter.");
    const more = fitting.length > SHOWN ? `; the newest ${SHOWN} are shown` : "";
    const count = wanted === "" ? number(all.length) : `${number(fitting.length)} of ${number(all.length)}`;
    setText(byId("message-count"), `${count} on this page${more}`);
  };
  filter.addEventListener("input", render);
  store.on(["messages", "network", "selection"], render);
  render();
}

function fits(message, wanted) {
  const { title, sender, envelope } = message;
  return [title, sender, envelope?.message ?? ""].some((text) => text.toLowerCase().includes(wanted));
}

function row(store, message, isChosen, hops) {
  const node = store.network.nodes.get(message.sender);
  const text = message.envelope?.message;
  const button = el(
    "button",
    {
      type: "button", class: "message", "aria-pressed": String(isChosen), dataset: { message: message.id },
      on: { click: () => store.select({ kind: "message", id: message.id }) },
    },
    el(
      "span", { class: "head" },
      chip(message.sender, { nickname: node?.nickname, genesis: node?.genesis, tags: false }),
      el("span", { class: "title" }, visible(message.title, { limit: 60 })),
      el("time", { class: "time" }, clock(message.time / 1000)),
    ),
    el("span", { class: "preview" }, text === undefined ? binary(message) : visible(text, { limit: PREVIEW })),
    el(
      "span", { class: "foot" },
      signature(store, message),
      message.late ? el("span", { class: "tag warn", title: "repair brought it, later than others" }, "late") : null,
      hops.name === "own" || message.hops.size === 0 ? null : el("span", { class: "reach" }, `at ${message.hops.size} of ${Math.max(hops.of, message.hops.size)}`),
    ),
  );
  return el("li", {}, button);
}

function binary(message) {
  if (!message.envelope) return el("span", { class: "quiet" }, "…");
  return el("span", { class: "quiet" }, "bytes that are no text");
}

/** The state of a message's signature, as the node vouches for it. */
function signature(store, message) {
  if (!message.envelope) return el("span", { class: "quiet" }, "not here yet");
  if (message.envelope.signature !== undefined) return el("span", { class: "good" }, "✓ signature verified");
  return el("span", { class: "tag warn" }, store.status?.secure === false ? "unsigned: the sender is only claimed" : "unsigned");
}
