// Checking a message once more, in this browser: the id from the fields, the signature by the sender's key (docs/protocol.md,
// sections 1 and 4). The node has verified it before it kept it; this is for those who would rather see for themselves.
// Keys are not tested for torsion here as the node does (section 6): browsers do not offer that.

const encoder = new TextEncoder();

/** `good`, `altered` (the id is not that of the fields), `bad` (the signature), `unsigned`, or `unable` in this browser. */
export async function check(envelope) {
  if (!globalThis.crypto?.subtle) return "unable";
  try {
    const signed = envelope.signature !== undefined;
    const label = signed ? "sealnet/1 network\0" : "sealnet/1 plain network\0";
    const network = await sha256(encoder.encode(label), encoder.encode(envelope.network));
    const id = await sha256(encoder.encode("sealnet/1 envelope\0"), network, statement(envelope, signed ? 1 : 0));
    if (hex(id) !== envelope.id) return "altered";
    if (!signed) return "unsigned";
    const key = await crypto.subtle.importKey("raw", bytes(envelope.sender), { name: "Ed25519" }, false, ["verify"]);
    const over = joined([encoder.encode("sealnet/1 envelope\0"), id]);
    return (await crypto.subtle.verify({ name: "Ed25519" }, key, bytes(envelope.signature), over)) ? "good" : "bad";
  } catch {
    return "unable";
  }
}

/** The message's bytes. */
export function content(envelope) {
  if (envelope.message !== undefined) return encoder.encode(envelope.message);
  return Uint8Array.from(atob(envelope.message_base64), (c) => c.charCodeAt(0));
}

function statement(envelope, version) {
  const title = encoder.encode(envelope.title);
  const message = content(envelope);
  const head = new DataView(new ArrayBuffer(46));
  head.setUint8(0, version);
  new Uint8Array(head.buffer).set(bytes(envelope.sender), 1);
  head.setBigUint64(33, BigInt(envelope.time));
  head.setUint32(41, envelope.lifetime);
  head.setUint8(45, title.length);
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, message.length);
  return joined([new Uint8Array(head.buffer), title, new Uint8Array(length.buffer), message]);
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(parts)));
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function bytes(digits) {
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error("not hex");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const hex = (data) => [...data].map((byte) => byte.toString(16).padStart(2, "0")).join("");
