//! Exhaustion: a peer that sends rubbish, however fast, is not what the node spends its time and memory on.

use sealnet::overlay::Reason;
use sealnet::wire::{Frame, Hello, Kind, Reconcile, ReconcileOpen, ReconcileSet, ReconcileStep};

use crate::stage::{START, Stage, encoded, link_closed, said, say};
use crate::support::next_text;

#[tokio::test(start_paused = true)]
async fn of_ten_thousand_bad_signatures_on_a_link_two_are_verified() {
    let stage = Stage::open().await;
    let (mut events, mut chat) = (stage.node.events(), stage.node.subscribe("chat").unwrap());
    let mut guest = stage.guest_with(10, 1 << 23).await;
    let before = stage.node.status().verifications;
    let sound = said(stage.node.network_hash(), 5, 0, Default::default(), "0000");
    let mut rubbish = Vec::new();
    for n in 0..10_000_u16 {
        let mut forged = sound.as_bytes().to_vec();
        // Another message each time; the signature is of none of them.
        let text = forged.len() - 64 - 4;
        forged[text..text + 4].copy_from_slice(format!("{n:04x}").as_bytes());
        forged[text] = b'x';
        rubbish.extend(encoded(&Frame::Broadcast(forged.into())));
    }
    for piece in rubbish.chunks(60_000) {
        let record = guest.sealed(piece);
        say(&mut guest.stream, &record).await;
    }
    assert_eq!(link_closed(&mut events, 10).await, Reason::BadSignature);
    assert_eq!(stage.node.status().verifications - before, 2);
    stage.peer(11).await.send(Frame::Broadcast(sound.as_bytes().clone()));
    assert_eq!(next_text(&mut chat).await, "0000");
}

#[tokio::test(start_paused = true)]
async fn of_ten_thousand_pings_at_once_four_are_answered() {
    let stage = Stage::open().await;
    let mut guest = stage.guest(10).await;
    for _ in 0..10 {
        let pings: Vec<u8> = (0..1_000).flat_map(|_| encoded(&Frame::Ping([1; 8]))).collect();
        guest.send(&pings).await;
    }
    guest.send(&encoded(&Frame::Goodbye(sealnet::wire::Goodbye::new(sealnet::wire::GoodbyeCode::Leaving, "")))).await;
    let mut pongs = 0;
    while let Some(frames) = guest.next_frames().await {
        pongs += frames.iter().filter(|frame| matches!(frame, Frame::Pong(_))).count();
    }
    assert_eq!(pongs, 4);
}

#[tokio::test(start_paused = true)]
async fn of_ten_thousand_reconciles_at_once_sixty_four_are_looked_at_and_the_link_stays() {
    let stage = Stage::open().await;
    let mut hello = Hello::new("a script", sealnet::envelope::Timestamp::from_micros(START).unwrap());
    hello.features = vec!["reconcile".to_owned()];
    let mut guest = stage.guest_saying(10, 1 << 20, &encoded(&hello.to_frame().unwrap())).await;
    let (from, to, alive) = (0, u64::MAX, START);
    let open = ReconcileOpen { set: ReconcileSet::Messages, from, to, alive, digest: [1; 32], count: 1 };
    // "Here I have nothing", four times: each time the node would list all it has.
    let query = bytes::Bytes::from([&[0x61][..], &[0, 0, 2, 0].repeat(4)].concat());
    let mut frames = encoded(&Reconcile { session: 1, step: ReconcileStep::Open(open) }.to_frame());
    let query = encoded(&Reconcile { session: 1, step: ReconcileStep::Query(query) }.to_frame());
    assert_eq!(query.len(), 25, "20 bytes and their head");
    (0..10_000).for_each(|_| frames.extend_from_slice(&query));
    for piece in frames.chunks(60_000) {
        guest.send(piece).await;
    }
    let mut answers = 0;
    // Whatever comes after them is answered as ever; the first time before the answers that wait.
    for ping in [[7; 8], [8; 8]] {
        guest.send(&encoded(&Frame::Ping(ping))).await;
        let mut is_answered = false;
        while !is_answered {
            for frame in guest.next_frames().await.expect("the link stays") {
                answers += usize::from(frame.kind() == Kind::Reconcile);
                is_answered |= frame == Frame::Pong(ping);
            }
        }
    }
    assert!((1..=64).contains(&answers), "{answers}");
}

#[tokio::test(start_paused = true)]
async fn five_thousand_links_opened_and_closed_leave_nothing_behind() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    for n in 0..5_000_u32 {
        let seed = std::array::from_fn(|at| if at < 4 { n.to_le_bytes()[at] } else { 77 });
        let identity = sealnet::identity::Identity::from_seed(&seed);
        let id = identity.id();
        drop(crate::peer::Peer::over(stage.connect().await, &stage.node, identity).await.unwrap());
        loop {
            if let Some(sealnet::node::Event::LinkClosed { peer, .. }) = events.next().await {
                assert_eq!(peer, id);
                break;
            }
        }
    }
    assert!(stage.node.links().is_empty() && stage.node.members().len() <= 1);
}
