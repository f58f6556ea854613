//! `revocations.json`: whose membership ended (protocol, section 10).

use sealnet::access::{Revocations, RevocationsError, Serial};
use sealnet::identity::{Domain, Identity, PublicKey};
use serde::Serialize;

use super::forger::Forger;
use super::shown::Shown;
use super::{A, AUTHORITY, NETWORK, id, published, secure};

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
    epoch: String,
    issued: String,
    serials: Vec<Shown>,
    list: Shown,
}

#[derive(Serialize)]
struct Invalid {
    what: &'static str,
    list: Shown,
    reason: &'static str,
}

fn serial(n: u8) -> Serial {
    Serial::from_bytes([n; 16])
}

fn issue(network: &str, serials: &[Serial]) -> Revocations {
    let authority = Identity::from_seed(&AUTHORITY);
    Revocations::issue(&authority, &secure(network), 1, 1_700_000_001, serials.iter().copied()).unwrap()
}

fn authority() -> PublicKey {
    PublicKey::decode(&id(&AUTHORITY)).unwrap()
}

fn valid(what: &'static str, list: &Revocations) -> Valid {
    let parsed = Revocations::parse(&list.encode()).unwrap();
    assert_eq!(&parsed, list);
    parsed.verify(&secure(NETWORK), &authority()).unwrap();
    Valid {
        what,
        epoch: list.epoch().to_string(),
        issued: list.issued().to_string(),
        serials: list.serials().iter().map(|serial| serial.as_bytes().into()).collect(),
        list: Shown(list.encode()),
    }
}

#[test]
fn the_published_revocation_lists_are_made_and_judged_as_the_files_say() {
    // Ordered as bytes: neither as little-endian numbers nor as signed ones.
    let ordered = [
        [0; 16],
        std::array::from_fn(|at| u8::from(at == 15)),
        std::array::from_fn(|at| u8::from(at == 0)),
        [0xFF; 16],
    ];
    let extreme =
        Revocations::issue(&Identity::from_seed(&AUTHORITY), &secure(NETWORK), u64::MAX, u64::MAX, []).unwrap();
    let valid = vec![
        valid("the protocol page's", &issue(NETWORK, &[serial(5)])),
        valid("empty, with the highest numbers", &extreme),
        valid("several, ascending as bytes", &issue(NETWORK, &ordered.map(Serial::from_bytes))),
    ];
    let invalid = forgeries().into_iter().map(|(what, list)| {
        let reason = match Revocations::parse(&list) {
            Ok(parsed) => {
                parsed.verify(&secure(NETWORK), &authority()).expect_err(what);
                "signature"
            }
            Err(RevocationsError::CutOff | RevocationsError::Trailing(_)) => "size",
            Err(RevocationsError::TooMany(_)) => "count",
            Err(RevocationsError::Unsorted) => "order",
            Err(other) => panic!("a reason without a name: {other}"),
        };
        Invalid { what, list: Shown(list), reason }
    });
    let file = File {
        network: NETWORK,
        authority_seed: Shown::from(&AUTHORITY),
        authority: id(&AUTHORITY).as_bytes().into(),
        invalid: invalid.collect(),
        valid,
    };
    published("revocations.json", &file);
}

fn forgeries() -> Vec<(&'static str, Vec<u8>)> {
    let network = secure(NETWORK);
    let good = issue(NETWORK, &[serial(5), serial(6)]).encode();
    let body = &good[..good.len() - 64];
    let signed = |body: &[u8], domain: Domain, seed: &[u8; 32]| {
        let signature = Forger::new(seed).sign(&[domain.as_bytes(), network.as_bytes(), body].concat());
        [body, &signature].concat()
    };
    let listing = |count: u16, serials: &[u8]| {
        signed(&[&body[..16], &count.to_be_bytes(), serials].concat(), Domain::Revocation, &AUTHORITY)
    };
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut forgeries = vec![
        ("nothing", Vec::new()),
        ("cut off in the count", good[..17].to_vec()),
        ("cut off in a serial", good[..30].to_vec()),
        ("without its signature", body.to_vec()),
        ("a byte missing at the end", good[..good.len() - 1].to_vec()),
        ("a byte too many", [&good[..], &[0]].concat()),
        ("a count one too high", listing(3, &[[5; 16], [6; 16]].concat())),
        ("a count one too low", listing(1, &[[5; 16], [6; 16]].concat())),
        ("a count of 4,001", listing(4_001, &[[5; 16], [6; 16]].concat())),
        ("descending", listing(2, &[[6; 16], [5; 16]].concat())),
        ("one serial twice", listing(2, &[[5; 16], [5; 16]].concat())),
        ("a flipped bit in the epoch", flipped(7)),
        ("a flipped bit in the time", flipped(15)),
        ("a flipped bit in a serial", flipped(33)),
        ("a flipped bit in R", flipped(good.len() - 64)),
        ("a flipped bit in S", flipped(good.len() - 32)),
        ("by somebody else", signed(body, Domain::Revocation, &A)),
        ("of another network", issue("other-net", &[serial(5), serial(6)]).encode()),
    ];
    let domains = [
        (Domain::Handshake, "signed as a proof of identity"),
        (Domain::Envelope, "signed as an envelope"),
        (Domain::Membership, "signed as a certificate"),
        (Domain::Rotation, "signed as a rotation"),
    ];
    forgeries.extend(domains.map(|(domain, what)| (what, signed(body, domain, &AUTHORITY))));
    forgeries
}
