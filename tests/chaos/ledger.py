"""What was said, who acknowledged it, and who has it."""

from collections import Counter

TOLD = 20  # troubles that are told one by one


class Ledger:
    def __init__(self):
        self.written = set()  # texts that were given to a node
        self.texts = {}  # of the messages that somebody acknowledged or printed
        self.acknowledged = {}  # ids, in order
        self.counts = Counter()
        self.troubles = []

    def count(self, what, by=1):
        self.counts[what] += by

    def trouble(self, what):
        self.count("troubles")
        if len(self.troubles) < TOLD:
            self.troubles.append(what)

    def write(self, text):
        self.written.add(text)
        self.count("published")

    def acknowledge(self, node, envelope, text):
        if envelope in self.acknowledged:
            self.trouble(f"{node.name} acknowledges {envelope[:8]} twice")
        self.name(node, envelope, text)
        self.acknowledged[envelope] = node.name
        node.log[envelope] = None

    def refuse(self, node, text, why):
        self.trouble(f"{node.name} did not publish: {why}")

    def deliver(self, node, envelope, text):
        self.count("printed")
        self.name(node, envelope, text)

    def name(self, node, envelope, text):
        if text not in self.written:
            self.trouble(f"{node.name} has a message that nobody wrote: {envelope[:8]} {text!r:.40}")
        if self.texts.setdefault(envelope, text) != text:
            self.trouble(f"{node.name} has another text under {envelope[:8]}")

    def duplicate(self, node, envelope):
        self.count("duplicates")
        self.trouble(f"{node.name} has printed {envelope[:8]} twice")

    def event(self, node, said):
        kind = said["event"]
        if kind in ("barred", "identity-used-elsewhere", "clock-off"):
            self.count("alarms")
            self.trouble(f"{node.name}: {said}")
        elif kind == "link-opened":
            self.count("links opened")

    def missing(self, node):
        """The acknowledged messages that the node's process has not printed."""
        return [envelope for envelope in self.acknowledged if envelope not in node.seen]
