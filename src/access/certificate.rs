//! "This identity is a member", signed.

use std::fmt;

use super::{Label, LabelError, Rights, Serial};
use crate::identity::{Domain, Identity, NetworkHash, NodeId, PublicKey, Signature, SignatureError};

/// What a certificate says: who is a member, from when to when, and what they may do.
///
/// Times are whole seconds since 1970 (UTC), 0 to 2^64 − 1, both ends included; `u64::MAX` as the end means for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Membership {
    /// The member.
    pub subject: NodeId,
    /// What the certificate is revoked by. Draw a new one for every certificate.
    pub serial: Serial,
    /// The first second of the membership.
    pub not_before: u64,
    /// The last second of the membership.
    pub not_after: u64,
    /// What the member may do.
    pub rights: Rights,
    /// What the authority calls the member.
    pub label: Label,
}

/// A [`Membership`] signed by an authority for one network. Parsing checks the form alone; only
/// [`verify`](Certificate::verify) says whose word it is.
///
/// ```
/// use sealnet::access::{Certificate, Membership, Rights, Serial};
/// use sealnet::identity::{Identity, NetworkHash, PublicKey};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = NetworkHash::secure(&"lab-1".parse()?);
/// let (authority, member) = (Identity::generate()?, Identity::generate()?);
/// let membership = Membership {
///     subject: member.id(),
///     serial: Serial::generate()?,
///     not_before: 1_800_000_000,
///     not_after: 1_831_536_000,
///     rights: Rights::LINK | Rights::PUBLISH,
///     label: "site 3".parse()?,
/// };
/// let bytes = Certificate::issue(&authority, &network, membership)?.encode();
///
/// let received = Certificate::parse(&bytes)?;
/// received.verify(&network, &PublicKey::decode(&authority.id())?)?;
/// assert!(received.membership().subject == member.id() && received.covers(1_800_000_001));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Certificate {
    membership: Membership,
    signature: Signature,
}

/// Why bytes are no certificate, or a membership cannot be certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The bytes end early.
    #[error("the certificate is cut off; ask for it again")]
    CutOff,
    /// Bytes follow after the signature.
    #[error("{0} bytes follow after the end of the certificate")]
    Trailing(usize),
    /// The label breaks its rules.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// It ends before it begins.
    #[error("the membership ends ({not_after}) before it begins ({not_before}); exchange the two times")]
    NoTime {
        /// The first second of the membership.
        not_before: u64,
        /// The last second of the membership.
        not_after: u64,
    },
}

impl Certificate {
    /// The fewest bytes a certificate has.
    pub const MIN_LEN: usize = NodeId::LEN + Serial::LEN + 8 + 8 + 2 + 1 + 64;
    /// The most bytes a certificate has.
    pub const MAX_LEN: usize = Self::MIN_LEN + Label::MAX_LEN;
    /// How much the clocks of members may differ, in seconds: a certificate counts this much earlier and later.
    pub const CLOCK_TOLERANCE: u64 = 300;

    /// Certifies `membership` on `network`.
    ///
    /// # Errors
    /// [`CertificateError::NoTime`] if it ends before it begins.
    pub fn issue(
        authority: &Identity,
        network: &NetworkHash,
        membership: Membership,
    ) -> Result<Self, CertificateError> {
        membership.check()?;
        let signature = authority.sign(Domain::Membership, &[network.as_bytes(), &membership.encode()]);
        Ok(Certificate { membership, signature })
    }

