//! Diffie-Hellman over Curve25519 (specification, sections 4.1 and 12.1; RFC 7748).

use std::fmt;

use subtle::ConstantTimeEq;
use x25519_dalek::{SharedSecret, StaticSecret};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::NoiseError;

/// How many bytes a public key and a Diffie-Hellman result have: `DHLEN`.
pub const DH_LEN: usize = 32;

/// An X25519 public key in its canonical encoding.
///
/// RFC 7748 lets receivers take an encoding modulo 2^255 − 19, so that a few points have several. No implementation
/// ever produces the others, and a peer that sends one is playing with the difference between equal keys and equal
/// bytes: they are refused. Points of low order are refused by the Diffie-Hellman function itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; DH_LEN]);

impl PublicKey {
    /// How many bytes a public key has.
    pub const LEN: usize = DH_LEN;

    /// The key with these bytes.
    ///
    /// # Errors
    /// [`NoiseError::NotCanonical`] if the number they encode is not below 2^255 − 19.
    pub const fn from_bytes(bytes: [u8; DH_LEN]) -> Result<Self, NoiseError> {
        // 2^255 − 19 is ED FF … FF 7F, little-endian.
        let mut at = DH_LEN - 1;
        if bytes[at] < 0x7F {
            return Ok(PublicKey(bytes));
        }
        if bytes[at] > 0x7F {
            return Err(NoiseError::NotCanonical);
        }
        while at > 1 {
            at -= 1;
            if bytes[at] != 0xFF {
                return Ok(PublicKey(bytes));
            }
        }
        if bytes[0] < 0xED { Ok(PublicKey(bytes)) } else { Err(NoiseError::NotCanonical) }
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; DH_LEN] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:02x}{:02x}{:02x}{:02x})", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// An X25519 key pair: static or ephemeral.
///
/// The secret half is wiped from memory when the value is dropped and never printed. It cannot be copied; share a
/// static key pair between connections in an [`Arc`](std::sync::Arc).
pub struct Keypair {
    secret: StaticSecret,
    public: PublicKey,
}

impl Keypair {
    /// A new key pair from the operating system's randomness: `GENERATE_KEYPAIR`.
    ///
    /// # Errors
    /// [`NoiseError::Randomness`] if the operating system cannot give random bytes.
    pub fn generate() -> Result<Self, NoiseError> {
        let mut secret = Zeroizing::new([0; DH_LEN]);
        getrandom::fill(&mut *secret)?;
        Ok(Self::from_secret(&secret))
    }

    /// The key pair with this secret key. The caller wipes its own copy.
    ///
    /// For known answers: a static key is made per process and never stored.
    pub fn from_secret(secret: &[u8; DH_LEN]) -> Self {
        let secret = StaticSecret::from(*secret);
        let public = PublicKey(x25519_dalek::PublicKey::from(&secret).to_bytes());
        Keypair { secret, public }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// `DH(key_pair, public_key)`.
    ///
    /// # Errors
    /// [`NoiseError::ZeroSharedSecret`] if the result is all zero, compared in constant time. The specification lets
    /// implementations signal this instead of going on with a key that anybody can compute (section 12.1).
    pub(super) fn dh(&self, public: &PublicKey) -> Result<SharedSecret, NoiseError> {
        let shared = self.secret.diffie_hellman(&x25519_dalek::PublicKey::from(public.0));
        if shared.as_bytes().ct_eq(&[0; DH_LEN]).into() { Err(NoiseError::ZeroSharedSecret) } else { Ok(shared) }
    }
}

#[cfg(test)]
impl PublicKey {
    /// A liar's public key: any bytes.
    pub(super) fn spelt(bytes: [u8; DH_LEN]) -> Self {
        PublicKey(bytes)
    }
}

#[cfg(test)]
impl Keypair {
    /// A liar's key pair: it names a public key that is not its own.
    pub(super) fn claiming(public: PublicKey) -> Self {
        Keypair { public, ..Self::from_secret(&[0x42; DH_LEN]) }
    }
}

// By its only secret field.
impl ZeroizeOnDrop for Keypair {}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keypair").field("public", &self.public).field("secret", &"[redacted]").finish()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The five numbers below p that are points of low order on the curve or its twist, and p and p + 1, which are 0
    /// and 1 in another spelling (the curve's page, "how do I validate public keys").
    pub(crate) const LOW_ORDER: [&str; 7] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    pub(crate) fn bytes(hex: &str) -> [u8; 32] {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn points_of_low_order_are_refused_in_every_encoding() {
        let own = Keypair::generate().unwrap();
        for hex in LOW_ORDER {
            let mut point = bytes(hex);
            match PublicKey::from_bytes(point) {
                Ok(key) => assert_eq!(own.dh(&key).err(), Some(NoiseError::ZeroSharedSecret), "{hex}"),
                Err(error) => assert_eq!(error, NoiseError::NotCanonical, "{hex}"),
            }
            point[31] |= 0x80;
            assert_eq!(PublicKey::from_bytes(point), Err(NoiseError::NotCanonical), "{hex}");
        }
    }

    #[test]
    fn only_numbers_below_the_prime_are_keys() {
        let mut largest = [0xFF; 32];
        largest[31] = 0x7F;
        for low in 0..=0xFF {
            largest[0] = low;
            assert_eq!(PublicKey::from_bytes(largest).is_ok(), low < 0xED, "{low}");
        }
        for at in 1..31 {
            let mut smaller = largest;
            smaller[at] = 0xFE;
            assert!(PublicKey::from_bytes(smaller).is_ok(), "{at}");
        }
        assert!(PublicKey::from_bytes([0x80; 32]).is_err());
    }
}
