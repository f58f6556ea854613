"""Sections 2 and 3: how a connection is opened, and what stands on it."""

import asyncio
import enum
import json
import os
import struct
import warnings

from cryptography.exceptions import InvalidTag
from noise.connection import Keypair, NoiseConnection

from .envelope import now
from .names import HANDSHAKE, is_good_key, is_good_signature

warnings.filterwarnings("ignore", message="One of ephemeral keypairs is already set")  # only for the known answers

HANDSHAKE_TIME, HELLO_TIME = 5, 5
RECORD_MAX = 65_535
REKEY_AFTER = 65_536


class Frame(enum.IntEnum):
    HELLO, PING, PONG, GOODBYE = 0x01, 0x02, 0x03, 0x04
    PEERS_WANTED, PEERS, MEMBERS_WANTED = 0x10, 0x11, 0x12
    BROADCAST, HAVE, WANT, EAGER, LAZY, ABSENT = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25
    RECONCILE, REQUEST, RESPONSE, REFUSED, CREDIT, REVOCATIONS = 0x30, 0x40, 0x41, 0x42, 0x43, 0x50


FIRST_OPTIONAL = 0x80
LARGEST = {
    0x01: 4_096, 0x02: 8, 0x03: 8, 0x04: 130, 0x10: 2, 0x11: 73_728, 0x12: 2_048, 0x20: 131_386, 0x21: 32_000,
    0x22: 8_192, 0x23: 0, 0x24: 0, 0x25: 32_000, 0x30: 65_536, 0x40: 65_536, 0x41: 65_536, 0x42: 138, 0x43: 12,
    0x50: 64_082,
}


class Goodbye(enum.IntEnum):
    LEAVING, DUPLICATE, FULL, VISIT_DONE, IDLE, NOT_ADMITTED = range(6)
    BARRED, UNSUPPORTED, RENEWED, OVERLOAD, SHUTDOWN = range(6, 11)


class ProtocolError(Exception):
    """The peer does not keep to the protocol, or is not who it should be. The connection is closed without a word."""


class Refused(Exception):
    """The peer said GOODBYE instead of HELLO."""

    def __init__(self, code, text):
        super().__init__(f"GOODBYE {code} {text}")
        self.code = code


# ---- The preamble, and the proof of identity -------------------------------------------------------------------------


def preamble(network):
    mode = 0xFF if network.plain else 0x01 if network.psk else 0x00
    return b"SEALN" + bytes([1, mode, 0])


INITIATOR, RESPONDER = b"\x01", b"\x02"


def proof(identity, role, h, static):
    """The payload of messages 2 and 3: "this session's static key is mine"."""
    return b"\x01" + identity.id + identity.sign(HANDSHAKE + role + h + static)


def check_proof(payload, identity, static, role, h, peer_static, pinned=None):
    """What both sides check, in this order. Gives the peer's node id."""
    if len(payload) != 97 or payload[0] != 1:
        raise ProtocolError("no proof of identity")
    peer, signature = bytes(payload[1:33]), bytes(payload[33:])
    if not is_good_key(peer):
        raise ProtocolError("an identity that is no key")
    if not is_good_signature(peer, signature, HANDSHAKE + role + h + peer_static):
        raise ProtocolError("an identity that is not proven")
    if peer_static == static:
        raise ProtocolError("my own static key")
    if peer == identity.id:
        raise ProtocolError("my own identity")
    if pinned is not None and peer != pinned:
        raise ProtocolError("somebody else")
    return peer


# ---- Secure networks: Noise, then records ----------------------------------------------------------------------------


