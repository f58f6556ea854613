//! The payload of the handshake's second and third message: who I am, bound to this session (protocol, section 2).

use std::fmt;

use crate::identity::{Domain, Identity, KeyError, NodeId, Signature, SignatureError};
use crate::noise::{self, HASH_LEN, Role};

/// A signature of an identity over one handshake: "the static key in this session is mine".
///
/// It names the session by its handshake hash, so that a leaked static key is worth nothing without the identity, and
/// the signer's role, so that it cannot be reflected. Encoded: `01 ‖ Ed25519 key (32) ‖ signature (64)`, 97 bytes.
///
/// ```
/// use sealnet::identity::Identity;
/// use sealnet::link::proof::IdentityProof;
/// use sealnet::noise::{Keypair, Role};
/// let (identity, key) = (Identity::generate()?, Keypair::generate()?);
/// let hash = [7; 32]; // the handshake hash before the message that will carry the proof
/// let proof = IdentityProof::sign(&identity, Role::Initiator, &hash, key.public());
/// let received = IdentityProof::decode(&proof.encode())?;
/// assert_eq!(received.verify(Role::Initiator, &hash, key.public())?, identity.id());
/// assert!(received.verify(Role::Responder, &hash, key.public()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdentityProof {
    /// Whose identity it is, as long as nothing is verified: a claim.
    pub id: NodeId,
    /// The signature over `"sealnet/1 handshake\0" ‖ role ‖ h ‖ static`.
    pub signature: Signature,
}

/// Why a payload proves no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Not 97 bytes that begin with 01.
    #[error("the payload is no proof of identity of this version")]
    Grammar,
    /// The key is refused by the one rule of verification.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signature is not this identity's over this session, this role and this static key.
    #[error("the identity's signature is not for this session")]
    Signature,
}

impl From<SignatureError> for ProofError {
    fn from(SignatureError: SignatureError) -> Self {
        ProofError::Signature
    }
}

impl IdentityProof {
    /// How many bytes a proof has.
    pub const LEN: usize = 1 + NodeId::LEN + 64;

    const VERSION: u8 = 1;

    /// Proves `identity` for the session whose handshake hash is `h` before the message that carries the proof is
    /// begun; `static_key` is the signer's own X25519 key in it.
    pub fn sign(identity: &Identity, role: Role, h: &[u8; HASH_LEN], static_key: &noise::PublicKey) -> Self {
        let signature = identity.sign(Domain::Handshake, &[&[role_byte(role)], h, static_key.as_bytes()]);
        IdentityProof { id: identity.id(), signature }
    }

    /// The signer, if the proof holds for the signer's `role`, this session and the signer's `static_key`.
    ///
    /// # Errors
    /// [`ProofError::Key`], then [`ProofError::Signature`].
    pub fn verify(&self, role: Role, h: &[u8; HASH_LEN], static_key: &noise::PublicKey) -> Result<NodeId, ProofError> {
        let key = crate::identity::PublicKey::decode(&self.id)?;
        key.verify(Domain::Handshake, &[&[role_byte(role)], h, static_key.as_bytes()], &self.signature)?;
        Ok(self.id)
    }

    /// The payload.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (version, rest) = bytes.split_at_mut(1);
        let (id, signature) = rest.split_at_mut(NodeId::LEN);
        version.copy_from_slice(&[Self::VERSION]);
        id.copy_from_slice(self.id.as_bytes());
        signature.copy_from_slice(&self.signature);
        bytes
    }

    /// The proof in `payload`; nothing about it is verified yet.
    ///
    /// # Errors
    /// [`ProofError::Grammar`].
    pub fn decode(payload: &[u8]) -> Result<Self, ProofError> {
        let (&[Self::VERSION], rest) = payload.split_first_chunk().ok_or(ProofError::Grammar)? else {
            return Err(ProofError::Grammar);
        };
        let (id, signature) = rest.split_first_chunk().ok_or(ProofError::Grammar)?;
        let signature = signature.try_into().map_err(|_| ProofError::Grammar)?;
        Ok(IdentityProof { id: NodeId::from_bytes(*id), signature })
    }
}

fn role_byte(role: Role) -> u8 {
    match role {
        Role::Initiator => 0x01,
        Role::Responder => 0x02,
    }
}

impl fmt::Debug for IdentityProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityProof").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Keypair;

    fn key(n: u8) -> noise::PublicKey {
        *Keypair::from_secret(&[n; 32]).public()
    }

    #[test]
    fn a_proof_holds_for_its_session_role_and_static_key_only() {
        let identity = Identity::from_seed(&[1; 32]);
        for role in [Role::Initiator, Role::Responder] {
            let proof = IdentityProof::sign(&identity, role, &[2; 32], &key(3));
            assert_eq!(proof.verify(role, &[2; 32], &key(3)), Ok(identity.id()));
            assert_eq!(proof.verify(role.peer(), &[2; 32], &key(3)), Err(ProofError::Signature));
            assert_eq!(proof.verify(role, &[3; 32], &key(3)), Err(ProofError::Signature));
            assert_eq!(proof.verify(role, &[2; 32], &key(4)), Err(ProofError::Signature));
            let other = IdentityProof { id: Identity::from_seed(&[2; 32]).id(), ..proof };
            assert_eq!(other.verify(role, &[2; 32], &key(3)), Err(ProofError::Signature));
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_protocol_page() {
        let identity = Identity::from_seed(&[1; 32]);
        let proof = IdentityProof::sign(&identity, Role::Responder, &[2; 32], &key(3));
        let bytes = proof.encode();
        assert_eq!(bytes, [&[1], &identity.id().as_bytes()[..], &proof.signature].concat()[..]);
        assert_eq!(IdentityProof::decode(&bytes), Ok(proof));
        // 20 + 1 + 32 + 32 bytes are signed.
        let signed = [b"sealnet/1 handshake\0", &[0x02][..], &[2; 32], key(3).as_bytes()].concat();
        assert_eq!(signed.len(), 85);
        let verifying = ed25519_dalek::VerifyingKey::from_bytes(identity.id().as_bytes()).unwrap();
        verifying.verify_strict(&signed, &ed25519_dalek::Signature::from_bytes(&proof.signature)).unwrap();
    }

    #[test]
    fn other_lengths_and_versions_are_refused() {
        let bytes = IdentityProof::sign(&Identity::from_seed(&[1; 32]), Role::Initiator, &[2; 32], &key(3)).encode();
        for len in 0..IdentityProof::LEN {
            assert_eq!(IdentityProof::decode(&bytes[..len]), Err(ProofError::Grammar), "{len}");
        }
        assert_eq!(IdentityProof::decode(&[&bytes[..], &[0]].concat()), Err(ProofError::Grammar));
        for version in (0..=u8::MAX).filter(|version| *version != 1) {
            assert_eq!(IdentityProof::decode(&[&[version], &bytes[1..]].concat()), Err(ProofError::Grammar));
        }
    }

    #[test]
    fn keys_that_prove_nothing_are_refused() {
        // Of low order: whoever signs with it can sign anything.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let proof = IdentityProof { id: NodeId::from_bytes(neutral), signature: [0; 64] };
        assert_eq!(proof.verify(Role::Initiator, &[2; 32], &key(3)), Err(ProofError::Key(KeyError::Weak)));
    }
}
