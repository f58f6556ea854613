//! RECONCILE: the steps of a reconciliation session (protocol, section 8).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{EnvelopeIds, Frame, Kind};
use crate::envelope::EnvelopeId;

/// The body of RECONCILE: one step of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconcile {
    /// The opener's number of the session.
    pub session: u16,
    /// What is said.
    pub step: ReconcileStep,
}

/// What the two sides of a session say. The opener is the side that began it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReconcileStep {
    /// 01, the opener: shall we compare this?
    Open(ReconcileOpen),
    /// 81, the responder: yes, this part of it.
    Accept(ReconcileAccept),
    /// 02, the opener: a Negentropy message.
    Query(Bytes),
    /// 82, the responder: the Negentropy message that answers it.
    Answer(Bytes),
    /// 03 and 83: the session is over.
    End(ReconcileSide, ReconcileEnd),
    /// 04, the opener: ids that the responder lacks, at most 1,000; it asks with WANT for those it still needs.
    Offer(EnvelopeIds),
}

/// Which ids are compared, and the opener's digest of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconcileOpen {
    /// Ids of what.
    pub set: ReconcileSet,
    /// Times from this one on, in µs since 1970.
    pub from: u64,
    /// Times before this one, in µs since 1970.
    pub to: u64,
    /// Only what lives two minutes longer than this moment, in µs since 1970.
    pub alive: u64,
    /// SHA-256 of the opener's ids in the order of their bytes.
    pub digest: [u8; 32],
    /// How many there are.
    pub count: u32,
}

/// The part of a window, newest first, that the responder vouches for too, and its digest of its own ids there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconcileAccept {
    /// Times from this one on, in µs since 1970.
    pub from: u64,
    /// Times before this one, in µs since 1970.
    pub to: u64,
    /// SHA-256 of the responder's ids in the order of their bytes.
    pub digest: [u8; 32],
    /// How many there are.
    pub count: u32,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReconcileSet {
    /// 0: broadcasts that are kept.
    Messages,
    /// 1: presence and member slots.
    Members,
}

/// Who says something in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileSide {
    /// Who began it.
    Opener,
    /// The other.
    Responder,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileEnd {
    /// 0: nothing is left to compare.
    Done,
    /// 1: not this.
    Refused,
    /// 2: too many rounds, or ids.
    TooMany,
    /// 3: not now.
    Busy,
    /// A reason of a later version.
    Unknown(u8),
}

/// A RECONCILE that breaks the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a RECONCILE {0}; its sender does not keep to the protocol")]
pub struct ReconcileError(&'static str);

const TOO_SHORT: ReconcileError = ReconcileError("ends too early");
const TOO_LONG: ReconcileError = ReconcileError("has bytes after its end");

/// Set in the step's byte when the responder speaks.
const RESPONDER: u8 = 0x80;

impl Reconcile {
    /// The longest Negentropy message, in bytes.
    pub const MAX_MESSAGE: usize = 60_000;

    /// Reads the body of a RECONCILE; a message in it is kept as it is, without a copy.
    ///
    /// # Errors
    /// [`ReconcileError`] if it is not exactly one step.
    pub fn decode(mut body: Bytes) -> Result<Self, ReconcileError> {
        let byte = body.try_get_u8().map_err(|_| TOO_SHORT)?;
        let session = body.try_get_u16().map_err(|_| TOO_SHORT)?;
        let step = match byte {
            0x01 => ReconcileStep::Open(open(body)?),
            0x81 => ReconcileStep::Accept(accept(body)?),
            0x02 => ReconcileStep::Query(message(body)?),
            0x82 => ReconcileStep::Answer(message(body)?),
            0x03 => ReconcileStep::End(ReconcileSide::Opener, end(body)?),
            0x83 => ReconcileStep::End(ReconcileSide::Responder, end(body)?),
            0x04 => ReconcileStep::Offer(offer(body)?),
            _ => return Err(ReconcileError("has an unknown step")),
        };
        Ok(Reconcile { session, step })
    }

    /// The step as a frame.
    pub fn to_frame(&self) -> Frame {
        let mut body = BytesMut::with_capacity(3 + self.step.body_len());
        body.put_u8(self.step.byte());
        body.put_u16(self.session);
        match &self.step {
            ReconcileStep::Open(open) => {
                body.put_u8(open.set.as_byte());
                [open.from, open.to, open.alive].into_iter().for_each(|time| body.put_u64(time));
                body.put_slice(&open.digest);
                body.put_u32(open.count);
            }
            ReconcileStep::Accept(accept) => {
                [accept.from, accept.to].into_iter().for_each(|time| body.put_u64(time));
                body.put_slice(&accept.digest);
                body.put_u32(accept.count);
            }
            ReconcileStep::Query(message) | ReconcileStep::Answer(message) => body.put_slice(message),
            ReconcileStep::End(_, end) => body.put_u8(end.as_byte()),
            ReconcileStep::Offer(ids) => body.put_slice(ids.as_bytes()),
        }
        Frame::Reconcile(body.freeze())
    }
}

impl ReconcileStep {
    fn byte(&self) -> u8 {
        match self {
            ReconcileStep::Open(_) => 0x01,
            ReconcileStep::Accept(_) => RESPONDER | 0x01,
            ReconcileStep::Query(_) => 0x02,
            ReconcileStep::Answer(_) => RESPONDER | 0x02,
            ReconcileStep::End(ReconcileSide::Opener, _) => 0x03,
            ReconcileStep::End(ReconcileSide::Responder, _) => RESPONDER | 0x03,
            ReconcileStep::Offer(_) => 0x04,
        }
    }

    fn body_len(&self) -> usize {
        match self {
            ReconcileStep::Open(_) => 1 + 3 * 8 + 32 + 4,
            ReconcileStep::Accept(_) => 2 * 8 + 32 + 4,
            ReconcileStep::Query(message) | ReconcileStep::Answer(message) => message.len(),
            ReconcileStep::End(..) => 1,
            ReconcileStep::Offer(ids) => ids.as_bytes().len(),
        }
    }
}

impl ReconcileSet {
    const fn as_byte(self) -> u8 {
        match self {
            ReconcileSet::Messages => 0,
            ReconcileSet::Members => 1,
        }
    }
}

impl ReconcileEnd {
    const fn as_byte(self) -> u8 {
        match self {
            ReconcileEnd::Done => 0,
            ReconcileEnd::Refused => 1,
            ReconcileEnd::TooMany => 2,
            ReconcileEnd::Busy => 3,
            ReconcileEnd::Unknown(byte) => byte,
        }
    }

    const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => ReconcileEnd::Done,
            1 => ReconcileEnd::Refused,
            2 => ReconcileEnd::TooMany,
            3 => ReconcileEnd::Busy,
            byte => ReconcileEnd::Unknown(byte),
        }
    }
}

