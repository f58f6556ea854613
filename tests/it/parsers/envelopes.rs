//! Envelopes: as bytes, in rows, and in the JSON form.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use sealnet::envelope::{Draft, Envelope, Lifetime, Open, Scheme, Signed, Timestamp, Verifier, Version};
use sealnet::identity::{Identity, NetworkHash, NetworkName, NodeId};

use super::{Damage, damage};

fn name() -> NetworkName {
    "example-net".parse().unwrap()
}

fn signed() -> Signed {
    Signed::new(NetworkHash::secure(&name()), Arc::new(Identity::from_seed(&[1; 32])))
}

fn open() -> Open {
    Open::new(NetworkHash::plain(&name()), NodeId::from_bytes([7; 32]))
}

fn draft() -> impl Strategy<Value = Draft> {
    let message = prop_oneof![vec(any::<u8>(), 0..300), ".{0,60}".prop_map(String::into_bytes)];
    ("[^\\p{Cc}]{0,50}", message, 1..1_u64 << 53, any::<u32>()).prop_map(|(title, message, time, lifetime)| Draft {
        title: title.parse().unwrap(),
        message: message.into(),
        time: Timestamp::from_micros(time).unwrap(),
        lifetime: Lifetime::secs(lifetime),
    })
}

/// Asserts that an envelope is nothing but its bytes: whatever it is asked, it answers without a panic.
fn assert_sound(envelope: &Envelope, bytes: &[u8]) {
    assert_eq!(envelope.as_bytes(), bytes);
    assert!(envelope.title().len() <= 200 && !envelope.title().contains(char::is_control));
    assert!(envelope.time().as_micros() >= 1);
    let signature = envelope.signature().map_or(0, |signature| signature.len());
    assert_eq!(50 + envelope.title().len() + envelope.message().len() + signature, bytes.len());
    assert_eq!(&envelope.compact(), envelope);
    let _ = (envelope.sender(), envelope.lifetime(), envelope.id(), format!("{envelope:?}"));
}

proptest! {
    #[test]
    fn what_is_published_is_read_back_with_all_its_fields(draft in draft()) {
        for scheme in [&signed() as &dyn Scheme, &open()] {
            let made = scheme.publish(&draft).unwrap();
            let read = scheme.parse(made.as_bytes().clone()).unwrap();
            assert_sound(&read, made.as_bytes());
            prop_assert_eq!((read.title(), &read.message()), (draft.title.as_str(), &draft.message));
            prop_assert_eq!((read.time(), read.lifetime()), (draft.time, draft.lifetime));
            prop_assert_eq!((read.sender(), read.id()), (scheme.own_id(), made.id()));
            prop_assert_eq!(scheme.verify(read).unwrap(), made);
        }
    }

    #[test]
    fn damaged_envelopes_never_panic_and_are_never_believed(draft in draft(), damage in damage()) {
        let made = signed().publish(&draft).unwrap();
        let bytes = damage.to(made.as_bytes());
        for scheme in [&signed() as &dyn Scheme, &open()] {
            if let Ok(read) = scheme.parse(bytes.clone().into()) {
                assert_sound(&read, &bytes);
            }
        }
        let verifier = Verifier::new(NetworkHash::secure(&name()));
        prop_assert_eq!(verifier.check(bytes.clone().into()).is_ok(), bytes == **made.as_bytes());
    }

    #[test]
    fn hostile_bytes_are_envelopes_only_by_their_own_lengths(
        mut bytes in vec(any::<u8>(), 0..400),
        (title, message) in any::<(u8, u8)>(),
    ) {
        // Half of them get past version and lengths, which random bytes would hardly ever do.
        if let (true, Some(head)) = (message.is_multiple_of(2), bytes.get_mut(..50)) {
            head[0] = 1;
            head[33..35].fill(0);
            head[45] = title % 8;
            let end = 46 + usize::from(title % 8);
            bytes.resize(bytes.len().max(end + 4), b'x');
            bytes[46..end].fill(b't');
            bytes[end..end + 4].copy_from_slice(&u32::from(message).to_be_bytes());
            bytes.resize(end + 4 + usize::from(message) + 64, 0);
        }
        for scheme in [&signed() as &dyn Scheme, &open()] {
            if let Ok(read) = scheme.parse(bytes.clone().into()) {
                assert_sound(&read, &bytes);
            }
        }
    }

    #[test]
    fn a_row_comes_apart_into_what_it_was_made_of(drafts in vec(draft(), 0..6), damage in damage()) {
        let scheme = signed();
        let made: Vec<Bytes> = drafts.iter().map(|draft| scheme.publish(draft).unwrap().as_bytes().clone()).collect();
        let mut row: Bytes = made.concat().into();
        for envelope in &made {
            prop_assert_eq!(&Envelope::split_first(&mut row, Version::Signed).unwrap(), envelope);
        }
        prop_assert!(row.is_empty());
        // Of a damaged row every byte is given out once, in order, or left.
        let hostile = Bytes::from(damage.to(&made.concat()));
        let (mut rest, mut given) = (hostile.clone(), Vec::new());
        while !rest.is_empty() {
            let before = rest.len();
            match Envelope::split_first(&mut rest, Version::Signed) {
                Ok(bytes) => given.extend_from_slice(&bytes),
                Err(_) => {
                    prop_assert_eq!(rest.len(), before);
                    break;
                }
            }
            prop_assert!(rest.len() < before);
        }
        prop_assert_eq!([&given[..], &rest].concat(), hostile);
    }

    #[test]
    fn a_damaged_json_form_never_panics_and_says_nothing_else(draft in draft(), damage in damage()) {
        let made = signed().publish(&draft).unwrap();
        let text = damage.to(made.to_json(&name()).as_bytes());
        let verifier = Verifier::new(NetworkHash::secure(&name()));
        if let Ok(read) = verifier.check_json(&String::from_utf8_lossy(&text)) {
            // Another spelling of the same JSON; by the id it cannot be another envelope.
            prop_assert_eq!(read, made);
        }
    }

    #[test]
    fn the_json_form_of_a_plain_envelope_is_read_back(draft in draft()) {
        let scheme = open();
        let made = scheme.publish(&draft).unwrap();
        let read = Envelope::from_json(&made.to_json(&name()), Version::Open, scheme.network()).unwrap();
        prop_assert_eq!(read.as_bytes(), made.as_bytes());
    }
}

#[test]
fn damage_is_really_done() {
    let damage = Damage { set: vec![], cut: None, tail: vec![1] };
    assert_eq!(damage.to(b"ab"), b"ab\x01");
}
