// Messages: what they say, and by which way they came to which node.

/** How many are kept on the page; the node keeps more. */
const KEPT = 400;

/** The envelope's own keys, in the order in which it is written. `sealnet verify` accepts these and no others. */
const ENVELOPE = ["id", "sender", "title", "message", "message_base64", "time", "lifetime", "network", "signature"];

/** Messages by id, in order of arrival here. */
export class Messages {
  #all = new Map();
  /** From where to ask for more. */
  cursor = null;
  /** How many came altogether since the page was opened. */
  seen = 0;

  /** The message, or undefined. */
  get(id) {
    return this.#all.get(id);
  }

  /** All that are kept, the newest first. */
  newest() {
    return [...this.#all.values()].reverse();
  }

  /** Takes a message with its content, as /v1/messages tells it. */
  take(item) {
    const message = this.#entry(item.id);
    message.cursor = item.cursor ?? message.cursor;
    message.late = item.late === true;
    message.sender = item.sender;
    message.title = item.title;
    message.time = item.time;
    message.envelope = Object.fromEntries(ENVELOPE.filter((key) => item[key] !== undefined).map((key) => [key, item[key]]));
    for (const hop of item.hops ?? []) this.#hop(message, hop.node, hop.from ?? null, hop.at_us);
    message.revision += 1;
    return message;
  }

  /** Takes an event `message`; gives the hop `{ message, node, from, at }` if it is news. */
  hop(data) {
    const isNew = !this.#all.has(data.id);
    const message = this.#entry(data.id);
    if (isNew) Object.assign(message, { sender: data.sender, title: data.title, time: data.time, late: data.late === true });
    if (!this.#hop(message, data.node, data.from ?? null, data.at_us)) return null;
    message.revision += 1;
    return { message, node: data.node, from: data.from ?? null, at: data.at_us };
  }

  #entry(id) {
    let message = this.#all.get(id);
    if (!message) {
      message = { id, sender: "", title: "", time: 0, late: false, cursor: null, envelope: null, hops: new Map(), revision: 0 };
      this.#all.set(id, message);
      this.seen += 1;
      if (this.#all.size > KEPT) this.#all.delete(this.#all.keys().next().value);
    }
    return message;
  }

  #hop(message, node, from, at) {
    if (message.hops.has(node)) return false;
    message.hops.set(node, { node, from, at });
    return true;
  }
}

/** The hops of a message in the order of the way: each with how many hops it is from the sender, and the µs since the first. */
export function way(message) {
  const hops = [...message.hops.values()];
  const first = Math.min(...hops.map((hop) => hop.at));
  const depths = new Map();
  const depthOf = (node, guard = 0) => {
    if (depths.has(node)) return depths.get(node);
    const hop = message.hops.get(node);
    const above = hop && hop.from !== null && guard < 64 ? depthOf(hop.from, guard + 1) : -1;
    const depth = node === message.sender ? 0 : Math.max(above, 0) + 1;
    depths.set(node, depth);
    return depth;
  };
  return hops
    .map((hop) => ({ ...hop, depth: depthOf(hop.node), after: hop.at - first }))
    .sort((a, b) => a.depth - b.depth || a.after - b.after || (a.node < b.node ? -1 : 1));
}
