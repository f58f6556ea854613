//! Requests: whoever asks too much, answers too much or does neither to the end costs a node little, and time runs out
//! for it.

use std::time::Duration;

use bytes::Bytes;
use sealnet::envelope::{Draft, Lifetime, Scheme, Signed, Timestamp};
use sealnet::node::{Event, RequestError};
use sealnet::overlay::{PRESENCE_TITLE, Presence, Reason, Settings};
use sealnet::wire::{
    Credit, Frame, GoodbyeCode, Refused, RefusedCode, Request, RequestKind, RequestNumber, Response, ShortText,
};
use tokio::time::Instant;

use crate::peer::Peer;
use crate::stage::{START, Stage, link_closed};
use crate::support::identity;

fn number(n: u64) -> RequestNumber {
    RequestNumber::new(n).unwrap()
}

fn asks(n: u64, title: &str, last: bool, bytes: usize) -> Frame {
    let (title, kind, bytes) = (title.parse().unwrap(), RequestKind::Question, vec![0; bytes].into());
    Frame::Request(Request { number: number(n), title, kind, last, bytes })
}

fn goes_on(n: u64, last: bool, bytes: usize) -> Frame {
    let (title, kind, bytes) = (Default::default(), RequestKind::Message, vec![0; bytes].into());
    Frame::Request(Request { number: number(n), title, kind, last, bytes })
}

fn answers(n: u64, last: bool, bytes: usize) -> Frame {
    Frame::Response(Response { number: number(n), last, bytes: vec![0; bytes].into() })
}

fn refused(n: u64, code: RefusedCode) -> Frame {
    Frame::Refused(Refused { number: number(n), code, text: ShortText::new("") })
}

