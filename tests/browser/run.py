#!/usr/bin/env python3
"""The page that a node serves, in a real browser, against a real network of five processes.

    python3 -B tests/browser/run.py target/release/sealnet

Exit status 0 says that all of it held. Needs Chromium with its driver and the packages of requirements.txt; .ci/page brings
them. `--pictures FOLDER` takes pictures in light and dark on the way."""

import argparse
import json
import os
import signal
import sys
import tempfile
import time

from selenium.webdriver.common.keys import Keys

from network import Devnet
from page import Page

NODES = 5
LINKS = NODES * (NODES - 1) // 2

# Text as an enemy writes it: markup, a reversed direction, characters without width, a stack of accents.
HOSTILE = {
    "title": "pay\u202egnp.exe\u202c <img src=x onerror=alert(1)>",
    "message": "<script>alert(1)</script><svg onload=alert(2)>\u202e drawkcab\u2066\u200b\u200b\u200b\u00ad Z" + "\u0301" * 40
               + "\u0007\x1b[31m\n\"'&lt; \U000e0041 \u05e9\u05dc\u05d5\u05dd",
}
HIDDEN = "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff\\u{e0000}-\\u{e007f}]"


class Checks:
    def __init__(self, devnet, page, pictures):
        self.devnet, self.page, self.pictures = devnet, page, pictures
        self.held = 0

    def holds(self, fact, what):
        if not fact:
            raise AssertionError(f"does not hold: {what}\n{self.page.describe()}")
        self.held += 1
        print(f"  ok  {what}", flush=True)

    def seen(self, what, look):
        value = self.page.wait(what, look)
        self.held += 1
        print(f"  ok  {what}", flush=True)
        return value

    def picture(self, name):
        if self.pictures is None:
            return
        for scheme in ["light", "dark"]:
            self.page.media(prefers_color_scheme=scheme)
            self.page.wait("the colours changed", lambda: self.page.run(
                "return matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark"))
            self.page.run_async("await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
            self.page.picture(os.path.join(self.pictures, f"{name}-{scheme}.png"))
        self.page.media(prefers_color_scheme="light")

    def is_quiet(self):
        self.page.collect()
        bad = [line for line in self.page.console if not line.startswith(("DEBUG", "INFO"))]
        self.holds(bad == [], f"nothing on the console is amiss {bad or ''}")
        refused = self.page.refused()
        self.holds(refused == [], f"the page's policy had nothing to refuse {refused or ''}")


def token_of(address):
    return address.split("#token=")[1]


def five_nodes(t):
    t.page.open(t.devnet.address)
    t.seen("the page says that it is live", lambda: t.page.text("#line") == "live")
    t.holds("#" not in t.page.driver.current_url, "the token has left the address bar")
    t.holds(token_of(t.devnet.address) not in t.page.run("return document.documentElement.outerHTML"), "nor does it stand in the page")
    t.seen(f"{NODES} nodes in the graph", lambda: len((t.page.graph() or {"nodes": []})["nodes"]) == NODES)
    t.seen(f"their {LINKS} links", lambda: len(t.page.graph()["links"]) == LINKS)
    t.seen("one is the genesis node", lambda: sum("genesis" in node["classes"] for node in t.page.graph()["nodes"]) == 1)
    t.seen("one is the viewer's own", lambda: sum("self" in node["classes"] for node in t.page.graph()["nodes"]) == 1)
    t.seen("who opened which link", lambda: all("directed" in link["classes"] for link in t.page.graph()["links"]))
    ids = {control.id for control in t.devnet.controls().values()}
    t.holds({node["id"] for node in t.page.graph()["nodes"]} == ids, "they are the nodes that were started")
    t.holds(t.page.count("#member-rows tr") == NODES, "the table of members says the same")
    t.seen("figures", lambda: t.page.text("#tile-members") == str(NODES) and t.page.text("#tile-links") == str(NODES - 1))
    t.seen("that hops are known of all", lambda: t.page.text("#scope") == f"Hops are known of all {NODES} nodes.")


def stays_put(t):
    before = {node["id"]: node["at"] for node in t.page.graph()["nodes"]}
    t.page.run("document.getElementById('panel-links')")
    uptime = t.page.text("#up")
    t.page.wait("time has passed", lambda: t.page.text("#up") != uptime)
    t.holds({node["id"]: node["at"] for node in t.page.graph()["nodes"]} == before, "no node of the graph moves by itself")


def publishes(t):
    text = "seen by all, é ✓"
    t.page.keys("#publish-text", text)
    t.page.click("#publish-button")
    t.seen("the receipt", lambda: t.page.text("#publish-result").startswith("Published "))
    row = "return [...document.querySelectorAll('.message')].find((one) => one.textContent.includes(arguments[0]))"
    t.seen("the message in the list", lambda: t.page.run(row + " !== undefined", text))
    t.seen("that it arrived at all nodes", lambda: f"at {NODES} of {NODES}" in t.page.run(row + ".textContent", text))
    t.page.run(row + ".click()", text)
    t.seen("its details", lambda: t.page.text("#detail-body .said") == text)
    t.seen("its signature checked in the browser", lambda: t.page.count("#detail [data-check='good']") == 1)
    t.seen("its way, node by node", lambda: t.page.count("#detail .way tbody tr") == NODES)
    t.holds(t.page.text("#detail .way tbody").count("sent it") == 1, "one of them sent it, the others have it from a neighbour")
    t.page.click("#detail summary")
    raw = json.loads(t.page.text("#detail .raw"))
    t.holds(raw["message"] == text and len(raw["signature"]) == 128, "the raw JSON is the envelope")
    t.page.click("[data-act='replay']")
    t.picture("five")
    t.page.press(Keys.ESCAPE)
    t.seen("Escape closes the details", lambda: not t.page.run("return document.getElementById('detail').offsetParent"))


def hostile(t):
    other = next(control for control in t.devnet.controls().values() if control.id != t.devnet.viewer().id)
    said = other.ask("/v1/publish", HOSTILE)
    button = f".message[data-message='{said['id']}']"
    t.seen("a hostile message in the list", lambda: t.page.count(f"{button} .mark") > 0)
    t.page.run("document.querySelector(arguments[0]).click()", button)
    t.seen("its details", lambda: t.page.count("#detail-body .said .mark") > 0)
    t.page.click("#detail summary")
    for selector, place in [(button, "the list"), ("#detail", "the details")]:
        t.holds(t.page.count(f"{selector} :is(script, img, iframe, [onload], [onerror])") == 0, f"no markup of it in {place}")
        hidden = t.page.run(f"return document.querySelector(arguments[0]).textContent.match(/{HIDDEN}/gu)", selector)
        t.holds(not hidden, f"no character hides in {place} {hidden or ''}")
    shown = t.page.text("#detail-body .said")
    t.holds("U+202E" in shown and "U+200B ×3" in shown and "combining ×37" in shown, "what would hide stands as marks")
    t.holds("<script>alert(1)</script>" in shown and "\u05e9\u05dc\u05d5\u05dd" in shown, "and all else as it was written")
    raw = json.loads(t.page.text("#detail .raw"))
    t.holds({key: raw[key] for key in HOSTILE} == HOSTILE, "the raw JSON still says exactly the same")
    t.seen("its signature checked", lambda: t.page.count("#detail [data-check='good']") == 1)
    t.page.click("#detail-close")


def text_by_the_table(t):
    cases = {
        "plain": "plain", "\u202eabc": "‹U+202E›abc", "a\u0000b": "‹U+0000›".join("ab"), "\ufeff\u2066": "‹U+FEFF›‹U+2066›",
        "\u200b" * 5: "‹U+200B ×5›", "e\u0301": "e\u0301", "\U0001f469\u200d\U0001f4bb": "\U0001f469\u200d\U0001f4bb",
        "\u2764\ufe0f": "\u2764\ufe0f", "a\u200db": "a‹U+200D›b", "\u3164": "‹U+3164›", "a\nb": "a‹U+000A›b", "\U000e0041": "‹U+E0041›",
    }
    for given, expected in cases.items():
        got = t.page.run_async("return (await import('/assets/js/text.js')).plain(given[0])", given)
        if got != expected:
            raise AssertionError(f"{given!r} is shown as {got!r}, not as {expected!r}")
    t.holds(True, f"{len(cases)} texts are shown as they should be")
    stream = "\ufeff: hello\r\nid: 7\r\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\nid\r\ndata: x\r\n\r\nevent: lost\r\n\r\n"
    for size in [1, 2, 3, 1000]:
        got = t.page.run_async("""
            const { EventParser } = await import("/assets/js/sse.js");
            const out = [];
            const parser = new EventParser((event) => out.push([event.event, event.data, event.id]));
            for (let at = 0; at < given[0].length; at += given[1]) parser.push(given[0].slice(at, at + given[1]));
            return out;""", stream, size)
        if got != [["a", "1\n2", "7"], ["message", "x", ""]]:
            raise AssertionError(f"cut into pieces of {size}, the stream is read as {got}")
    t.holds(True, "a stream of events is read the same however it is cut")


def by_keyboard(t):
    page = t.page
    page.run("document.querySelector('.skip').focus()")
    reached = []
    for _ in range(40):
        page.press(Keys.TAB)
        at = page.focused()
        if at == "BODY":
            break
        reached.append(at)
    parts = ["theme", "help-open", "travel-enabled", "fit", "arrange", "graph", "tab-messages", "message-filter",
             "publish-title", "publish-lifetime", "publish-text", "publish-button"]
    missed = [part for part in parts if part not in reached]
    t.holds(missed == [], f"Tab reaches everything, a list at one stroke {missed or ''}")
    page.run("document.querySelector('#message-list button').focus()")
    first = page.run("return document.activeElement.dataset.message")
    page.press(Keys.ARROW_DOWN)
    t.holds(page.run("return document.activeElement.dataset.message") not in [first, None], "arrows go from message to message")
    ring = "const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2"
    page.run("document.getElementById('theme').focus()")
    page.press(Keys.TAB)
    t.holds(page.run(ring), "the focus can be seen")
    page.run("document.activeElement.blur()")
    page.press("g")
    t.seen("g leads to the graph", lambda: page.focused() == "graph")
    page.press(Keys.HOME)
    t.seen("Home chooses this node", lambda: page.text("#detail-heading").startswith("Node "))
    home = page.text("#detail-heading")
    went = False
    for arrow in [Keys.ARROW_LEFT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_UP]:
        page.press(arrow)
        page.run_async("await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
        went = went or page.text("#detail-heading") != home
    t.holds(went, "arrows go to other nodes")
    t.holds(page.text("#say").startswith("Node ") and " link" in page.text("#say"), "and say what they come to")
    page.press(Keys.ENTER)
    t.seen("Enter leads to the details", lambda: page.focused() == "detail-heading")
    page.press(Keys.ESCAPE)
    t.seen("Escape leads back to the graph", lambda: page.focused() == "graph")
    page.press("n")
    t.seen("n opens the members", lambda: page.run("return !document.getElementById('panel-members').hidden"))
    page.press(Keys.ARROW_RIGHT)
    t.seen("arrows go from tab to tab", lambda: page.run("return !document.getElementById('panel-links').hidden"))
    t.seen("this node's links are listed", lambda: page.count("#link-rows tr") == NODES - 1)
    page.press("?")
    t.seen("? lists the shortcuts", lambda: page.run("return document.getElementById('help').open"))
    page.press(Keys.ESCAPE)
    t.seen("Escape closes them", lambda: not page.run("return document.getElementById('help').open"))
    page.press("m")


LUMINANCE = """
const luminance = (color) => {
  const [r, g, b] = color.match(/[\\d.]+/g).map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const { color } = await import("/assets/js/graph/style.js");
const contrast = (a, b) => {
  const [x, y] = [luminance(color(a)), luminance(color(b))].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
};
const names = [...Array(10).keys()].map((n) => `--id-${n}`);
const low = [];
for (const ground of ["--graph", "--panel"]) for (const name of names) if (contrast(name, ground) < 3) low.push([name, ground, contrast(name, ground)]);
for (const [text, ground] of [["--text", "--ground"], ["--text", "--panel"], ["--quiet", "--panel"], ["--quiet", "--raised"],
  ["--quiet", "--ground"], ["--good", "--panel"], ["--alarm", "--panel"], ["--warn", "--warn-ground"], ["--on-accent", "--accent"],
  ["--text", "--tint"], ["--quiet", "--tint"], ["--text", "--alarm-ground"], ["--good", "--tint"]]) {
  if (contrast(text, ground) < 4.5) low.push([text, ground, contrast(text, ground)]);
}
if (contrast("--alarm", "--graph") < 3) low.push(["--alarm", "--graph"]);
return low;
"""


def colours(t):
    for scheme in ["light", "dark"]:
        t.page.media(prefers_color_scheme=scheme)
        low = t.page.run_async(LUMINANCE)
        t.holds(low == [], f"contrasts suffice in {scheme} {low or ''}")
    t.page.media(prefers_color_scheme="light")
    ground = "return getComputedStyle(document.documentElement).backgroundColor"
    light = t.page.run(ground)
    t.page.click("#theme")
    t.page.click("#theme")
    t.seen("the button makes it dark", lambda: "dark" in t.page.text("#theme") and t.page.run(ground) != light)
    t.page.driver.refresh()
    t.seen("after reloading it is still live", lambda: t.page.text("#line") == "live")
    t.holds("dark" in t.page.text("#theme"), "and still dark")
    t.page.click("#theme")
    t.seen("the nodes are there again", lambda: len((t.page.graph() or {"nodes": []})["nodes"]) == NODES)
    t.page.media(prefers_reduced_motion="reduce")
    t.page.click("#arrange")
    t.holds(not t.page.run("return document.getElementById('graph')._cyreg.cy.nodes().some((n) => n.animated())"),
            "who wants no motion gets none")
    t.page.media(prefers_color_scheme="light")


def one_is_killed(t):
    viewer = t.devnet.viewer()
    victim = next(control for control in t.devnet.controls().values() if control.id != viewer.id)
    os.kill(victim.pid, signal.SIGKILL)

    def has_gone():
        graph = t.page.graph()
        node = next((node for node in graph["nodes"] if node["id"] == victim.id), None)
        linked = any(victim.id in link["ends"] for link in graph["links"])
        return not linked and (node is None or {"adrift", "unreachable", "gone"} & set(node["classes"]))

    t.seen("a killed node loses its links in the graph, and is marked", has_gone)
    row = "return document.querySelector(`#member-rows [data-node='${arguments[0]}']`)?.closest('tr').textContent ?? 'gone'"
    t.seen("the table says so in words", lambda: any(
        word in t.page.run(row, victim.id) for word in ["no links", "unreachable", "gone"]))
    left = (NODES - 1) * (NODES - 2) // 2
    t.seen(f"the other nodes keep their {left} links", lambda: len(t.page.graph()["links"]) == left)
    t.seen("the events tell of it", lambda: "closed" in t.page.text("#event-list"))
    t.picture("killed")


def wrong_token(t):
    with Page() as other:
        other.open(t.devnet.address.split("#")[0] + "#token=" + "0" * 64)
        other.wait("the page says that the token is refused", lambda: "does not accept this page's token" in other.text("#banner"))
        t.holds(other.count("#message-list li") == 0, "with a wrong token the page says so, and shows nothing")


def of_its_own_hops(t):
    viewer = t.devnet.viewer()
    other = next(control for control in t.devnet.controls().values() if control.id != viewer.id)
    with Page() as page:
        page.open(f"{other.address}/#token={other.token}")
        page.wait("all nodes", lambda: len((page.graph() or {"nodes": []})["nodes"]) == NODES)
        page.wait("messages", lambda: page.count("#message-list .good") > 0)
        t.holds("only as far as this node knows" in page.text("#scope"), "a node that follows no others says that it knows its own hops only")
        t.holds(page.count("#message-list .reach") == 0, "and does not claim to know how far a message came")
        t.holds(page.refused() == [], "its policy had nothing to refuse either")


def sleeps_and_wakes(t):
    viewer = t.devnet.viewer()
    os.kill(viewer.pid, signal.SIGSTOP)
    try:
        t.seen("that a node that hangs does not answer", lambda: "does not answer since" in t.page.text("#banner-head"))
    finally:
        os.kill(viewer.pid, signal.SIGCONT)
    t.seen("that it is there again, by itself", lambda: t.page.text("#line") == "live" and t.page.run(
        "return document.getElementById('banner').hidden"))
    taken = t.page.text("#tile-verifications-more")
    t.seen("the figures go on", lambda: t.page.text("#tile-verifications-more") != taken)
    t.seen("all links are there again", lambda: len(t.page.graph()["links"]) == LINKS)


def own_node_stops(t):
    t.devnet.viewer().ask("/v1/stop", {})
    t.seen("that the node does not answer, and since when", lambda: "does not answer since" in t.page.text("#banner-head"))
    t.holds(t.page.text("#line") == "unreachable", "the line says so too")
    t.holds("had said that it was stopping" in t.page.text("#banner-body"), "and that it had said good-bye")
    t.holds("does not answer since" in t.page.text("#say-now"), "and it is said to who cannot see it")
    t.picture("unreachable")
    t.page.keys("#publish-text", "into the void")
    t.page.click("#publish-button")
    t.seen("that nothing was published", lambda: t.page.text("#publish-result") == "Not published: the node does not answer.")
    t.holds(t.page.run("return document.getElementById('publish-text').value") == "into the void", "and the text is kept")
    t.page.collect()
    bad = [line for line in t.page.console if "net::ERR_" not in line and not line.startswith(("DEBUG", "INFO"))]
    t.holds(bad == [] and t.page.refused() == [], f"the console tells of nothing but the node's silence {bad or ''}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("program")
    parser.add_argument("--pictures", metavar="FOLDER")
    options = parser.parse_args()
    began = time.monotonic()
    if options.pictures:
        os.makedirs(options.pictures, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        with Devnet(os.path.abspath(options.program), folder, "--processes", "--nodes", str(NODES)) as devnet, Page() as page:
            t = Checks(devnet, page, options.pictures)
            page.media(prefers_color_scheme="light")
            for part in [five_nodes, stays_put, publishes, hostile, text_by_the_table, by_keyboard, colours]:
                print(part.__name__.replace("_", " "), flush=True)
                part(t)
            t.is_quiet()
            for part in [wrong_token, of_its_own_hops, sleeps_and_wakes, one_is_killed]:
                print(part.__name__.replace("_", " "), flush=True)
                part(t)
            t.is_quiet()
            print("own node stops", flush=True)
            own_node_stops(t)
    print(f"{t.held} things held in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssertionError as error:
        print(f"tests/browser: {error}", file=sys.stderr)
        sys.exit(1)
