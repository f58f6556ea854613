// Small parts that the details are made of.

import { el } from "../dom.js";

/** A list of names and values; what is null is left out. */
export function facts(...pairs) {
  return el(
    "dl", { class: "facts" },
    pairs.filter((pair) => pair !== null && pair[1] !== null).map(([name, value]) => [
      el("dt", {}, name),
      el("dd", {}, value),
    ]).flat(),
  );
}

/** A button that does something; `name` finds it again when the details are drawn anew. */
export function action(name, label, click, attributes = {}) {
  return el("button", { type: "button", class: "action", dataset: { act: name }, on: { click }, ...attributes }, label);
}

/** A whole id, which may be broken over lines. */
export function wholeId(id) {
  return el("code", { class: "whole" }, String(id));
}

/** A button that leads to another thing, looking like the thing. */
export function leadsTo(store, selection, content) {
  return el("button", { type: "button", class: "plain", on: { click: () => store.select(selection) } }, content);
}
