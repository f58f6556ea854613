//! Envelopes: what is not its sender's is neither delivered nor passed on, and costs who brought it.

use sealnet::envelope::{JsonError, Verifier};
use sealnet::identity::{Identity, NetworkHash, NodeId};
use sealnet::node::Item;
use sealnet::overlay::{Reason, Settings};
use sealnet::wire::{Frame, Kind};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::peer::Peer;
use crate::stage::{START, Stage, link_closed, said};
use crate::support::{identity, next_text, until};
use forger::Forger;
use raw_envelope::Raw;

#[allow(dead_code, reason = "the vectors use the rest of it")]
#[path = "../it/vectors/forger.rs"]
pub(crate) mod forger;
#[path = "../it/vectors/raw_envelope.rs"]
pub(crate) mod raw_envelope;

// What the two files above are given where they come from.
const NETWORK: &str = "example-net";
const A: [u8; 32] = [1; 32];
const B: [u8; 32] = [2; 32];

/// A neighbour that keeps to the protocol and remembers what it is sent.
struct Witness(mpsc::UnboundedReceiver<Vec<u8>>);

impl Witness {
    fn of(mut peer: Peer) -> Self {
        let (heard, witness) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(frame) = peer.next().await {
                match frame {
                    Frame::Ping(nonce) => peer.send(Frame::Pong(nonce)),
                    Frame::Broadcast(bytes) => drop(heard.send(bytes.to_vec())),
                    _ => {}
                }
            }
        });
        Witness(witness)
    }

    /// Everything up to this broadcast.
    async fn heard_up_to(mut self, last: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while all.last().is_none_or(|bytes| bytes != last) {
            all.push(self.0.recv().await.expect("the neighbour keeps its link"));
        }
        all
    }
}

fn id(seed: &[u8; 32]) -> NodeId {
    Identity::from_seed(seed).id()
}

fn secure(network: &str) -> NetworkHash {
    NetworkHash::secure(&network.parse().unwrap())
}

/// Bytes as they stand in the published files: hex, or a list of hex and repeated bytes.
fn bytes(shown: &Value) -> Vec<u8> {
    match shown {
        Value::String(hex) => data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap(),
        Value::Array(pieces) => pieces.iter().flat_map(bytes).collect(),
        piece => vec![bytes(&piece["byte"])[0]; usize::try_from(piece["times"].as_u64().unwrap()).unwrap()],
    }
}

#[tokio::test(start_paused = true)]
async fn no_published_forgery_is_delivered_or_passed_on_by_a_node() {
    let file: Value = serde_json::from_str(include_str!("../vectors/envelopes.json")).unwrap();
    let forgeries: Vec<_> = file["invalid"].as_array().unwrap().iter().filter(|case| case["version"] == 1).collect();
    assert!(forgeries.len() > 50);
    let stage = Stage::of(NETWORK, Settings::local()).await;
    let mut all = stage.node.subscribe_all();
    let behind = Witness::of(stage.peer(255).await);
    for (n, case) in (1..).zip(forgeries) {
        let (what, reason, forged) = (&case["what"], case["reason"].as_str().unwrap(), bytes(&case["envelope"]));
        if forged.len() > Kind::Broadcast.limit() {
            // It does not even fit into a frame, which the node closes by its head.
            assert_eq!(what, "a message one byte too long, all of it there");
            continue;
        }
        // Who brings it twice is barred, so everybody brings one.
        let relay = stage.peer(n).await;
        let before = stage.node.status().reasons;
        relay.send(Frame::Broadcast(forged.into()));
        let expected = match reason {
            "unknown-version" => Reason::UnknownVersion,
            "signature" | "not-a-point" | "not-canonical" | "low-order" | "torsion" => Reason::BadSignature,
            _ => Reason::BadEnvelope,
        };
        let is_counted = || stage.node.status().reasons.get(expected) == before.get(expected) + 1;
        until(what.as_str().unwrap(), &[&stage.node], is_counted).await;
        drop(relay);
    }
    // The sound one, whose parts most of them have, still passes.
    let sound = bytes(&file["valid"][0]["envelope"]);
    stage.peer(254).await.send(Frame::Broadcast(sound.clone().into()));
    assert_eq!(next_text(&mut all).await, "hello");
    let heard = behind.heard_up_to(&sound).await;
    assert!(heard.iter().all(|bytes| *bytes == sound || is_of_the_protocol(bytes)), "a forgery was passed on");
}

/// A presence or the like.
fn is_of_the_protocol(envelope: &[u8]) -> bool {
    envelope[46..].starts_with(b"sealnet/")
}

