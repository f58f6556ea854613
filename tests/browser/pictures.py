#!/usr/bin/env python3
"""Pictures of the page with a devnet of many nodes, light and dark, as in docs/images. They are looked at, not compared.

    target/venv-browser/bin/python -B tests/browser/pictures.py target/release/sealnet --nodes 300 --into FOLDER

Hundreds of nodes in one program need a release build and a machine that has little else to do."""

import argparse
import os
import tempfile

from network import Devnet
from page import Page

SIZE = (1400, 860)
ARRIVED = "return [...document.querySelectorAll('.reach')].some((one) => one.textContent === `at ${arguments[0]} of ${arguments[0]}`)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("program")
    parser.add_argument("--nodes", type=int, default=300)
    parser.add_argument("--into", metavar="FOLDER", default=".")
    options = parser.parse_args()
    count = options.nodes
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.abspath(options.program)
        with Devnet(program, folder, "--nodes", str(count)) as devnet, Page(SIZE) as page:
            page.open(devnet.address)
            page.wait(f"{count} nodes", lambda: len((page.graph() or {"nodes": []})["nodes"]) == count)
            page.wait("a message that arrived at all", lambda: page.run(ARRIVED, count))
            page.click("#arrange")
            for scheme in ["light", "dark"]:
                page.media(prefers_color_scheme=scheme)
                taken = page.text("#message-list li")
                page.wait("the next message", lambda: page.text("#message-list li") != taken)
                # Half a second on its way.
                page.run_async("await new Promise((go) => setTimeout(go, 900))")
                page.picture(os.path.join(options.into, f"page-{count}-{scheme}.png"))
            if page.refused():
                raise SystemExit(f"the page's policy refused: {page.refused()}")
    print(f"two pictures of {count} nodes are in {options.into}")


if __name__ == "__main__":
    main()
