// Keeps the store equal to the node: takes its events, and asks for the rest when they say that something changed.

import { Refused, Unreachable } from "./api.js";
import { isListed } from "./panels/events.js";

const STATUS = 1000;
/** The picture of the network is asked for at most this often (ms), and at least that often. */
const NETWORK_PAUSE = 700;
const NETWORK_AT_LEAST = 5000;
const MESSAGES_PAUSE = 150;
const FIRST = 100;
const BATCH = 200;
/** So many messages behind, the page goes on with the newest. */
const BEHIND = 5;

/** Up to so many nodes, each measured round trip is shown at once. */
const SMALL = 60;

const CHANGES = new Set(["join", "link_opened", "link_closed", "member", "barred", "missed"]);

/** `hop` is called for each hop of a message as it is told, `lost` when the line breaks. */
export class Reader {
  #statusTimer = null;
  #network = new Paced(NETWORK_PAUSE, () => this.#askNetwork());
  #messages = new Paced(MESSAGES_PAUSE, () => this.#askMessages());

  constructor(api, store, { hop, lost }) {
    Object.assign(this, { api, store, hop, lost, heard: () => {}, doubt: () => {} });
  }

  /** The stream of events is open: everything is asked for anew. */
  opened() {
    this.store.stopping = false;
    this.store.touch("line");
    this.store.rates.interrupt();
    this.#network.soon();
    this.#messages.soon();
    clearInterval(this.#statusTimer);
    this.#statusTimer = setInterval(() => this.#tick(), STATUS);
    this.#tick();
  }

  /** The line's state changed. */
  line(line) {
    this.store.line = line;
    this.store.touch("line");
    if (line.name === "live") return;
    clearInterval(this.#statusTimer);
    this.store.rates.interrupt();
    this.lost();
  }

  /** An event of the node. */
  event(name, data) {
    const { store } = this;
    if (name === "message") {
      const hop = store.messages.hop(data);
      if (data.node) store.network.reporting.add(data.node);
      if (!hop) return;
      store.touch("messages");
      this.hop(hop);
      if (hop.from !== null && store.network.hop(hop.from, hop.node)) store.touch("network");
      if (data.node === store.network.self) {
        store.rates.message();
        this.#messages.soon();
      }
      return;
    }
    // Hundreds of nodes measure all the time: their round trips come with the next picture of the network.
    const isSeen = name !== "latency" || store.network.nodes.size <= SMALL;
    if (store.network.event(name, data) && isSeen) store.touch("network");
    if (CHANGES.has(name)) this.#network.soon();
    if (name === "missed") this.#messages.soon();
    if (name === "stopping" && data.node === store.network.self) {
      store.stopping = true;
      store.touch("line");
    }
    if (isListed(name)) store.keepEvent(name, data);
  }

  /** This page published a message: it is looked at as soon as it is here. */
  published() {
    this.#messages.soon();
  }

  #tick() {
    this.#askStatus();
    if (Date.now() - this.#network.last > NETWORK_AT_LEAST) this.#network.soon();
  }

  async #askStatus() {
    await this.#attempt(async () => {
      const [status, links] = await Promise.all([this.api.get("/v1/status"), this.api.get("/v1/links")]);
      this.store.status = status;
      this.store.links = links;
      this.store.network.self ??= status.id;
      this.store.rates.take(status, performance.now());
      this.store.touch("status");
      this.store.touch("links");
    });
  }

  async #askNetwork() {
    await this.#attempt(async () => {
      const [members, network] = await Promise.all([this.api.get("/v1/members"), this.api.get("/v1/network")]);
      this.store.network.take(members, network);
      this.store.touch("network");
    });
  }

  async #askMessages() {
    await this.#attempt(async () => {
      const { messages } = this.store;
      let cursor = messages.cursor;
      for (let asked = 0; ; asked += 1) {
        const isNewest = cursor === null || asked >= BEHIND;
        const query = isNewest ? `last=${FIRST}` : `after=${encodeURIComponent(cursor)}&limit=${BATCH}`;
        const answer = await this.api.get(`/v1/messages?${query}`);
        for (const item of answer.messages) {
          messages.take(item);
          for (const hop of item.hops ?? []) this.store.network.reporting.add(hop.node);
        }
        if (answer.messages.length > 0) this.store.touch("messages");
        const isEnd = isNewest || answer.next === cursor;
        messages.cursor = cursor = answer.next;
        if (isEnd) return;
      }
    });
  }

  /** A question that fails changes nothing: whether the node is there, the stream of events tells, which then begins anew. */
  async #attempt(ask) {
    try {
      await ask();
      this.heard();
    } catch (error) {
      // The cursor is of another log: the node began a new one.
      if (error instanceof Refused && error.kind === "other-log") this.store.messages.cursor = null;
      if (error instanceof Unreachable) this.doubt();
      if (!(error instanceof Refused || error instanceof Unreachable)) console.error(error);
    }
  }
}

/** Runs an asynchronous task when asked, never twice at once, with a pause in between. */
class Paced {
  last = 0;
  #running = false;
  #again = false;

  constructor(pause, task) {
    Object.assign(this, { pause, task });
  }

  async soon() {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    while (this.#again) {
      this.#again = false;
      this.last = Date.now();
      await this.task();
      await new Promise((resolve) => setTimeout(resolve, this.pause));
    }
    this.#running = false;
  }
}
