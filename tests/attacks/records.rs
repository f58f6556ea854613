//! Records and frames: somebody on the path can end a link and nothing else, and a peer that breaks the grammar loses
//! it.

use std::time::Duration;

use sealnet::overlay::Reason;
use sealnet::wire::{Frame, GoodbyeCode};
use tokio::io::DuplexStream;
use tokio::time::Instant;

use crate::script::Script;
use crate::stage::{NOTHING, Stage, encoded, hello, link_closed, rest_of, said, say};
use crate::support::{identity, next_text};

fn ping(n: u8) -> Vec<u8> {
    encoded(&Frame::Ping([n; 8]))
}

/// What the node still says until it closes the connection.
async fn rest(mut guest: Script<DuplexStream>) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(more) = guest.next_frames().await {
        frames.extend(more);
    }
    frames
}

/// The PINGs that the node answered, and no other PONG.
fn answered(frames: &[Frame]) -> Vec<u8> {
    let pong = |frame: &Frame| if let Frame::Pong(nonce) = frame { Some(nonce[0]) } else { None };
    frames.iter().filter_map(pong).collect()
}

#[tokio::test(start_paused = true)]
async fn a_record_replayed_swapped_dropped_or_altered_ends_the_link_and_blames_nobody() {
    type Change = fn(&mut Vec<Vec<u8>>);
    let changes: [(&str, Change, &[u8]); 9] = [
        ("replayed", |r| r.insert(1, r[0].clone()), &[0]),
        ("replayed later", |r| r.insert(2, r[0].clone()), &[0, 1]),
        ("swapped", |r| r.swap(1, 2), &[0]),
        ("dropped", |r| drop(r.remove(1)), &[0]),
        ("a shorter length", |r| r[1][1] -= 1, &[0]),
        ("a longer length", |r| r[1][1] += 1, &[0]),
        ("an altered body", |r| r[1][4] ^= 0x10, &[0]),
        ("an altered tag", |r| *r[1].last_mut().unwrap() ^= 1, &[0]),
        ("a forged one in between", |r| r.insert(1, [&[0, 40][..], &[7; 40]].concat()), &[0]),
    ];
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    for (what, change, sound) in changes {
        // Always the same identity, and never barred.
        let mut guest = stage.guest(1).await;
        let mut records: Vec<_> = (0..3).map(|n| guest.sealed(&ping(n))).collect();
        change(&mut records);
        say(&mut guest.stream, &records.concat()).await;
        assert_eq!(answered(&rest(guest).await), sound, "{what}");
        assert_eq!(link_closed(&mut events, 1).await, Reason::BadRecord, "{what}");
    }
    // What the node said itself, said back to it.
    let mut guest = stage.guest(1).await;
    let mut own = vec![0; 2];
    tokio::io::AsyncReadExt::read_exact(&mut guest.stream, &mut own).await.unwrap();
    own.resize(2 + usize::from(u16::from_be_bytes([own[0], own[1]])), 0);
    tokio::io::AsyncReadExt::read_exact(&mut guest.stream, &mut own[2..]).await.unwrap();
    say(&mut guest.stream, &own).await;
    assert_eq!(link_closed(&mut events, 1).await, Reason::BadRecord);
    stage.guest(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_of_an_impossible_length_ends_the_link_before_more_is_waited_for() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    for len in 0..17_u16 {
        let mut guest = stage.guest(1).await;
        let begun = Instant::now();
        say(&mut guest.stream, &len.to_be_bytes()).await;
        assert_eq!(link_closed(&mut events, 1).await, Reason::BadRecord, "{len}");
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_announced_mebibyte_is_refused_by_its_head_and_bars_the_peer() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    for (n, kind) in (10..).zip([0x20_u8, 0x02, 0x21, 0x41, 0x80, 0xFF]) {
        let mut guest = stage.guest(n).await;
        let before = stage.bytes_read();
        guest.send(&[&(1_u32 << 20).to_be_bytes()[..], &[kind]].concat()).await;
        assert_eq!(link_closed(&mut events, n).await, Reason::BadFrame, "{kind:02x}");
        assert_eq!(stage.bytes_read() - before, 2 + 5 + 16);
        assert!(!rest(guest).await.iter().any(|frame| matches!(frame, Frame::Goodbye(_))), "grammar is not answered");
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_never_ends_ends_with_the_link_and_blames_nobody() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    let mut guest = stage.guest(1).await;
    let begun = Instant::now();
    // The longest frame there is, a byte a second, each in a sound record of its own.
    guest.send(&[&131_386_u32.to_be_bytes()[..], &[0x20]].concat()).await;
    let trickle = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let record = guest.sealed(&[7]);
            say(&mut guest.stream, &record).await;
        }
    };
    let closed = tokio::select! { reason = link_closed(&mut events, 1) => reason, () = trickle => unreachable!() };
    assert_eq!(closed, Reason::Silent);
    assert!(begun.elapsed() <= Duration::from_secs(11), "{:?}", begun.elapsed());
    stage.guest(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_hello_bars_the_peer() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    let mut guest = stage.guest(1).await;
    guest.send(&hello()).await;
    assert_eq!(link_closed(&mut events, 1).await, Reason::BadFrame);
    let mut again = Script::initiate(stage.connect().await, crate::script::honest(1)).await;
    assert_eq!(rest_of(&mut again.stream).await, NOTHING);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_critical_kind_ends_the_link_with_a_word_and_without_blame() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    // Whatever its length says: a later version may have longer ones.
    for (kind, len) in [(0x05_u8, 0_u32), (0x7F, 8), (0x60, u32::MAX), (0x00, 1 << 20)] {
        let mut guest = stage.guest(1).await;
        guest.send(&[&len.to_be_bytes()[..], &[kind]].concat()).await;
        let said = rest(guest).await;
        let Some(Frame::Goodbye(goodbye)) = said.last() else { panic!("{said:?}") };
        assert_eq!(goodbye.code, GoodbyeCode::Unsupported);
        assert_eq!(link_closed(&mut events, 1).await, Reason::Unsupported, "{kind:02x}");
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_optional_kinds_are_passed_over() {
    let stage = Stage::open().await;
    let mut guest = stage.guest(1).await;
    for kind in 0x80..=0xFF_u8 {
        let body = vec![kind; usize::from(kind) * 3];
        let frame = [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &[kind], &body].concat();
        guest.send(&frame).await;
    }
    guest.send(&ping(5)).await;
    while answered(&guest.frames().await) != [5] {}
    assert_eq!(stage.node.links().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_a_stream_cut_within_a_frame_nothing_is_delivered() {
    let stage = Stage::open().await;
    let (mut events, mut chat) = (stage.node.events(), stage.node.subscribe("chat").unwrap());
    let network = stage.node.network_hash();
    let cut = encoded(&Frame::Broadcast(said(network, 5, 0, Default::default(), "cut off").as_bytes().clone()));
    for end in [1, 5, 6, cut.len() / 2, cut.len() - 1] {
        let mut guest = stage.guest(1).await;
        guest.send(&cut[..end]).await;
        drop(guest);
        assert_eq!(link_closed(&mut events, 1).await, Reason::ConnectionLost, "{end}");
    }
    let whole = said(network, 5, 0, Default::default(), "whole");
    stage.peer(1).await.send(Frame::Broadcast(whole.as_bytes().clone()));
    assert_eq!(next_text(&mut chat).await, "whole");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_closed_and_the_others_do_not_notice() {
    const MESSAGES: usize = 1_000;
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    let mut honest = stage.peer(1).await;
    // It talks, so it is not silent; but it takes nothing.
    let mut stuck = stage.guest_with(2, 1 << 12).await;
    let talking = async {
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let record = stuck.sealed(&ping(1));
            say(&mut stuck.stream, &record).await;
        }
    };
    let receiving = async {
        let begun = Instant::now();
        for n in 0..MESSAGES {
            // Ten megabytes: more than twice what may wait for one link.
            stage.node.broadcast("chat", vec![b'x'; 10_000]).await.unwrap();
            loop {
                match honest.next().await.expect("the honest neighbour keeps its link") {
                    Frame::Broadcast(bytes) if bytes.len() > 10_000 => break,
                    Frame::Ping(nonce) => honest.send(Frame::Pong(nonce)),
                    _ => {}
                }
            }
            assert_eq!(begun.elapsed(), Duration::ZERO, "message {n} waited for somebody");
        }
        tokio::join!(honest.answers_pings(), async {
            let (begun, reason) = (Instant::now(), link_closed(&mut events, 2).await);
            assert_eq!(reason, Reason::Stuck);
            assert!(begun.elapsed() <= Duration::from_secs(30), "{:?}", begun.elapsed());
            stage.node.stop().await;
        });
    };
    tokio::select! { () = receiving => {}, () = talking => unreachable!() }
}

#[tokio::test(start_paused = true)]
async fn who_is_blamed_is_told_to_nobody_else_and_only_its_own_links_close() {
    let stage = Stage::open().await;
    let mut events = stage.node.events();
    let honest = tokio::spawn(stage.peer(1).await.answers_pings());
    let mut guest = stage.guest(2).await;
    guest.send(&[&9_u32.to_be_bytes()[..], &[0x02], &[0; 9]].concat()).await;
    assert_eq!(link_closed(&mut events, 2).await, Reason::BadFrame);
    assert!(!honest.is_finished());
    assert_eq!(stage.node.links().iter().map(|link| link.peer).collect::<Vec<_>>(), [identity(1).id()]);
}
