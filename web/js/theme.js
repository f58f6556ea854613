// Light, dark, or as the system has it.

import { byId, setText } from "./dom.js";
import { recall, remember } from "./remembered.js";

const ORDER = ["auto", "light", "dark"];
const WORDS = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };

/** Makes the button work; `changed()` is called whenever colours may be others. Gives a function that takes the next theme. */
export function theme(changed) {
  const button = byId("theme");
  const remembered = recall("theme");
  let now = ORDER.includes(remembered) ? remembered : "auto";
  const apply = () => {
    document.documentElement.dataset.theme = now;
    setText(button, WORDS[now]);
    changed();
  };
  const next = () => {
    now = ORDER[(ORDER.indexOf(now) + 1) % ORDER.length];
    remember("theme", now);
    apply();
  };
  button.addEventListener("click", next);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  apply();
  return next;
}
