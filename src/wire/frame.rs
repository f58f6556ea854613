//! One frame: what two neighbours say to each other.

use std::fmt;

use bytes::Bytes;

use super::{
    Credit, EnvelopeIds, Goodbye, Kind, NodeIds, OptionalKind, PeersWanted, Refused, Request, RequestNumber, Response,
    ShortIds,
};

/// A frame (protocol, section 3): `u32 length of body ‖ kind u8 ‖ body`.
///
/// Long bodies are reference-counted slices of what was received, so that a frame is cloned for eight neighbours
/// without a copy. What belongs to other rooms (envelopes, lists, sessions) stays bytes here; a frame that was decoded
/// has kept its own grammar only.
///
/// ```
/// use sealnet::wire::{Frame, FrameDecoder};
/// let mut bytes = Vec::new();
/// Frame::Ping(*b"12345678").encode_into(&mut bytes)?;
/// Frame::Eager.encode_into(&mut bytes)?;
/// assert_eq!(bytes, b"\0\0\0\x08\x0212345678\0\0\0\0\x23");
///
/// let mut decoder = FrameDecoder::new();
/// decoder.push(bytes);
/// assert_eq!(decoder.next_frame()?, Some(Frame::Ping(*b"12345678")));
/// assert_eq!(decoder.next_frame()?, Some(Frame::Eager));
/// assert_eq!(decoder.next_frame()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// JSON, read with [`Hello::decode`](super::Hello::decode). It stays bytes here, so that one that comes at the
    /// wrong time is never parsed.
    Hello(Bytes),
    /// Eight bytes of the asker's choice.
    Ping([u8; 8]),
    /// A ping's bytes back.
    Pong([u8; 8]),
    /// The link ends, and why.
    Goodbye(Goodbye),
    /// Asks for members.
    PeersWanted(PeersWanted),
    /// Presence and member envelopes one after another; made with [`Frame::peers`].
    Peers(Bytes),
    /// Asks for the member records of at most 64 nodes; answered with PEERS.
    MembersWanted(NodeIds),
    /// One envelope.
    Broadcast(Bytes),
    /// Envelopes that the sender of this frame holds, at most 1,000.
    Have(EnvelopeIds),
    /// Envelopes that it asks for, at most 256.
    Want(EnvelopeIds),
    /// Envelopes it was asked for and does not hold, at most 1,000.
    Absent(EnvelopeIds),
    /// Envelopes that are new and that the sender of this frame holds, by their short names, at most 1,000.
    News(ShortIds),
    /// "Send me contents."
    Eager,
    /// "Send me ids."
    Lazy,
    /// One step of a reconciliation session (section 8).
    Reconcile(Bytes),
    /// A piece of a request (section 9).
    Request(Request),
    /// A piece of a response.
    Response(Response),
    /// A request gets no response, or is given up.
    Refused(Refused),
    /// Leave to send more of a response.
    Credit(Credit),
    /// The signed list of revocations (section 10).
    Revocations(Bytes),
    /// An optional kind of a later version: to be passed over, at the price of its size.
    Unknown {
        /// Which kind.
        kind: OptionalKind,
        /// Its body.
        body: Bytes,
    },
}

impl Frame {
    /// What kind of frame it is.
    pub fn kind(&self) -> Kind {
        match self {
            Frame::Hello(_) => Kind::Hello,
            Frame::Ping(_) => Kind::Ping,
            Frame::Pong(_) => Kind::Pong,
            Frame::Goodbye(_) => Kind::Goodbye,
            Frame::PeersWanted(_) => Kind::PeersWanted,
            Frame::Peers(_) => Kind::Peers,
            Frame::MembersWanted(_) => Kind::MembersWanted,
            Frame::Broadcast(_) => Kind::Broadcast,
            Frame::Have(_) => Kind::Have,
            Frame::Want(_) => Kind::Want,
            Frame::Absent(_) => Kind::Absent,
            Frame::News(_) => Kind::News,
            Frame::Eager => Kind::Eager,
            Frame::Lazy => Kind::Lazy,
            Frame::Reconcile(_) => Kind::Reconcile,
            Frame::Request(_) => Kind::Request,
            Frame::Response(_) => Kind::Response,
            Frame::Refused(_) => Kind::Refused,
            Frame::Credit(_) => Kind::Credit,
            Frame::Revocations(_) => Kind::Revocations,
            Frame::Unknown { kind, .. } => Kind::Optional(*kind),
        }
    }

    /// The request this frame belongs to, if it belongs to one.
    pub fn request_number(&self) -> Option<RequestNumber> {
        match self {
            Frame::Request(piece) => Some(piece.number),
            Frame::Response(piece) => Some(piece.number),
            Frame::Refused(refused) => Some(refused.number),
            Frame::Credit(credit) => Some(credit.number),
            _ => None,
        }
    }
}

