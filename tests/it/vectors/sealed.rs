//! `sealed.json`: content for chosen readers (protocol, section 11).
#![cfg(feature = "sealed")]

use std::sync::Arc;

use sealnet::envelope::{Draft, Envelope, Lifetime, Scheme, Signed, Timestamp, Verified};
use sealnet::identity::Identity;
use sealnet::sealed::{ContentKey, OpenError, SealKey, SealKeyError, SealSecret, open, open_with};
use serde::Serialize;

use super::sealer::{MAGIC, STANZA, Sealer, ephemeral, hint, message, pad};
use super::shown::Shown;
use super::{A, B, NETWORK, id, published, secure};

#[derive(Serialize)]
struct File {
    network: &'static str,
    sender: Shown,
    keys: Vec<Key>,
    invalid_keys: Vec<InvalidKey>,
    valid: Vec<Valid>,
    invalid: Vec<Invalid>,
}

#[derive(Serialize)]
struct Key {
    secret: Shown,
    key: Shown,
}

#[derive(Serialize)]
struct InvalidKey {
    key: Shown,
    reason: &'static str,
}

#[derive(Serialize)]
struct Valid {
    what: &'static str,
    content_key: Shown,
    readers: Vec<Reader>,
    data: Shown,
    message: Shown,
}

#[derive(Serialize)]
struct Reader {
    secret: Shown,
    ephemeral_secret: Shown,
}

#[derive(Serialize)]
struct Invalid {
    what: &'static str,
    secret: Shown,
    message: Shown,
    reason: &'static str,
}

/// The secret key of the reader in most cases.
const READER: u8 = 0x31;
const CONTENT_KEY: u8 = 0x41;

fn secret(n: u8) -> SealSecret {
    SealSecret::from_bytes(&[n; 32])
}

fn key(n: u8) -> [u8; 32] {
    *secret(n).key().as_bytes()
}

fn sealer(content_key: u8) -> Sealer {
    Sealer::new(&secure(NETWORK), &id(&A), [content_key; 32])
}

/// The envelope that carries it: whatever A says is signed by A.
fn said(message: &[u8]) -> Verified<Envelope> {
    let draft = Draft {
        title: "notes".parse().unwrap(),
        message: message.to_vec().into(),
        time: Timestamp::from_micros(1_700_000_000_000_000).unwrap(),
        lifetime: Lifetime::DEFAULT,
    };
    Signed::new(secure(NETWORK), Arc::new(Identity::from_seed(&A))).publish(&draft).unwrap()
}

fn valid(what: &'static str, content_key: u8, readers: &[u8], data: &[u8]) -> Valid {
    let sealer = sealer(content_key);
    // Each reader's ephemeral key is made of another byte.
    let stanzas: Vec<_> = readers.iter().map(|n| sealer.stanza(&key(*n), n.wrapping_add(100))).collect();
    let message = sealer.message(&stanzas, data);
    let envelope = said(&message);
    for n in readers {
        assert_eq!(open(&secure(NETWORK), &envelope, &secret(*n).into()).unwrap().data(), data, "{what}");
    }
    let granted = open_with(&secure(NETWORK), &envelope, &ContentKey::from_bytes(&[content_key; 32]));
    assert_eq!(granted.unwrap().data(), data, "{what}");
    let reader = |n: &u8| Reader {
        secret: Shown(vec![*n; 32]),
        ephemeral_secret: Shown(ephemeral(n.wrapping_add(100)).to_vec()),
    };
    Valid {
        what,
        content_key: Shown(vec![content_key; 32]),
        readers: readers.iter().map(reader).collect(),
        data: data.into(),
        message: Shown(message),
    }
}

fn reason(message: &[u8]) -> &'static str {
    match open(&secure(NETWORK), &said(message), &secret(READER).into()).unwrap_err() {
        OpenError::NotSealed => "not-sealed",
        OpenError::Readers => "readers",
        OpenError::Size => "size",
        OpenError::NotForYou { .. } => "not-for-you",
        OpenError::Stanza => "stanza",
        OpenError::Commitment => "commitment",
        OpenError::Body => "body",
        OpenError::Padding => "padding",
        other => panic!("a reason without a name: {other}"),
    }
}

#[test]
fn the_published_sealed_contents_are_made_and_judged_as_the_file_says() {
    let most: Vec<u8> = (1..=64).collect();
    let valid = vec![
        valid("one reader", CONTENT_KEY, &[READER], b"hello"),
        valid("three readers, nothing in it", 0x42, &[READER, 0x32, 0x33], b""),
        valid("sixty-four readers", 0x43, &most, "für viele".as_bytes()),
        valid("the most of the smallest class", 0x44, &[READER], &[0x61; 252]),
        valid("a byte more than the smallest class", 0x45, &[READER], &[0x61; 253]),
        valid("a multiple of 8 KiB", 0x46, &[READER], &[0x61; 65_533]),
        valid("the largest", 0x47, &[READER], &[0; 122_876]),
    ];
    let invalid = forgeries().into_iter().map(|(what, message)| {
        let reason = reason(&message);
        Invalid { what, secret: Shown(vec![READER; 32]), message: Shown(message), reason }
    });
    let file = File {
        network: NETWORK,
        sender: id(&A).as_bytes().into(),
        keys: [1, READER, 0xFF].map(|n| Key { secret: Shown(vec![n; 32]), key: (&key(n)).into() }).into(),
        invalid_keys: invalid_keys(),
        valid,
        invalid: invalid.collect(),
    };
    published("sealed.json", &file);
}

