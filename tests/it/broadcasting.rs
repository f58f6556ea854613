//! Broadcasts: everywhere, once, verified once.

use std::collections::BTreeSet;

use sealnet::envelope::Lifetime;
use sealnet::log::Cursor;
use sealnet::node::{Event, Item, Node, PublishError, RequestError};

use crate::support::{network, next_text, node, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn every_node_gets_every_message_of_every_node_once() {
    let nodes = network(8).await;
    let mut subscriptions: Vec<_> = nodes.iter().map(|node| node.subscribe("count").unwrap()).collect();
    for round in 0..25 {
        for (n, node) in nodes.iter().enumerate() {
            node.broadcast("count", format!("{n}/{round}")).await.unwrap();
        }
    }
    for subscription in &mut subscriptions {
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let text = next_text(subscription).await;
            assert!(seen.insert(text.clone()), "{text} came twice");
        }
    }
    for node in &nodes {
        node.broadcast("count", "end").await.unwrap();
    }
    for subscription in &mut subscriptions {
        for _ in 0..8 {
            assert_eq!(next_text(subscription).await, "end", "nothing came twice");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_is_only_read_by_those_who_asked_for_it() {
    let nodes = network(2).await;
    let (mut chat, mut all) = (nodes[1].subscribe("chat").unwrap(), nodes[1].subscribe_all());
    nodes[0].broadcast("other", "1").await.unwrap();
    nodes[0].broadcast("chat", "2").await.unwrap();
    assert_eq!(next_text(&mut chat).await, "2");
    assert_eq!((next_text(&mut all).await, next_text(&mut all).await), ("1".into(), "2".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_where_its_cursor_stands() {
    let node = node(1, &[]).await;
    for n in 0..10 {
        node.broadcast("t", n.to_string()).await.unwrap();
    }
    let mut reader = node.subscribe("t").unwrap().from_start();
    for n in 0..4 {
        assert_eq!(next_text(&mut reader).await, n.to_string());
    }
    let stored: Cursor = reader.cursor().to_string().parse().unwrap();
    let mut again = node.subscribe("t").unwrap().after(stored).unwrap();
    // What was read ahead but not given out is given out again; nothing is left out.
    for n in 4..10 {
        assert_eq!(next_text(&mut again).await, n.to_string());
    }
    let foreign: Cursor = "00112233445566ff:1".parse().unwrap();
    assert!(node.subscribe("t").unwrap().after(foreign).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_is_said_at_once_and_changes_nothing() {
    let node = node(1, &[]).await;
    assert!(matches!(node.broadcast("sealnet/presence", "x").await, Err(PublishError::Title(_))));
    assert!(matches!(node.broadcast("a\nb", "x").await, Err(PublishError::Title(_))));
    let too_large = node.broadcast("t", vec![0; 131_073]).await.unwrap_err();
    assert_eq!(too_large, PublishError::TooLarge { size: 131_073, limit: 131_072 });
    assert_eq!(node.status().log.envelopes, 0);
    node.broadcast("t", vec![0; 131_072]).lifetime(Lifetime::LIVE_ONLY).await.unwrap();
    node.stop().await;
    assert_eq!(node.broadcast("t", "x").await, Err(PublishError::Stopping));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_with_the_node_after_everything_was_read() {
    let node = node(1, &[]).await;
    let mut reader = node.subscribe("t").unwrap();
    node.broadcast("t", "last").await.unwrap();
    node.stop().await;
    assert_eq!(next_text(&mut reader).await, "last");
    assert!(within("the end", reader.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latecomer_gets_what_was_said_before_it_came() {
    let genesis = node(1, &[]).await;
    for n in 0..300 {
        genesis.broadcast("t", n.to_string()).await.unwrap();
    }
    let late = node(2, &[genesis.address().unwrap()]).await;
    let mut reader = late.subscribe("t").unwrap().from_start();
    let mut seen = BTreeSet::new();
    while seen.len() < 300 {
        match within("an old message", reader.next()).await {
            Some(Item::Broadcast(broadcast)) => assert!(seen.insert(broadcast.text().unwrap())),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_one_node_reaches_that_node_alone_and_is_acknowledged() {
    let nodes = network(3).await;
    let mut events: Vec<_> = nodes.iter().map(|node| node.events()).collect();
    let large = vec![7; 500_000];
    nodes[0].send_to(&nodes[1].id(), "note", large.clone()).await.unwrap();
    nodes[0].send_to_neighbours("note", "to all but one", &[nodes[2].id()]).await.unwrap();
    nodes[0].broadcast("end", "").await.unwrap();
    let mut direct = Vec::new();
    for events in &mut events[1..] {
        loop {
            match within("the end", events.next()).await.unwrap() {
                Event::Direct(message) => direct.push((message.from, message.message.to_vec())),
                Event::Message(message) if message.title() == "end" => break,
                _ => {}
            }
        }
    }
    let from = nodes[0].id();
    assert_eq!(direct, [(from, large), (from, b"to all but one".to_vec())]);
    let sent = nodes[0].send_to_neighbours("note", "to all", &[]).await.unwrap();
    assert!(sent.len() == 2 && sent.iter().all(|(_, outcome)| outcome.is_ok()), "{sent:?}");
    let nobody = crate::support::identity(99).id();
    assert_eq!(nodes[0].send_to(&nobody, "note", "x").await, Err(RequestError::NotLinked(nobody)));
    let error = nodes[0].send_to(&nodes[1].id(), "note", vec![0; (1 << 20) + 1]).await.unwrap_err();
    assert!(matches!(error, RequestError::TooLarge { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_measures_the_round_trip() {
    let nodes = network(2).await;
    let round_trip = nodes[0].ping(&nodes[1].id()).await.unwrap();
    assert!(!round_trip.is_zero());
    assert!(nodes[0].links().iter().all(|link| link.round_trip.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_sends_is_counted_at_both_ends_of_the_link() {
    let nodes = network(2).await;
    let mut heard = nodes[1].subscribe("chat").unwrap();
    let before = nodes[1].status().traffic;
    let message = "x".repeat(10_000);
    nodes[0].broadcast("chat", message.clone()).await.unwrap();
    assert_eq!(next_text(&mut heard).await, message);
    let all: Vec<&Node> = nodes.iter().map(|node| &**node).collect();
    // Equal as soon as nothing is on its way.
    until("both ends count the same", &all, || {
        let [one, other] = [&nodes[0], &nodes[1]].map(|node| node.status().traffic);
        one.sent == other.received && other.sent == one.received
    })
    .await;
    let after = nodes[1].status().traffic;
    assert!((10_000..12_000).contains(&(after.received - before.received)), "{before:?} {after:?}");
    assert!(after.reads > before.reads && nodes[0].status().traffic.writes > 0);
    // What went over a link still counts when it is closed.
    nodes[0].stop().await;
    until("the link is closed", &[&nodes[1]], || nodes[1].links().is_empty()).await;
    assert!(nodes[1].status().traffic.received >= after.received);
}
