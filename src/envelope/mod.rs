//! What is said: envelopes, their ids, and the only way from received bytes to something that may be relayed.
//!
//! [`Envelope`] is bytes that parsed. A [`Scheme`] makes a [`Verified`] of it, and nothing else can; every room above
//! this one relays, keeps and delivers only what is verified.

mod id;
mod json;
mod parse;
mod scheme;
mod short_id;
mod strict_json;
mod time;
mod title;

pub use id::{EnvelopeId, EnvelopeIdError};
pub use json::{JsonError, MAX_JSON};
pub use parse::{Draft, Envelope, EnvelopeError, MAX_ENVELOPE, MAX_MESSAGE, MessageTooLong, Version};
pub use scheme::{InvalidEnvelope, Open, Scheme, Signed, Verified, Verifier, VerifyError};
pub use short_id::ShortId;
pub use time::{Lifetime, Timestamp};
pub use title::{Title, TitleError};

pub(crate) use strict_json::parse_object;
