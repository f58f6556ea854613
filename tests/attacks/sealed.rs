//! Sealed content: nobody but the readers reads it, nobody can pass it on as their own or show others something else, and
//! whatever is wrong with it, a reader can tell.
#![cfg(feature = "sealed")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sealnet::envelope::{Draft, Envelope, Lifetime, Scheme, Signed, Timestamp, Verified, Version};
use sealnet::identity::{NetworkHash, NodeId};
use sealnet::sealed::{
    ContentKey, Grant, OpenError, Opened, Rotation, SealError, SealKey, SealKeyError, SealSecret, SealSecrets, grant,
    open, open_with, seal,
};

use crate::stage::START;
use crate::support::identity;
use sealer::{STANZA, Sealer, hint, message, open_stanza, pad};

#[allow(dead_code, reason = "the vectors use the rest of it")]
#[path = "../it/vectors/sealer.rs"]
mod sealer;

const ALICE: u8 = 1;
const MALLORY: u8 = 66;

/// The five points of low order that X25519 keys can name, and the two other spellings of the first two.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn network() -> NetworkHash {
    NetworkHash::secure(&"a".parse().unwrap())
}

fn id(n: u8) -> NodeId {
    identity(n).id()
}

/// Reader `n`'s secret key.
fn secret(n: u8) -> SealSecret {
    SealSecret::from_bytes(&[n; 32])
}

fn key(n: u8) -> SealKey {
    *secret(n).key()
}

/// What `sender` says, signed.
fn says(sender: u8, message: impl Into<Bytes>) -> Verified<Envelope> {
    says_in(network(), sender, message)
}

fn says_in(network: NetworkHash, sender: u8, message: impl Into<Bytes>) -> Verified<Envelope> {
    let draft = Draft {
        title: "notes".parse().unwrap(),
        message: message.into(),
        time: Timestamp::from_micros(START).unwrap(),
        lifetime: Lifetime::DEFAULT,
    };
    Signed::new(network, Arc::new(identity(sender))).publish(&draft).unwrap()
}

fn sealed(sender: u8, readers: &[SealKey], data: &[u8]) -> Bytes {
    seal(&network(), &id(sender), readers, data).unwrap().into_message()
}

fn reads(n: u8, envelope: &Verified<Envelope>) -> Result<Opened, OpenError> {
    open(&network(), envelope, &SealSecrets::from(secret(n)))
}

/// Alice's content under a key of her choice.
fn alice(content_key: u8) -> Sealer {
    Sealer::new(&network(), &id(ALICE), [content_key; 32])
}

#[test]
fn one_two_and_sixty_four_readers_read_the_same_and_a_sixty_fifth_finds_no_room() {
    let readers: Vec<_> = (1..=65).map(key).collect();
    for count in [1, 2, 64] {
        let envelope = says(ALICE, sealed(ALICE, &readers[..count], b"for these alone"));
        for n in 1..=count {
            assert_eq!(reads(n.try_into().unwrap(), &envelope).unwrap().text(), Some("for these alone"));
        }
        assert_eq!(reads(65, &envelope), Err(OpenError::NotForYou { readers: count }));
    }
    let refused = seal(&network(), &id(ALICE), &readers, b"x");
    assert!(matches!(refused, Err(SealError::TooManyReaders { count: 65 })));
    assert!(matches!(seal(&network(), &id(ALICE), &[], b"x"), Err(SealError::NoReaders)));
}

#[test]
fn an_outsider_finds_neither_the_content_nor_who_may_read_it_in_the_bytes() {
    let message = sealed(ALICE, &[key(7)], b"the well-known words");
    let envelope = says(ALICE, message.clone());
    assert_eq!(reads(8, &envelope), Err(OpenError::NotForYou { readers: 1 }));
    let holds = |what: &[u8]| message.windows(what.len()).any(|window| window == what);
    assert!(!holds(b"well-known") && !holds(key(7).as_bytes()));
    // A content key that is not this message's opens nothing either.
    let other = seal(&network(), &id(ALICE), &[key(7)], b"other").unwrap();
    assert_eq!(open_with(&network(), &envelope, other.key()), Err(OpenError::Commitment));
}

