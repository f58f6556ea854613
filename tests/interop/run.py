#!/usr/bin/env python3
"""Proves docs/protocol.md: a client in another language in a network of real nodes.

    python tests/interop/run.py target/release/sealnet

Starts nodes of the given program on loopback, lets the client of `sealnet_client` live among them and then misbehave in
every way the page forbids. Prints a line for each check; ends every process it started; takes less than a minute."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import known_answers
from sealnet_client import Envelope, Frame, Goodbye, Identity, Member, Network, ProtocolError, accept, dial
from sealnet_client.envelope import now
from sealnet_client.link import RESPONDER, Handshake, Refused, frame, hello_body, initiate, preamble, proof, with_length
from sealnet_client.member import NEIGHBOURS, PRESENCE, RANDOM_MEMBERS, RECORD
from sealnet_client.names import ENVELOPE, HANDSHAKE, L, add, decode, encode, is_good_key, multiply

PROGRAM = ""
NAME = "interop"
LIMIT = 58  # seconds, for everything
SECOND = 1_000_000


# ---- Nodes -----------------------------------------------------------------------------------------------------------


def sealnet(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, timeout=10, text=True).stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """A process of `sealnet run`, what it prints, and its prompt."""

    def __init__(self, folder, name, network, genesis=None, json_lines=False):
        self.name, self.network, self.json_lines = name, network, json_lines
        self.address = "127.0.0.1", free_port()
        self.lines, self.process, self.reading = [], None, None
        settings = [f'network = "{network.name}"', f'listen = "127.0.0.1:{self.address[1]}"', 'preset = "local"']
        if network.plain:
            settings.append("plain = true")
            self.id = None
        else:
            made = json.loads(sealnet("keygen", "--out", f"{folder}/{name}.pem", "--json"))
            self.id = bytes.fromhex(made["id"])
            settings.append(f'identity = "{name}.pem"')
        if network.psk:
            settings.append('network_key = "network.key"')
        if genesis:
            (host, port), pinned = genesis
            settings.append(f'genesis = ["sealnet://{pinned.hex()}@{host}:{port}"]' if pinned
                            else f'genesis = ["{host}:{port}"]')
        self.config = Path(folder, f"{name}.toml")
        self.config.write_text("\n".join(settings) + "\n")

    async def start(self):
        arguments = ["run", "--config", str(self.config)] + (["--json"] if self.json_lines else [])
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            PROGRAM, *arguments, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, limit=2**20)
        self.reading = asyncio.ensure_future(self.read())
        await within(5, self.answers, f"{self.name} does not listen")
        return self

    async def read(self):
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(self.address, timeout=1):
            return True
        return False

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")

    async def says(self, pattern, seconds=5, since=0):
        """Waits for a line that this node prints."""
        found = lambda: next((m for m in map(re.compile(pattern).search, self.lines[since:]) if m), None)
        return await within(seconds, found, f"{self.name} does not say {pattern!r}")

    async def asked(self, command, pattern):
        """Types a command and waits for a line of the answer."""
        since = len(self.lines)
        self.type(command)
        return await self.says(pattern, since=since)

    def count(self, text):
        return sum(text in line for line in self.lines)

    def end(self):
        if self.process and self.process.returncode is None:
            self.process.kill()


async def within(seconds, condition, why="it did not happen"):
    """Waits until `condition` gives something; an error after so many seconds."""
    until = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < until, why
        await asyncio.sleep(0.02)
    return result


# ---- Checks ----------------------------------------------------------------------------------------------------------

CHECKS = []


def check(name):
    """Registers a check. Each gets the world; what it asserts must hold."""
    def register(function):
        CHECKS.append((name, function))
        return function
    return register


class World:
    """What the checks share."""

    def __init__(self, folder):
        self.folder = folder
        self.network = Network(NAME)
        self.genesis = Node(folder, "genesis", self.network)
        first = self.genesis.address, self.genesis.id
        self.alpha = Node(folder, "alpha", self.network, first, json_lines=True)
        self.beta = Node(folder, "beta", self.network, first)
        self.nodes = [self.genesis, self.alpha, self.beta]
        self.extra = []  # further processes
        self.member = Member(self.network, Identity())
        self.turn = 0

    def next(self):
        """One node after the other, so that none meets too many connections at once."""
        self.turn += 1
        return self.nodes[self.turn % 3]

    async def dial(self, node, identity=None, **more):
        return await dial(node.address, self.network, identity or Identity(), node.id, **more)

    def envelope(self, identity, text, title="chat", lifetime=3600, at=None):
        return Envelope.make(self.network, identity, title, text.encode(), lifetime, at)

    def end(self):
        for node in self.nodes + self.extra:
            node.end()


async def everywhere(world, text, times=1, seconds=5):
    """Every node delivers a text so many times, and no more."""
    for node in world.nodes:
        await within(seconds, lambda: node.count(text) >= times, f"{node.name} does not deliver {text!r}")
    await asyncio.sleep(0.3)
    for node in world.nodes:
        assert node.count(text) == times, f"{node.name} delivers {text!r} {node.count(text)} times"


async def nowhere(world, text, seconds=0.8):
    await asyncio.sleep(seconds)
    for node in world.nodes:
        assert node.count(text) == 0, f"{node.name} delivers {text!r}"


async def works(link):
    """The link is open and answers a PING."""
    link.send(Frame.PING, b"12345678")
    while True:
        received = await asyncio.wait_for(link.receive(), 3)
        assert received, "the link is closed"
        if received == (Frame.PONG, b"12345678"):
            return


async def next_of(link, *kinds):
    """The body of the next frame of these kinds."""
    while True:
        received = await asyncio.wait_for(link.receive(), 3)
        assert received, "the link is closed"
        if received[0] in kinds:
            return received[1]


async def ending(link, seconds=3):
    """The frames until the peer closes. It must close."""
    frames = []
    with contextlib.suppress(ConnectionError):
        while (received := await asyncio.wait_for(link.receive(), seconds)) is not None:
            frames.append(received)
    link.abort()
    return frames


class Answering:
    """Answers the PINGs of a link, as a living peer does, and keeps its other frames."""

    def __init__(self, link):
        self.link, self.frames = link, []
        self.task = asyncio.ensure_future(self.answer())

    async def answer(self):
        with contextlib.suppress(ConnectionError):
            while (received := await self.link.receive()) is not None:
                if received[0] == Frame.PING:
                    self.link.send(Frame.PONG, received[1])
                self.frames.append(received)

    async def works(self):
        self.link.send(Frame.PING, b"12345678")
        await within(3, lambda: (Frame.PONG, b"12345678") in self.frames, "the link is closed")
        self.link.abort()

    async def ending(self):
        await asyncio.wait_for(self.task, 3)
        return self.frames


def goodbye(frames):
    """The code of the GOODBYE at the end, if there is one."""
    last = [body for kind, body in frames if kind == Frame.GOODBYE]
    return Goodbye(int.from_bytes(last[-1][:2], "big")) if last else None


async def is_closed_and_barred(world, node, link, identity):
    """A node closes a link without a word, and lets this identity in no more, again without a word."""
    assert goodbye(await ending(link)) is None, "it says good-bye"
    assert await is_refused(world, node, identity) == "closed without a HELLO"


async def rest(reader, seconds=4):
    """All bytes until the peer closes. It must close."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := await asyncio.wait_for(reader.read(4096), seconds):
            data += piece
    return data


