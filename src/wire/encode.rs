//! Frames to bytes.

use bytes::BufMut;

use super::{Credit, Frame, Kind, Refused, Request, Response};

/// The frame is longer than its kind may be. It was not encoded: a neighbour would close the link over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} of {len} bytes may not be sent, the most is {limit}; send it in pieces", limit = .kind.limit())]
pub struct FrameTooLong {
    /// The frame's kind.
    pub kind: Kind,
    /// The length of its body in bytes.
    pub len: usize,
}

impl Frame {
    /// The bytes before a frame's body: its length and its kind.
    pub const HEAD_LEN: usize = 4 + 1;

    /// How many bytes the frame takes on the wire, 5 and more.
    pub fn encoded_len(&self) -> usize {
        Self::HEAD_LEN.saturating_add(self.body_len())
    }

    /// Appends the frame to `out`, which may be a `Vec<u8>` or a `BytesMut`.
    ///
    /// # Errors
    /// If the body is longer than its kind allows; `out` is then as it was.
    pub fn encode_into(&self, out: &mut impl BufMut) -> Result<(), FrameTooLong> {
        let rest = self.encode_head_into(out)?;
        out.put_slice(rest);
        Ok(())
    }

    /// Appends the frame to `out` up to its last and longest part, and returns that part, which comes right after: for
    /// a writer that cuts the stream into records and wants to copy an envelope once only, to where it is sealed.
    /// At most 215 bytes are appended.
    ///
    /// # Errors
    /// If the body is longer than its kind allows; `out` is then as it was.
    pub fn encode_head_into(&self, out: &mut impl BufMut) -> Result<&[u8], FrameTooLong> {
        let (kind, len) = (self.kind(), self.body_len());
        let Some(announced) = u32::try_from(len).ok().filter(|_| len <= kind.limit()) else {
            return Err(FrameTooLong { kind, len });
        };
        out.put_u32(announced);
        out.put_u8(kind.as_byte());
        match self {
            Frame::Ping(bytes) | Frame::Pong(bytes) => out.put_slice(bytes),
            Frame::Goodbye(goodbye) => {
                out.put_u16(goodbye.code.as_u16());
                out.put_slice(goodbye.text.as_str().as_bytes());
            }
            Frame::PeersWanted(wanted) => out.put_slice(&wanted.to_bytes()),
            Frame::Request(Request { number, title, kind, last, bytes: _ }) => {
                out.put_u64(number.get());
                // A title has at most 200 bytes.
                out.put_u8(u8::try_from(title.as_str().len()).unwrap_or(u8::MAX));
                out.put_slice(title.as_str().as_bytes());
                out.put_u8(kind.as_flags() | u8::from(*last));
            }
            Frame::Response(Response { number, last, bytes: _ }) => {
                out.put_u64(number.get());
                out.put_u8(u8::from(*last));
            }
            Frame::Refused(Refused { number, code, text }) => {
                out.put_u64(number.get());
                out.put_u16(code.as_u16());
                out.put_slice(text.as_str().as_bytes());
            }
            Frame::Credit(Credit { number, bytes }) => {
                out.put_u64(number.get());
                out.put_u32(*bytes);
            }
            _ => {}
        }
        Ok(self.rest())
    }

    fn body_len(&self) -> usize {
        let head = match self {
            Frame::Ping(_) | Frame::Pong(_) => 8,
            Frame::Goodbye(goodbye) => 2 + goodbye.text.as_str().len(),
            Frame::PeersWanted(_) => 2,
            Frame::Request(request) => Request::head_len(request.title.as_str().len()),
            Frame::Response(_) => Response::HEAD_LEN,
            Frame::Refused(refused) => 8 + 2 + refused.text.as_str().len(),
            Frame::Credit(_) => 8 + 4,
            _ => 0,
        };
        self.rest().len().saturating_add(head)
    }

