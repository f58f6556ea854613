//! Who is admitted: what a node knows of it, and what it concludes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Attested, Authority, Certificate, Mode, Revocations, Rights, Serial};
use crate::identity::NodeId;

/// Certificates of one member that are kept: the one it has, the next, and what its older messages need.
const PER_MEMBER: usize = 4;
/// Members whose certificates are kept. Only the authority can fill this table.
const MEMBERS: usize = 65_536;
/// No message is kept longer than 366 days: a certificate that ended longer ago says nothing about any.
const OF_USE_FOR: u64 = 367 * 24 * 3600;

/// Who may take part in a network, as far as this node knows.
#[derive(Clone, Debug, Default)]
pub enum Admission {
    /// Everybody.
    #[default]
    Open,
    /// These, and nobody else.
    Listed(BTreeSet<NodeId>),
    /// Who has a certificate.
    Certified(Certified),
}

/// Whether somebody may do something at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admittance {
    /// Yes.
    Admitted,
    /// No, and for all that is known this stays so.
    Refused,
    /// No: the certificate that would allow it is revoked.
    Revoked,
    /// No certificate is known that says anything about that time; there may be one.
    Unknown,
}

/// What a node of a network with certificates knows: its own, those of others, and what is revoked.
#[derive(Clone, Debug)]
pub struct Certified {
    authority: Arc<Authority>,
    own: Attested<Certificate>,
    revocations: Option<Attested<Revocations>>,
    /// Of each member, those that end last last.
    known: BTreeMap<NodeId, Vec<Attested<Certificate>>>,
}

impl Admission {
    /// Which of the three it is.
    pub fn mode(&self) -> Mode {
        match self {
            Admission::Open => Mode::Open,
            Admission::Listed(_) => Mode::AllowList,
            Admission::Certified(_) => Mode::Certificate,
        }
    }

    /// Whether everybody is admitted.
    pub fn is_open(&self) -> bool {
        matches!(self, Admission::Open)
    }

    /// Whether `who` has `right` in the second `time` since 1970. Nobody may shut down a network without certificates.
    pub fn judge(&self, who: &NodeId, time: u64, right: Rights) -> Admittance {
        match self {
            Admission::Certified(certified) => certified.judge(who, time, right),
            _ if right.contains(Rights::SHUTDOWN) => Admittance::Refused,
            Admission::Open => Admittance::Admitted,
            Admission::Listed(members) if members.contains(who) => Admittance::Admitted,
            Admission::Listed(_) => Admittance::Refused,
        }
    }

    /// What is known of certificates, where there are any.
    pub fn certified(&self) -> Option<&Certified> {
        match self {
            Admission::Certified(certified) => Some(certified),
            Admission::Open | Admission::Listed(_) => None,
        }
    }

    /// The same, to learn more.
    pub fn certified_mut(&mut self) -> Option<&mut Certified> {
        match self {
            Admission::Certified(certified) => Some(certified),
            Admission::Open | Admission::Listed(_) => None,
        }
    }

    /// The epoch of the list of revocations that is held: 0 if there is none, `None` where there are no certificates.
    pub fn epoch(&self) -> Option<u64> {
        self.certified().map(Certified::epoch)
    }
}

impl Certified {
    /// A node that knows its own certificate, and perhaps a list of revocations.
    pub fn new(
        authority: Arc<Authority>,
        own: Attested<Certificate>,
        revocations: Option<Attested<Revocations>>,
    ) -> Self {
        let known = BTreeMap::from([(own.membership().subject, vec![own.clone()])]);
        Certified { authority, own, revocations, known }
    }

    /// Whose word counts.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// The node's own certificate.
    pub fn own(&self) -> &Attested<Certificate> {
        &self.own
    }

    /// The list of revocations that is held.
    pub fn revocations(&self) -> Option<&Attested<Revocations>> {
        self.revocations.as_ref()
    }

    /// The epoch of the list that is held; 0 if there is none.
    pub fn epoch(&self) -> u64 {
        self.revocations.as_ref().map_or(0, |list| list.epoch())
    }

    /// Whether a certificate with this number is revoked.
    pub fn is_revoked(&self, serial: &Serial) -> bool {
        self.revocations.as_ref().is_some_and(|list| list.contains(serial))
    }

