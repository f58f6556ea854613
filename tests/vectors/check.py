#!/usr/bin/env python3
"""Checks the test vectors in this folder by a second program.

Written from docs/protocol.md and the specifications it names (Noise revision 34, RFC 8032), and sharing no code with the
crate that made the vectors: hashes and HMAC are Python's, X25519, ChaCha20-Poly1305 and the making of Ed25519 signatures
are those of the package `cryptography`. The points of Ed25519 are computed here, since no library shows them.

    python3 check.py [FOLDER]

Prints how many vectors of each file were checked. Ends with status 1 at anything that does not agree, and if a file or a
part of one is missing. Every valid vector is made anew from its fields; every invalid one is judged anew, and must be
refused for the very reason it names.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import re
import struct
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "protocol.md"

MAX_INTEGER = 2**53 - 1
MAX_MESSAGE = 131_072
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

# ---------------------------------------------------------------------------------------------------------------------
# What went wrong, and how much was looked at


class Refused(Exception):
    """The bytes are not what they ought to be; the argument is the reason as the vectors name it."""


checked = {}
failures = []
current = "start"


def expect(condition, what):
    if not condition:
        failures.append(f"{current}: {what}")


def agree(found, published, what):
    expect(found == published, f"{what}: computed {shown(found)}, published {shown(published)}")


def shown(value):
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 200 else text[:200] + "..."


def refused_for(reason, what, judge):
    """`judge` must raise Refused for exactly this reason."""
    try:
        judge()
    except Refused as refusal:
        agree(str(refusal), reason, what)
    else:
        expect(False, f"{what}: accepted, should be refused for {reason}")


def raw(value):
    """Bytes as they stand in the files: hex, or a list of hex and repeated bytes."""
    if isinstance(value, str):
        expect(value == value.lower(), "hex is lower case")
        return bytes.fromhex(value)
    pieces = [raw(piece) if isinstance(piece, str) else raw(piece["byte"]) * piece["times"] for piece in value]
    return b"".join(pieces)


def vectors(name):
    """Loads a file and makes sure that no part of it is empty."""
    global current
    current = name
    checked[name] = 0
    path = FOLDER / name
    if not path.is_file():
        failures.append(f"{name}: the file is missing")
        return None
    file = json.loads(path.read_text(encoding="utf-8"))
    for part, contents in file.items():
        expect(contents, f"the part {part} is empty")
    return file


def each(cases):
    for case in cases:
        checked[current] += 1
        yield case


# ---------------------------------------------------------------------------------------------------------------------
# Section 1: names


def network_hash(name, plain=False):
    prefix = b"sealnet/1 plain network\0" if plain else b"sealnet/1 network\0"
    return hashlib.sha256(prefix + name.encode()).digest()


def check_name(name):
    if not 1 <= len(name.encode()) <= 64:
        raise Refused("length")
    if not re.fullmatch("[a-z0-9._-]+", name, re.ASCII):
        raise Refused("alphabet")


def hkdf(salt, key, info, length):
    """RFC 5869, for at most 32 bytes."""
    extracted = hmac.new(salt, key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()[:length]


def names():
    file = vectors("names.json")
    for case in each(file["networks"]):
        check_name(case["name"])
        agree(network_hash(case["name"]), raw(case["secure"]), case["name"])
        agree(network_hash(case["name"], plain=True), raw(case["plain"]), case["name"])
    for case in each(file["invalid_names"]):
        refused_for(case["reason"], repr(case["name"]), lambda: check_name(case["name"]))
    expected = [b"sealnet/1 " + domain + b"\0" for domain in DOMAINS]
    agree([raw(domain) for domain in each(file["domains"])], expected, "domains")
    for case in each(file["network_keys"]):
        psk = hkdf(network_hash(case["network"]), raw(case["network_key"]), b"sealnet/1 psk\0", 32)
        agree(psk, raw(case["psk"]), "psk")


# ---------------------------------------------------------------------------------------------------------------------
# Section 6: Ed25519 by the strict rule, in whole numbers

DOMAINS = [b"handshake", b"envelope", b"membership", b"revocation", b"rotation"]
HANDSHAKE, ENVELOPE, MEMBERSHIP, REVOCATION, ROTATION = [b"sealnet/1 " + domain + b"\0" for domain in DOMAINS]

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)  # X, Y, Z, T of the extended coordinates


def add(a, b):
    """The complete addition law for the curve -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032, section 5.1.4)."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e = (y1 - x1) * (y2 - x2) % P
    f = (y1 + x1) * (y2 + x2) % P
    g = 2 * t1 * t2 * D % P
    h = 2 * z1 * z2 % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(scalar, point):
    """Multiplies by the number as it is: nothing is reduced modulo L."""
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def negative(point):
    x, y, z, t = point
    return (-x % P, y, z, -t % P)


def equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def encode(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(encoded):
    """The point with this y (taken modulo p) and this sign, or None."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number % 2**255 % P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_1 % P
    if x * x % P != square:
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


BASE = decode(bytes.fromhex("58" + "66" * 31))


def accept_key(key):
    """The three rules for keys, in the order of the page; gives the point."""
    point = decode(key)
    if point is None:
        raise Refused("not-a-point")
    if encode(point) != key:
        raise Refused("not-canonical")
    if equal(times(8, point), NEUTRAL):
        raise Refused("low-order")
    if not equal(times(L, point), NEUTRAL):
        raise Refused("torsion")
    return point


def verify(key, signature, message):
    """The rule for signatures, after the one for keys."""
    point = accept_key(key)
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= L:
        raise Refused("signature")
    r_point = decode(r)
    if r_point is None or equal(times(8, r_point), NEUTRAL):
        raise Refused("signature")
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    if encode(add(times(s, BASE), negative(times(k, point)))) != r:
        raise Refused("signature")


def sign(seed, message):
    """By the library: what an honest implementation makes."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def public(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def keys():
    file = vectors("keys.json")
    for case in each(file["valid"]):
        agree(public(raw(case["seed"])), raw(case["id"]), "id")
        accept_key(raw(case["id"]))
    for case in each(file["invalid"]):
        refused_for(case["reason"], case["id"], lambda: accept_key(raw(case["id"])))
    low = {raw(case["id"]) for case in file["invalid"] if case["reason"] == "low-order"}
    agree(len(low), 8, "points of low order")


# ---------------------------------------------------------------------------------------------------------------------
# Section 2: proofs of identity and the Noise handshake

ROLES = {"initiator": b"\x01", "responder": b"\x02"}


def proof_statement(role, h, static):
    return HANDSHAKE + ROLES[role] + h + static


def judge_proof(payload, role, h, static):
    if len(payload) != 97 or payload[0] != 1:
        raise Refused("grammar")
    verify(payload[1:33], payload[33:], proof_statement(role, h, static))
    return payload[1:33]


def identity_proofs():
    file = vectors("identity_proofs.json")
    for case in each(file["valid"]):
        h, static, seed = raw(case["h"]), raw(case["static_public"]), raw(case["seed"])
        agree(x25519_public(raw(case["static_secret"])), static, "static key")
        statement = proof_statement(case["role"], h, static)
        agree(statement, raw(case["signed"]), "what is signed")
        payload = b"\x01" + public(seed) + sign(seed, statement)
        agree(payload, raw(case["payload"]), "payload")
        agree(judge_proof(payload, case["role"], h, static), raw(case["id"]), "id")
    for case in each(file["invalid"]):
        arguments = raw(case["payload"]), case["role"], raw(case["h"]), raw(case["static_public"])
        refused_for(case["reason"], case["what"], lambda: judge_proof(*arguments))


def x25519_public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def x25519(secret, public_key):
    # The library raises ValueError if the result is all zero.
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public_key))


