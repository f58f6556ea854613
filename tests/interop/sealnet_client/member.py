"""Sections 5, 7 and 13: a member of a network. It joins, keeps its place, relays, repairs and leaves."""

import asyncio
import collections
import json
import os
import random
import time

from . import link as links
from .envelope import BadEnvelope, Envelope, LaterVersion, now
from .link import Frame, Goodbye, ProtocolError, Refused

PRESENCE, LEAVE, RECORD = "sealnet/presence", "sealnet/leave", "sealnet/member"
TARGET = 8
PING_AFTER, DEAD_AFTER = 4, 10  # as in the preset `lan`
PEERS_MAX = 73_728
HAVE_MAX, WANT_MAX, ABSENT_MAX, ANNOUNCED_MAX = 1_000, 256, 1_000, 4_096
RANDOM_MEMBERS, NEIGHBOURS = 0, 1


def ids_in(body):
    if len(body) % 32:
        raise ProtocolError("a list of ids with a broken end")
    return [body[i:i + 32] for i in range(0, len(body), 32)]


def pieces(items, size):
    return (items[i:i + size] for i in range(0, len(items), size))


def pair(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Neighbour:
    """A link of a member, and what is open on it."""

    def __init__(self, link):
        self.link, self.peer, self.send = link, link.peer, link.send
        self.questions = collections.deque()  # PEERS_WANTED without PEERS
        self.pings = {}  # bytes -> (when, future)
        self.heard = time.monotonic()
        self.answered = collections.deque(maxlen=4)  # when PEERS_WANTED were answered
        self.ponged = collections.deque(maxlen=2)
        self.why = None  # the GOODBYE that ended it

    async def ping(self):
        """The latency of the link in seconds."""
        token, future = os.urandom(8), asyncio.get_running_loop().create_future()
        self.pings[token] = time.monotonic(), future
        self.send(Frame.PING, token)
        return await asyncio.wait_for(future, 5)

    async def ask(self, what, count):
        """PEERS_WANTED: the envelopes of the answer."""
        future = asyncio.get_running_loop().create_future()
        self.questions.append(future)
        self.send(Frame.PEERS_WANTED, bytes([what, count]))
        return await asyncio.wait_for(future, 5)


class Member:
    def __init__(self, network, identity):
        self.network, self.identity, self.id = network, identity, identity.id
        self.neighbours = {}  # node id -> Neighbour
        self.index = {}  # id of every envelope that verified -> its time
        self.kept = {}  # id -> broadcast, the contents
        self.slots = {}  # sender -> its newest presence or leave
        self.proven = set()  # members with a proven address
        self.asked = {}  # id -> until when a WANT for it is open
        self.delivered = []  # broadcasts for the application
        self.history = []  # what happened, for those who want to see
        self.last = 0  # the time of the last own envelope
        self.listen = []
        self.server = None
        self.tasks = set()

    # ---- A life --------------------------------------------------------------------------------------------------

    async def start(self, host="127.0.0.1"):
        self.server = await asyncio.start_server(self.accepted, host, 0)
        self.listen = [f"{host}:{self.server.sockets[0].getsockname()[1]}"]

    async def join(self, address, genesis=None):
        """Section 13: through one genesis node, pinned to its id, into the network."""
        first = await self.dial(address, genesis)
        self.history.append(("asked for members", first.peer))
        members = await self.ask(first, RANDOM_MEMBERS)
        random.shuffle(members)
        for presence in members:
            neighbour = await self.dial_member(presence)
            if neighbour is None:
                continue
            self.history.append(("asked for neighbours", neighbour.peer))
            for other in await self.ask(neighbour, NEIGHBOURS):
                if len(self.neighbours) < TARGET:
                    await self.dial_member(other)
            break
        self.announce()
        self.spawn(self.keep_announced())

    async def leave(self):
        last = self.slots.get(self.id)
        if last:
            self.publish(LEAVE, b"", last.lifetime)
        for neighbour in list(self.neighbours.values()):
            self.close(neighbour, Goodbye.LEAVING)
        await self.stop()

    async def stop(self):
        """Ends everything at once and says nothing."""
        if self.server:
            self.server.close()
        for neighbour in list(self.neighbours.values()):
            neighbour.link.close()
        await asyncio.sleep(0.05)
        for task in list(self.tasks):
            task.cancel()

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # ---- Links ---------------------------------------------------------------------------------------------------

    async def dial(self, address, pinned=None):
        link = await links.dial(address, self.network, self.identity, pinned, self.listen)
        self.history.append(("dialled", link.peer))
        self.proven.add(link.peer)
        return await self.enter(link)

    async def dial_member(self, presence):
        """Dials a member, pinned to the sender of its presence."""
        if presence.sender == self.id or presence.sender in self.neighbours:
            return self.neighbours.get(presence.sender)
        for address in json.loads(presence.message).get("addresses", []):
            try:
                return await self.dial(pair(address), presence.sender)
            except (OSError, ProtocolError, Refused, asyncio.TimeoutError):
                continue
        return None

    async def accepted(self, reader, writer):
        try:
            link = await links.accept(reader, writer, self.network, self.identity, self.listen)
        except (ProtocolError, Refused, asyncio.TimeoutError) as error:
            self.history.append(("refused a connection", str(error)))
            return
        self.history.append(("accepted", link.peer))
        host = writer.get_extra_info("peername")[0]
        if any(pair(address)[0] == host for address in link.hello.get("listen", [])):
            self.proven.add(link.peer)
        await self.enter(link)

    async def enter(self, link):
        """A new link takes its place, unless an older one to the same node keeps it."""
        newer, older = Neighbour(link), self.neighbours.get(link.peer)
        if older and older.link.initiator == newer.link.initiator:
            newer_stays = newer.link.initiator or newer.link.hello.get("renew") is True  # the responder decides
        elif older:
            smaller_is_me = self.id < link.peer
            newer_stays = newer.link.initiator == smaller_is_me
        if older and not newer_stays:
            try:
                await asyncio.wait_for(older.ping(), 2)
                link.send(Frame.GOODBYE, Goodbye.DUPLICATE.to_bytes(2, "big"))
                link.close()
                return older
            except asyncio.TimeoutError:
                pass
        if older:
            self.close(older, Goodbye.DUPLICATE)
        self.neighbours[link.peer] = newer
        self.spawn(self.serve(newer))
        self.spawn(self.keep_alive(newer))
        slots = [envelope.id for envelope in self.slots.values()]
        kept = sorted(self.kept.values(), key=lambda envelope: envelope.time, reverse=True)
        have = (slots + [envelope.id for envelope in kept])[:ANNOUNCED_MAX]
        for some in pieces(have, HAVE_MAX):
            newer.send(Frame.HAVE, b"".join(some))
        return newer

    def close(self, neighbour, code, text=""):
        neighbour.send(Frame.GOODBYE, code.to_bytes(2, "big") + text.encode())
        neighbour.link.close()
        self.forget(neighbour)

    def forget(self, neighbour):
        if self.neighbours.get(neighbour.peer) is neighbour:
            del self.neighbours[neighbour.peer]
        for future in [*neighbour.questions, *(future for _, future in neighbour.pings.values())]:
            future.cancel()

    async def keep_alive(self, neighbour):
        while self.neighbours.get(neighbour.peer) is neighbour:
            silent = time.monotonic() - neighbour.heard
            if silent > DEAD_AFTER:
                neighbour.link.abort()
            elif silent > PING_AFTER:
                neighbour.send(Frame.PING, os.urandom(8))  # any frame that comes shows life
            await asyncio.sleep(1)

    async def serve(self, neighbour):
        """Reads a link to its end."""
        try:
            while (received := await neighbour.link.receive()) is not None:
                neighbour.heard = time.monotonic()
                self.receive(neighbour, *received)
        except ProtocolError as error:
            self.history.append(("closed", neighbour.peer, str(error)))
            neighbour.link.abort()
        self.forget(neighbour)

    # ---- Frames --------------------------------------------------------------------------------------------------

    def receive(self, neighbour, kind, body):
        if kind == Frame.PING and len(body) == 8:
            self.history.append(("ping", neighbour.peer))
            if len(neighbour.ponged) < 2 or time.monotonic() - neighbour.ponged[0] > 1:
                neighbour.ponged.append(time.monotonic())
                neighbour.send(Frame.PONG, body)
        elif kind == Frame.PONG and len(body) == 8:
            when, future = neighbour.pings.pop(body, (0, None))
            if future and not future.done():
                future.set_result(time.monotonic() - when)
        elif kind == Frame.GOODBYE and len(body) >= 2:
            neighbour.why = int.from_bytes(body[:2], "big")
            self.history.append(("goodbye", neighbour.peer, neighbour.why))
            neighbour.link.close()
        elif kind == Frame.PEERS_WANTED and len(body) == 2 and body[0] <= 1 and 1 <= body[1] <= 16:
            self.answer_peers(neighbour, *body)
        elif kind == Frame.PEERS:
            self.take_peers(neighbour, body)
        elif kind == Frame.BROADCAST:
            try:
                self.take_in(Envelope(self.network, body), neighbour)
            except LaterVersion:
                pass
            except BadEnvelope as error:
                raise ProtocolError(error) from None
        elif kind == Frame.HAVE:
            self.spawn(self.fetch(neighbour, ids_in(body)))
        elif kind == Frame.WANT:
            self.answer_want(neighbour, ids_in(body))
        elif kind == Frame.ABSENT:
            self.history.append(("absent", neighbour.peer, ids_in(body)))
        elif kind >= links.FIRST_OPTIONAL:
            pass
        elif kind in (Frame.HELLO, Frame.PING, Frame.PONG, Frame.GOODBYE, Frame.PEERS_WANTED):
            raise ProtocolError(f"a broken frame of kind {kind:02x}")
        else:  # a kind nobody knows, or one of a feature that was not announced
            self.history.append(("unsupported", neighbour.peer, kind))
            self.close(neighbour, Goodbye.UNSUPPORTED)

    def answer_peers(self, neighbour, what, count):
        """Presences as they were signed, of members one of whose addresses is proven."""
        often = len(neighbour.answered) == 4 and time.monotonic() - neighbour.answered[0] < 40
        found = [] if often else [
            envelope for sender, envelope in self.slots.items()
            if envelope.title == PRESENCE and envelope.is_live() and sender in self.proven
            and sender not in (self.id, neighbour.peer) and (what == RANDOM_MEMBERS or sender in self.neighbours)
        ]
        if not often:
            neighbour.answered.append(time.monotonic())
        random.shuffle(found)
        body = b""
        for envelope in found[:count]:
            if len(body) + len(envelope.data) > PEERS_MAX:
                break
            body += envelope.data
        neighbour.send(Frame.PEERS, body)

    async def ask(self, neighbour, what, count=8):
        """Presences that verify, out of an answer that can leave out but not invent."""
        return [envelope for envelope in await neighbour.ask(what, count) if envelope.is_verified()]

    def take_peers(self, neighbour, body):
        if not neighbour.questions:
            raise ProtocolError("an answer without a question")
        try:
            row = Envelope.row(self.network, body)
        except BadEnvelope as error:
            raise ProtocolError(error) from None
        if any(envelope.title != PRESENCE for envelope in row):
            raise ProtocolError("no presence in PEERS")
        for envelope in row:
            self.take_in(envelope, neighbour)
        future = neighbour.questions.popleft()
        if not future.done():
            future.set_result(row)

    async def fetch(self, neighbour, announced):
        """HAVE: what is missing is asked for 100 ms later, from one announcer at a time."""
        await asyncio.sleep(0.1)
        while self.neighbours.get(neighbour.peer) is neighbour:
            missing = [i for i in announced if i not in self.index]
            free = [i for i in missing if self.asked.get(i, 0) < time.monotonic()]
            for some in pieces(free, WANT_MAX):
                self.asked.update((i, time.monotonic() + 0.4) for i in some)
                neighbour.send(Frame.WANT, b"".join(some))
            if len(free) == len(missing):
                return
            await asyncio.sleep(0.4)

    def answer_want(self, neighbour, wanted):
        held = {envelope.id: envelope for envelope in self.slots.values()} | self.kept
        for i in wanted:
            if i in held:
                self.history.append(("served", neighbour.peer, held[i].title))
                neighbour.send(Frame.BROADCAST, held[i].data)
        for some in pieces([i for i in wanted if i not in held], ABSENT_MAX):
            neighbour.send(Frame.ABSENT, b"".join(some))

    # ---- Envelopes -----------------------------------------------------------------------------------------------

    def take_in(self, envelope, source=None):
        """What becomes of an envelope: section 4, "Verdicts"."""
        if not envelope.is_live() or envelope.is_from_the_future() or envelope.id in self.index:
            return
        if not envelope.is_verified():
            raise ProtocolError("an envelope that its sender has not signed")
        self.index[envelope.id] = envelope.time
        if envelope.title in (PRESENCE, LEAVE):
            slot = self.slots.get(envelope.sender)
            if slot and slot.place > envelope.place:
                return
            self.slots[envelope.sender] = envelope
        else:
            if envelope.lifetime:
                self.kept[envelope.id] = envelope
            if not envelope.title.startswith("sealnet/"):
                self.delivered.append(envelope)
        for neighbour in self.neighbours.values():
            if neighbour is not source:
                neighbour.send(Frame.BROADCAST, envelope.data)

    def publish(self, title, message, lifetime=3600):
        self.last = max(now(), self.last + 1)
        envelope = Envelope.make(self.network, self.identity, title, message, lifetime, self.last)
        self.take_in(envelope)
        return envelope

    def announce(self):
        period = int(max(200, len(self.slots) / 10) * random.uniform(0.8, 1.2))
        presence = {
            "addresses": self.listen, "links": sorted(peer[:8].hex() for peer in self.neighbours),
            "features": [], "apps": {}, "epoch": 0, "period": period,
        }
        self.publish(PRESENCE, json.dumps(presence, separators=(",", ":")).encode(), min(3 * period, 21_600))
        self.announced = set(self.neighbours), time.monotonic() + period

    async def keep_announced(self):
        while True:
            await asyncio.sleep(1)
            peers, until = self.announced
            if set(self.neighbours) != peers or time.monotonic() > until:
                self.announce()

    def members(self):
        return {sender for sender, slot in self.slots.items() if slot.title == PRESENCE and slot.is_live()}
