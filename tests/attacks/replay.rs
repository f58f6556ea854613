//! Replay, duplicates, poisoning: what was heard once is not heard again, and no copy hides another.

use std::time::Duration;

use sealnet::envelope::Lifetime;
use sealnet::node::{Event, Subscription};
use sealnet::overlay::Reason;
use sealnet::wire::Frame;

use crate::stage::{Stage, said};
use crate::support::{identity, next_text, until};

/// Asserts that nothing was delivered since: the next thing that is heard is said now.
async fn nothing_more(stage: &Stage, chat: &mut Subscription, end: &str) {
    stage.node.broadcast("chat", end).await.unwrap();
    assert_eq!(next_text(chat).await, end);
}

#[tokio::test(start_paused = true)]
async fn a_message_for_this_moment_is_heard_once_however_late_it_is_replayed() {
    let stage = Stage::open().await;
    let mut chat = stage.node.subscribe("chat").unwrap();
    let message = said(stage.node.network_hash(), 5, 0, Lifetime::LIVE_ONLY, "once");
    let frame = || Frame::Broadcast(message.as_bytes().clone());
    stage.peer(10).await.send(frame());
    assert_eq!(next_text(&mut chat).await, "once");
    let started = tokio::time::Instant::now();
    // While it is live; when it is not any more; and when the index has forgotten it.
    let replays = [(1, Reason::Duplicate), (119, Reason::Duplicate), (121, Reason::Expired), (760, Reason::Expired)];
    for (n, (secs, expected)) in (11..).zip(replays) {
        tokio::time::sleep_until(started + Duration::from_secs(secs) - Duration::from_millis(500)).await;
        let replayer = stage.peer(n).await;
        let before = stage.node.status().reasons.get(expected);
        replayer.send(frame());
        until("it is judged", &[&stage.node], || stage.node.status().reasons.get(expected) == before + 1).await;
        nothing_more(&stage, &mut chat, &format!("after {secs} s")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_message_replayed_around_the_end_of_its_lifetime_is_not_heard_again() {
    let stage = Stage::open().await;
    let mut chat = stage.node.subscribe("chat").unwrap();
    let message = said(stage.node.network_hash(), 5, 0, Lifetime::secs(600), "once");
    stage.peer(10).await.send(Frame::Broadcast(message.as_bytes().clone()));
    assert_eq!(next_text(&mut chat).await, "once");
    let started = tokio::time::Instant::now();
    for (n, (secs, expected)) in
        (11..).zip([(598, Reason::Duplicate), (602, Reason::Expired), (1_300, Reason::Expired)])
    {
        tokio::time::sleep_until(started + Duration::from_secs(secs)).await;
        let replayer = stage.peer(n).await;
        let before = stage.node.status().reasons.get(expected);
        replayer.send(Frame::Broadcast(message.as_bytes().clone()));
        until("it is judged", &[&stage.node], || stage.node.status().reasons.get(expected) == before + 1).await;
        nothing_more(&stage, &mut chat, &format!("after {secs} s")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_forgeries_in_a_victims_name_do_not_hide_what_the_victim_says() {
    const FORGERS: u8 = 100;
    let stage = Stage::open().await;
    let (mut events, mut chat) = (stage.node.events(), stage.node.subscribe("chat").unwrap());
    let victims = |text: &str| said(stage.node.network_hash(), 5, 0, Lifetime::default(), text);
    let before = stage.node.status().verifications;
    for forger in 0..FORGERS {
        let mut guest = stage.guest(forger + 20).await;
        let mut bytes = Vec::new();
        for n in 0..100_u8 {
            // Each is another message, so no memory of forgeries helps.
            let mut forged = victims(&format!("never said {forger} {n}")).as_bytes().to_vec();
            let last = forged.len() - 1;
            forged[last - 40] ^= 1;
            bytes.extend(crate::stage::encoded(&Frame::Broadcast(forged.into())));
        }
        guest.send(&bytes).await;
        assert_eq!(crate::stage::link_closed(&mut events, forger + 20).await, Reason::BadSignature);
    }
    // Two of each were looked at, then it was not listened to any more.
    assert_eq!(stage.node.status().verifications - before, 2 * u64::from(FORGERS));
    let honest = stage.peer(10).await;
    honest.send(Frame::Broadcast(victims("this I said").as_bytes().clone()));
    assert_eq!(next_text(&mut chat).await, "this I said");
    // The victim itself is let in.
    assert!(stage.peer(5).await.outbox.is_empty() || stage.node.links().iter().any(|l| l.peer == identity(5).id()));
}

#[tokio::test(start_paused = true)]
async fn a_message_up_to_two_minutes_ahead_is_heard_and_one_further_ahead_costs_its_bringer_nothing() {
    let stage = Stage::open().await;
    let mut chat = stage.node.subscribe("chat").unwrap();
    let at = |secs, text| said(stage.node.network_hash(), 5, secs, Lifetime::default(), text);
    let peer = stage.peer(10).await;
    peer.send(Frame::Broadcast(at(123, "121 s ahead").as_bytes().clone()));
    peer.send(Frame::Broadcast(at(119, "119 s ahead").as_bytes().clone()));
    assert_eq!(next_text(&mut chat).await, "119 s ahead");
    assert_eq!(stage.node.status().reasons.get(Reason::FromTheFuture), 1);
    assert!(stage.node.links().iter().any(|link| link.peer == identity(10).id()));
    nothing_more(&stage, &mut chat, "end").await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_message_costs_the_relay_that_brings_it_nothing() {
    let stage = Stage::open().await;
    let mut chat = stage.node.subscribe("chat").unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let mut events = stage.node.events();
    let peer = stage.peer(10).await;
    for n in 0..50 {
        let stale = said(stage.node.network_hash(), 5, n, Lifetime::secs(60), "stale");
        peer.send(Frame::Broadcast(stale.as_bytes().clone()));
    }
    until("all are judged", &[&stage.node], || stage.node.status().reasons.get(Reason::Expired) == 50).await;
    nothing_more(&stage, &mut chat, "end").await;
    assert!(stage.node.links().iter().any(|link| link.peer == identity(10).id()));
    while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, events.next()).await {
        assert!(!matches!(event, Event::Barred { .. }), "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_nodes_own_key_heard_elsewhere_raises_the_alarm() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    tokio::time::sleep(Duration::from_secs(12)).await;
    let clone = said(stage.node.network_hash(), crate::stage::NODE, 12, Lifetime::default(), "I am you");
    stage.peer(10).await.send(Frame::Broadcast(clone.as_bytes().clone()));
    let alarm = async {
        loop {
            if let Some(Event::IdentityUsedElsewhere { id }) = events.next().await {
                return id;
            }
        }
    };
    assert_eq!(alarm.await, clone.id());
}
