"""The page in a browser: Debian's Chromium without a window, and what can be seen on the page. Every look waits for a
condition; none sleeps for a fixed time and hopes."""

import os
import shutil
import time

from selenium import webdriver
from selenium.common.exceptions import JavascriptException, NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

PATIENCE = 180  # seconds; reached only when something is broken
SIZE = (1440, 900)

# Runs before the page does: what its policy refused, and what nobody caught.
WATCH = """
globalThis.refused = [];
document.addEventListener("securitypolicyviolation", (event) => {
  refused.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
addEventListener("error", (event) => refused.push(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => refused.push(`unhandled: ${event.reason}`));
globalThis.alert = globalThis.confirm = globalThis.prompt = () => refused.push("a dialogue was opened");
"""

GRAPH = """
const cy = document.getElementById("graph")._cyreg?.cy;
if (!cy) return null;
return {
  nodes: cy.nodes().map((node) => ({ id: node.id(), classes: node.classes(), label: node.data("label"), at: node.position() })),
  links: cy.edges().filter((edge) => !edge.hasClass("unconfirmed"))
    .map((edge) => ({ id: edge.id(), classes: edge.classes(), ends: [edge.data("source"), edge.data("target")] })),
};
"""


def first_of(names, what):
    for name in names:
        if path := shutil.which(name):
            return path
    raise SystemExit(f"{what} is missing (looked for {', '.join(names)}); on Debian: apt-get install chromium chromium-driver")


class Page:
    """A browser with one page."""

    def __init__(self, size=SIZE):
        options = Options()
        options.binary_location = first_of(["chromium", "chromium-browser", "google-chrome"], "the browser")
        for argument in ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
                         "--disable-background-timer-throttling", f"--window-size={size[0]},{size[1]}"]:
            options.add_argument(argument)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # Chromium's sandbox does not work for root
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(first_of(["chromedriver"], "the browser's driver")))
        self.driver.set_script_timeout(PATIENCE)
        self.driver.set_page_load_timeout(PATIENCE)
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.cdp("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
        self.console = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def cdp(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def media(self, **features):
        """What the system wants: media(prefers_color_scheme="dark")."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.cdp("Emulation.setEmulatedMedia", features=wanted)

    def open(self, address):
        self.driver.get(address)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def run_async(self, script, *arguments):
        """A script that may wait; what it returns is what its promise gives."""
        wrapped = f"const done = arguments[arguments.length - 1]; (async (...given) => {{ {script} }})(...arguments).then(" \
                  "(value) => done({ value }), (error) => done({ error: String(error) }));"
        outcome = self.driver.execute_async_script(wrapped, *arguments)
        if "error" in outcome:
            raise AssertionError(f"{outcome['error']} in: {script}")
        return outcome.get("value")

    def wait(self, what, look, within=PATIENCE):
        """Looks until there is something to see, and gives it."""
        end = time.monotonic() + within
        while True:
            try:
                seen = look()
            except (JavascriptException, NoSuchElementException, StaleElementReferenceException):
                seen = None  # the page was just being changed
            if seen:
                return seen
            if time.monotonic() > end:
                raise AssertionError(f"not seen within {within} s: {what}\n{self.describe()}")
            time.sleep(0.05)

    def describe(self):
        """What there is instead, for whoever has to find out."""
        self.collect()
        text = self.run("return document.body.innerText") or ""
        return f"--- page\n{text[:3000]}\n--- console\n" + "\n".join(self.console[-20:]) + "\n--- refused\n" + str(self.refused())

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def count(self, selector):
        return self.run("return document.querySelectorAll(arguments[0]).length", selector)

    def click(self, selector):
        def click():
            self.driver.find_element("css selector", selector).click()
            return True

        # Details are drawn anew while news of them comes in.
        self.wait(f"{selector}, to click on it", click)

    def keys(self, selector, keys):
        self.driver.find_element("css selector", selector).send_keys(keys)

    def press(self, keys):
        """Keys go to whatever has the focus."""
        ActionChains(self.driver, duration=0).send_keys(keys).perform()

    def focused(self):
        return self.run("return document.activeElement.id || document.activeElement.tagName")

    def graph(self):
        return self.run(GRAPH)

    def refused(self):
        return self.run("return globalThis.refused ?? []")

    def collect(self):
        """Takes what the console has said since the last time."""
        new = [f"{entry['level']} {entry['message']}" for entry in self.driver.get_log("browser")]
        self.console += new
        return new

    def picture(self, path):
        self.driver.save_screenshot(path)