fn open(mut body: Bytes) -> Result<ReconcileOpen, ReconcileError> {
    let set = match body.try_get_u8().map_err(|_| TOO_SHORT)? {
        0 => ReconcileSet::Messages,
        1 => ReconcileSet::Members,
        _ => return Err(ReconcileError("names an unknown set")),
    };
    let (from, to, alive) = (time(&mut body)?, time(&mut body)?, time(&mut body)?);
    let (digest, count) = digest_and_count(body)?;
    Ok(ReconcileOpen { set, from, to, alive, digest, count })
}

fn accept(mut body: Bytes) -> Result<ReconcileAccept, ReconcileError> {
    let (from, to) = (time(&mut body)?, time(&mut body)?);
    let (digest, count) = digest_and_count(body)?;
    Ok(ReconcileAccept { from, to, digest, count })
}

fn time(body: &mut Bytes) -> Result<u64, ReconcileError> {
    body.try_get_u64().map_err(|_| TOO_SHORT)
}

fn digest_and_count(mut body: Bytes) -> Result<([u8; 32], u32), ReconcileError> {
    let mut digest = [0; 32];
    body.try_copy_to_slice(&mut digest).map_err(|_| TOO_SHORT)?;
    let count = body.try_get_u32().map_err(|_| TOO_SHORT)?;
    if body.is_empty() { Ok((digest, count)) } else { Err(TOO_LONG) }
}

fn message(body: Bytes) -> Result<Bytes, ReconcileError> {
    if body.len() > Reconcile::MAX_MESSAGE {
        return Err(ReconcileError("holds a message of more than 60,000 bytes"));
    }
    Ok(body)
}

fn end(body: Bytes) -> Result<ReconcileEnd, ReconcileError> {
    match body[..] {
        [] => Err(TOO_SHORT),
        [byte] => Ok(ReconcileEnd::from_byte(byte)),
        _ => Err(TOO_LONG),
    }
}

