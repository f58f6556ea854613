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