def noise_nonce(n):
    return bytes(4) + struct.pack("<Q", n)


class CipherState:
    """Noise, section 5.1."""

    def __init__(self, key=None):
        self.k, self.n = key, 0

    def encrypt(self, ad, plaintext):
        if self.k is None:
            return plaintext
        self.n += 1
        return ChaCha20Poly1305(self.k).encrypt(noise_nonce(self.n - 1), plaintext, ad)

    def decrypt(self, ad, ciphertext):
        if self.k is None:
            return ciphertext
        plaintext = ChaCha20Poly1305(self.k).decrypt(noise_nonce(self.n), ciphertext, ad)
        self.n += 1
        return plaintext


def rekey(key):
    """Noise, section 4.2."""
    return ChaCha20Poly1305(key).encrypt(noise_nonce(2**64 - 1), bytes(32), b"")[:32]


class SymmetricState:
    """Noise, section 5.2."""

    def __init__(self, protocol):
        name = protocol.encode()
        self.h = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self.ck = self.h
        self.cipher = CipherState()

    def hkdf(self, key, outputs):
        extracted = hmac.new(self.ck, key, hashlib.sha256).digest()
        made, last = [], b""
        for number in range(1, outputs + 1):
            last = hmac.new(extracted, last + bytes([number]), hashlib.sha256).digest()
            made.append(last)
        return made

    def mix_key(self, key):
        self.ck, k = self.hkdf(key, 2)
        self.cipher = CipherState(k)

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key_and_hash(self, key):
        self.ck, h, k = self.hkdf(key, 3)
        self.mix_hash(h)
        self.cipher = CipherState(k)

    def encrypt_and_hash(self, plaintext):
        ciphertext = self.cipher.encrypt(self.h, plaintext)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext):
        plaintext = self.cipher.decrypt(self.h, ciphertext)
        self.mix_hash(ciphertext)
        return plaintext


class HandshakeState:
    """Noise, section 5.3, for XX and XXpsk0."""

    MESSAGES = [["e"], ["e", "ee", "s", "es"], ["s", "se"]]

    def __init__(self, protocol, initiator, prologue, s, e, psk):
        self.symmetric = SymmetricState(protocol)
        self.symmetric.mix_hash(prologue)
        self.initiator, self.s, self.e, self.psk = initiator, s, e, psk
        self.rs = self.re = None
        first = ["psk"] if psk is not None else []
        self.messages = [first + self.MESSAGES[0], *self.MESSAGES[1:]]

    def mix_ephemeral(self, key):
        self.symmetric.mix_hash(key)
        if self.psk is not None:
            self.symmetric.mix_key(key)

    def mix_dh(self, token):
        # The first letter is the initiator's key, the second the responder's.
        own, theirs = token if self.initiator else token[::-1]
        secret = {"e": self.e, "s": self.s}[own]
        self.symmetric.mix_key(x25519(secret, {"e": self.re, "s": self.rs}[theirs]))

    def write(self, payload):
        message = b""
        for token in self.messages.pop(0):
            if token == "e":
                message += x25519_public(self.e)
                self.mix_ephemeral(x25519_public(self.e))
            elif token == "s":
                message += self.symmetric.encrypt_and_hash(x25519_public(self.s))
            elif token == "psk":
                self.symmetric.mix_key_and_hash(self.psk)
            else:
                self.mix_dh(token)
        return message + self.symmetric.encrypt_and_hash(payload)

    def read(self, message):
        for token in self.messages.pop(0):
            if token == "e":
                self.re, message = message[:32], message[32:]
                self.mix_ephemeral(self.re)
            elif token == "s":
                length = 32 if self.symmetric.cipher.k is None else 48
                self.rs, message = self.symmetric.decrypt_and_hash(message[:length]), message[length:]
            elif token == "psk":
                self.symmetric.mix_key_and_hash(self.psk)
            else:
                self.mix_dh(token)
        return self.symmetric.decrypt_and_hash(message)

    def split(self):
        return self.symmetric.hkdf(b"", 2)


def handshakes():
    file = vectors("handshakes.json")
    modes = {"Noise_XX_25519_ChaChaPoly_SHA256": 0, "Noise_XXpsk0_25519_ChaChaPoly_SHA256": 1}
    agree({case["protocol"] for case in file["handshakes"]}, set(modes), "protocols")
    for case in each(file["handshakes"]):
        protocol = case["protocol"]
        nh = network_hash(case["network"])
        preamble = b"SEALN\x01" + bytes([modes[protocol], 0])
        agree(preamble, raw(case["preamble"]), "preamble")
        agree(preamble + nh, raw(case["prologue"]), "prologue")
        psk = None
        if modes[protocol] == 1:
            psk = hkdf(nh, raw(case["network_key"]), b"sealnet/1 psk\0", 32)
            agree(psk, raw(case["psk"]), "psk")
        ends = {}
        for role in ROLES:
            side = case[role]
            agree(public(raw(side["seed"])), raw(side["id"]), "id")
            for key in ["static", "ephemeral"]:
                agree(x25519_public(raw(side[key + "_secret"])), raw(side[key + "_public"]), key)
            s, e = raw(side["static_secret"]), raw(side["ephemeral_secret"])
            ends[role] = HandshakeState(protocol, role == "initiator", preamble + nh, s, e, psk)
        agree(ends["initiator"].symmetric.h, raw(case["h_before"]), "h before message 1")
        agree([message["from"] for message in case["messages"]], ["initiator", "responder", "initiator"], "order")
        for number, message in enumerate(each(case["messages"]), 1):
            role = message["from"]
            writer, reader = ends[role], ends["responder" if role == "initiator" else "initiator"]
            payload, h = b"", writer.symmetric.h
            if number > 1:
                seed, static = raw(case[role]["seed"]), raw(case[role]["static_public"])
                payload = b"\x01" + public(seed) + sign(seed, proof_statement(role, h, static))
            agree(payload, raw(message["payload"]), f"payload {number}")
            written = writer.write(payload)
            agree(written, raw(message["message"]), f"message {number}")
            agree(struct.pack(">H", len(written)) + written, raw(message["wire"]), f"message {number} with length")
            agree(reader.read(raw(message["message"])), payload, f"payload {number} as read")
            agree(writer.symmetric.h, raw(message["h"]), f"h after message {number}")
            agree(reader.symmetric.h, raw(message["h"]), f"h after message {number} at the reader")
            if number > 1:
                expect(reader.rs == raw(case[role]["static_public"]), "the static key arrived")
                agree(judge_proof(payload, role, h, reader.rs), raw(case[role]["id"]), "proof")
        lengths = [len(raw(message["message"])) for message in case["messages"]]
        agree(lengths, [48 if psk else 32, 193, 161], "lengths")
        keys_of = dict(zip(ROLES, ends["initiator"].split()))
        agree(dict(zip(ROLES, ends["responder"].split())), keys_of, "both ends' keys")
        agree(keys_of["initiator"], raw(case["key_initiator_sends"]), "key of the initiator")
        agree(keys_of["responder"], raw(case["key_responder_sends"]), "key of the responder")
        for record in each(case["records"]):
            sealed = seal_record(keys_of[record["from"]], record["number"], raw(record["plaintext"]))
            agree(sealed, raw(record["wire"]), "record")


