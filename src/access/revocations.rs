//! "These memberships ended", signed.

use std::collections::BTreeSet;
use std::fmt;

use super::Serial;
use crate::identity::{Domain, Identity, NetworkHash, PublicKey, Signature, SignatureError};

/// The one list of all revoked certificates of a network, signed by the authority.
///
/// Each list replaces the one before it: of two, the one with the higher epoch counts, whenever it was received.
/// Parsing checks the form alone; only [`verify`](Revocations::verify) says whose word it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Revocations {
    epoch: u64,
    issued: u64,
    /// Strictly ascending.
    serials: Vec<Serial>,
    signature: Signature,
}

/// Why bytes are no list of revocations, or a list cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationsError {
    /// The bytes end early.
    #[error("the list of revocations is cut off; ask for it again")]
    CutOff,
    /// Bytes follow after the signature.
    #[error("{0} bytes follow after the end of the list of revocations")]
    Trailing(usize),
    /// More than [`Revocations::MAX_COUNT`] serial numbers.
    #[error(
        "the list has {0} revocations and 4000 is the most; leave out certificates that have run out by themselves"
    )]
    TooMany(usize),
    /// A serial number is not above the one before it.
    #[error("the revoked serial numbers are not in ascending order, each once")]
    Unsorted,
}

impl Revocations {
    /// The most serial numbers a list has.
    pub const MAX_COUNT: usize = 4000;
    /// The most bytes a list has.
    pub const MAX_LEN: usize = Self::FRONT_LEN + Self::MAX_COUNT * Serial::LEN + 64;
    /// Epoch, time and count.
    const FRONT_LEN: usize = 8 + 8 + 2;

    /// Signs the list with the number `epoch`, which must be higher than that of every earlier list to count, made in
    /// the second `issued` (since 1970). The serial numbers may come in any order and more than once.
    ///
    /// # Errors
    /// [`RevocationsError::TooMany`] if there are more than [`MAX_COUNT`](Self::MAX_COUNT).
    pub fn issue(
        authority: &Identity,
        network: &NetworkHash,
        epoch: u64,
        issued: u64,
        serials: impl IntoIterator<Item = Serial>,
    ) -> Result<Self, RevocationsError> {
        let serials: Vec<Serial> = serials.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        if serials.len() > Self::MAX_COUNT {
            return Err(RevocationsError::TooMany(serials.len()));
        }
        let mut list = Revocations { epoch, issued, serials, signature: [0; 64] };
        list.signature = authority.sign(Domain::Revocation, &[network.as_bytes(), &list.encode_unsigned()]);
        Ok(list)
    }

    /// Reads a list from exactly its bytes, at most [`MAX_LEN`](Self::MAX_LEN).
    ///
    /// # Errors
    /// If they are cut off, too many, or the serial numbers do not ascend. The signature is not looked at.
    pub fn parse(bytes: &[u8]) -> Result<Self, RevocationsError> {
        let (epoch, rest) = take(bytes)?;
        let (issued, rest) = take(rest)?;
        let (count, rest) = take(rest)?;
        let count = usize::from(u16::from_be_bytes(count));
        if count > Self::MAX_COUNT {
            return Err(RevocationsError::TooMany(count));
        }
        // At most 64,000, and nothing is allocated before so much has really come.
        let (list, rest) = rest.split_at_checked(count * Serial::LEN).ok_or(RevocationsError::CutOff)?;
        let (signature, rest) = take(rest)?;
        if !rest.is_empty() {
            return Err(RevocationsError::Trailing(rest.len()));
        }
        let (chunks, _) = list.as_chunks();
        let serials: Vec<Serial> = chunks.iter().copied().map(Serial::from_bytes).collect();
        if !serials.is_sorted_by(|a, b| a < b) {
            return Err(RevocationsError::Unsorted);
        }
        let (epoch, issued) = (u64::from_be_bytes(epoch), u64::from_be_bytes(issued));
        Ok(Revocations { epoch, issued, serials, signature })
    }

    /// The list's bytes, which are those it was parsed from.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.encode_unsigned();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    fn encode_unsigned(&self) -> Vec<u8> {
        let len = Self::FRONT_LEN + self.serials.len() * Serial::LEN + self.signature.len();
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.issued.to_be_bytes());
        // At most 4,000, as both ways to make a list know.
        bytes.extend_from_slice(&(self.serials.len() as u16).to_be_bytes());
        self.serials.iter().for_each(|serial| bytes.extend_from_slice(serial.as_bytes()));
        bytes
    }

    /// Checks that `authority` said this about `network`. Whether its epoch counts is another question.
    ///
    /// # Errors
    /// If the signature is anything but the authority's over exactly this, for exactly this network.
    pub fn verify(&self, network: &NetworkHash, authority: &PublicKey) -> Result<(), SignatureError> {
        let signed = [network.as_bytes().as_slice(), &self.encode_unsigned()];
        authority.verify(Domain::Revocation, &signed, &self.signature)
    }

    /// The list's number: of two lists, the one with the higher counts.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When it was made, in seconds since 1970. It tells people something and decides nothing.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// The revoked serial numbers, ascending, each once.
    pub fn serials(&self) -> &[Serial] {
        &self.serials
    }

    /// Whether the certificate with this serial number is revoked.
    pub fn contains(&self, serial: &Serial) -> bool {
        self.serials.binary_search(serial).is_ok()
    }
}

