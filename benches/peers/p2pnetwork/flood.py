#!/usr/bin/env python3
"""A flood over p2pnetwork, the library of Sealnet's predecessors: every node hands every new message to all its
neighbours but the one it came from. Counts every delivery, and prints what it measured as one JSON object on the last
line. Takes one JSON object; see `Told` in src/systems/p2pnetwork.rs."""

import base64
import json
import math
import os
import resource
import sys
import threading
import time

from p2pnetwork.node import Node

QUIET = 5.0  # without a delivery for so long, what is missing is missing
LINGER = 0.3
LINKED_WITHIN = 60.0
WARM_UP_PACE = 0.01


def content(number, size):
    filling = bytes((number * 31 + at) % 251 for at in range(max(0, size - 8)))
    return number.to_bytes(8, "big") + filling


class Tally:
    """Who has got which message."""

    def __init__(self, nodes, senders, first, count, size, window):
        self.nodes, self.senders, self.first = nodes, senders, first
        self.contents = [content(first + number, size) for number in range(count)]
        self.published = {}
        self.seen = [set() for _ in range(nodes)]
        self.missing = [nodes - 1] * count
        self.latencies = []
        self.everywhere = self.double = self.altered = 0
        self.last = 0
        self.lock = threading.Lock()
        self.window = threading.Semaphore(window)
        self.changed = threading.Event()
        self.closed = False

    def publish(self, number):
        with self.lock:
            self.published[number] = time.monotonic_ns()
        return self.contents[number]

    def received(self, place, number, got):
        now = time.monotonic_ns()
        number -= self.first
        with self.lock:
            if not 0 <= number < len(self.contents) or got != self.contents[number]:
                self.altered += 1
                return
            if number in self.seen[place]:
                self.double += 1
                return
            self.seen[place].add(number)
            self.latencies.append(now - self.published[number])
            self.last = now
            self.missing[number] -= 1
            if self.missing[number]:
                return
            self.everywhere += 1
            if self.closed and self.everywhere == len(self.published):
                self.changed.set()
        self.window.release()

    def room(self):
        while True:
            before = len(self.latencies)
            if self.window.acquire(timeout=QUIET):
                return True
            if len(self.latencies) == before:
                return False

    def complete(self):
        with self.lock:
            self.closed = True
            if self.everywhere == len(self.published):
                return
        while True:
            before = len(self.latencies)
            if self.changed.wait(QUIET) or len(self.latencies) == before:
                return

    def count(self, counts):
        with self.lock:
            expected = len(self.published) * (self.nodes - 1)
            counts["expected"] += expected
            counts["missing"] += expected - len(self.latencies)
            counts["double"] += self.double
            counts["altered"] += self.altered


class Flooding(Node):
    """A node that hands on what is new to it."""

    def __init__(self, place, tallies):
        # The library prints what it does.
        super().__init__("127.0.0.1", 0, id=f"node-{place}")
        self.port = self.sock.getsockname()[1]
        self.place, self.tallies = place, tallies
        self.known, self.known_lock = set(), threading.Lock()

    def is_new(self, number):
        with self.known_lock:
            if number in self.known:
                return False
            self.known.add(number)
            return True

    def say(self, number, got):
        self.is_new(number)
        self.send_to_nodes({"id": number, "content": base64.b64encode(got).decode()})

    def node_message(self, node, data):
        if not isinstance(data, dict):
            self.tallies[-1].received(self.place, -1, b"")
            return
        number = data["id"]
        if self.is_new(number):
            self.send_to_nodes(data, exclude=[node])
            tally = self.tallies[0] if number < self.tallies[1].first else self.tallies[1]
            tally.received(self.place, number, base64.b64decode(data["content"]))


def resident():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def loopback():
    with open("/proc/self/net/dev", encoding="ascii") as devices:
        for line in devices:
            if line.strip().startswith("lo:"):
                return int(line.split(":")[1].split()[0])
    return 0


def processor_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def start(told, tallies):
    nodes = [Flooding(place, tallies) for place in range(told["nodes"])]
    for node in nodes:
        node.daemon = True
        node.start()
    degree = [0] * len(nodes)
    for one, other in told["edges"]:
        if not nodes[one].connect_with_node("127.0.0.1", nodes[other].port):
            sys.exit(f"node {one} cannot connect with node {other}")
        degree[one] += 1
        degree[other] += 1
    deadline = time.monotonic() + LINKED_WITHIN
    while any(len(node.all_nodes) < links for node, links in zip(nodes, degree)):
        if time.monotonic() > deadline:
            sys.exit("the nodes are not linked")
        time.sleep(0.01)
    return nodes


def publish(node, tally, numbers, told):
    begin = following = time.monotonic()
    for number in numbers:
        if not tally.room() or time.monotonic() - begin >= told["cap"]:
            return
        if told["pace"]:
            time.sleep(max(0, following - time.monotonic()))
            following += told["pace"]
        node.say(tally.first + number, tally.publish(number))


def percentile(values, percent):
    return values[max(1, math.ceil(len(values) * percent / 100)) - 1]


def main():
    told = json.loads(sys.argv[1])
    # What the library prints is not what was measured.
    out, sys.stdout = sys.stdout, open(os.devnull, "w", encoding="utf-8")
    count, senders = told["nodes"], told["senders"]
    warm_up = Tally(count, senders, 0, told["warm_up"], 256, max(1, told["warm_up"]))
    tally = Tally(count, senders, 1 << 32, told["messages"], told["bytes"], max(1, told["window"]))
    counts = {"expected": 0, "missing": 0, "double": 0, "altered": 0}
    values = {}

    memory, begin, worked = resident(), time.monotonic(), processor_time()
    nodes = start(told, [warm_up, tally])
    values["join_ms"] = (time.monotonic() - begin) * 1e3
    values["join_cpu_ms_per_node"] = (processor_time() - worked) * 1e3 / count
    time.sleep(0.5)
    values["memory_kib_per_node"] = max(0, resident() - memory) / 1024 / count
    values["links_per_node"] = sum(len(node.all_nodes) for node in nodes) / count

    if told["messages"]:
        for number in range(told["warm_up"]):
            nodes[number % senders].say(number, warm_up.publish(number))
            time.sleep(WARM_UP_PACE)
        warm_up.complete()

        begin, worked, wire = time.monotonic_ns(), processor_time(), loopback()
        publishers = []
        for place in range(senders):
            numbers = range(place, told["messages"], senders)
            publishers.append(threading.Thread(target=publish, args=(nodes[place], tally, numbers, told), daemon=True))
        for publisher in publishers:
            publisher.start()
        for publisher in publishers:
            publisher.join()
        tally.complete()
        worked, wire = processor_time() - worked, loopback() - wire
        time.sleep(LINGER)
        warm_up.count(counts)
        tally.count(counts)
        took, delivered = max(tally.last - begin, 1) / 1e9, max(len(tally.latencies), 1)
        values["messages_per_s"] = tally.everywhere / took
        values["deliveries_per_s"] = delivered / took
        values["messages"] = len(tally.published)
        values["cpu_us_per_delivery"] = worked * 1e6 / delivered
        values["wire_bytes_per_delivery"] = wire / delivered
        latencies = sorted(tally.latencies)
        if latencies:
            for name, percent in (("p50", 50), ("p99", 99), ("max", 100)):
                values[f"latency_{name}_ms"] = percentile(latencies, percent) / 1e6

    print(json.dumps({"counts": counts, "values": values}), file=out, flush=True)
    # The library's threads take seconds to end.
    os._exit(0)


if __name__ == "__main__":
    main()
