//! Sealed messages between nodes: to members that are there or away, and nobody else.
#![cfg(all(unix, feature = "sealed"))]

use std::path::Path;
use std::time::Duration;

use sealnet::app::{Application, Context};
use sealnet::envelope::{Lifetime, Timestamp};
use sealnet::identity::NodeAddress;
use sealnet::node::{
    Broadcast, Builder, Clock, Item, Node, RequestError, SealToError, Secure, SecureNode, Sent, Subscription,
};
use sealnet::overlay::Settings;
use sealnet::sealed::{Grant, OpenError, is_sealed};

use crate::support::{identity, joined, until, within};

/// Node `n` with its seal keys in `folder`.
async fn node(folder: &Path, n: u8, genesis: Option<&NodeAddress>) -> SecureNode {
    builder(folder, n, genesis).start().await.unwrap()
}

fn builder(folder: &Path, n: u8, genesis: Option<&NodeAddress>) -> Builder<Secure> {
    let builder = SecureNode::builder("test".parse().unwrap(), identity(n))
        .listen("127.0.0.1:0".parse().unwrap())
        .overlay(Settings::local())
        .seal_file(folder.join(format!("{n}.seal")));
    match genesis {
        Some(genesis) => builder.genesis(genesis.clone()),
        None => builder,
    }
}

/// Three members who know each other's keys.
async fn three(folder: &Path) -> [SecureNode; 3] {
    let first = node(folder, 1, None).await;
    let genesis = first.address().unwrap();
    let nodes = [first, node(folder, 2, Some(&genesis)).await, node(folder, 3, Some(&genesis)).await];
    joined(&nodes).await;
    knowing(&nodes).await;
    nodes
}

async fn knowing(nodes: &[SecureNode]) {
    let all: Vec<&Node> = nodes.iter().map(|node| &**node).collect();
    let known = |a: &SecureNode, b: &SecureNode| a.seal_key_of(&b.id()).ok() == b.seal_key().map(|(key, _)| key);
    until("everybody knows everybody's key", &all, || nodes.iter().all(|a| nodes.iter().all(|b| known(a, b)))).await;
}

