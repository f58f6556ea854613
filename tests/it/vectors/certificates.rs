//! `certificates.json`: who is a member of a closed network (protocol, section 10).

use sealnet::access::{Certificate, CertificateError, Label, LabelError, Membership, Rights, Serial};
use sealnet::identity::{Domain, Identity, NetworkHash, NodeId, PublicKey};
use serde::Serialize;

use super::forger::Forger;
use super::shown::Shown;
use super::{A, AUTHORITY, B, NETWORK, id, published, secure};

#[derive(Serialize)]
struct File {
    network: &'static str,
    authority_seed: Shown,
    authority: Shown,
    valid: Vec<Valid>,
    invalid: Vec<Invalid>,
}

#[derive(Serialize)]
struct Valid {
    what: &'static str,
    subject: Shown,
    serial: Shown,
    not_before: String,
    not_after: String,
    rights: u16,
    label: String,
    certificate: Shown,
    covers: Vec<Covers>,
}

#[derive(Serialize)]
struct Covers {
    second: String,
    covered: bool,
}

#[derive(Serialize)]
struct Invalid {
    what: &'static str,
    certificate: Shown,
    reason: &'static str,
}

fn membership() -> Membership {
    Membership {
        subject: id(&A),
        serial: Serial::from_bytes([5; 16]),
        not_before: 1_700_000_000,
        not_after: 1_731_536_000,
        rights: Rights::LINK | Rights::PUBLISH,
        label: "alpha".parse().unwrap(),
    }
}

fn issue(network: &NetworkHash, membership: Membership) -> Certificate {
    Certificate::issue(&Identity::from_seed(&AUTHORITY), network, membership).unwrap()
}

fn authority() -> PublicKey {
    PublicKey::decode(&id(&AUTHORITY)).unwrap()
}

fn valid(what: &'static str, membership: Membership) -> Valid {
    let Membership { subject, serial, not_before, not_after, rights, label } = membership.clone();
    let certificate = issue(&secure(NETWORK), membership);
    let parsed = Certificate::parse(&certificate.encode()).unwrap();
    assert_eq!(parsed, certificate);
    parsed.verify(&secure(NETWORK), &authority()).unwrap();
    let mut seconds = vec![0, u64::MAX];
    for edge in [not_before.saturating_sub(300), not_after.saturating_add(300)] {
        seconds.extend([edge.saturating_sub(1), edge, edge.saturating_add(1)]);
    }
    seconds.sort_unstable();
    seconds.dedup();
    let covers = |second: u64| Covers { second: second.to_string(), covered: certificate.covers(second) };
    Valid {
        what,
        subject: subject.as_bytes().into(),
        serial: serial.as_bytes().into(),
        not_before: not_before.to_string(),
        not_after: not_after.to_string(),
        rights: rights.bits(),
        label: label.as_str().to_owned(),
        certificate: Shown(certificate.encode()),
        covers: seconds.into_iter().map(covers).collect(),
    }
}

#[test]
fn the_published_certificates_are_made_and_judged_as_the_files_say() {
    let longest: Label = "l".repeat(Label::MAX_LEN).parse().unwrap();
    let valid = vec![
        valid("the protocol page's", membership()),
        valid(
            "for ever, without a label, without rights",
            Membership {
                not_before: 0,
                not_after: u64::MAX,
                rights: Rights::NONE,
                label: Label::default(),
                ..membership()
            },
        ),
        valid(
            "one second, the longest label, every bit of rights",
            Membership {
                not_after: 1_700_000_000,
                rights: Rights::from_bits(u16::MAX),
                label: longest,
                ..membership()
            },
        ),
        valid(
            "a label beyond ASCII; the subject need be no key",
            Membership {
                subject: NodeId::from_bytes([0xFF; 32]),
                label: "Zürich\u{a0}\u{202e}".parse().unwrap(),
                ..membership()
            },
        ),
    ];
    let invalid = forgeries().into_iter().map(|(what, certificate)| {
        let reason = match Certificate::parse(&certificate) {
            Ok(parsed) => {
                parsed.verify(&secure(NETWORK), &authority()).expect_err(what);
                "signature"
            }
            Err(CertificateError::CutOff | CertificateError::Trailing(_)) => "size",
            Err(CertificateError::NoTime { .. }) => "times",
            Err(CertificateError::Label(LabelError::TooLong(_))) => "label-length",
            Err(CertificateError::Label(LabelError::Control)) => "label-control",
            Err(CertificateError::Label(LabelError::NotUtf8)) => "label-utf-8",
            Err(other) => panic!("a reason without a name: {other}"),
        };
        Invalid { what, certificate: Shown(certificate), reason }
    });
    let file = File {
        network: NETWORK,
        authority_seed: Shown::from(&AUTHORITY),
        authority: id(&AUTHORITY).as_bytes().into(),
        invalid: invalid.collect(),
        valid,
    };
    published("certificates.json", &file);
}

