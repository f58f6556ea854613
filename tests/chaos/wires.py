"""Network namespaces for nodes: one each, on a bridge where they can be cut off.

Everything is made inside a network and mount namespace of the program's own. Nothing of the machine's network is touched,
and all of it is gone when the last process in it has ended."""

import os
import subprocess
import sys

INSIDE = "SEALNET_CHAOS_INSIDE"
MAIN, BESIDE, NOWHERE = "sn-main", "sn-beside", "sn-nowhere"
NEEDED = """set -e
mount -t tmpfs -o mode=755 tmpfs /run
ip link add sn-try type bridge
ip link add sn-here type veth peer name sn-there
ip netns add sn-try
ip link set sn-there netns sn-try
nsenter --net=/run/netns/sn-try true"""


def enter():
    """Starts this program again in namespaces of its own. Returns in there; outside only if that is not possible, with
    the reason."""
    if INSIDE in os.environ:
        return None
    # Who is not root may be it in a user namespace, where the system allows that.
    unshare = ["unshare", "--net", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    try:
        tried = subprocess.run([*unshare, "sh", "-c", NEEDED], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if tried.returncode:
        return (tried.stderr.strip().splitlines() or ["no reason was given"])[-1]
    os.environ[INSIDE] = "1"
    os.execvp(unshare[0], [*unshare, sys.executable, "-B", *sys.argv])


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


class Wires:
    """A wire from each node's namespace to the bridge, and what becomes of it."""

    def __init__(self, count):
        # The names of namespaces stand in /run; this one is ours alone.
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        for bridge in (MAIN, BESIDE, NOWHERE):
            run("ip", "link", "add", bridge, "type", "bridge")
            run("ip", "link", "set", bridge, "up")
        for place in range(count):
            space, wire = f"n{place}", f"w{place}"
            run("ip", "netns", "add", space)
            run("ip", "link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", space)
            inside = ("ip", "-n", space)
            run(*inside, "address", "add", f"{self.address(place)}/16", "dev", "eth0")
            run(*inside, "link", "set", "lo", "up")
            run(*inside, "link", "set", "eth0", "up")
            self.plug(place)

    @staticmethod
    def address(place):
        return f"10.77.{place // 200}.{place % 200 + 1}"

    @staticmethod
    def within(place, command):
        """The command as it runs in the node's namespace: the same process, so that a signal meets the node itself."""
        return ["nsenter", f"--net=/run/netns/n{place}", *command]

    def unplug(self, place):
        """The node's wire is pulled: it can tell."""
        run("ip", "link", "set", f"w{place}", "down")

    def isolate(self, place):
        """Whatever the node sends is lost: it cannot tell but by silence."""
        run("ip", "link", "set", f"w{place}", "master", NOWHERE)
        # Isolated ports of a bridge do not hear each other. Leaving the bridge ends it.
        run("ip", "link", "set", f"w{place}", "type", "bridge_slave", "isolated", "on")

    def part(self, place):
        """The node is on the other side of a cut."""
        run("ip", "link", "set", f"w{place}", "master", BESIDE)

    def plug(self, place):
        """The node is back on the bridge with the others."""
        run("ip", "link", "set", f"w{place}", "master", MAIN)
        run("ip", "link", "set", f"w{place}", "up")