class Handshake:
    """The Noise library, with what Sealnet puts into it."""

    def __init__(self, network, initiator, static=None, ephemeral=None):
        name = b"Noise_XXpsk0_25519_ChaChaPoly_SHA256" if network.psk else b"Noise_XX_25519_ChaChaPoly_SHA256"
        self.noise = NoiseConnection.from_name(name)
        if network.psk:
            self.noise.set_psks(network.psk)
        self.noise.set_prologue(preamble(network) + network.hash)
        self.noise.set_as_initiator() if initiator else self.noise.set_as_responder()
        self.noise.set_keypair_from_private_bytes(Keypair.STATIC, static or os.urandom(32))
        if ephemeral:
            self.noise.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)
        self.noise.start_handshake()
        self.state = self.noise.noise_protocol.handshake_state
        self.write = lambda payload=b"": bytes(self.noise.write_message(payload))
        self.lengths = (48 if network.psk else 32, 193, 161)

    def read(self, message):
        try:
            return bytes(self.noise.read_message(message))
        except (InvalidTag, ValueError) as error:  # ValueError: a Diffie-Hellman result of zeros
            raise ProtocolError(f"the handshake does not open: {error!r}") from None

    @property
    def h(self):
        return self.state.symmetric_state.get_handshake_hash()

    @property
    def static(self):
        return self.state.s.public_bytes

    @property
    def peer_static(self):
        return self.state.rs.public_bytes


class Records:
    """The stream of bytes inside the records of one connection."""

    def __init__(self, reader, writer, noise):
        self.reader, self.writer, self.noise = reader, writer, noise
        self.sent = self.received = 0

    def seal(self, piece):
        sealed = self.noise.encrypt(piece)
        self.sent += 1
        if self.sent % REKEY_AFTER == 0:
            self.noise.rekey_outbound_cipher()
        return struct.pack(">H", len(sealed)) + sealed

    def write(self, data):
        size = RECORD_MAX - 16
        self.writer.write(b"".join(self.seal(data[i:i + size]) for i in range(0, len(data), size)))

    async def read(self):
        """The next piece; nothing at the end of the connection."""
        try:
            (length,) = struct.unpack(">H", await self.reader.readexactly(2))
            if length < 17:
                raise ProtocolError("a record that holds nothing")
            sealed = await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        try:
            piece = self.noise.decrypt(sealed)
        except Exception:
            raise ProtocolError("a record that does not open") from None
        self.received += 1
        if self.received % REKEY_AFTER == 0:
            self.noise.rekey_inbound_cipher()
        return piece


class Bare:
    """A plain network: frames stand directly on the stream."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def write(self, data):
        self.writer.write(data)

    async def read(self):
        try:
            return await self.reader.read(65_536)
        except ConnectionError:
            return b""


# ---- Frames ----------------------------------------------------------------------------------------------------------


def frame(kind, body=b""):
    return struct.pack(">IB", len(body), kind) + body


def hello_body(network, identity, listen=(), agent="sealnet-python/1", **more):
    hello = {"agent": agent, "time": now(), "max_version": 1}
    if network.plain:
        hello["node"] = identity.id.hex()
    hello |= {"listen": list(listen), "features": [], "apps": {}} | more
    return json.dumps(hello, separators=(",", ":")).encode()


def no_duplicates(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise ProtocolError("a key twice in JSON")
    return dict(pairs)


def read_hello(network, body):
    try:
        hello = json.loads(body.decode(), object_pairs_hook=no_duplicates)
        numbers = [hello["time"], hello["max_version"]]
        texts = [hello["agent"], *([hello["node"]] if network.plain else [])]
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(f"no HELLO: {error!r}") from None
    if not all(type(n) is int and 0 <= n < 2**53 for n in numbers) or not all(isinstance(t, str) for t in texts):
        raise ProtocolError("a HELLO with values of another type")
    return hello


class Link:
    """A connection on which frames stand. It is open once both HELLOs have passed."""

    def __init__(self, stream, initiator, peer=None):
        self.stream, self.initiator, self.peer = stream, initiator, peer
        self.buffer = bytearray()
        self.hello = None  # the peer's

    def send(self, kind, body=b""):
        self.stream.write(frame(kind, body))

    async def receive(self):
        """The next frame as (kind, body), `None` at the end of the connection."""
        while True:
            if len(self.buffer) >= 5:
                length, kind = struct.unpack_from(">IB", self.buffer)
                if length > LARGEST.get(kind, 65_536 if kind >= FIRST_OPTIONAL else 2**32):
                    raise ProtocolError("a frame over its limit")
                if kind not in LARGEST and kind < FIRST_OPTIONAL:
                    return kind, b""  # unknown: its length is worth nothing
                if len(self.buffer) >= 5 + length:
                    body = bytes(self.buffer[5:5 + length])
                    del self.buffer[:5 + length]
                    return kind, body
            piece = await self.stream.read()
            if not piece:
                return None
            self.buffer += piece

    async def receive_hello(self, network):
        received = await asyncio.wait_for(self.receive(), HELLO_TIME)
        if received is None:
            raise ProtocolError("closed without a HELLO")
        kind, body = received
        if kind == Frame.GOODBYE:
            raise Refused(int.from_bytes(body[:2], "big"), body[2:].decode(errors="replace"))
        if kind != Frame.HELLO:
            raise ProtocolError("a frame before HELLO")
        self.hello = read_hello(network, body)
        if network.plain:
            self.peer = bytes.fromhex(self.hello["node"])

    def close(self):
        self.stream.writer.close()

    def abort(self):
        self.stream.writer.transport.abort()


# ---- Opening ---------------------------------------------------------------------------------------------------------


async def receive_message(reader, length):
    """One handshake message; any other length ends the connection before more is read."""
    try:
        announced = int.from_bytes(await reader.readexactly(2), "big")
        if announced != length:
            raise ProtocolError(f"a handshake message of {announced} bytes")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        raise ProtocolError("closed during the handshake") from None


def with_length(message):
    return struct.pack(">H", len(message)) + message


async def initiate(reader, writer, network, identity, pinned=None, make_proof=proof):
    """The initiator's handshake up to message 3, which is left for the HELLO to go with: (link, message 3)."""
    if network.plain:
        opening = preamble(network) + network.hash
        writer.write(opening)
        try:
            answer = await asyncio.wait_for(reader.readexactly(40), HANDSHAKE_TIME)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ProtocolError("closed during the handshake") from None
        if answer != opening:
            raise ProtocolError("another network")
        return Link(Bare(reader, writer), True), b""
    handshake = Handshake(network, initiator=True)
    writer.write(preamble(network) + with_length(handshake.write()))
    h = handshake.h  # before message 2: what the responder signs
    message = await asyncio.wait_for(receive_message(reader, handshake.lengths[1]), HANDSHAKE_TIME)
    payload = handshake.read(message)
    peer = check_proof(payload, identity, handshake.static, RESPONDER, h, handshake.peer_static, pinned)
    message = handshake.write(make_proof(identity, INITIATOR, handshake.h, handshake.static))
    return Link(Records(reader, writer, handshake.noise), True, peer), with_length(message)