async fn next(subscription: &mut Subscription) -> Broadcast {
    match within("a broadcast", subscription.next()).await {
        Some(Item::Broadcast(broadcast)) => broadcast,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_away_reads_what_was_sealed_to_it_and_nobody_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let [alice, bob, carol] = three(folder.path()).await;
    let (mut at_carol, mut at_alice) = (carol.subscribe("notes").unwrap(), alice.subscribe("notes").unwrap());
    bob.stop().await;
    let name = bob.id();
    drop(bob);
    alice.seal_to(&[name], "notes", "while you were away").lifetime(Lifetime::hours(1)).await.unwrap();

    // Carol carries it, and finds nothing in it.
    let carried = next(&mut at_carol).await;
    assert!(is_sealed(&carried.message()));
    assert_eq!(carol.open(&carried), Err(OpenError::NotForYou { readers: 2 }));
    // Alice reads her own words again.
    assert_eq!(alice.open(&next(&mut at_alice).await).unwrap().text(), Some("while you were away"));

    let bob = node(folder.path(), 2, Some(&carol.address().unwrap())).await;
    let mut at_bob = bob.subscribe("notes").unwrap().from_start();
    let received = next(&mut at_bob).await;
    assert_eq!(received.sender(), alice.id());
    assert_eq!(bob.open(&received).unwrap().text(), Some("while you were away"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_a_member_that_is_away_is_sealed_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let [alice, bob, carol] = three(folder.path()).await;
    let (mut at_carol, listening) = (carol.subscribe("notes").unwrap(), bob.events());
    assert_eq!(alice.send_to(&bob.id(), "notes", "you are there").await, Ok(Sent::Directly));
    bob.stop().await;
    let name = bob.id();
    drop((bob, listening));
    let sent = alice.send_to(&name, "notes", "you are away").await.unwrap();
    let Sent::Sealed(receipt) = sent else { panic!("{sent:?}") };
    let carried = next(&mut at_carol).await;
    assert_eq!(carried.id(), receipt.id);
    assert_eq!(carol.open(&carried), Err(OpenError::NotForYou { readers: 2 }));
    let bob = node(folder.path(), 2, Some(&carol.address().unwrap())).await;
    let mut at_bob = bob.subscribe("notes").unwrap().from_start();
    assert_eq!(bob.open(&next(&mut at_bob).await).unwrap().text(), Some("you are away"));
    // Whom nobody knows can be neither dialled nor sealed to.
    let nobody = identity(99).id();
    assert!(matches!(alice.send_to(&nobody, "notes", "x").await, Err(RequestError::NotLinked(id)) if id == nobody));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_can_let_others_read_later() {
    let folder = tempfile::tempdir().unwrap();
    let [alice, bob, carol] = three(folder.path()).await;
    let mut at_bob = bob.subscribe("notes").unwrap();
    let mut at_carol = carol.subscribe("notes").unwrap();
    alice.seal_to(&[bob.id()], "notes", "for Bob").await.unwrap();
    let (original, at_first) = (next(&mut at_bob).await, next(&mut at_carol).await);
    assert!(carol.open(&at_first).is_err());
    // Who cannot read cannot grant.
    let refused = carol.grant(&at_first, &[alice.id()]).await.unwrap_err();
    assert!(matches!(refused, SealToError::NotOpened(OpenError::NotForYou { .. })));

    bob.grant(&original, &[carol.id()]).await.unwrap();
    let granting = next(&mut at_carol).await;
    let grant = Grant::read(&carol.open(&granting).unwrap()).unwrap();
    assert_eq!(grant.id(), at_first.id());
    assert_eq!(carol.open_granted(&at_first, &grant).unwrap().text(), Some("for Bob"));
    assert_eq!(carol.open_granted(&granting, &grant), Err(OpenError::OtherMessage));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_without_a_good_key_is_named_and_nothing_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let alice = node(folder.path(), 1, None).await;
    let keyless = crate::support::node(9, &[alice.address().unwrap()]).await;
    until("they know each other", &[&alice, &keyless], || alice.members().len() == 2).await;
    let before = alice.cursor();
    let refused = alice.seal_to(&[alice.id(), keyless.id()], "notes", "x").await.unwrap_err();
    assert!(matches!(refused, SealToError::NoKey(id) if id == keyless.id()), "{refused}");
    assert!(alice.seal_to(&[], "notes", "x").await.is_err());
    assert_eq!(alice.cursor(), before);
    // And who has no keys of its own reads nothing.
    alice.seal_to(&[alice.id()], "notes", "x").await.unwrap();
    let mut at_keyless = keyless.subscribe("notes").unwrap().from_start();
    assert_eq!(keyless.open(&next(&mut at_keyless).await), Err(OpenError::NoKeys));
}

/// An application that answers what it can read, and only to its sender.
struct Confidant;

impl Application for Confidant {
    async fn received(&mut self, cx: &Context, message: Broadcast) {
        let Ok(opened) = cx.open(&message) else { return };
        if message.sender() != cx.id() && opened.text() == Some("how are you?") {
            cx.seal_to(&[message.sender()], "well").await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_reads_and_answers_what_was_sealed_to_its_node() {
    let folder = tempfile::tempdir().unwrap();
    let alice = node(folder.path(), 1, None).await;
    let bob = builder(folder.path(), 2, Some(&alice.address().unwrap())).app("talk", Confidant).start().await.unwrap();
    let carol = builder(folder.path(), 3, Some(&alice.address().unwrap())).app("talk", Confidant);
    let nodes = [alice, bob, carol.start().await.unwrap()];
    knowing(&nodes).await;
    let [alice, bob, _] = &nodes;
    let mut talk = alice.subscribe("talk").unwrap();
    alice.seal_to(&[bob.id()], "talk", "how are you?").await.unwrap();
    let (question, answer) = (next(&mut talk).await, next(&mut talk).await);
    assert_eq!((question.sender(), answer.sender()), (alice.id(), bob.id()), "Carol could read nothing to answer");
    assert_eq!(alice.open(&answer).unwrap().text(), Some("well"));
}

/// An application that seals as soon as it hears anything, and tells what came of it.
struct Sealing(tokio::sync::mpsc::UnboundedSender<Result<(), SealToError>>);

impl Application for Sealing {
    async fn received(&mut self, cx: &Context, message: Broadcast) {
        assert!(matches!(cx.open(&message), Err(OpenError::NotSealed)));
        let _ = self.0.send(cx.seal_to(&[cx.id()], "x").await.map(drop));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_plain_node_nothing_is_sealed() {
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let node = Node::builder("test".parse().unwrap()).unwrap().app("talk", Sealing(told)).start().await.unwrap();
    node.broadcast("talk", "hello").await.unwrap();
    let refused = within("the application is told", hears.recv()).await.unwrap();
    assert!(matches!(refused, Err(SealToError::Plain)), "{refused:?}");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn keys_change_while_a_node_runs_and_others_hear_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let start = Timestamp::from_micros(1_700_000_000_000_000).unwrap();
    // Preset `wan`: there is less to do in a week.
    let alice = builder(folder.path(), 1, None).overlay(Settings::wan()).clock(Clock::StartingAt(start));
    let alice = alice.start().await.unwrap();
    let (first, until) = alice.seal_key().unwrap();
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(until, start.plus(14 * day));
    let mut days = 0;
    while alice.seal_key().unwrap().0 == first {
        tokio::time::sleep(day).await;
        days += 1;
        assert!(days < 10);
    }
    assert!(days >= 7);
    let again = sealnet::sealed::SealSecrets::load(&folder.path().join("1.seal")).unwrap();
    assert_eq!((*again.key(), again.len()), (alice.seal_key().unwrap().0, 2), "it is written down");
    alice.stop().await;
}
