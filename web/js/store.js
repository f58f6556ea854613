// What is known of the network, and who wants to hear of changes. Changes are told together, however many there were.

import { Messages } from "./messages.js";
import { Network } from "./network.js";
import { Rates } from "./rates.js";

/** How many of the node's events are kept to look at. */
const EVENTS = 200;

/** Changes are told at most this often (ms); what somebody chose is told at once. */
const PACE = 60;

/** The whole state of the page. Kinds of change: network, status, links, messages, events, selection, line, view. */
export class Store {
  #listeners = new Map();
  #dirty = new Set();
  #scheduled = null;

  constructor() {
    this.network = new Network();
    this.messages = new Messages();
    this.rates = new Rates();
    this.status = null;
    this.links = [];
    this.events = [];
    this.eventNumber = 0;
    this.missed = 0;
    this.line = { name: "connecting", since: Date.now(), why: "" };
    this.stopping = false;
    /** `{ kind: "node" | "link" | "message", id }` or null. */
    this.selection = null;
  }

  /** Calls `listener` after changes of any of these kinds. */
  on(kinds, listener) {
    for (const kind of kinds) {
      if (!this.#listeners.has(kind)) this.#listeners.set(kind, new Set());
      this.#listeners.get(kind).add(listener);
    }
  }

  /** Something of this kind changed. */
  touch(kind) {
    this.#dirty.add(kind);
    const frame = () => requestAnimationFrame(() => this.#tell());
    if (kind === "selection") frame();
    else this.#scheduled ??= setTimeout(frame, PACE);
  }

  #tell() {
    clearTimeout(this.#scheduled);
    this.#scheduled = null;
    const due = new Set();
    for (const kind of this.#dirty) for (const listener of this.#listeners.get(kind) ?? []) due.add(listener);
    this.#dirty.clear();
    for (const listener of due) listener(this);
  }

  /** Looks at a node, a link or a message; null looks at nothing. */
  select(selection) {
    const same = this.selection?.kind === selection?.kind && this.selection?.id === selection?.id;
    if (same) return;
    this.selection = selection;
    this.touch("selection");
  }

  /** Keeps an event of the node for the list of events. */
  keepEvent(name, data) {
    this.eventNumber += 1;
    this.events.unshift({ number: this.eventNumber, name, data, at: Date.now() });
    if (this.events.length > EVENTS) this.events.length = EVENTS;
    this.touch("events");
  }
}