async def dial(address, network, identity, pinned=None, listen=(), **more):
    """Opens a link to `(host, port)`. HELLO goes with message 3 in one write."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        link, message = await initiate(reader, writer, network, identity, pinned)
        hello = frame(Frame.HELLO, hello_body(network, identity, listen, **more))
        writer.write(message + (hello if network.plain else link.stream.seal(hello)))
        await link.receive_hello(network)
        if pinned is not None and link.peer != pinned:
            raise ProtocolError("somebody else")
        return link
    except BaseException:
        writer.transport.abort()
        raise


async def accept(reader, writer, network, identity, listen=()):
    """Opens a link that somebody else dialled. No byte is sent to whoever is not right."""
    try:
        expected = preamble(network) + (network.hash if network.plain else b"")
        try:
            opening = await asyncio.wait_for(reader.readexactly(len(expected)), 2)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ProtocolError("closed during the handshake") from None
        if opening != expected:
            raise ProtocolError("another protocol or network")
        if network.plain:
            writer.write(expected)
            link = Link(Bare(reader, writer), False)
        else:
            handshake = Handshake(network, initiator=False)
            handshake.read(await asyncio.wait_for(receive_message(reader, handshake.lengths[0]), 2))
            message = handshake.write(proof(identity, RESPONDER, handshake.h, handshake.static))
            writer.write(with_length(message))
            h = handshake.h  # before message 3: what the initiator signs
            message = await asyncio.wait_for(receive_message(reader, handshake.lengths[2]), HANDSHAKE_TIME)
            payload = handshake.read(message)
            peer = check_proof(payload, identity, handshake.static, INITIATOR, h, handshake.peer_static)
            link = Link(Records(reader, writer, handshake.noise), False, peer)
        await link.receive_hello(network)
        if link.peer == identity.id:
            raise ProtocolError("my own identity")
        link.send(Frame.HELLO, hello_body(network, identity, listen))
        return link
    except BaseException:
        writer.transport.abort()
        raise