async def is_refused(world, node, identity):
    """A new connection under this identity gets no HELLO."""
    try:
        link = await world.dial(node, identity)
    except (ProtocolError, Refused) as error:
        return str(error)
    link.abort()
    raise AssertionError("it is let in")


async def raw(node):
    return await asyncio.open_connection(*node.address)


# ---- Joining and taking part -----------------------------------------------------------------------------------------


@check("a network of three nodes comes together")
async def _(world):
    for node in world.nodes:
        await node.start()
    await world.genesis.says(rf"{world.alpha.id.hex()[:8]} is present")
    await world.genesis.says(rf"{world.beta.id.hex()[:8]} is present")
    await world.beta.says(r"^joined")
    await within(5, lambda: world.genesis.count("opened") >= 2)
    await world.genesis.asked("/links", r"^2 links")


@check("joins through genesis in the documented order: asks it for members, dials one, asks that one for neighbours")
async def _(world):
    member = world.member
    await member.start()
    await member.join(world.genesis.address, world.genesis.id)
    kinds = "dialled", "asked for members", "asked for neighbours"
    steps = [(what, who) for what, who, *_ in member.history if what in kinds]
    names = {node.id: node.name for node in world.nodes}
    assert steps[:2] == [("dialled", world.genesis.id), ("asked for members", world.genesis.id)], steps
    one = steps[2][1]
    assert names[one] in ("alpha", "beta") and steps[2:4] == [("dialled", one), ("asked for neighbours", one)], steps
    assert len(steps) == 5 and set(member.neighbours) == set(names), steps


@check("appears as a member everywhere")
async def _(world):
    me = world.member.id.hex()
    for node in (world.genesis, world.beta):
        await node.says(rf"^{me[:8]} is present")
        await node.asked("/members", rf"^{me}  present +{re.escape(world.member.listen[0])}$")
        await node.says(r"^4 members")
    # alpha prints only broadcasts: another client asks it.
    link = await world.dial(world.alpha)
    link.send(Frame.PEERS_WANTED, bytes([NEIGHBOURS, 16]))
    row = Envelope.row(world.network, await next_of(link, Frame.PEERS))
    assert world.member.id in {envelope.sender for envelope in row} and all(e.is_verified() for e in row)
    link.send(Frame.GOODBYE, bytes([0, Goodbye.VISIT_DONE]))
    link.close()


@check("knows every member by presences that verify")
async def _(world):
    everybody = {node.id for node in world.nodes} | {world.member.id}
    await within(3, lambda: world.member.members() == everybody)
    assert all(slot.is_verified() for slot in world.member.slots.values())


