// Shortcuts. Single keys can be switched off, for those who speak to their computer or hit keys unawares (WCAG 2.1.4).

import { byId, el } from "./dom.js";
import { recall, remember } from "./remembered.js";

/** `shortcuts` are `{ key, words, run }`; they are listed in the help in this order. */
export function keys(shortcuts) {
  const dialog = byId("help");
  const enabled = byId("keys-enabled");
  enabled.checked = recall("keys") !== "off";
  enabled.addEventListener("change", () => remember("keys", enabled.checked ? "on" : "off"));
  const list = byId("shortcuts");
  const help = { key: "?", words: "This list", run: () => (dialog.open ? dialog.close() : dialog.showModal()) };
  const all = [...shortcuts, help];
  for (const { key, words } of all) list.append(el("dt", {}, el("kbd", {}, key)), el("dd", {}, words));
  byId("help-open").addEventListener("click", help.run);
  byId("help-close").addEventListener("click", () => dialog.close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key !== "Escape" && (!enabled.checked || isTyping(event.target) || dialog.open)) return;
    if (event.key === "Escape" && dialog.open) return;
    const shortcut = all.find((one) => one.key === event.key || (one.key === "Esc" && event.key === "Escape"));
    if (!shortcut) return;
    event.preventDefault();
    shortcut.run();
  });
}

function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
