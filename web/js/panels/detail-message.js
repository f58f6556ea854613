// What is known of one message: what it says, who vouches for that, and by which way it came.

import { el } from "../dom.js";
import { check, content } from "../envelope.js";
import { chip, short } from "../identity.js";
import { way } from "../messages.js";
import { visible, visibleJson } from "../text.js";
import { bytes, moment, seconds, span } from "../words.js";
import { action, facts, leadsTo, wholeId } from "./facts.js";

const SHOWN = 20_000;
const HOPS = 400;

const CHECKED = {
  good: ["good", "✓ checked again in this browser: the id is that of these fields, the signature is the sender's"],
  unsigned: ["", "the id is that of these fields; nobody signed them"],
  altered: ["bad", "✗ this browser finds another id for these fields: something was altered between the node and here"],
  bad: ["bad", "✗ this browser finds that the signature is not the sender's"],
  unable: ["quiet", "this browser cannot check signatures of this kind itself"],
};

/** The details of message `id`, or null. */
export function messageDetail(store, id) {
  const message = store.messages.get(id);
  if (!message) return null;
  return {
    heading: `Message ${short(id)}`,
    stamp: `${message.revision} ${message.holders?.length}`,
    build: (_, api, act) => build(store, message, act),
  };
}

function build(store, message, act) {
  const { envelope } = message;
  const sender = store.network.nodes.get(message.sender);
  const checked = envelope ? checkedHere(message) : "";
  const hops = way(message);
  return [
    el("p", { class: "said-title" }, visible(message.title, { limit: 200 })),
    envelope ? said(envelope) : el("p", { class: "quiet" }, "Its content has not come from the node yet."),
    el(
      "p", { class: "actions" },
      action("replay", "Show its way again", () => act.replay(message), { disabled: hops.length < 2 }),
      action("copy", "Copy JSON", (event) => copy(event.currentTarget, envelope), { disabled: !envelope }),
    ),
    facts(
      ["Sender", leadsTo(store, { kind: "node", id: message.sender }, chip(message.sender, { ...sender }))],
      ["Signature", el("span", {}, vouched(store, envelope), el("br"), checked)],
      ["Time", moment(message.time / 1000)],
      envelope ? ["Kept for", envelope.lifetime === 0 ? "not kept: live only" : seconds(envelope.lifetime)] : null,
      envelope ? ["Size", bytes(content(envelope).length)] : null,
      message.late ? ["Late", "yes: repair brought it"] : null,
      ["Id", wholeId(message.id)],
      message.holders ? ["Neighbours that have it", message.holders.length === 0 ? "none known" : message.holders.map(short).join(", ")] : null,
    ),
    el("h4", {}, reached(store, hops)),
    hops.length > 0 ? wayTable(store, message, hops) : null,
    envelope ? raw(envelope) : null,
  ].filter((part) => part !== null);
}

function said(envelope) {
  if (envelope.message === undefined) {
    return el("p", { class: "quiet" }, `${bytes(content(envelope).length)} that are no text; they stand in the JSON below as base64.`);
  }
  if (envelope.message === "") return el("p", { class: "quiet" }, "Its text is empty.");
  return el("p", { class: "said", tabindex: 0 }, visible(envelope.message, { limit: SHOWN, lines: true }));
}

function vouched(store, envelope) {
  if (!envelope) return "";
  if (envelope.signature !== undefined) return el("span", { class: "good" }, "✓ verified by this node before it kept or relayed it");
  return store.status?.secure === false ? "none: on a plain network the sender is only claimed" : "none";
}

/** The outcome of checking here; where it is not known yet, it appears by itself. */
function checkedHere(message) {
  if (message.checked) return verdict(message.checked);
  const element = el("span", { class: "quiet" }, "checking in this browser …");
  check(message.envelope).then((result) => {
    message.checked = result;
    element.replaceWith(verdict(result));
  });
  return element;
}

function verdict(result) {
  const [name, words] = CHECKED[result];
  return el("span", { class: name, dataset: { check: result } }, words);
}

function reached(store, hops) {
  const known = store.network.hopsKnown();
  if (known.name === "all") return `Its way: at ${hops.length} of ${Math.max(known.of, hops.length)} nodes`;
  if (known.name === "some") return `Its way, as far as ${known.known} of ${known.of} nodes tell`;
  return "Its way, as far as this node knows";
}

function wayTable(store, message, hops) {
  return el(
    "table", { class: "way" },
    el("thead", {}, el("tr", {}, ["Node", "From", "Hops", "After"].map((name) => el("th", { scope: "col" }, name)))),
    el(
      "tbody", {},
      hops.slice(0, HOPS).map((hop) => el(
        "tr", {},
        el("th", { scope: "row" }, leadsTo(store, { kind: "node", id: hop.node }, chip(hop.node))),
        el("td", {}, hop.node === message.sender ? "sent it" : hop.from === null ? "not known" : short(hop.from)),
        el("td", { class: "number" }, String(hop.depth)),
        el("td", { class: "number" }, hop.after === 0 ? "0" : span(hop.after)),
      )),
    ),
  );
}

function raw(envelope) {
  return el(
    "details", {},
    el("summary", {}, "Raw JSON"),
    el("pre", { class: "raw", tabindex: 0, "aria-label": "the envelope as JSON" }, visibleJson(envelope)),
  );
}

async function copy(button, envelope) {
  try {
    await navigator.clipboard.writeText(visibleJson(envelope));
    button.textContent = "Copied";
  } catch {
    button.textContent = "The browser does not allow it";
  }
}