@check("receives what a node publishes, once, and as the same envelope as the others")
async def _(world):
    world.genesis.type("said by genesis, with ümlaut")
    await everywhere(world, "said by genesis, with ümlaut")
    found = await within(3, lambda: [e for e in world.member.delivered if e.message.startswith(b"said by genesis")])
    assert len(found) == 1 and found[0].sender == world.genesis.id and found[0].title == "chat"
    assert found[0].to_json() in world.alpha.lines


@check("publishes what every node delivers, once")
async def _(world):
    envelope = world.member.publish("chat", b"said by the client")
    await everywhere(world, "said by the client")
    assert envelope.to_json() in world.alpha.lines


@check("answers a ping")
async def _(world):
    await world.genesis.asked(f"/ping {world.member.id.hex()[:12]}", r"answered after")
    assert ("ping", world.genesis.id) in world.member.history


@check("measures a ping to each neighbour")
async def _(world):
    for neighbour in world.member.neighbours.values():
        assert 0 < await neighbour.ping() < 2


@check("gets by WANT what was said before it came")
async def _(world):
    late = Member(world.network, Identity())
    await late.start()
    await late.dial(world.beta.address, world.beta.id)
    texts = lambda: sorted(envelope.message[:18] for envelope in late.delivered)
    await within(3, lambda: texts() == [b"said by genesis, w", b"said by the client"], "it got something else")
    assert late.members() >= {node.id for node in world.nodes} | {world.member.id}
    await late.stop()


@check("a node that begins at the client joins through it, and gets presences and broadcasts from it")
async def _(world):
    client = world.member
    host, port = client.listen[0].split(":")
    gamma = Node(world.folder, "gamma", world.network, ((host, int(port)), client.id))
    world.extra.append(gamma)
    await gamma.start()
    await gamma.says(r"^joined")
    await gamma.says(r"said by the client")
    await gamma.says(r"said by genesis")
    served = {title for what, who, title in (e for e in client.history if e[0] == "served") if who == gamma.id}
    # What members say to be sealed to (a record) is passed on like anything else.
    assert {PRESENCE, "chat"} <= served <= {PRESENCE, "chat", RECORD}, served
    await gamma.asked("/members", r"^5 members")
    await gamma.asked(f"/ping {client.id.hex()[:12]}", r"answered after")
    gamma.type("/stop")
    await world.genesis.says(rf"^{gamma.id.hex()[:8]} is gone")
    await within(3, lambda: gamma.id not in client.members())


@check("a node says ABSENT to what it does not hold, and serves what it holds")
async def _(world):
    link = await world.dial(world.beta)
    unknown, known = os.urandom(32), world.member.slots[world.member.id]
    link.send(Frame.WANT, unknown + known.id)
    frames = []
    while len(frames) < 2:
        received = await asyncio.wait_for(link.receive(), 3)
        frames += [received] if received[0] in (Frame.BROADCAST, Frame.ABSENT) else []
    assert sorted(frames) == [(Frame.BROADCAST, known.data), (Frame.ABSENT, unknown)]
    link.abort()


@check("serves its own presence on WANT, and says ABSENT to what it does not hold")
async def _(world):
    client, unknown = world.member, os.urandom(32)
    host, port = client.listen[0].split(":")
    link = await dial((host, int(port)), world.network, Identity(), client.id)
    own = client.slots[client.id]
    link.send(Frame.WANT, own.id + unknown)
    received = [await asyncio.wait_for(link.receive(), 3) for _ in range(3)]
    assert received[0][0] == Frame.HAVE and own.id in received[0][1]
    assert received[1:] == [(Frame.BROADCAST, own.data), (Frame.ABSENT, unknown)]
    link.abort()


@check("repairs nothing it should not: what it announced and does not hold costs nothing, live-only is not offered")
async def _(world):
    identity, unknown = Identity(), os.urandom(32)
    link = await world.dial(world.genesis, identity)
    live = world.envelope(identity, "only live", lifetime=0)
    link.send(Frame.BROADCAST, live.data)
    link.send(Frame.HAVE, unknown)
    while await next_of(link, Frame.WANT) != unknown:
        pass
    link.send(Frame.ABSENT, unknown)
    await works(link)
    link.abort()
    await everywhere(world, "only live")
    link = await world.dial(world.genesis)
    ids = await next_of(link, Frame.HAVE)
    assert live.id not in ids and world.member.slots[world.member.id].id in ids
    link.abort()


