"""Sections 1 and 6: networks, identities, and the one rule for keys and signatures."""

import functools
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HANDSHAKE = b"sealnet/1 handshake\0"
ENVELOPE = b"sealnet/1 envelope\0"


class Network:
    """A network: its name, its kind, and the key its members may share."""

    def __init__(self, name, plain=False, key=None):
        if not re.fullmatch(r"[a-z0-9._-]{1,64}", name):
            raise ValueError("a network's name has 1 to 64 of a-z 0-9 . _ -")
        self.name = name
        self.plain = plain
        domain = b"sealnet/1 plain network\0" if plain else b"sealnet/1 network\0"
        self.hash = hashlib.sha256(domain + name.encode()).digest()
        self.psk = None
        if key is not None:
            self.psk = HKDF(hashes.SHA256(), 32, salt=self.hash, info=b"sealnet/1 psk\0").derive(key)


class Identity:
    """An Ed25519 key. On a plain network only its `id` is used, as a claim."""

    def __init__(self, key=None):
        self.key = key or Ed25519PrivateKey.generate()
        self.id = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def from_secret(cls, secret):
        return cls(Ed25519PrivateKey.from_private_bytes(secret))

    def sign(self, message):
        return self.key.sign(message)


# Section 6. The curve is -x² + y² = 1 + d x² y² over the integers modulo p. No library for Python shows its points, so
# here they are: as (X, Y, Z, T) with x = X/Z, y = Y/Z, T = XY/Z. Only public values pass through this code, so that it
# may take its time.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
NEUTRAL = (0, 1, 1, 0)
LOW_ORDER = frozenset(map(bytes.fromhex, """
    0100000000000000000000000000000000000000000000000000000000000000
    ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
    0000000000000000000000000000000000000000000000000000000000000000
    0000000000000000000000000000000000000000000000000000000000000080
    26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05
    26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85
    c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a
    c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa""".split()))


def add(a, b):
    """The sum of two points; complete, so that it doubles too."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m, n = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    t, z = 2 * D * t1 * t2, 2 * z1 * z2
    e, f, g, h = n - m, z - t, z + t, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(k, point):
    """k · point, with k as it is: not reduced modulo L."""
    result = NEUTRAL
    for bit in bin(k)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def decode(encoding):
    """The point of 32 bytes in canonical encoding, otherwise `None`."""
    y = int.from_bytes(encoding, "little") & (2**255 - 1)
    sign = encoding[31] >> 7
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def encode(point):
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@functools.lru_cache(maxsize=10_000)
def is_good_key(key):
    """Whether 32 bytes are a public key that counts."""
    if len(key) != 32 or key in LOW_ORDER:
        return False
    point = decode(key)
    if point is None:
        return False
    x, y, z, _ = multiply(L, point)
    return x == 0 and y == z


def is_good_signature(key, signature, message):
    """Whether `key` counts and has signed `message`."""
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= L or signature[:32] in LOW_ORDER:
        return False
    if not is_good_key(key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)  # without cofactor, R compared as bytes
    except InvalidSignature:
        return False
    return True
