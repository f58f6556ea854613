//! `envelopes.json`: envelopes of both kinds of network (protocol, section 4).

use std::sync::Arc;

use bytes::Bytes;
use sealnet::envelope::{
    Draft, Envelope, EnvelopeError, InvalidEnvelope, Lifetime, MAX_MESSAGE, Open, Scheme, Signed, Timestamp,
    TitleError, Verified, Verifier, VerifyError, Version,
};
use sealnet::identity::{Domain, Identity, NetworkHash, NodeId};
use serde::Serialize;

use super::forger::{Forger, order_8};
use super::raw_envelope::Raw;
use super::shown::Shown;
use super::{A, B, NETWORK, id, key_reason, published, secure};

#[derive(Serialize)]
struct File {
    valid: Vec<Valid>,
    invalid: Vec<Invalid>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Valid {
    what: &'static str,
    network: &'static str,
    version: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<Shown>,
    sender: Shown,
    time: u64,
    lifetime: u32,
    title: String,
    message: Shown,
    id: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<Shown>,
    envelope: Shown,
}

#[derive(Serialize)]
struct Invalid {
    what: &'static str,
    network: &'static str,
    version: u8,
    envelope: Shown,
    reason: &'static str,
}

#[derive(Serialize)]
struct Row {
    what: &'static str,
    version: u8,
    row: Shown,
    envelopes: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// What the vectors call the reason for which bytes are no envelope.
fn grammar_reason(error: &EnvelopeError) -> &'static str {
    match error {
        EnvelopeError::UnknownVersion(_) => "unknown-version",
        EnvelopeError::WrongVersion(_) => "other-kind-of-network",
        EnvelopeError::Size { .. } => "size",
        EnvelopeError::MessageTooLong { .. } => "message-length",
        EnvelopeError::Time => "time",
        EnvelopeError::TitleNotText => "title-utf-8",
        EnvelopeError::Title(TitleError::TooLong { .. }) => "title-length",
        EnvelopeError::Title(TitleError::ControlCharacter(_)) => "title-control",
        other => panic!("a reason without a name: {other}"),
    }
}

pub(super) fn verify_reason(error: VerifyError) -> &'static str {
    match error {
        VerifyError::Key(error) => key_reason(error),
        VerifyError::Signature => "signature",
        other => panic!("a reason without a name: {other}"),
    }
}

/// The scheme of the plain network, in which `sender` claims to be somebody.
pub(super) fn open(sender: NodeId) -> Open {
    Open::new(NetworkHash::plain(&NETWORK.parse().unwrap()), sender)
}

/// The scheme of the secure network, in which the key of `seed` signs.
pub(super) fn signed(seed: &[u8; 32]) -> Signed {
    Signed::new(secure(NETWORK), Arc::new(Identity::from_seed(seed)))
}

pub(super) fn draft(title: &str, message: &[u8], time: u64, lifetime: u32) -> Draft {
    Draft {
        title: title.parse().unwrap(),
        message: Bytes::copy_from_slice(message),
        time: Timestamp::from_micros(time).unwrap(),
        lifetime: Lifetime::secs(lifetime),
    }
}

fn valid(what: &'static str, scheme: &dyn Scheme, seed: Option<&[u8; 32]>, draft: &Draft) -> Valid {
    let made: Verified<Envelope> = scheme.publish(draft).unwrap();
    assert_eq!(scheme.verify(scheme.parse(made.as_bytes().clone()).unwrap()).unwrap(), made);
    let raw = Raw {
        version: made.version().as_byte(),
        sender: *made.sender().as_bytes(),
        time: draft.time.as_micros(),
        lifetime: draft.lifetime.as_secs(),
        title: draft.title.as_str().into(),
        message: draft.message.to_vec(),
    };
    assert_eq!(raw.with(made.signature().as_ref().map_or(&[], |signature| signature)), **made.as_bytes());
    Valid {
        what,
        network: NETWORK,
        version: raw.version,
        seed: seed.map(Shown::from),
        sender: Shown::from(&raw.sender),
        time: raw.time,
        lifetime: raw.lifetime,
        title: draft.title.as_str().to_owned(),
        message: Shown(raw.message),
        id: made.id().as_bytes().into(),
        signature: made.signature().map(|signature| Shown::from(&signature)),
        envelope: made.as_bytes().into(),
    }
}

