// The page: binds the node's interface, what is known of the network, and what is shown of it.

import { Api } from "./api.js";
import { banner } from "./banner.js";
import { byId, el, setText } from "./dom.js";
import { GraphView } from "./graph/view.js";
import { identityColors } from "./graph/style.js";
import { Travel } from "./graph/travel.js";
import { walk } from "./graph/walk.js";
import { chip, colourOf } from "./identity.js";
import { keys } from "./keys.js";
import { Live } from "./live.js";
import { way } from "./messages.js";
import { DRAWN } from "./network.js";
import { detailPanel } from "./panels/detail.js";
import { dropsPanel } from "./panels/drops.js";
import { eventsPanel } from "./panels/events.js";
import { linksPanel } from "./panels/links.js";
import { membersPanel } from "./panels/members.js";
import { messagesPanel } from "./panels/messages.js";
import { publishForm } from "./panels/publish.js";
import { tabs } from "./panels/tabs.js";
import { tiles } from "./panels/tiles.js";
import { Reader } from "./reader.js";
import { recall, remember } from "./remembered.js";
import { say, summaries } from "./say.js";
import { Store } from "./store.js";
import { plain, visible } from "./text.js";
import { theme } from "./theme.js";
import { takeToken } from "./token.js";
import { count, state } from "./words.js";

const api = new Api(takeToken());
const store = new Store();
const stillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// The graph, and what travels on it.
const graph = byId("graph");
const view = new GraphView(graph, { chosen: (selection) => store.select(selection), stillness });
const travel = new Travel(byId("travel"), view, { still: stillness });
const describe = (message) => ({ id: message.id, sender: message.sender, tint: colourOf(message.sender) });
const nextTheme = theme(() => {
  view.restyle();
  travel.paint(identityColors());
});

walk(graph, view, {
  current: () => (store.selection?.kind === "node" ? store.selection.id : null),
  home: () => store.network.self,
  go: (id) => {
    const node = store.network.nodes.get(id);
    if (!node) return;
    store.select({ kind: "node", id });
    view.reveal(id);
    const name = node.nickname ? `, called ${plain(node.nickname, 24)}` : "";
    say(`Node ${node.short}${name}, ${node.adrift ? "without links" : state(node.state)}, ${count(node.degree, "link")}`);
  },
  enter: () => byId("detail-heading").focus(),
});

// Panels.
const openTab = tabs(byId("tabs"));
const actions = {
  replay: (message) => travel.replay(describe(message), way(message)),
  close: () => {
    const back = store.selection;
    store.select(null);
    focusOn(back);
  },
};
messagesPanel(store);
membersPanel(store);
linksPanel(store);
eventsPanel(store);
dropsPanel(store);
detailPanel(store, api, actions);
tiles(store);
banner(store);
summaries(store);

/** After closing the details, the focus goes back to where one came from. */
function focusOn(selection) {
  if (!byId("detail").contains(document.activeElement) && document.activeElement !== document.body) return;
  const place = selection && document.querySelector(`[data-${selection.kind}="${CSS.escape(selection.id)}"]`);
  (place && place.offsetParent !== null ? place : graph).focus();
}

// From the node.
const reader = new Reader(api, store, {
  hop: (hop) => travel.hop({ ...describe(hop.message), node: hop.node, from: hop.from }),
  lost: () => travel.clear(),
});
publishForm(api, { published: (id) => reader.published(id) });

// To the graph.
store.on(["network"], () => {
  view.show(store.network);
  emphasise();
  setText(byId("scope"), scope());
  const { self, nodes } = store.network;
  setText(byId("graph-note"), nodes.size > DRAWN ? `${DRAWN} of ${nodes.size} members are drawn; the table has all that are known.` : "");
  byId("whoami").replaceChildren(self ? chip(self, { ...nodes.get(self), self: false }) : "");
});
store.on(["selection", "messages"], emphasise);
store.on(["status"], () => {
  const { status } = store;
  if (!status) return;
  byId("network-name").replaceChildren(visible(status.network, { limit: 64 }));
  setText(byId("security"), status.secure ? "secure network" : "plain network: nothing is signed or hidden");
  byId("security").classList.toggle("warn", !status.secure);
  document.title = `Sealnet ${plain(status.network, 40)}`;
});

