//! Exhaustion: a peer that sends rubbish, however fast, is not what the node spends its time and memory on.

use std::time::Duration;

use sealnet::envelope::{Lifetime, MAX_MESSAGE};
use sealnet::overlay::{Reason, Settings};
use sealnet::wire::{Frame, Hello, Kind, Reconcile, ReconcileOpen, ReconcileSet, ReconcileStep};

use crate::stage::{START, Stage, encoded, link_closed, said, say};
use crate::support::{identity, next_text, until};

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

const MIB: usize = 1 << 20;

/// One of the largest messages.
fn maximal(n: usize) -> String {
    format!("{n:06}{}", "x".repeat(MAX_MESSAGE - 6))
}

#[tokio::test(start_paused = true)]
async fn maximal_messages_at_line_rate_are_read_at_the_pace_of_one_link_and_nobody_else_waits() {
    const COUNT: usize = 320;
    let stage = Stage::of("a", Settings::lan()).await;
    let network = stage.node.network_hash();
    let mut chat = stage.node.subscribe("chat").unwrap();
    let mut guest = stage.guest(10).await;
    let honest = stage.peer(11).await;
    let (began, before) = (tokio::time::Instant::now(), stage.bytes_read());
    let line_rate = tokio::spawn(async move {
        for n in 0..COUNT {
            let message = said(network, 5, 0, Lifetime::default(), &maximal(n));
            for piece in encoded(&Frame::Broadcast(message.as_bytes().clone())).chunks(60_000) {
                guest.send(piece).await;
            }
        }
        guest
    });
    for second in 1..=2 {
        tokio::time::sleep_until(began + Duration::from_secs(second)).await;
        let most = (16 + 8 * second as usize) * MIB + MIB / 2;
        assert!(stage.bytes_read() - before <= most, "{} bytes in {second} s", stage.bytes_read() - before);
        let word = format!("in second {second}");
        honest.send(Frame::Broadcast(said(network, 6, second, Lifetime::default(), &word).as_bytes().clone()));
        while next_text(&mut chat).await != word {}
        assert!(began.elapsed() < Duration::from_secs(second) + Duration::from_millis(500), "others wait with it");
    }
    let guest = line_rate.await.unwrap();
    let reasons = || stage.node.status().reasons;
    // What was not taken was more than its sender may have flooded, not more than its link may bring.
    until("all is judged", &[&stage.node], || {
        stage.node.status().log.envelopes as u64 - 2 + reasons().get(Reason::Shed) == COUNT as u64
    })
    .await;
    assert!(began.elapsed() >= Duration::from_millis(2_800), "{:?}", began.elapsed());
    assert!(stage.node.links().iter().any(|link| link.peer == identity(10).id()), "nobody is blamed for haste");
    drop(guest);
}

#[tokio::test(start_paused = true)]
async fn of_wants_for_131_mb_a_neighbour_that_does_not_read_gets_a_queue_full_and_ids() {
    const COUNT: usize = 1_000;
    let stage = Stage::open().await;
    let mut ids = Vec::new();
    for n in 0..COUNT {
        let receipt = stage.node.broadcast("chat", maximal(n)).await.unwrap();
        ids.push(receipt.id);
    }
    let mut guest = stage.guest(10).await;
    for ids in ids.chunks(Kind::MAX_WANT) {
        guest.send(&encoded(&Frame::Want(ids.iter().copied().collect()))).await;
    }
    // It reads nothing; others are served meanwhile.
    let mut other = stage.peer(11).await;
    other.send(Frame::Want([ids[7]].into_iter().collect()));
    let answer = async {
        loop {
            if let Some(Frame::Broadcast(bytes)) = other.next().await {
                return bytes.len();
            }
        }
    };
    assert!(crate::support::within("the answer", answer).await > MAX_MESSAGE);
    guest.send(&encoded(&Frame::Ping([9; 8]))).await;
    let (mut contents, mut told, mut is_answered) = (0, std::collections::BTreeSet::new(), false);
    while let Ok(Some(frames)) = tokio::time::timeout(Duration::from_secs(1), guest.next_frames()).await {
        for frame in frames {
            match frame {
                Frame::Broadcast(bytes) => contents += bytes.len(),
                Frame::Have(ids) => told.extend(ids.iter()),
                Frame::Pong(_) => is_answered = true,
                _ => {}
            }
        }
    }
    // What may wait for a link, and what the connection held.
    assert!((3 * MIB..7 * MIB).contains(&contents), "{contents} bytes of {}", COUNT * MAX_MESSAGE);
    assert!(is_answered && ids.iter().all(|id| told.contains(id)), "it is told what it may ask for again");
}

#[tokio::test(start_paused = true)]
async fn of_thirty_two_peers_with_nothing_but_bad_signatures_two_each_are_verified_and_an_honest_one_is_heard() {
    const PEERS: u8 = 32;
    let stage = Stage::open().await;
    let network = stage.node.network_hash();
    let (mut events, mut chat) = (stage.node.events(), stage.node.subscribe("chat").unwrap());
    let honest = stage.peer(10).await;
    let mut guests = Vec::new();
    for n in 0..PEERS {
        guests.push(stage.guest(100 + n).await);
    }
    let before = stage.node.status().verifications;
    let mut sending = tokio::task::JoinSet::new();
    for (n, mut guest) in guests.into_iter().enumerate() {
        let sound = said(network, 5, 0, Lifetime::default(), &format!("{n:02} 0000"));
        sending.spawn(async move {
            for forgery in 0..1_000 {
                let mut forged = sound.as_bytes().to_vec();
                let text = forged.len() - 64 - 4;
                forged[text..text + 4].copy_from_slice(format!("x{forgery:03}").as_bytes());
                let record = guest.sealed(&encoded(&Frame::Broadcast(forged.into())));
                say(&mut guest.stream, &record).await;
            }
            guest
        });
    }
    honest.send(Frame::Broadcast(said(network, 6, 0, Lifetime::default(), "in the midst").as_bytes().clone()));
    assert_eq!(next_text(&mut chat).await, "in the midst");
    let mut barred = 0;
    while barred < PEERS {
        if let Some(sealnet::node::Event::Barred { reason, .. }) = events.next().await {
            assert_eq!(reason, Reason::BadSignature);
            barred += 1;
        }
    }
    drop(sending.join_all().await);
    assert_eq!(stage.node.status().verifications - before, 2 * u64::from(PEERS) + 1);
    assert!(stage.node.links().iter().any(|link| link.peer == identity(10).id()));
}