/// The first `N` bytes, and the rest.
fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), RevocationsError> {
    bytes.split_first_chunk().map(|(first, rest)| (*first, rest)).ok_or(RevocationsError::CutOff)
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Revocations { epoch, issued, serials, .. } = self;
        f.debug_struct("Revocations")
            .field("epoch", epoch)
            .field("issued", issued)
            .field("count", &serials.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network() -> NetworkHash {
        NetworkHash::secure(&"demo".parse().unwrap())
    }

    fn authority() -> (Identity, PublicKey) {
        let identity = Identity::from_seed(&[1; 32]);
        let key = PublicKey::decode(&identity.id()).unwrap();
        (identity, key)
    }

    fn serial(n: u16) -> Serial {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        Serial::from_bytes(bytes)
    }

    #[test]
    fn the_layout_is_the_protocols() {
        let (identity, _) = authority();
        let list =
            Revocations::issue(&identity, &network(), 7, 0x0102_0304, [serial(2), serial(1), serial(2)]).unwrap();
        let body = [
            [0, 0, 0, 0, 0, 0, 0, 7].as_slice(),
            &[0, 0, 0, 0, 1, 2, 3, 4],
            &[0, 2],
            serial(1).as_bytes(),
            serial(2).as_bytes(),
        ]
        .concat();
        let signature = identity.sign(Domain::Revocation, &[network().as_bytes(), &body]);
        assert_eq!(list.encode(), [body.as_slice(), &signature].concat());
        assert_eq!((list.epoch(), list.issued(), list.serials()), (7, 0x0102_0304, [serial(1), serial(2)].as_slice()));
    }

    #[test]
    fn the_longest_list_is_64_082_bytes_and_one_more_is_refused() {
        let (identity, key) = authority();
        let list = Revocations::issue(&identity, &network(), 1, 0, (0..4000).map(serial)).unwrap();
        assert_eq!((list.encode().len(), Revocations::MAX_LEN), (64_082, 64_082));
        let parsed = Revocations::parse(&list.encode()).unwrap();
        assert_eq!(parsed.verify(&network(), &key), Ok(()));
        assert!(parsed.contains(&serial(0)) && parsed.contains(&serial(3999)) && !parsed.contains(&serial(4000)));

        let more = Revocations::issue(&identity, &network(), 1, 0, (0..4001).map(serial));
        assert_eq!(more, Err(RevocationsError::TooMany(4001)));
        let mut bytes = list.encode();
        bytes[16..18].copy_from_slice(&4001_u16.to_be_bytes());
        bytes.extend_from_slice(&[0xff; 16]);
        assert_eq!(Revocations::parse(&bytes), Err(RevocationsError::TooMany(4001)));
    }

    #[test]
    fn a_list_counts_for_its_authority_network_and_domain_only() {
        let (identity, key) = authority();
        let list = Revocations::issue(&identity, &network(), 1, 0, [serial(1)]).unwrap();
        assert_eq!(list.verify(&network(), &key), Ok(()));
        assert!(list.verify(&NetworkHash::secure(&"demo2".parse().unwrap()), &key).is_err());
        let other = PublicKey::decode(&Identity::from_seed(&[9; 32]).id()).unwrap();
        assert!(list.verify(&network(), &other).is_err());
        for domain in Domain::ALL {
            let signature = identity.sign(domain, &[network().as_bytes(), &list.encode_unsigned()]);
            let list = Revocations { signature, ..list.clone() };
            assert_eq!(list.verify(&network(), &key).is_ok(), domain == Domain::Revocation);
        }
    }

    #[test]
    fn no_bit_of_a_list_can_be_changed() {
        let (identity, key) = authority();
        let bytes = Revocations::issue(&identity, &network(), 1, 2, [serial(1), serial(2)]).unwrap().encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let accepted = Revocations::parse(&changed).is_ok_and(|list| list.verify(&network(), &key).is_ok());
            assert!(!accepted, "bit {bit}");
        }
    }

    #[test]
    fn what_is_cut_off_too_long_or_unsorted_is_no_list() {
        let (identity, _) = authority();
        let list = Revocations::issue(&identity, &network(), 1, 2, [serial(1), serial(2)]).unwrap();
        let mut bytes = list.encode();
        for len in 0..bytes.len() {
            assert_eq!(Revocations::parse(&bytes[..len]), Err(RevocationsError::CutOff), "{len}");
        }
        bytes.push(0);
        assert_eq!(Revocations::parse(&bytes), Err(RevocationsError::Trailing(1)));
        for serials in [vec![serial(2), serial(1)], vec![serial(1), serial(1)]] {
            let bad = Revocations { serials, ..list.clone() };
            assert_eq!(Revocations::parse(&bad.encode()), Err(RevocationsError::Unsorted));
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_parsed_again(
            (epoch, issued) in any::<(u64, u64)>(),
            serials in prop::collection::vec(any::<[u8; 16]>(), 0..50),
        ) {
            let (identity, key) = authority();
            let serials = serials.into_iter().map(Serial::from_bytes);
            let list = Revocations::issue(&identity, &network(), epoch, issued, serials.clone()).unwrap();
            let parsed = Revocations::parse(&list.encode()).unwrap();
            prop_assert_eq!(&parsed, &list);
            prop_assert!(parsed.verify(&network(), &key).is_ok());
            prop_assert!(serials.into_iter().all(|serial| parsed.contains(&serial)));
        }

        #[test]
        fn hostile_bytes_never_panic_and_have_one_meaning(
            mut bytes in prop::collection::vec(any::<u8>(), 0..=300),
            count in 0_u8..=16,
        ) {
            // Most random counts are far too high: here, half of the lists have their right length.
            if let Some(field) = bytes.get_mut(16..18) {
                field.copy_from_slice(&[0, count]);
            }
            if count % 2 == 0 {
                bytes.truncate(18 + usize::from(count) * 16 + 64);
            }
            if let Ok(list) = Revocations::parse(&bytes) {
                prop_assert_eq!(list.encode(), bytes);
            }
        }
    }
}
