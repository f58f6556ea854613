//! The only way from an envelope that parsed to one that may be relayed, kept and delivered.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::parse::{Draft, Envelope, EnvelopeError, MessageTooLong, Version};
use crate::identity::{Domain, Identity, KeyCache, KeyError, NetworkHash, NodeId, Signatures};

/// Something that passed its network's verification. Only this room can make one:
///
/// ```compile_fail
/// use sealnet::envelope::{Envelope, Verified};
/// fn forge(envelope: Envelope) -> Verified<Envelope> {
///     Verified(envelope) // the field is private, and there is no constructor
/// }
/// ```
///
/// Relay, log and delivery take nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verified").field(&self.0).finish()
    }
}

impl Verified<Envelope> {
    /// The same envelope in a buffer of its own ([`Envelope::compact`]).
    pub fn compact(&self) -> Self {
        Verified(self.0.compact())
    }

    /// An envelope of this node's own log, where nothing but verified ones goes: the log vouches that these are the bytes
    /// it was given under this id, and reading a kept message costs no second verification.
    #[cfg(feature = "disk")]
    pub(crate) fn from_own_log(
        bytes: Bytes,
        version: Version,
        network: &NetworkHash,
        id: &super::EnvelopeId,
    ) -> Option<Self> {
        let envelope = Envelope::parse(bytes, version, network).ok()?;
        (envelope.id() == *id).then_some(Verified(envelope))
    }
}

/// Why an envelope is not its sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The sender is no acceptable key.
    #[error("the sender's key is refused: {0}")]
    Key(#[from] KeyError),
    /// The signature is not the sender's over this envelope.
    #[error("the signature is not the sender's over this envelope")]
    Signature,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Open {}
    impl Sealed for super::Signed {}
}

/// How envelopes of a network are made and judged. There are two, [`Open`] and [`Signed`], and no user can add a third:
/// "verified before it is relayed" must not depend on anybody's code but this room's.
pub trait Scheme: sealed::Sealed + fmt::Debug + Send + Sync + 'static {
    /// The network whose envelopes these are.
    fn network(&self) -> &NetworkHash;

    /// The version byte of its envelopes.
    fn version(&self) -> Version;

    /// Who the envelopes made here are from.
    fn own_id(&self) -> NodeId;

    /// Judges an envelope by its network's rule. This is the expensive step: one strict signature verification on a
    /// secure network, nothing on a plain one.
    ///
    /// # Errors
    /// A [`VerifyError`] if the envelope is not its sender's.
    fn verify(&self, envelope: Envelope) -> Result<Verified<Envelope>, VerifyError>;

    /// Judges envelopes that came together, each by itself as [`verify`](Self::verify) does and in the same order. Cheaper
    /// than one after the other: their signatures share a part of the work, though no verdict.
    fn verify_each(&self, envelopes: Vec<Envelope>) -> Vec<Result<Verified<Envelope>, VerifyError>> {
        envelopes.into_iter().map(|envelope| self.verify(envelope)).collect()
    }

    /// Makes an envelope of one's own, signed where the network signs.
    ///
    /// # Errors
    /// If the message is too long.
    fn publish(&self, draft: &Draft) -> Result<Verified<Envelope>, MessageTooLong>;

    /// How many signatures were verified so far.
    fn verifications(&self) -> u64;

    /// Parses one envelope of this network.
    ///
    /// # Errors
    /// Those of [`Envelope::parse`].
    fn parse(&self, bytes: Bytes) -> Result<Envelope, EnvelopeError> {
        Envelope::parse(bytes, self.version(), self.network())
    }
}

/// The base node's scheme: whoever an envelope says it is from is believed.
#[derive(Debug)]
pub struct Open {
    network: NetworkHash,
    id: NodeId,
}

impl Open {
    /// The plain network with this hash, and the id this node claims in it.
    pub fn new(network: NetworkHash, id: NodeId) -> Self {
        Open { network, id }
    }
}

impl Scheme for Open {
    fn network(&self) -> &NetworkHash {
        &self.network
    }

    fn version(&self) -> Version {
        Version::Open
    }

    fn own_id(&self) -> NodeId {
        self.id
    }

    fn verify(&self, envelope: Envelope) -> Result<Verified<Envelope>, VerifyError> {
        Ok(Verified(envelope))
    }

    fn publish(&self, draft: &Draft) -> Result<Verified<Envelope>, MessageTooLong> {
        draft.seal(Version::Open, self.id, &self.network, |_| None).map(Verified)
    }

    fn verifications(&self) -> u64 {
        0
    }
}

/// The judge of a secure network's envelopes. It publishes nothing: tools that only check need no identity.
#[derive(Debug)]
pub struct Verifier {
    network: NetworkHash,
    keys: KeyCache,
    verifications: AtomicU64,
}

impl Verifier {
    /// A judge of the secure network with this hash.
    pub fn new(network: NetworkHash) -> Self {
        Verifier { network, keys: KeyCache::default(), verifications: AtomicU64::new(0) }
    }

