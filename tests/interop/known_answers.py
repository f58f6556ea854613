"""Section 14 of docs/protocol.md: the client computes the known answers that the page itself prints.

The long ones are read out of the page, so that page and client are compared, not two copies."""

import re
from pathlib import Path

from sealnet_client.envelope import Envelope
from sealnet_client.link import INITIATOR, RESPONDER, Frame, Handshake, Records, check_proof, frame, preamble, proof
from sealnet_client.names import LOW_ORDER, L, Identity, Network, is_good_key, is_good_signature

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
SECTION = PAGE[PAGE.index("## 14. Known answers"):PAGE.index("## 15.")]


def printed(label, nth=0):
    """The hex that stands behind a label at the beginning of a line, over as many lines as it takes."""
    found = re.findall(rf"^{re.escape(label)} +((?:[0-9a-f]+\s+)+)", SECTION, re.MULTILINE)
    return bytes.fromhex("".join(found[nth].split()))


def checks():
    """(name, whether it holds) of each."""
    name = "example-net"
    secure, plain = Network(name), Network(name, plain=True)
    shared = Network(name, key=b"\x03" * 32)
    a, b = Identity.from_secret(b"\x01" * 32), Identity.from_secret(b"\x02" * 32)
    yield "known answers: network hashes", secure.hash == printed("NH (secure)") and plain.hash == printed("NH (plain)")
    yield "known answers: psk", shared.psk == printed("psk")

    bad = [*LOW_ORDER, bytes.fromhex("ee" + "ff" * 30 + "7f"), bytes.fromhex(
        "3bcfb78c4ad06f9b8d7e8c50e37e33dd40042a7805f5df945fbf33620745bc68")]
    good = [a.id, b.id]
    yield "known answers: keys that count and keys that are refused", all(map(is_good_key, good)) and not any(
        map(is_good_key, bad))
    signature = a.sign(b"x")
    larger = signature[:32] + (int.from_bytes(signature[32:], "little") + L).to_bytes(32, "little")
    yield "known answers: S + L is refused", is_good_signature(a.id, signature, b"x") and not is_good_signature(
        a.id, larger, b"x")

    block = re.search(r"```text\n(01 +version.*?)```", SECTION, re.DOTALL)[1]
    columns = "".join(re.match(r"[0-9a-f ]*?(?=  |$)", line)[0] for line in block.split("\n\n")[0].splitlines())
    envelope = Envelope.make(secure, a, "chat", b"hello", 3600, at=1_700_000_000_000_000)
    unsigned = Envelope.make(plain, a, "chat", b"hello", 3600, at=1_700_000_000_000_000)
    yield "known answers: an envelope, byte for byte", envelope.data == bytes.fromhex(columns.replace(" ", ""))
    yield "known answers: its id, on both kinds of network", (envelope.id, unsigned.id) == (
        printed("id"), bytes.fromhex(re.search(r"version 0, no signature\s+([0-9a-f]{64})", SECTION)[1]))
    yield "known answers: its signature verifies", envelope.is_verified()

    h, payloads, messages, ends = transcript(secure, a, b)
    yield "known answers: handshake hashes", h == [printed("h", 0), printed("h", 1), printed("h at the end")]
    yield "known answers: handshake payloads", payloads == [printed("payload 2"), printed("payload 3")]
    yield "known answers: handshake messages", messages == [printed(f"message {i}") for i in (1, 2, 3)]
    mine, yours = (end.noise_protocol.cipher_state_encrypt for end in ends)
    yield "known answers: keys of the records", (mine.k, yours.k) == (
        printed("key, initiator sends"), printed("key, responder sends"))
    hello = b'{"agent":"example/1","max_version":1,"time":1700000000000000}'
    record = Records(None, None, ends[0]).seal(frame(Frame.HELLO, hello))
    yield "known answers: the first record", record == bytes.fromhex("".join(
        re.search(r"```text\n(0052[0-9a-f\s]+)```", SECTION)[1].split()))
    mine.rekey()
    yield "known answers: REKEY", mine.k == printed("REKEY of the former")

    h, _, messages, ends = transcript(shared, a, b)
    keys = re.search(r"^keys +([0-9a-f]{64}).*\n +([0-9a-f]{64})", SECTION, re.MULTILINE)
    yield "known answers: XXpsk0", (preamble(shared), messages[0], h) == (
        printed("preamble", 1), printed("message 1", 1), [printed("h", i) for i in (2, 3, 4)])
    yield "known answers: XXpsk0, keys of the records", [
        end.noise_protocol.cipher_state_encrypt.k.hex() for end in ends] == list(keys.groups())


def transcript(network, a, b):
    """A handshake of A with B with the page's keys: handshake hashes, payloads, messages, both ends."""
    here = Handshake(network, True, b"\x11" * 32, b"\x12" * 32)
    there = Handshake(network, False, b"\x21" * 32, b"\x22" * 32)
    first = here.write()
    there.read(first)
    h1 = here.h
    second = there.write(proof(b, RESPONDER, there.h, there.static))
    payload2 = here.read(second)
    check_proof(payload2, a, here.static, RESPONDER, h1, here.peer_static, b.id)
    h2 = here.h
    third = here.write(proof(a, INITIATOR, here.h, here.static))
    payload3 = there.read(third)
    check_proof(payload3, b, there.static, INITIATOR, h2, there.peer_static, a.id)
    return [h1, h2, here.h], [payload2, payload3], [first, second, third], [here.noise, there.noise]