@check("repair: opens a session and is told the ids it lacks; offers one, and is asked for it")
async def _(world):
    identity = Identity()
    link = await world.dial(world.genesis, identity, features=["reconcile"])
    at = now()

    def opening(number, which):
        return struct.pack(">BHBQQQ32sI", 0x01, number, which, 0, at + 120_000_000, at, hashlib.sha256().digest(), 0)

    link.send(Frame.RECONCILE, opening(7, 1))
    accept = await next_of(link, Frame.RECONCILE)
    step, session, since, until, _, count = struct.unpack(">BHQQ32sI", accept)
    assert (step, session, since, until) == (0x81, 7, 0, at + 120_000_000), accept
    # "I have none": the answer lists what there is.
    link.send(Frame.RECONCILE, struct.pack(">BH", 0x02, 7) + bytes.fromhex("6100000200"))
    answer = await next_of(link, Frame.RECONCILE)
    assert answer[:8] == b"\x82\0\x07\x61\0\0\x02" + bytes([count]) and len(answer) == 8 + 32 * count, answer
    ids = [answer[begin : begin + 32] for begin in range(8, len(answer), 32)]
    assert world.member.slots[world.member.id].id in ids
    link.send(Frame.RECONCILE, struct.pack(">BHB", 0x03, 7, 0))
    # What the node lacks of the messages is offered, asked for and heard.
    link.send(Frame.RECONCILE, opening(8, 0))
    while (await next_of(link, Frame.RECONCILE))[:3] != b"\x81\0\x08":
        pass
    missing = world.envelope(identity, "found missing", at=at - 60_000_000)
    link.send(Frame.RECONCILE, struct.pack(">BH", 0x04, 8) + missing.id)
    assert await next_of(link, Frame.WANT) == missing.id
    link.send(Frame.BROADCAST, missing.data)
    await everywhere(world, "found missing")
    link.abort()


@check("unknown optional frames confuse nobody")
async def _(world):
    link = await world.dial(world.next())
    for kind in (0x80, 0xA7, 0xFF):
        link.send(kind, os.urandom(100))
    link.send(0x80, bytes(65_536))
    await works(link)
    link.abort()
    client = world.member
    host, port = client.listen[0].split(":")
    link = await dial((host, int(port)), world.network, Identity(), client.id)
    link.send(0x99, b"something new")
    await works(link)
    link.abort()


@check("an unknown kind below 80 is answered by GOODBYE unsupported, and nobody is blamed")
async def _(world):
    identity, node = Identity(), world.next()
    for _ in range(3):
        link = await world.dial(node, identity)
        link.send(0x6F, b"?")
        assert goodbye(await ending(link)) == Goodbye.UNSUPPORTED


@check("a known kind whose feature was not announced is answered by GOODBYE unsupported, whatever its length")
async def _(world):
    identity, node = Identity(), world.next()
    for kind, length in ((Frame.REVOCATIONS, 0), (Frame.REVOCATIONS, 70_000)):
        link = await world.dial(node, identity)
        link.stream.write(struct.pack(">IB", length, kind) + bytes(min(length, 64)))
        assert goodbye(await ending(link)) == Goodbye.UNSUPPORTED, (kind, length)


@check("a message to one node alone is not sent to a client that did not announce `requests`")
async def _(world):
    await world.genesis.asked(f"/to {world.member.id.hex()[:12]} for you", r"takes no messages")
    assert not [e for e in world.member.history if e[0] == "unsupported"], "it got a REQUEST"
    assert world.genesis.id in world.member.neighbours


@check("a message to one node alone: REQUEST, answered by an empty RESPONSE, both ways")
async def _(world):
    identity = Identity()
    link = await world.dial(world.genesis, identity, features=["requests"])
    world.genesis.type(f"/to {identity.id.hex()[:12]} for you alone")
    request = await next_of(link, Frame.REQUEST)
    assert request == (1).to_bytes(8, "big") + b"\4chat" + b"\1" + b"for you alone", request
    since = len(world.genesis.lines)
    link.send(Frame.RESPONSE, request[:8] + b"\1")
    await world.genesis.says("has it", since=since)
    link.send(Frame.REQUEST, (1).to_bytes(8, "big") + b"\4chat" + b"\0" + b"in two ")
    link.send(Frame.REQUEST, (1).to_bytes(8, "big") + b"\0" + b"\1" + b"pieces")
    assert await next_of(link, Frame.RESPONSE, Frame.REFUSED) == (1).to_bytes(8, "big") + b"\1"
    await world.genesis.says(f"{identity.id.hex()[:8]} to me alone: in two pieces")
    link.abort()


@check("an id is served at most twice in a minute")
async def _(world):
    link = await world.dial(world.next())
    known = world.member.slots[world.member.id]
    for _ in range(4):
        link.send(Frame.WANT, known.id)
    link = Answering(link)
    await asyncio.sleep(0.3)
    # Somebody's presence may come in between.
    answers = [received for received in link.frames if received[0] == Frame.ABSENT or received[1] == known.data]
    assert answers == [(Frame.BROADCAST, known.data)] * 2
    await link.works()


@check("every PEERS_WANTED gets one answer, an empty one when they come too often")
async def _(world):
    link = await world.dial(world.beta)
    for _ in range(6):
        link.send(Frame.PEERS_WANTED, bytes([RANDOM_MEMBERS, 16]))
    rows = [Envelope.row(world.network, await next_of(link, Frame.PEERS)) for _ in range(6)]
    assert [len(row) for row in rows] == [3, 3, 3, 3, 0, 0], rows  # all members but the asked one
    link.abort()


