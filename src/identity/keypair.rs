//! The secret half of an identity.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

use super::{Domain, NodeId, Signature};

/// An Ed25519 identity: the secret key a node proves itself and signs with (RFC 8032).
///
/// The key is wiped from memory when the value is dropped and never printed. It signs only statements of a
/// [`Domain`]; there is no way to sign bytes as they come.
pub struct Identity {
    key: SigningKey,
    id: NodeId,
}

/// The operating system gave no random bytes.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes ({0}); no key was made, try again when the system has started up")]
pub struct RandomnessError(#[from] getrandom::Error);

impl Identity {
    /// A new identity from the operating system's randomness.
    ///
    /// # Errors
    /// If the operating system cannot give random bytes.
    pub fn generate() -> Result<Self, RandomnessError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The identity with this secret key (RFC 8032's 32-byte seed). The caller wipes its own copy.
    ///
    /// ```
    /// use sealnet::identity::Identity;
    /// // For tests and known answers only: a seed that can be guessed is no secret.
    /// let identity = Identity::from_seed(&[0; 32]);
    /// assert_eq!(format!("{:#}", identity.id()), "3b6a27bc");
    /// ```
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let id = NodeId::from_bytes(key.verifying_key().to_bytes());
        Identity { key, id }
    }

    /// The secret key, for writing it to a key file.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// The same secret for X25519, for sealing files to an identity.
    #[cfg(feature = "sealed")]
    pub(crate) fn agreement_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_scalar_bytes())
    }

    /// The public half: the node's name.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Signs domain ‖ parts.
    pub(crate) fn sign(&self, domain: Domain, parts: &[&[u8]]) -> Signature {
        domain.with_message(parts, |message| self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).field("key", &"[redacted]").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_key_is_never_printed() {
        let identity = Identity::from_seed(&[0xAB; 32]);
        let shown = format!("{identity:?} {identity:#?}");
        assert!(shown.contains("[redacted]"));
        assert!(!shown.to_lowercase().contains("abab") && !shown.contains("171, 171"));
    }
}