fn invalid_keys() -> Vec<InvalidKey> {
    let number = |low: u8, high: u8| {
        let mut bytes = [0xFF; 32];
        (bytes[0], bytes[31]) = (low, high);
        bytes
    };
    let low_order = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let low_order = low_order.map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap());
    let mut one = [0; 32];
    one[0] = 1;
    let mut masked = key(READER);
    masked[31] |= 0x80;
    let keys =
        [[0; 32], one, low_order[0], low_order[1], number(0xEC, 0x7F), number(0xED, 0x7F), number(0xFF, 0x7F), masked];
    let judged = keys.map(|bytes| {
        let reason = match SealKey::from_bytes(bytes).unwrap_err() {
            SealKeyError::NotCanonical => "not-canonical",
            SealKeyError::LowOrder => "low-order",
            other => panic!("a reason without a name: {other}"),
        };
        InvalidKey { key: (&bytes).into(), reason }
    });
    judged.into()
}

fn forgeries() -> Vec<(&'static str, Vec<u8>)> {
    let (one, other) = (sealer(CONTENT_KEY), sealer(0x48));
    let mine = one.stanza(&key(READER), 0x51);
    let theirs = one.stanza(&key(0x32), 0x52);
    let both = [mine, theirs];
    let good = one.message(&both, b"hello");
    let with_body = |padded: &[u8]| message(&both, &one.commitment(&both), &one.body(padded));
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let counted = |n: u8| [&good[..4], &[n], &good[5..]].concat();
    let altered = |pad: &dyn Fn(&mut Vec<u8>)| {
        let mut padded = self::pad(b"hello");
        pad(&mut padded);
        with_body(&padded)
    };
    let mut low_order = mine;
    low_order[..8].copy_from_slice(&hint(&[0; 32], &key(READER)));
    low_order[8..40].fill(0);
    let by_b = Sealer::new(&secure(NETWORK), &id(&B), [CONTENT_KEY; 32]);
    let elsewhere = Sealer::new(&secure("other-net"), &id(&A), [CONTENT_KEY; 32]);
    let foreign = other.stanza(&key(READER), 0x53);
    vec![
        ("nothing", Vec::new()),
        ("not sealed", b"hello".to_vec()),
        ("of another version", [&[0, 0x53, 0x4C, 2], &good[4..]].concat()),
        ("no readers", counted(0)),
        ("sixty-five readers", counted(65)),
        ("fewer stanzas than it says", counted(3)),
        ("the four bytes alone", MAGIC.to_vec()),
        ("cut off in the stanzas", good[..5 + STANZA].to_vec()),
        ("cut off before the body", good[..5 + 2 * STANZA + 32].to_vec()),
        ("a byte missing at the end", good[..good.len() - 1].to_vec()),
        ("a byte too many", [&good[..], &[0]].concat()),
        ("for others", other.message(&[other.stanza(&key(0x32), 0x54)], b"hello")),
        ("a flipped bit in the hint", flipped(5)),
        ("a flipped bit in enc", flipped(5 + 8)),
        ("a flipped bit in ct", flipped(5 + 40)),
        ("a flipped bit in another reader's stanza", flipped(5 + STANZA + 50)),
        ("a flipped bit in the commitment", flipped(5 + 2 * STANZA)),
        ("a flipped bit in the body", flipped(5 + 2 * STANZA + 32)),
        ("a flipped bit in the tag", flipped(good.len() - 1)),
        ("enc is a point of low order", one.message(&[low_order, theirs], b"hello")),
        ("sealed for another sender", by_b.message(&[by_b.stanza(&key(READER), 0x55)], b"hello")),
        ("sealed for another network", elsewhere.message(&[elsewhere.stanza(&key(READER), 0x56)], b"hello")),
        ("only the body is another sender's", message(&both, &one.commitment(&both), &by_b.body(&pad(b"hello")))),
        ("the stanzas exchanged", message(&[theirs, mine], &one.commitment(&both), &one.body(&pad(b"hello")))),
        ("a stanza of another message", one.message(&[foreign, theirs], b"hello")),
        ("another content key for another reader", {
            let stanzas = [foreign, theirs];
            message(&stanzas, &one.commitment(&stanzas), &one.body(&pad(b"hello")))
        }),
        ("committed to one key, sealed under another", message(&both, &one.commitment(&both), &other.body(&pad(b"x")))),
        ("a last byte that is not zero", altered(&|padded| *padded.last_mut().unwrap() = 1)),
        ("a length beyond the end", altered(&|padded| padded[..4].copy_from_slice(&253_u32.to_be_bytes()))),
        ("the largest length there is", altered(&|padded| padded[..4].fill(0xFF))),
        ("a class too large", altered(&|padded| padded.resize(512, 0))),
        ("no class: 300 bytes", altered(&|padded| padded.resize(300, 0))),
        ("no class: 65,792 bytes", altered(&|padded| padded.resize(65_792, 0))),
        ("an empty body", with_body(b"")),
    ]
}
