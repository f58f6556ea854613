//! What members say: envelopes, what the protocol's own envelopes hold, and sealed content.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sealnet::envelope::{Draft, Envelope, Lifetime, Open, Scheme, Signed, Timestamp, Verified, Verifier, Version};
use sealnet::identity::{Identity, NetworkHash, NetworkName, NodeId};
use sealnet::overlay::{LinkName, MemberRecord, Presence};

pub(crate) fn name() -> NetworkName {
    "a".parse().expect("a name")
}

fn network() -> NetworkHash {
    NetworkHash::secure(&name())
}

fn author() -> &'static Signed {
    static AUTHOR: OnceLock<Signed> = OnceLock::new();
    AUTHOR.get_or_init(|| Signed::new(network(), Arc::new(Identity::from_seed(&[1; 32]))))
}

pub(crate) fn publish(title: &str, message: impl Into<Bytes>) -> Verified<Envelope> {
    let time = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
    let draft =
        Draft { title: title.parse().expect("a title"), message: message.into(), time, lifetime: Lifetime::hours(1) };
    author().publish(&draft).expect("short enough")
}

/// The one envelope that the author signed.
pub(crate) fn good() -> &'static [u8] {
    static GOOD: OnceLock<Verified<Envelope>> = OnceLock::new();
    GOOD.get_or_init(|| publish("chat", "hello")).as_bytes()
}

/// An envelope is nothing but its bytes, and believed only as it was signed.
pub(crate) fn envelope(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let open = Open::new(NetworkHash::plain(&name()), NodeId::from_bytes([7; 32]));
    for scheme in [author() as &dyn Scheme, &open] {
        if let Ok(read) = scheme.parse(bytes.clone()) {
            assert_eq!(read.as_bytes(), &bytes);
            assert!(read.title().len() <= 200 && !read.title().contains(char::is_control));
            let signature = read.signature().map_or(0, |signature| signature.len());
            assert_eq!(50 + read.title().len() + read.message().len() + signature, bytes.len());
            assert_eq!(read.compact(), read);
        }
    }
    let believed = Verifier::new(network()).check(bytes.clone()).is_ok();
    // The author signed nothing else that is a seed here; what the fuzzer finds with a key of its own is signed all the same.
    let claims_author = data.get(1..33) == Some(author().own_id().as_bytes());
    assert!(!believed || !claims_author || data == good(), "a forged envelope");
    // In a row every byte is given out once, in order, or left.
    for version in [Version::Signed, Version::Open] {
        let (mut rest, mut given) = (bytes.clone(), Vec::new());
        while !rest.is_empty() {
            let before = rest.len();
            let Ok(first) = Envelope::split_first(&mut rest, version) else { break };
            assert!(rest.len() < before);
            given.extend_from_slice(&first);
        }
        assert_eq!([&given[..], &rest].concat(), data);
    }
}

pub(crate) fn envelope_seeds() -> Vec<Vec<u8>> {
    let open = Open::new(NetworkHash::plain(&name()), NodeId::from_bytes([7; 32]));
    let time = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
    let draft =
        Draft { title: "t".parse().expect("a title"), message: "x".into(), time, lifetime: Lifetime::LIVE_ONLY };
    let plain = open.publish(&draft).expect("short enough").as_bytes().to_vec();
    vec![good().to_vec(), plain, [good(), good()].concat()]
}

/// The JSON form is another spelling of the same envelope, or none.
pub(crate) fn json(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(read) = Envelope::from_json(&text, Version::Signed, &network()) {
        let again = read.to_json(&name());
        let once_more = Envelope::from_json(&again, Version::Signed, &network()).expect("own words");
        assert_eq!(once_more.as_bytes(), read.as_bytes());
        assert_eq!(once_more.to_json(&name()), again);
    }
    if let Ok(read) = Verifier::new(network()).check_json(&text) {
        let is_signed = [good(), binary().as_bytes()].contains(&&read.as_bytes()[..]);
        assert!(is_signed || read.sender() != author().own_id(), "a forged envelope");
    }
}

/// The other envelope that the author signed: no text.
fn binary() -> &'static Verified<Envelope> {
    static BINARY: OnceLock<Verified<Envelope>> = OnceLock::new();
    BINARY.get_or_init(|| publish("a \"title\"", vec![0xFF, 0, 1]))
}

