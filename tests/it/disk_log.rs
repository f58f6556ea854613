//! The log on disk: what a node has taken is there after a restart, once, whatever ended it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sealnet::envelope::{Draft, Lifetime, Scheme, Signed, Timestamp};
use sealnet::identity::{NetworkHash, NodeAddress, Overwrite};
use sealnet::log::Cursor;
use sealnet::node::{Builder, Clock, Item, PublishError, Secure, SecureNode, StartError, Subscription};
use sealnet::overlay::{Reason, Settings};
use sealnet::wire::Frame;

use crate::peer::Peer;
use crate::program::Running;
use crate::support::{identity, joined, next_text, node, until, within};

fn builder(n: u8, folder: &Path, genesis: &[NodeAddress]) -> Builder<Secure> {
    let mut builder = SecureNode::builder("test".parse().unwrap(), identity(n))
        .listen("127.0.0.1:0".parse().unwrap())
        .overlay(Settings::local())
        .log_folder(folder);
    for address in genesis {
        builder = builder.genesis(address.clone());
    }
    builder
}

/// Everything the log gives after where the subscription begins, as texts.
async fn texts(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        texts.push(next_text(subscription).await);
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_cursors_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let node = builder(1, folder.path(), &[]).start().await.unwrap();
    let mut reader = node.subscribe("t").unwrap();
    let mut last = None;
    for n in 0..300 {
        let receipt = node.broadcast("t", n.to_string()).await.unwrap();
        assert!(last.is_none_or(|time| receipt.time > time));
        last = Some(receipt.time);
    }
    texts(&mut reader, 100).await;
    let stored = reader.cursor().to_string();
    node.stop().await;

    let node = builder(1, folder.path(), &[]).start().await.unwrap();
    let mut reader = node.subscribe("t").unwrap().after(stored.parse().unwrap()).unwrap();
    assert_eq!(texts(&mut reader, 200).await, (100..300).map(|n| n.to_string()).collect::<Vec<_>>());
    let receipt = node.broadcast("t", "and on").await.unwrap();
    assert!(last.is_some_and(|time| receipt.time > time), "own times rise over restarts");
    assert_eq!((receipt.cursor.position().get(), next_text(&mut reader).await), (301, "and on".into()));
    let mut since = node.subscribe("t").unwrap().after(node.began()).unwrap();
    assert_eq!(next_text(&mut since).await, "and on");
    node.stop().await;

    // A log that is lost is begun anew, under another name.
    std::fs::remove_file(folder.path().join("log.redb")).unwrap();
    let node = builder(1, folder.path(), &[]).start().await.unwrap();
    let refused = node.subscribe("t").unwrap().after(stored.parse::<Cursor>().unwrap()).unwrap_err();
    assert!(refused.to_string().contains("belongs to the log"), "{refused}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_gets_what_it_missed_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let other = node(1, &[]).await;
    let address = other.address().unwrap();
    let genesis = std::slice::from_ref(&address);
    let kept = builder(2, folder.path(), genesis).start().await.unwrap();
    joined(&[other.clone(), kept.clone()]).await;
    let mut reader = kept.subscribe("t").unwrap();
    for n in 0..50 {
        other.broadcast("t", n.to_string()).await.unwrap();
        kept.broadcast("t", format!("own {n}")).await.unwrap();
    }
    let before = texts(&mut reader, 100).await;
    let cursor = reader.cursor();
    kept.stop().await;
    for n in 50..60 {
        other.broadcast("t", n.to_string()).await.unwrap();
    }
    let kept = builder(2, folder.path(), genesis).start().await.unwrap();
    let mut reader = kept.subscribe("t").unwrap().after(cursor).unwrap();
    let mut missed = texts(&mut reader, 10).await;
    missed.sort();
    assert_eq!(missed, (50..60).map(|n| n.to_string()).collect::<Vec<_>>());
    other.broadcast("t", "end").await.unwrap();
    assert_eq!(next_text(&mut reader).await, "end");
    let mut all = kept.subscribe("t").unwrap().from_start();
    assert_eq!(texts(&mut all, 100).await, before);
    assert_eq!(kept.status().log.envelopes, 111);
    assert_eq!(kept.status().reasons.get(Reason::BadSignature), 0);
    for node in [kept, other] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_heard_before_a_restart_is_not_heard_again_when_it_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let author = Signed::new(NetworkHash::secure(&"test".parse().unwrap()), Arc::new(identity(5)));
    let messages: Vec<_> = [Lifetime::hours(1), Lifetime::LIVE_ONLY]
        .map(|lifetime| {
            let (title, message) = ("t".parse().unwrap(), "once".into());
            author.publish(&Draft { title, message, time: Timestamp::now(), lifetime }).unwrap()
        })
        .into();
    for life in 0..3 {
        let node = builder(1, folder.path(), &[]).start().await.unwrap();
        let mut live = node.subscribe("t").unwrap();
        let replayer = Peer::connect(&node, identity(10 + life)).await.unwrap();
        for message in &messages {
            replayer.send(Frame::Broadcast(message.as_bytes().clone()));
        }
        if life == 0 {
            assert_eq!(texts(&mut live, 2).await, ["once", "once"]);
        } else {
            until("both are judged", &[&*node], || node.status().reasons.get(Reason::Duplicate) == 2).await;
        }
        node.broadcast("t", "end").await.unwrap();
        assert_eq!(next_text(&mut live).await, "end");
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_messages_that_come_back_after_a_lost_log_are_history() {
    let folder = tempfile::tempdir().unwrap();
    let other = node(1, &[]).await;
    let address = other.address().unwrap();
    let genesis = std::slice::from_ref(&address);
    let kept = builder(2, folder.path(), genesis).start().await.unwrap();
    joined(&[other.clone(), kept.clone()]).await;
    for n in 0..20 {
        kept.broadcast("t", n.to_string()).await.unwrap();
    }
    let mut theirs = other.subscribe("t").unwrap().from_start();
    texts(&mut theirs, 20).await;
    kept.stop().await;
    std::fs::remove_file(folder.path().join("log.redb")).unwrap();
    let (kept, mut events) = builder(2, folder.path(), genesis).start_with_events().await.unwrap();
    let mut reader = kept.subscribe("t").unwrap().from_start();
    let mut back = texts(&mut reader, 20).await;
    back.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(back, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    kept.stop().await;
    while let Some(event) = events.next().await {
        assert!(!matches!(event, sealnet::node::Event::IdentityUsedElsewhere { .. }), "{event:?}");
    }
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_is_named_and_revives_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let late = Timestamp::now();
    let start = |clock| builder(1, folder.path(), &[]).clock(Clock::StartingAt(clock)).start();
    let node = start(late).await.unwrap();
    let receipt = node.broadcast("t", "before").await.unwrap();
    node.stop().await;

    // A little behind: times still rise.
    let node = start(late.minus(Duration::from_secs(20))).await.unwrap();
    assert!(node.broadcast("t", "after").await.unwrap().time > receipt.time);
    node.stop().await;

    let node = start(late.minus(Duration::from_secs(3600))).await.unwrap();
    let refused = node.broadcast("t", "long before").await.unwrap_err();
    assert!(matches!(refused, PublishError::ClockWentBack(_)), "{refused}");
    assert!(refused.to_string().contains("clock went back"), "{refused}");
    node.stop().await;

    // What has run out meanwhile does not come back with an older clock.
    let node = start(late.plus(Duration::from_secs(25 * 3600))).await.unwrap();
    until("the old messages ran out", &[&*node], || node.status().log.envelopes == 0).await;
    node.stop().await;
    let node = start(late).await.unwrap();
    assert_eq!(node.status().log.envelopes, 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_serves_one_node_of_one_network() {
    let folder = tempfile::tempdir().unwrap();
    let node = builder(1, folder.path(), &[]).start().await.unwrap();
    let second = builder(1, folder.path(), &[]).start().await.unwrap_err();
    assert!(second.to_string().contains("in use by another node"), "{second}");
    node.stop().await;
    let other = builder(2, folder.path(), &[]).start().await.unwrap_err();
    assert!(matches!(other, StartError::State(_)) && other.to_string().contains("another node"), "{other}");
    std::fs::write(folder.path().join("log.redb"), "a shopping list").unwrap();
    let foreign = builder(1, folder.path(), &[]).start().await.unwrap_err();
    assert!(matches!(foreign, StartError::Log(_)) && foreign.to_string().contains("no log of Sealnet"), "{foreign}");
    assert_eq!(std::fs::read(folder.path().join("log.redb")).unwrap(), b"a shopping list");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_beside_a_log_in_memory_lets_times_rise_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let start = || SecureNode::builder("test".parse().unwrap(), identity(1)).state_folder(folder.path()).start();
    let node = start().await.unwrap();
    let first = node.broadcast("t", "1").await.unwrap();
    node.stop().await;
    let node = start().await.unwrap();
    assert!(node.broadcast("t", "2").await.unwrap().time > first.time);
    let mut reader = node.subscribe("t").unwrap().from_start();
    assert_eq!(next_text(&mut reader).await, "2");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_publishers_share_the_disks_commits_and_each_message_is_delivered_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = builder(1, folder.path(), &[]).start().await.unwrap();
    let mut reader = node.subscribe("t").unwrap();
    let mut publishing = tokio::task::JoinSet::new();
    for n in 0..2000_u32 {
        let node = node.clone();
        publishing.spawn(async move { node.broadcast("t", n.to_string()).await.unwrap().cursor.position().get() });
    }
    let mut positions = within("all are durable", publishing.join_all()).await;
    positions.sort_unstable();
    assert_eq!(positions, (1..=2000).collect::<Vec<_>>());
    let mut read = texts(&mut reader, 2000).await;
    read.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(read, (0..2000).map(|n| n.to_string()).collect::<Vec<_>>());
    node.stop().await;
    // Those who read on learn that there is nothing more.
    assert!(!matches!(within("the end", reader.next()).await, Some(Item::Broadcast(_))));
}

/// The message of a broadcast as `sealnet run --json` prints it; `None` for half a line.
fn printed(line: &str) -> Option<String> {
    let object: serde_json::Value = serde_json::from_str(line).ok()?;
    Some(object["message"].as_str()?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_kill_at_any_moment_and_nothing_twice() {
    const ROUNDS: u32 = 50;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("node.pem");
    identity(1).save(&key, Overwrite::Refuse).unwrap();
    let config = folder.path().join("node.toml");
    let text = "network = \"test\"\nidentity = \"node.pem\"\nlisten = \"127.0.0.1:0\"\npreset = \"local\"\n\
                [log]\nfolder = \"data\"\n";
    std::fs::write(&config, text).unwrap();
    let mut acknowledged = Vec::new();
    let mut chance = 0x5EA1_u32;
    for round in 0..ROUNDS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
        let mut running = Running::start(command.args(["run", "--json", "--config"]).arg(&config));
        for n in 0..120 {
            running.types(&format!("{round}/{n}"));
        }
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        for _ in 0..(chance >> 16) % 100 {
            acknowledged.push(printed(&running.prints("\"message\"")).unwrap());
        }
        acknowledged.extend(running.kill().iter().filter_map(|line| printed(line)));
    }
    let delivered: BTreeSet<_> = acknowledged.iter().cloned().collect();
    assert_eq!(delivered.len(), acknowledged.len(), "an application was given a message twice");

    let node = builder(1, &folder.path().join("data"), &[]).start().await.unwrap();
    let mut reader = node.subscribe_all().from_start();
    let kept = texts(&mut reader, node.status().log.envelopes).await;
    let there: BTreeSet<_> = kept.iter().cloned().collect();
    assert_eq!(there.len(), kept.len(), "the log has a message twice");
    let lost: Vec<_> = delivered.difference(&there).collect();
    assert!(lost.is_empty(), "{} acknowledged messages are lost: {lost:?}", lost.len());
    assert!(delivered.len() > 100, "only {} messages were acknowledged", delivered.len());
    node.stop().await;
}