@check("two links from the same node: the older stays if it lives, the newer if it does not or if it says `renew`")
async def _(world):
    identity = Identity()
    older = await world.dial(world.beta, identity)
    newer = await world.dial(world.beta, identity)
    older = Answering(older)
    assert goodbye(await ending(newer, 4)) == Goodbye.DUPLICATE
    newer = await world.dial(world.beta, identity, renew=True)
    assert goodbye(await older.ending()) == Goodbye.RENEWED
    await works(newer)
    newest = await world.dial(world.beta, identity)  # the older one is silent now
    await asyncio.sleep(2.5)
    await works(newest)
    newest.abort()
    newer.abort()


@check("two links dialled from both ends: the one of the smaller id stays")
async def _(world):
    node = world.beta
    for smaller in (True, False):
        identity = Identity()
        while (identity.id < node.id) != smaller:
            identity = Identity()
        arrived = asyncio.get_running_loop().create_future()

        async def arrive(reader, writer):
            arrived.set_result(await accept(reader, writer, world.network, identity))

        server = await asyncio.start_server(arrive, "127.0.0.1", 0)
        node.type(f"/connect sealnet://{identity.id.hex()}@127.0.0.1:{server.sockets[0].getsockname()[1]}")
        theirs = Answering(await asyncio.wait_for(arrived, 3))
        await asyncio.sleep(0.1)
        try:
            mine = Answering(await world.dial(node, identity))
            stays, goes = (mine, theirs) if smaller else (theirs, mine)
            assert goodbye(await goes.ending()) == Goodbye.DUPLICATE
        except Refused as error:
            assert error.code == Goodbye.DUPLICATE and not smaller
            stays = theirs
        await stays.works()
        server.close()


@check("keys change after 65,536 records")
async def _(world):
    link = await world.dial(world.beta)
    piece = frame(0x80)
    for n in range(66_000):
        link.stream.write(piece)
        if n % 4_096 == 0:
            await link.stream.writer.drain()
    await works(link)
    assert link.stream.sent > 65_536
    link.abort()


# ---- Being refused ---------------------------------------------------------------------------------------------------


@check("refused: two envelopes signed wrongly; then barred, and a new link is refused")
async def _(world):
    identity = Identity()
    link = await world.dial(world.genesis, identity)
    for text in ("forged one", "forged two"):
        envelope = bytearray(world.envelope(identity, text).data)
        envelope[-1] ^= 1
        link.send(Frame.BROADCAST, bytes(envelope))
    await is_closed_and_barred(world, world.genesis, link, identity)
    await world.genesis.says(rf"^{identity.id.hex()[:8]} is barred")
    await nowhere(world, "forged")


@check("refused: an envelope signed by somebody else than its sender")
async def _(world):
    link = await world.dial(world.beta)
    envelope = world.envelope(world.member.identity, "in another name")
    forged = envelope.signed + Identity().sign(ENVELOPE + envelope.id)
    link.send(Frame.BROADCAST, forged)
    await works(link)  # one alone costs standing, not the link
    link.send(Frame.BROADCAST, forged)
    await ending(link)
    await nowhere(world, "in another name")


@check("refused: a frame longer than its kind may be; then barred")
async def _(world):
    identity = Identity()
    link = await world.dial(world.genesis, identity)
    link.stream.write(struct.pack(">IB", 131_387, Frame.BROADCAST))
    await is_closed_and_barred(world, world.genesis, link, identity)


@check("refused: fixed-size frames of another size, and a broken list of ids")
async def _(world):
    for kind, body in ((Frame.PING, b"short"), (Frame.PEERS_WANTED, b"\0"), (Frame.HAVE, bytes(33)),
                       (Frame.PEERS_WANTED, bytes([2, 1])), (Frame.PEERS_WANTED, bytes([0, 17])),
                       (Frame.GOODBYE, b"\0")):
        identity, node = Identity(), world.next()
        link = await world.dial(node, identity)
        link.send(kind, body)
        await is_closed_and_barred(world, node, link, identity)


@check("refused: records that lie about their length")
async def _(world):
    for data in (b"\0\0", struct.pack(">H", 16) + bytes(16), struct.pack(">H", 40) + bytes(200)):
        identity, node = Identity(), world.next()
        link = await world.dial(node, identity)
        link.stream.writer.write(data)
        assert goodbye(await ending(link)) is None
        link = await world.dial(node, identity)  # it may have been the path: nobody is blamed
        link.abort()


@check("refused: a record that was altered, and one that comes twice")
async def _(world):
    for twice in (False, True):
        identity, node = Identity(), world.next()
        link = await world.dial(node, identity)
        record = bytearray(link.stream.seal(frame(Frame.PING, bytes(8))))
        if not twice:
            record[-1] ^= 1
        link.stream.writer.write(bytes(record) * 2)
        assert goodbye(await ending(link)) is None
        link = await world.dial(node, identity)
        link.abort()


async def first_frames(world, node, identity, frames):
    """Everything a node answers to these frames in place of HELLO."""
    reader, writer = await raw(node)
    link, message = await initiate(reader, writer, world.network, identity, node.id)
    writer.write(message + link.stream.seal(frames))
    return await ending(link)


