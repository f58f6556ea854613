//! The name of an envelope.

use std::fmt;
use std::str::FromStr;

use crate::identity::{decode_hex, encode_hex};

/// The name of an envelope: SHA-256 over network, sender, time, lifetime, title and message (protocol, section 4).
///
/// Two envelopes with the same id say the same thing, whatever their signatures. Written as 64 lower-case hex digits;
/// `{:#}` writes the first 8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvelopeId([u8; 32]);

/// The text is no envelope id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no envelope id; an id is 64 lower-case hex digits", .0.escape_debug())]
pub struct EnvelopeIdError(String);

impl EnvelopeId {
    /// How many bytes an id has.
    pub const LEN: usize = 32;

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        EnvelopeId(bytes)
    }

    /// The id's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = encode_hex(&self.0);
        f.pad(if f.alternate() { &digits[..8] } else { &digits })
    }
}

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopeId({self:#})")
    }
}

impl FromStr for EnvelopeId {
    type Err = EnvelopeIdError;

    fn from_str(text: &str) -> Result<Self, EnvelopeIdError> {
        decode_hex(text).map(EnvelopeId).ok_or_else(|| EnvelopeIdError(text.chars().take(80).collect()))
    }
}
