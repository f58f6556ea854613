//! Keys both sides had before they met (specification, section 9).

use std::fmt;

use zeroize::{ZeroizeOnDrop, Zeroizing};

/// A pre-shared key of 32 bytes that nobody can guess.
///
/// Never a pass-phrase, nor anything made from one: the first message of a `psk0` handshake would let anybody who
/// heard it try guesses offline. Wiped from memory when dropped, never printed.
// Boxed, so that moving the key leaves no copies behind.
pub struct PresharedKey(Box<Zeroizing<[u8; PresharedKey::LEN]>>);

impl PresharedKey {
    /// How many bytes a pre-shared key has (`PSKLEN`).
    pub const LEN: usize = 32;

    /// The key with these bytes. The caller wipes its own copy.
    pub fn from_bytes(bytes: &[u8; PresharedKey::LEN]) -> Self {
        let mut key = Box::new(Zeroizing::new([0; PresharedKey::LEN]));
        key.copy_from_slice(bytes);
        PresharedKey(key)
    }

    /// The key's bytes, for mixing into a handshake.
    pub(super) fn as_bytes(&self) -> &[u8; PresharedKey::LEN] {
        &self.0
    }
}

// By its only field.
impl ZeroizeOnDrop for PresharedKey {}

impl fmt::Debug for PresharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedKey([redacted])")
    }
}