# ---------------------------------------------------------------------------------------------------------------------
# Section 3: records


def seal_record(key, number, plaintext):
    body = ChaCha20Poly1305(key).encrypt(noise_nonce(number), plaintext, b"")
    return struct.pack(">H", len(body)) + body


def open_record(key, number, wire):
    (length,) = struct.unpack(">H", wire[:2])
    if length < 17:
        raise Refused("length")
    # The record ends where its length says; what follows would be the next one's.
    try:
        return ChaCha20Poly1305(key).decrypt(noise_nonce(number), wire[2 : 2 + length], b"")
    except InvalidTag:
        raise Refused("open") from None


def records():
    file = vectors("records.json")
    handshake = json.loads((FOLDER / "handshakes.json").read_text(encoding="utf-8"))["handshakes"][0]
    key = raw(handshake["key_initiator_sends"])
    for number, case in enumerate(each(file["keys"])):
        agree(case["from_record"], number * 65_536, "first record of a key")
        agree(key, raw(case["key"]), f"key from record {case['from_record']}")
        key = rekey(key)
    def key_of(number):
        return raw(file["keys"][number // 65_536]["key"])
    for case in each(file["valid"]):
        number, plaintext = case["number"], raw(case["plaintext"])
        wire = seal_record(key_of(number), number, plaintext)
        if "wire" in case:
            agree(wire, raw(case["wire"]), f"record {number}")
        agree(hashlib.sha256(wire).digest(), raw(case["wire_sha256"]), f"hash of record {number}")
        agree(open_record(key_of(number), number, wire), plaintext, f"plaintext {number}")
    wanted = {0, 1, 65_534, 65_535, 65_536, 65_537}
    expect(wanted <= {case["number"] for case in file["valid"]}, "the records around the new key are there")
    for case in each(file["invalid"]):
        number = case["number"]
        refused_for(case["reason"], case["what"], lambda: open_record(key_of(number), number, raw(case["wire"])))


# ---------------------------------------------------------------------------------------------------------------------
# Section 4: envelopes


def build_envelope(version, sender, time, lifetime, title, message):
    """S: what is hashed."""
    head = bytes([version]) + sender + struct.pack(">QI", time, lifetime)
    return head + bytes([len(title)]) + title + struct.pack(">I", len(message)) + message


def envelope_id(nh, s):
    return hashlib.sha256(ENVELOPE + nh + s).digest()


def envelope_length(data, version):
    """The length by the envelope's own fields; more bytes may follow."""
    if data and data[0] in (0, 1) and data[0] != version:
        raise Refused("other-kind-of-network")
    if data and data[0] not in (0, 1):
        raise Refused("unknown-version")
    if len(data) < 46 or len(data) < 50 + data[45]:
        raise Refused("size")
    start = 50 + data[45]
    (length,) = struct.unpack(">I", data[start - 4 : start])
    if length > MAX_MESSAGE:
        raise Refused("message-length")
    return start + length + (64 if version == 1 else 0)


def check_title(title):
    """The text of a title's bytes."""
    if len(title) > 200:
        raise Refused("title-length")
    try:
        text = title.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("title-utf-8") from None
    if CONTROL.search(text):
        raise Refused("title-control")
    return text


def judge_envelope(data, version, nh):
    """The grammar, and on a secure network the signature; gives the fields."""
    if len(data) != envelope_length(data, version):
        raise Refused("size")
    sender, (time, lifetime), end = data[1:33], struct.unpack(">QI", data[33:45]), 46 + data[45]
    title = check_title(data[46:end])
    if not 1 <= time <= MAX_INTEGER:
        raise Refused("time")
    s, signature = (data[:-64], data[-64:]) if version == 1 else (data, b"")
    identifier = envelope_id(nh, s)
    if version == 1:
        verify(sender, signature, ENVELOPE + identifier)
    return {"sender": sender, "time": time, "lifetime": lifetime, "title": title, "message": s[end + 4 :],
            "id": identifier, "signature": signature}


def envelopes():
    file = vectors("envelopes.json")
    for case in each(file["valid"]):
        what, version = case["what"], case["version"]
        nh = network_hash(case["network"], plain=version == 0)
        sender, title, message = raw(case["sender"]), case["title"].encode(), raw(case["message"])
        s = build_envelope(version, sender, case["time"], case["lifetime"], title, message)
        identifier = envelope_id(nh, s)
        agree(identifier, raw(case["id"]), f"id of {what}")
        signature = b""
        if version == 1:
            agree(public(raw(case["seed"])), sender, f"sender of {what}")
            signature = sign(raw(case["seed"]), ENVELOPE + identifier)
            agree(signature, raw(case["signature"]), f"signature of {what}")
        agree(s + signature, raw(case["envelope"]), what)
        read = judge_envelope(raw(case["envelope"]), version, nh)
        fields = {"sender": sender, "time": case["time"], "lifetime": case["lifetime"], "title": case["title"],
                  "message": message, "id": identifier, "signature": signature}
        agree(read, fields, f"fields of {what}")
    for case in each(file["invalid"]):
        version = case["version"]
        nh = network_hash(case["network"], plain=version == 0)
        refused_for(case["reason"], case["what"], lambda: judge_envelope(raw(case["envelope"]), version, nh))
    for case in each(file["rows"]):
        rest, found, reason = raw(case["row"]), [], None
        while rest and reason is None:
            try:
                length = envelope_length(rest, case["version"])
                if len(rest) < length:
                    raise Refused("size")
                found.append(rest[:length])
                rest = rest[length:]
            except Refused as refusal:
                reason = str(refusal)
        agree(found, [raw(file["valid"][number]["envelope"]) for number in case["envelopes"]], case["what"])
        agree(reason, case.get("reason"), case["what"])


# ---------------------------------------------------------------------------------------------------------------------
# JSON as the protocol reads it


class Float(str):
    """A number that is no integer: it has a point, an exponent, or is -0."""


def parse_float(text):
    if float(text) in (float("inf"), float("-inf")):
        raise Refused("json")
    return Float(text)


def parse_int(text):
    if abs(int(text)) >= 2**1024:
        raise Refused("json")
    return Float(text) if text == "-0" else int(text)


def parse_constant(_):
    raise Refused("json")


def parse_pairs(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise Refused("json")
    return dict(pairs)


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max((depth(one) for one in inner), default=0)


def strict_object(body, deepest):
    """One JSON object, read as the conventions say."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=parse_pairs, parse_float=parse_float, parse_int=parse_int,
                           parse_constant=parse_constant)
        # A lone surrogate cannot be written as UTF-8.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Refused("json") from None
    if not isinstance(value, dict) or depth(value) > deepest:
        raise Refused("json")
    return value


def is_integer(value, most=MAX_INTEGER):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def is_hex(value, length):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]*", value, re.ASCII) is not None and len(value) == 2 * length


def strict_base64(value):
    """RFC 4648 section 4, padded, unused bits zero; None for anything else."""
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return None
    return data if base64.b64encode(data).decode() == value else None


# ---------------------------------------------------------------------------------------------------------------------
# Section 4: the JSON form

FORM_KEYS = ["id", "sender", "title", "message", "message_base64", "time", "lifetime", "network", "signature"]


def judge_form(text, version, network):
    """The envelope that the text is the form of."""
    form = strict_object(text.encode("utf-8"), 1)
    for key in form:
        if key not in FORM_KEYS:
            raise Refused("unknown-key")
    def field(name, good):
        if name not in form or not good(form[name]):
            raise Refused("field:" + name)
        return form[name]
    def is_name(value):
        return isinstance(value, str) and re.fullmatch("[a-z0-9._-]{1,64}", value, re.ASCII) is not None
    def is_title(value):
        return isinstance(value, str) and len(value.encode()) <= 200 and not CONTROL.search(value)
    name = field("network", is_name)
    if name != network:
        raise Refused("network")
    stated = bytes.fromhex(field("id", lambda value: is_hex(value, 32)))
    sender = bytes.fromhex(field("sender", lambda value: is_hex(value, 32)))
    title = field("title", is_title)
    if "message_base64" in form:
        field("message_base64", lambda value: "message" not in form and strict_base64(value) is not None)
        message = strict_base64(form["message_base64"])
    else:
        message = field("message", lambda value: isinstance(value, str)).encode()
    if len(message) > MAX_MESSAGE:
        raise Refused("field:message")
    time = field("time", lambda value: is_integer(value) and value >= 1)
    lifetime = field("lifetime", lambda value: is_integer(value, 2**32 - 1))
    signature = b""
    if version == 1:
        signature = bytes.fromhex(field("signature", lambda value: is_hex(value, 64)))
    elif "signature" in form:
        raise Refused("field:signature")
    s = build_envelope(version, sender, time, lifetime, title.encode(), message)
    if envelope_id(network_hash(name, plain=version == 0), s) != stated:
        raise Refused("id")
    if version == 1:
        verify(sender, signature, ENVELOPE + stated)
    return s + signature


def write_form(envelope, version, network):
    """The form of an envelope, in the page's order, without white space, escaping no more than JSON demands."""
    fields = judge_envelope(envelope, version, network_hash(network, plain=version == 0))
    form = {"id": fields["id"].hex(), "sender": fields["sender"].hex(), "title": fields["title"]}
    try:
        form["message"] = fields["message"].decode("utf-8")
    except UnicodeDecodeError:
        form["message_base64"] = base64.b64encode(fields["message"]).decode()
    form.update(time=fields["time"], lifetime=fields["lifetime"], network=network)
    if version == 1:
        form["signature"] = fields["signature"].hex()
    return json.dumps(form, ensure_ascii=False, separators=(",", ":"))


def json_form():
    file = vectors("json_form.json")
    network = "example-net"
    for case in each(file["written"]):
        agree(write_form(raw(case["envelope"]), case["version"], network), case["text"], case["what"])
        agree(judge_form(case["text"], case["version"], network), raw(case["envelope"]), case["what"])
    for case in each(file["read"]):
        agree(judge_form(case["text"], case["version"], network), raw(case["envelope"]), case["what"])
    for case in each(file["invalid"]):
        refused_for(case["reason"], case["what"], lambda: judge_form(case["text"], case["version"], network))


# ---------------------------------------------------------------------------------------------------------------------
# Section 10: certificates and revocations


def judge_certificate(data, nh, authority):
    if len(data) < 67:
        raise Refused("size")
    length = data[66]
    if length > 32:
        raise Refused("label-length")
    if len(data) != 67 + length + 64:
        raise Refused("size")
    not_before, not_after, rights = struct.unpack(">QQH", data[48:66])
    try:
        label = data[67 : 67 + length].decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("label-utf-8") from None
    if CONTROL.search(label):
        raise Refused("label-control")
    if not_before > not_after:
        raise Refused("times")
    verify(authority, data[-64:], MEMBERSHIP + nh + data[:-64])
    return {"subject": data[:32], "serial": data[32:48], "not_before": not_before, "not_after": not_after,
            "rights": rights, "label": label}


def certificates():
    file = vectors("certificates.json")
    nh, seed, authority = network_hash(file["network"]), raw(file["authority_seed"]), raw(file["authority"])
    agree(public(seed), authority, "authority")
    for case in each(file["valid"]):
        fields = {"subject": raw(case["subject"]), "serial": raw(case["serial"]),
                  "not_before": int(case["not_before"]), "not_after": int(case["not_after"]),
                  "rights": case["rights"], "label": case["label"]}
        label = case["label"].encode()
        body = fields["subject"] + fields["serial"]
        body += struct.pack(">QQH", fields["not_before"], fields["not_after"], fields["rights"])
        body += bytes([len(label)]) + label
        agree(body + sign(seed, MEMBERSHIP + nh + body), raw(case["certificate"]), case["what"])
        agree(judge_certificate(raw(case["certificate"]), nh, authority), fields, case["what"])
        for moment in each(case["covers"]):
            second = int(moment["second"])
            covered = fields["not_before"] - 300 <= second <= fields["not_after"] + 300
            agree(covered, moment["covered"], f"{case['what']} at {second}")
    for case in each(file["invalid"]):
        refused_for(case["reason"], case["what"], lambda: judge_certificate(raw(case["certificate"]), nh, authority))


def judge_revocations(data, nh, authority):
    if len(data) < 18:
        raise Refused("size")
    epoch, issued, count = struct.unpack(">QQH", data[:18])
    if count > 4_000:
        raise Refused("count")
    if len(data) != 18 + 16 * count + 64:
        raise Refused("size")
    serials = [data[18 + 16 * number : 34 + 16 * number] for number in range(count)]
    if any(a >= b for a, b in zip(serials, serials[1:])):
        raise Refused("order")
    verify(authority, data[-64:], REVOCATION + nh + data[:-64])
    return {"epoch": epoch, "issued": issued, "serials": serials}


def revocations():
    file = vectors("revocations.json")
    nh, seed, authority = network_hash(file["network"]), raw(file["authority_seed"]), raw(file["authority"])
    agree(public(seed), authority, "authority")
    for case in each(file["valid"]):
        serials = [raw(serial) for serial in case["serials"]]
        fields = {"epoch": int(case["epoch"]), "issued": int(case["issued"]), "serials": serials}
        body = struct.pack(">QQH", fields["epoch"], fields["issued"], len(serials)) + b"".join(serials)
        agree(body + sign(seed, REVOCATION + nh + body), raw(case["list"]), case["what"])
        agree(judge_revocations(raw(case["list"]), nh, authority), fields, case["what"])
    for case in each(file["invalid"]):
        refused_for(case["reason"], case["what"], lambda: judge_revocations(raw(case["list"]), nh, authority))


# ---------------------------------------------------------------------------------------------------------------------
# Section 11: sealed content. HPKE Base (RFC 9180) of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.

STANZA = 88
KEM_SUITE = b"KEM" + struct.pack(">H", 0x0020)
HPKE_SUITE = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0003)


def labeled_extract(suite, salt, label, key):
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + key, hashlib.sha256).digest()


def labeled_expand(suite, key, label, info, length):
    info = struct.pack(">H", length) + b"HPKE-v1" + suite + label + info
    return hmac.new(key, info + b"\x01", hashlib.sha256).digest()[:length]


def hpke_key_and_nonce(dh, enc, reader, info):
    """Mode Base: no psk, no sender's key. Sections 4.1 and 5.1 of the RFC."""
    if dh == bytes(32):
        raise Refused("low-order")
    prk = labeled_extract(KEM_SUITE, b"", b"eae_prk", dh)
    shared = labeled_expand(KEM_SUITE, prk, b"shared_secret", enc + reader, 32)
    psk_id_hash = labeled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"")
    info_hash = labeled_extract(HPKE_SUITE, b"", b"info_hash", info)
    context = b"\x00" + psk_id_hash + info_hash
    secret = labeled_extract(HPKE_SUITE, shared, b"secret", b"")
    key = labeled_expand(HPKE_SUITE, secret, b"key", context, 32)
    return key, labeled_expand(HPKE_SUITE, secret, b"base_nonce", context, 12)


