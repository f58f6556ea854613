// How nodes and links are drawn. Colours come from css/colours.css, so that light and dark are settled in one place.

import { COLOURS } from "../identity.js";

/** A colour of the style sheet as the browser computes it: `color("--accent")`. */
export function color(name) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  return computed;
}

/** The ten identity colours. */
export function identityColors() {
  return Array.from({ length: COLOURS }, (_, n) => color(`--id-${n}`));
}

/**
 * How large things are drawn with this many nodes, in the graph's own measure; `most…` in pixels of the screen, however near
 * one looks. Names show from a size of `least` on.
 */
export function scale(nodes) {
  const few = { mostFont: 14, mostNode: 54, least: 6 };
  const many = { mostFont: 13, mostNode: 26, least: 12 };
  if (nodes <= 12) return { ...few, node: 34, font: 11, line: 1.8, mostLine: 2.8, arrow: 0.9, opacity: 0.75 };
  if (nodes <= 60) return { ...few, node: 28, font: 13, line: 1.5, mostLine: 2, arrow: 0.8, opacity: 0.55, mostNode: 34, least: 8 };
  if (nodes <= 150) return { ...many, node: 32, font: 17, line: 1.9, mostLine: 1.4, arrow: 0.8, opacity: 0.4 };
  return { ...many, node: 38, font: 22, line: 2.4, mostLine: 1.1, arrow: 0.8, opacity: 0.3 };
}

/** The same at a zoom: nothing grows beyond its bounds. */
export function at(size, zoom) {
  return {
    ...size,
    node: Math.min(size.node, size.mostNode / zoom),
    font: Math.min(size.font, size.mostFont / zoom),
    line: Math.min(size.line, size.mostLine / zoom),
  };
}

/** The style sheet for cytoscape. `zoom` keeps the names of the few that always have one readable, and all else in bounds. */
export function styleSheet(scaled, zoom) {
  const size = at(scaled, zoom);
  const text = color("--text");
  const ground = color("--graph");
  const quiet = color("--quiet");
  const line = color("--line");
  const accent = color("--accent");
  const alarm = color("--alarm");
  const named = Math.max(size.font, 11.5 / zoom);
  const mono = "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace";
  return [
    {
      selector: "node",
      style: {
        width: size.node, height: size.node, "background-color": quiet, "border-width": 2, "border-color": ground,
        label: "data(label)", color: text, "font-size": size.font, "font-family": mono, "min-zoomed-font-size": size.least,
        "text-valign": "bottom", "text-margin-y": 5, "text-wrap": "wrap", "text-max-width": 160,
        "text-outline-color": ground, "text-outline-width": 2.5, "overlay-opacity": 0, "z-index": 10,
      },
    },
    ...identityColors().map((value, n) => ({ selector: `node.id-${n}`, style: { "background-color": value } })),
    { selector: "node.genesis", style: { shape: "diamond", width: size.node * 1.35, height: size.node * 1.35 } },
    {
      selector: "node.self",
      style: { "outline-width": size.node / 13, "outline-color": text, "outline-offset": size.node / 11, "outline-opacity": 1, "text-margin-y": 9 },
    },
    {
      selector: "node.named",
      style: { "font-size": named, "min-zoomed-font-size": 0, "text-outline-width": named / 5, "z-index": 20 },
    },
    {
      selector: "node.unreachable, node.adrift",
      style: { "background-opacity": 0.18, "border-style": "dashed", "border-color": alarm, "border-width": 3 },
    },
    {
      selector: "node.gone",
      style: {
        "background-color": ground, "border-style": "dotted", "border-color": quiet, "border-width": 3, opacity: 0.75,
        "text-opacity": 0.8,
      },
    },
    {
      selector: "edge",
      style: {
        width: size.line, "line-color": line, "target-arrow-color": line, "curve-style": "straight", "line-opacity": size.opacity,
        "overlay-opacity": 0, "overlay-padding": 6, "arrow-scale": size.arrow, "line-style": "solid", label: "",
        "font-size": 10 / Math.min(zoom, 1.4), color: quiet, "text-background-color": ground, "text-background-opacity": 1,
        "text-background-padding": 2, "min-zoomed-font-size": 7.5,
      },
    },
    { selector: "edge.eager", style: { width: size.line * 1.5, "line-opacity": Math.min(1, size.opacity * 1.5) } },
    { selector: "edge.lazy", style: { "line-style": "dashed", "line-dash-pattern": [4 * size.line, 3 * size.line], "line-opacity": size.opacity * 0.7 } },
    { selector: "edge.directed", style: { "target-arrow-shape": "triangle" } },
    { selector: "edge.unconfirmed", style: { "line-style": "dotted", "line-opacity": 0.25, width: 1, "target-arrow-shape": "none" } },
    { selector: "edge.labelled", style: { label: "data(label)" } },
    { selector: ".faded", style: { opacity: 0.1 } },
    { selector: "node.faded", style: { opacity: 0.35 } },
    { selector: "edge.faded", style: { "text-opacity": 0 } },
    {
      selector: "edge.near",
      style: {
        "line-opacity": 1, "line-color": accent, "target-arrow-color": accent, width: Math.max(size.line * 1.6, 1.6 / zoom), "z-index": 5,
      },
    },
    {
      selector: "edge.chosen",
      style: {
        "line-opacity": 1, "line-color": accent, "target-arrow-color": accent, width: Math.max(size.line * 2.2, 2.6 / zoom),
        label: "data(label)", "z-index": 6,
      },
    },
    { selector: "node.chosen", style: { "border-color": accent, "border-width": 4, "border-opacity": 1 } },
  ];
}
