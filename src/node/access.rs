//! Who this node admits: read when it starts, and again whenever it is told to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::access::{
    AccessFileError, Admission, AttestError, Attested, Authority, Certificate, Certified, Mode, Revocations, Rights,
    Settings, read_members,
};
use crate::envelope::Timestamp;
use crate::identity::{NetworkHash, NodeId, PublicKey};
use crate::overlay::Reason;

use super::Node;

/// Why what a node is to be told about access does not count. A running node goes on with what it had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] AccessFileError),
    /// The certificate is not the authority's.
    #[error("the certificate does not count: {0}")]
    NotAttested(#[from] AttestError),
    /// The certificate is somebody else's.
    #[error("the certificate is for {found:#}, and this node is {own:#}; ask for one for this node (`sealnet id`)")]
    OtherSubject {
        /// Whose it is.
        found: NodeId,
        /// Who this node is.
        own: NodeId,
    },
    /// The certificate is not for now.
    #[error(
        "the certificate is for the time from {not_before} to {not_after} (seconds since 1970), and now it is {now}; have it \
         renewed (`sealnet authority renew`), or set this machine's clock right"
    )]
    NotNow {
        /// Its first second.
        not_before: u64,
        /// Its last second.
        not_after: u64,
        /// This machine's clock.
        now: u64,
    },
    /// The certificate lacks the right to be linked with.
    #[error("the certificate gives the rights {0}, without which nobody links: have one issued with the right link")]
    NoLinkRight(Rights),
    /// The certificate is revoked.
    #[error("the certificate is revoked; ask the authority of the network for another one")]
    Revoked,
    /// The list of members does not name the node itself.
    #[error(
        "the list of members does not name this node, {own}: nobody who has the same list would link with it; add it"
    )]
    NotListed {
        /// Who this node is.
        own: NodeId,
    },
    /// The node has the authority's key.
    #[error(
        "this node's key is the authority's own: whoever breaks into the node could admit anybody; make another key for the \
         node (`sealnet keygen`), and keep the authority's away from every node"
    )]
    IsAuthority,
    /// The network is not of the kind that this would be about.
    #[error("the network's access is \"{}\", which has no such thing", .0.as_str())]
    OtherMode(Mode),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// What a node knows about access after it was told to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessInForce {
    /// Everybody is admitted; there is nothing to look at.
    Open,
    /// A list is in force.
    Listed {
        /// How many members it names.
        members: usize,
    },
    /// A certificate and a list of revocations are in force.
    Certified {
        /// The last second of this node's own certificate, since 1970.
        not_after: u64,
        /// The epoch of the list; 0 if there is none.
        epoch: u64,
    },
}

/// Where a node has from who is admitted.
#[derive(Clone, Debug, Default)]
pub(super) enum AccessSource {
    #[default]
    Open,
    Files(Settings),
    Members(BTreeSet<NodeId>),
    Certificate {
        authority: Box<PublicKey>,
        certificate: Box<Certificate>,
    },
}

/// Whose access it is about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) network: NetworkHash,
    pub(super) own: NodeId,
}

/// What was found in the files.
#[derive(Debug)]
pub(super) enum Found {
    Open,
    Listed(BTreeSet<NodeId>),
    Certified { authority: Arc<Authority>, own: Attested<Certificate>, revocations: Option<Attested<Revocations>> },
}

impl AccessSource {
    /// Reads and checks everything; nothing of it counts before all of it is right. Waits for the disk.
    pub(super) fn read(&self, subject: &Subject, now: Timestamp) -> Result<Found, AccessError> {
        match self {
            AccessSource::Open | AccessSource::Files(Settings::Open) => Ok(Found::Open),
            AccessSource::Members(members) => listed(members.clone(), subject),
            AccessSource::Files(Settings::AllowList { members }) => listed(read_members(members)?, subject),
            AccessSource::Certificate { authority, certificate } => {
                let authority = subject.authority(authority)?;
                let own = authority.certificate(&certificate.encode())?;
                certified(authority, own, None, subject, now)
            }
            AccessSource::Files(Settings::Certificate { authority, certificate, revocations }) => {
                let authority = subject.authority(authority)?;
                let own = authority.read_certificate(certificate)?;
                // The operator may put it there later.
                let is_there = |path: &&PathBuf| path.exists();
                let list = revocations.as_ref().filter(is_there).map(|path| authority.read_revocations(path));
                certified(authority, own, list.transpose()?, subject, now)
            }
        }
    }

