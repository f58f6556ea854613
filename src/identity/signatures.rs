//! Signatures that came together.

use curve25519_dalek::EdwardsPoint;

use super::public_key::SignatureError;
use super::{Domain, PublicKey, Signature};

/// Signatures that are verified in one go. Each is judged by itself, by the same rule as [`PublicKey::verify`] and with the
/// same verdict; they share the division in the field that encoding what was computed takes, a tenth of a verification.
///
/// What is called batch verification, one equation for all of them, is something else: it accepts what the rule refuses.
pub(crate) struct Signatures(Vec<Option<Computed>>);

/// The R that a signature has to have, and the one it has.
struct Computed {
    point: EdwardsPoint,
    claimed: [u8; 32],
}

impl Signatures {
    /// None yet, and room for so many.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Signatures(Vec::with_capacity(count))
    }

    /// Adds one by `key` over domain ‖ parts. This takes nine tenths of the time.
    pub(crate) fn add(&mut self, key: &PublicKey, domain: Domain, parts: &[&[u8]], signature: &Signature) {
        let point = key.expected(domain, parts, signature);
        self.0.push(point.map(|point| Computed { point, claimed: claimed_r(signature) }));
    }

    /// Adds one that is refused already, to keep the places of the others.
    pub(crate) fn add_refused(&mut self) {
        self.0.push(None);
    }

    /// A verdict for each, in the order in which they were added.
    pub(crate) fn judge(self) -> impl Iterator<Item = Result<(), SignatureError>> {
        let points: Vec<EdwardsPoint> = self.0.iter().flatten().map(|computed| computed.point).collect();
        let mut encoded = EdwardsPoint::compress_batch_alloc(&points).into_iter();
        self.0.into_iter().map(move |computed| {
            let expected = computed.and_then(|computed| Some((encoded.next()?, computed.claimed)));
            expected.filter(|(expected, claimed)| expected.as_bytes() == claimed).map(drop).ok_or(SignatureError)
        })
    }
}

/// A signature's first half, R.
pub(super) fn claimed_r(signature: &Signature) -> [u8; 32] {
    signature.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    proptest::proptest! {
        #[test]
        fn signatures_that_come_together_are_judged_as_each_alone(
            changes in proptest::collection::vec((0..4_u8, 0..64_usize, 0..3_u8, proptest::prelude::any::<bool>()), 0..20),
        ) {
            let mut together = Signatures::with_capacity(changes.len());
            let mut alone = Vec::new();
            for (number, (seed, at, with, is_refused)) in changes.into_iter().enumerate() {
                let identity = Identity::from_seed(&[seed; 32]);
                let mut key = PublicKey::decode(&identity.id()).unwrap();
                if seed == 0 {
                    key = key.with_multiples();
                }
                let message = number.to_be_bytes();
                let mut signature = identity.sign(Domain::Envelope, &[&message]);
                signature[at] ^= with;
                if is_refused {
                    together.add_refused();
                    alone.push(Err(SignatureError));
                } else {
                    together.add(&key, Domain::Envelope, &[&message], &signature);
                    alone.push(key.verify(Domain::Envelope, &[&message], &signature));
                }
            }
            proptest::prop_assert_eq!(together.judge().collect::<Vec<_>>(), alone);
        }
    }
}