def dh_or_zero(secret, key):
    """The library refuses to compute zero; the specification's function gives it."""
    try:
        return x25519(secret, key)
    except ValueError:
        return bytes(32)


def check_seal_key(key):
    if int.from_bytes(key, "little") >= 2**255 - 19:
        raise Refused("not-canonical")
    if dh_or_zero(bytes([1] * 32), key) == bytes(32):
        raise Refused("low-order")


def seal_hint(enc, reader):
    return hashlib.sha256(b"sealnet/1 seal-hint\0" + enc + reader).digest()[:8]


def seal_stanza(info, reader, ephemeral, content_key):
    enc = x25519_public(ephemeral)
    key, nonce = hpke_key_and_nonce(x25519(ephemeral, reader), enc, reader, info)
    return seal_hint(enc, reader) + enc + ChaCha20Poly1305(key).encrypt(nonce, content_key, b"")


def padded_length(length):
    if length <= 65_536:
        return max(256, 1 << (length - 1).bit_length())
    return -(-length // 8192) * 8192


def derived(content_key, info):
    return hkdf(b"sealnet/1 seal-keys\0", content_key, info, 32)


def commitment_of(content_key, head):
    return derived(content_key, b"commit\0" + hashlib.sha256(head).digest())


def seal_info(nh, sender):
    return b"sealnet/1 seal\0" + nh + sender


def seal_content(info, content_key, readers, data):
    stanzas = b"".join(seal_stanza(info, reader, ephemeral, content_key) for reader, ephemeral in readers)
    head = bytes([len(readers)]) + stanzas
    padded = struct.pack(">I", len(data)) + data
    padded += bytes(padded_length(len(padded)) - len(padded))
    body = ChaCha20Poly1305(derived(content_key, b"body\0")).encrypt(bytes(12), padded, info)
    return b"\x00SL\x01" + head + commitment_of(content_key, head) + body


def open_content(info, message, secret=None, content_key=None):
    if message[:4] != b"\x00SL\x01":
        raise Refused("not-sealed")
    rest = message[4:]
    if not rest:
        raise Refused("size")
    if not 1 <= rest[0] <= 64:
        raise Refused("readers")
    head, rest = rest[:1 + STANZA * rest[0]], rest[1 + STANZA * rest[0]:]
    commitment, body = rest[:32], rest[32:]
    if len(body) < 16 + 256 or padded_length(len(body) - 16) != len(body) - 16:
        raise Refused("size")
    if content_key is None:
        content_key = open_stanzas(info, head, secret)
    if commitment != commitment_of(content_key, head):
        raise Refused("commitment")
    try:
        padded = ChaCha20Poly1305(derived(content_key, b"body\0")).decrypt(bytes(12), body, info)
    except InvalidTag:
        raise Refused("body") from None
    length = struct.unpack(">I", padded[:4])[0]
    data, zeros = padded[4:4 + length], padded[4 + length:]
    if len(data) != length or padded_length(4 + length) != len(padded) or any(zeros):
        raise Refused("padding")
    return data


def open_stanzas(info, head, secret):
    reader, mine = x25519_public(secret), False
    for at in range(1, len(head), STANZA):
        hint, enc, ct = head[at:at + 8], head[at + 8:at + 40], head[at + 40:at + STANZA]
        if hint == seal_hint(enc, reader):
            mine = True
            try:
                key, nonce = hpke_key_and_nonce(dh_or_zero(secret, enc), enc, reader, info)
                return ChaCha20Poly1305(key).decrypt(nonce, ct, b"")
            except (InvalidTag, Refused):
                pass
    raise Refused("stanza" if mine else "not-for-you")


def sealed():
    file = vectors("sealed.json")
    info = seal_info(network_hash(file["network"]), raw(file["sender"]))
    for case in each(file["keys"]):
        key = x25519_public(raw(case["secret"]))
        agree(key, raw(case["key"]), "a reader's key")
        check_seal_key(key)
    for case in each(file["invalid_keys"]):
        refused_for(case["reason"], case["key"], lambda: check_seal_key(raw(case["key"])))
    for case in each(file["valid"]):
        content_key, data, message = raw(case["content_key"]), raw(case["data"]), raw(case["message"])
        secrets = [(raw(reader["secret"]), raw(reader["ephemeral_secret"])) for reader in case["readers"]]
        readers = [(x25519_public(secret), ephemeral) for secret, ephemeral in secrets]
        agree(seal_content(info, content_key, readers, data), message, case["what"])
        for secret, _ in secrets:
            agree(open_content(info, message, secret=secret), data, case["what"])
        agree(open_content(info, message, content_key=content_key), data, case["what"])
    for case in each(file["invalid"]):
        judge = lambda: open_content(info, raw(case["message"]), secret=raw(case["secret"]))
        refused_for(case["reason"], case["what"], judge)


# ---------------------------------------------------------------------------------------------------------------------
# Section 3: frames

LIMITS = {
    0x01: ("HELLO", 4_096), 0x02: ("PING", 8), 0x03: ("PONG", 8), 0x04: ("GOODBYE", 130), 0x10: ("PEERS_WANTED", 2),
    0x11: ("PEERS", 73_728), 0x12: ("MEMBERS_WANTED", 2_048), 0x20: ("BROADCAST", 131_386), 0x21: ("HAVE", 32_000),
    0x22: ("WANT", 8_192), 0x23: ("EAGER", 0), 0x24: ("LAZY", 0), 0x25: ("ABSENT", 32_000), 0x26: ("NEWS", 8_000),
    0x30: ("RECONCILE", 65_536), 0x40: ("REQUEST", 65_536), 0x41: ("RESPONSE", 65_536), 0x42: ("REFUSED", 138),
    0x43: ("CREDIT", 12), 0x50: ("REVOCATIONS", 64_082),
}


def kind_of(byte):
    if byte >= 0x80:
        return (f"optional {byte:02x}", 65_536)
    if byte not in LIMITS:
        raise Refused("unsupported")
    return LIMITS[byte]


class Body:
    """Takes fields off a frame's body; what is not there breaks the grammar."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        if len(self.data) < count:
            raise Refused("grammar")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def integer(self, count):
        return int.from_bytes(self.take(count), "big")

    def rest(self):
        return self.take(len(self.data))

    def text(self):
        try:
            text = self.rest().decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("grammar") from None
        return text

    def number(self):
        number = self.integer(8)
        if number == 0:
            raise Refused("grammar")
        return str(number)

    def last(self):
        flags = self.integer(1)
        if flags > 1:
            raise Refused("grammar")
        return flags == 1

    def request_flags(self):
        flags = self.integer(1)
        if flags & ~1 not in REQUEST_KINDS:
            raise Refused("grammar")
        return {"kind": REQUEST_KINDS[flags & ~1], "last": flags & 1 == 1}

    def title(self):
        try:
            return check_title(self.take(self.integer(1)))
        except Refused:
            raise Refused("grammar") from None

    def ids(self):
        if len(self.data) % 32:
            raise Refused("grammar")
        return [self.take(32).hex() for _ in range(len(self.data) // 32)]

    def names(self):
        if len(self.data) % 8:
            raise Refused("grammar")
        return [self.take(8).hex() for _ in range(len(self.data) // 8)]

    def end(self):
        if self.data:
            raise Refused("grammar")


# What bits 1 and 2 of a request's flags mean.
REQUEST_KINDS = {0: "message", 2: "question", 6: "fetch"}


def read_body(kind, data):
    """The fields of a frame's body."""
    body = Body(data)
    if kind == 0x01:
        fields = {"text": body.text()}
    elif kind in (0x02, 0x03):
        fields = {"data": body.take(8).hex()}
    elif kind == 0x04:
        fields = {"code": body.integer(2), "text": body.text()}
    elif kind == 0x10:
        fields = {"what": body.integer(1), "count": body.integer(1)}
        if fields["what"] > 1 or not 1 <= fields["count"] <= 16:
            raise Refused("grammar")
    elif kind in (0x12, 0x21, 0x22, 0x25):
        fields = {"ids": body.ids()}
    elif kind == 0x26:
        fields = {"names": body.names()}
    elif kind == 0x40:
        fields = {"number": body.number(), "title": body.title(), **body.request_flags(), "bytes": body.rest().hex()}
    elif kind == 0x41:
        fields = {"number": body.number(), "last": body.last(), "bytes": body.rest().hex()}
    elif kind == 0x42:
        fields = {"number": body.number(), "code": body.integer(2), "text": body.text()}
    elif kind == 0x43:
        fields = {"number": body.number(), "bytes": body.integer(4)}
    elif kind in (0x23, 0x24):
        fields = {}
    else:
        fields = {"bytes": body.rest().hex()}
    body.end()
    return fields


def write_body(kind, fields):
    """The body that has these fields."""
    number = struct.pack(">Q", int(fields["number"])) if "number" in fields else b""
    text = fields.get("text", "").encode()
    if kind == 0x04:
        return struct.pack(">H", fields["code"]) + text
    if kind == 0x10:
        return bytes([fields["what"], fields["count"]])
    if kind == 0x40:
        title = fields["title"].encode()
        kind, = (flags for flags, name in REQUEST_KINDS.items() if name == fields["kind"])
        return number + bytes([len(title)]) + title + bytes([kind | fields["last"]]) + bytes.fromhex(fields["bytes"])
    if kind == 0x41:
        return number + bytes([fields["last"]]) + bytes.fromhex(fields["bytes"])
    if kind == 0x42:
        return number + struct.pack(">H", fields["code"]) + text
    if kind == 0x43:
        return number + struct.pack(">I", fields["bytes"])
    return text + b"".join(bytes.fromhex(part) for part in [fields.get("data", ""), fields.get("bytes", ""),
                                                           *fields.get("ids", []), *fields.get("names", [])])


def read_stream(stream):
    """The frames in a stream, and the reason for which it ends badly, or None."""
    found = []
    try:
        while stream:
            if len(stream) < 5:
                raise Refused("cut-off")
            length, kind = struct.unpack(">IB", stream[:5])
            if length > kind_of(kind)[1]:
                raise Refused("length")
            if len(stream) < 5 + length:
                raise Refused("cut-off")
            found.append((kind, read_body(kind, stream[5 : 5 + length])))
            stream = stream[5 + length :]
    except Refused as refusal:
        return found, str(refusal)
    return found, None


def frames():
    file = vectors("frames.json")
    for case in each(file["frames"]):
        kind, fields = case["kind"], case["fields"]
        agree(kind_of(kind)[0], case["name"], "name")
        body = write_body(kind, fields)
        agree(struct.pack(">IB", len(body), kind) + body, raw(case["frame"]), case["name"])
        agree(read_stream(raw(case["frame"])), ([(kind, fields)], None), case["name"])
    missing = set(LIMITS) - {case["kind"] for case in file["frames"]}
    expect(not missing, f"there is a frame of each kind; missing: {missing}")
    for case in each(file["streams"]):
        found, reason = read_stream(raw(case["stream"]))
        agree((len(found), reason), (case["frames_before"], case["reason"]), case["what"])


# ---------------------------------------------------------------------------------------------------------------------
# Sections 3 and 5: HELLO and presence


def address(text):
    """`ip:port` in the spelling the vectors use for what was read, or None."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([1-9][0-9]{0,4})", text, re.ASCII) if isinstance(text, str) else None
    if found is None or int(found[3]) > 65_535:
        return None
    try:
        return spelt_v6(found[1], found[3]) if found[1] else f"{ipaddress.IPv4Address(found[2])}:{found[3]}"
    except ValueError:
        return None


def spelt_v6(text, port):
    ip = ipaddress.IPv6Address(text)
    if ip.ipv4_mapped is not None:
        return f"[::ffff:{ip.ipv4_mapped}]:{port}"
    return f"[{ip.compressed}]:{port}"


class Fields:
    """The fields that HELLO and presence share."""

    def __init__(self, values):
        self.values = values

    def get(self, name, default, read):
        """What `read` makes of the field; it gives None for what is wrong."""
        if name not in self.values:
            return default
        made = read(self.values[name])
        if made is None:
            raise Refused("field:" + name)
        return made

    def required(self, name):
        if name not in self.values:
            raise Refused("field:" + name)

    def integer(self, name, least=0, default=0):
        return self.get(name, default, lambda value: value if is_integer(value) and value >= least else None)

    def array(self, name, most, read):
        def whole(value):
            if not isinstance(value, list) or len(value) > most:
                return None
            made = [read(one) for one in value]
            return None if None in made else made
        return self.get(name, [], whole)

    def features(self):
        def feature(value):
            good = isinstance(value, str) and re.fullmatch("[a-z0-9.-]{1,32}", value, re.ASCII)
            return value if good else None
        return self.array("features", 32, feature)

    def apps(self):
        def whole(value):
            if not isinstance(value, dict) or len(value) > 32:
                return None
            for title, version in value.items():
                if len(title.encode()) > 200 or CONTROL.search(title) or not isinstance(version, str):
                    return None
                if not 1 <= len(version.encode()) <= 64 or CONTROL.search(version):
                    return None
            return value
        return self.get("apps", {}, whole)

    def flag(self, name):
        return self.get(name, False, lambda value: value if isinstance(value, bool) else None)


def judge_hello(body):
    if len(body) > 4_096:
        raise Refused("length")
    fields = Fields(strict_object(body, 4))
    for name in ["agent", "time", "max_version"]:
        fields.required(name)
    def agent(value):
        return value if isinstance(value, str) and len(value.encode()) <= 64 else None
    def certificate(value):
        data = strict_base64(value)
        return None if data is None else data.hex()
    return {
        "agent": fields.get("agent", None, agent),
        "time": fields.integer("time"),
        "max_version": fields.integer("max_version", least=1),
        "node": fields.get("node", None, lambda value: value if is_hex(value, 32) else None),
        "listen": fields.array("listen", 4, address),
        "features": fields.features(),
        "apps": fields.apps(),
        "certificate": fields.get("certificate", None, certificate),
        "epoch": fields.integer("epoch", default=None),
        "renew": fields.flag("renew"),
    }


def hello():
    file = vectors("hello.json")
    for case in each(file["valid"]):
        agree(judge_hello(case["text"].encode("utf-8")), case["read"], case["what"])
    for case in each(file["invalid"]):
        refused_for(case["reason"], case["what"], lambda: judge_hello(raw(case["body"])))


def judge_presence(body):
    if len(body) > 4_096:
        raise Refused("length")
    fields = Fields(strict_object(body, 4))
    links = fields.array("links", 40, lambda value: value if is_hex(value, 8) else None)
    return {"addresses": fields.array("addresses", 4, address), "links": len(links), "features": fields.features(),
            "apps": fields.apps(), "epoch": fields.integer("epoch"), "period": fields.integer("period")}


def presence():
    file = vectors("presence.json")
    for case in each(file["valid"]):
        agree(judge_presence(case["text"].encode("utf-8")), case["read"], case["what"])
    for case in each(file["invalid"]):
        try:
            judge_presence(raw(case["body"]))
        except Refused:
            continue
        expect(False, f"{case['what']}: accepted")


def judge_member(body):
    if len(body) > 4_096:
        raise Refused("length")
    fields = Fields(strict_object(body, 4))
    def certificate(value):
        data = strict_base64(value)
        return None if data is None else data.hex()
    def name(value):
        good = isinstance(value, str) and len(value.encode()) <= 64 and not CONTROL.search(value)
        return value if good else None
    return {
        "certificate": fields.get("certificate", None, certificate),
        "seal_key": fields.get("seal_key", None, lambda value: value if is_hex(value, 32) else None),
        "seal_until": fields.integer("seal_until"),
        "name": fields.get("name", "", name),
    }


def member():
    file = vectors("member.json")
    for case in each(file["valid"]):
        agree(judge_member(case["text"].encode("utf-8")), case["read"], case["what"])
    for case in each(file["invalid"]):
        try:
            judge_member(raw(case["body"]))
        except Refused:
            continue
        expect(False, f"{case['what']}: accepted")


# ---------------------------------------------------------------------------------------------------------------------
# Section 8: repair

RECONCILE_STEPS = {0x01: "open", 0x81: "accept", 0x02: "message", 0x82: "message", 0x03: "end", 0x83: "end", 0x04: "offer"}


def judge_reconcile(data):
    """The session and the fields of a RECONCILE's body."""
    body = Body(data)
    step, session = body.integer(1), body.integer(2)
    name = RECONCILE_STEPS.get(step)
    fields = {"step": step}
    if name == "open":
        fields["set"] = body.integer(1)
        if fields["set"] > 1:
            raise Refused("grammar")
    if name in ("open", "accept"):
        for field in ("from", "to", "alive")[: 3 if name == "open" else 2]:
            fields[field] = str(body.integer(8))
        fields["digest"], fields["count"] = body.take(32).hex(), body.integer(4)
    elif name == "message":
        fields["bytes"] = body.rest().hex()
        if len(fields["bytes"]) > 2 * 60_000:
            raise Refused("grammar")
    elif name == "end":
        fields["why"] = body.integer(1)
    elif name == "offer":
        ids = body.rest()
        if len(ids) % 32 or len(ids) > 32_000:
            raise Refused("grammar")
        fields["bytes"] = ids.hex()
    else:
        raise Refused("grammar")
    if body.data:
        raise Refused("grammar")
    return session, fields


def write_reconcile(session, fields):
    head = bytes([fields["step"]]) + session.to_bytes(2, "big")
    if "bytes" in fields:
        return head + bytes.fromhex(fields["bytes"])
    if "why" in fields:
        return head + bytes([fields["why"]])
    body = bytes([fields["set"]]) if "set" in fields else b""
    for field in ("from", "to", "alive"):
        body += int(fields[field]).to_bytes(8, "big") if field in fields else b""
    return head + body + bytes.fromhex(fields["digest"]) + fields["count"].to_bytes(4, "big")


def var_int(number):
    """Negentropy's numbers: base 128, the highest digit first, the top bit set in all but the last."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def list_of(items):
    return b"\x02" + var_int(len(items)) + b"".join(id for _, id in items)


def fingerprint(items):
    total = sum(int.from_bytes(id, "little") for _, id in items) % 2**256
    return b"\x01" + hashlib.sha256(total.to_bytes(32, "little") + var_int(len(items))).digest()[:16]


def bound_between(before, after, last):
    """The shortest bound above `before` that is not above `after`; times count from the one before."""
    if before[0] != after[0]:
        return var_int(after[0] - last + 1) + b"\0", after[0]
    shared = next(at for at in range(32) if before[1][at] != after[1][at])
    return var_int(after[0] - last + 1) + var_int(shared + 1) + after[1][: shared + 1], after[0]


def first_message(items):
    """What an opener says first: its ids if they are fewer than 32, else fingerprints of 16 parts."""
    items, message, last = sorted(items), b"\x61", 0
    if len(items) < 32:
        return message + b"\0\0" + list_of(items)
    size, longer, at = len(items) // 16, len(items) % 16, 0
    for part in range(16):
        end = at + size + (part < longer)
        if end == len(items):
            bound = b"\0\0"
        else:
            bound, last = bound_between(items[end - 1], items[end], last)
        message += bound + fingerprint(items[at:end])
        at = end
    return message


def reconcile():
    file = vectors("reconcile.json")
    for case in each(file["steps"]):
        agree(write_reconcile(case["session"], case["fields"]), raw(case["body"]), case["what"])
        agree(judge_reconcile(raw(case["body"])), (case["session"], case["fields"]), case["what"])
    for case in each(file["invalid"]):
        refused_for(case["reason"], case["what"], lambda: judge_reconcile(raw(case["body"])))
    for case in each(file["comparisons"]):
        opener, responder = ([(int(item["time"]), raw(item["id"])) for item in case[side]] for side in ("opener", "responder"))
        for side, items in (("opener", opener), ("responder", responder)):
            ids = sorted(id for _, id in items)
            agree(hashlib.sha256(b"".join(ids)).digest(), raw(case[f"{side}_digest"]), f"{case['what']}: {side}")
        query, answer = raw(case["query"]), raw(case["answer"])
        agree(first_message(opener), query, f"{case['what']}: query")
        agree(b"\x61\0\0" + list_of(sorted(opener)), raw(case["list"]), f"{case['what']}: list")
        if len(opener) < 32:
            agree(b"\x61\0\0" + list_of(sorted(responder)), answer, f"{case['what']}: answer")
        else:
            # Where fingerprints differ the responder lists what it has there: all that the opener lacks.
            for _, id in set(responder) - set(opener):
                expect(id in answer, f"{case['what']}: the answer does not name what is missing")


# ---------------------------------------------------------------------------------------------------------------------
# The known answers of the protocol page are among the vectors


def known_answers():
    global current
    current = "docs/protocol.md"
    checked[current] = 0
    if not PAGE.is_file():
        failures.append("docs/protocol.md: the file is missing")
        return
    text = PAGE.read_text(encoding="utf-8").split("## 14. Known answers")[1].split("\n## ")[0]
    packed = re.sub(r"\s", "", text)
    def load(name):
        return json.loads((FOLDER / name).read_text(encoding="utf-8"))
    xx, psk0 = load("handshakes.json")["handshakes"]
    answers = [case[key] for case in load("names.json")["networks"][:1] for key in ["secure", "plain"]]
    answers += [load("names.json")["network_keys"][0]["psk"], xx["initiator"]["id"], xx["responder"]["id"]]
    for transcript in [xx, psk0]:
        answers += [transcript["preamble"], transcript["key_initiator_sends"], transcript["key_responder_sends"]]
        answers += [message["h"] for message in transcript["messages"]]
    answers += [message[part] for message in xx["messages"] for part in ["payload", "message"]]
    answers += [psk0["messages"][0]["message"], xx["records"][0]["wire"], load("records.json")["keys"][1]["key"]]
    valid = load("envelopes.json")["valid"]
    # The page writes a signature in two lines, with words between them.
    answers += [valid[0]["id"], valid[0]["signature"][:64], valid[0]["signature"][64:], valid[10]["id"]]
    answers += [load("certificates.json")["valid"][0]["certificate"], load("revocations.json")["valid"][0]["list"]]
    sealed_content = load("sealed.json")["valid"][0]
    message = sealed_content["message"]
    answers += [sealed_content["readers"][0]["ephemeral_secret"], load("sealed.json")["keys"][1]["key"]]
    # Words stand between the parts: hint, enc, ct in two lines, commitment, body.
    ends = [10, 26, 90, 154, 186, 250, len(message)]
    answers += [message[start:end] for start, end in zip(ends, ends[1:])]
    for answer in each(answers):
        expect(answer in packed, f"the page does not hold {shown(answer)}")


def main():
    parts = [names, keys, identity_proofs, handshakes, records, envelopes, json_form, certificates, revocations,
              sealed, frames, reconcile, hello, presence, member, known_answers]
    for part in parts:
        try:
            part()
        except (Refused, ValueError, KeyError, IndexError, TypeError, InvalidTag, struct.error) as error:
            failures.append(f"{current}: {type(error).__name__}: {error}")
    present = {path.name for path in FOLDER.glob("*.json")}
    for name in sorted(present - set(checked)):
        failures.append(f"{name}: nothing here checks this file")
    for name, count in checked.items():
        print(f"{count:5} checked  {name}")
        if count == 0:
            failures.append(f"{name}: nothing was checked")
    print(f"{sum(checked.values()):5} in all, {len(failures)} wrong")
    for failure in failures:
        print(f"WRONG: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