@check("refused: a frame before HELLO, and one behind it before the node's HELLO: not a byte, nobody is blamed")
async def _(world):
    identity, node = Identity(), world.next()
    ping, hello = frame(Frame.PING, bytes(8)), frame(Frame.HELLO, hello_body(world.network, identity))
    for frames in (ping, ping + hello, hello + ping, frame(Frame.HAVE)):
        assert await first_frames(world, node, identity, frames) == []
    (await world.dial(node, identity)).abort()


@check("refused: a second HELLO")
async def _(world):
    identity, node = Identity(), world.next()
    link = await world.dial(node, identity)
    link.send(Frame.HELLO, hello_body(world.network, identity))
    await is_closed_and_barred(world, node, link, identity)


@check("refused: a HELLO that is none: not a byte, nobody is blamed")
async def _(world):
    identity, node = Identity(), world.next()
    body = hello_body(world.network, identity)
    wrong = [
        b"[]", b"{}", b"", body.replace(b'"agent"', b'"agenda"'), body[:-1] + b',"agent":"again"}',
        body.replace(b'"max_version":1', b'"max_version":0'), body.replace(b'"max_version":1', b'"max_version":1.0'),
        b"\xef\xbb\xbf" + body, body.replace(b'"features":[]', b'"features":null'), body + b" " * 4_096,
        body[:-1] + b',"x":[[[[]]]]}',
    ]
    for this in wrong:
        assert await first_frames(world, node, identity, frame(Frame.HELLO, this)) == [], this
    (await world.dial(node, identity)).abort()


@check("a HELLO with unknown keys, and features and applications nobody knows, is welcome")
async def _(world):
    link = await world.dial(world.next(), features=["x-new.1"], apps={"chess": "2"}, certificate="", shoe_size=[[[44]]])
    await works(link)
    link.abort()


@check("refused: another protocol, version or mode in the preamble: silence")
async def _(world):
    for at, byte in ((0, 0x73), (5, 2), (5, 0), (6, 1), (6, 0xFF), (7, 1)):
        reader, writer = await raw(world.next())
        wrong = bytearray(preamble(world.network))
        wrong[at] = byte
        writer.write(bytes(wrong) + with_length(Handshake(world.network, True).write()))
        assert await rest(reader) == b"", (at, byte)
        writer.close()


@check("refused: another network: neither end can open what the other seals")
async def _(world):
    other = Network("another")
    node = world.next()
    reader, writer = await raw(node)
    try:
        await initiate(reader, writer, other, Identity(), node.id)
        raise AssertionError("the client takes it for its network")
    except ProtocolError as error:
        assert "does not open" in str(error)
    writer.write(with_length(os.urandom(161)))  # a client that goes on all the same
    assert await rest(reader) == b""
    writer.close()
    # And a node that dials into another network sends its first message and nothing more.
    seen = asyncio.get_running_loop().create_future()

    async def other_network(reader, writer):
        handshake = Handshake(other, False)
        handshake.read((await reader.readexactly(8 + 2 + 32))[10:])
        writer.write(with_length(handshake.write(proof(Identity(), RESPONDER, handshake.h, handshake.static))))
        seen.set_result(await rest(reader))
        writer.close()

    server = await asyncio.start_server(other_network, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    world.genesis.type(f"/connect sealnet://{Identity().id.hex()}@127.0.0.1:{port}")
    assert await asyncio.wait_for(seen, 5) == b""
    server.close()


@check("refused: a handshake message of another length")
async def _(world):
    for length in (0, 31, 33, 48, 65_535):
        reader, writer = await raw(world.next())
        writer.write(preamble(world.network) + struct.pack(">H", length) + bytes(min(length, 64)))
        assert await rest(reader) == b"", length
        writer.close()


async def handshake_is_refused(world, make_proof, identity=None):
    """A node closes after message 3 without a byte."""
    node = world.next()
    reader, writer = await raw(node)
    identity = identity or Identity()
    link, message = await initiate(reader, writer, world.network, identity, node.id, make_proof)
    writer.write(message + link.stream.seal(frame(Frame.HELLO, hello_body(world.network, identity))))
    assert await rest(reader) == b"", "it answers"
    writer.close()
    return node


@check("refused: a proof of identity with the wrong role")
async def _(world):
    await handshake_is_refused(world, lambda me, role, h, static: proof(me, RESPONDER, h, static))


@check("refused: a proof of identity over another hash, or another static key; and nobody is blamed")
async def _(world):
    identity = Identity()
    await handshake_is_refused(world, lambda me, role, h, static: proof(me, role, os.urandom(32), static), identity)
    node = await handshake_is_refused(world, lambda me, role, h, static: proof(me, role, h, os.urandom(32)), identity)
    (await world.dial(node, identity)).abort()


@check("refused: a proof of identity whose first byte is not 01, and one in the name of the node itself")
async def _(world):
    await handshake_is_refused(world, lambda *of: b"\x02" + proof(*of)[1:])
    await handshake_is_refused(
        world, lambda me, role, h, static: b"\x01" + world.genesis.id + me.sign(HANDSHAKE + role + h + static))


@check("refused: an identity with a torsion component, though its signature fits")
async def _(world):
    torsion = decode(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))

    def crafted(me, role, h, static):
        base = decode(bytes.fromhex("58" + "66" * 31))
        secret = int.from_bytes(os.urandom(32), "little") % L
        key = encode(add(multiply(secret, base), torsion))
        message = HANDSHAKE + role + h + static
        while True:  # until k is a multiple of 8, so that the torsion vanishes
            r = int.from_bytes(os.urandom(32), "little") % L
            commitment = encode(multiply(r, base))
            k = int.from_bytes(hashlib.sha512(commitment + key + message).digest(), "little") % L
            if k % 8 == 0:
                break
        signature = commitment + ((r + k * secret) % L).to_bytes(32, "little")
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)  # most libraries would take it
        assert not is_good_key(key)
        return b"\x01" + key + signature

    await handshake_is_refused(world, crafted)