    /// The last part of the body, which is sent as it is held.
    fn rest(&self) -> &[u8] {
        match self {
            Frame::Hello(bytes)
            | Frame::Peers(bytes)
            | Frame::Broadcast(bytes)
            | Frame::Reconcile(bytes)
            | Frame::Revocations(bytes)
            | Frame::Unknown { kind: _, body: bytes } => bytes,
            Frame::MembersWanted(nodes) => nodes.as_bytes(),
            Frame::Have(ids) | Frame::Want(ids) | Frame::Absent(ids) => ids.as_bytes(),
            Frame::News(ids) => ids.as_bytes(),
            Frame::Request(request) => &request.bytes,
            Frame::Response(response) => &response.bytes,
            Frame::Ping(_)
            | Frame::Pong(_)
            | Frame::Goodbye(_)
            | Frame::PeersWanted(_)
            | Frame::Eager
            | Frame::Lazy
            | Frame::Refused(_)
            | Frame::Credit(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::arbitrary;
    use crate::wire::{
        EnvelopeIds, Goodbye, GoodbyeCode, OptionalKind, RefusedCode, RequestKind, RequestNumber, ShortIds, ShortText,
    };
    use bytes::{Bytes, BytesMut};
    use proptest::prelude::*;

    fn encoded(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.encode_into(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn frames_are_laid_out_as_the_protocol_page_says() {
        let number = RequestNumber::new(0x0102).unwrap();
        let bytes = Bytes::from_static(b"xyz");
        let request = |kind, last| {
            Frame::Request(Request { number, title: "a/b".parse().unwrap(), kind, last, bytes: bytes.clone() })
        };
        for (frame, expected) in [
            (Frame::Goodbye(Goodbye::new(GoodbyeCode::Barred, "no")), &b"\0\0\0\x04\x04\0\x06no"[..]),
            (request(RequestKind::Message, true), b"\0\0\0\x10\x40\0\0\0\0\0\0\x01\x02\x03a/b\x01xyz"),
            (request(RequestKind::Question, true), b"\0\0\0\x10\x40\0\0\0\0\0\0\x01\x02\x03a/b\x03xyz"),
            (request(RequestKind::Fetch, false), b"\0\0\0\x10\x40\0\0\0\0\0\0\x01\x02\x03a/b\x06xyz"),
            (
                Frame::Response(Response { number, last: false, bytes: bytes.clone() }),
                b"\0\0\0\x0c\x41\0\0\0\0\0\0\x01\x02\0xyz",
            ),
            (
                Frame::Refused(Refused { number, code: RefusedCode::Busy, text: ShortText::new("hm") }),
                b"\0\0\0\x0c\x42\0\0\0\0\0\0\x01\x02\0\x02hm",
            ),
            (
                Frame::Credit(Credit { number, bytes: 0xA0B0C0D0 }),
                b"\0\0\0\x0c\x43\0\0\0\0\0\0\x01\x02\xA0\xB0\xC0\xD0",
            ),
            (Frame::Unknown { kind: OptionalKind::new(0xFE).unwrap(), body: bytes.clone() }, b"\0\0\0\x03\xFExyz"),
        ] {
            assert_eq!(encoded(&frame), expected, "{frame:?}");
        }
    }

    #[test]
    fn a_frame_over_its_limit_is_not_sent() {
        let id = crate::envelope::EnvelopeId::from_bytes([1; 32]);
        let ids = |n| EnvelopeIds::from_iter(std::iter::repeat_n(id, n));
        let short = |n| ShortIds::from_iter(std::iter::repeat_n((&id).into(), n));
        for (good, bad) in [
            (Frame::Broadcast(vec![0; 131_386].into()), Frame::Broadcast(vec![0; 131_387].into())),
            (Frame::Have(ids(1_000)), Frame::Have(ids(1_001))),
            (Frame::Want(ids(256)), Frame::Want(ids(257))),
            (Frame::Absent(ids(1_000)), Frame::Absent(ids(1_001))),
            (Frame::News(short(1_000)), Frame::News(short(1_001))),
            (Frame::Revocations(vec![0; 64_082].into()), Frame::Revocations(vec![0; 64_083].into())),
        ] {
            let mut out = BytesMut::from(&b"before"[..]);
            assert_eq!(bad.encode_into(&mut out).unwrap_err().kind, bad.kind());
            assert_eq!(&out[..], b"before");
            assert_eq!(encoded(&good).len(), good.encoded_len());
        }
    }

    #[test]
    fn the_largest_pieces_fill_a_frame_exactly() {
        let number = RequestNumber::FIRST;
        for title in ["", "a", &"x".repeat(200)] {
            let title: crate::envelope::Title = title.parse().unwrap();
            let piece = |bytes: usize| {
                let (title, kind) = (title.clone(), RequestKind::Fetch);
                Frame::Request(Request { number, title, kind, last: true, bytes: vec![0; bytes].into() })
            };
            let room = Request::room(&title);
            assert_eq!(piece(room).encoded_len(), 65_536 + 5);
            assert!(piece(room + 1).encode_into(&mut Vec::new()).is_err());
        }
        let piece = |bytes: usize| Frame::Response(Response { number, last: true, bytes: vec![0; bytes].into() });
        assert_eq!(piece(Response::ROOM).encoded_len(), 65_536 + 5);
        assert!(piece(Response::ROOM + 1).encode_into(&mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn the_length_is_known_before_and_the_long_part_is_not_copied(frame in arbitrary::frame()) {
            let mut head = Vec::new();
            let rest = frame.encode_head_into(&mut head).unwrap();
            prop_assert!(head.len() <= 215);
            prop_assert_eq!(head.len() + rest.len(), frame.encoded_len());
            head.extend_from_slice(rest);
            prop_assert_eq!(head, encoded(&frame));
        }
    }
}
