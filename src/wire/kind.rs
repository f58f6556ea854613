//! The kinds of frame and the largest body of each: the table of the protocol page, section 3, stands here once.

use std::fmt;

use super::short_text::ShortText;
use crate::envelope::{EnvelopeId, MAX_ENVELOPE, ShortId};
use crate::identity::NodeId;

/// What a frame is. Kinds below 0x80 are critical: who does not know one ends the link (without blame). Kinds from
/// 0x80 are optional: who does not know one passes over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// 01: who I am and what I can; first and once each way.
    Hello,
    /// 02: are you there?
    Ping,
    /// 03: I am; the ping's bytes back.
    Pong,
    /// 04: the last frame of a link, and why.
    Goodbye,
    /// 10: tell me of members.
    PeersWanted,
    /// 11: presence and member envelopes, only as an answer.
    Peers,
    /// 12: send me these nodes' member records.
    MembersWanted,
    /// 20: an envelope.
    Broadcast,
    /// 21: ids of envelopes that I can give you.
    Have,
    /// 22: ids of envelopes that I ask you for.
    Want,
    /// 23: send me contents at once.
    Eager,
    /// 24: send me ids, I ask for contents.
    Lazy,
    /// 25: ids of envelopes you asked for that I do not hold.
    Absent,
    /// 26: short names of envelopes that are new and that I can give you.
    News,
    /// 30: one step of a reconciliation session.
    Reconcile,
    /// 40: a piece of a request.
    Request,
    /// 41: a piece of a response.
    Response,
    /// 42: a request was refused, or the asker gave it up.
    Refused,
    /// 43: so many more bytes of a response may come.
    Credit,
    /// 50: the signed list of revocations.
    Revocations,
    /// 80 to FF: an optional kind that this version does not know.
    Optional(OptionalKind),
}

/// The byte of an optional kind: 0x80 to 0xFF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionalKind(u8);

impl OptionalKind {
    /// The optional kind with this byte; `None` below 0x80.
    pub const fn new(byte: u8) -> Option<Self> {
        if byte >= 0x80 { Some(OptionalKind(byte)) } else { None }
    }

    /// The byte on the wire.
    pub const fn as_byte(self) -> u8 {
        self.0
    }
}

impl Kind {
    /// The largest body that any frame has, in bytes: no frame can make a reader hold more.
    pub const MAX_BODY: usize = MAX_ENVELOPE;

    /// The most ids a HAVE, a NEWS or an ABSENT holds: one frame a batch even at thousands of messages a second, 32 KB.
    pub const MAX_HAVE: usize = 1_000;

    /// The most ids a WANT holds. Each may cost the asked node an envelope of 128 KiB: few enough to stop in between.
    pub const MAX_WANT: usize = 256;

    /// The most nodes a MEMBERS_WANTED holds: each costs a record of up to 4 KiB.
    pub const MAX_MEMBERS_WANTED: usize = 64;

    /// Every kind of this version, in the order of the protocol page; the optional ones are not among them.
    pub const ALL: [Kind; 20] = [
        Kind::Hello,
        Kind::Ping,
        Kind::Pong,
        Kind::Goodbye,
        Kind::PeersWanted,
        Kind::Peers,
        Kind::MembersWanted,
        Kind::Broadcast,
        Kind::Have,
        Kind::Want,
        Kind::Absent,
        Kind::Eager,
        Kind::Lazy,
        Kind::News,
        Kind::Reconcile,
        Kind::Request,
        Kind::Response,
        Kind::Refused,
        Kind::Credit,
        Kind::Revocations,
    ];

