// What is known of the node, link or message that is looked at.

import { byId, el, setText } from "../dom.js";
import { linkDetail } from "./detail-link.js";
import { messageDetail } from "./detail-message.js";
import { nodeDetail } from "./detail-node.js";

/** Keeps the panel equal to what is looked at. `act` holds what the buttons in it do. */
export function detailPanel(store, api, act) {
  const panel = byId("detail");
  const heading = byId("detail-heading");
  const body = byId("detail-body");
  let stamp = "";
  const render = () => {
    const shown = content(store);
    panel.hidden = shown === null;
    if (shown === null) {
      stamp = "";
      body.replaceChildren();
      return;
    }
    // What has not changed stays: a selection in the JSON and the focus on a button with it.
    const now = `${store.selection.kind} ${store.selection.id} ${shown.stamp}`;
    if (now === stamp) return;
    const isOther = !stamp.startsWith(`${store.selection.kind} ${store.selection.id} `);
    stamp = now;
    setText(heading, shown.heading);
    const at = isOther ? 0 : body.scrollTop;
    const open = !isOther && body.querySelector("details")?.open === true;
    const focus = body.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    body.replaceChildren(...shown.build(store, api, act));
    if (open) body.querySelector("details").open = true;
    body.scrollTop = at;
    if (focus) body.querySelector(`[data-act="${focus}"]`)?.focus({ preventScroll: true });
  };
  byId("detail-close").addEventListener("click", () => act.close());
  store.on(["selection", "network", "links", "messages"], render);
}

function content(store) {
  if (store.selection === null) return null;
  const of = { node: nodeDetail, link: linkDetail, message: messageDetail }[store.selection.kind];
  return (
    of(store, store.selection.id) ?? {
      heading: "No longer known",
      stamp: "gone",
      build: () => [el("p", { class: "quiet" }, "The node does not know of it any more.")],
    }
  );
}
