// Nodes and links as far as they are known: the node's own picture of the network, corrected at once by what events say.

import { short } from "./identity.js";

/** How many nodes are drawn at most. The table has them all. */
export const DRAWN = 1000;

/** Why a link is closed in favour of another one between the same nodes. */
const REPLACED = new Set(["duplicate-link", "renewed"]);

/** For so long (ms) a link counts as carrying contents after a message came over it. */
const LATELY = 60_000;

/** The name of the link between two nodes, whichever is named first. */
export function linkKey(a, b) {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

/** Nodes by id, links by `linkKey`. */
export class Network {
  nodes = new Map();
  links = new Map();
  self = null;
  complete = true;
  parts = [];
  diameter = null;
  degrees = null;
  /** Whose events reach this page: it knows which neighbour brought a message to them. */
  reporting = new Set();
  /** Link → who said that it closed it, and opened none since. A presence may name the link for some time yet. */
  #closed = new Map();
  /** Link → who opened it. */
  #openedBy = new Map();
  /** Way, as `from>to` → when a message was last seen to come that way. */
  #carried = new Map();
  /** Link → latest round trip that an event told, in µs. */
  #roundTrips = new Map();

  /** Takes the answers to /v1/members and /v1/network. */
  take(members, network) {
    this.nodes = new Map();
    for (const member of members) this.nodes.set(member.id, nodeOf(member));
    for (const node of network.nodes ?? []) {
      const known = this.nodes.get(node.id);
      if (known) Object.assign(known, { version: node.version ?? null });
      else this.nodes.set(node.id, nodeOf(node));
    }
    for (const node of this.nodes.values()) if (node.self) this.self = node.id;
    this.complete = network.complete !== false;
    this.parts = network.parts ?? [];
    this.diameter = network.diameter ?? null;
    this.degrees = network.degrees ?? null;
    const links = new Map();
    for (const edge of network.edges ?? []) this.#takeEdge(edge, links);
    this.links = links;
    this.#forget();
    this.#count();
  }

  #takeEdge(edge, links) {
    if (!this.nodes.has(edge.a) || !this.nodes.has(edge.b) || edge.a === edge.b) return;
    const key = linkKey(edge.a, edge.b);
    const turned = edge.a > edge.b;
    const [a, b] = turned ? [edge.b, edge.a] : [edge.a, edge.b];
    const [ab, ba] = turned ? [edge.eager_ba, edge.eager_ab] : [edge.eager_ab, edge.eager_ba];
    const opener = edge.opened_by ?? this.#openedBy.get(key) ?? null;
    const roundTrip = edge.round_trip_us ?? this.#roundTrips.get(key) ?? null;
    links.set(key, {
      key, a, b, eagerAB: ab ?? null, eagerBA: ba ?? null, roundTrip, opener, knownBy: edge.known_by ?? [], confirmed: false,
      carriesAB: this.#carries(a, b), carriesBA: this.#carries(b, a),
    });
  }

  /** A message came to `node` from its neighbour `from`; says whether the picture changed. */
  hop(from, node) {
    this.#carried.set(`${from}>${node}`, Date.now());
    const link = this.links.get(linkKey(from, node));
    if (!link) return false;
    const way = link.a === from ? "carriesAB" : "carriesBA";
    const isNews = !link[way];
    link[way] = true;
    return isNews;
  }

  #carries(from, to) {
    return Date.now() - (this.#carried.get(`${from}>${to}`) ?? -Infinity) < LATELY;
  }

  /** An event about a link; says whether the picture changed. */
  event(name, data) {
    if (data.node) this.#report(data.node);
    if (!data.node || !data.peer) return false;
    const key = linkKey(data.node, data.peer);
    if (name === "link_opened") {
      this.#closed.get(key)?.delete(data.node);
      this.#openedBy.set(key, data.direction === "out" ? data.node : data.peer);
      this.#open(key, data);
    } else if (name === "link_closed" && REPLACED.has(data.reason)) {
      // Another link between the two stays, or has taken its place: the next picture of the network tells.
      return false;
    } else if (name === "link_closed") {
      if (!this.#closed.has(key)) this.#closed.set(key, new Set());
      this.#closed.get(key).add(data.node);
    } else if (name === "latency") {
      this.#roundTrips.set(key, data.round_trip_us);
      const link = this.links.get(key);
      if (link) link.roundTrip = data.round_trip_us;
      return link !== undefined;
    } else {
      return false;
    }
    this.#count();
    return true;
  }

  #open(key, { node, peer }) {
    const [a, b] = node < peer ? [node, peer] : [peer, node];
    const link = this.links.get(key);
    if (link) {
      link.opener = this.#openedBy.get(key);
      if (!link.knownBy.includes(node)) link.knownBy = [...link.knownBy, node];
    } else if (this.nodes.has(a) && this.nodes.has(b)) {
      const opener = this.#openedBy.get(key);
      const unknown = { eagerAB: null, eagerBA: null, carriesAB: false, carriesBA: false, roundTrip: null };
      this.links.set(key, { key, a, b, ...unknown, opener, knownBy: [node], confirmed: true });
    }
  }

  #report(node) {
    this.reporting.add(node);
  }

  /**
   * A link has two ends. It is confirmed if both name it, or if one does whose events reach this page; it is over if an end
   * said so, whatever the other still claims.
   */
  #count() {
    for (const node of this.nodes.values()) node.degree = 0;
    for (const link of this.links.values()) {
      const denied = this.#closed.get(link.key)?.size > 0;
      const witnessed = link.knownBy.some((id) => id === this.self || this.reporting.has(id));
      link.confirmed = !denied && (witnessed || link.knownBy.length > 1);
      if (!link.confirmed) continue;
      for (const id of [link.a, link.b]) this.nodes.get(id).degree += 1;
    }
    const others = this.nodes.size > 1;
    for (const node of this.nodes.values()) node.adrift = others && node.state === "present" && node.degree === 0;
  }

  /** What is remembered of links goes with the nodes. */
  #forget() {
    for (const table of [this.#closed, this.#openedBy, this.#roundTrips]) {
      for (const key of table.keys()) {
        const [a, b] = key.split("-");
        if (!this.nodes.has(a) || !this.nodes.has(b)) table.delete(key);
      }
    }
    for (const [way, at] of this.#carried) if (Date.now() - at > LATELY) this.#carried.delete(way);
    for (const id of this.reporting) if (!this.nodes.has(id)) this.reporting.delete(id);
  }

  /** The confirmed links of a node. */
  linksOf(id) {
    return [...this.links.values()].filter((link) => link.confirmed && (link.a === id || link.b === id));
  }

  /** The members that are there, in number. */
  present() {
    return [...this.nodes.values()].filter((node) => node.state === "present").length;
  }

  /** Whose hops are known: `all`, `some` or `own`, and in number. */
  hopsKnown() {
    const present = [...this.nodes.values()].filter((node) => node.state === "present");
    const known = present.filter((node) => node.self || this.reporting.has(node.id)).length;
    if (present.length > 1 && known === present.length) return { name: "all", known, of: present.length };
    return { name: known > 1 ? "some" : "own", known, of: present.length };
  }
}

function nodeOf(member) {
  return {
    id: member.id,
    short: short(member.id),
    nickname: member.nickname || null,
    state: member.state ?? "present",
    self: member.self === true,
    genesis: member.genesis === true,
    addresses: member.addresses ?? [],
    apps: member.apps ?? {},
    version: member.version ?? null,
    seenAgo: member.seen_ago_ms ?? null,
    degree: 0,
    adrift: false,
  };
}
