//! Ed25519 by hand: signatures that a library would not make, to show that they are refused.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as BASE, EIGHT_TORSION};
use curve25519_dalek::traits::Identity as _;
use curve25519_dalek::{EdwardsPoint, Scalar};
use sealnet::identity::NodeId;
use sha2::{Digest, Sha512};

/// The order L of the base point, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Holds a secret key and what RFC 8032 makes of it.
pub(super) struct Forger {
    a: Scalar,
    prefix: [u8; 32],
}

impl Forger {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        let hash: [u8; 64] = Sha512::digest(seed).into();
        let (a, prefix) = hash.split_at(32);
        let a = curve25519_dalek::scalar::clamp_integer(a.try_into().unwrap());
        Forger { a: Scalar::from_bytes_mod_order(a), prefix: prefix.try_into().unwrap() }
    }

    /// The key that belongs to it.
    pub(super) fn id(&self) -> NodeId {
        self.id_with(EdwardsPoint::identity())
    }

    /// The key with a point of low order added.
    pub(super) fn id_with(&self, torsion: EdwardsPoint) -> NodeId {
        NodeId::from_bytes((self.a * BASE + torsion).compress().to_bytes())
    }

    /// An honest signature of any bytes, without a domain.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.sign_as(&self.id(), message, self.nonce(message), EdwardsPoint::identity())
    }

    /// The honest signature with L added to S: the same equation, another spelling.
    pub(super) fn sign_unreduced(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = self.sign(message);
        let mut carry = 0_u16;
        for (s, l) in signature[32..].iter_mut().zip(ORDER) {
            carry += u16::from(*s) + u16::from(l);
            *s = carry as u8;
            carry >>= 8;
        }
        signature
    }

    /// R is the neutral element: the equation holds without the cofactor.
    pub(super) fn sign_with_neutral_r(&self, message: &[u8]) -> [u8; 64] {
        self.sign_as(&self.id(), message, Scalar::ZERO, EdwardsPoint::identity())
    }

    /// R has a point of order 8 in it: the equation holds only if it is multiplied by the cofactor.
    pub(super) fn sign_with_torsion_in_r(&self, message: &[u8]) -> [u8; 64] {
        self.sign_as(&self.id(), message, self.nonce(message), order_8())
    }

    /// The signature that the key `id` (this one, perhaps with torsion) would have to give.
    pub(super) fn sign_as(&self, id: &NodeId, message: &[u8], nonce: Scalar, torsion: EdwardsPoint) -> [u8; 64] {
        let r = (nonce * BASE + torsion).compress();
        let s = nonce + challenge(r.as_bytes(), id, message) * self.a;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(r.as_bytes());
        signature[32..].copy_from_slice(s.as_bytes());
        signature
    }

    /// A signature that fits the key with torsion in it even without the cofactor, if this message allows it: one
    /// message in eight makes a challenge that is a multiple of 8, so that the torsion falls out.
    pub(super) fn sign_for_torsioned_key(&self, message: &[u8]) -> Option<[u8; 64]> {
        let (id, nonce) = (self.id_with(order_8()), self.nonce(message));
        let r = (nonce * BASE).compress();
        let k = challenge(r.as_bytes(), &id, message);
        k.as_bytes()[0].is_multiple_of(8).then(|| self.sign_as(&id, message, nonce, EdwardsPoint::identity()))
    }

    fn nonce(&self, message: &[u8]) -> Scalar {
        wide(Sha512::new().chain_update(self.prefix).chain_update(message))
    }
}

/// A point of order 8.
pub(super) fn order_8() -> EdwardsPoint {
    EIGHT_TORSION[1]
}

/// The eight points whose order divides 8.
pub(super) fn low_order() -> [[u8; 32]; 8] {
    EIGHT_TORSION.map(|point| point.compress().to_bytes())
}

fn challenge(r: &[u8; 32], id: &NodeId, message: &[u8]) -> Scalar {
    wide(Sha512::new().chain_update(r).chain_update(id.as_bytes()).chain_update(message))
}

fn wide(hash: Sha512) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

#[test]
fn honest_signatures_are_those_of_the_library() {
    use ed25519_dalek::{Signer, SigningKey};
    for seed in [super::A, super::B] {
        let key = SigningKey::from_bytes(&seed);
        assert_eq!(Forger::new(&seed).id(), super::id(&seed));
        assert_eq!(Forger::new(&seed).sign(b"message"), key.sign(b"message").to_bytes());
    }
}