#[test]
fn content_that_another_signs_as_its_own_opens_for_nobody() {
    let whole = sealed(ALICE, &[key(7)], b"Alice's words");
    assert_eq!(reads(7, &says(MALLORY, whole.clone())), Err(OpenError::Stanza));
    // Nor on another network, where the readers' keys may be the same.
    let elsewhere = NetworkHash::secure(&"b".parse().unwrap());
    let moved = says_in(elsewhere, ALICE, whole.clone());
    assert_eq!(open(&elsewhere, &moved, &secret(7).into()), Err(OpenError::Stanza));

    // A reader knows the content key. With stanzas of its own it still cannot show Alice's body as its own …
    let known = reads(7, &says(ALICE, whole.clone())).unwrap();
    let mut mallory = Sealer::new(&network(), &id(MALLORY), [0; 32]);
    mallory.content_key = open_stanza(&alice(0).info, &whole[5..5 + STANZA], &[7; 32]).unwrap().try_into().unwrap();
    let stanzas = [mallory.stanza(key(8).as_bytes(), 1)];
    let body = &whole[5 + STANZA + 32..];
    let readdressed = message(&stanzas, &mallory.commitment(&stanzas), body);
    assert_eq!(reads(8, &says(MALLORY, readdressed)), Err(OpenError::Body));
    // … nor show others a body of its own as Alice's, for it would have to sign as her.
    assert_eq!(known.text(), Some("Alice's words"));
}

#[test]
fn a_stanza_of_another_message_or_in_another_place_opens_nothing() {
    let (one, two) = (alice(1), alice(2));
    let for_7 = one.stanza(key(7).as_bytes(), 1);
    let (a, b) = (two.stanza(key(8).as_bytes(), 2), two.stanza(key(9).as_bytes(), 3));
    let two_readers = |stanzas: &[[u8; STANZA]]| {
        says(ALICE, message(stanzas, &two.commitment(&[a, b]), &two.body(&pad(b"for 8 and 9"))))
    };
    assert_eq!(reads(8, &two_readers(&[a, b])).unwrap().text(), Some("for 8 and 9"));
    // The reader of the first message, moved into the second, whose commitment is altered or not.
    assert_eq!(reads(7, &two_readers(&[for_7, b])), Err(OpenError::Commitment));
    let recommitted = message(&[for_7, b], &two.commitment(&[for_7, b]), &two.body(&pad(b"for 8 and 9")));
    assert_eq!(reads(7, &says(ALICE, recommitted)), Err(OpenError::Commitment));
    // Exchanged, left out, added: the others notice.
    assert_eq!(reads(8, &two_readers(&[b, a])), Err(OpenError::Commitment));
    assert_eq!(reads(8, &two_readers(&[a])), Err(OpenError::Commitment));
    assert_eq!(reads(8, &two_readers(&[a, b, for_7])), Err(OpenError::Commitment));
}

#[test]
fn a_sender_that_gives_readers_different_keys_is_noticed_by_one_of_them() {
    let (one, two) = (alice(1), alice(2));
    let stanzas = [one.stanza(key(7).as_bytes(), 1), two.stanza(key(8).as_bytes(), 2)];
    let text = |sealer: &Sealer, shown: &str| {
        says(ALICE, message(&stanzas, &sealer.commitment(&stanzas), &sealer.body(&pad(shown.as_bytes()))))
    };
    let envelope = text(&one, "buy");
    assert_eq!(reads(7, &envelope).unwrap().text(), Some("buy"));
    assert_eq!(reads(8, &envelope), Err(OpenError::Commitment), "it would have read something else");
    // Whichever key it commits to, and whichever seals the body.
    let mixed = says(ALICE, message(&stanzas, &one.commitment(&stanzas), &two.body(&pad(b"sell"))));
    assert_eq!((reads(7, &mixed), reads(8, &mixed)), (Err(OpenError::Body), Err(OpenError::Commitment)));
    // Two stanzas for one reader: the first that opens counts, for everybody alike.
    let twice = [two.stanza(key(7).as_bytes(), 3), one.stanza(key(7).as_bytes(), 4)];
    let envelope = says(ALICE, message(&twice, &one.commitment(&twice), &one.body(&pad(b"buy"))));
    assert_eq!(reads(7, &envelope), Err(OpenError::Commitment));
}

