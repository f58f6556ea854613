#!/usr/bin/env python3
"""A network of processes that are killed, started again, started anew and cut off, and misses nothing.

    python3 -B tests/chaos/run.py target/release/sealnet [--nodes 12] [--minutes 5] [--seed N] [--rate 20] [--json]

At the end every living node has every message that any node acknowledged, each once: seen from what the nodes print, and
once more from their logs, each read by a process that is alone. Exit status 0 says so. Needs Linux with network namespaces
(root, or user namespaces); says NOT RUN where there are none. See README.md beside it."""

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time

import wires
from ledger import Ledger
from node import Node

COMPLETE_WITHIN = 120  # seconds after everything is healed
READ_WITHIN = 60  # seconds for a log that is read by a process alone
SETTLE = 3  # seconds in which something could still come twice

# What may happen to one node, and how often in proportion.
KINDS = {"kill": 6, "kill alone": 4, "anew": 4, "stop": 4, "unplug": 6, "isolate": 6}


def plan(seed, seconds, nodes):
    """What happens when, to whom and for how long. From the seed alone."""
    chance, at, result = random.Random(seed), 3.0, []
    while (at := at + chance.uniform(0.5, 3.5) * 12 / nodes) < seconds - 5:
        kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
        # Some are back before anybody has noticed, some only after they were given up.
        result.append((at, kind, chance.randrange(nodes), chance.choice([0.1, 1, 4, 15]) * chance.uniform(0.5, 1.5)))
    for cut in range(max(1, int(seconds / 75))):
        half = chance.sample(range(nodes), nodes // 2)
        result.append((seconds * (cut + 0.4) / max(1, int(seconds / 75)), "halves", half, chance.uniform(5, 25)))
    return sorted(result, key=lambda event: event[0])


class Chaos:
    def __init__(self, options, folder):
        self.options, self.ledger = options, Ledger()
        self.wires = wires.Wires(options.nodes)
        self.nodes = [Node(options.program, folder, place, self.wires, self.ledger) for place in range(options.nodes)]
        for node in self.nodes:
            node.configure(self.nodes)
        self.halves = None
        self.began = time.monotonic()
        self.tasks = []

    def say(self, what):
        print(f"{time.monotonic() - self.began:6.1f} s  {what}", file=sys.stderr, flush=True)

    # ---- What happens ----

    async def happen(self, kind, victim, duration):
        if kind == "halves":
            return await self.halve(victim, duration)
        node = self.nodes[victim]
        if node.is_busy or not node.is_alive or sum(other.is_busy for other in self.nodes) > len(self.nodes) // 2:
            return self.ledger.count("skipped")
        node.is_busy = True
        try:
            await getattr(self, kind.replace(" ", "_"))(node, duration)
        finally:
            node.is_busy = False

    async def kill(self, node, duration):
        self.ledger.count("kills")
        await node.kill()
        await asyncio.sleep(duration)
        await self.again(node)

    async def again(self, node):
        self.ledger.count("restarts")
        await node.start()

    async def kill_alone(self, node, duration):
        """Killed and started again where nobody can help it: what it has shown and acknowledged is in its own log."""
        self.ledger.count("kills")
        self.ledger.count("cuts")
        await node.kill()
        self.wires.isolate(node.place)
        node.is_cut = True
        await self.again(node)
        await self.reads_its_log(node)
        await asyncio.sleep(duration)
        self.let_back(node)

    async def anew(self, node, _):
        self.ledger.count("kills")
        await node.kill()
        # A message that nobody else has yet would go with the disk, and no network could bring it back.
        others = lambda: [other.log for other in self.nodes if other is not node]
        for _ in range(50):
            if all(any(envelope in log for log in others()) for envelope in node.log):
                node.forget()
                self.ledger.count("anew")
                return await node.start()
            await asyncio.sleep(0.1)
        self.ledger.count("kept their folder")
        await self.again(node)

    async def stop(self, node, duration):
        self.ledger.count("stops")
        await node.stop()
        await asyncio.sleep(duration)
        await self.again(node)

    async def unplug(self, node, duration):
        await self.cut(node, duration, self.wires.unplug)

    async def isolate(self, node, duration):
        await self.cut(node, duration, self.wires.isolate)

    async def cut(self, node, duration, how):
        self.ledger.count("cuts")
        how(node.place)
        node.is_cut = True
        await asyncio.sleep(duration)
        self.let_back(node)

    def let_back(self, node):
        node.is_cut = False
        self.wires.plug(node.place)
        if self.halves and node.place in self.halves:
            self.wires.part(node.place)

    async def halve(self, half, duration):
        self.ledger.count("cuts in two")
        self.halves = half
        for node in self.nodes:
            if not node.is_cut and node.place in half:
                self.wires.part(node.place)
        await asyncio.sleep(duration)
        self.halves = None
        for node in self.nodes:
            if not node.is_cut:
                self.wires.plug(node.place)

    async def reads_its_log(self, node):
        """Waits until the node, alone, has printed all that its log is known to hold."""
        known = set(node.log)
        until = time.monotonic() + READ_WITHIN
        while known - node.seen.keys():
            if time.monotonic() > until:
                lost = known - node.seen.keys()
                self.ledger.count("lost by a log", len(lost))
                return self.ledger.trouble(f"{node.name} has lost {len(lost)} messages of its log")
            await asyncio.sleep(0.05)

    # ---- Traffic ----

    async def publish(self, chance):
        number = 0
        while True:
            alive = [node for node in self.nodes if node.is_alive]
            if alive:
                size = chance.choice([0, 0, 0, 50, 500, 5_000])
                text = f"{self.options.seed}/{number} " + "x" * size
                self.ledger.write(text)
                chance.choice(alive).publish(text)
                number += 1
            await asyncio.sleep(chance.uniform(0, 2) / self.options.rate)

    async def tell(self):
        while True:
            await asyncio.sleep(10)
            missing = [len(self.ledger.missing(node)) if node.is_alive else "-" for node in self.nodes]
            self.say(f"{len(self.ledger.acknowledged)} acknowledged; missing {missing}; {dict(self.ledger.counts)}")

    # ---- The run ----

    async def run(self):
        options = self.options
        for node in self.nodes:
            await node.start()
        telling = asyncio.ensure_future(self.tell())
        publishing = asyncio.ensure_future(self.publish(random.Random(options.seed + 1)))
        self.tasks, events = [telling, publishing], []
        for at, kind, victim, duration in plan(options.seed, options.minutes * 60, options.nodes):
            await asyncio.sleep(max(0, self.began + at - time.monotonic()))
            events.append(asyncio.ensure_future(self.happen(kind, victim, duration)))
            self.tasks.append(events[-1])
        await asyncio.sleep(max(0, self.began + options.minutes * 60 - time.monotonic()))
        publishing.cancel()
        # Whatever is not back yet comes back now.
        await asyncio.gather(*events)
        self.say("all are back; waiting until they have everything")
        healed = time.monotonic()
        await self.becomes_complete()
        result = {"complete after seconds": round(time.monotonic() - healed, 1)}
        await asyncio.sleep(SETTLE)
        result.update(self.judge("missing"))
        self.say("reading every log alone")
        await self.read_all_alone()
        result.update(self.judge("missing in logs"))
        telling.cancel()
        return result

    async def becomes_complete(self):
        until = time.monotonic() + COMPLETE_WITHIN
        while time.monotonic() < until:
            if all(node.is_alive and not node.waiting and not self.ledger.missing(node) for node in self.nodes):
                return
            await asyncio.sleep(0.25)

    async def read_all_alone(self):
        for node in self.nodes:
            node.is_busy = True
            await node.kill()
            self.wires.isolate(node.place)
        for node in self.nodes:
            await node.start()
            await self.reads_its_log(node)

    def judge(self, what):
        """How many messages are not where they should be, at all nodes together."""
        living = [node for node in self.nodes if node.is_alive]
        for node in self.nodes:
            if missing := self.ledger.missing(node):
                self.ledger.trouble(f"{node.name} has not {len(missing)} messages ({what}), the first acknowledged by "
                                    f"{self.ledger.acknowledged[missing[0]]}: {self.ledger.texts[missing[0]]:.40}")
        return {"living": len(living), what: sum(len(self.ledger.missing(node)) for node in self.nodes)}

    async def end(self):
        for task in self.tasks:
            task.cancel()
        for node in self.nodes:
            node.is_busy = True
            await node.kill()


async def run(options, folder):
    # Whoever stops this program stops the nodes with it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    chaos = Chaos(options, folder)
    try:
        result = await chaos.run()
    finally:
        await chaos.end()
    ledger, counts = chaos.ledger, chaos.ledger.counts
    if panics := sum(node.panics() for node in chaos.nodes):
        ledger.trouble(f"{panics} panics")
    acknowledged, living = len(ledger.acknowledged), result.pop("living")
    facts = {"seed": options.seed, "nodes": options.nodes, "living": living, "seconds": round(options.minutes * 60)}
    facts.update({name: counts[name] for name in (
        "kills", "restarts", "anew", "kept their folder", "stops", "cuts", "cuts in two", "skipped", "links opened")})
    facts.update({"published": counts["published"], "acknowledged": acknowledged,
                  "expected": acknowledged * options.nodes, "delivered": acknowledged * options.nodes - result["missing"]})
    facts.update(result)
    facts.update({name: counts[name] for name in ("duplicates", "lost by a log", "alarms", "troubles")})
    if options.json:
        print(json.dumps({name.replace(" ", "_"): value for name, value in facts.items()}))
    else:
        print(*(f"{name:<23} {value}" for name, value in facts.items()), sep="\n")
    for trouble in ledger.troubles:
        print(f"TROUBLE  {trouble}", file=sys.stderr)
    for node in chaos.nodes if ledger.troubles else []:
        print(f"---- {node.name}", *node.last_errors(), sep="\n     ", file=sys.stderr)
    return not ledger.counts["troubles"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the built program, like target/release/sealnet")
    parser.add_argument("--nodes", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, help="repeats the plan of another run; by default another each time")
    parser.add_argument("--rate", type=float, default=20, help="messages a second, of all nodes together")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    options = parser.parse_args()
    if not os.access(options.program, os.X_OK):
        sys.exit(f"{options.program} is no program; build it with: cargo build --release")
    if not 3 <= options.nodes <= 200:
        sys.exit("--nodes is 3 to 200")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
        sys.argv += ["--seed", str(options.seed)]
    why = wires.enter()
    if why:
        print(f"NOT RUN: network namespaces are not allowed here ({why})")
        return
    options.program = os.path.abspath(options.program)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    folder = tempfile.mkdtemp(prefix="sealnet-chaos-")
    try:
        good = asyncio.run(run(options, folder))
    except BaseException:
        shutil.rmtree(folder)
        raise
    if good:
        shutil.rmtree(folder)
    else:
        print(f"keys, logs and errors of the nodes are in {folder}", file=sys.stderr)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
