//! The one rule by which every key and every signature is judged (protocol, section 6).

use std::fmt;
use std::sync::{Arc, OnceLock};

use curve25519_dalek::edwards::EdwardsBasepointTable;
use curve25519_dalek::traits::BasepointTable;
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha512};

use super::signatures::claimed_r;
use super::{Domain, Identity, NodeId};

/// An Ed25519 signature, 64 bytes (RFC 8032: R ‖ S).
pub type Signature = [u8; 64];

/// A public key that passed the strict rule: canonical encoding, not of low order, no torsion component.
///
/// Decoding costs about as much as verifying a signature: keep the value, or ask a [`KeyCache`](super::KeyCache).
#[derive(Clone)]
pub struct PublicKey {
    key: VerifyingKey,
    /// Multiples of −A, where so much is verified with this key that they pay.
    multiples: Option<Arc<EdwardsBasepointTable>>,
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for PublicKey {}

/// The neutral element of the group, encoded: x = 0, y = 1.
const NEUTRAL: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// Why 32 bytes are no acceptable public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes are no point of the curve.
    #[error("the public key is no point of the curve")]
    NotAPoint,
    /// The point has another, shorter-to-compare encoding: two names for one key.
    #[error("the public key is not in its canonical encoding")]
    NotCanonical,
    /// One of the eight points of low order, for which anybody can make signatures.
    #[error("the public key is of low order")]
    Weak,
    /// The point has a torsion component, for which implementations disagree about signatures.
    #[error("the public key has a torsion component")]
    Torsion,
}

/// The signature was not made with this key over this statement, or is malleable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not this key's over this content")]
pub struct SignatureError;

impl PublicKey {
    /// Decodes and checks the key that `id` names.
    ///
    /// # Errors
    /// A [`KeyError`] naming the first check that failed.
    pub fn decode(id: &NodeId) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(id.as_bytes()).map_err(|_| KeyError::NotAPoint)?;
        let point = key.to_edwards();
        if point.compress().as_bytes() != id.as_bytes() {
            return Err(KeyError::NotCanonical);
        }
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::Torsion);
        }
        Ok(PublicKey { key, multiples: None })
    }

    /// The same key with a table of its multiples (30 KiB), with which each verification needs no doublings: a quarter less
    /// time, and the same verdicts. Making it takes as long as thirty verifications; clones share it.
    pub(super) fn with_multiples(mut self) -> Self {
        self.multiples = Some(Arc::new(EdwardsBasepointTable::create(&-self.key.to_edwards())));
        self
    }

    #[cfg(test)]
    pub(super) fn has_multiples(&self) -> bool {
        self.multiples.is_some()
    }

    /// The same point for X25519, for sealing files to an identity.
    #[cfg(feature = "sealed")]
    pub(crate) fn agreement_key(&self) -> [u8; 32] {
        self.key.to_montgomery().to_bytes()
    }

    /// The name this key gives its node.
    pub fn id(&self) -> NodeId {
        NodeId::from_bytes(self.key.to_bytes())
    }

    /// Checks `signature` over domain ‖ parts by the strict rule: S below the group's order, R not of low order, no
    /// cofactor.
    ///
    /// The library's `verify_strict` decodes R to see whether it is of low order, and then encodes the R that it computes
    /// to compare the two. Without the first (an eighth of the time) the verdicts are the same: R must be the encoding
    /// of S·B − k·A byte for byte, so it is canonical, and since A has no torsion component neither has that point; the only
    /// one of low order that can come out is the neutral element. The equation stands here, and not the library's function
    /// that leaves R alone, because signatures that come together share a part of it (`Signatures`); what is done on the
    /// curve is the library's.
    ///
    /// # Errors
    /// If the signature is anything but this key's over exactly this statement.
    pub fn verify(&self, domain: Domain, parts: &[&[u8]], signature: &Signature) -> Result<(), SignatureError> {
        let expected = self.expected(domain, parts, signature).ok_or(SignatureError)?;
        if *expected.compress().as_bytes() == claimed_r(signature) { Ok(()) } else { Err(SignatureError) }
    }

    /// The point that R must encode for `signature` to hold, S·B − k·A (RFC 8032, section 5.1.7, step 3 without the
    /// cofactor); `None` if no R makes it hold.
    pub(super) fn expected(&self, domain: Domain, parts: &[&[u8]], signature: &Signature) -> Option<EdwardsPoint> {
        domain.with_message(parts, |message| self.expected_for(message, signature))
    }

    fn expected_for(&self, message: &[u8], signature: &Signature) -> Option<EdwardsPoint> {
        let (r, s) = signature.split_first_chunk::<32>()?;
        if *r == NEUTRAL {
            return None;
        }
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
        let k = Sha512::new().chain_update(r).chain_update(self.key.as_bytes()).chain_update(message).finalize();
        let k = Scalar::from_bytes_mod_order_wide(&k.into());
        Some(match &self.multiples {
            Some(multiples) => EdwardsPoint::mul_base(&s) + &**multiples * &k,
            None => EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-self.key.to_edwards(), &s),
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:#})", self.id())
    }
}

