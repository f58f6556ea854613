//! REQUEST, RESPONSE, REFUSED and CREDIT: the bodies of section 9 of the protocol page.

use std::fmt;
use std::num::NonZeroU64;

use bytes::Bytes;

use super::{Kind, ShortText};
use crate::envelope::Title;

/// The number of a request: from 1, rising with each request of one side of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNumber(NonZeroU64);

/// A piece of a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Which request it belongs to.
    pub number: RequestNumber,
    /// What is asked; later pieces have an empty title.
    pub title: Title,
    /// What is wanted; later pieces say [`Message`](RequestKind::Message).
    pub kind: RequestKind,
    /// Whether this is the last piece.
    pub last: bool,
    /// The piece, at most [`Request::room`] bytes.
    pub bytes: Bytes,
}

/// What the asker wants (bits 1 and 2 of the first piece's flags).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestKind {
    /// Only to be understood: whoever takes messages takes it, and what it is answered with is of no interest.
    #[default]
    Message,
    /// An answer: refused if nobody answers requests of that title.
    Question,
    /// An answer from some place of it on. The request begins with that offset (u64), the response with the length of
    /// the whole (u64, all ones if it is not known).
    Fetch,
}

/// A piece of a response.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Which request it answers.
    pub number: RequestNumber,
    /// Whether this is the last piece.
    pub last: bool,
    /// The piece, at most [`Response::ROOM`] bytes.
    pub bytes: Bytes,
}

/// A request that gets no (further) response; also sent by an asker that gives up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    /// Which request.
    pub number: RequestNumber,
    /// Why.
    pub code: RefusedCode,
    /// A few words for a person; may be empty.
    pub text: ShortText,
}

/// Leave to send more bytes of a request or a response. Each side of a link numbers its own requests, so bit 31 of
/// `bytes` says whose number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credit {
    /// Which request.
    pub number: RequestNumber,
    /// How many bytes more; with [`Credit::OF_REQUEST`] they are of the receiver's own request, else of the response to
    /// the sender's.
    pub bytes: u32,
}

impl Credit {
    /// The bit that says: of the request, not of a response.
    pub const OF_REQUEST: u32 = 1 << 31;
}

/// Why a request was refused (u16 on the wire).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusedCode {
    /// 1: nobody here answers requests of that title.
    NoSuchTitle,
    /// 2: too many requests are open.
    Busy,
    /// 3: the request or its response is larger than is allowed.
    TooLarge,
    /// 4: it took too long.
    Deadline,
    /// 5: the asker may not ask that.
    NotAllowed,
    /// 6: the application refused; the text is its own.
    Application,
    /// 7: given up by the asker. Only askers say so, of their own requests; every other code is about the other side's.
    Cancelled,
    /// 0, or a code of a later version.
    Unknown(u16),
}

impl RequestNumber {
    /// The number of the first request.
    pub const FIRST: RequestNumber = RequestNumber(NonZeroU64::MIN);

    /// The request with this number; `None` for 0.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(RequestNumber(number)),
            None => None,
        }
    }

    /// The number after this one; `None` after 2^64 − 1.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(RequestNumber(number)),
            None => None,
        }
    }

    /// The number, 1 or higher.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for RequestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Request {
    /// What stands before the piece: number, length of title, title, flags.
    pub(super) const fn head_len(title_len: usize) -> usize {
        8 + 1 + title_len + 1
    }

    /// How many bytes a piece with this title may have; with an empty title 65,526.
    pub fn room(title: &Title) -> usize {
        Kind::Request.limit().saturating_sub(Self::head_len(title.as_str().len()))
    }
}

impl Response {
    /// How many bytes a piece may have: the frame's limit less number and flags.
    pub const ROOM: usize = Kind::Response.limit() - Self::HEAD_LEN;

    /// What stands before the piece: number and flags.
    pub(super) const HEAD_LEN: usize = 8 + 1;
}

impl RequestKind {
    /// The bits of the flags.
    pub(super) const fn as_flags(self) -> u8 {
        match self {
            RequestKind::Message => 0,
            RequestKind::Question => 2,
            RequestKind::Fetch => 6,
        }
    }

    /// The kind that these bits mean; `None` for others.
    pub(super) const fn from_flags(flags: u8) -> Option<Self> {
        match flags {
            0 => Some(RequestKind::Message),
            2 => Some(RequestKind::Question),
            6 => Some(RequestKind::Fetch),
            _ => None,
        }
    }
}

impl RefusedCode {
    /// The number on the wire.
    pub const fn as_u16(self) -> u16 {
        match self {
            RefusedCode::NoSuchTitle => 1,
            RefusedCode::Busy => 2,
            RefusedCode::TooLarge => 3,
            RefusedCode::Deadline => 4,
            RefusedCode::NotAllowed => 5,
            RefusedCode::Application => 6,
            RefusedCode::Cancelled => 7,
            RefusedCode::Unknown(code) => code,
        }
    }

    /// The code with this number; one that this version does not know is [`Unknown`](RefusedCode::Unknown).
    pub const fn from_u16(code: u16) -> Self {
        match code {
            1 => RefusedCode::NoSuchTitle,
            2 => RefusedCode::Busy,
            3 => RefusedCode::TooLarge,
            4 => RefusedCode::Deadline,
            5 => RefusedCode::NotAllowed,
            6 => RefusedCode::Application,
            7 => RefusedCode::Cancelled,
            other => RefusedCode::Unknown(other),
        }
    }
}

impl fmt::Display for RefusedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RefusedCode::NoSuchTitle => "no such title",
            RefusedCode::Busy => "busy",
            RefusedCode::TooLarge => "too large",
            RefusedCode::Deadline => "deadline passed",
            RefusedCode::NotAllowed => "not allowed",
            RefusedCode::Application => "refused by the application",
            RefusedCode::Cancelled => "cancelled",
            RefusedCode::Unknown(code) => return write!(f, "unknown code {code}"),
        })
    }
}

// Contents are an application's own and long: traces show their size.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { number, title, kind, last, bytes } = self;
        write!(f, "{number} {:?} {kind:?} last={last} {} bytes", title.as_str(), bytes.len())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Response { number, last, bytes } = self;
        write!(f, "{number} last={last} {} bytes", bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_from_1_and_never_wrap() {
        assert_eq!(RequestNumber::FIRST.get(), 1);
        assert_eq!(RequestNumber::FIRST.next().map(RequestNumber::get), Some(2));
        assert_eq!(RequestNumber::new(0), None);
        assert_eq!(RequestNumber::new(u64::MAX).and_then(RequestNumber::next), None);
    }

    #[test]
    fn every_number_is_a_code_and_seven_have_names() {
        for number in 0..=u16::MAX {
            let code = RefusedCode::from_u16(number);
            assert_eq!(code.as_u16(), number);
            assert_eq!(matches!(code, RefusedCode::Unknown(_)), !(1..=7).contains(&number));
        }
    }
}
