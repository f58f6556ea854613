//! `identity_proofs.json`: the payloads of messages 2 and 3 (protocol, section 2).

use sealnet::identity::{Domain, Identity};
use sealnet::link::proof::{IdentityProof, ProofError};
use sealnet::noise::{Keypair, PublicKey, Role};
use serde::Serialize;

use super::forger::{Forger, order_8};
use super::shown::Shown;
use super::{A, B, key_reason, published};

#[derive(Serialize)]
struct File {
    valid: Vec<Valid>,
    invalid: Vec<Invalid>,
}

#[derive(Serialize)]
struct Valid {
    role: &'static str,
    seed: Shown,
    id: Shown,
    h: Shown,
    static_secret: Shown,
    static_public: Shown,
    signed: Shown,
    payload: Shown,
}

#[derive(Serialize)]
struct Invalid {
    what: &'static str,
    role: &'static str,
    h: Shown,
    static_public: Shown,
    payload: Shown,
    reason: &'static str,
}

const H: [u8; 32] = [0x55; 32];
const STATIC: [u8; 32] = [0x11; 32];
const OTHER_STATIC: [u8; 32] = [0x21; 32];

pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Initiator => "initiator",
        Role::Responder => "responder",
    }
}

fn public(secret: &[u8; 32]) -> PublicKey {
    *Keypair::from_secret(secret).public()
}

/// What is signed, put together from the page.
fn signed(domain: Domain, role: u8, h: &[u8; 32], static_public: &PublicKey) -> Vec<u8> {
    [domain.as_bytes(), &[role], h, static_public.as_bytes()].concat()
}

#[test]
fn the_published_proofs_of_identity_are_made_and_judged_as_the_files_say() {
    let mut valid = Vec::new();
    for (role, byte, seed, secret) in [(Role::Initiator, 1, A, STATIC), (Role::Responder, 2, B, OTHER_STATIC)] {
        let key = public(&secret);
        let proof = IdentityProof::sign(&Identity::from_seed(&seed), role, &H, &key);
        let signed = signed(Domain::Handshake, byte, &H, &key);
        assert_eq!(proof.signature, Forger::new(&seed).sign(&signed));
        assert_eq!(IdentityProof::decode(&proof.encode()).unwrap().verify(role, &H, &key), Ok(super::id(&seed)));
        valid.push(Valid {
            role: role_name(role),
            seed: Shown::from(&seed),
            id: proof.id.as_bytes().into(),
            h: Shown::from(&H),
            static_secret: Shown::from(&secret),
            static_public: key.as_bytes().into(),
            signed: Shown(signed),
            payload: Shown::from(&proof.encode()),
        });
    }
    let invalid = forgeries().into_iter().map(|(what, payload)| {
        let refused =
            IdentityProof::decode(&payload).and_then(|proof| proof.verify(Role::Initiator, &H, &public(&STATIC)));
        let reason = match refused.expect_err(what) {
            ProofError::Grammar => "grammar",
            ProofError::Key(error) => key_reason(error),
            ProofError::Signature => "signature",
            other => panic!("{other}"),
        };
        Invalid {
            what,
            role: "initiator",
            h: Shown::from(&H),
            static_public: public(&STATIC).as_bytes().into(),
            payload: Shown(payload),
            reason,
        }
    });
    published("identity_proofs.json", &File { invalid: invalid.collect(), valid });
}

/// Payloads that are no proof of A, as the initiator of the session H with the static key STATIC.
fn forgeries() -> Vec<(&'static str, Vec<u8>)> {
    let (a, key) = (Forger::new(&A), public(&STATIC));
    let right = signed(Domain::Handshake, 1, &H, &key);
    let payload = |id: &[u8; 32], signature: [u8; 64]| [&[1], &id[..], &signature].concat();
    let own = *a.id().as_bytes();
    let good = payload(&own, a.sign(&right));
    let first = |byte: u8| [&[byte], &good[1..]].concat();
    let no_point = std::array::from_fn(|at| if at == 0 { 2 } else { 0 });
    let neutral = std::array::from_fn(|at| u8::from(at == 0));
    let misspelt = std::array::from_fn(|at| match at {
        0 => 0xF0,
        31 => 0x7F,
        _ => 0xFF,
    });
    let other = |domain, role, h: &[u8; 32], key: &PublicKey| payload(&own, a.sign(&signed(domain, role, h, key)));
    let session = &key;
    let mut forgeries = vec![
        ("nothing", Vec::new()),
        ("the version byte alone", vec![1]),
        ("a byte missing at the end", good[..96].to_vec()),
        ("a byte too many", [&good[..], &[0]].concat()),
        ("version 0", first(0)),
        ("version 2", first(2)),
        ("a key that is no point", payload(&no_point, a.sign(&right))),
        ("a key in another spelling", payload(&misspelt, a.sign(&right))),
        ("a key of low order", payload(&neutral, a.sign(&right))),
        ("a key with a torsion component", payload(a.id_with(order_8()).as_bytes(), a.sign(&right))),
        ("signed by another identity", payload(&own, Forger::new(&B).sign(&right))),
        ("reflected: signed as the responder", other(Domain::Handshake, 2, &H, session)),
        ("signed with role 0", other(Domain::Handshake, 0, &H, session)),
        ("of another session", other(Domain::Handshake, 1, &[0x56; 32], session)),
        ("for another static key", other(Domain::Handshake, 1, &H, &public(&OTHER_STATIC))),
        ("S not reduced", payload(&own, a.sign_unreduced(&right))),
        ("R is the neutral element", payload(&own, a.sign_with_neutral_r(&right))),
        ("R has a torsion component", payload(&own, a.sign_with_torsion_in_r(&right))),
        ("a signature of zeros", payload(&own, [0; 64])),
    ];
    let domains = [
        (Domain::Envelope, "signed as an envelope"),
        (Domain::Membership, "signed as a certificate"),
        (Domain::Revocation, "signed as a revocation list"),
        (Domain::Rotation, "signed as a rotation"),
    ];
    forgeries.extend(domains.map(|(domain, what)| (what, other(domain, 1, &H, session))));
    forgeries
}
