//! Whose word counts, and what it said.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Certificate, CertificateError, Revocations, RevocationsError};
use crate::identity::{NetworkHash, NodeId, PublicKey, SignatureError};

/// The authority of one network: what it signed can be told from what anybody else wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    network: NetworkHash,
    key: PublicKey,
}

/// A [`Certificate`] or [`Revocations`] of which it was checked that the authority said it, about this network. Nothing
/// else makes one, so whoever is handed one need not check again. A clone is the same value.
pub struct Attested<T>(Arc<T>);

/// Why bytes are nothing that the authority said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// They are no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// They are no list of revocations.
    #[error(transparent)]
    Revocations(#[from] RevocationsError),
    /// Somebody else signed them, or for another network.
    #[error("it is not signed by the authority of this network; compare the network's name and `authority`")]
    Signature,
}

impl Authority {
    /// The authority of `network` whose key is `key`.
    pub fn new(network: NetworkHash, key: PublicKey) -> Self {
        Authority { network, key }
    }

    /// The network whose members it names.
    pub fn network(&self) -> &NetworkHash {
        &self.network
    }

    /// The name of its key.
    pub fn id(&self) -> NodeId {
        self.key.id()
    }

    /// The certificate in `bytes`, if the authority signed it. One signature is verified.
    ///
    /// # Errors
    /// If they are no certificate, or not the authority's for this network.
    pub fn certificate(&self, bytes: &[u8]) -> Result<Attested<Certificate>, AttestError> {
        let certificate = Certificate::parse(bytes)?;
        certificate.verify(&self.network, &self.key)?;
        Ok(Attested(Arc::new(certificate)))
    }

    /// The list of revocations in `bytes`, if the authority signed it. One signature is verified.
    ///
    /// # Errors
    /// If they are no list, or not the authority's for this network.
    pub fn revocations(&self, bytes: &[u8]) -> Result<Attested<Revocations>, AttestError> {
        let list = Revocations::parse(bytes)?;
        list.verify(&self.network, &self.key)?;
        Ok(Attested(Arc::new(list)))
    }
}

impl From<SignatureError> for AttestError {
    fn from(_: SignatureError) -> Self {
        AttestError::Signature
    }
}

impl<T> Deref for Attested<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Attested<T> {
    fn clone(&self) -> Self {
        Attested(self.0.clone())
    }
}

impl<T: PartialEq> PartialEq for Attested<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl<T: Eq> Eq for Attested<T> {}

impl<T: fmt::Debug> fmt::Debug for Attested<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attested").field(&self.0).finish()
    }
}