@check("refused: an ephemeral key of zeros")
async def _(world):
    reader, writer = await raw(world.next())
    writer.write(preamble(world.network) + with_length(bytes(32)))
    assert await rest(reader) == b""
    writer.close()


@check("refuses itself: a node with another key than the pinned one, before it says who it is")
async def _(world):
    try:
        await dial(world.genesis.address, world.network, Identity(), world.alpha.id)
        raise AssertionError("it takes somebody else")
    except ProtocolError as error:
        assert str(error) == "somebody else"


@check("refused: envelopes of version 0 on a secure network")
async def _(world):
    identity, node = Identity(), world.next()
    link = await world.dial(node, identity)
    for n in range(2):
        envelope = bytearray(world.envelope(identity, f"version zero {n}").data)
        envelope[0] = 0
        link.send(Frame.BROADCAST, bytes(envelope[:-64]))
    await is_closed_and_barred(world, node, link, identity)
    await nowhere(world, "version zero")


@check("ignored: an envelope of a later version")
async def _(world):
    identity = Identity()
    link = await world.dial(world.next(), identity)
    for n in range(3):
        envelope = bytearray(world.envelope(identity, f"version two {n}").data)
        envelope[0] = 2
        link.send(Frame.BROADCAST, bytes(envelope))
    await works(link)
    link.abort()
    await nowhere(world, "version two")


@check("refused: bytes behind an envelope, and a title with a control character")
async def _(world):
    identity, node = Identity(), world.next()
    link = await world.dial(node, identity)
    link.send(Frame.BROADCAST, world.envelope(identity, "something behind").data + b"\0")
    link.send(Frame.BROADCAST, world.envelope(identity, "something behind").data.replace(b"chat", b"ch\nt"))
    await is_closed_and_barred(world, node, link, identity)
    await nowhere(world, "something behind")


@check("refused: PEERS with something else than presences, in answer to a question")
async def _(world):
    await misleading(world, "misled", world.envelope(Identity(), "no presence").data)
    await nowhere(world, "no presence")


@check("refused: PEERS that is no row of envelopes")
async def _(world):
    await misleading(world, "misled_again", b"\1 or something like it")


async def misleading(world, name, answer):
    """A node joins through a genesis node that answers its question like this: it is barred at once."""
    identity = Identity()
    closed = asyncio.get_running_loop().create_future()

    async def genesis(reader, writer):
        with contextlib.suppress(ProtocolError):  # the node tries again, and finds that this one is barred
            link = await accept(reader, writer, world.network, identity)
            await next_of(link, Frame.PEERS_WANTED)
            link.send(Frame.PEERS, answer)
            closed.set_result(await ending(link))

    server = await asyncio.start_server(genesis, "127.0.0.1", 0)
    node = Node(world.folder, name, world.network, (server.sockets[0].getsockname(), identity.id))
    world.extra.append(node)
    await node.start()
    assert goodbye(await asyncio.wait_for(closed, 5)) is None
    await node.says(rf"^{identity.id.hex()[:8]} is barred")
    server.close()
    node.end()


@check("refused: PEERS that nobody asked for")
async def _(world):
    identity, node = Identity(), world.next()
    link = await world.dial(node, identity)
    link.send(Frame.PEERS)
    await is_closed_and_barred(world, node, link, identity)


@check("ignored: its own envelope again, on every way; delivered once")
async def _(world):
    identity = Identity()
    envelope = world.envelope(identity, "said five times")
    links = [await world.dial(node, identity) for node in world.nodes]
    for _ in range(5):
        for link in links:
            link.send(Frame.BROADCAST, envelope.data)
        await asyncio.sleep(0.05)
    await everywhere(world, "said five times")
    for link in links:
        await works(link)  # a duplicate is no offence
        link.abort()


@check("ignored: an envelope 121 s from the future; one of 118 s is taken")
async def _(world):
    identity = Identity()
    link = await world.dial(world.next(), identity)
    link.send(Frame.BROADCAST, world.envelope(identity, "from too far ahead", at=now() + 121 * SECOND).data)
    link.send(Frame.BROADCAST, world.envelope(identity, "from somewhat ahead", at=now() + 118 * SECOND).data)
    await everywhere(world, "from somewhat ahead")
    await works(link)
    link.abort()
    await nowhere(world, "from too far ahead")


