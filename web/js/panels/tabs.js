// Tabs after the ARIA authoring practices: one stop in the tab order, arrows move between them.

/** Makes `list` (role tablist) work; gives a function that opens a tab by the id of its panel. */
export function tabs(list) {
  const all = [...list.querySelectorAll('[role="tab"]')];
  const panel = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
  const open = (chosen, focus = false) => {
    for (const tab of all) {
      const isOpen = tab === chosen;
      tab.setAttribute("aria-selected", String(isOpen));
      tab.tabIndex = isOpen ? 0 : -1;
      panel(tab).hidden = !isOpen;
    }
    if (focus) chosen.focus();
    list.dispatchEvent(new CustomEvent("opened", { detail: chosen.getAttribute("aria-controls") }));
  };
  for (const tab of all) tab.addEventListener("click", () => open(tab));
  list.addEventListener("keydown", (event) => {
    const at = all.indexOf(document.activeElement);
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 };
    if (at < 0 || !(event.key in steps)) return;
    event.preventDefault();
    open(all[(steps[event.key] + all.length) % all.length], true);
  });
  return (id, focus = false) => {
    const tab = all.find((one) => one.getAttribute("aria-controls") === id);
    if (tab) open(tab, focus);
  };
}
