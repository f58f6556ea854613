// Messages on their way, drawn over the graph. Real hops take less than a millisecond here; they are shown slowly and in
// their order: a hop begins when the one before it has ended.

const HOP = 520;
const GLOW = 650;
/** A hop whose beginning is not known waits this long for it. */
const PATIENCE = 400;
/** More than these are not drawn: a picture of everything at once shows nothing. */
const FLIGHTS = 10;
const DOTS = 500;
/** A flight is over when nothing was added to it for this long. */
const OVER = 2500;

/** Draws on `canvas`, which lies over the graph. `still()` says whether motion is unwelcome. */
export class Travel {
  #flights = new Map();
  #dots = [];
  #glows = [];
  #running = false;
  #colors = [];

  constructor(canvas, view, { still }) {
    Object.assign(this, { canvas, view, still, enabled: true });
    this.context = canvas.getContext("2d");
    new ResizeObserver(() => this.#fit()).observe(canvas);
  }

  /** The identity colours, by number. */
  paint(colors) {
    this.#colors = colors;
  }

  /** Message `id` (of the colour `tint`, by `sender`) came to `node` from its neighbour `from`, null at its sender. */
  hop({ id, sender, tint, node, from }, { slow = 1 } = {}) {
    if (!this.enabled || document.hidden) return;
    const now = performance.now();
    let flight = this.#flights.get(id);
    if (!flight) {
      if (this.#flights.size >= FLIGHTS) return;
      flight = { tint, slow, arrivals: new Map([[sender, now]]), waiting: [], touched: now };
      this.#flights.set(id, flight);
      this.#glow(sender, now, tint);
    }
    flight.touched = now;
    if (from !== null && node !== sender) flight.waiting.push({ node, from, since: now });
    this.#run();
  }

  /** Shows a message's way once more: `hops` as messages.js gives them, slower. */
  replay({ id, sender, tint }, hops) {
    const key = `${id} again`;
    this.#flights.delete(key);
    for (const hop of hops) this.hop({ id: key, sender, tint, node: hop.node, from: hop.from }, { slow: 1.8 });
  }

  /** Nothing is on its way any more. */
  clear() {
    this.#flights.clear();
    this.#dots = [];
    this.#glows = [];
  }

  #fit() {
    const ratio = globalThis.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  #run() {
    if (this.#running) return;
    this.#running = true;
    const frame = (now) => {
      this.#advance(now);
      this.#draw(now);
      this.#running = this.#flights.size > 0 || this.#dots.length > 0 || this.#glows.length > 0;
      if (this.#running) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  #advance(now) {
    for (const [id, flight] of this.#flights) {
      flight.waiting = flight.waiting.filter((hop) => !this.#begin(flight, hop, now));
      if (flight.waiting.length === 0 && now - flight.touched > OVER * flight.slow) this.#flights.delete(id);
    }
    this.#dots = this.#dots.filter((dot) => {
      if (now < dot.end) return true;
      this.#glow(dot.to, dot.end, dot.tint);
      return false;
    });
    this.#glows = this.#glows.filter((glow) => now < glow.start + GLOW);
  }

  /** Starts a hop whose beginning is known, or was waited for in vain. */
  #begin(flight, { node, from, since }, now) {
    const known = flight.arrivals.get(from);
    if (known === undefined && now - since < PATIENCE) return false;
    const start = Math.max(known ?? now, since);
    const end = start + HOP * flight.slow;
    if (known === undefined) flight.arrivals.set(from, now);
    if (!flight.arrivals.has(node)) flight.arrivals.set(node, end);
    flight.touched = Math.max(flight.touched, end);
    if (this.#dots.length < DOTS) this.#dots.push({ from, to: node, start, end, tint: flight.tint });
    return true;
  }

  #glow(node, start, tint) {
    if (this.#glows.length < DOTS) this.#glows.push({ node, start, tint });
  }

  #draw(now) {
    const { context: c } = this;
    c.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    const still = this.still();
    const radius = this.view.radius();
    const size = Math.max(2.5, Math.min(6, radius * 0.32));
    for (const dot of this.#dots) {
      if (now < dot.start) continue;
      const from = this.view.spot(dot.from);
      const to = this.view.spot(dot.to);
      if (!from || !to) continue;
      c.strokeStyle = c.fillStyle = this.#colors[dot.tint] ?? "#888";
      const at = smooth((now - dot.start) / (dot.end - dot.start));
      const tail = still ? 0 : Math.max(0, at - 0.45);
      const head = still ? 1 : at;
      c.globalAlpha = still ? 0.8 : 0.55;
      c.lineWidth = size * 0.9;
      c.lineCap = "round";
      c.beginPath();
      c.moveTo(from.x + (to.x - from.x) * tail, from.y + (to.y - from.y) * tail);
      c.lineTo(from.x + (to.x - from.x) * head, from.y + (to.y - from.y) * head);
      c.stroke();
      if (still) continue;
      c.globalAlpha = 1;
      c.beginPath();
      c.arc(from.x + (to.x - from.x) * at, from.y + (to.y - from.y) * at, size, 0, 2 * Math.PI);
      c.fill();
    }
    for (const glow of this.#glows) {
      const spot = now >= glow.start ? this.view.spot(glow.node) : null;
      if (!spot) continue;
      const age = (now - glow.start) / GLOW;
      c.globalAlpha = (1 - age) * 0.8;
      c.strokeStyle = this.#colors[glow.tint] ?? "#888";
      c.lineWidth = 2.5;
      c.beginPath();
      c.arc(spot.x, spot.y, radius + 2 + (still ? 3 : age * Math.min(14, radius)), 0, 2 * Math.PI);
      c.stroke();
    }
    c.globalAlpha = 1;
  }
}

const smooth = (t) => {
  const x = Math.max(0, Math.min(1, t));
  return x * x * (3 - 2 * x);
};