    /// Reads a certificate from exactly its bytes: [`MIN_LEN`](Self::MIN_LEN) to [`MAX_LEN`](Self::MAX_LEN) of them.
    ///
    /// # Errors
    /// If they are cut off, too many, or break a rule of a field. The signature is not looked at.
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        let (subject, rest) = take::<{ NodeId::LEN }>(bytes)?;
        let (serial, rest) = take::<{ Serial::LEN }>(rest)?;
        let (not_before, rest) = take(rest)?;
        let (not_after, rest) = take(rest)?;
        let (rights, rest) = take(rest)?;
        let ([label_len], rest) = take::<1>(rest)?;
        let label_len = usize::from(label_len);
        if label_len > Label::MAX_LEN {
            return Err(LabelError::TooLong(label_len).into());
        }
        let (label, rest) = rest.split_at_checked(label_len).ok_or(CertificateError::CutOff)?;
        let (signature, rest) = take(rest)?;
        if !rest.is_empty() {
            return Err(CertificateError::Trailing(rest.len()));
        }
        let membership = Membership {
            subject: NodeId::from_bytes(subject),
            serial: Serial::from_bytes(serial),
            not_before: u64::from_be_bytes(not_before),
            not_after: u64::from_be_bytes(not_after),
            rights: Rights::from_bits(u16::from_be_bytes(rights)),
            label: Label::from_bytes(label)?,
        };
        membership.check()?;
        Ok(Certificate { membership, signature })
    }

    /// The certificate's bytes, which are those it was parsed from.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.membership.encode();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// What it says. Nothing is to be concluded from it before [`verify`](Self::verify) has succeeded.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Checks that `authority` said this about `network`. Time, rights and revocation are other questions.
    ///
    /// # Errors
    /// If the signature is anything but the authority's over exactly this, for exactly this network.
    pub fn verify(&self, network: &NetworkHash, authority: &PublicKey) -> Result<(), SignatureError> {
        let signed = [network.as_bytes().as_slice(), &self.membership.encode()];
        authority.verify(Domain::Membership, &signed, &self.signature)
    }

    /// Whether the second `time` (since 1970) is within the membership, give or take
    /// [`CLOCK_TOLERANCE`](Self::CLOCK_TOLERANCE).
    pub fn covers(&self, time: u64) -> bool {
        let Membership { not_before, not_after, .. } = self.membership;
        let first = not_before.saturating_sub(Self::CLOCK_TOLERANCE);
        let last = not_after.saturating_add(Self::CLOCK_TOLERANCE);
        (first..=last).contains(&time)
    }
}

impl Membership {
    fn check(&self) -> Result<(), CertificateError> {
        let Membership { not_before, not_after, .. } = *self;
        if not_before <= not_after { Ok(()) } else { Err(CertificateError::NoTime { not_before, not_after }) }
    }

    /// All of a certificate but its signature.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Certificate::MAX_LEN);
        bytes.extend_from_slice(self.subject.as_bytes());
        bytes.extend_from_slice(self.serial.as_bytes());
        bytes.extend_from_slice(&self.not_before.to_be_bytes());
        bytes.extend_from_slice(&self.not_after.to_be_bytes());
        bytes.extend_from_slice(&self.rights.bits().to_be_bytes());
        let label = self.label.as_str().as_bytes();
        // At most 32, as the label's type knows.
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label);
        bytes
    }
}

