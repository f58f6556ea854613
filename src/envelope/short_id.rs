//! The short name of an envelope.

use std::fmt;

use super::EnvelopeId;

/// The first eight bytes of an envelope's id: enough to say which of the newest envelopes is meant (protocol, section 7).
///
/// Two envelopes agree in them once in 2^64 pairs. Who makes two of its own that do (some 2^32 attempts) may have one taken
/// for the other where only short names are told, and brought later by repair; nobody can make one that agrees with
/// somebody else's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId(u64);

impl ShortId {
    /// How many bytes it has.
    pub const LEN: usize = 8;

    /// The short name with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        ShortId(u64::from_be_bytes(bytes))
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0.to_be_bytes()
    }

    /// How it stands in a list of whole ids: followed by zeros, as no id is.
    pub fn padded(self) -> EnvelopeId {
        let mut bytes = [0; EnvelopeId::LEN];
        if let Some(first) = bytes.first_chunk_mut() {
            *first = self.to_bytes();
        }
        EnvelopeId::from_bytes(bytes)
    }

    /// Whether `id` is this short name in a list of whole ids.
    pub fn is(self, id: &EnvelopeId) -> bool {
        *id == self.padded()
    }
}

impl From<&EnvelopeId> for ShortId {
    fn from(id: &EnvelopeId) -> Self {
        ShortId(id.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first)))
    }
}

impl fmt::Debug for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortId({:016x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_the_beginning_of_the_id_and_is_found_again_among_whole_ids() {
        let id = EnvelopeId::from_bytes(std::array::from_fn(|at| at as u8 + 1));
        let short = ShortId::from(&id);
        assert_eq!(short.to_bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(ShortId::from_bytes(short.to_bytes()), short);
        assert_eq!(ShortId::from(&short.padded()), short);
        assert!(short.is(&short.padded()) && !short.is(&id));
        assert_eq!(format!("{short:?}"), "ShortId(0102030405060708)");
    }
}
