// Server-sent events, read by hand: the browser's own EventSource cannot send the token. After the WHATWG HTML standard,
// section 9.2.6, without `retry`.

/** Gets pieces of a stream, in any cut, and hands out whole events `{ event, data, id }`. */
export class EventParser {
  #rest = "";
  #event = "";
  #data = [];
  #id = null;
  #started = false;

  constructor(handle) {
    this.handle = handle;
  }

  /** The next piece of decoded text. */
  push(text) {
    if (!this.#started && text !== "") {
      this.#started = true;
      if (text.startsWith("\ufeff")) text = text.slice(1);
    }
    this.#rest += text;
    for (;;) {
      const end = this.#rest.search(/[\r\n]/);
      if (end < 0) return;
      // A carriage return at the end may be half of a line's end: wait for the other half.
      if (this.#rest[end] === "\r" && end === this.#rest.length - 1) return;
      const next = this.#rest.startsWith("\r\n", end) ? end + 2 : end + 1;
      this.#line(this.#rest.slice(0, end));
      this.#rest = this.#rest.slice(next);
    }
  }

  #line(line) {
    if (line === "") {
      if (this.#data.length > 0) {
        this.handle({ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id });
      }
      this.#event = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
  }
}
