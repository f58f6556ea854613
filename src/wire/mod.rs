//! What travels on a link: the preamble, frames and their limits, HELLO (protocol, section 3).
//!
//! Pure: bytes in, frames out, and back. A link's plaintext is one stream of bytes; [`FrameDecoder`] cuts it into
//! [`Frame`]s, [`Frame::encode_into`] makes it. Envelopes, certificates, revocation lists and reconciliation messages
//! travel here as bytes; the rooms that own them parse them.

mod decode;
mod decoder;
mod encode;
pub(crate) mod fields;
mod frame;
mod goodbye;
mod hello;
mod ids;
mod kind;
mod peers;
mod preamble;
mod reconcile;
mod request;
mod short_text;

pub use decoder::{FrameDecoder, FrameError};
pub use encode::FrameTooLong;
pub use fields::FieldError;
pub use frame::Frame;
pub use goodbye::{Goodbye, GoodbyeCode};
pub use hello::{Hello, HelloError};
pub use ids::{EnvelopeIds, IdList, ListedId, NodeIds, ShortIds};
pub use kind::{Kind, OptionalKind};
pub use peers::{PeersWanted, WhichPeers};
pub use preamble::{Mode, Preamble, PreambleError};
pub use reconcile::{
    Reconcile, ReconcileAccept, ReconcileEnd, ReconcileError, ReconcileOpen, ReconcileSet, ReconcileSide, ReconcileStep,
};
pub use request::{Credit, Refused, RefusedCode, Request, RequestKind, RequestNumber, Response};
pub use short_text::ShortText;