/** Whose hops are known, said plainly. */
function scope() {
  const known = store.network.hopsKnown();
  if (known.name === "all") return `Hops are known of all ${known.of} nodes.`;
  if (known.name === "some") return `Hops are known of ${known.known} of ${known.of} nodes.`;
  return "Hops are known only as far as this node knows: which neighbour brought it a message.";
}

/** What of the graph is set off, after what is looked at. */
function emphasise() {
  const { selection, network, messages } = store;
  const nodes = new Set();
  const links = new Set();
  const near = new Set();
  const between = new Set();
  if (selection?.kind === "node" && network.nodes.has(selection.id)) {
    nodes.add(selection.id);
    for (const link of network.linksOf(selection.id)) {
      between.add(link.key);
      near.add(link.a).add(link.b);
    }
  } else if (selection?.kind === "link" && network.links.has(selection.id)) {
    const link = network.links.get(selection.id);
    links.add(link.key);
    near.add(link.a).add(link.b);
  } else if (selection?.kind === "message" && messages.get(selection.id)) {
    const message = messages.get(selection.id);
    nodes.add(message.sender);
    for (const hop of message.hops.values()) {
      near.add(hop.node);
      if (hop.from === null) continue;
      near.add(hop.from);
      between.add(hop.node < hop.from ? `${hop.node}-${hop.from}` : `${hop.from}-${hop.node}`);
    }
  } else {
    view.emphasise(null);
    return;
  }
  view.emphasise({ stamp: `${selection.kind} ${selection.id}`, nodes, links, near, between });
}

// Buttons of the graph, and shortcuts.
const showsTravel = byId("travel-enabled");
showsTravel.checked = recall("travel") !== "off";
travel.enabled = showsTravel.checked;
showsTravel.addEventListener("change", () => {
  travel.enabled = showsTravel.checked;
  remember("travel", showsTravel.checked ? "on" : "off");
  if (!showsTravel.checked) travel.clear();
});
const arrange = () => view.arrange(store.network);
for (const [id, run] of [
  ["zoom-in", () => view.zoom(1.3)], ["zoom-out", () => view.zoom(0.77)], ["fit", () => view.showAll()], ["arrange", arrange],
]) {
  byId(id).addEventListener("click", run);
}
const toTab = (panel, field) => () => {
  openTab(panel, !field);
  if (field) byId(field).focus();
};
keys([
  { key: "g", words: "To the graph; arrows go from node to node, Enter to the details", run: () => graph.focus() },
  { key: "d", words: "To the details", run: () => !byId("detail").hidden && byId("detail-heading").focus() },
  { key: "m", words: "Messages", run: toTab("panel-messages") },
  { key: "n", words: "Members (nodes)", run: toTab("panel-members") },
  { key: "l", words: "Links", run: toTab("panel-links") },
  { key: "e", words: "Events", run: toTab("panel-events") },
  { key: "x", words: "Drops", run: toTab("panel-drops") },
  { key: "p", words: "Publish a message", run: toTab("panel-messages", "publish-text") },
  { key: "/", words: "Find a node", run: toTab("panel-members", "member-find") },
  { key: "f", words: "Show the whole graph", run: () => view.showAll() },
  { key: "a", words: "Arrange the graph anew", run: arrange },
  { key: "+", words: "Nearer", run: () => view.zoom(1.3) },
  { key: "-", words: "Farther", run: () => view.zoom(0.77) },
  { key: "r", words: "Show the way of the chosen message again", run: replayChosen },
  { key: "t", words: "Theme: system, light, dark", run: nextTheme },
  { key: "Esc", words: "Close the details", run: () => actions.close() },
]);

function replayChosen() {
  const message = store.selection?.kind === "message" ? store.messages.get(store.selection.id) : null;
  if (message) actions.replay(message);
}

// Colours of the identities for the page: the same ten, written as rules in css/colours.css.
byId("legend").append(
  ...["genesis", "member", "self", "unreachable", "gone"].map((name) => el("span", { class: `sample node-${name}` }, { self: "this node" }[name] ?? name)),
  el("span", { class: "sample link-eager" }, "contents at once (eager)"),
  el("span", { class: "sample link-lazy" }, "ids only (lazy)"),
  el("span", { class: "sample link-plain" }, "not known how"),
  el("span", { class: "sample link-arrow" }, "away from its opener"),
);

const live = new Live(api, {
  opened: () => reader.opened(),
  event: (name, data) => reader.event(name, data),
  changed: (line) => reader.line(line),
});
Object.assign(reader, { heard: () => live.heard(), doubt: () => live.doubt() });
live.run();