    /// The file of the certificate, for words about it.
    pub(super) fn certificate_file(&self) -> Option<&Path> {
        match self {
            AccessSource::Files(Settings::Certificate { certificate, .. }) => Some(certificate),
            _ => None,
        }
    }
}

impl Subject {
    fn authority(&self, key: &PublicKey) -> Result<Arc<Authority>, AccessError> {
        let authority = Authority::new(self.network, key.clone());
        if authority.id() == self.own { Err(AccessError::IsAuthority) } else { Ok(Arc::new(authority)) }
    }

    /// Whether a certificate is this node's to show now.
    fn check(&self, own: &Certificate, now: Timestamp) -> Result<(), AccessError> {
        let (membership, now) = (own.membership(), now.as_micros() / 1_000_000);
        if membership.subject != self.own {
            return Err(AccessError::OtherSubject { found: membership.subject, own: self.own });
        }
        if !own.covers(now) {
            let (not_before, not_after) = (membership.not_before, membership.not_after);
            return Err(AccessError::NotNow { not_before, not_after, now });
        }
        if !membership.rights.contains(Rights::LINK) {
            return Err(AccessError::NoLinkRight(membership.rights));
        }
        Ok(())
    }
}

fn listed(members: BTreeSet<NodeId>, subject: &Subject) -> Result<Found, AccessError> {
    if members.contains(&subject.own) {
        Ok(Found::Listed(members))
    } else {
        Err(AccessError::NotListed { own: subject.own })
    }
}

fn certified(
    authority: Arc<Authority>,
    own: Attested<Certificate>,
    revocations: Option<Attested<Revocations>>,
    subject: &Subject,
    now: Timestamp,
) -> Result<Found, AccessError> {
    subject.check(&own, now)?;
    Ok(Found::Certified { authority, own, revocations })
}

impl Found {
    /// What a node starts with. `kept`: the list of revocations that it had in a former run. Of two lists the one with the
    /// higher epoch counts, so an older file takes nothing back.
    pub(super) fn begin(self, kept: Option<&[u8]>) -> Result<Admission, AccessError> {
        match self {
            Found::Open => Ok(Admission::Open),
            Found::Listed(members) => Ok(Admission::Listed(members)),
            Found::Certified { authority, own, revocations } => {
                let kept = kept.and_then(|bytes| match authority.revocations(bytes) {
                    Ok(list) => Some(list),
                    Err(error) => {
                        tracing::warn!(%error, "the list of revocations of former runs is another authority's and is left");
                        None
                    }
                });
                let list = revocations.into_iter().chain(kept).max_by_key(|list| list.epoch());
                let certified = Certified::new(authority, own, list);
                if certified.is_revoked(&certified.own().membership().serial) {
                    return Err(AccessError::Revoked);
                }
                Ok(Admission::Certified(certified))
            }
        }
    }
}

/// Looks at the files about access of a node that is not running, as it would when it starts.
///
/// # Errors
/// Why it would not start.
pub fn check_access(settings: &Settings, network: NetworkHash, own: NodeId) -> Result<AccessInForce, AccessError> {
    let found = AccessSource::Files(settings.clone()).read(&Subject { network, own }, Timestamp::now())?;
    Ok(AccessInForce::of(&found.begin(None)?))
}

impl AccessInForce {
    fn of(admission: &Admission) -> Self {
        match admission {
            Admission::Open => AccessInForce::Open,
            Admission::Listed(members) => AccessInForce::Listed { members: members.len() },
            Admission::Certified(certified) => {
                AccessInForce::Certified { not_after: certified.own().membership().not_after, epoch: certified.epoch() }
            }
        }
    }
}

