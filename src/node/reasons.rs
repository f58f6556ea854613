//! What a link's error means to the overlay.

use crate::link::LinkError;
use crate::overlay::Reason;
use crate::wire::{FrameError, GoodbyeCode};

/// The reason that stands for an error of a link.
pub(super) fn reason_of(error: &LinkError) -> Reason {
    match error {
        LinkError::WrongIdentity { .. } => Reason::WrongIdentity,
        LinkError::OwnIdentity => Reason::OwnIdentity,
        LinkError::Refused => Reason::Barred,
        LinkError::HandshakeTimeout | LinkError::HelloTimeout => Reason::HandshakeTimeout,
        LinkError::BadHello(_) => Reason::BadHello,
        LinkError::Frame(FrameError::Unsupported { .. }) => Reason::Unsupported,
        LinkError::Frame(FrameError::CutOff) | LinkError::Io(_) | LinkError::Closed => Reason::ConnectionLost,
        LinkError::Frame(_) => Reason::BadFrame,
        LinkError::Record => Reason::BadRecord,
        LinkError::Stuck => Reason::Stuck,
        LinkError::Goodbye(goodbye) => match goodbye.code {
            GoodbyeCode::Leaving => Reason::PeerLeft,
            GoodbyeCode::Duplicate => Reason::DuplicateLink,
            GoodbyeCode::Full | GoodbyeCode::Overload => Reason::PeerFull,
            _ => Reason::PeerRefused,
        },
        _ => Reason::HandshakeFailed,
    }
}
