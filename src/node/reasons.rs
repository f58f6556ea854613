//! What a link's error means to the overlay.

use crate::link::LinkError;
use crate::overlay::Reason;
use crate::wire::FrameError;

/// The reason that stands for an error of a link.
pub(super) fn reason_of(error: &LinkError) -> Reason {
    match error {
        LinkError::WrongIdentity { .. } => Reason::WrongIdentity,
        LinkError::OwnIdentity => Reason::OwnIdentity,
        LinkError::Refused(_) => Reason::Barred,
        LinkError::HandshakeTimeout | LinkError::HelloTimeout => Reason::HandshakeTimeout,
        LinkError::BadHello { .. } | LinkError::OwnHello(_) => Reason::BadHello,
        LinkError::Frame(FrameError::Unsupported { .. }) => Reason::Unsupported,
        LinkError::Frame(FrameError::CutOff) | LinkError::Io(_) | LinkError::Closed => Reason::ConnectionLost,
        LinkError::Frame(_) | LinkError::UnexpectedFrame(_) => Reason::BadFrame,
        LinkError::Record => Reason::BadRecord,
        LinkError::RecordsUsedUp => Reason::Renewed,
        LinkError::Stuck => Reason::Stuck,
        LinkError::Goodbye(goodbye) => goodbye.code.into(),
        _ => Reason::HandshakeFailed,
    }
}
