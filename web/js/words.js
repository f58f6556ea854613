// Numbers, times and reasons in words.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1536` → `1.5 KiB`. */
export function bytes(count) {
  if (!Number.isFinite(count)) return "–";
  let unit = 0;
  while (count >= 1024 && unit < BYTES.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${unit === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${BYTES[unit]}`;
}

/** A count with thousands apart. */
export function number(count) {
  return Number.isFinite(count) ? Math.round(count).toLocaleString("en") : "–";
}

/** A rate a second: small ones with a decimal. */
export function rate(perSecond) {
  if (!Number.isFinite(perSecond)) return "–";
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : number(perSecond);
}

/** Microseconds: `840 µs`, `12.3 ms`, `1.20 s`. */
export function span(us) {
  if (us === null || us === undefined || !Number.isFinite(us)) return "–";
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1e6) return `${(us / 1000).toFixed(us < 1e4 ? 2 : 1)} ms`;
  return us < 60e6 ? `${(us / 1e6).toFixed(2)} s` : seconds(us / 1e6);
}

/** Seconds: `8 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function seconds(total) {
  if (!Number.isFinite(total)) return "–";
  const s = Math.max(0, Math.floor(total));
  if (s < 60) return `${s} s`;
  const parts = (large, small, unit, less) => {
    const rest = Math.floor((s % large) / small);
    return `${Math.floor(s / large)} ${unit}${rest > 0 ? ` ${rest} ${less}` : ""}`;
  };
  if (s < 3600) return parts(60, 1, "min", "s");
  if (s < 86400) return parts(3600, 60, "h", "min");
  return parts(86400, 3600, "d", "h");
}

const two = (n) => String(n).padStart(2, "0");

/** A moment given in milliseconds, by this machine's clock: `14:03:09`. */
export function clock(ms) {
  const at = new Date(ms);
  return Number.isFinite(at.getTime()) ? `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}` : "–";
}

/** The same with the day: `2026-03-01 14:03:09.120`. */
export function moment(ms) {
  const at = new Date(ms);
  if (!Number.isFinite(at.getTime())) return "–";
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${clock(ms)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** `1 link`, `2 links`. */
export function count(n, one, many = `${one}s`) {
  return `${number(n)} ${n === 1 ? one : many}`;
}

const REASONS = {
  "bad-envelope": "the bytes break the grammar of envelopes",
  "bad-signature": "the signature is not the sender's",
  "known-bad": "the very bytes whose signature was refused a moment ago",
  "unknown-version": "an envelope of a later version",
  expired: "its lifetime is over",
  "before-floor": "older than this node's memory: it cannot tell whether it has seen it",
  "from-the-future": "dated more than two minutes ahead of this node's clock",
  duplicate: "came a second time; every network has these",
  busy: "four copies of it wait for one verification already",
  superseded: "a later presence of the same member is known",
  "bad-content": "a protocol message that cannot be read",
  "sender-over-share": "its sender has as many ids here as one may have",
  shed: "its sender sent more than one may; it may be fetched later",
  "table-full": "the table it belongs in is full",
  "application-ignored": "the application did not want it",
  "application-rejected": "against the application's rules",
  "foreign-application": "against the rules of an application its bringer does not run",
  "not-yet": "the application could not judge it in time; it may come again",
  "application-busy": "too much waits for the application; it may come again",
  "application-failed": "its application has broken down",
  "wrong-type": "the application could not read it",
  "log-full": "the log did not take it: is the disk full?",
  stopping: "this node is stopping",
  "peer-left": "the other node said good-bye",
  "duplicate-link": "there were two links to one node",
  full: "as many links as are allowed",
  "visit-done": "a visit that had done what it came for",
  requested: "somebody asked for it",
  "connection-lost": "the other end went without a word",
  silent: "nothing was heard for too long",
  stuck: "the other end took nothing for too long",
  "bad-frame": "a frame that breaks the grammar",
  "bad-record": "a record that does not open",
  unsupported: "something that must be understood and is not",
  barred: "that node is barred for what it did",
  "own-identity": "this node itself answered",
  "wrong-identity": "another node than the expected one answered",
  "handshake-failed": "the handshake failed: other network, other key, or no node at all",
  "handshake-timeout": "the handshake took too long",
  "bad-hello": "the first words were no sound greeting",
  unreachable: "nobody answers at that address",
  "unknown-host": "that host name is not known",
  "peer-full": "the other node has no room",
  "peer-refused": "the other node refused this one",
  overload: "too many connections at once",
  renewed: "a newer link took its place",
  "network-shut-down": "the network was shut down",
  idle: "a link that was not needed",
  "application-declined": "the applications did not want it opened again",
};

/** What a reason means; a reason this page does not know explains itself by its name. */
export function reason(label) {
  return REASONS[label] ?? "";
}

/** What a member's state means. */
export function state(name) {
  return { present: "present", unreachable: "unreachable", gone: "gone" }[name] ?? String(name);
}
