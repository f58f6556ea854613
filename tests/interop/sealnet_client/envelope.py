"""Section 4: envelopes, what is broadcast."""

import base64
import functools
import hashlib
import json
import struct
import time

from .names import ENVELOPE, is_good_signature

TITLE_MAX, MESSAGE_MAX = 200, 131_072
FUTURE = 120_000_000
KEEP = 24 * 3600


class BadEnvelope(Exception):
    """It breaks the grammar: what any reader can see."""


class LaterVersion(BadEnvelope):
    """It may be right in a later protocol, and is passed over."""


def now():
    return time.time_ns() // 1000


class Envelope:
    """One envelope as it was received; `make` makes one."""

    def __init__(self, network, data):
        """Reads an envelope that fills `data`."""
        end = self.end_in(network, data)
        if end != len(data):
            raise BadEnvelope("there is something behind the envelope")
        self.network, self.data = network, data
        self.signed, self.signature = (data, b"") if network.plain else (data[:-64], data[-64:])
        self.sender = data[1:33]
        self.time, self.lifetime, title_length = struct.unpack(">QIB", data[33:46])
        title_end = 46 + title_length
        self.title = data[46:title_end].decode()
        self.message = self.signed[title_end + 4:]

    @staticmethod
    def end_in(network, data, start=0):
        """Where the envelope that begins at `start` ends. Checks its grammar."""
        version = 0 if network.plain else 1
        if len(data) <= start:
            raise BadEnvelope("nothing there")
        if data[start] >= 2:
            raise LaterVersion(data[start])
        if data[start] != version:
            raise BadEnvelope("the version of the other kind of network")
        try:
            time_, _, title_length = struct.unpack_from(">QIB", data, start + 33)
            title_end = start + 46 + title_length
            (message_length,) = struct.unpack_from(">I", data, title_end)
            title = data[start + 46:title_end].decode()
        except (struct.error, UnicodeDecodeError) as error:
            raise BadEnvelope(error) from None
        if not 1 <= time_ < 2**53 or title_length > TITLE_MAX or message_length > MESSAGE_MAX:
            raise BadEnvelope("a number out of bounds")
        if any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in title):
            raise BadEnvelope("a control character in the title")
        end = title_end + 4 + message_length + (0 if network.plain else 64)
        if end > len(data):
            raise BadEnvelope("cut off")
        return end

    @classmethod
    def row(cls, network, data):
        """Envelopes one after another, as they stand in PEERS."""
        found, start = [], 0
        while start < len(data):
            try:
                end = cls.end_in(network, data, start)
            except LaterVersion:
                break  # its end cannot be found
            found.append(cls(network, data[start:end]))
            start = end
        return found

    @classmethod
    def make(cls, network, identity, title, message, lifetime, at=None):
        title = title.encode()
        signed = struct.pack(">B32sQIB", 0 if network.plain else 1, identity.id, at or now(), lifetime, len(title))
        signed += title + struct.pack(">I", len(message)) + message
        if network.plain:
            return cls(network, signed)
        return cls(network, signed + identity.sign(ENVELOPE + cls.id_of(network, signed)))

    @staticmethod
    def id_of(network, signed):
        return hashlib.sha256(ENVELOPE + network.hash + signed).digest()

    @functools.cached_property
    def id(self):
        return self.id_of(self.network, self.signed)

    @property
    def place(self):
        """What a sender's envelopes are ordered by."""
        return self.time, self.id

    def is_verified(self):
        return self.network.plain or is_good_signature(self.sender, self.signature, ENVELOPE + self.id)

    def is_live(self, at=None):
        seconds = max(min(self.lifetime, KEEP), 120)
        return (at or now()) <= self.time + seconds * 1_000_000

    def is_from_the_future(self, at=None):
        return self.time > (at or now()) + FUTURE

    def to_json(self):
        form = {"id": self.id.hex(), "sender": self.sender.hex(), "title": self.title}
        try:
            form["message"] = self.message.decode()
        except UnicodeDecodeError:
            form["message_base64"] = base64.b64encode(self.message).decode()
        form |= {"time": self.time, "lifetime": self.lifetime, "network": self.network.name}
        if not self.network.plain:
            form["signature"] = self.signature.hex()
        return json.dumps(form, ensure_ascii=False, separators=(",", ":"))
