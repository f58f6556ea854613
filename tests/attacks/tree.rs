//! Exhaustion by what steers the broadcast tree: EAGER and LAZY, announcements, promises that are not kept.

use std::time::Duration;

use sealnet::envelope::{EnvelopeId, Timestamp};
use sealnet::wire::{Frame, Goodbye, GoodbyeCode, Hello};
use tokio::time::Instant;

use crate::peer::Peer;
use crate::script::{Script, honest};
use crate::stage::{START, Stage, encoded, said};
use crate::support::{next_text, within};

fn have(ids: impl IntoIterator<Item = EnvelopeId>) -> Frame {
    Frame::Have(ids.into_iter().collect())
}

fn leaving() -> Vec<u8> {
    encoded(&Frame::Goodbye(Goodbye::new(GoodbyeCode::Leaving, "")))
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_changes_between_eager_and_lazy_are_answered_by_nothing() {
    let stage = Stage::open().await;
    let mut chat = stage.node.subscribe("chat").unwrap();
    let mut guest = Script::initiate(stage.connect_with(1 << 20).await, honest(10)).await;
    let mut hello = Hello::new("a script", Timestamp::from_micros(START).unwrap());
    hello.features = vec!["tree".into()];
    guest.send(&encoded(&hello.to_frame().unwrap())).await;
    for _ in 0..10 {
        let changes: Vec<u8> =
            (0..1_000).flat_map(|_| [encoded(&Frame::Lazy), encoded(&Frame::Eager)].concat()).collect();
        guest.send(&changes).await;
    }
    guest.send(&encoded(&Frame::Lazy)).await;
    let message = said(stage.node.network_hash(), 5, 0, Default::default(), "0000");
    stage.peer(11).await.send(Frame::Broadcast(message.as_bytes().clone()));
    assert_eq!(next_text(&mut chat).await, "0000");
    tokio::time::sleep(Duration::from_secs(1)).await;
    guest.send(&leaving()).await;
    let (mut changes, mut told, mut contents) = (0, false, 0);
    while let Some(frames) = guest.next_frames().await {
        for frame in frames {
            match frame {
                Frame::Eager | Frame::Lazy => changes += 1,
                Frame::Have(ids) => told |= ids.iter().any(|id| id == message.id()),
                Frame::Broadcast(_) => contents += 1,
                _ => {}
            }
        }
    }
    assert!(changes <= 2, "{changes} answers");
    assert!(told && contents == 0, "the last word counts");
}

#[tokio::test(start_paused = true)]
async fn of_fifty_thousand_invented_ids_few_are_asked_for() {
    let stage = Stage::open().await;
    let mut chat = stage.node.subscribe("chat").unwrap();
    let mut guest = stage.guest_with(10, 1 << 23).await;
    for thousand in 0..50_u32 {
        let invented = (0..1_000_u32).map(|n| {
            let mut id = [0xEE; 32];
            id[..4].copy_from_slice(&(thousand * 1_000 + n).to_be_bytes());
            EnvelopeId::from_bytes(id)
        });
        guest.send(&encoded(&have(invented))).await;
    }
    let message = said(stage.node.network_hash(), 5, 0, Default::default(), "0000");
    stage.peer(11).await.send(Frame::Broadcast(message.as_bytes().clone()));
    assert_eq!(next_text(&mut chat).await, "0000");
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    guest.send(&leaving()).await;
    let mut asked = 0;
    while let Some(frames) = guest.next_frames().await {
        asked +=
            frames.iter().map(|frame| if let Frame::Want(ids) = frame { ids.iter().count() } else { 0 }).sum::<usize>();
    }
    // 1,024 are open at a time, and the next are asked for after 400 ms.
    assert!((1_024..=4 * 1_024).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn announcers_that_never_deliver_delay_a_message_once() {
    let stage = Stage::open().await;
    let mut chat = stage.node.subscribe("chat").unwrap();
    let mut liars: Vec<Peer> = Vec::new();
    for n in 10..17 {
        liars.push(stage.peer(n).await);
    }
    let mut keeper = stage.peer(17).await;
    // What a new link announces is asked for at once.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut delays = Vec::new();
    for round in 0..10 {
        let message = said(stage.node.network_hash(), 5, round, Default::default(), &format!("{round}"));
        for liar in &mut liars {
            liar.send(have([message.id()]));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let announced = Instant::now();
        keeper.send(have([message.id()]));
        let asked = async {
            while let Some(frame) = keeper.next().await {
                if matches!(&frame, Frame::Want(ids) if ids.iter().any(|id| id == message.id())) {
                    return;
                }
            }
            panic!("the node hung up");
        };
        within("the one that keeps its promises is asked", asked).await;
        keeper.send(Frame::Broadcast(message.as_bytes().clone()));
        assert_eq!(next_text(&mut chat).await, format!("{round}"));
        delays.push(announced.elapsed().as_millis());
    }
    assert!(delays[0] <= 100 + 7 * 400, "{delays:?}");
    assert!(delays[1..].iter().all(|delay| *delay <= 110), "each liar is believed once: {delays:?}");
}