impl Node {
    /// Reads the files about access again that the configuration names, without a restart: the list of members, or this
    /// node's certificate and the list of revocations. What they say holds at once: links of those who are no members any
    /// more close, and a list of revocations is passed on to everybody. Says what is in force then.
    ///
    /// # Errors
    /// If a file is missing, wrong, or does not count; then nothing has changed, and what was in force still is.
    pub async fn reload(&self) -> Result<AccessInForce, AccessError> {
        let shared = self.shared().clone();
        if !matches!(shared.access, AccessSource::Files(_)) {
            return Ok(self.access_in_force());
        }
        let (source, subject, now) = (shared.access.clone(), shared.subject(), shared.now());
        let read = tokio::task::spawn_blocking(move || source.read(&subject, now.wall));
        let found = read.await.map_err(|_| AccessError::Stopping)??;
        match found {
            Found::Open => {}
            Found::Listed(members) => shared.with_core(|core| core.set_members(now, members)),
            Found::Certified { own, revocations, .. } => self.take_certificate(&own, revocations.as_ref())?,
        }
        Ok(self.access_in_force())
    }

    /// Takes another certificate for this node's own, and tells the others.
    ///
    /// # Errors
    /// If it does not count; then nothing has changed.
    pub fn renew_certificate(&self, certificate: &Certificate) -> Result<(), AccessError> {
        let own = self.authority()?.certificate(&certificate.encode())?;
        self.shared().subject().check(&own, self.shared().now().wall)?;
        self.take_certificate(&own, None)
    }

    /// Brings a list of revocations to the network. Says whether it is news: it is not if its epoch is not higher than that of
    /// the list that is held.
    ///
    /// # Errors
    /// If it is not the authority's.
    pub fn revoke(&self, list: &Revocations) -> Result<bool, AccessError> {
        let (list, now) = (self.authority()?.revocations(&list.encode())?, self.shared().now());
        Ok(self.shared().with_core(|core| core.revoke(now, None, &list)))
    }

    /// Takes another list of members.
    ///
    /// # Errors
    /// If the network has none, or the list does not name this node; then nothing has changed.
    pub fn set_members(&self, members: impl IntoIterator<Item = NodeId>) -> Result<(), AccessError> {
        let (shared, members) = (self.shared(), members.into_iter().collect::<BTreeSet<_>>());
        let mode = shared.with_core(|core| core.admission().mode());
        if mode != Mode::AllowList {
            return Err(AccessError::OtherMode(mode));
        }
        if !members.contains(&shared.own) {
            return Err(AccessError::NotListed { own: shared.own });
        }
        let now = shared.now();
        shared.with_core(|core| core.set_members(now, members));
        Ok(())
    }

    /// What is in force about access.
    pub fn access_in_force(&self) -> AccessInForce {
        self.shared().with_core(|core| AccessInForce::of(core.admission()))
    }

    fn authority(&self) -> Result<Arc<Authority>, AccessError> {
        self.shared()
            .authority
            .clone()
            .ok_or_else(|| AccessError::OtherMode(self.shared().with_core(|core| core.admission().mode())))
    }

    /// A list of revocations first: it may be about the very certificate.
    fn take_certificate(
        &self,
        own: &Attested<Certificate>,
        list: Option<&Attested<Revocations>>,
    ) -> Result<(), AccessError> {
        let (shared, now) = (self.shared(), self.shared().now());
        if list.is_some_and(|list| list.contains(&own.membership().serial)) {
            return Err(AccessError::Revoked);
        }
        let is_new = shared.with_core(|core| {
            let is_new = core.admission().certified().is_some_and(|certified| certified.own() != own);
            core.renew_certificate(now, own)?;
            if let Some(list) = list {
                core.revoke(now, None, list);
            }
            Ok(is_new)
        });
        match is_new {
            Ok(true) => shared.announce_record(),
            Ok(false) => {}
            Err(Reason::Revoked) => return Err(AccessError::Revoked),
            // It was looked at before; only the clock can have moved on.
            Err(_) => return shared.subject().check(own, now.wall),
        }
        Ok(())
    }
}
