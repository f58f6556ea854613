// The figures on top, each with the last minute as a small chart.

import { byId, setText, svg } from "../dom.js";
import { SECONDS } from "../rates.js";
import { bytes, count, number, rate, seconds } from "../words.js";
import { unusual } from "./drops.js";

const WIDTH = 120;
const HEIGHT = 28;

/** Keeps the figures equal to the store. */
export function tiles(store) {
  const charts = {
    messages: chart(byId("chart-messages"), ["messages"]),
    traffic: chart(byId("chart-traffic"), ["received", "sent"]),
    verifications: chart(byId("chart-verifications"), ["verifications"]),
  };
  const render = () => {
    const { status, rates, network } = store;
    if (!status) return;
    const present = network.present();
    const others = network.nodes.size - present;
    const adrift = [...network.nodes.values()].filter((node) => node.adrift).length;
    setText(byId("tile-members"), number(present || status.members));
    setText(byId("tile-members-more"), adrift > 0 ? `${adrift} without links` : others > 0 ? `${others} more not present` : partsInWords(network));
    setText(byId("tile-links"), number(status.links));
    setText(byId("tile-links-more"), network.degrees ? `${range(network.degrees)} a node` : "");
    setText(byId("tile-messages"), `${rate(rates.latest("messages"))}/s`);
    setText(byId("tile-messages-more"), `${number(status.log?.messages)} kept, ${bytes(status.log?.bytes)}`);
    setText(byId("tile-traffic"), `${bytes(rates.latest("received") + rates.latest("sent"))}/s`);
    setText(byId("tile-traffic-more"), `${bytes(rates.latest("received"))} in, ${bytes(rates.latest("sent"))} out`);
    setText(byId("tile-verifications"), `${rate(rates.latest("verifications"))}/s`);
    setText(byId("tile-verifications-more"), `${number(status.verifications)} since the start`);
    const bad = unusual(status.drops);
    const all = Object.values(status.drops ?? {}).reduce((sum, n) => sum + n, 0);
    setText(byId("tile-drops"), number(bad));
    setText(byId("tile-drops-more"), `and ${number(all - bad)} as usual`);
    byId("tile-drops").classList.toggle("warning", bad > 0);
    setText(byId("up"), `up ${seconds(status.up_seconds)}`);
    for (const draw of Object.values(charts)) draw(rates);
  };
  store.on(["status", "network"], render);
}

function range({ min, max }) {
  return min === max ? String(min) : `${min}–${max}`;
}

function partsInWords(network) {
  const parts = network.parts.length;
  if (parts > 1) return `in ${parts} parts that do not reach each other`;
  return network.diameter ? `at most ${count(network.diameter, "hop")} apart` : "";
}

/** A function that draws these series into `element`, on one scale. */
function chart(element, names) {
  const lines = names.map((name, n) => svg("path", { class: `series series-${n}` }));
  element.append(...lines);
  element.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  element.setAttribute("preserveAspectRatio", "none");
  return (rates) => {
    const most = Math.max(1e-9, ...names.flatMap((name) => rates.series[name]));
    names.forEach((name, n) => lines[n].setAttribute("d", path(rates.series[name], most, n === 0)));
  };
}

/** The line of a series; the first of a chart is filled down to the ground. */
function path(values, most, isFilled) {
  if (values.length < 2) return "";
  const x = (i) => WIDTH - ((values.length - 1 - i) / (SECONDS - 1)) * WIDTH;
  const y = (value) => HEIGHT - 2 - (value / most) * (HEIGHT - 5);
  const line = values.map((value, i) => `${i === 0 ? "M" : "L"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  return isFilled ? `${line}L${WIDTH} ${HEIGHT}L${x(0).toFixed(1)} ${HEIGHT}Z` : line;
}