/// Where the label's length stands.
const LABEL_AT: usize = 66;

fn forgeries() -> Vec<(&'static str, Vec<u8>)> {
    let network = secure(NETWORK);
    let good = issue(&network, membership()).encode();
    let body = &good[..good.len() - 64];
    let signed = |body: &[u8], domain: Domain, seed: &[u8; 32]| {
        let signature = Forger::new(seed).sign(&[domain.as_bytes(), network.as_bytes(), body].concat());
        [body, &signature].concat()
    };
    let by_authority = |body: &[u8]| signed(body, Domain::Membership, &AUTHORITY);
    let labelled = |label: &[u8]| by_authority(&[&body[..LABEL_AT], &[label.len() as u8], label].concat());
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let exchanged = [&body[..48], &body[56..64], &body[48..56], &body[64..]].concat();
    let message = [Domain::Membership.as_bytes(), network.as_bytes(), body].concat();
    let forger = Forger::new(&AUTHORITY);
    let mut forgeries = vec![
        ("nothing", Vec::new()),
        ("cut off before the label's length", good[..LABEL_AT].to_vec()),
        ("cut off in the label", good[..LABEL_AT + 3].to_vec()),
        ("without its signature", body.to_vec()),
        ("a byte missing at the end", good[..good.len() - 1].to_vec()),
        ("a byte too many", [&good[..], &[0]].concat()),
        ("it ends before it begins", by_authority(&exchanged)),
        ("a label of 33 bytes", labelled(&[b'l'; 33])),
        ("a label of 255 bytes", labelled(&[b'l'; 255])),
        ("a label with a line feed", labelled(b"a\nb")),
        ("a label with U+009F", labelled("\u{9f}".as_bytes())),
        ("a label that is not UTF-8", labelled(b"\xFF")),
        ("a flipped bit in the subject", flipped(0)),
        ("a flipped bit in the serial", flipped(32)),
        ("a flipped bit in the beginning", flipped(55)),
        ("a flipped bit in the end", flipped(63)),
        ("a right more", flipped(64)),
        ("a flipped bit in the label", flipped(LABEL_AT + 1)),
        ("a flipped bit in R", flipped(good.len() - 64)),
        ("a flipped bit in S", flipped(good.len() - 32)),
        ("by another authority", signed(body, Domain::Membership, &B)),
        ("by the member itself", signed(body, Domain::Membership, &A)),
        ("of another network", issue(&secure("other-net"), membership()).encode()),
        ("of the plain network of the same name", {
            issue(&NetworkHash::plain(&NETWORK.parse().unwrap()), membership()).encode()
        }),
        ("S not reduced", [body, &forger.sign_unreduced(&message)].concat()),
        ("R is the neutral element", [body, &forger.sign_with_neutral_r(&message)].concat()),
        ("R has a torsion component", [body, &forger.sign_with_torsion_in_r(&message)].concat()),
    ];
    let domains = [
        (Domain::Handshake, "signed as a proof of identity"),
        (Domain::Envelope, "signed as an envelope"),
        (Domain::Revocation, "signed as a revocation list"),
        (Domain::Rotation, "signed as a rotation"),
    ];
    forgeries.extend(domains.map(|(domain, what)| (what, signed(body, domain, &AUTHORITY))));
    forgeries
}