#[test]
fn every_flipped_byte_is_noticed() {
    let good = sealed(ALICE, &[key(7), key(8)], b"hello");
    assert_eq!(reads(7, &says(ALICE, good.clone())).unwrap().text(), Some("hello"));
    for at in 0..good.len() {
        let mut bad = good.to_vec();
        bad[at] ^= 1 << (at % 8);
        // Its own sender signs it so: nothing but the sealing can tell.
        let found = reads(7, &says(ALICE, bad));
        let expected = match at {
            0..4 => OpenError::NotSealed,
            4 => OpenError::Size,
            // The own hint, and the own enc, which the hint is made of.
            5..45 => OpenError::NotForYou { readers: 2 },
            45..93 => OpenError::Stanza,
            93..213 => OpenError::Commitment,
            _ => OpenError::Body,
        };
        assert_eq!(found, Err(expected), "byte {at}");
    }
}

#[test]
fn keys_of_low_order_are_sealed_to_by_nobody_and_open_nothing() {
    for point in LOW_ORDER {
        let error = point.parse::<SealKey>().unwrap_err();
        assert!(matches!(error, SealKeyError::LowOrder | SealKeyError::NotCanonical), "{point}");
        // As the sender's ephemeral key: with it anybody could know the secret it is to agree on.
        let enc: [u8; 32] = data_encoding::HEXLOWER.decode(point.as_bytes()).unwrap().try_into().unwrap();
        for mask in [0, 0x80] {
            let mut enc = enc;
            enc[31] |= mask;
            let sealer = alice(1);
            let mut stanza = sealer.stanza(key(7).as_bytes(), 1);
            stanza[..8].copy_from_slice(&hint(&enc, key(7).as_bytes()));
            stanza[8..40].copy_from_slice(&enc);
            let envelope = says(ALICE, sealer.message(&[stanza], b"x"));
            assert_eq!(reads(7, &envelope), Err(OpenError::Stanza), "{point}");
        }
    }
}

#[test]
fn a_padding_that_could_carry_something_or_tell_readers_apart_is_refused() {
    let sealer = alice(1);
    let stanzas = [sealer.stanza(key(7).as_bytes(), 1)];
    let padded =
        |padded: &[u8]| reads(7, &says(ALICE, message(&stanzas, &sealer.commitment(&stanzas), &sealer.body(padded))));
    assert_eq!(padded(&pad(b"hello")).unwrap().text(), Some("hello"));
    let mut carrying = pad(b"hello");
    *carrying.last_mut().unwrap() = 1;
    assert_eq!(padded(&carrying), Err(OpenError::Padding));
    let mut lying = pad(b"hello");
    lying[..4].copy_from_slice(&253_u32.to_be_bytes());
    assert_eq!(padded(&lying), Err(OpenError::Padding), "longer than what is there");
    let mut larger = pad(b"hello");
    larger.resize(512, 0);
    assert_eq!(padded(&larger), Err(OpenError::Padding), "a class too large");
    for size in [0, 3, 4, 255, 257, 300, 65_536 + 256] {
        assert_eq!(padded(&vec![0; size]), Err(OpenError::Size), "{size} bytes are no class");
    }
}

#[test]
fn an_old_key_opens_what_was_sealed_to_it_until_it_is_deleted() {
    let (start, day) = (Timestamp::from_micros(START).unwrap(), Duration::from_secs(24 * 3600));
    let rotation = Rotation::default();
    let mut secrets = SealSecrets::generate(start, &rotation).unwrap();
    let envelope = says(ALICE, sealed(ALICE, &[*secrets.key()], b"while you were away"));
    assert!(secrets.keep_up(start.plus(day * 8), &rotation).unwrap());
    assert_eq!(open(&network(), &envelope, &secrets).unwrap().text(), Some("while you were away"));
    let newer = says(ALICE, sealed(ALICE, &[*secrets.key()], b"to the new key"));
    assert!(secrets.keep_up(start.plus(day * 22), &rotation).unwrap());
    assert_eq!(open(&network(), &envelope, &secrets), Err(OpenError::NotForYou { readers: 1 }));
    assert_eq!(open(&network(), &newer, &secrets).unwrap().text(), Some("to the new key"));
}