    /// Parses and judges one signed envelope of this network.
    ///
    /// # Errors
    /// If the bytes are no envelope, or not their sender's.
    pub fn check(&self, bytes: Bytes) -> Result<Verified<Envelope>, InvalidEnvelope> {
        Ok(self.judge(Envelope::parse(bytes, Version::Signed, &self.network)?)?)
    }

    /// The network whose envelopes are judged.
    pub fn network(&self) -> &NetworkHash {
        &self.network
    }

    pub(super) fn judge(&self, envelope: Envelope) -> Result<Verified<Envelope>, VerifyError> {
        let key = self.keys.get(&envelope.sender())?;
        let signature = envelope.signature().ok_or(VerifyError::Signature)?;
        self.verifications.fetch_add(1, Ordering::Relaxed);
        key.verify(Domain::Envelope, &[envelope.id().as_bytes()], &signature).map_err(|_| VerifyError::Signature)?;
        Ok(Verified(envelope))
    }

    fn judge_each(&self, envelopes: Vec<Envelope>) -> Vec<Result<Verified<Envelope>, VerifyError>> {
        let mut signatures = Signatures::with_capacity(envelopes.len());
        let mut refused = Vec::with_capacity(envelopes.len());
        for envelope in &envelopes {
            refused.push(match (self.keys.get(&envelope.sender()), envelope.signature()) {
                (Ok(key), Some(signature)) => {
                    self.verifications.fetch_add(1, Ordering::Relaxed);
                    signatures.add(&key, Domain::Envelope, &[envelope.id().as_bytes()], &signature);
                    VerifyError::Signature
                }
                (key, _) => {
                    signatures.add_refused();
                    key.err().map_or(VerifyError::Signature, VerifyError::Key)
                }
            });
        }
        let judged = signatures.judge().zip(envelopes).zip(refused);
        judged.map(|((verdict, envelope), refused)| verdict.map(|()| Verified(envelope)).map_err(|_| refused)).collect()
    }
}

/// The secure node's scheme: every envelope carries its sender's Ed25519 signature over its id.
#[derive(Debug)]
pub struct Signed {
    verifier: Verifier,
    identity: Arc<Identity>,
}

impl Signed {
    /// The secure network with this hash, in which `identity` signs.
    pub fn new(network: NetworkHash, identity: Arc<Identity>) -> Self {
        Signed { verifier: Verifier::new(network), identity }
    }
}

impl Scheme for Signed {
    fn network(&self) -> &NetworkHash {
        &self.verifier.network
    }

    fn version(&self) -> Version {
        Version::Signed
    }

    fn own_id(&self) -> NodeId {
        self.identity.id()
    }

    fn verify(&self, envelope: Envelope) -> Result<Verified<Envelope>, VerifyError> {
        self.verifier.judge(envelope)
    }

    fn verify_each(&self, envelopes: Vec<Envelope>) -> Vec<Result<Verified<Envelope>, VerifyError>> {
        self.verifier.judge_each(envelopes)
    }

    fn publish(&self, draft: &Draft) -> Result<Verified<Envelope>, MessageTooLong> {
        let sign = |id: &super::EnvelopeId| Some(self.identity.sign(Domain::Envelope, &[id.as_bytes()]));
        draft.seal(Version::Signed, self.identity.id(), self.network(), sign).map(Verified)
    }

    fn verifications(&self) -> u64 {
        self.verifier.verifications.load(Ordering::Relaxed)
    }
}

