//! The key of one content, and what is made of it.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::identity::{RandomnessError, encode_hex};

/// What opens one content: 32 random bytes, another for each message. Whoever has it can open that message, and no other;
/// hand it on by a grant. Wiped from memory when dropped, never printed, compared in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ContentKey([u8; 32]);

impl ContentKey {
    /// A new key from the operating system's randomness.
    pub(super) fn generate() -> Result<Self, RandomnessError> {
        let mut key = ContentKey([0; 32]);
        getrandom::fill(&mut key.0)?;
        Ok(key)
    }

    /// The key with these bytes. The caller wipes its own copy.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        ContentKey(*bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as it stands in a grant.
    pub(super) fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(encode_hex(&self.0))
    }

    /// HKDF-SHA256 under this key: 32 bytes for this purpose.
    pub(super) fn derive(&self, salt: &[u8], purpose: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let (mut extracted, hkdf) = Hkdf::<Sha256>::extract(Some(salt), &self.0);
        extracted.as_mut_slice().zeroize();
        let mut derived = Zeroizing::new([0; 32]);
        hkdf.expand_multi_info(purpose, &mut *derived).expect("32 bytes are within HKDF's 8,160");
        derived
    }
}

impl PartialEq for ContentKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ContentKey {}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey([redacted])")
    }
}