#[tokio::test(start_paused = true)]
async fn the_second_forgery_costs_its_bringer_the_link() {
    let stage = Stage::of(NETWORK, Settings::local()).await;
    let mut events = stage.node.events();
    let peer = stage.peer(10).await;
    for at in [40, 58] {
        let mut forged = Raw::example().sealed();
        forged[at] ^= 1;
        peer.send(Frame::Broadcast(forged.into()));
    }
    assert_eq!(link_closed(&mut events, 10).await, Reason::BadSignature);
    assert!(Peer::over(stage.connect().await, &stage.node, identity(10)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_envelope_of_one_network_brought_into_another_is_a_forgery_there() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    let mut all = stage.node.subscribe_all();
    // A member of both: what is sound in the one is a lie in the other.
    let member_of_both = stage.peer(10).await;
    for text in ["one", "two"] {
        let elsewhere = said(secure("b"), 5, 0, Default::default(), text);
        member_of_both.send(Frame::Broadcast(elsewhere.as_bytes().clone()));
    }
    assert_eq!(link_closed(&mut events, 10).await, Reason::BadSignature);
    stage.node.broadcast("chat", "the first that is heard").await.unwrap();
    assert!(
        matches!(all.next().await, Some(Item::Broadcast(first)) if first.text().unwrap() == "the first that is heard")
    );
}

/// The JSON form of an envelope whose signature is that of the protocol page's example, with its own right id.
fn with_its_own_id(raw: &Raw) -> Value {
    let good = Raw::example().sealed();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    json!({
        "id": data_encoding::HEXLOWER.encode(&raw.id(&secure(NETWORK))),
        "sender": data_encoding::HEXLOWER.encode(&raw.sender),
        "title": text(&raw.title),
        "message": text(&raw.message),
        "time": raw.time,
        "lifetime": raw.lifetime,
        "network": NETWORK,
        "signature": data_encoding::HEXLOWER.encode(&good[good.len() - 64..]),
    })
}

#[test]
fn a_field_changed_by_a_bit_is_refused_with_its_old_id_and_with_a_new_one() {
    let verifier = Verifier::new(secure(NETWORK));
    let example = with_its_own_id(&Raw::example());
    verifier.check_json(&example.to_string()).unwrap();
    type Change = fn(&mut Raw);
    let changes: [(&str, Change); 6] = [
        ("sender", |raw| raw.sender = *id(&B).as_bytes()),
        ("title", |raw| raw.title[0] ^= 1),
        ("message", |raw| raw.message[4] ^= 1),
        ("time", |raw| raw.time ^= 1),
        ("lifetime", |raw| raw.lifetime ^= 1),
        ("title and message", |raw| {
            let byte = raw.title.pop().unwrap();
            raw.message.insert(0, byte);
        }),
    ];
    for (what, change) in changes {
        let mut raw = Raw::example();
        change(&mut raw);
        let mut changed = with_its_own_id(&raw);
        let refused = verifier.check_json(&changed.to_string()).unwrap_err();
        assert!(matches!(refused, JsonError::Verify(_)), "{what}: {refused}");
        changed["id"] = example["id"].clone();
        let refused = verifier.check_json(&changed.to_string()).unwrap_err();
        assert!(!matches!(refused, JsonError::Verify(_)), "{what}: {refused}");
    }
    assert_eq!(START, Raw::example().time);
}

#[tokio::test(start_paused = true)]
async fn the_same_content_under_another_valid_signature_is_the_same_message() {
    let stage = Stage::of(NETWORK, Settings::local()).await;
    let mut chat = stage.node.subscribe("chat").unwrap();
    let raw = Raw::example();
    // Whoever signs may choose the nonce, so nothing may hang on the signature's bytes.
    let again =
        Forger::new(&A).sign_as(&id(&A), &raw.statement(), curve25519_dalek::Scalar::from(7_u8), Default::default());
    let (one, other) = (raw.sealed(), raw.with(&again));
    assert_ne!(one, other);
    Verifier::new(secure(NETWORK)).check(other.clone().into()).unwrap();
    let peer = stage.peer(10).await;
    peer.send(Frame::Broadcast(one.into()));
    peer.send(Frame::Broadcast(other.into()));
    assert_eq!(next_text(&mut chat).await, "hello");
    until("the other is judged", &[&stage.node], || stage.node.status().reasons.get(Reason::Duplicate) == 1).await;
    stage.node.broadcast("chat", "end").await.unwrap();
    assert_eq!(next_text(&mut chat).await, "end");
}
