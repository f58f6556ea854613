// What is known of one node.

import { el } from "../dom.js";
import { chip, short } from "../identity.js";
import { visible } from "../text.js";
import { seconds, span, state } from "../words.js";
import { facts, leadsTo, wholeId } from "./facts.js";

/** The details of node `id`, or null. */
export function nodeDetail(store, id) {
  const node = store.network.nodes.get(id);
  if (!node) return null;
  const links = store.network.linksOf(id);
  const near = links.map((link) => `${link.key}${link.roundTrip}`).join();
  return {
    heading: `Node ${node.short}`,
    stamp: [node.state, node.adrift, node.nickname, near, node.addresses.join(), JSON.stringify(node.apps)].join("|"),
    build: () => [
      el("p", { class: "who" }, chip(id, node)),
      facts(
        ["State", stateInWords(node)],
        ["Id", wholeId(id)],
        node.nickname ? ["Called here", visible(node.nickname, { limit: 64 })] : null,
        ["Addresses", node.addresses.length === 0 ? "none told" : el("span", {}, visible(node.addresses.join(", "), { limit: 300 }))],
        ["Applications", applications(node)],
        node.version ? ["Version", visible(node.version, { limit: 40 })] : null,
        node.seenAgo === null || node.self ? null : ["Last heard of", `${seconds(node.seenAgo / 1000)} before the last look`],
      ),
      el("h4", {}, links.length === 0 ? "No links known" : `Links (${links.length})`),
      el("ul", { class: "neighbour-list" }, links.map((link) => neighbour(store, link, id))),
    ],
  };
}

function stateInWords(node) {
  if (node.adrift) return "present by its own word, but nobody has a link with it";
  if (node.state === "unreachable") return "unreachable: it has not said good-bye, but nobody has a link with it";
  if (node.state === "gone") return "gone: it left, or has not been heard of for too long";
  return state(node.state);
}

function applications(node) {
  const all = Object.entries(node.apps);
  if (all.length === 0) return "none told";
  return el("span", {}, visible(all.map(([title, version]) => `${title} ${version}`).join(", "), { limit: 300 }));
}

function neighbour(store, link, id) {
  const other = link.a === id ? link.b : link.a;
  const node = store.network.nodes.get(other);
  const roundTrip = link.roundTrip === null ? "" : span(link.roundTrip);
  return el(
    "li", {},
    leadsTo(store, { kind: "node", id: other }, chip(other, { nickname: node?.nickname, genesis: node?.genesis, self: node?.self })),
    leadsTo(store, { kind: "link", id: link.key }, el("span", {}, `link ${roundTrip}`, el("span", { class: "sr" }, ` with ${short(other)}`))),
  );
}
