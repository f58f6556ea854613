#!/usr/bin/env python3
"""What the control interface costs on the way of a message, and how quickly a busy node answers.

    cargo build --release && benches/control.py [target/release/sealnet] [--messages 400] [--json]

Two nodes on loopback, as processes. One publishes; the instructions that the other one spends on taking it are counted by
valgrind (callgrind): without control interface, with one that nobody asks, and with one whose metrics and status are read all
the while. Each is run with some messages and with three times as many, so that starting and stopping do not count. How long
answers take is measured from outside, at a node that is not slowed down by counting. Needs valgrind.
"""

import argparse
import http.client
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

MODES = ["without", "idle", "asked"]


def config(folder, name, port, genesis, control):
    lines = ['network = "cost"', f'identity = "keys/{name}.pem"', f'listen = "127.0.0.1:{port}"', 'preset = "local"']
    if genesis:
        lines.append(f'genesis = ["{genesis}"]')
    if control:
        lines.append('[control]\nlisten = "127.0.0.1:0"')
    path = folder / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def free_port():
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Lines:
    """The lines a program prints, read as they come."""

    def __init__(self, stream):
        self.events = []
        self.changed = threading.Condition()
        threading.Thread(target=self.read, args=(stream,), daemon=True).start()

    def read(self, stream):
        for line in stream:
            with self.changed:
                self.events.append(line)
                self.changed.notify_all()

    def wait(self, enough, seconds, what):
        with self.changed:
            if not self.changed.wait_for(lambda: enough(self.events), seconds):
                sys.exit(f"waited {seconds} s in vain for {what}")


class Asking(threading.Thread):
    """Reads metrics and status twenty times a second, and notes how long status took."""

    def __init__(self, control):
        super().__init__(daemon=True)
        found = json.loads(control.read_text())
        self.host, self.port = found["address"].removeprefix("http://").split(":")
        self.headers = {"Authorization": "Bearer " + found["token"]}
        self.took = []
        self.done = False

    def run(self):
        connection = http.client.HTTPConnection(self.host, int(self.port), timeout=10)
        while not self.done:
            for path in ["/v1/metrics", "/v1/status"]:
                begun = time.perf_counter()
                connection.request("GET", path, headers=self.headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
                if path == "/v1/status":
                    self.took.append((time.perf_counter() - begun) * 1e3)
            time.sleep(0.05)


def run(program, mode, messages, counted):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sealnet-cost-"))
    running = []
    try:
        for name in ["measured", "sender"]:
            (folder / "keys").mkdir(exist_ok=True)
            subprocess.run([program, "keygen", "--out", f"keys/{name}.pem"], cwd=folder, check=True, capture_output=True)
        identity = re.search("[0-9a-f]{64}", (folder / "keys/measured.id").read_text()).group()
        port = free_port()
        measured = config(folder, "measured", port, None, mode != "without")
        sender = config(folder, "sender", free_port(), f"sealnet://{identity}@127.0.0.1:{port}", False)
        counts = folder / "counts"
        begin = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={counts}"] if counted else []
        command = [program, "run", "--config", str(measured), "--json", "--until-eof"]
        taker = subprocess.Popen(begin + command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(taker)
        taken = Lines(taker.stdout)
        deadline = time.monotonic() + 60
        while mode != "without" and not (folder / "measured.control").exists():
            if time.monotonic() > deadline:
                sys.exit("the node wrote no control file")
            time.sleep(0.02)
        command = [program, "run", "--config", str(sender), "--json", "--events", "--until-eof"]
        sayer = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(sayer)
        said = Lines(sayer.stdout)
        said.wait(lambda lines: any('"link-opened"' in line or '"link_opened"' in line for line in lines), 60, "the link")
        asking = None
        if mode == "asked":
            asking = Asking(folder / "measured.control")
            asking.start()
        for number in range(messages):
            sayer.stdin.write(f"message {number} {'.' * 200}\n")
        sayer.stdin.flush()
        taken.wait(lambda lines: len(lines) >= messages, 120, f"{messages} messages")
        if asking:
            asking.done = True
            asking.join()
        sayer.stdin.close()
        sayer.wait(60)
        taker.stdin.close()
        taker.wait(60)
        count = int(re.search(r"Collected : (\d+)", counts.read_text()).group(1)) if counted else 0
        return count, asking.took if asking else []
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default="target/release/sealnet")
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    program = str(pathlib.Path(options.program).resolve())
    medians = {}
    for mode in MODES:
        few, many = (run(program, mode, options.messages * times, True)[0] for times in (1, 3))
        medians[mode] = (many - few) / (2 * options.messages)
    # Long enough to be asked some hundred times.
    took = run(program, "asked", 100 * options.messages, False)[1]
    took.sort()
    status = {"requests": len(took), "p50_ms": took[len(took) // 2], "p99_ms": took[len(took) * 99 // 100], "max_ms": took[-1]}
    if options.json:
        print(json.dumps({"instructions_per_message": medians, "status": status}))
        return
    for mode in MODES:
        print(f"{mode:8} {medians[mode]:12,.0f} instructions a message, {medians[mode] / medians['without'] - 1:+.1%}")
    print(f"status of the busy node: p50 {status['p50_ms']:.1f} ms, p99 {status['p99_ms']:.1f} ms, max {status['max_ms']:.1f} ms, {status['requests']} requests")


if __name__ == "__main__":
    main()