/// Why bytes are no envelope one may believe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEnvelope {
    /// They do not parse.
    #[error(transparent)]
    Grammar(#[from] EnvelopeError),
    /// They parse and are not their sender's.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Lifetime, MAX_ENVELOPE, MAX_MESSAGE, Timestamp};

    fn draft(title: &str, message: &[u8]) -> Draft {
        Draft {
            title: title.parse().unwrap(),
            message: Bytes::copy_from_slice(message),
            time: Timestamp::from_micros(1_700_000_000_000_000).unwrap(),
            lifetime: Lifetime::hours(1),
        }
    }

    fn signed(network: &str) -> Signed {
        let network = NetworkHash::secure(&network.parse().unwrap());
        Signed::new(network, Arc::new(Identity::from_seed(&[1; 32])))
    }

    #[test]
    fn what_is_published_parses_verifies_and_is_the_same_bytes() {
        let scheme = signed("a");
        let made = scheme.publish(&draft("chat", b"hello")).unwrap();
        let parsed = scheme.parse(made.as_bytes().clone()).unwrap();
        let verified = scheme.verify(parsed).unwrap();
        assert_eq!(verified, made);
        assert_eq!((verified.title(), &verified.message()[..]), ("chat", &b"hello"[..]));
        assert_eq!(verified.sender(), scheme.own_id());
        assert_eq!(verified.lifetime(), Lifetime::hours(1));
        assert_eq!(scheme.verifications(), 1);
        let open = Open::new(*scheme.network(), scheme.own_id());
        let made = open.publish(&draft("", &[0; MAX_MESSAGE])).unwrap();
        assert_eq!(open.verify(open.parse(made.as_bytes().clone()).unwrap()).unwrap(), made);
        assert!(made.signature().is_none());
    }

    #[test]
    fn every_changed_bit_makes_the_envelope_refused() {
        let scheme = signed("a");
        let made = scheme.publish(&draft("chat", b"hello")).unwrap();
        for bit in 0..made.size() * 8 {
            let mut bytes = made.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let judged = scheme.parse(bytes.into()).map(|envelope| scheme.verify(envelope));
            assert!(!matches!(judged, Ok(Ok(_))), "bit {bit}");
        }
    }

    #[test]
    fn envelopes_judged_together_get_the_verdicts_they_get_alone() {
        let scheme = signed("a");
        let good = scheme.publish(&draft("chat", b"hello")).unwrap();
        let changed = |at: usize| {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] ^= 1;
            scheme.parse(bytes.into()).unwrap()
        };
        let of_no_key = {
            let mut bytes = good.as_bytes().to_vec();
            bytes[1..33].fill(0);
            scheme.parse(bytes.into()).unwrap()
        };
        let unsigned = Open::new(*scheme.network(), scheme.own_id()).publish(&draft("t", b"m")).unwrap();
        let end = good.size();
        let some = vec![
            good.0.clone(),
            changed(end - 1),
            of_no_key,
            good.0.clone(),
            unsigned.0,
            changed(end - 40),
            changed(54),
        ];
        let alone: Vec<_> = some.iter().map(|envelope| scheme.verify(envelope.clone())).collect();
        let before = scheme.verifications();
        assert_eq!(scheme.verify_each(some), alone);
        assert_eq!(scheme.verifications(), before * 2);
        assert_eq!(alone.iter().filter(|verdict| verdict.is_ok()).count(), 2);
        assert!(matches!(alone[2], Err(VerifyError::Key(_))));
    }

    #[test]
    fn an_envelope_means_nothing_in_another_network() {
        let (a, b) = (signed("a"), signed("b"));
        let made = a.publish(&draft("chat", b"hello")).unwrap();
        let parsed = b.parse(made.as_bytes().clone()).unwrap();
        assert_ne!(parsed.id(), made.id());
        assert_eq!(b.verify(parsed), Err(VerifyError::Signature));
    }

    #[test]
    fn a_byte_moved_from_title_to_message_is_another_id() {
        let scheme = signed("a");
        let one = scheme.publish(&draft("ab", b"c")).unwrap();
        let two = scheme.publish(&draft("a", b"bc")).unwrap();
        assert_ne!(one.id(), two.id());
    }

    #[test]
    fn signed_and_plain_envelopes_never_mix() {
        let scheme = signed("a");
        let open = Open::new(*scheme.network(), scheme.own_id());
        let plain = open.publish(&draft("t", b"m")).unwrap();
        let secure = scheme.publish(&draft("t", b"m")).unwrap();
        assert_eq!(scheme.parse(plain.as_bytes().clone()), Err(EnvelopeError::WrongVersion(0)));
        assert_eq!(open.parse(secure.as_bytes().clone()), Err(EnvelopeError::WrongVersion(1)));
        let mut later = secure.as_bytes().to_vec();
        later[0] = 2;
        assert_eq!(scheme.parse(later.into()), Err(EnvelopeError::UnknownVersion(2)));
    }

    #[test]
    fn trailing_missing_and_lying_lengths_are_refused() {
        let scheme = signed("a");
        let made = scheme.publish(&draft("chat", b"hello")).unwrap();
        for len in 0..made.size() {
            assert!(scheme.parse(made.as_bytes().slice(..len)).is_err(), "{len}");
        }
        let longer = [made.as_bytes(), &b"x"[..]].concat();
        assert!(matches!(scheme.parse(longer.into()), Err(EnvelopeError::Size { .. })));
        let mut lying = made.as_bytes().to_vec();
        lying[50..54].copy_from_slice(&u32::MAX.to_be_bytes());
        let size = u32::MAX as usize;
        assert_eq!(scheme.parse(lying.into()), Err(EnvelopeError::MessageTooLong { size }));
        let size = MAX_MESSAGE + 1;
        assert_eq!(scheme.publish(&draft("t", &vec![0; size])), Err(MessageTooLong { size }));
    }

    #[test]
    fn several_envelopes_in_a_row_come_apart_again() {
        let scheme = signed("a");
        let made: Vec<_> = (0..5).map(|n| scheme.publish(&draft("t", &vec![7; n * 100])).unwrap()).collect();
        let mut row: Bytes = made.iter().flat_map(|e| e.as_bytes().to_vec()).collect();
        for envelope in &made {
            assert_eq!(&Envelope::split_first(&mut row, Version::Signed).unwrap(), envelope.as_bytes());
        }
        assert!(row.is_empty() && Envelope::split_first(&mut row, Version::Signed).is_err());
    }

    #[test]
    fn the_largest_envelope_is_what_the_protocol_page_says() {
        assert_eq!(MAX_ENVELOPE, 131_386);
        let made = signed("a").publish(&draft(&"t".repeat(200), &[1; MAX_MESSAGE])).unwrap();
        assert_eq!(made.size(), MAX_ENVELOPE);
    }
}