impl fmt::Debug for Frame {
    /// Kind and size; contents only where they are short. Traces of a busy link stay readable, and quote no messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        match self {
            Frame::Goodbye(goodbye) => write!(f, " {goodbye}"),
            Frame::PeersWanted(wanted) => write!(f, " {:?} {}", wanted.which(), wanted.count()),
            Frame::MembersWanted(nodes) => write!(f, " {}", nodes.len()),
            Frame::Have(ids) | Frame::Want(ids) | Frame::Absent(ids) => write!(f, " {}", ids.len()),
            Frame::News(ids) => write!(f, " {}", ids.len()),
            Frame::Request(request) => write!(f, " {request:?}"),
            Frame::Response(response) => write!(f, " {response:?}"),
            Frame::Refused(Refused { number, code, text }) => write!(f, " {number} {code} ({text})"),
            Frame::Credit(Credit { number, bytes }) => write!(f, " {number} {bytes} bytes"),
            Frame::Ping(_) | Frame::Pong(_) | Frame::Eager | Frame::Lazy => Ok(()),
            Frame::Hello(body)
            | Frame::Peers(body)
            | Frame::Broadcast(body)
            | Frame::Reconcile(body)
            | Frame::Revocations(body)
            | Frame::Unknown { body, .. } => write!(f, " {} bytes", body.len()),
        }
    }
}

/// Frames of every kind, for the property tests of this room.
#[cfg(test)]
pub(super) mod arbitrary {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::envelope::{EnvelopeId, ShortId};
    use crate::identity::NodeId;
    use crate::wire::{GoodbyeCode, RefusedCode, RequestKind, ShortText, WhichPeers};

    fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
        // Mostly short, so that many frames fit into few chunks; sometimes as long as the limit.
        prop_oneof![
            20 => vec(any::<u8>(), 0..200).prop_map(Bytes::from),
            1 => (0..=max, any::<u8>()).prop_map(|(len, byte)| Bytes::from(vec![byte; len])),
            1 => any::<u8>().prop_map(move |byte| Bytes::from(vec![byte; max])),
        ]
    }

    fn ids(max: usize) -> impl Strategy<Value = EnvelopeIds> {
        prop_oneof![9 => 0..20_usize, 1 => Just(max)]
            .prop_flat_map(|len| vec(any::<[u8; 32]>(), len))
            .prop_map(|ids| ids.into_iter().map(EnvelopeId::from_bytes).collect())
    }

    fn number() -> impl Strategy<Value = RequestNumber> {
        (1..=u64::MAX).prop_map(|number| RequestNumber::new(number).unwrap())
    }

    fn text() -> impl Strategy<Value = ShortText> {
        ".{0,60}".prop_map(|text| ShortText::new(&text))
    }

    /// Any frame that may stand on the wire.
    pub(crate) fn frame() -> impl Strategy<Value = Frame> {
        let which = prop_oneof![Just(WhichPeers::RandomMembers), Just(WhichPeers::YourNeighbours)];
        let title = "[a-zé/ ]{0,60}".prop_map(|title| title.parse().unwrap());
        let kind = prop_oneof![Just(RequestKind::Message), Just(RequestKind::Question), Just(RequestKind::Fetch)];
        let request = (number(), title, kind, any::<bool>(), bytes(65_300));
        let request = request.prop_map(|(number, title, kind, last, bytes)| {
            let bytes = bytes.slice(..bytes.len().min(Request::room(&title)));
            Frame::Request(Request { number, title, kind, last, bytes })
        });
        prop_oneof![
            bytes(Kind::Hello.limit()).prop_map(Frame::Hello),
            any::<[u8; 8]>().prop_map(Frame::Ping),
            any::<[u8; 8]>().prop_map(Frame::Pong),
            (any::<u16>(), text())
                .prop_map(|(code, text)| Frame::Goodbye(Goodbye { code: GoodbyeCode::from_u16(code), text })),
            (which, 1..=16_u8).prop_map(|(which, count)| Frame::PeersWanted(PeersWanted::new(which, count))),
            bytes(Kind::Peers.limit()).prop_map(Frame::Peers),
            vec(any::<[u8; 32]>(), 0..=64)
                .prop_map(|ids| Frame::MembersWanted(ids.into_iter().map(NodeId::from_bytes).collect())),
            bytes(Kind::Broadcast.limit()).prop_map(Frame::Broadcast),
            ids(Kind::MAX_HAVE).prop_map(Frame::Have),
            ids(Kind::MAX_WANT).prop_map(Frame::Want),
            ids(Kind::MAX_HAVE).prop_map(Frame::Absent),
            vec(any::<[u8; 8]>(), 0..=100)
                .prop_map(|ids| Frame::News(ids.into_iter().map(ShortId::from_bytes).collect())),
            Just(Frame::Eager),
            Just(Frame::Lazy),
            bytes(Kind::Reconcile.limit()).prop_map(Frame::Reconcile),
            request,
            (number(), any::<bool>(), bytes(Response::ROOM))
                .prop_map(|(number, last, bytes)| Frame::Response(Response { number, last, bytes })),
            (number(), any::<u16>(), text()).prop_map(|(number, code, text)| Frame::Refused(Refused {
                number,
                code: RefusedCode::from_u16(code),
                text
            })),
            (number(), any::<u32>()).prop_map(|(number, bytes)| Frame::Credit(Credit { number, bytes })),
            bytes(Kind::Revocations.limit()).prop_map(Frame::Revocations),
            (0x80..=0xFF_u8, bytes(65_536))
                .prop_map(|(kind, body)| Frame::Unknown { kind: OptionalKind::new(kind).unwrap(), body }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_show_sizes_and_escape_what_strangers_wrote() {
        let frame = Frame::Broadcast(Bytes::from_static(b"a secret"));
        assert_eq!(format!("{frame:?}"), "BROADCAST 8 bytes");
        let goodbye = Goodbye::new(crate::wire::GoodbyeCode::Full, "\u{1b}c");
        assert_eq!(format!("{:?}", Frame::Goodbye(goodbye)), r"GOODBYE full (\u{1b}c)");
    }
}