    /// What one certificate says of `right` at `time`; `None` if it is about another time.
    pub fn says(&self, certificate: &Certificate, time: u64, right: Rights) -> Option<Admittance> {
        let membership = certificate.membership();
        if !certificate.covers(time) {
            None
        } else if self.is_revoked(&membership.serial) {
            Some(Admittance::Revoked)
        } else if membership.rights.contains(right) {
            Some(Admittance::Admitted)
        } else {
            Some(Admittance::Refused)
        }
    }

    fn judge(&self, who: &NodeId, time: u64, right: Rights) -> Admittance {
        let said = self.of(who).rev().filter_map(|certificate| self.says(certificate, time, right));
        let mut verdict = Admittance::Unknown;
        for said in said {
            match said {
                Admittance::Admitted => return said,
                _ if verdict == Admittance::Unknown => verdict = said,
                _ => {}
            }
        }
        verdict
    }

    /// The certificates that are known of a member, those that end last last.
    pub fn of(&self, who: &NodeId) -> impl DoubleEndedIterator<Item = &Attested<Certificate>> {
        self.known.get(who).into_iter().flatten()
    }

    /// Every certificate that is known.
    pub fn all(&self) -> impl Iterator<Item = &Attested<Certificate>> {
        self.known.values().flatten()
    }

    /// Learns a certificate of anybody in the second `now`. Says whether it is news.
    pub fn learn(&mut self, certificate: &Attested<Certificate>, now: u64) -> bool {
        let subject = certificate.membership().subject;
        if self.known.len() >= MEMBERS && !self.known.contains_key(&subject) {
            let is_of_use =
                |known: &Attested<Certificate>| known.membership().not_after.saturating_add(OF_USE_FOR) > now;
            self.known.retain(|_, all| all.iter().any(is_of_use));
            if self.known.len() >= MEMBERS {
                return false;
            }
        }
        let known = self.known.entry(subject).or_default();
        if known.iter().any(|other| other.membership().serial == certificate.membership().serial) {
            return false;
        }
        known.push(certificate.clone());
        known.sort_by_key(|certificate| (certificate.membership().not_after, certificate.membership().serial));
        if known.len() > PER_MEMBER {
            known.remove(0);
        }
        true
    }

    /// Takes another certificate for the node's own in the second `now`.
    pub fn renew(&mut self, own: Attested<Certificate>, now: u64) {
        self.learn(&own, now);
        self.own = own;
    }