/// The group's order L = 2^252 + 27742317777372353535851937790883648493, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The signature library accepts what the rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Ed25519 library of this build {0}; a dependency may have switched on ed25519-dalek's `legacy_compatibility`: \
     find it with `cargo tree -e features -i curve25519-dalek` and switch it off"
)]
pub struct SelfTestError(&'static str);

/// Makes sure that this build judges keys and signatures as every other node does; every node runs it at start, and the first
/// of a process finds out.
///
/// Cargo unifies features over a whole program: an unrelated dependency could switch on the library's
/// `legacy_compatibility`, which is about accepting malleable signatures that the rest of the network refuses. The rule here
/// looks at S by itself; this is the proof that it does, with whatever library and features it was built.
///
/// # Errors
/// If a malleable signature or a key of low order is accepted, or a good signature refused.
pub fn self_test() -> Result<(), SelfTestError> {
    static VERDICT: OnceLock<Result<(), SelfTestError>> = OnceLock::new();
    *VERDICT.get_or_init(judge_this_build)
}

fn judge_this_build() -> Result<(), SelfTestError> {
    // A key anybody may know: it signs nothing but this test.
    let identity = Identity::from_seed(b"sealnet self-test, not a secret.");
    let key = PublicKey::decode(&identity.id()).map_err(|_| SelfTestError("refuses a good key"))?;
    let good = identity.sign(Domain::Rotation, &[b"self-test"]);
    let mut malleable = good;
    let mut carry = 0_u16;
    for (s, l) in malleable[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*s) + u16::from(l);
        *s = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    // Both ways to come to the verdict.
    for key in [key.clone(), key.with_multiples()] {
        key.verify(Domain::Rotation, &[b"self-test"], &good).map_err(|_| SelfTestError("refuses a good signature"))?;
        if key.verify(Domain::Rotation, &[b"self-test"], &malleable).is_ok() {
            return Err(SelfTestError("accepts a signature whose S is not reduced"));
        }
    }
    if PublicKey::decode(&NodeId::from_bytes(NEUTRAL)).is_ok() {
        return Err(SelfTestError("accepts a key of low order"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_passes_the_self_test() {
        judge_this_build().unwrap();
        self_test().unwrap();
    }

    #[test]
    fn a_signature_holds_for_its_domain_and_content_only() {
        let identity = Identity::from_seed(&[9; 32]);
        let key = PublicKey::decode(&identity.id()).unwrap();
        let signature = identity.sign(Domain::Envelope, &[b"ab", b"c"]);
        assert_eq!(key.verify(Domain::Envelope, &[b"a", b"bc"], &signature), Ok(()));
        for other in Domain::ALL.into_iter().filter(|d| *d != Domain::Envelope) {
            assert!(key.verify(other, &[b"abc"], &signature).is_err());
        }
        assert!(key.verify(Domain::Envelope, &[b"abd"], &signature).is_err());
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(key.verify(Domain::Envelope, &[b"abc"], &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn keys_of_low_order_and_in_other_encodings_are_refused() {
        // The eight points of low order: RFC 8032 leaves them to the verifier; the encodings stand in the protocol page.
        let low_order = [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ];
        for key in low_order {
            assert_eq!(PublicKey::decode(&key.parse().unwrap()), Err(KeyError::Weak), "{key}");
        }
        // y = p + 1 is y = 1 in another spelling.
        let non_canonical = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
        assert_eq!(PublicKey::decode(&non_canonical.parse().unwrap()), Err(KeyError::NotCanonical));
        let no_point = "0200000000000000000000000000000000000000000000000000000000000000";
        assert_eq!(PublicKey::decode(&no_point.parse().unwrap()), Err(KeyError::NotAPoint));
    }

    #[test]
    fn a_key_with_a_torsion_component_is_refused() {
        use curve25519_dalek::{EdwardsPoint, constants::EIGHT_TORSION, traits::Identity as _};
        let good = PublicKey::decode(&Identity::from_seed(&[3; 32]).id()).unwrap().key.to_edwards();
        for torsion in EIGHT_TORSION {
            let id = NodeId::from_bytes((good + torsion).compress().to_bytes());
            let expected = torsion == EdwardsPoint::identity();
            assert_eq!(PublicKey::decode(&id).is_ok(), expected);
        }
    }

    /// Signatures that somebody who has the key can make and should not: each S fits its R, whatever R is.
    fn crafted(seed: &[u8; 32], message: &[u8]) -> Vec<Signature> {
        use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
        use curve25519_dalek::scalar::{Scalar, clamp_integer};
        use sha2::{Digest as _, Sha512};
        let half: [u8; 32] = *Sha512::digest(seed).first_chunk().unwrap();
        let secret = Scalar::from_bytes_mod_order(clamp_integer(half));
        let id = Identity::from_seed(seed).id();
        let mut made = Vec::new();
        for nonce in [Scalar::ZERO, Scalar::ONE, Scalar::from(0x1234_5678_9ABC_u64)] {
            for torsion in EIGHT_TORSION {
                let canonical = (ED25519_BASEPOINT_POINT * nonce + torsion).compress().to_bytes();
                let mut negative = canonical;
                negative[31] ^= 0x80;
                // y = p + 1: the neutral element in another spelling, with either sign.
                let mut other = [0xFF; 32];
                (other[0], other[31]) = (0xEE, 0x7F);
                let mut other_negative = other;
                other_negative[31] = 0xFF;
                for r in [canonical, negative, other, other_negative] {
                    let k = Sha512::new().chain_update(r).chain_update(id.as_bytes()).chain_update(message).finalize();
                    let s = nonce + Scalar::from_bytes_mod_order_wide(&k.into()) * secret;
                    let mut signature = [0; 64];
                    signature[..32].copy_from_slice(&r);
                    signature[32..].copy_from_slice(s.as_bytes());
                    made.push(signature);
                    // S + L, and an S with its highest bits set.
                    let mut carry = 0_u16;
                    let mut malleable = signature;
                    for (s, l) in malleable[32..].iter_mut().zip(ORDER) {
                        carry += u16::from(*s) + u16::from(l);
                        *s = carry.to_le_bytes()[0];
                        carry >>= 8;
                    }
                    made.push(malleable);
                    signature[63] |= 0xE0;
                    made.push(signature);
                }
            }
        }
        made
    }

    #[test]
    fn a_signature_is_judged_as_by_the_librarys_strict_function_however_it_was_made() {
        let mut accepted = 0;
        for seed in [[1; 32], [2; 32], [77; 32]] {
            let key = PublicKey::decode(&Identity::from_seed(&seed).id()).unwrap();
            let quick = key.clone().with_multiples();
            for message in [&b"ab"[..], &[9; 300]] {
                for signature in crafted(&seed, message) {
                    let strict = key.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature));
                    let [judged, quickly] = [&key, &quick].map(|key| {
                        let expected = key.expected_for(message, &signature);
                        expected.filter(|r| *r.compress().as_bytes() == claimed_r(&signature)).ok_or(())
                    });
                    assert_eq!(judged.is_ok(), strict.is_ok(), "{signature:02x?}");
                    assert_eq!(judged, quickly, "{signature:02x?} with multiples");
                    accepted += usize::from(judged.is_ok());
                    // What makes the shorter way right: without the look at R the library's other function takes these.
                    let is_neutral = signature[..32] == NEUTRAL;
                    let lax = ed25519_dalek::Verifier::verify(
                        &key.key,
                        message,
                        &ed25519_dalek::Signature::from_bytes(&signature),
                    )
                    .is_ok();
                    assert_eq!(lax && judged.is_err(), is_neutral && lax);
                }
            }
        }
        // Two nonces with R itself, for each key and message; of the others none.
        assert_eq!(accepted, 3 * 2 * 2);
    }

    proptest::proptest! {
        #[test]
        fn changed_signatures_are_judged_as_by_the_librarys_strict_function(
            seed in proptest::prelude::any::<[u8; 32]>(),
            message in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            at in 0..64_usize,
            with in proptest::prelude::any::<u8>(),
        ) {
            let identity = Identity::from_seed(&seed);
            let key = PublicKey::decode(&identity.id()).unwrap();
            let mut signature = identity.sign(Domain::Envelope, &[&message]);
            signature[at] ^= with;
            let judged = key.verify(Domain::Envelope, &[&message], &signature).is_ok();
            let strict = Domain::Envelope.with_message(&[&message], |message| {
                key.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature)).is_ok()
            });
            proptest::prop_assert_eq!(judged, strict);
            let quickly = key.clone().with_multiples().verify(Domain::Envelope, &[&message], &signature).is_ok();
            proptest::prop_assert_eq!(judged, quickly);
            proptest::prop_assert_eq!(judged, with == 0);
        }
    }
}
