//! What an authority signs.

use sealnet::access::{Certificate, Membership, Revocations, Rights, Serial};
use sealnet::identity::{Identity, NetworkHash, PublicKey};

fn network() -> NetworkHash {
    NetworkHash::secure(&"a".parse().expect("a name"))
}

fn authority() -> Identity {
    Identity::from_seed(&[5; 32])
}

fn authority_key() -> PublicKey {
    PublicKey::decode(&authority().id()).expect("its own key")
}

fn good_certificate() -> Vec<u8> {
    let membership = Membership {
        subject: Identity::from_seed(&[1; 32]).id(),
        serial: Serial::from_bytes([7; 16]),
        not_before: 1_700_000_000,
        not_after: 1_800_000_000,
        rights: Rights::from_bits(3),
        label: "desk 4".parse().expect("a label"),
    };
    Certificate::issue(&authority(), &network(), membership).expect("it ends after it begins").encode()
}

fn good_list() -> Vec<u8> {
    let serials = [1, 2, 9].map(|n| Serial::from_bytes([n; 16]));
    Revocations::issue(&authority(), &network(), 3, 1_700_000_000, serials).expect("a short list").encode()
}

/// A certificate has one spelling, and is believed only as it was signed.
pub(crate) fn certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::parse(data) else { return };
    assert_eq!(certificate.encode(), data);
    let is_good = certificate.verify(&network(), &authority_key()).is_ok();
    assert_eq!(is_good, data == good_certificate(), "a forged certificate");
    let _ = (certificate.covers(0), certificate.covers(u64::MAX), certificate.covers(1_750_000_000));
}

pub(crate) fn certificate_seeds() -> Vec<Vec<u8>> {
    vec![good_certificate()]
}

/// So has a list of revocations.
pub(crate) fn revocations(data: &[u8]) {
    let Ok(list) = Revocations::parse(data) else { return };
    assert_eq!(list.encode(), data);
    assert!(list.serials().len() <= Revocations::MAX_COUNT && list.serials().iter().all(|one| list.contains(one)));
    let is_good = list.verify(&network(), &authority_key()).is_ok();
    assert_eq!(is_good, data == good_list(), "a forged list");
}

pub(crate) fn revocations_seeds() -> Vec<Vec<u8>> {
    vec![good_list()]
}
