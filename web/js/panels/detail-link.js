// What is known of one link.

import { el } from "../dom.js";
import { chip, short } from "../identity.js";
import { visible } from "../text.js";
import { bytes, seconds, span } from "../words.js";
import { facts, leadsTo } from "./facts.js";
import { mode } from "./links.js";

/** The details of the link with this key, or null. */
export function linkDetail(store, key) {
  const link = store.network.links.get(key);
  if (!link) return null;
  const { self } = store.network;
  const isOwn = link.a === self || link.b === self;
  const own = isOwn ? store.links.find((one) => one.peer === (link.a === self ? link.b : link.a)) : undefined;
  return {
    heading: `Link ${short(link.a)} – ${short(link.b)}`,
    stamp: JSON.stringify([link, own]),
    build: () => [
      el("p", { class: "who" }, end(store, link.a), el("span", { "aria-hidden": "true" }, " – "), end(store, link.b)),
      facts(
        ["State", stateInWords(link)],
        ["Opened by", link.opener === null ? "not known" : end(store, link.opener)],
        ["Round trip", span(link.roundTrip)],
        [`${short(link.a)} sends`, sends(link.eagerAB, link.carriesAB)],
        [`${short(link.b)} sends`, sends(link.eagerBA, link.carriesBA)],
        ["Known by", link.knownBy.length === 0 ? "–" : link.knownBy.map(short).join(", ")],
        own ? ["Address", visible(own.remote ?? "", { limit: 100 })] : null,
        own ? ["Sent, received", `${bytes(own.sent_bytes)}, ${bytes(own.received_bytes)}`] : null,
        own ? ["Waiting to go", bytes(own.queued_bytes)] : null,
        own ? ["Open for", seconds(own.open_seconds)] : null,
      ),
    ],
  };
}

function stateInWords(link) {
  return link.confirmed ? "open" : "only one end names it: it is new, or over";
}

function sends(isEager, carries) {
  if (isEager === null && carries) return "contents, as was seen within the last minute";
  const what = { true: " at once (eager)", false: ", and contents when asked (lazy)", null: "" }[isEager];
  return `${mode(isEager)}${what}`;
}

function end(store, id) {
  const node = store.network.nodes.get(id);
  return leadsTo(store, { kind: "node", id }, chip(id, { nickname: node?.nickname, genesis: node?.genesis, self: node?.self }));
}