pub(crate) fn json_seeds() -> Vec<Vec<u8>> {
    let text = Envelope::parse(Bytes::from_static(good()), Version::Signed, &network()).expect("good");
    vec![text.to_json(&name()).into_bytes(), binary().to_json(&name()).into_bytes()]
}

/// What a member says of itself; what is taken is fit to be said again.
pub(crate) fn presence(data: &[u8]) {
    let Ok(presence) = Presence::decode(data) else { return };
    assert!(presence.addresses.len() <= 4 && presence.links.as_ref().is_none_or(|links| links.len() <= 40));
    let again = presence.encode();
    assert!(again.len() > 4_096 || Presence::decode(&again) == Ok(presence));
}

pub(crate) fn presence_seeds() -> Vec<Vec<u8>> {
    let link = |n: u8| LinkName::from(&NodeId::from_bytes([n; 32]));
    let full = Presence {
        addresses: vec!["192.0.2.1:7400".parse().expect("an address")],
        links: Some(vec![link(1), link(2)]),
        features: vec!["reconcile".to_owned()],
        apps: [("chat".to_owned(), "1".to_owned())].into(),
        epoch: 3,
        period: std::time::Duration::from_secs(200),
    };
    vec![Presence::default().encode(), full.encode()]
}

/// What others need of a member while it is away.
pub(crate) fn member(data: &[u8]) {
    let Ok(record) = MemberRecord::decode(data) else { return };
    let again = record.encode();
    assert!(again.len() > 4_096 || MemberRecord::decode(&again) == Ok(record));
}

pub(crate) fn member_seeds() -> Vec<Vec<u8>> {
    let certificate = super::papers::certificate_seeds().remove(0);
    let record = MemberRecord {
        certificate: Some(certificate.into()),
        seal_key: Some([9; 32]),
        name: "Ada".to_owned(),
        ..MemberRecord::default()
    };
    vec![MemberRecord::default().encode(), record.encode()]
}

#[cfg(feature = "sealed")]
pub(crate) use self::sealed_content::*;

#[cfg(feature = "sealed")]
mod sealed_content {
    use sealnet::sealed::{ContentKey, Grant, SealSecret, SealSecrets, is_sealed, open, open_with, seal};

    use super::*;

    const DATA: &[u8] = b"for two readers";

    fn secrets() -> &'static SealSecrets {
        static SECRETS: OnceLock<SealSecrets> = OnceLock::new();
        SECRETS.get_or_init(|| SealSecret::from_bytes(&[8; 32]).into())
    }

    /// A message sealed by its author to the key above and another one; made once, since sealing is never the same twice.
    fn sealed_message() -> &'static [u8] {
        static SEALED: OnceLock<Bytes> = OnceLock::new();
        SEALED.get_or_init(|| {
            let readers = [*secrets().key(), *SealSecret::from_bytes(&[6; 32]).key()];
            seal(&network(), &author().own_id(), &readers, DATA).expect("two readers").into_message()
        })
    }

    /// A member signed a message that claims to be sealed: nothing opens but what was sealed.
    ///
    /// Signing is slow beside the rest, so the author's own signature is good whatever stands in the message.
    pub(crate) fn sealed(data: &[u8]) {
        // Of the good message the input says what changes; alone it is a message, too.
        let mut altered = sealed_message().to_vec();
        let mut input = crate::entries::Input::new(data);
        for _ in 0..input.below(4) {
            let at = usize::from(input.number()) % altered.len();
            altered[at] = input.byte();
        }
        altered.extend_from_slice(input.bytes(8));
        for message in [altered, data.to_vec()] {
            if !is_sealed(&message) || message.len() > 1 << 14 {
                continue;
            }
            let envelope = publish("t", message.clone());
            match open(&network(), &envelope, secrets()) {
                Ok(opened) => {
                    assert_eq!(opened.data(), DATA, "somebody else's words");
                    let _ = Grant::read(&opened);
                }
                Err(_) => assert_ne!(message, sealed_message()),
            }
            let key = ContentKey::from_bytes(&[4; 32]);
            assert!(open_with(&network(), &envelope, &key).is_err());
        }
    }

    pub(crate) fn sealed_seeds() -> Vec<Vec<u8>> {
        vec![
            vec![0],
            vec![1, 0, 4, 1],
            vec![2, 0, 100, 9, 0, 200, 7, 1, 2],
            [&[0x00, 0x53, 0x4C, 0x01, 1][..], &[9; 200]].concat(),
        ]
    }
}
