// The picture of the network: keeps cytoscape's elements equal to what is known, and moves nothing that need not move.

import { colourOf } from "../identity.js";
import { DRAWN } from "../network.js";
import { plain } from "../text.js";
import { span } from "../words.js";
import { arrange, settle } from "./place.js";
import { at, scale, styleSheet } from "./style.js";

/** Up to this many nodes the round trips stand at the links. */
const LATENCIES = 8;
/** All are arranged anew when there are this many times as many as the last time. */
const GROWTH = 1.5;
const GENTLE = 600;

/** The graph in `container`. Calls `chosen(selection)` when somebody points at something. */
export class GraphView {
  #places = new Map();
  #arrangedFor = 0;
  #touched = false;
  #size = scale(0);
  #namedZoom = 1;
  /** How many times the network was shown, and what was set off in it last. */
  #shown = 0;
  #emphasis = null;
  #stillness;

  constructor(container, { chosen, stillness }) {
    this.container = container;
    this.#stillness = stillness;
    this.cy = globalThis.cytoscape({
      container, elements: [], layout: { name: "preset" }, style: styleSheet(this.#size, 1), minZoom: 0.08, maxZoom: 4,
      boxSelectionEnabled: false, autounselectify: true,
    });
    this.cy.on("tap", (event) => {
      if (event.target === this.cy) chosen(null);
      else if (event.target.isNode()) chosen({ kind: "node", id: event.target.id() });
      else chosen({ kind: "link", id: event.target.id() });
    });
    this.cy.on("mouseover", "node", (event) => event.target.addClass("named"));
    this.cy.on("mouseout", "node", (event) => this.#unname(event.target));
    this.cy.on("dragfree", "node", (event) => {
      this.#places.set(event.target.id(), { ...event.target.position() });
      this.#touched = true;
    });
    this.cy.on("zoom", () => this.#zoomed());
    new ResizeObserver(() => {
      this.cy.resize();
      if (!this.#touched) this.fit(false);
    }).observe(container);
    container.addEventListener("wheel", () => (this.#touched = true), { passive: true });
    container.addEventListener("pointerdown", () => (this.#touched = true));
  }

  /** Takes what is known now. */
  show(network) {
    this.#shown += 1;
    const nodes = drawn(network);
    const ids = nodes.sort(order).map((node) => node.id);
    const isDrawn = new Set(ids);
    const links = [...network.links.values()].filter((link) => isDrawn.has(link.a) && isDrawn.has(link.b));
    const before = this.cy.nodes().length;
    const moves = this.#place(ids, links.filter((link) => link.confirmed));
    this.cy.batch(() => {
      this.cy.elements().forEach((element) => {
        const known = element.isNode() ? isDrawn.has(element.id()) : network.links.has(element.id());
        if (!known) element.remove();
      });
      for (const node of nodes) this.#showNode(node);
      for (const link of links) this.#showLink(link, nodes.length);
    });
    this.#resize(nodes.length);
    if (moves || before === 0) this.#move(before > 0);
  }

  /** Where a node is on the screen, within the container; null if it is not drawn. */
  spot(id) {
    const node = this.cy.getElementById(id);
    return node.length > 0 ? node.renderedPosition() : null;
  }

  /** How large a node is on the screen. */
  radius() {
    const zoom = this.cy.zoom();
    return (at(this.#size, zoom).node / 2) * zoom;
  }

  /** Shows all of it. */
  fit(gently = true) {
    const elements = this.cy.nodes();
    if (elements.length === 0) return;
    const box = elements.boundingBox({ includeLabels: elements.length <= 60 });
    const [width, height] = [this.cy.width() - 48, this.cy.height() - 48];
    const zoom = Math.max(0.08, Math.min(1.4, width / Math.max(box.w, 1), height / Math.max(box.h, 1)));
    const pan = {
      x: this.cy.width() / 2 - ((box.x1 + box.x2) / 2) * zoom,
      y: this.cy.height() / 2 - ((box.y1 + box.y2) / 2) * zoom,
    };
    if (gently && !this.#stillness()) this.cy.animate({ zoom, pan }, { duration: 250 });
    else this.cy.viewport({ zoom, pan });
  }

  /** As somebody asked: all of it, and from now on it follows the window again. */
  showAll() {
    this.#touched = false;
    this.fit();
  }

  /** Nearer (above 1) or farther, by a factor. */
  zoom(factor) {
    this.#touched = true;
    const middle = { x: this.cy.width() / 2, y: this.cy.height() / 2 };
    this.cy.zoom({ level: this.cy.zoom() * factor, renderedPosition: middle });
  }

  /** Arranges all nodes anew. */
  arrange(network) {
    this.#arrangedFor = 0;
    this.#touched = false;
    this.show(network);
  }

  /** Brings a node into sight if it is not. */
  reveal(id) {
    const spot = this.spot(id);
    if (!spot) return;
    const inside = spot.x > 20 && spot.y > 20 && spot.x < this.cy.width() - 20 && spot.y < this.cy.height() - 20;
    if (!inside) this.cy.animate({ center: { eles: this.cy.getElementById(id) } }, { duration: this.#stillness() ? 0 : 250 });
  }

  /**
   * Sets off what is looked at: `{ nodes, links }` by id, the nodes that belong to it (`near`) and the links `between` them;
   * null for nothing. `stamp` names what it is.
   */
  emphasise(chosen) {
    const stamp = chosen && [chosen.stamp, chosen.near.size, chosen.between.size, this.#shown].join();
    if (stamp === this.#emphasis) return;
    this.#emphasis = stamp;
    this.cy.batch(() => {
      this.cy.elements().removeClass("chosen near faded");
      this.cy.nodes(".named").forEach((node) => this.#unname(node, chosen));
      if (!chosen) return;
      const { nodes, links, near } = chosen;
      this.cy.nodes().forEach((node) => {
        if (nodes.has(node.id())) node.addClass("chosen named");
        else if (!near.has(node.id())) node.addClass("faded");
      });
      this.cy.edges().forEach((edge) => {
        if (links.has(edge.id())) edge.addClass("chosen");
        else if (chosen.between.has(edge.id())) edge.addClass("near");
        else edge.addClass("faded");
      });
    });
  }

  /** Colours have changed. */
  restyle() {
    this.#namedZoom = this.cy.zoom();
    this.cy.style(styleSheet(this.#size, this.cy.zoom()));
  }

  #unname(node, chosen = null) {
    const keeps = node.hasClass("self") || node.hasClass("genesis") || node.hasClass("chosen") || chosen?.nodes.has(node.id());
    if (!keeps) node.removeClass("named");
  }

  #zoomed() {
    // The names that always stand are drawn in the size of the screen: renewed when it changed by a fifth.
    const ratio = this.cy.zoom() / this.#namedZoom;
    if (ratio > 1.2 || ratio < 0.83) this.restyle();
  }

  #resize(nodes) {
    const size = scale(nodes);
    if (size.node === this.#size.node && size.opacity === this.#size.opacity) return;
    this.#size = size;
    this.restyle();
  }

  /** Gives every node a place; says whether any that had one has another now. */
  #place(ids, links) {
    const pairs = links.map((link) => [link.a, link.b]);
    const aspect = this.cy.width() / Math.max(1, this.cy.height());
    if (ids.length >= this.#arrangedFor * GROWTH && ids.length > 0) {
      this.#arrangedFor = ids.length;
      this.#places = arrange(ids, pairs, aspect);
      return true;
    }
    // Who comes back finds its old place: those who left are remembered, up to a number.
    const settled = settle(ids, pairs, this.#places);
    for (const [id, place] of settled) this.#places.set(id, place);
    for (const id of this.#places.keys()) {
      if (this.#places.size <= 2 * DRAWN) break;
      if (!settled.has(id)) this.#places.delete(id);
    }
    return false;
  }

  #move(gently) {
    const still = !gently || this.#stillness() || this.cy.nodes().length > 150;
    for (const node of this.cy.nodes()) {
      const position = this.#places.get(node.id());
      if (still) node.position(position);
      else node.animate({ position }, { duration: GENTLE, easing: "ease-in-out" });
    }
    if (this.#touched) return;
    if (still) this.fit(false);
    else setTimeout(() => this.fit(), GENTLE);
  }

  #showNode(node) {
    const label = node.nickname ? `${node.short}\n${plain(node.nickname, 18)}` : node.short;
    const classes = [`id-${colourOf(node.id)}`];
    if (node.genesis) classes.push("genesis", "named");
    if (node.self) classes.push("self", "named");
    if (node.state !== "present") classes.push(node.state === "gone" ? "gone" : "unreachable");
    if (node.adrift) classes.push("adrift");
    const element = this.cy.getElementById(node.id);
    if (element.length === 0) {
      const position = { ...this.#places.get(node.id) };
      this.cy.add({ group: "nodes", data: { id: node.id, label }, position, classes });
      return;
    }
    if (element.data("label") !== label) element.data("label", label);
    setClasses(element, classes);
  }

  #showLink(link, nodes) {
    const [source, target] = link.opener === link.b ? [link.b, link.a] : [link.a, link.b];
    const label = link.roundTrip === null ? "" : span(link.roundTrip);
    const modes = [link.eagerAB, link.eagerBA];
    const carries = link.carriesAB || link.carriesBA;
    const classes = [];
    // Where nobody tells, it is taken from what was seen: contents that come over a link come at once.
    if (modes.includes(true) || (carries && modes.includes(null))) classes.push("eager");
    else if (modes.includes(false)) classes.push("lazy");
    if (link.opener !== null) classes.push("directed");
    if (!link.confirmed) classes.push("unconfirmed");
    if (nodes <= LATENCIES && label && link.confirmed) classes.push("labelled");
    const element = this.cy.getElementById(link.key);
    if (element.length === 0) {
      this.cy.add({ group: "edges", data: { id: link.key, source, target, label }, classes });
      return;
    }
    if (element.data("label") !== label) element.data("label", label);
    if (element.data("source") !== source) element.move({ source, target });
    setClasses(this.cy.getElementById(link.key), classes);
  }
}

/** Which nodes are drawn: all, or, where they are too many for a picture, the viewer's own and those of lowest id. */
function drawn(network) {
  const all = [...network.nodes.values()];
  if (all.length <= DRAWN) return all;
  return all.sort(order).slice(0, DRAWN);
}

/** Genesis and the viewer's own node first, the others by their ids. */
function order(a, b) {
  const rank = (node) => (node.genesis ? 0 : node.self ? 1 : 2);
  return rank(a) - rank(b) || (a.id < b.id ? -1 : 1);
}

const KEPT = ["chosen", "near", "faded"];

function setClasses(element, classes) {
  const kept = KEPT.filter((name) => element.hasClass(name));
  if (element.hasClass("chosen") && element.isNode()) kept.push("named");
  const wanted = [...new Set([...classes, ...kept])];
  const has = element.classes();
  if (has.length !== wanted.length || wanted.some((name) => !has.includes(name))) element.classes(wanted);
}
