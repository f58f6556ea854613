//! What opens a link and what is said on it: preamble, proof of identity, records, presence.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use sealnet::identity::{Identity, NodeId};
use sealnet::link::proof::IdentityProof;
use sealnet::link::record::RecordOpener;
use sealnet::noise::{Keypair, PublicKey, Role};
use sealnet::overlay::{LinkName, Presence};
use sealnet::wire::{Mode, Preamble, PreambleError};

use super::damage;

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Initiator), Just(Role::Responder)]
}

/// Any address that may be announced.
fn address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<std::net::Ipv4Addr>().prop_map(IpAddr::from),
        any::<std::net::Ipv6Addr>().prop_map(IpAddr::from)
    ];
    (ip, 1..=u16::MAX).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn presence() -> impl Strategy<Value = Presence> {
    let links = prop::option::of(vec(any::<[u8; 32]>(), 0..=40));
    let apps = btree_map("[^\\p{Cc}]{0,20}", "[a-z\"\\\\é]{1,20}", 0..=8);
    let number = || 0..1_u64 << 53;
    (vec(address(), 0..=4), links, vec("[a-z0-9.-]{1,20}", 0..=20), apps, number(), number()).prop_map(
        |(addresses, links, features, apps, epoch, period)| Presence {
            addresses,
            links: links.map(|ids| ids.into_iter().map(|id| LinkName::from(&NodeId::from_bytes(id))).collect()),
            features,
            apps: apps.into_iter().collect::<BTreeMap<_, _>>(),
            epoch,
            period: Duration::from_secs(period),
        },
    )
}

proptest! {
    #[test]
    fn only_a_nodes_own_preamble_passes(bytes in any::<[u8; 8]>(), near in any::<bool>()) {
        for mode in [Mode::Xx, Mode::XxPsk0, Mode::Plain] {
            let own = Preamble::new(mode);
            let mut received = bytes;
            if near {
                // The magic is right: it is the last three bytes that are tried.
                received[..5].copy_from_slice(b"SEALN");
            }
            let judged = own.check(&received);
            prop_assert_eq!(judged.is_ok(), received == *own.as_bytes());
            if !near && &bytes[..5] != b"SEALN" {
                prop_assert_eq!(judged, Err(PreambleError::NotSealnet));
            }
        }
    }

    #[test]
    fn a_proof_is_read_back_and_holds_for_its_session_only(
        (seed, secret, h) in any::<([u8; 32], [u8; 32], [u8; 32])>(), role in role(), damage in damage(),
    ) {
        let (identity, key) = (Identity::from_seed(&seed), Keypair::from_secret(&secret));
        let proof = IdentityProof::sign(&identity, role, &h, key.public());
        let payload = proof.encode();
        prop_assert_eq!(IdentityProof::decode(&payload), Ok(proof));
        prop_assert_eq!(proof.verify(role, &h, key.public()), Ok(identity.id()));
        prop_assert!(proof.verify(role.peer(), &h, key.public()).is_err());

        let hostile = damage.to(&payload);
        let judged = IdentityProof::decode(&hostile).and_then(|proof| {
            assert_eq!(proof.encode()[..], hostile);
            proof.verify(role, &h, key.public())
        });
        prop_assert_eq!(judged.is_ok(), hostile == payload);
    }

    #[test]
    fn hostile_payloads_are_proofs_by_length_and_version_alone(payload in vec(any::<u8>(), 90..104)) {
        let is_proof = payload.len() == IdentityProof::LEN && payload[0] == 1;
        prop_assert_eq!(IdentityProof::decode(&payload).is_ok(), is_proof);
    }

    #[test]
    fn a_records_length_is_read_as_it_is_written_from_17_on(length in any::<u16>()) {
        let read = RecordOpener::body_len(length.to_be_bytes());
        prop_assert_eq!(read.ok(), (length >= 17).then_some(usize::from(length)));
    }

    #[test]
    fn an_x25519_key_has_one_spelling(mut bytes in any::<[u8; 32]>(), high in any::<bool>()) {
        if high {
            bytes[1..31].fill(0xFF);
            bytes[31] = 0x7F;
        }
        let below_the_prime = bytes[31] < 0x7F || (bytes[31] == 0x7F && (bytes[1..31] != [0xFF; 30] || bytes[0] < 0xED));
        prop_assert_eq!(PublicKey::from_bytes(bytes).is_ok(), below_the_prime);
    }

    #[test]
    fn a_presence_is_read_back_and_a_damaged_one_never_panics(presence in presence(), damage in damage()) {
        let written = presence.encode();
        if written.len() <= 4096 {
            prop_assert_eq!(Presence::decode(&written), Ok(presence));
        } else {
            prop_assert!(Presence::decode(&written).is_err());
        }
        if let Ok(read) = Presence::decode(&damage.to(&written)) {
            // What is taken from a stranger is fit to be said again, as far as it is short enough.
            let again = read.encode();
            prop_assert!(again.len() > 4096 || Presence::decode(&again) == Ok(read));
        }
    }
}