#[test]
fn the_published_envelopes_are_made_and_judged_as_the_files_say() {
    let valid = all_valid();
    let invalid = forgeries().into_iter().map(|(what, envelope)| {
        let refused = Verifier::new(secure(NETWORK)).check(Bytes::from(envelope.clone())).expect_err(what);
        let reason = match refused {
            InvalidEnvelope::Grammar(error) => grammar_reason(&error),
            InvalidEnvelope::Verify(error) => verify_reason(error),
            other => panic!("{other}"),
        };
        Invalid { what, network: NETWORK, version: 1, envelope: Shown(envelope), reason }
    });
    let plain = plain_forgeries().into_iter().map(|(what, envelope)| {
        let error = open(id(&A)).parse(Bytes::from(envelope.clone())).expect_err(what);
        Invalid { what, network: NETWORK, version: 0, envelope: Shown(envelope), reason: grammar_reason(&error) }
    });
    let invalid = invalid.chain(plain).collect();
    published("envelopes.json", &File { invalid, rows: rows(&valid), valid });
}

fn all_valid() -> Vec<Valid> {
    let now = 1_700_000_000_000_000;
    let page = draft("chat", b"hello", now, 3600);
    let longest = "t".repeat(200);
    let (a, b) = (signed(&A), signed(&B));
    let of_a = |what, draft: &Draft| valid(what, &a, Some(&A), draft);
    let low_order = NodeId::from_bytes([0; 32]);
    vec![
        of_a("the protocol page's", &page),
        valid("the same by another sender", &b, Some(&B), &page),
        of_a("the smallest", &draft("", b"", 1, 0)),
        of_a("the largest", &draft(&longest, &[0; MAX_MESSAGE], (1 << 53) - 1, u32::MAX)),
        of_a("a byte moved from title to message", &draft("cha", b"thello", now, 3600)),
        of_a("a message of every byte", &draft("bytes", &std::array::from_fn::<u8, 256, _>(|at| at as u8), now, 1)),
        of_a("a title beyond ASCII", &draft("Zürich \u{a0}\u{202e}\u{feff}\u{10ffff} 😀", b"", now, 86_400)),
        of_a("a composed letter", &draft("\u{e9}", b"", now, 3600)),
        of_a("the same letter decomposed: another title", &draft("e\u{301}", b"", now, 3600)),
        of_a("a title of the protocol", &draft("sealnet/leave", b"", now, 600)),
        valid("the protocol page's in the plain network", &open(id(&A)), None, &page),
        valid("plain: the sender need be no key", &open(low_order), None, &draft("", b"\xFF", 1, 0)),
        valid("plain: the largest", &open(id(&B)), None, &draft(&longest, &[0xFF; MAX_MESSAGE], now, 1)),
    ]
}

