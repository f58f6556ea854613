//! What is said: envelopes, their ids, and the only way from received bytes to something that may be relayed.

mod id;
mod time;

pub use id::{EnvelopeId, EnvelopeIdError};
pub use time::{Lifetime, Timestamp};
