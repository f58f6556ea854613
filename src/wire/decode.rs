//! Bytes to frames: the grammar of each kind's body.

use bytes::{Buf, Bytes};

use super::{
    Credit, EnvelopeIds, Frame, FrameError, Goodbye, GoodbyeCode, IdList, Kind, ListedId, NodeIds, PeersWanted,
    Refused, RefusedCode, Request, RequestKind, RequestNumber, Response, ShortIds, ShortText,
};

impl Frame {
    /// The frame of `kind` with this body, whose length has been checked against the kind's limit. Bodies that are
    /// bytes are kept as they are, without a copy.
    pub(super) fn decode(kind: Kind, body: Bytes) -> Result<Frame, FrameError> {
        let decoded = match kind {
            Kind::Hello => Ok(Frame::Hello(body)),
            Kind::Ping => eight(&body).map(Frame::Ping),
            Kind::Pong => eight(&body).map(Frame::Pong),
            Kind::Goodbye => goodbye(body).map(Frame::Goodbye),
            Kind::PeersWanted => peers_wanted(&body).map(Frame::PeersWanted),
            Kind::Peers => Ok(Frame::Peers(body)),
            Kind::MembersWanted => ids(body).map(|nodes: NodeIds| Frame::MembersWanted(nodes)),
            Kind::Broadcast => Ok(Frame::Broadcast(body)),
            Kind::Have => ids(body).map(|ids: EnvelopeIds| Frame::Have(ids)),
            Kind::Want => ids(body).map(|ids: EnvelopeIds| Frame::Want(ids)),
            Kind::Absent => ids(body).map(|ids: EnvelopeIds| Frame::Absent(ids)),
            Kind::News => ids(body).map(|ids: ShortIds| Frame::News(ids)),
            Kind::Eager => end(&body).map(|()| Frame::Eager),
            Kind::Lazy => end(&body).map(|()| Frame::Lazy),
            Kind::Reconcile => Ok(Frame::Reconcile(body)),
            Kind::Request => request(body).map(Frame::Request),
            Kind::Response => response(body).map(Frame::Response),
            Kind::Refused => refused(body).map(Frame::Refused),
            Kind::Credit => credit(body).map(Frame::Credit),
            Kind::Revocations => Ok(Frame::Revocations(body)),
            Kind::Optional(kind) => Ok(Frame::Unknown { kind, body }),
        };
        decoded.map_err(|what| FrameError::Malformed { kind, what })
    }
}

/// What is wrong with a body, as the rest of a sentence that begins with the kind.
type Wrong = &'static str;

const TOO_SHORT: Wrong = "ends too early";
const TOO_LONG: Wrong = "has bytes after its end";
const NO_TEXT: Wrong = "holds a text that is not UTF-8 or longer than 128 bytes";

fn end(body: &Bytes) -> Result<(), Wrong> {
    if body.is_empty() { Ok(()) } else { Err(TOO_LONG) }
}

fn eight(body: &Bytes) -> Result<[u8; 8], Wrong> {
    <[u8; 8]>::try_from(&body[..]).map_err(|_| TOO_SHORT)
}

fn ids<T: ListedId>(body: Bytes) -> Result<IdList<T>, Wrong> {
    IdList::from_bytes(body).ok_or("is no list of whole ids")
}

fn goodbye(mut body: Bytes) -> Result<Goodbye, Wrong> {
    let code = GoodbyeCode::from_u16(body.try_get_u16().map_err(|_| TOO_SHORT)?);
    Ok(Goodbye { code, text: ShortText::decode(&body).ok_or(NO_TEXT)? })
}

fn peers_wanted(body: &Bytes) -> Result<PeersWanted, Wrong> {
    let bytes = <[u8; 2]>::try_from(&body[..]).map_err(|_| TOO_SHORT)?;
    PeersWanted::from_bytes(bytes).ok_or("asks an unknown question, or not for 1 to 16")
}

fn number(body: &mut Bytes) -> Result<RequestNumber, Wrong> {
    let number = body.try_get_u64().map_err(|_| TOO_SHORT)?;
    RequestNumber::new(number).ok_or("has number 0; numbers rise from 1")
}

/// Bit 0 says "last piece", in a request bits 1 and 2 say what is wanted. Another bit would change the meaning of the
/// bytes in a way this version cannot know, so it must not be passed over.
fn flags(body: &mut Bytes) -> Result<(bool, RequestKind), Wrong> {
    let flags = body.try_get_u8().map_err(|_| TOO_SHORT)?;
    let kind = RequestKind::from_flags(flags & !1).ok_or(UNKNOWN_FLAGS)?;
    Ok((flags & 1 != 0, kind))
}

const UNKNOWN_FLAGS: Wrong = "has unknown flags";

fn request(mut body: Bytes) -> Result<Request, Wrong> {
    let number = number(&mut body)?;
    let title_len = usize::from(body.try_get_u8().map_err(|_| TOO_SHORT)?);
    let title = body.get(..title_len).ok_or(TOO_SHORT)?;
    let title = std::str::from_utf8(title).ok().and_then(|title| title.parse().ok()).ok_or("has no proper title")?;
    body.advance(title_len);
    let (last, kind) = flags(&mut body)?;
    Ok(Request { number, title, kind, last, bytes: body })
}

fn response(mut body: Bytes) -> Result<Response, Wrong> {
    let number = number(&mut body)?;
    match flags(&mut body)? {
        (last, RequestKind::Message) => Ok(Response { number, last, bytes: body }),
        _ => Err(UNKNOWN_FLAGS),
    }
}

