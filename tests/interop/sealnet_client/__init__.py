"""A client of Sealnet, written from docs/protocol.md and nothing else of Sealnet.

It is meant to be read beside that page: one module for a layer, and every part names its section.

    names      1, 6   networks, identities, and the one rule for keys and signatures
    envelope   4      what is broadcast
    link       2, 3   preamble, handshake, records, frames, HELLO
    member     5, 7   a small but complete member: joins (13), relays, repairs, leaves
"""

from .envelope import Envelope
from .link import Frame, Goodbye, Link, ProtocolError, accept, dial
from .member import Member
from .names import Identity, Network

__all__ = [
    "Envelope", "Frame", "Goodbye", "Identity", "Link", "Member", "Network", "ProtocolError", "accept", "dial",
]