/// The first `N` bytes, and the rest.
fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), CertificateError> {
    bytes.split_first_chunk().map(|(first, rest)| (*first, rest)).ok_or(CertificateError::CutOff)
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("membership", &self.membership).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(name: &str) -> NetworkHash {
        NetworkHash::secure(&name.parse().unwrap())
    }

    fn authority() -> (Identity, PublicKey) {
        let identity = Identity::from_seed(&[1; 32]);
        let key = PublicKey::decode(&identity.id()).unwrap();
        (identity, key)
    }

    fn membership() -> Membership {
        Membership {
            subject: Identity::from_seed(&[2; 32]).id(),
            serial: Serial::from_bytes([3; 16]),
            not_before: 1_800_000_000,
            not_after: 1_900_000_000,
            rights: Rights::from_bits(0x0103),
            label: "Zoë".parse().unwrap(),
        }
    }

    #[test]
    fn the_layout_is_the_protocols() {
        let (authority, _) = authority();
        let bytes = Certificate::issue(&authority, &network("demo"), membership()).unwrap().encode();
        let body = [
            membership().subject.as_bytes().as_slice(),
            &[3; 16],
            &[0, 0, 0, 0, 0x6b, 0x49, 0xd2, 0x00],
            &[0, 0, 0, 0, 0x71, 0x3f, 0xb3, 0x00],
            &[0x01, 0x03],
            &[4],
            b"Zo\xc3\xab",
        ]
        .concat();
        assert_eq!(bytes[..bytes.len() - 64], body);
        let signature = authority.sign(Domain::Membership, &[network("demo").as_bytes(), &body]);
        assert_eq!(bytes[bytes.len() - 64..], signature);
        assert_eq!((bytes.len(), Certificate::MIN_LEN, Certificate::MAX_LEN), (135, 131, 163));
    }

    #[test]
    fn a_certificate_counts_for_its_authority_and_network_only() {
        let (identity, key) = authority();
        let certificate = Certificate::issue(&identity, &network("demo"), membership()).unwrap();
        assert_eq!(certificate.verify(&network("demo"), &key), Ok(()));
        assert!(certificate.verify(&network("demo2"), &key).is_err());
        let plain = NetworkHash::plain(&"demo".parse().unwrap());
        assert!(certificate.verify(&plain, &key).is_err());
        let other = PublicKey::decode(&Identity::from_seed(&[9; 32]).id()).unwrap();
        assert!(certificate.verify(&network("demo"), &other).is_err());
        // The subject cannot have signed it for itself.
        let own = Certificate::issue(&Identity::from_seed(&[2; 32]), &network("demo"), membership()).unwrap();
        assert!(own.verify(&network("demo"), &key).is_err());
    }

    #[test]
    fn no_bit_of_a_certificate_can_be_changed() {
        let (identity, key) = authority();
        let bytes = Certificate::issue(&identity, &network("demo"), membership()).unwrap().encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let accepted = Certificate::parse(&changed).is_ok_and(|c| c.verify(&network("demo"), &key).is_ok());
            assert!(!accepted, "bit {bit}");
        }
    }

    #[test]
    fn signatures_of_other_domains_are_no_certificates() {
        let (identity, key) = authority();
        for domain in Domain::ALL {
            let signature = identity.sign(domain, &[network("demo").as_bytes(), &membership().encode()]);
            let certificate = Certificate { membership: membership(), signature };
            assert_eq!(certificate.verify(&network("demo"), &key).is_ok(), domain == Domain::Membership);
        }
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_no_certificate() {
        let (identity, _) = authority();
        let mut bytes = Certificate::issue(&identity, &network("demo"), membership()).unwrap().encode();
        for len in 0..bytes.len() {
            assert_eq!(Certificate::parse(&bytes[..len]), Err(CertificateError::CutOff), "{len}");
        }
        bytes.push(0);
        assert_eq!(Certificate::parse(&bytes), Err(CertificateError::Trailing(1)));
        let label_len = 66;
        bytes[label_len] = 33;
        assert_eq!(Certificate::parse(&bytes), Err(CertificateError::Label(LabelError::TooLong(33))));
        bytes[label_len] = 5;
        bytes[label_len + 1] = b'\n';
        assert_eq!(Certificate::parse(&bytes), Err(CertificateError::Label(LabelError::NotUtf8)));
        bytes[label_len] = 1;
        bytes.truncate(132);
        assert_eq!(Certificate::parse(&bytes), Err(CertificateError::Label(LabelError::Control)));
    }

    #[test]
    fn time_counts_with_five_minutes_of_tolerance() {
        let (identity, _) = authority();
        let issue = |not_before, not_after| {
            let membership = Membership { not_before, not_after, ..membership() };
            Certificate::issue(&identity, &network("demo"), membership)
        };
        let certificate = issue(1000, 2000).unwrap();
        for (time, covered) in [(699, false), (700, true), (1000, true), (2300, true), (2301, false), (0, false)] {
            assert_eq!(certificate.covers(time), covered, "{time}");
        }
        let eternal = issue(0, u64::MAX).unwrap();
        assert!(eternal.covers(0) && eternal.covers(u64::MAX));
        assert!(issue(5, 5).unwrap().covers(5));
        assert_eq!(issue(6, 5), Err(CertificateError::NoTime { not_before: 6, not_after: 5 }));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_parsed_again(
            (subject, serial) in any::<([u8; 32], [u8; 16])>(),
            (a, b, rights) in any::<(u64, u64, u16)>(),
            label in "\\PC{0,8}",
        ) {
            let membership = Membership {
                subject: NodeId::from_bytes(subject),
                serial: Serial::from_bytes(serial),
                not_before: a.min(b),
                not_after: a.max(b),
                rights: Rights::from_bits(rights),
                label: label.parse().unwrap(),
            };
            let (identity, key) = authority();
            let certificate = Certificate::issue(&identity, &network("demo"), membership).unwrap();
            let parsed = Certificate::parse(&certificate.encode()).unwrap();
            prop_assert_eq!(&parsed, &certificate);
            prop_assert!(parsed.verify(&network("demo"), &key).is_ok());
        }

        #[test]
        fn hostile_bytes_never_panic_and_have_one_meaning(
            mut bytes in prop::collection::vec(any::<u8>(), 0..=200),
            label_len in 0_u8..=40,
            tame in any::<bool>(),
        ) {
            // Half of the cases get past the times and the length, which random bytes would hardly ever do.
            if let (true, Some(fields)) = (tame, bytes.get_mut(48..)) {
                fields.iter_mut().take(8).for_each(|byte| *byte = 0);
                fields.iter_mut().skip(18).take(1).for_each(|byte| *byte = label_len);
                fields.iter_mut().skip(19).take(40).for_each(|byte| *byte &= 0x7f);
                bytes.truncate(Certificate::MIN_LEN + usize::from(label_len));
            }
            if let Ok(certificate) = Certificate::parse(&bytes) {
                prop_assert_eq!(certificate.encode(), bytes);
            }
        }
    }
}
