// What happened lately, in words. Messages and measured latencies have better places and are not listed.

import { byId, el, reconcile } from "../dom.js";
import { short } from "../identity.js";
import { plain, visible } from "../text.js";
import { clock, reason, seconds, state } from "../words.js";

const LISTED = 100;

const WORDS = {
  join: (d) => ["joining: ", visible(String(d.step ?? ""), { limit: 80 })],
  link_opened: (d) => [`link with ${short(d.peer)} opened, by ${d.direction === "out" ? "this side" : "the other"}`],
  link_closing: null,
  link_closed: (d) => [`link with ${short(d.peer)} closed: ${explained(d.reason)}`],
  member: (d) => [`member ${short(d.id ?? d.peer)} is ${state(d.state)}`],
  direct: (d) => [`a message from ${short(d.from ?? d.peer)} to this node alone, `, visible(d.title ?? "", { limit: 40 })],
  dial_failed: (d) => [`no link with ${dialled(d.to)} could be opened: ${explained(d.reason)}`],
  refused: (d) => [`a connection from ${plain(d.remote ?? "somewhere", 60)} was refused: ${explained(d.reason)}`],
  barred: (d) => [`${short(d.peer)} is barred: ${explained(d.reason)}`],
  alarm: (d) => [`alarm: ${alarmInWords(d)}`],
  log_trouble: (d) => ["the log takes nothing: ", visible(d.error ?? d.why ?? d.message ?? "", { limit: 200 })],
  log_recovered: () => ["the log is written again"],
  application: (d) => ["application ", visible(d.title ?? "", { limit: 40 }), `: ${plain(d.state ?? d.what ?? "", 60)}`],
  stopping: () => ["is stopping"],
  missed: (d) => [`this page was too slow and missed ${plain(d.count ?? "some", 12)} events`],
};

function alarmInWords(d) {
  if (d.what === "identity-used-elsewhere") return "somebody else signs with this node's key: stop it, and find out who has it";
  if (d.what === "clock-off") {
    const by = seconds((d.by_ms ?? 0) / 1000);
    return `the clock of ${short(d.peer)} is ${by} ${d.ahead ? "ahead of" : "behind"} this node's: messages cannot pass`;
  }
  return plain(d.what ?? "", 100);
}

const ALARMING = new Set(["barred", "alarm", "log_trouble", "stopping", "missed", "refused"]);

/** Whether an event is listed. */
export function isListed(name) {
  return Boolean(WORDS[name]);
}

/** Keeps the list equal to the store. */
export function eventsPanel(store) {
  const list = byId("event-list");
  const empty = byId("event-empty");
  store.on(["events"], () => {
    reconcile(list, store.events.slice(0, LISTED), {
      key: (event) => event.number,
      stamp: () => "",
      make: (event) => row(store, event),
    });
    empty.hidden = store.events.length > 0;
  });
}

function row(store, { name, data, at }) {
  const who = data.node && data.node !== store.network.self ? `${short(data.node)}: ` : "";
  return el(
    "li", { class: ALARMING.has(name) ? "alarming" : null },
    el("time", { class: "time" }, clock(data.at_us ? data.at_us / 1000 : at)),
    el("span", {}, who, ...WORDS[name](data)),
  );
}

function dialled(to) {
  return to?.member ? short(to.member) : "a genesis node";
}

function explained(label) {
  const text = plain(label ?? "no reason given", 60);
  const words = reason(label);
  return words ? `${text} (${words})` : text;
}