fn offer(body: Bytes) -> Result<EnvelopeIds, ReconcileError> {
    if body.len() > Kind::MAX_HAVE * EnvelopeId::LEN {
        return Err(ReconcileError("offers more than 1,000 ids"));
    }
    EnvelopeIds::from_bytes(body).ok_or(ReconcileError("is no list of whole ids"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(reconcile: &Reconcile) -> Bytes {
        match reconcile.to_frame() {
            Frame::Reconcile(body) => body,
            other => panic!("{other:?}"),
        }
    }

    fn steps() -> impl Strategy<Value = ReconcileStep> {
        let set = prop_oneof![Just(ReconcileSet::Messages), Just(ReconcileSet::Members)];
        let message = proptest::collection::vec(any::<u8>(), 0..100).prop_map(Bytes::from);
        let ids = proptest::collection::vec(any::<[u8; 32]>(), 0..5)
            .prop_map(|ids| ids.into_iter().map(EnvelopeId::from_bytes).collect());
        let side = prop_oneof![Just(ReconcileSide::Opener), Just(ReconcileSide::Responder)];
        prop_oneof![
            (set, any::<[u64; 3]>(), any::<[u8; 32]>(), any::<u32>()).prop_map(|(set, times, digest, count)| {
                let [from, to, alive] = times;
                ReconcileStep::Open(ReconcileOpen { set, from, to, alive, digest, count })
            }),
            (any::<[u64; 2]>(), any::<[u8; 32]>(), any::<u32>()).prop_map(|([from, to], digest, count)| {
                ReconcileStep::Accept(ReconcileAccept { from, to, digest, count })
            }),
            message.clone().prop_map(ReconcileStep::Query),
            message.prop_map(ReconcileStep::Answer),
            (side, any::<u8>()).prop_map(|(side, why)| ReconcileStep::End(side, ReconcileEnd::from_byte(why))),
            ids.prop_map(ReconcileStep::Offer),
        ]
    }

    #[test]
    fn steps_are_laid_out_as_the_protocol_page_says() {
        let open = ReconcileOpen { set: ReconcileSet::Members, from: 1, to: 2, alive: 3, digest: [9; 32], count: 4 };
        let expected =
            [&b"\x01\x01\x02\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03"[..], &[9; 32], b"\0\0\0\x04"];
        assert_eq!(body(&Reconcile { session: 0x0102, step: ReconcileStep::Open(open) }), expected.concat());
        let accept = ReconcileAccept { from: 1, to: 2, digest: [9; 32], count: 4 };
        let expected = [&b"\x81\0\x07\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02"[..], &[9; 32], b"\0\0\0\x04"].concat();
        assert_eq!(body(&Reconcile { session: 7, step: ReconcileStep::Accept(accept) }), expected);
        for (step, expected) in [
            (ReconcileStep::Query(Bytes::from_static(b"a")), &b"\x02\0\x07a"[..]),
            (ReconcileStep::Answer(Bytes::from_static(b"a")), b"\x82\0\x07a"),
            (ReconcileStep::End(ReconcileSide::Opener, ReconcileEnd::Done), b"\x03\0\x07\0"),
            (ReconcileStep::End(ReconcileSide::Responder, ReconcileEnd::Busy), b"\x83\0\x07\x03"),
            (ReconcileStep::Offer([].into_iter().collect()), b"\x04\0\x07"),
        ] {
            assert_eq!(body(&Reconcile { session: 7, step }), expected);
        }
    }

    #[test]
    fn what_is_no_step_is_refused_in_words() {
        let open = [&[1, 0, 0][..], &[0; 61]].concat();
        assert!(Reconcile::decode(open.clone().into()).is_ok());
        let unknown_set = [&open[..3], &[2], &open[4..]].concat();
        for (body, why) in [
            (vec![], "ends too early"),
            (vec![1, 0], "ends too early"),
            (open[..63].to_vec(), "ends too early"),
            ([&open[..], &[0]].concat(), "has bytes after its end"),
            (unknown_set, "names an unknown set"),
            ([&[0x81, 0, 0][..], &[0; 51]].concat(), "ends too early"),
            ([&[0x81, 0, 0][..], &[0; 53]].concat(), "has bytes after its end"),
            (vec![3, 0, 0], "ends too early"),
            (vec![0x83, 0, 0, 0, 0], "has bytes after its end"),
            (vec![4, 0, 0, 0], "is no list of whole ids"),
            ([&[4, 0, 0][..], &[0; 32_032]].concat(), "offers more than 1,000 ids"),
            ([&[2, 0, 0][..], &[0; 60_001]].concat(), "holds a message of more than 60,000 bytes"),
            (vec![0, 0, 0], "has an unknown step"),
            (vec![0x84, 0, 0], "has an unknown step"),
            (vec![5, 0, 0], "has an unknown step"),
        ] {
            assert_eq!(Reconcile::decode(body.into()), Err(ReconcileError(why)));
        }
        for longest in [[&[0x82, 0, 0][..], &[0; 60_000]].concat(), [&[4, 0, 0][..], &[0; 32_000]].concat()] {
            let frame = Reconcile::decode(longest.into()).unwrap().to_frame();
            assert!(frame.encode_into(&mut Vec::new()).is_ok(), "the longest step fits into a frame");
        }
    }

    proptest! {
        #[test]
        fn a_step_is_read_as_it_was_written(session in any::<u16>(), step in steps()) {
            let reconcile = Reconcile { session, step };
            prop_assert_eq!(Reconcile::decode(body(&reconcile)), Ok(reconcile));
        }

        #[test]
        fn hostile_bytes_never_panic_and_what_is_read_is_written_as_it_was(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let bytes = Bytes::from(bytes);
            if let Ok(reconcile) = Reconcile::decode(bytes.clone()) {
                prop_assert_eq!(body(&reconcile), bytes);
            }
        }
    }
}