@check("ignored: an expired envelope; one within its time is taken, however old")
async def _(world):
    identity = Identity()
    link = await world.dial(world.next(), identity)
    link.send(Frame.BROADCAST, world.envelope(identity, "past its time", lifetime=60, at=now() - 121 * SECOND).data)
    link.send(Frame.BROADCAST, world.envelope(identity, "still in time", lifetime=600, at=now() - 500 * SECOND).data)
    await everywhere(world, "still in time")
    await works(link)
    link.abort()
    await nowhere(world, "past its time")


@check("after all that the network is whole, and the client still in it")
async def _(world):
    assert set(world.member.neighbours) == {node.id for node in world.nodes}
    world.beta.type("still here")
    await everywhere(world, "still here")
    await within(3, lambda: [e for e in world.member.delivered if e.message == b"still here"])
    for node in (world.genesis, world.beta):
        await node.asked("/members", r"^4 members")
        await node.asked("/links", r"^3 links")


@check("leaves: everybody takes notice")
async def _(world):
    await world.member.leave()
    for node in (world.genesis, world.beta):
        await node.says(rf"^{world.member.id.hex()[:8]} is gone")


# ---- The other two kinds of network ----------------------------------------------------------------------------------


async def talks(world, node, network):
    """A client joins a network of one node, and each hears the other."""
    member = Member(network, Identity())
    await member.start()
    await member.join(node.address, node.id)
    await node.says(rf"^{member.id.hex()[:8]} is present")
    member.publish("chat", b"from the client")
    await node.says("from the client")
    node.type("from the node")
    await within(3, lambda: [e for e in member.delivered if e.message == b"from the node"])
    await node.asked(f"/ping {member.id.hex()[:12]}", r"answered after")
    await member.leave()
    await node.says(rf"^{member.id.hex()[:8]} is gone")


@check("a network with a network key (XXpsk0): takes part; without the key, or with another, silence")
async def _(world):
    sealnet("keygen", "--network-key", "--out", f"{world.folder}/network.key")
    key = bytes.fromhex(Path(world.folder, "network.key").read_text().strip())
    network = Network(NAME, key=key)
    node = Node(world.folder, "keyed", network)
    world.extra.append(node)
    await node.start()
    await talks(world, node, network)
    for stranger in (Network(NAME), Network(NAME, key=bytes(32)), Network("another", key=key)):
        reader, writer = await raw(node)
        writer.write(preamble(stranger) + with_length(Handshake(stranger, True).write()))
        assert await rest(reader) == b""
        writer.close()
    # A recorded first message is worth one answer.
    opening = preamble(network) + with_length(Handshake(network, True).write())
    answers = []
    for _ in range(2):
        reader, writer = await raw(node)
        writer.write(opening)
        writer.write_eof()
        answers.append(len(await rest(reader)))
        writer.close()
    assert answers == [195, 0], answers


@check("a plain network: takes part; for another network, or a secure client, silence")
async def _(world):
    network = Network(NAME, plain=True)
    node = Node(world.folder, "plain", network)
    world.extra.append(node)
    await node.start()
    await talks(world, node, network)
    for opening in (preamble(network) + Network("another", plain=True).hash, preamble(network) + Network(NAME).hash,
                    preamble(Network(NAME)) + with_length(Handshake(Network(NAME), True).write())):
        reader, writer = await raw(node)
        writer.write(opening)
        assert await rest(reader) == b""
        writer.close()


# ---- The run ---------------------------------------------------------------------------------------------------------


async def run():
    passed = failed = 0
    # Whoever stops this program stops the nodes with it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)

    def result(name, ok, detail=""):
        nonlocal passed, failed
        passed, failed = passed + ok, failed + (not ok)
        print(f"{'ok    ' if ok else 'FAILED'}  {name}{detail}", flush=True)

    for name, ok in known_answers.checks():
        result(name, ok)
    until = time.monotonic() + LIMIT
    with tempfile.TemporaryDirectory(prefix="sealnet-interop-") as folder:
        world = World(folder)
        try:
            for name, function in CHECKS:
                start = time.monotonic()
                try:
                    await asyncio.wait_for(function(world), max(0.1, min(15, until - start)))
                    result(name, True, f" ({time.monotonic() - start:.1f} s)")
                except Exception as error:
                    result(name, False, f"\n        {type(error).__name__}: {error}")
        finally:
            world.end()
            await world.member.stop()
            for node in world.nodes + world.extra:
                if node.process:
                    await node.process.wait()
        if failed:
            for node in world.nodes + world.extra:
                print(f"---- {node.name}", *node.lines[-40:], sep="\n     ")
    print(f"{passed} passed, {failed} failed")
    return failed == 0


def main():
    global PROGRAM
    if len(sys.argv) != 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: run.py PROGRAM   (the built program, like target/release/sealnet)")
    PROGRAM = os.path.abspath(sys.argv[1])
    sys.exit(0 if asyncio.run(run()) else 1)


if __name__ == "__main__":
    main()
