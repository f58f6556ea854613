"""A network of processes on this machine, `sealnet devnet --processes`, and its nodes' control interfaces."""

import glob
import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
import urllib.request

ADDRESS = re.compile(r"http://\S+/#token=[0-9a-f]{64}")
PATIENCE = 180  # seconds; reached only when something is broken


class Control:
    """A node's control interface, by the file that the node writes beside its configuration."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        self.address, self.token = said["address"], said["token"]
        self.pid, self.id = said["pid"], said["id"]

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {
            "Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)


class Devnet:
    """Runs until it is left; `address` is where its page is."""

    def __init__(self, program, folder, *options):
        self.folder = folder
        words = [program, "devnet", "--dir", folder, *options]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                        text=True, start_new_session=True)
        self.said = []
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self._address()

    def _read(self):
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            self.lines.put(line)
        self.lines.put(None)

    def _address(self):
        end = time.monotonic() + PATIENCE
        while True:
            line = self.lines.get(timeout=max(0.1, end - time.monotonic()))
            if line is None:
                raise AssertionError("devnet ended without saying where its page is:\n" + "\n".join(self.said))
            found = ADDRESS.search(line)
            if found:
                return found.group(0)

    def controls(self):
        """The control interfaces of its nodes, by name."""
        files = glob.glob(os.path.join(self.folder, "config", "*.control"))
        return {os.path.basename(path).removesuffix(".control"): Control(path) for path in files}

    def viewer(self):
        """The node whose page it is."""
        for control in self.controls().values():
            if self.address.startswith(control.address + "/"):
                return control
        raise AssertionError(f"no node of {self.folder} has the interface {self.address}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                pass
        # Whatever is left of it is in its own group.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
