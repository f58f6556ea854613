// The graph by keyboard: arrows go from node to node, Enter leads to the details.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Listens on `container`. `current()` gives the id of the node that is looked at, `go(id)` looks at one, `enter()` leaves. */
export function walk(container, view, { current, home, go, enter }) {
  container.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = ARROWS[event.key];
    if (direction) go(nearest(view, current(), direction) ?? home());
    else if (event.key === "Home") go(home());
    else if (event.key === "Enter") enter();
    else if (event.key === "+" || event.key === "=") view.zoom(1.25);
    else if (event.key === "-") view.zoom(0.8);
    else return;
    event.preventDefault();
  });
}

/** The node that lies nearest in a direction: what is aside counts double. */
function nearest(view, id, [dx, dy]) {
  const from = id === null ? null : view.spot(id);
  if (!from) return null;
  let best = null;
  for (const node of view.cy.nodes()) {
    if (node.id() === id) continue;
    const spot = node.renderedPosition();
    const ahead = (spot.x - from.x) * dx + (spot.y - from.y) * dy;
    const aside = Math.abs((spot.x - from.x) * dy) + Math.abs((spot.y - from.y) * dx);
    if (ahead <= 1) continue;
    const cost = ahead + 2 * aside;
    if (!best || cost < best.cost) best = { id: node.id(), cost };
  }
  return best?.id ?? null;
}
