// Figures a second, for the last minute.

/** How many seconds the charts go back. */
export const SECONDS = 60;

/** Series of rates by name, each at most SECONDS long, newest last. */
export class Rates {
  series = { messages: [], sent: [], received: [], verifications: [] };
  #messages = 0;
  #before = null;

  /** The viewer's own node took a message. */
  message() {
    this.#messages += 1;
  }

  /** Takes an answer to /v1/status at `now` (milliseconds) and makes rates of what changed since the last. */
  take(status, now) {
    const totals = {
      sent: status.traffic?.sent_bytes ?? 0,
      received: status.traffic?.received_bytes ?? 0,
      verifications: status.verifications ?? 0,
    };
    const before = this.#before;
    this.#before = { now, totals };
    const messages = this.#messages;
    this.#messages = 0;
    if (!before || now - before.now < 200) return;
    const elapsed = (now - before.now) / 1000;
    this.#push("messages", messages / elapsed);
    // A counter that fell is another run of the node.
    for (const [name, total] of Object.entries(totals)) this.#push(name, Math.max(0, total - before.totals[name]) / elapsed);
  }

  /** Nothing can be known over a gap. */
  interrupt() {
    this.#before = null;
  }

  /** The newest value, or NaN. */
  latest(name) {
    return this.series[name].at(-1) ?? NaN;
  }

  #push(name, value) {
    const series = this.series[name];
    series.push(value);
    if (series.length > SECONDS) series.shift();
  }
}
