// Long lists are one stop in the tab order; within, arrows go from row to row.

/** Makes `list` such a list of buttons; gives a function to call after its rows have changed. */
export function rove(list) {
  const items = () => [...list.querySelectorAll("button")];
  const settle = () => {
    const all = items();
    const stop = all.find((item) => item === document.activeElement) ?? all.find((item) => item.tabIndex === 0) ?? all[0];
    for (const item of all) item.tabIndex = item === stop ? 0 : -1;
  };
  list.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
    if (at < 0 || !(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = all[Math.max(0, Math.min(all.length - 1, steps[event.key]))];
    for (const item of all) item.tabIndex = item === next ? 0 : -1;
    next.focus();
  });
  list.addEventListener("focusin", settle);
  return settle;
}
