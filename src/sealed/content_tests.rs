use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::envelope::{Draft, Lifetime, MAX_MESSAGE, Open, Scheme, Signed, Timestamp};
use crate::identity::Identity;
use crate::sealed::SealSecret;

fn network() -> NetworkHash {
    NetworkHash::secure(&"a".parse().unwrap())
}

fn scheme(n: u8) -> Signed {
    Signed::new(network(), Arc::new(Identity::from_seed(&[n; 32])))
}

fn secret(n: u8) -> SealSecret {
    SealSecret::from_bytes(&[n; 32])
}

fn key(n: u8) -> SealKey {
    *secret(n).key()
}

fn publish(scheme: &impl Scheme, message: &[u8]) -> Verified<Envelope> {
    let draft = Draft {
        title: "t".parse().unwrap(),
        message: Bytes::copy_from_slice(message),
        time: Timestamp::from_micros(1_700_000_000_000_000).unwrap(),
        lifetime: Lifetime::DEFAULT,
    };
    scheme.publish(&draft).unwrap()
}

fn sealed_by(n: u8, readers: &[SealKey], data: &[u8]) -> Sealed {
    seal(&network(), &scheme(n).own_id(), readers, data).unwrap()
}

fn open_as(n: u8, envelope: &Verified<Envelope>) -> Result<Opened, OpenError> {
    open(&network(), envelope, &secret(n).into())
}

#[test]
fn the_largest_content_fits_with_the_most_readers_and_one_byte_more_does_not() {
    let readers: Vec<_> = (1..=64).map(key).collect();
    let data = vec![7; MAX_DATA];
    let sealed = sealed_by(1, &readers, &data);
    assert!(sealed.message().len() <= MAX_MESSAGE);
    let envelope = publish(&scheme(1), sealed.message());
    assert_eq!(open_as(64, &envelope).unwrap().data(), &data);
    let refused = seal(&network(), &scheme(1).own_id(), &readers, &[0; MAX_DATA + 1]);
    assert!(matches!(refused, Err(SealError::TooLarge { size }) if size == MAX_DATA + 1));
    // The next class would not fit into an envelope even for a single reader.
    let next = padding::padded_len(MAX_DATA + 1);
    assert!(MAGIC.len() + 1 + STANZA + COMMITMENT + next + TAG > MAX_MESSAGE);
}

#[test]
fn the_size_shows_the_class_and_no_more() {
    let size = |data: usize| sealed_by(1, &[key(1)], &vec![0; data]).message().len();
    assert_eq!(size(0), 4 + 1 + 88 + 32 + 256 + 16);
    assert_eq!((size(0), size(253)), (size(252), size(508)));
}

#[test]
fn content_keys_and_stanzas_are_never_the_same_twice() {
    let (one, two) = (sealed_by(1, &[key(1)], b"x"), sealed_by(1, &[key(1)], b"x"));
    assert_ne!(one.key(), two.key());
    assert_ne!(one.message()[5..93], two.message()[5..93]);
}

#[test]
fn what_is_no_sealed_content_says_so_and_nothing_panics() {
    for message in [&b""[..], b"hello", b"\0SL", b"\0SL\x02\x01"] {
        assert_eq!(open_as(1, &publish(&scheme(1), message)), Err(OpenError::NotSealed));
    }
    let good = sealed_by(1, &[key(1), key(2)], b"hello");
    for len in 4..good.message().len() {
        let cut = open_as(1, &publish(&scheme(1), &good.message()[..len]));
        assert_eq!(cut, Err(OpenError::Size), "{len}");
    }
    let longer = [good.message(), &b"\0"[..]].concat();
    assert_eq!(open_as(1, &publish(&scheme(1), &longer)), Err(OpenError::Size));
    for n in [0, 65, 255] {
        let mut other = good.message().to_vec();
        other[4] = n;
        assert_eq!(open_as(1, &publish(&scheme(1), &other)), Err(OpenError::Readers), "{n}");
    }
}

#[test]
fn on_a_plain_network_nothing_is_opened_since_nobody_signs() {
    let plain = NetworkHash::plain(&"a".parse().unwrap());
    let open_scheme = Open::new(plain, scheme(1).own_id());
    let sealed = seal(&plain, &open_scheme.own_id(), &[key(1)], b"x").unwrap();
    let envelope = publish(&open_scheme, sealed.message());
    assert_eq!(open(&plain, &envelope, &secret(1).into()), Err(OpenError::NotSigned));
    assert_eq!(open_with(&plain, &envelope, sealed.key()), Err(OpenError::NotSigned));
}

#[test]
fn a_reader_named_twice_counts_once_and_nobody_is_too_few() {
    let sealed = sealed_by(1, &[key(1), key(2), key(1)], b"x");
    assert_eq!(sealed.message()[4], 2);
    assert!(matches!(seal(&network(), &scheme(1).own_id(), &[], b"x"), Err(SealError::NoReaders)));
}

#[test]
fn neither_content_nor_keys_are_printed() {
    let sealed = sealed_by(1, &[key(1)], &[0xAB; 100]);
    let opened = open_as(1, &publish(&scheme(1), sealed.message())).unwrap();
    let shown = format!("{sealed:?} {opened:?} {:?}", ContentKey::from_bytes(&[0xAB; 32]));
    assert!(!shown.to_lowercase().contains("abab") && !shown.contains("171"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_sealed_is_opened_by_each_reader_and_by_no_other(
        data in proptest::collection::vec(any::<u8>(), 0..3000),
        readers in proptest::collection::btree_set(1_u8..100, 1..6),
    ) {
        let keys: Vec<_> = readers.iter().map(|n| key(*n)).collect();
        let sealed = sealed_by(1, &keys, &data);
        let envelope = publish(&scheme(1), sealed.message());
        for n in &readers {
            let opened = open_as(*n, &envelope).unwrap();
            prop_assert_eq!(opened.data(), &data);
        }
        prop_assert_eq!(open_as(200, &envelope), Err(OpenError::NotForYou { readers: keys.len() }));
        let granted = open_with(&network(), &envelope, sealed.key()).unwrap();
        prop_assert_eq!(granted.data(), &data);
    }

    #[test]
    fn hostile_messages_never_panic_and_never_open(n in any::<u8>(), rest in proptest::collection::vec(any::<u8>(), 0..1000)) {
        let message = [&MAGIC[..], &[n % 12], &rest].concat();
        let envelope = publish(&scheme(1), &message);
        prop_assert!(open_as(1, &envelope).is_err());
        prop_assert!(open_with(&network(), &envelope, &ContentKey::from_bytes(&[1; 32])).is_err());
    }
}
