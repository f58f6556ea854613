//! The keys that content is sealed to: X25519 (RFC 7748), apart from the identity.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use x25519_dalek::{StaticSecret, x25519};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::identity::{Identity, KeyError, NodeId, PublicKey, RandomnessError, decode_hex, encode_hex};

/// A reader's public key: what content is sealed to. Written as 64 lower-case hex digits.
///
/// Canonical (a number below 2^255 − 19) and not of low order: to a point of low order everybody could open.
///
/// ```
/// use sealnet::sealed::{SealKey, SealSecret};
/// let key = *SealSecret::generate()?.key();
/// assert_eq!(key.to_string().parse::<SealKey>()?, key);
/// assert!(SealKey::from_bytes([0; 32]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealKey([u8; 32]);

/// Why something is no key to seal to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealKeyError {
    /// Not 64 lower-case hex digits.
    #[error("a seal key is 64 lower-case hex digits; ask its owner for it again")]
    NotHex,
    /// Another spelling of a smaller number: two names for one key.
    #[error("the seal key is not in its canonical encoding; ask its owner for it again")]
    NotCanonical,
    /// A point of low order.
    #[error("the seal key is of low order: what is sealed to it everybody could open")]
    LowOrder,
}

impl SealKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// If they are not canonical, or a point of low order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, SealKeyError> {
        if !is_canonical(&bytes) {
            return Err(SealKeyError::NotCanonical);
        }
        // Any secret key is a multiple of 8, so exactly the points of low order give zero.
        let product = x25519([1; 32], bytes);
        if product.ct_eq(&[0; 32]).into() { Err(SealKeyError::LowOrder) } else { Ok(SealKey(bytes)) }
    }

    /// The key that belongs to an identity: the same point, as X25519 writes it. It never changes, so it is for files; what
    /// is sent over the network is sealed to keys that do.
    ///
    /// Signing and key agreement under one secret are sound together for exactly this pair, Ed25519 and a KEM made of
    /// X25519 and HKDF (E. Thormarker, "On using the same key pair for Ed25519 and an X25519 based KEM", 2021).
    ///
    /// # Errors
    /// If the id is no acceptable key.
    pub fn of(id: &NodeId) -> Result<Self, KeyError> {
        Ok(SealKey(PublicKey::decode(id)?.agreement_key()))
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Whether the number these bytes encode, little-endian, is below 2^255 − 19 (`ED FF … FF 7F`).
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *high < 0x7F || *high == 0x7F && (middle.iter().any(|byte| *byte != 0xFF) || *low < 0xED)
}

impl fmt::Display for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&encode_hex(&self.0))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", encode_hex(&self.0[..4]))
    }
}

impl FromStr for SealKey {
    type Err = SealKeyError;

    fn from_str(text: &str) -> Result<Self, SealKeyError> {
        SealKey::from_bytes(decode_hex(text).ok_or(SealKeyError::NotHex)?)
    }
}

/// A reader's secret key. Wiped from memory when dropped, never printed, not copied.
pub struct SealSecret {
    secret: StaticSecret,
    key: SealKey,
}

// By its only secret field.
impl ZeroizeOnDrop for SealSecret {}

impl SealSecret {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// If the operating system cannot give random bytes.
    pub fn generate() -> Result<Self, RandomnessError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The key with these bytes, as RFC 7748 takes them. The caller wipes its own copy.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let secret = StaticSecret::from(*bytes);
        // Multiples of the base point are canonical, and never of low order: a secret key is not 0 modulo its order.
        let key = SealKey(x25519_dalek::PublicKey::from(&secret).to_bytes());
        SealSecret { secret, key }
    }

    /// The key that belongs to an identity: see [`SealKey::of`].
    pub fn of(identity: &Identity) -> Self {
        Self::from_bytes(&identity.agreement_secret())
    }

    /// The public half.
    pub fn key(&self) -> &SealKey {
        &self.key
    }

    /// The secret half.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }
}

impl fmt::Debug for SealSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealSecret").field("key", &self.key).field("secret", &"[redacted]").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers below 2^255 − 19 that are points of low order on the curve or its twist.
    const LOW_ORDER: [&str; 5] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    #[test]
    fn points_of_low_order_are_no_keys_in_any_spelling() {
        for point in LOW_ORDER {
            assert_eq!(point.parse::<SealKey>(), Err(SealKeyError::LowOrder), "{point}");
        }
        let mut bytes = [0xFF; 32];
        bytes[31] = 0x7F;
        for low in 0xED..=0xFF {
            bytes[0] = low;
            assert_eq!(SealKey::from_bytes(bytes), Err(SealKeyError::NotCanonical), "p + {}", low - 0xED);
        }
        assert_eq!(SealKey::from_bytes([0x80; 32]), Err(SealKeyError::NotCanonical), "the bit that X25519 masks");
        bytes[0] = 0xEB;
        assert!(SealKey::from_bytes(bytes).is_ok(), "p - 2");
    }

    #[test]
    fn a_key_has_one_spelling() {
        let key = *SealSecret::from_bytes(&[7; 32]).key();
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key));
        for bad in ["", &text[1..], &text.to_uppercase(), &format!("{text}\n")] {
            assert_eq!(bad.parse::<SealKey>(), Err(SealKeyError::NotHex), "{bad}");
        }
    }

    #[test]
    fn the_secret_half_is_never_printed() {
        let shown = format!("{0:?} {0:#?}", SealSecret::from_bytes(&[0xAB; 32]));
        assert!(shown.contains("[redacted]"));
        assert!(!shown.to_lowercase().contains("abab") && !shown.contains("171, 171"));
    }
}
