// Where nodes stand. Pure: equal input, equal places. Who has a place keeps it: newcomers find theirs between the others,
// and all are arranged anew only when that is asked for. Forces after Fruchterman and Reingold (1991).

/** Up to this many nodes stand on a circle. */
const CIRCLE = 12;
const SPACING = 100;
/** Pairs looked at in one arrangement, at most: a thousand nodes take as long as three hundred. */
const WORK = 20_000_000;
const GOLDEN = Math.PI * (3 - Math.sqrt(5));

/** Arranges all nodes anew, in the order of `ids`. `links` are pairs `[a, b]`, `aspect` is width over height. Gives a Map of places. */
export function arrange(ids, links, aspect) {
  const n = ids.length;
  const stretch = Math.sqrt(Math.min(2, Math.max(0.6, aspect)));
  const places = new Map();
  if (n <= CIRCLE) {
    const radius = n < 2 ? 0 : (SPACING * 2) / Math.max(0.9, 2 * Math.sin(Math.PI / n));
    ids.forEach((id, i) => {
      const turn = (i / n) * 2 * Math.PI - Math.PI / 2;
      places.set(id, { x: Math.cos(turn) * radius * stretch, y: (Math.sin(turn) * radius) / stretch });
    });
    return places;
  }
  const points = ids.map((id, i) => spiral(i));
  relax(points, indexed(ids, links), points.map(() => true), 240);
  loosen(points);
  const extent = spread(points);
  const wished = SPACING * 0.62 * Math.sqrt(n);
  ids.forEach((id, i) => {
    const scale = wished / extent;
    places.set(id, { x: points[i].x * scale * stretch, y: (points[i].y * scale) / stretch });
  });
  return places;
}

/** Finds places for those of `ids` that have none in `before`. Nobody else moves. */
export function settle(ids, links, before) {
  const isNew = ids.map((id) => !before.has(id));
  if (!isNew.includes(true)) return new Map(ids.map((id) => [id, before.get(id)]));
  const known = ids.filter((id) => before.has(id)).map((id) => before.get(id));
  const centre = middle(known);
  const reach = Math.max(SPACING, ...known.map((p) => Math.hypot(p.x - centre.x, p.y - centre.y)));
  const neighbours = new Map(ids.map((id) => [id, []]));
  for (const [a, b] of links) {
    neighbours.get(a)?.push(b);
    neighbours.get(b)?.push(a);
  }
  const turns = known.map((p) => Math.atan2(p.y - centre.y, p.x - centre.x));
  const points = ids.map((id, i) => {
    if (!isNew[i]) return { ...before.get(id) };
    const near = neighbours.get(id).filter((other) => before.has(other)).map((other) => before.get(other));
    if (ids.length > CIRCLE && near.length > 0) {
      const between = middle(near);
      const turn = angleOf(id);
      return { x: between.x + Math.cos(turn) * SPACING * 0.4, y: between.y + Math.sin(turn) * SPACING * 0.4 };
    }
    const turn = widestGap(turns);
    turns.push(turn);
    return { x: centre.x + Math.cos(turn) * reach, y: centre.y + Math.sin(turn) * reach };
  });
  if (ids.length > CIRCLE) relax(points, indexed(ids, links), isNew, 60);
  return new Map(ids.map((id, i) => [id, points[i]]));
}

function indexed(ids, links) {
  const index = new Map(ids.map((id, i) => [id, i]));
  return links.map(([a, b]) => [index.get(a), index.get(b)]).filter(([a, b]) => a !== undefined && b !== undefined);
}

/** Moves those that may move: apart from all, towards those they are linked with. */
function relax(points, links, mayMove, rounds) {
  const n = points.length;
  const movers = points.map((_, i) => i).filter((i) => mayMove[i]);
  const most = Math.max(20, Math.min(rounds, Math.floor(WORK / (movers.length * n + 1))));
  const pull = 2 / Math.max(2, (2 * links.length) / n);
  for (let round = 0; round < most; round += 1) {
    const heat = SPACING * 0.6 * (1 - round / most) + 0.5;
    const push = points.map(() => ({ x: 0, y: 0 }));
    for (const i of movers) {
      for (let j = 0; j < n; j += 1) {
        if (i === j) continue;
        let dx = points[i].x - points[j].x;
        let dy = points[i].y - points[j].y;
        const far = dx * dx + dy * dy;
        if (far < 0.01) {
          dx = Math.cos(i) * 0.1;
          dy = Math.sin(i) * 0.1;
        }
        const force = (SPACING * SPACING) / Math.max(far, 1);
        push[i].x += dx * force;
        push[i].y += dy * force;
      }
      // Towards the middle, so that parts of a network that is cut in two stay in sight.
      push[i].x -= points[i].x * 0.6;
      push[i].y -= points[i].y * 0.6;
    }
    for (const [a, b] of links) {
      const dx = points[a].x - points[b].x;
      const dy = points[a].y - points[b].y;
      const force = (Math.hypot(dx, dy) / SPACING) * pull;
      push[a].x -= dx * force;
      push[a].y -= dy * force;
      push[b].x += dx * force;
      push[b].y += dy * force;
    }
    for (const i of movers) {
      const length = Math.hypot(push[i].x, push[i].y) || 1;
      const step = Math.min(length, heat) / length;
      points[i].x += push[i].x * step;
      points[i].y += push[i].y * step;
    }
  }
}

/** Pushes apart what came to lie on one another, so that every node can be told from its neighbours. */
function loosen(points) {
  const n = points.length;
  const least = (0.8 * spread(points)) / Math.sqrt(n);
  const rounds = Math.min(60, Math.floor(WORK / (n * n)));
  for (let round = 0; round < rounds; round += 1) {
    for (let i = 0; i < n; i += 1) {
      for (let j = i + 1; j < n; j += 1) {
        const dx = points[j].x - points[i].x;
        const dy = points[j].y - points[i].y;
        const apart = Math.hypot(dx, dy) || 0.01;
        if (apart >= least) continue;
        const shift = (least - apart) / 2 / apart;
        points[i].x -= dx * shift;
        points[i].y -= dy * shift;
        points[j].x += dx * shift;
        points[j].y += dy * shift;
      }
    }
  }
}

function spiral(i) {
  const radius = SPACING * 0.7 * Math.sqrt(i + 0.5);
  return { x: Math.cos(i * GOLDEN) * radius, y: Math.sin(i * GOLDEN) * radius };
}

function spread(points) {
  const centre = middle(points);
  for (const point of points) {
    point.x -= centre.x;
    point.y -= centre.y;
  }
  const far = points.map((p) => Math.hypot(p.x, p.y)).sort((a, b) => a - b);
  return far[Math.floor(far.length * 0.95)] || 1;
}

function middle(points) {
  if (points.length === 0) return { x: 0, y: 0 };
  const sum = points.reduce((s, p) => ({ x: s.x + p.x, y: s.y + p.y }), { x: 0, y: 0 });
  return { x: sum.x / points.length, y: sum.y / points.length };
}

function angleOf(id) {
  return ((Number.parseInt(id.slice(8, 14), 16) || 0) / 0xffffff) * 2 * Math.PI;
}

function widestGap(turns) {
  if (turns.length === 0) return -Math.PI / 2;
  const sorted = [...turns].sort((a, b) => a - b);
  let best = { gap: -1, turn: 0 };
  sorted.forEach((turn, i) => {
    const next = i + 1 < sorted.length ? sorted[i + 1] : sorted[0] + 2 * Math.PI;
    if (next - turn > best.gap) best = { gap: next - turn, turn: turn + (next - turn) / 2 };
  });
  return best.turn;
}