    /// Replaces the list of revocations by one with a higher epoch, and names the members who had a certificate that was
    /// not revoked before. `None`: the list that is held counts as much, or more.
    pub fn revoke(&mut self, list: Attested<Revocations>) -> Option<BTreeSet<NodeId>> {
        if list.epoch() <= self.epoch() {
            return None;
        }
        let is_new = |certificate: &&Attested<Certificate>| {
            let serial = &certificate.membership().serial;
            list.contains(serial) && !self.is_revoked(serial)
        };
        let subjects = self.all().filter(is_new).map(|certificate| certificate.membership().subject).collect();
        self.revocations = Some(list);
        Some(subjects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AttestError, Membership};
    use crate::identity::{Identity, NetworkHash, PublicKey};

    fn network() -> NetworkHash {
        NetworkHash::secure(&"demo".parse().unwrap())
    }

    fn identity(n: u8) -> Identity {
        Identity::from_seed(&[n; 32])
    }

    fn authority() -> Arc<Authority> {
        Arc::new(Authority::new(network(), PublicKey::decode(&identity(99).id()).unwrap()))
    }

    fn certificate(n: u8, serial: u8, span: (u64, u64), rights: Rights) -> Attested<Certificate> {
        let membership = Membership {
            subject: identity(n).id(),
            serial: Serial::from_bytes([serial; 16]),
            not_before: span.0,
            not_after: span.1,
            rights,
            label: "x".parse().unwrap(),
        };
        let issued = Certificate::issue(&identity(99), &network(), membership).unwrap();
        authority().certificate(&issued.encode()).unwrap()
    }

    fn list(epoch: u64, serials: &[u8]) -> Attested<Revocations> {
        let serials = serials.iter().map(|n| Serial::from_bytes([*n; 16]));
        let list = Revocations::issue(&identity(99), &network(), epoch, 0, serials).unwrap();
        authority().revocations(&list.encode()).unwrap()
    }

    const BOTH: Rights = Rights::from_bits(3);

    fn certified() -> Certified {
        Certified::new(authority(), certificate(0, 0, (0, u64::MAX), BOTH), None)
    }

    #[test]
    fn nothing_is_attested_but_what_the_authority_said_of_this_network() {
        let (good, list) = (certificate(1, 1, (0, 9), BOTH).encode(), list(1, &[1]).encode());
        let others = [
            Authority::new(network(), PublicKey::decode(&identity(98).id()).unwrap()),
            Authority::new(
                NetworkHash::secure(&"demo2".parse().unwrap()),
                PublicKey::decode(&identity(99).id()).unwrap(),
            ),
        ];
        for other in others {
            assert_eq!(other.certificate(&good), Err(AttestError::Signature));
            assert_eq!(other.revocations(&list), Err(AttestError::Signature));
        }
        let own = authority();
        assert!(matches!(own.certificate(&list), Err(AttestError::Certificate(_))));
        assert!(matches!(own.revocations(&good[..50]), Err(AttestError::Revocations(_))));
    }

    #[test]
    fn a_certificate_admits_within_its_time_for_its_rights_and_until_it_is_revoked() {
        let mut certified = certified();
        let who = identity(1).id();
        assert_eq!(certified.judge(&who, 1500, Rights::LINK), Admittance::Unknown);
        assert!(certified.learn(&certificate(1, 1, (1000, 2000), Rights::LINK), 0));
        assert!(!certified.learn(&certificate(1, 1, (1000, 2000), Rights::LINK), 0));
        for (time, right, verdict) in [
            (1500, Rights::LINK, Admittance::Admitted),
            (1500, Rights::PUBLISH, Admittance::Refused),
            (700, Rights::LINK, Admittance::Admitted),
            (2300, Rights::LINK, Admittance::Admitted),
            // There may be another one for that time.
            (699, Rights::LINK, Admittance::Unknown),
            (2301, Rights::LINK, Admittance::Unknown),
        ] {
            assert_eq!(certified.judge(&who, time, right), verdict, "{time} {right}");
        }
        assert_eq!(certified.revoke(list(1, &[1])), Some(BTreeSet::from([who])));
        assert_eq!(certified.judge(&who, 1500, Rights::LINK), Admittance::Revoked);
        // Another certificate for the same time stands on its own.
        assert!(certified.learn(&certificate(1, 2, (1400, 5000), BOTH), 0));
        assert_eq!(certified.judge(&who, 1500, Rights::PUBLISH), Admittance::Admitted);
        assert_eq!(certified.judge(&who, 1099, Rights::PUBLISH), Admittance::Revoked);
    }

    #[test]
    fn only_a_higher_epoch_counts_and_names_who_lost_something() {
        let mut certified = certified();
        certified.learn(&certificate(1, 1, (0, 9), BOTH), 0);
        certified.learn(&certificate(2, 2, (0, 9), BOTH), 0);
        assert_eq!(certified.epoch(), 0);
        assert_eq!(certified.revoke(list(5, &[1, 7])), Some(BTreeSet::from([identity(1).id()])));
        assert_eq!(certified.revoke(list(5, &[1, 2])), None);
        assert_eq!(certified.revoke(list(4, &[2])), None);
        assert_eq!(certified.epoch(), 5);
        assert_eq!(certified.revoke(list(6, &[1, 2])), Some(BTreeSet::from([identity(2).id()])));
    }

    #[test]
    fn of_each_member_the_latest_certificates_are_kept() {
        let mut certified = certified();
        for n in [3, 1, 2, 6, 5, 4] {
            certified.learn(&certificate(1, n, (0, u64::from(n)), BOTH), 0);
        }
        let ends: Vec<u64> = certified.of(&identity(1).id()).map(|known| known.membership().not_after).collect();
        assert_eq!(ends, [3, 4, 5, 6]);
    }

    #[test]
    fn lists_admit_who_stands_in_them_and_nobody_shuts_a_network_without_certificates_down() {
        let listed = Admission::Listed(BTreeSet::from([identity(1).id()]));
        for right in [Rights::LINK, Rights::PUBLISH] {
            assert_eq!(listed.judge(&identity(1).id(), 7, right), Admittance::Admitted);
            assert_eq!(listed.judge(&identity(2).id(), 7, right), Admittance::Refused);
            assert_eq!(Admission::Open.judge(&identity(2).id(), 7, right), Admittance::Admitted);
        }
        for admission in [Admission::Open, listed] {
            assert_eq!(admission.judge(&identity(1).id(), 7, Rights::SHUTDOWN), Admittance::Refused);
            assert_eq!(admission.epoch(), None);
        }
    }
}
