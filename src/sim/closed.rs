//! Simulated networks with certificates: an authority made of the seed, and what its members have of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::access::{Admission, Attested, Authority, Certificate, Certified, Membership, Revocations, Rights, Serial};
use crate::envelope::Lifetime;
use crate::identity::{Identity, NetworkHash, NodeId, PublicKey};
use crate::overlay::{MEMBER_TITLE, MemberRecord, SHUTDOWN_TITLE};

use super::Simulation;

/// Who signs certificates, and what it has revoked.
#[derive(Debug)]
pub(super) struct Office {
    identity: Identity,
    authority: Arc<Authority>,
    network: NetworkHash,
    epoch: u64,
    revoked: BTreeSet<Serial>,
}

/// What a member has: its certificate, and the last list of revocations, as its state file keeps it.
#[derive(Clone, Debug)]
pub(super) struct Papers {
    authority: Arc<Authority>,
    pub(super) certificate: Attested<Certificate>,
    pub(super) revocations: Option<Attested<Revocations>>,
    /// Certificates of others, as its certificates file keeps them.
    pub(super) known: Vec<Attested<Certificate>>,
}

impl Office {
    pub(super) fn new(seed: u64, network: NetworkHash) -> Option<Self> {
        let mut secret = [0xA5; 32];
        secret[..8].copy_from_slice(&seed.to_be_bytes());
        let identity = Identity::from_seed(&secret);
        let authority = Arc::new(Authority::new(network, PublicKey::decode(&identity.id()).ok()?));
        Some(Office { identity, authority, network, epoch: 0, revoked: BTreeSet::new() })
    }

    /// A certificate for the node at `place`, for ever; the first may shut the network down.
    pub(super) fn papers(&self, place: usize, subject: NodeId) -> Option<Papers> {
        let right = if place == 0 { Rights::SHUTDOWN } else { Rights::NONE };
        let membership = Membership {
            subject,
            serial: serial_of(place),
            not_before: 0,
            not_after: u64::MAX,
            rights: Rights::LINK | Rights::PUBLISH | right,
            label: place.to_string().parse().ok()?,
        };
        let certificate = Certificate::issue(&self.identity, &self.network, membership).ok()?;
        let certificate = self.authority.certificate(&certificate.encode()).ok()?;
        Some(Papers { authority: self.authority.clone(), certificate, revocations: None, known: Vec::new() })
    }

    fn revoke(&mut self, places: &[usize]) -> Option<Attested<Revocations>> {
        self.epoch += 1;
        self.revoked.extend(places.iter().map(|place| serial_of(*place)));
        let revoked = self.revoked.iter().copied();
        let list = Revocations::issue(&self.identity, &self.network, self.epoch, 0, revoked).ok()?;
        self.authority.revocations(&list.encode()).ok()
    }
}

fn serial_of(place: usize) -> Serial {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(place as u64).to_be_bytes());
    Serial::from_bytes(bytes)
}

impl Papers {
    pub(super) fn admission(&self) -> Admission {
        let (authority, own) = (self.authority.clone(), self.certificate.clone());
        Admission::Certified(Certified::new(authority, own, self.revocations.clone()))
    }

    /// The list of revocations in the bytes that a neighbour sent, if the authority signed it.
    pub(super) fn attested(&self, bytes: &[u8]) -> Option<Attested<Revocations>> {
        self.authority.revocations(bytes).ok()
    }
}

impl Simulation {
    /// Revokes the certificates of `members` at the authority, and brings the list to the node `at` alone. Only in a closed
    /// network.
    pub fn revoke(&mut self, at: usize, members: &[usize]) {
        let Some(list) = self.office.as_mut().and_then(|office| office.revoke(members)) else { return };
        let now = self.now_at(at);
        self.digest.note(self.now, at, "revoke", &list.epoch().to_be_bytes());
        if let Some(running) = self.nodes.get_mut(at).and_then(|node| node.running.as_mut()) {
            running.core.get_mut().revoke(now, None, &list);
            self.act(at);
        }
    }

    /// The epoch of the list of revocations that a node holds; 0 if it holds none.
    pub fn epoch(&self, node: usize) -> u64 {
        self.core(node, |core| core.admission().epoch()).flatten().unwrap_or(0)
    }

    /// Shuts the whole network down from `node`. Says whether it has the right to.
    pub fn shut_down(&mut self, node: usize) -> bool {
        let now = self.now_at(node);
        if self.core(node, |core| core.may_shut_down(now).is_ok()) != Some(true) {
            return false;
        }
        let Ok(title) = SHUTDOWN_TITLE.parse() else { return false };
        let said = self.publish(node, title, bytes::Bytes::new(), Lifetime::LIVE_ONLY);
        self.act(node);
        said.is_some()
    }

    /// Publishes what others must know of a member before they take what it says.
    pub(super) fn publish_papers(&mut self, place: usize) {
        let papers = self.nodes.get(place).and_then(|node| node.papers.as_ref());
        let Some(certificate) = papers.map(|papers| papers.certificate.encode()) else { return };
        let record = MemberRecord { certificate: Some(certificate.into()), ..MemberRecord::default() };
        if let Ok(title) = MEMBER_TITLE.parse() {
            self.publish(place, title, record.encode().into(), Lifetime::DEFAULT);
        }
    }
}
