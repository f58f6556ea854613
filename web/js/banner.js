// Whether what is shown is true now. Where it is not, the page says so in words, and since when.

import { byId, setText } from "./dom.js";
import { plain } from "./text.js";
import { alarm, say } from "./say.js";
import { clock, seconds } from "./words.js";

/** Keeps the line's state on the page equal to the store. */
export function banner(store) {
  const element = byId("banner");
  const pill = byId("line");
  let before = "connecting";
  const render = () => {
    const { name, since, why } = store.line;
    document.documentElement.dataset.line = name;
    const trouble = store.status?.log?.trouble ?? null;
    element.hidden = name === "live" ? !store.stopping && trouble === null : name === "connecting";
    setText(pill, { live: "live", connecting: "connecting …", unreachable: "unreachable", refused: "refused" }[name]);
    if (name === "unreachable") {
      const age = seconds((Date.now() - since) / 1000);
      const bye = store.stopping ? "It had said that it was stopping. " : "";
      setText(byId("banner-head"), `The node does not answer since ${clock(since)} (${age}).`);
      setText(byId("banner-body"), `${bye}${why ? `${why}. ` : ""}What you see below is what was known then. Trying again …`);
    } else if (name === "refused") {
      setText(byId("banner-head"), "The node does not accept this page's token.");
      setText(byId("banner-body"), `${refusedInWords(why)} Each start makes a new token: open the address that the node printed, with all that is behind the #.`);
    } else if (store.stopping) {
      setText(byId("banner-head"), "The node is stopping.");
      setText(byId("banner-body"), "It was asked to.");
    } else if (trouble !== null) {
      setText(byId("banner-head"), "The node's log takes nothing.");
      setText(byId("banner-body"), `${plain(trouble, 300)}. What others say is relayed; nothing can be published here.`);
    } else {
      setText(byId("banner-head"), "");
      setText(byId("banner-body"), "");
    }
    if (name !== before) {
      if (name === "unreachable" || name === "refused") alarm(byId("banner-head").textContent);
      else if (name === "live" && before !== "connecting") say("The node answers again.");
      before = name;
    }
  };
  store.on(["line", "status"], render);
  setInterval(() => store.line.name === "unreachable" && render(), 1000);
  render();
}

function refusedInWords(why) {
  return why ? `It says: ${why}.` : "";
}