    /// The kind with this byte; `None` for a critical one that this version does not know.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x01 => Kind::Hello,
            0x02 => Kind::Ping,
            0x03 => Kind::Pong,
            0x04 => Kind::Goodbye,
            0x10 => Kind::PeersWanted,
            0x11 => Kind::Peers,
            0x12 => Kind::MembersWanted,
            0x20 => Kind::Broadcast,
            0x21 => Kind::Have,
            0x22 => Kind::Want,
            0x23 => Kind::Eager,
            0x24 => Kind::Lazy,
            0x25 => Kind::Absent,
            0x26 => Kind::News,
            0x30 => Kind::Reconcile,
            0x40 => Kind::Request,
            0x41 => Kind::Response,
            0x42 => Kind::Refused,
            0x43 => Kind::Credit,
            0x50 => Kind::Revocations,
            0x80..=0xFF => Kind::Optional(OptionalKind(byte)),
            _ => return None,
        })
    }

    /// The byte on the wire.
    pub const fn as_byte(self) -> u8 {
        match self {
            Kind::Hello => 0x01,
            Kind::Ping => 0x02,
            Kind::Pong => 0x03,
            Kind::Goodbye => 0x04,
            Kind::PeersWanted => 0x10,
            Kind::Peers => 0x11,
            Kind::MembersWanted => 0x12,
            Kind::Broadcast => 0x20,
            Kind::Have => 0x21,
            Kind::Want => 0x22,
            Kind::Eager => 0x23,
            Kind::Lazy => 0x24,
            Kind::Absent => 0x25,
            Kind::News => 0x26,
            Kind::Reconcile => 0x30,
            Kind::Request => 0x40,
            Kind::Response => 0x41,
            Kind::Refused => 0x42,
            Kind::Credit => 0x43,
            Kind::Revocations => 0x50,
            Kind::Optional(kind) => kind.0,
        }
    }

    /// The largest body of a frame of this kind, in bytes. A longer one is refused when its length is read.
    pub const fn limit(self) -> usize {
        match self {
            // Room for 32 features, as many applications and a certificate; read before the peer is known.
            Kind::Hello => 4 * 1024,
            Kind::Ping | Kind::Pong => 8,
            Kind::Goodbye => 2 + ShortText::MAX_LEN,
            Kind::PeersWanted => 2,
            // 16 records of 4 KiB, and an eighth for what stands around them in an envelope.
            Kind::Peers => 72 * 1024,
            Kind::MembersWanted => Self::MAX_MEMBERS_WANTED * NodeId::LEN,
            Kind::Broadcast => MAX_ENVELOPE,
            Kind::Have | Kind::Absent => Self::MAX_HAVE * EnvelopeId::LEN,
            Kind::News => Self::MAX_HAVE * ShortId::LEN,
            Kind::Want => Self::MAX_WANT * EnvelopeId::LEN,
            Kind::Eager | Kind::Lazy => 0,
            // Negentropy's messages are cut at 60,000 bytes; the rest is the session's head.
            Kind::Reconcile => 64 * 1024,
            // Pieces: long enough to cost little, short enough that a broadcast need not wait for a large one.
            Kind::Request | Kind::Response => 64 * 1024,
            Kind::Refused => 8 + 2 + ShortText::MAX_LEN,
            Kind::Credit => 8 + 4,
            // Epoch, time of issue and count; 4,000 serial numbers; the signature.
            Kind::Revocations => 8 + 8 + 2 + 4_000 * 16 + 64,
            // As the other pieces: what it is for is not known here, only that it must not be large.
            Kind::Optional(_) => 64 * 1024,
        }
    }
}

impl fmt::Display for Kind {
    /// The name in the protocol page: `PEERS_WANTED`; an optional kind as `optional 9f`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Hello => "HELLO",
            Kind::Ping => "PING",
            Kind::Pong => "PONG",
            Kind::Goodbye => "GOODBYE",
            Kind::PeersWanted => "PEERS_WANTED",
            Kind::Peers => "PEERS",
            Kind::MembersWanted => "MEMBERS_WANTED",
            Kind::Broadcast => "BROADCAST",
            Kind::Have => "HAVE",
            Kind::Want => "WANT",
            Kind::Absent => "ABSENT",
            Kind::News => "NEWS",
            Kind::Eager => "EAGER",
            Kind::Lazy => "LAZY",
            Kind::Reconcile => "RECONCILE",
            Kind::Request => "REQUEST",
            Kind::Response => "RESPONSE",
            Kind::Refused => "REFUSED",
            Kind::Credit => "CREDIT",
            Kind::Revocations => "REVOCATIONS",
            Kind::Optional(kind) => return write!(f, "optional {:02x}", kind.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_one_kind_optional_or_unknown() {
        let mut known = 0;
        for byte in 0..=u8::MAX {
            match Kind::from_byte(byte) {
                Some(kind) => {
                    assert_eq!(kind.as_byte(), byte);
                    assert_eq!(matches!(kind, Kind::Optional(_)), byte >= 0x80);
                    known += usize::from(byte < 0x80);
                    assert_eq!(Kind::ALL.contains(&kind), byte < 0x80);
                }
                None => assert!(byte < 0x80),
            }
        }
        assert_eq!(known, Kind::ALL.len());
        assert_eq!((OptionalKind::new(0x7F), OptionalKind::new(0x80).map(OptionalKind::as_byte)), (None, Some(0x80)));
    }

    #[test]
    fn the_limits_are_those_of_the_protocol_page() {
        let optional = Kind::from_byte(0xC0).unwrap();
        for (kind, limit) in [
            (Kind::Hello, 4_096),
            (Kind::Ping, 8),
            (Kind::Pong, 8),
            (Kind::Goodbye, 130),
            (Kind::PeersWanted, 2),
            (Kind::Peers, 73_728),
            (Kind::MembersWanted, 2_048),
            (Kind::Broadcast, 131_386),
            (Kind::Have, 32_000),
            (Kind::Want, 8_192),
            (Kind::Absent, 32_000),
            (Kind::News, 8_000),
            (Kind::Eager, 0),
            (Kind::Lazy, 0),
            (Kind::Reconcile, 65_536),
            (Kind::Request, 65_536),
            (Kind::Response, 65_536),
            (Kind::Refused, 138),
            (Kind::Credit, 12),
            (Kind::Revocations, 64_082),
            (optional, 65_536),
        ] {
            assert_eq!(kind.limit(), limit, "{kind}");
            assert!(limit <= Kind::MAX_BODY);
        }
    }
}