fn refused(mut body: Bytes) -> Result<Refused, Wrong> {
    let number = number(&mut body)?;
    let code = RefusedCode::from_u16(body.try_get_u16().map_err(|_| TOO_SHORT)?);
    Ok(Refused { number, code, text: ShortText::decode(&body).ok_or(NO_TEXT)? })
}

fn credit(mut body: Bytes) -> Result<Credit, Wrong> {
    let number = number(&mut body)?;
    let bytes = body.try_get_u32().map_err(|_| TOO_SHORT)?;
    end(&body)?;
    Ok(Credit { number, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::arbitrary;
    use proptest::prelude::*;

    fn wrong(kind: Kind, body: &'static [u8]) -> Wrong {
        match Frame::decode(kind, Bytes::from_static(body)) {
            Err(FrameError::Malformed { kind: named, what }) if named == kind => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bodies_of_the_wrong_shape_are_refused_by_name() {
        for (kind, body, what) in [
            (Kind::Ping, &b"1234567"[..], TOO_SHORT),
            (Kind::Pong, b"", TOO_SHORT),
            (Kind::Goodbye, b"\0", TOO_SHORT),
            (Kind::Goodbye, b"\0\0\xFF", NO_TEXT),
            (Kind::PeersWanted, b"\0", TOO_SHORT),
            (Kind::PeersWanted, b"\x02\x01", "asks an unknown question, or not for 1 to 16"),
            (Kind::PeersWanted, b"\0\0", "asks an unknown question, or not for 1 to 16"),
            (Kind::PeersWanted, b"\0\x11", "asks an unknown question, or not for 1 to 16"),
            (Kind::MembersWanted, &[7; 33], "is no list of whole ids"),
            (Kind::Have, &[7; 31], "is no list of whole ids"),
            (Kind::Want, &[7; 63], "is no list of whole ids"),
            (Kind::Absent, &[7; 1], "is no list of whole ids"),
            (Kind::News, &[7; 12], "is no list of whole ids"),
            (Kind::Request, b"\0\0\0\0\0\0\0", TOO_SHORT),
            (Kind::Request, b"\0\0\0\0\0\0\0\0\0\x01", "has number 0; numbers rise from 1"),
            (Kind::Request, b"\0\0\0\0\0\0\0\x01", TOO_SHORT),
            (Kind::Request, b"\0\0\0\0\0\0\0\x01\x04abc", TOO_SHORT),
            (Kind::Request, b"\0\0\0\0\0\0\0\x01\x03abc", TOO_SHORT),
            (Kind::Request, b"\0\0\0\0\0\0\0\x01\x01\xFF\x01", "has no proper title"),
            (Kind::Request, b"\0\0\0\0\0\0\0\x01\x01\n\x01", "has no proper title"),
            (Kind::Request, b"\0\0\0\0\0\0\0\x01\0\x04", "has unknown flags"),
            (Kind::Request, b"\0\0\0\0\0\0\0\x01\0\x09", "has unknown flags"),
            (Kind::Response, b"\0\0\0\0\0\0\0\x01\x02", "has unknown flags"),
            (Kind::Response, b"\0\0\0\0\0\0\0\x01", TOO_SHORT),
            (Kind::Response, b"\0\0\0\0\0\0\0\0\x01", "has number 0; numbers rise from 1"),
            (Kind::Response, b"\0\0\0\0\0\0\0\x01\x81", "has unknown flags"),
            (Kind::Refused, b"\0\0\0\0\0\0\0\x01\0", TOO_SHORT),
            (Kind::Refused, b"\0\0\0\0\0\0\0\x01\0\x01\xFF", NO_TEXT),
            (Kind::Credit, b"\0\0\0\0\0\0\0\x01\0\0\0", TOO_SHORT),
            (Kind::Credit, b"\0\0\0\0\0\0\0\0\0\0\0\x01", "has number 0; numbers rise from 1"),
        ] {
            assert_eq!(wrong(kind, body), what, "{kind} {body:?}");
        }
        let mut title = vec![0, 0, 0, 0, 0, 0, 0, 1, 201];
        title.extend_from_slice(&[b'x'; 202]);
        assert!(Frame::decode(Kind::Request, title.into()).is_err(), "a title of 201 bytes");
    }

    #[test]
    fn codes_of_later_versions_are_read() {
        let frame = Frame::decode(Kind::Goodbye, Bytes::from_static(b"\xFF\xFEbye")).unwrap();
        assert_eq!(frame, Frame::Goodbye(Goodbye::new(GoodbyeCode::Unknown(0xFFFE), "bye")));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(frame in arbitrary::frame()) {
            let mut bytes = Vec::new();
            frame.encode_into(&mut bytes).unwrap();
            let body = Bytes::from(bytes).slice(Frame::HEAD_LEN..);
            prop_assert_eq!(Frame::decode(frame.kind(), body).unwrap(), frame);
        }

        #[test]
        fn hostile_bodies_never_panic_and_what_is_decoded_is_encoded_to_the_same_bytes(
            kind in any::<u8>(),
            body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let Some(kind) = Kind::from_byte(kind) else { return Ok(()) };
            let body = Bytes::from(body);
            prop_assume!(body.len() <= kind.limit());
            if let Ok(frame) = Frame::decode(kind, body.clone()) {
                let mut bytes = Vec::new();
                frame.encode_into(&mut bytes).unwrap();
                prop_assert_eq!(&bytes[Frame::HEAD_LEN..], &body[..]);
            }
        }
    }
}