#[test]
fn the_hpke_crate_alone_opens_our_stanza_and_we_open_its() {
    let sealed = seal(&network(), &id(ALICE), &[key(6), key(7)], b"hello").unwrap();
    let info = alice(0).info;
    let opened = open_stanza(&info, &sealed.message()[5 + STANZA..5 + 2 * STANZA], &[7; 32]).unwrap();
    assert_eq!(&ContentKey::from_bytes(&opened.try_into().unwrap()), sealed.key());
    assert_eq!(open_stanza(&info, &sealed.message()[5..5 + STANZA], &[7; 32]), None);

    let theirs = alice(9);
    let message = theirs.message(&[theirs.stanza(key(7).as_bytes(), 1)], b"by hand");
    let opened = reads(7, &says(ALICE, message)).unwrap();
    assert_eq!((opened.text(), opened.key()), (Some("by hand"), &ContentKey::from_bytes(&[9; 32])));
}

#[test]
fn nothing_is_opened_that_its_sender_did_not_sign() {
    let message = sealed(ALICE, &[key(7)], b"x");
    let mut forged = says(ALICE, message).as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    // It parses, but nothing makes a `Verified` of it, and `open` takes nothing else.
    let envelope = Envelope::parse(forged.into(), Version::Signed, &network()).unwrap();
    let scheme = Signed::new(network(), Arc::new(identity(7)));
    assert!(scheme.verify(envelope).is_err());
}

#[test]
fn a_grant_opens_the_message_it_names_for_its_reader_and_no_other() {
    let (wanted, other) =
        (says(ALICE, sealed(ALICE, &[key(7)], b"one")), says(ALICE, sealed(ALICE, &[key(7)], b"two")));
    // Reader 7 lets 8 read, who never was a reader.
    let opened = reads(7, &wanted).unwrap();
    let granted = grant(&network(), &id(7), &[key(8)], &wanted.id(), opened.key()).unwrap();
    let granting = says(7, granted.into_message());
    let received = Grant::read(&reads(8, &granting).unwrap()).unwrap();
    assert_eq!(received.id(), wanted.id());
    assert_eq!(received.open(&network(), &wanted).unwrap().text(), Some("one"));
    assert_eq!(received.open(&network(), &other), Err(OpenError::OtherMessage));
    assert_eq!(open_with(&network(), &other, received.key()), Err(OpenError::Commitment));
    assert!(matches!(reads(9, &granting), Err(OpenError::NotForYou { .. })));
    // Who passes the grant on as its own is noticed, as with any sealed content.
    assert_eq!(reads(8, &says(MALLORY, granting.message())), Err(OpenError::Stanza));
}

#[test]
fn what_is_not_exactly_a_grant_is_none() {
    let hex = "0123456789abcdef".repeat(4);
    let read = |text: &str| Grant::read(&reads(7, &says(ALICE, sealed(ALICE, &[key(7)], text.as_bytes()))).unwrap());
    assert!(read(&format!(r#"{{"grant":"{hex}","key":"{hex}"}}"#)).is_ok());
    for text in [
        String::new(),
        "hello".to_owned(),
        format!(r#"{{"grant":"{hex}"}}"#),
        format!(r#"{{"grant":"{hex}","key":"{hex}","more":1}}"#),
        format!(r#"{{"grant":"{hex}","key":"{hex}","key":"{hex}"}}"#),
        format!(r#"{{"grant":"{}","key":"{hex}"}}"#, hex.to_uppercase()),
        format!(r#"{{"grant":"{hex}","key":"{}"}}"#, &hex[1..]),
        format!(r#"{{"grant":"{hex}","key":7}}"#),
        format!(r#"[{{"grant":"{hex}","key":"{hex}"}}]"#),
    ] {
        assert!(read(&text).is_err(), "{text}");
    }
}
