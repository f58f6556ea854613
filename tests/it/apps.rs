//! Applications on nodes: a say before relaying, titles of their own, and no harm to others.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sealnet::app::{Application, Context, Json, StartAt};
use sealnet::envelope::{Envelope, Verified};
use sealnet::identity::{NodeAddress, NodeId};
use sealnet::node::{Broadcast, Builder, Event, Node, Secure, SecureNode, StartError, Verdict};
use sealnet::overlay::{Direction, Reason, Settings};
use tokio::sync::mpsc;

use crate::support::{identity, joined, next_text, node, until, within};

/// What an application was told, in words.
type Told = mpsc::UnboundedReceiver<String>;

/// An application that tells what it is told. What it says of a message stands in the message.
struct Scribe {
    tell: mpsc::UnboundedSender<String>,
    known: BTreeSet<String>,
    version: &'static str,
    start: StartAt,
}

fn scribe() -> (Scribe, Told) {
    let (tell, told) = mpsc::unbounded_channel();
    (Scribe { tell, known: BTreeSet::new(), version: "1", start: StartAt::ThisRun }, told)
}

fn text(message: &Envelope) -> String {
    String::from_utf8_lossy(&message.message()).into_owned()
}

impl Application for Scribe {
    fn version(&self) -> String {
        self.version.into()
    }

    fn start_at(&self) -> StartAt {
        self.start
    }

    async fn check(&mut self, _: &Context, message: &Verified<Envelope>) -> Verdict {
        let text = text(message);
        match text.split_once(' ') {
            Some(("bad", why)) => Verdict::Reject(why.into()),
            Some(("unwanted", why)) => Verdict::Ignore(why.into()),
            Some(("after", first)) if !self.known.contains(first) => Verdict::Later,
            Some(("panic", _)) => panic!("as it was told"),
            Some(("hang", _)) => std::future::pending().await,
            Some(("block", _)) => loop {
                std::thread::park();
            },
            _ => Verdict::Accept,
        }
    }

    async fn received(&mut self, _: &Context, message: Broadcast) {
        let text = message.text().unwrap_or_default();
        self.known.insert(text.clone());
        let _ = self.tell.send(text);
    }

    async fn opened(&mut self, _: &Context, peer: NodeId, _: Direction) {
        let _ = self.tell.send(format!("opened {peer:#}"));
    }

    async fn closing(&mut self, cx: &Context, peer: NodeId, _: Reason) {
        let said = cx.send_to(&peer, "a last word").await;
        let _ = self.tell.send(format!("said {}", said.is_ok()));
    }

    async fn closed(&mut self, _: &Context, peer: NodeId, why: Reason) {
        let _ = self.tell.send(format!("closed {peer:#} {why:?}"));
    }

    async fn stopping(&mut self, cx: &Context) {
        let _ = cx.broadcast("the node stops").await;
        let _ = self.tell.send("stopping".into());
    }
}

/// The next message it received.
async fn received(told: &mut Told) -> String {
    loop {
        let told = within("the application is told", told.recv()).await.expect("the application is there");
        if !told.starts_with("opened") && !told.starts_with("closed") {
            return told;
        }
    }
}

fn builder(n: u8, genesis: Option<NodeAddress>) -> Builder<Secure> {
    let builder = SecureNode::builder("test".parse().unwrap(), identity(n))
        .listen("127.0.0.1:0".parse().unwrap())
        .overlay(Settings::local());
    genesis.into_iter().fold(builder, Builder::genesis)
}

fn counted(node: &Node, reason: Reason) -> u64 {
    node.status().reasons.get(reason)
}