/// Envelopes that are refused in the secure network, each with one thing wrong.
fn forgeries() -> Vec<(&'static str, Vec<u8>)> {
    let (a, raw) = (Forger::new(&A), Raw::example());
    let good = raw.sealed();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut forgeries = vec![
        ("nothing", Vec::new()),
        ("only the version", vec![1]),
        ("cut off before the title's length", good[..45].to_vec()),
        ("cut off in the title", good[..48].to_vec()),
        ("cut off in the message's length", good[..52].to_vec()),
        ("cut off in the message", good[..57].to_vec()),
        ("without its signature", good[..59].to_vec()),
        ("a byte missing at the end", good[..good.len() - 1].to_vec()),
        ("a byte too many", [&good[..], &[0]].concat()),
        ("a message's length one too high", edited(&good, 50, &[0, 0, 0, 6])),
        ("a message's length one too low", edited(&good, 50, &[0, 0, 0, 4])),
        ("the message announced is one byte over the limit", edited(&good, 50, &131_073_u32.to_be_bytes())),
        ("the message announced is the longest number", edited(&good, 50, &[0xFF; 4])),
        (
            "a message one byte too long, all of it there",
            Raw { message: vec![0; MAX_MESSAGE + 1], ..raw.clone() }.sealed(),
        ),
        ("version 0 and a signature", Raw { version: 0, ..raw.clone() }.sealed()),
        ("version 2", Raw { version: 2, ..raw.clone() }.sealed()),
        ("version 255", Raw { version: 255, ..raw.clone() }.sealed()),
        ("time 0", Raw { time: 0, ..raw.clone() }.sealed()),
        ("time 2^53", Raw { time: 1 << 53, ..raw.clone() }.sealed()),
        ("the latest number as time", Raw { time: u64::MAX, ..raw.clone() }.sealed()),
        ("a title of 201 bytes", Raw { title: vec![b't'; 201], ..raw.clone() }.sealed()),
        ("a title of 255 bytes", Raw { title: vec![b't'; 255], ..raw.clone() }.sealed()),
        (
            "a flipped bit in the sender, which then is another's key",
            Raw { sender: *id(&B).as_bytes(), ..raw.clone() }.sealed(),
        ),
        ("a flipped bit in the time", flipped(40)),
        ("a flipped bit in the lifetime", flipped(44)),
        ("a flipped bit in the title", flipped(46)),
        ("a flipped bit in the message", flipped(58)),
        ("a flipped bit in R", flipped(59)),
        ("a flipped bit in S", flipped(91)),
        ("a byte moved from title to message under the old signature", {
            let moved = Raw { title: b"cha".to_vec(), message: b"thello".to_vec(), ..raw.clone() };
            moved.with(&good[59..])
        }),
        (
            "of another network",
            raw.with(&a.sign(&[Domain::Envelope.as_bytes(), &raw.id(&secure("other-net"))].concat())),
        ),
        (
            "signed over the bytes instead of the id",
            raw.with(&a.sign(&[Domain::Envelope.as_bytes(), &raw.signed_part()].concat())),
        ),
        ("signed without the domain", raw.with(&a.sign(&raw.id(&secure(NETWORK))))),
        ("a signature of zeros", raw.with(&[0; 64])),
        ("S not reduced", raw.with(&a.sign_unreduced(&raw.statement()))),
        ("R is the neutral element", raw.with(&a.sign_with_neutral_r(&raw.statement()))),
        ("R has a torsion component", raw.with(&a.sign_with_torsion_in_r(&raw.statement()))),
        ("the sender's key has a torsion component and the signature fits it", torsioned()),
        ("the sender's key is of low order and any signature fits it", neutral_sender()),
        (
            "the sender's key is no point",
            Raw { sender: std::array::from_fn(|at| if at == 0 { 2 } else { 0 }), ..raw.clone() }.sealed(),
        ),
        ("the sender's key is misspelt", {
            let sender = std::array::from_fn(|at| match at {
                0 => 0xF0,
                31 => 0x7F,
                _ => 0xFF,
            });
            Raw { sender, ..raw.clone() }.sealed()
        }),
    ];
    let titles: [(&'static str, &[u8]); 9] = [
        ("a title that is not UTF-8", b"ch\xFFt"),
        ("a title cut off in a letter", b"cha\xC3"),
        ("a title with an overlong letter", b"ch\xC0\xAFt"),
        ("a title with a surrogate", b"\xED\xA0\x80"),
        ("a title with U+0000", b"ch\0t"),
        ("a title with U+001F", b"\x1F"),
        ("a title with U+007F", b"chat\x7F"),
        ("a title with U+0085", "\u{85}".as_bytes()),
        ("a title with U+009F", "chat\u{9f}".as_bytes()),
    ];
    forgeries.extend(titles.map(|(what, title)| (what, Raw { title: title.to_vec(), ..raw.clone() }.sealed())));
    let domains = [
        (Domain::Handshake, "signed as a proof of identity"),
        (Domain::Membership, "signed as a certificate"),
        (Domain::Revocation, "signed as a revocation list"),
        (Domain::Rotation, "signed as a rotation"),
    ];
    let statement = |domain: Domain| [domain.as_bytes(), &raw.id(&secure(NETWORK))].concat();
    forgeries.extend(domains.map(|(domain, what)| (what, raw.with(&a.sign(&statement(domain))))));
    forgeries
}

fn plain_forgeries() -> Vec<(&'static str, Vec<u8>)> {
    let plain = Raw { version: 0, ..Raw::example() };
    vec![
        ("plain: with a signature", plain.sealed()),
        ("plain: a byte missing at the end", plain.signed_part()[..58].to_vec()),
        ("plain: version 1", Raw::example().sealed()),
        ("plain: version 2", Raw { version: 2, ..plain.clone() }.signed_part()),
        ("plain: time 0", Raw { time: 0, ..plain.clone() }.signed_part()),
        ("plain: a title with U+000A", Raw { title: b"a\nb".to_vec(), ..plain }.signed_part()),
    ]
}

/// `bytes` with `new` at `at`.
fn edited(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

/// Only the rule about torsion refuses this one: the equation holds without the cofactor too.
fn torsioned() -> Vec<u8> {
    let forger = Forger::new(&A);
    let sender = *forger.id_with(order_8()).as_bytes();
    let mut raw = Raw { sender, ..Raw::example() };
    loop {
        if let Some(signature) = forger.sign_for_torsioned_key(&raw.statement()) {
            return raw.with(&signature);
        }
        raw.lifetime += 1;
    }
}

/// The neutral element as a key: R = S·B fits every message.
fn neutral_sender() -> Vec<u8> {
    let raw = Raw { sender: std::array::from_fn(|at| u8::from(at == 0)), ..Raw::example() };
    // S = 1, R = B.
    let base = curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED;
    raw.with(&[&base.as_bytes()[..], &std::array::from_fn::<u8, 32, _>(|at| u8::from(at == 0))].concat())
}

/// Envelopes one after another, as in PEERS; `envelopes` are numbers of the valid ones above.
fn rows(valid: &[Valid]) -> Vec<Row> {
    let joined = |of: &[usize]| of.iter().flat_map(|n| valid[*n].envelope.0.clone()).collect::<Vec<u8>>();
    let row = |what, version: Version, of: &[usize], tail: &[u8]| {
        let row = [&joined(of), tail].concat();
        let (mut rest, mut found) = (Bytes::from(row.clone()), 0);
        let reason = loop {
            if rest.is_empty() {
                break None;
            }
            match Envelope::split_first(&mut rest, version) {
                Ok(bytes) => assert_eq!(*bytes, valid[of[found]].envelope.0),
                Err(error) => break Some(grammar_reason(&error)),
            }
            found += 1;
        };
        assert_eq!(found, of.len());
        Row { what, version: version.as_byte(), row: Shown(row), envelopes: of.to_vec(), reason }
    };
    vec![
        row("none", Version::Signed, &[], &[]),
        row("three", Version::Signed, &[0, 2, 1], &[]),
        row("two plain ones", Version::Open, &[10, 11], &[]),
        row("one, and half of another", Version::Signed, &[0], &valid[1].envelope.0[..60]),
        row("one, and one of a later version: ignored with what follows", Version::Signed, &[0], &[2, 0, 0]),
        row("one, and one of the other kind of network", Version::Signed, &[0], &valid[10].envelope.0),
    ]
}
