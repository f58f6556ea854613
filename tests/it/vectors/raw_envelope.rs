//! Envelopes by hand, from the protocol page alone: also those that the crate would never make.

use sealnet::identity::{Domain, NetworkHash};
use sha2::{Digest, Sha256};

use super::forger::Forger;
use super::{A, NETWORK, id, secure};

/// The fields of an envelope, none of them checked.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) version: u8,
    pub(super) sender: [u8; 32],
    pub(super) time: u64,
    pub(super) lifetime: u32,
    pub(super) title: Vec<u8>,
    pub(super) message: Vec<u8>,
}

impl Raw {
    /// The envelope of the protocol page, by A.
    pub(super) fn example() -> Self {
        Raw {
            version: 1,
            sender: *id(&A).as_bytes(),
            time: 1_700_000_000_000_000,
            lifetime: 3600,
            title: b"chat".to_vec(),
            message: b"hello".to_vec(),
        }
    }

    /// `S`: what is hashed and signed.
    pub(super) fn signed_part(&self) -> Vec<u8> {
        let mut s = vec![self.version];
        s.extend_from_slice(&self.sender);
        s.extend_from_slice(&self.time.to_be_bytes());
        s.extend_from_slice(&self.lifetime.to_be_bytes());
        s.push(self.title.len() as u8);
        s.extend_from_slice(&self.title);
        s.extend_from_slice(&(self.message.len() as u32).to_be_bytes());
        s.extend_from_slice(&self.message);
        s
    }

    pub(super) fn id(&self, network: &NetworkHash) -> [u8; 32] {
        let hash = Sha256::new().chain_update("sealnet/1 envelope\0").chain_update(network.as_bytes());
        hash.chain_update(self.signed_part()).finalize().into()
    }

    /// What the signature is over: domain ‖ id.
    pub(super) fn statement(&self) -> Vec<u8> {
        [Domain::Envelope.as_bytes(), &self.id(&secure(NETWORK))].concat()
    }

    /// The envelope with this signature.
    pub(super) fn with(&self, signature: &[u8]) -> Vec<u8> {
        [&self.signed_part()[..], signature].concat()
    }

    /// The envelope signed by A, whoever it says it is from.
    pub(super) fn sealed(&self) -> Vec<u8> {
        self.with(&Forger::new(&A).sign(&self.statement()))
    }
}
