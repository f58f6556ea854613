"""A node as a process, and what it prints."""

import asyncio
import json
import os
import shutil
import subprocess
from collections import Counter, deque
from pathlib import Path

PORT = 7400
GENESIS = 3


class Node:
    """One identity with one folder, through all the lives of its process."""

    def __init__(self, program, folder, place, wires, ledger):
        self.program, self.folder, self.place, self.wires, self.ledger = program, Path(folder), place, wires, ledger
        self.name = f"node-{place}"
        made = subprocess.run([program, "keygen", "--out", f"{folder}/{self.name}.pem", "--json"], check=True,
                              capture_output=True, timeout=30, text=True)
        self.id = json.loads(made.stdout)["id"]
        self.config, self.errors = self.folder / f"{self.name}.toml", self.folder / f"{self.name}.err"
        self.process = self.reading = None
        self.is_busy = self.is_cut = self.is_ending = False
        self.seen = Counter()  # by the process that runs, or ran last
        # What this log is known to hold: printed or acknowledged by a process that had it.
        self.log = {}
        self.printed = []  # by the process that runs, or ran last, in order
        self.former = []  # what the one before it with this log had printed
        self.waiting = deque()  # texts that were written to the process and not answered yet

    def address(self):
        return f"{self.wires.address(self.place)}:{PORT}"

    def configure(self, nodes):
        genesis = ", ".join(f'"sealnet://{node.id}@{node.address()}"' for node in nodes[:GENESIS])
        self.config.write_text(f"""network = "chaos"
identity = "{self.name}.pem"
listen = "{self.address()}"
preset = "lan"
genesis = [{genesis}]
[log]
folder = "{self.name}.data"
""")

    @property
    def is_alive(self):
        return self.process is not None

    async def start(self):
        """Starts the process. It prints its log from the beginning, then what is new."""
        # What no life before the last has printed the last must have: it began at the start, too.
        self.former, self.printed, self.waiting = self.printed, [], deque()
        self.seen, self.is_ending = Counter(), False
        command = [self.program, "run", "--config", str(self.config), "--json", "--events", "--from-start", "--until-eof"]
        pipe = asyncio.subprocess.PIPE
        with open(self.errors, "ab") as errors:
            self.process = await asyncio.create_subprocess_exec(
                *self.wires.within(self.place, command), stdin=pipe, stdout=pipe, stderr=errors, limit=2**21)
        self.reading = asyncio.ensure_future(self.read(self.process))

    async def read(self, process):
        async for line in process.stdout:
            try:
                said = json.loads(line)
            except ValueError:  # half a line: it was killed
                continue
            if "event" not in said:
                self.heard(said)
            elif said["event"] == "published":
                self.ledger.acknowledge(self, said["id"], self.waiting.popleft())
            elif said["event"] == "not-published":
                self.ledger.refuse(self, self.waiting.popleft(), said["why"])
            else:
                self.ledger.event(self, said)
        if not self.is_ending:
            self.ledger.trouble(f"{self.name} ended by itself with status {await process.wait()}")
            self.process = None

    def heard(self, said):
        envelope = said["id"]
        self.seen[envelope] += 1
        if self.seen[envelope] > 1:
            self.ledger.duplicate(self, envelope)
        place = len(self.printed)
        # The log in its order: what a process of this log has printed the next one prints first.
        if place < len(self.former) and self.former[place] != envelope:
            self.ledger.trouble(f"{self.name} has at {place} in its log another message than before")
        self.printed.append(envelope)
        self.log[envelope] = None
        self.ledger.deliver(self, envelope, said.get("message"))

    def publish(self, text):
        self.waiting.append(text)
        self.process.stdin.write(text.encode() + b"\n")

    async def ended(self, process):
        """Waits until the process is gone, as it should be, and all that it printed was read."""
        self.is_ending = True
        status = await process.wait()
        await self.reading
        self.process = None
        return status

    async def kill(self):
        if (process := self.process) is not None:
            process.kill()
            await self.ended(process)

    async def stop(self):
        process = self.process
        self.is_ending = True
        process.stdin.write(b"/stop\n")
        try:
            status = await asyncio.wait_for(self.ended(process), 30)
        except asyncio.TimeoutError:
            self.ledger.trouble(f"{self.name} does not stop")
            await self.kill()
            return
        if status:
            self.ledger.trouble(f"{self.name} stopped with status {status}")

    def forget(self):
        """Another disk: log and state are gone, the key is there."""
        shutil.rmtree(self.folder / f"{self.name}.data")
        self.log, self.printed = {}, []

    def panics(self):
        return self.errors.read_text(errors="replace").count("panicked at") if os.path.exists(self.errors) else 0

    def last_errors(self):
        return self.errors.read_text(errors="replace").splitlines()[-5:] if os.path.exists(self.errors) else []
