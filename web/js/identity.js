// What a node looks like everywhere on the page: a colour made from its id, and the id's first eight digits. A colour alone
// never tells two nodes apart: there are ten, each with three times the contrast of its ground, and the id always stands by.

import { el } from "./dom.js";
import { visible } from "./text.js";

/** How many identity colours css/colours.css has: `--id-0` and on. */
export const COLOURS = 10;

/** Which of the colours a node has. Ids are keys, so their first digits are as good as drawn by lot. */
export function colourOf(id) {
  const number = Number.parseInt(String(id).slice(0, 8), 16);
  return Number.isFinite(number) ? number % COLOURS : 0;
}

/** The short form of an id. */
export function short(id) {
  return String(id ?? "").slice(0, 8) || "unknown";
}

/** Colour, short id and, where it has one, the name it is called by; `tags` says in words what else it is. */
export function chip(id, { nickname = null, self = false, genesis = false, tags = true } = {}) {
  return el(
    "span",
    { class: "chip", title: String(id) },
    el("span", { class: `swatch id-${colourOf(id)}${genesis ? " genesis" : ""}`, "aria-hidden": "true" }),
    el("span", { class: "id" }, short(id)),
    nickname ? el("span", { class: "nickname" }, visible(nickname, { limit: 24 })) : null,
    self && tags ? el("span", { class: "tag" }, "this node") : null,
    genesis && tags ? el("span", { class: "tag" }, "genesis") : null,
  );
}
