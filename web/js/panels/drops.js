// What was dropped, refused or closed, by its reason. Nothing is lost in silence.

import { byId, el, reconcile, svg } from "../dom.js";
import { number, reason } from "../words.js";

/** Reasons that come up wherever all is well. */
const USUAL = new Set(["duplicate", "visit-done", "duplicate-link", "renewed", "idle", "superseded", "peer-left"]);

/** Keeps the table equal to the store. */
export function dropsPanel(store) {
  const body = byId("drop-rows");
  const empty = byId("drop-empty");
  store.on(["status"], () => {
    const drops = Object.entries(store.status?.drops ?? {}).filter(([, count]) => count > 0);
    drops.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const most = Math.max(1, ...drops.map(([, count]) => count));
    reconcile(body, drops, {
      key: ([label]) => label,
      stamp: ([, count]) => `${count}/${most}`,
      make: ([label, count]) => row(label, count, most),
    });
    empty.hidden = drops.length > 0;
  });
}

function row(label, count, most) {
  const bar = svg(
    "svg", { class: "bar", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x: 0, y: 0, width: Math.max(1.5, (100 * count) / most), height: 6, rx: 1 }),
  );
  return el(
    "tr", { class: USUAL.has(label) ? "usual" : "unusual" },
    el("th", { scope: "row" }, el("span", { class: "label" }, label), el("span", { class: "quiet" }, reason(label))),
    el("td", { class: "number" }, number(count), bar),
  );
}

/** How many drops there were that are not part of everyday life. */
export function unusual(drops) {
  return Object.entries(drops ?? {}).reduce((sum, [label, count]) => sum + (USUAL.has(label) ? 0 : count), 0);
}
