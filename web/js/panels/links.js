// This node's own links, as a table.

import { byId, el, reconcile, setText } from "../dom.js";
import { chip } from "../identity.js";
import { linkKey } from "../network.js";
import { bytes, count, seconds, span } from "../words.js";

/** Keeps the table equal to the store. */
export function linksPanel(store) {
  const body = byId("link-rows");
  const render = () => {
    reconcile(body, store.links, {
      key: (link) => link.peer,
      stamp: (link) => JSON.stringify(link),
      make: (link) => row(store, link),
    });
    setText(byId("link-count"), `${count(store.links.length, "link")} of this node`);
  };
  store.on(["links"], render);
}

/** How one side of a link passes messages on. */
export function mode(isEager) {
  return isEager === true ? "contents" : isEager === false ? "ids only" : "not known";
}

function row(store, link) {
  const node = store.network.nodes.get(link.peer);
  const key = store.network.self === null ? null : linkKey(store.network.self, link.peer);
  return el(
    "tr", {},
    el(
      "th", { scope: "row" },
      el(
        "button",
        {
          type: "button", class: "plain", dataset: { link: key },
          on: { click: () => store.select(key ? { kind: "link", id: key } : { kind: "node", id: link.peer }) },
        },
        chip(link.peer, { nickname: node?.nickname, genesis: node?.genesis }),
      ),
    ),
    el("td", {}, link.direction === "out" ? "this node" : "the other"),
    el("td", { class: "number" }, span(link.round_trip_us)),
    el("td", {}, `${mode(link.sends_eager)} / ${mode(link.receives_eager)}`),
    el("td", { class: "number" }, `${bytes(link.sent_bytes)} / ${bytes(link.received_bytes)}`),
    el("td", { class: "number" }, bytes(link.queued_bytes)),
    el("td", { class: "number" }, seconds(link.open_seconds)),
  );
}