/// Sends as the lane has room.
async fn says(peer: &Peer, frame: Frame) -> bool {
    loop {
        match peer.outbox.push_bulk(frame.clone()) {
            Ok(()) => return true,
            Err(sealnet::link::OutboxFull::Full) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(_) => return false,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_ten_thousand_requests_at_once_sixty_four_are_open_and_others_are_served() {
    let stage = Stage::open().await;
    let mut served = stage.node.serve("t").unwrap();
    let (mut flood, mut honest) = (stage.able_peer(10).await, stage.able_peer(11).await);
    for n in 1..=10_000 {
        assert!(says(&flood, asks(n, "t", true, 10)).await);
    }
    let mut busy = 0;
    while busy < 10_000 - 64 {
        match flood.next_of_requests().await.unwrap() {
            Frame::Refused(Refused { code: RefusedCode::Busy, .. }) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    honest.send(asks(1, "t", true, 10));
    for _ in 0..64 {
        assert_eq!(served.next().await.unwrap().from, identity(10).id());
    }
    let asked = served.next().await.unwrap();
    assert_eq!(asked.from, identity(11).id());
    asked.reply("served");
    let answer = Frame::Response(Response { number: number(1), last: true, bytes: Bytes::from_static(b"served") });
    assert_eq!(honest.next_of_requests().await, Some(answer));
    assert_eq!(stage.node.links().len(), 2, "it was refused, and that is all");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_end_ends_the_link_when_nobody_gave_leave_to_it() {
    let stage = Stage::open().await;
    let (mut events, _served) = (stage.node.events(), stage.node.serve("t").unwrap());
    let flood = stage.able_peer(10).await;
    for n in 1..=3 {
        says(&flood, asks(n, "t", false, 60_000)).await;
    }
    let mut sent = 0;
    while sent < 1_000 && says(&flood, goes_on(2 + sent % 2, false, 60_000)).await {
        sent += 1;
    }
    assert_eq!(link_closed(&mut events, 10).await, Reason::BadFrame);
    assert!(stage.bytes_read() < 16 << 20, "{}", stage.bytes_read());
}

#[tokio::test(start_paused = true)]
async fn a_number_that_was_used_ends_the_link() {
    for second in [asks(1, "t", true, 1), asks(3, "t", true, 1)] {
        let stage = Stage::open().await;
        let (mut events, _served) = (stage.node.events(), stage.node.serve("t").unwrap());
        let peer = stage.able_peer(10).await;
        peer.send(asks(1, "t", true, 1));
        peer.send(asks(3, "t", true, 1));
        peer.send(second);
        assert_eq!(link_closed(&mut events, 10).await, Reason::BadFrame);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_beyond_its_leave_or_in_empty_pieces_ends_the_link() {
    for beyond in [true, false] {
        let stage = Stage::open().await;
        let (mut events, mut peer, id) = (stage.node.events(), stage.able_peer(10).await, identity(10).id());
        let (download, ()) = tokio::join!(stage.node.fetch(&id, "t", ""), async {
            assert!(matches!(peer.next_of_requests().await, Some(Frame::Request(_))));
            peer.send(answers(1, false, 8));
        });
        // Nobody reads it: a mebibyte is all that may come.
        let _unread = download.unwrap();
        for _ in 0..16 {
            says(&peer, answers(1, false, 65_527)).await;
        }
        let round_trip = async {
            says(&peer, asks(1, "nobody/serves/this", true, 1)).await;
            assert!(matches!(peer.next_of_requests().await, Some(Frame::Refused(_))));
        };
        round_trip.await;
        assert_eq!(stage.node.links().len(), 1);
        says(&peer, answers(1, false, if beyond { 200 } else { 0 })).await;
        assert_eq!(link_closed(&mut events, 10).await, Reason::BadFrame);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_leave_and_refusals_nobody_asked_for_are_passed_over() {
    let stage = Stage::open().await;
    let mut peer = stage.able_peer(10).await;
    for n in 1..200 {
        says(&peer, answers(n, n % 2 == 0, 65_000)).await;
        for frame in [RefusedCode::Cancelled, RefusedCode::Busy].map(|code| refused(n, code)) {
            says(&peer, frame).await;
        }
        says(&peer, Frame::Credit(Credit { number: number(n), bytes: u32::MAX })).await;
    }
    let id = identity(10).id();
    let (answer, ()) = tokio::join!(stage.node.request(&id, "t", ""), async {
        assert!(matches!(peer.next_of_requests().await, Some(Frame::Request(_))));
        peer.send(answers(1, true, 3));
    });
    assert_eq!(answer.unwrap().bytes().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_ends_at_the_deadline_and_is_cancelled() {
    let stage = Stage::open().await;
    let (mut peer, id) = (stage.able_peer(10).await, identity(10).id());
    let (start, patience) = (Instant::now(), Duration::from_secs(7));
    let (outcome, frames) = tokio::join!(stage.node.request(&id, "t", "x").deadline(patience), async {
        [peer.next_of_requests().await.unwrap(), peer.next_of_requests().await.unwrap()]
    });
    assert_eq!(outcome, Err(RequestError::Deadline { peer: id, after: patience }));
    assert_eq!(start.elapsed().as_secs(), 7);
    let (title, kind, bytes) = ("t".parse().unwrap(), RequestKind::Question, Bytes::from_static(b"x"));
    let request = Request { number: number(1), title, kind, last: true, bytes };
    assert_eq!(frames, [Frame::Request(request), refused(1, RefusedCode::Cancelled)]);
}

#[tokio::test(start_paused = true)]
async fn a_link_opened_for_a_request_ends_with_a_good_bye_when_it_was_idle_for_ten_seconds() {
    // Its own links are enough for it.
    let stage = Stage::of("a", Settings { target_links: 0, ..Settings::local() }).await;
    let mut events = stage.node.events();
    let author = Signed::new(stage.node.network_hash(), std::sync::Arc::new(identity(20)));
    let presence = Presence { addresses: vec![stage.outside()], ..Presence::default() };
    let draft = Draft {
        title: PRESENCE_TITLE.parse().unwrap(),
        message: presence.encode().into(),
        time: Timestamp::from_micros(START).unwrap(),
        lifetime: Lifetime::hours(1),
    };
    let neighbour = stage.peer(10).await;
    neighbour.send(Frame::Broadcast(author.publish(&draft).unwrap().as_bytes().clone()));
    tokio::spawn(neighbour.answers_pings());
    let id = identity(20).id();
    while stage.node.member_state(&id).is_none() {
        events.next().await;
    }
    let (report, answer) = tokio::sync::oneshot::channel();
    let stream = stage
        .dialled(async {
            let asking = stage.node.request(&id, "t", "").into_future();
            tokio::spawn(async move { report.send(asking.await) });
        })
        .await;
    let mut peer = Peer::dialled(stream, &stage.node, identity(20), &["requests"]).await.unwrap();
    assert!(matches!(peer.next_of_requests().await, Some(Frame::Request(_))));
    peer.send(answers(1, true, 3));
    assert_eq!(answer.await.unwrap().unwrap().bytes().len(), 3);
    let start = Instant::now();
    match peer.next_of_requests().await {
        Some(Frame::Goodbye(goodbye)) => assert_eq!(goodbye.code, GoodbyeCode::Idle),
        other => panic!("{other:?}"),
    }
    assert!((10..=12).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    loop {
        if let Some(Event::LinkClosed { peer, reason, .. }) = events.next().await {
            assert_eq!((peer, reason), (id, Reason::Idle));
            break;
        }
    }
}