/// A node with an application under `chat`, and one without that is linked with it.
async fn two(app: Scribe) -> (SecureNode, SecureNode) {
    let with = builder(1, None).app("chat", app).start().await.unwrap();
    let without = node(2, &[with.address().unwrap()]).await;
    joined(&[with.clone(), without.clone()]).await;
    (with, without)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_refuses_is_neither_kept_nor_relayed() {
    let ((app, mut told), (other, mut others), (lenient, _lenient)) = (scribe(), scribe(), scribe());
    let judge = builder(1, None).app("chat", app).start().await.unwrap();
    // It says that it runs the same, and should have known better.
    let speaker = builder(2, judge.address()).app("chat", Lenient(lenient)).start().await.unwrap();
    let third = builder(3, judge.address()).app("chat", other).start().await.unwrap();
    joined(&[judge.clone(), speaker.clone(), third.clone()]).await;
    let mut kept = judge.subscribe("chat").unwrap();
    for message in ["bad one", "unwanted one", "good"] {
        speaker.broadcast("chat", message).await.unwrap();
    }
    assert_eq!(received(&mut told).await, "good");
    assert_eq!(received(&mut others).await, "good");
    assert_eq!(next_text(&mut kept).await, "good");
    for node in [&judge, &third] {
        until("refusals are counted", &[node], || {
            counted(node, Reason::ApplicationRejected) == 1 && counted(node, Reason::ApplicationIgnored) == 1
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_application_sees_its_own_titles_only() {
    let ((chain, mut chains), (chat, mut chats)) = (scribe(), scribe());
    let node = builder(1, None).app("chain", chain).app("chat", chat).start().await.unwrap();
    for (title, text) in [("chat", "a"), ("chain/block", "b"), ("chains", "c"), ("chain", "d"), ("chat/room", "e")] {
        node.broadcast(title, text).await.unwrap();
    }
    assert_eq!([received(&mut chains).await, received(&mut chains).await], ["b", "d"]);
    assert_eq!([received(&mut chats).await, received(&mut chats).await], ["a", "e"]);
    let ((one, _one), (two, _two)) = (scribe(), scribe());
    let taken = builder(2, None).app("chain", one).app("chain/block", two).start().await;
    assert!(matches!(taken, Err(StartError::Launch(_))), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_before_what_it_builds_on_is_asked_again() {
    let (app, mut told) = scribe();
    let (_judge, speaker) = two(app).await;
    speaker.broadcast("chat", "after first").await.unwrap();
    speaker.broadcast("chat", "something else").await.unwrap();
    speaker.broadcast("chat", "first").await.unwrap();
    let all = [received(&mut told).await, received(&mut told).await, received(&mut told).await];
    assert_eq!(all, ["something else", "first", "after first"]);
}

// One thread, so that its clock can be moved.
#[tokio::test]
async fn what_never_comes_is_waited_for_ten_seconds_and_counted() {
    let (app, mut told) = scribe();
    let (judge, speaker) = two(app).await;
    speaker.broadcast("chat", "after what is never said").await.unwrap();
    speaker.broadcast("chat", "something else").await.unwrap();
    assert_eq!(received(&mut told).await, "something else");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(13)).await;
    tokio::time::resume();
    until("it is given up", &[&judge], || counted(&judge, Reason::NotYet) >= 1).await;
    assert_eq!(counted(&judge, Reason::Barred), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_that_application_only_and_its_titles_are_not_relayed_unjudged() {
    let ((fragile, _fragile), (sound, mut sounds)) = (scribe(), scribe());
    let node = builder(1, None).app("fragile", fragile).app("sound", sound).start().await.unwrap();
    let speaker = crate::support::node(2, &[node.address().unwrap()]).await;
    let third = crate::support::node(3, &[node.address().unwrap()]).await;
    joined(&[node.clone(), speaker.clone(), third.clone()]).await;
    let (mut events, mut kept) = (node.events(), node.subscribe("fragile").unwrap());
    speaker.broadcast("fragile", "panic now").await.unwrap();
    let failed = async {
        while let Some(event) = events.next().await {
            if let Event::ApplicationFailed { title } = event {
                return title.to_string();
            }
        }
        panic!("the node is gone");
    };
    assert_eq!(within("the failure is reported", failed).await, "fragile");
    speaker.broadcast("fragile", "who judges this?").await.unwrap();
    speaker.broadcast("sound", "still here").await.unwrap();
    assert_eq!(received(&mut sounds).await, "still here");
    until("it is counted", &[&node], || counted(&node, Reason::ApplicationFailed) >= 2).await;
    assert_eq!(counted(&node, Reason::Barred), 0);
    // Its own are its own business.
    node.broadcast("fragile", "mine").await.unwrap();
    assert_eq!(next_text(&mut kept).await, "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_never_answers_does_not_stop_relaying_of_others() {
    let ((stuck, _stuck), (sound, mut sounds)) = (scribe(), scribe());
    let node = builder(1, None).app("stuck", stuck).app("sound", sound).start().await.unwrap();
    let speaker = crate::support::node(2, &[node.address().unwrap()]).await;
    joined(&[node.clone(), speaker.clone()]).await;
    speaker.broadcast("stuck", "hang for ever").await.unwrap();
    for n in 0..2000 {
        speaker.broadcast("stuck", format!("{n}")).await.unwrap();
    }
    speaker.broadcast("sound", "still here").await.unwrap();
    assert_eq!(received(&mut sounds).await, "still here");
    until("what waits is bounded", &[&node], || counted(&node, Reason::ApplicationBusy) > 0).await;
}

// One thread for everything: whoever blocks it would stop all.
#[tokio::test]
async fn an_isolated_application_may_block_its_thread() {
    let ((stuck, _stuck), (sound, mut sounds)) = (scribe(), scribe());
    let node = builder(1, None).app_isolated("stuck", stuck).app("sound", sound).start().await.unwrap();
    let speaker = crate::support::node(2, &[node.address().unwrap()]).await;
    joined(&[node.clone(), speaker.clone()]).await;
    speaker.broadcast("stuck", "block for ever").await.unwrap();
    speaker.broadcast("sound", "still here").await.unwrap();
    assert_eq!(received(&mut sounds).await, "still here");
    within("the node stops all the same", node.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_the_nodes_reject_what_the_others_accept_and_nobody_is_barred() {
    let mut nodes = Vec::new();
    let mut told = Vec::new();
    for n in 1..=6 {
        let (mut app, tells) = scribe();
        app.version = if n % 2 == 0 { "strict" } else { "lenient" };
        let genesis = nodes.first().and_then(|node: &SecureNode| node.address());
        let builder = builder(n, genesis);
        // The lenient ones run something that accepts everything.
        let builder = if n % 2 == 0 { builder.app("chat", app) } else { builder.app("chat", Lenient(app)) };
        nodes.push(builder.start().await.unwrap());
        told.push(tells);
    }
    joined(&nodes).await;
    let all: Vec<&Node> = nodes.iter().map(|node| &**node).collect();
    until("everybody is linked", &all, || all.iter().all(|node| node.links().len() == 5)).await;
    for round in 0..20 {
        nodes[0].broadcast("chat", format!("bad {round}")).await.unwrap();
    }
    nodes[0].broadcast("chat", "good").await.unwrap();
    for (n, told) in (1..).zip(&mut told) {
        let mut expected: BTreeSet<_> = (0..20).filter(|_| n % 2 == 1).map(|round| format!("bad {round}")).collect();
        expected.insert("good".into());
        // What all relay may overtake what half of them do.
        while !expected.is_empty() {
            let next = received(told).await;
            assert!(expected.remove(&next), "node {n}: {next}");
        }
    }
    for node in &nodes {
        assert_eq!(counted(node, Reason::ApplicationRejected) + counted(node, Reason::Barred), 0);
    }
    let strict = nodes.iter().skip(1).step_by(2);
    assert!(strict.map(|node| counted(node, Reason::ForeignApplication)).sum::<u64>() >= 20);
}

struct Lenient(Scribe);

impl Application for Lenient {
    fn version(&self) -> String {
        self.0.version()
    }

    async fn received(&mut self, cx: &Context, message: Broadcast) {
        self.0.received(cx, message).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_hears_of_links_and_may_say_a_last_word() {
    let (app, mut told) = scribe();
    let (with, without) = two(app).await;
    let mut events = without.events();
    assert!(with.disconnect(&without.id()));
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|last: &String| last.starts_with("closed")) {
        seen.push(within("the application is told", told.recv()).await.unwrap());
    }
    assert_eq!(seen[0], format!("opened {:#}", without.id()));
    assert!(seen.contains(&"said true".to_owned()), "{seen:?}");
    assert_eq!(*seen.last().unwrap(), format!("closed {:#} {:?}", without.id(), Reason::Requested));
    let direct = async {
        while let Some(event) = events.next().await {
            if let Event::Direct(direct) = event {
                return direct.message;
            }
        }
        panic!("the node is gone");
    };
    assert_eq!(within("the last word arrives", direct).await, "a last word");
    with.stop().await;
    let mut rest = Vec::new();
    while let Some(last) = told.recv().await {
        rest.push(last);
    }
    assert!(rest.contains(&"stopping".to_owned()), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_says_when_its_node_stops_still_reaches_the_neighbours() {
    let (app, _told) = scribe();
    let (with, without) = two(app).await;
    let mut kept = without.subscribe("chat").unwrap();
    with.stop().await;
    assert_eq!(next_text(&mut kept).await, "the node stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_sees_everything_that_the_streams_see() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let (events, mut happened) = mpsc::unbounded_channel();
    let node = builder(1, None).on_event(move |_, event| {
        noted.lock().unwrap().push(match &event {
            Event::Message(message) => message.text().unwrap_or_default(),
            other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
        });
        let _ = events.send(());
    });
    let node = node.start().await.unwrap();
    let other = crate::support::node(2, &[node.address().unwrap()]).await;
    joined(&[node.clone(), other.clone()]).await;
    for n in 0..300 {
        other.broadcast("any", format!("{n}")).await.unwrap();
    }
    let messages = || seen.lock().unwrap().iter().filter(|seen| seen.parse::<u32>().is_ok()).count();
    while messages() < 300 {
        within("the callback is called", happened.recv()).await;
    }
    let seen = seen.lock().unwrap().clone();
    let numbers: Vec<u32> = seen.iter().filter_map(|seen| seen.parse().ok()).collect();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
    for expected in ["Join", "LinkOpened", "Member"] {
        assert!(seen.iter().any(|seen| seen == expected), "{expected}");
    }
}

#[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
struct Move {
    from: u8,
    to: u8,
}

struct Game(mpsc::UnboundedSender<Result<Move, String>>);

impl Application for Game {
    async fn received(&mut self, cx: &Context, message: Broadcast) {
        let _ = self.0.send(cx.json(&message).map_err(|error| error.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_wrong_type_is_an_error_with_sender_and_title_and_is_counted() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let node = builder(1, None).app("game", Game(tell)).start().await.unwrap();
    node.broadcast("game", Json(&Move { from: 1, to: 2 })).await.unwrap();
    node.broadcast("game", "not a move").await.unwrap();
    assert_eq!(told.recv().await.unwrap(), Ok(Move { from: 1, to: 2 }));
    let error = told.recv().await.unwrap().unwrap_err();
    assert!(error.contains(&format!("{:#}", node.id())) && error.contains("`game`"), "{error}");
    assert_eq!(counted(&node, Reason::WrongType), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_goes_on_after_the_place_it_noted() {
    let folder = tempfile::tempdir().unwrap();
    let start = |start: StartAt| {
        let (mut app, told) = scribe();
        app.start = start;
        let started = builder(1, None).log_folder(folder.path()).app("chat", app).start();
        async move { (started.await.unwrap(), told) }
    };
    let (node, mut told) = start(StartAt::ThisRun).await;
    let first = node.broadcast("chat", "first").await.unwrap();
    node.broadcast("chat", "second").await.unwrap();
    assert_eq!([received(&mut told).await, received(&mut told).await], ["first", "second"]);
    node.stop().await;
    let (node, mut told) = start(StartAt::After(first.cursor)).await;
    assert_eq!(received(&mut told).await, "second");
    node.stop().await;
    let (node, mut told) = start(StartAt::OldestKept).await;
    assert_eq!([received(&mut told).await, received(&mut told).await], ["first", "second"]);
    node.stop().await;
    let (node, mut told) = start(StartAt::ThisRun).await;
    node.broadcast("chat", "third").await.unwrap();
    assert_eq!(received(&mut told).await, "third");
    within("it stops", async {
        node.stop().await;
        tokio::time::sleep(Duration::ZERO).await;
    })
    .await;
}
