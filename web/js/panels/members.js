// The members as a table: the graph in words, for those who do not see it and for those who look for one node.

import { byId, el, reconcile, setText } from "../dom.js";
import { chip, short } from "../identity.js";
import { rove } from "../rove.js";
import { count, state } from "../words.js";

const NEIGHBOURS = 12;
const ROWS = 1000;

/** Keeps the table equal to the store. */
export function membersPanel(store) {
  const body = byId("member-rows");
  const find = byId("member-find");
  const settle = rove(body);
  const render = () => {
    const neighbours = neighboursOf(store.network);
    const chosen = store.selection?.kind === "node" ? store.selection.id : null;
    const wanted = find.value.trim().toLowerCase();
    const all = [...store.network.nodes.values()].sort(order);
    const fitting = wanted === "" ? all : all.filter((node) => fits(node, wanted));
    reconcile(body, fitting.slice(0, ROWS), {
      key: (node) => node.id,
      stamp: (node) => {
        const near = neighbours.get(node.id) ?? [];
        return [node.state, node.adrift, node.nickname, near.join(), node.id === chosen].join("|");
      },
      make: (node) => row(store, node, neighbours.get(node.id) ?? [], node.id === chosen),
    });
    settle();
    const more = fitting.length > ROWS ? `; the first ${ROWS} are listed` : "";
    setText(byId("member-count"), `${count(fitting.length, "member")}${wanted === "" ? "" : ` of ${all.length}`}${more}`);
  };
  find.addEventListener("input", render);
  store.on(["network", "selection"], render);
}

const RANK = { unreachable: 2, present: 3, gone: 4 };

function order(a, b) {
  const rank = (node) => (node.self ? 0 : node.genesis ? 1 : node.adrift ? 2 : (RANK[node.state] ?? 5));
  return rank(a) - rank(b) || (a.id < b.id ? -1 : 1);
}

function fits(node, wanted) {
  return node.id.startsWith(wanted) || (node.nickname ?? "").toLowerCase().includes(wanted) || node.state.includes(wanted);
}

function neighboursOf(network) {
  const all = new Map();
  const add = (a, b) => (all.has(a) ? all.get(a).push(b) : all.set(a, [b]));
  for (const link of network.links.values()) {
    if (!link.confirmed) continue;
    add(link.a, link.b);
    add(link.b, link.a);
  }
  for (const list of all.values()) list.sort();
  return all;
}

function row(store, node, neighbours, isChosen) {
  const listed = neighbours.slice(0, NEIGHBOURS).map(short).join(" ");
  const more = neighbours.length > NEIGHBOURS ? ` and ${neighbours.length - NEIGHBOURS} more` : "";
  return el(
    "tr",
    { class: `state-${node.state}${node.adrift ? " adrift" : ""}${isChosen ? " chosen" : ""}` },
    el(
      "th", { scope: "row" },
      el(
        "button",
        {
          type: "button", class: "plain", "aria-pressed": String(isChosen), dataset: { node: node.id },
          on: { click: () => store.select({ kind: "node", id: node.id }) },
        },
        chip(node.id, { nickname: node.nickname, self: node.self, genesis: node.genesis && !node.self }),
      ),
    ),
    el("td", { class: "state" }, node.adrift ? "no links" : state(node.state)),
    el("td", { class: "neighbours" }, el("div", {}, neighbours.length === 0 ? "none" : `${neighbours.length}: ${listed}${more}`)),
  );
}
