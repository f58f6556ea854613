// The line to the node: one stream of events that resumes where it broke off, and the plain truth about its state.

import { Refused } from "./api.js";
import { EventParser } from "./sse.js";

const FIRST_WAIT = 400;
const LONGEST_WAIT = 4000;
/** The node answers within this time (ms), or it does not. */
const ANSWER = 10_000;
/** Once it has, it says something every 15 s, if only that it is there. */
const SILENCE = 40_000;
/** A page that was not seen for so long (ms) lets go of the stream. */
const UNSEEN = 60_000;
/** The node's own "not now": too many streams or requests. */
const NOT_NOW = [429, 503];

/**
 * Calls `opened(resumed)` each time the stream is open, `event(name, data)` for each event, and `changed(state)` when the
 * state changes: `{ name: "connecting" | "live" | "unreachable" | "refused", since, why }`, `since` in milliseconds.
 */
export class Live {
  #last = null;
  #heard = null;
  #opened = false;
  #abort = null;
  #isUnseen = false;

  constructor(api, { opened, event, changed }) {
    Object.assign(this, { api, opened, event, changed });
    this.state = { name: "connecting", since: Date.now(), why: "" };
  }

  /** Goes on for as long as the page is open. */
  async run() {
    let wait = FIRST_WAIT;
    this.#watchSight();
    for (;;) {
      await this.#seen();
      try {
        await this.#listen();
        // It was open and has ended: the node may only have shed a slow reader. The next attempt will tell.
        wait = FIRST_WAIT;
      } catch (error) {
        this.#failed(error);
        wait = Math.min(wait * 1.6, LONGEST_WAIT);
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** Something came from the node by another way. */
  heard() {
    this.#heard = Date.now();
  }

  /** Something did not come by another way: the line is tried anew. */
  doubt() {
    this.#abort?.abort();
  }

  /**
   * A page that nobody sees gives its stream back after a while: browsers have six connections to a node for all their tabs
   * together. Resolves while the page is seen.
   */
  async #seen() {
    if (!document.hidden || !this.#isUnseen) return;
    this.#enter("connecting", Date.now());
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    this.#isUnseen = false;
  }

  #watchSight() {
    let timer = null;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      if (!document.hidden) return;
      timer = setTimeout(() => {
        this.#isUnseen = true;
        this.#abort?.abort();
      }, UNSEEN);
    });
  }

  #failed(error) {
    if (error instanceof Refused && !NOT_NOW.includes(error.status)) {
      this.#enter("refused", Date.now(), error.message);
    } else {
      const why = error instanceof Refused ? error.message : "";
      this.#enter("unreachable", this.#heard ?? Date.now(), why);
    }
  }

  #enter(name, since, why = "") {
    if (this.state.name === name && this.state.why === why) return;
    if (this.state.name === name) since = this.state.since;
    this.state = { name, since, why };
    this.changed(this.state);
  }

  async #listen() {
    const abort = new AbortController();
    this.#abort = abort;
    let watch = setTimeout(() => abort.abort(), ANSWER);
    const alive = () => {
      this.heard();
      clearTimeout(watch);
      watch = setTimeout(() => abort.abort(), SILENCE);
    };
    try {
      const response = await this.api.events(this.#last, abort.signal);
      alive();
      this.#enter("live", Date.now());
      this.opened(this.#opened);
      this.#opened = true;
      const parser = new EventParser((event) => this.#take(event));
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return;
          alive();
          parser.push(decoder.decode(value, { stream: true }));
        }
      } catch {
        // Broken off in the middle: as good as ended.
      }
    } finally {
      clearTimeout(watch);
      abort.abort();
    }
  }

  #take({ event, data, id }) {
    if (id !== null) this.#last = id;
    let parsed;
    try {
      parsed = JSON.parse(data);
    } catch {
      return;
    }
    this.event(event, parsed);
  }
}
