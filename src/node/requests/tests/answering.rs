use proptest::prelude::*;

use super::super::holding::HELD_LINK;
use super::*;
use crate::link::REQUEST_WINDOW;

#[tokio::test]
async fn a_request_in_pieces_comes_together_again() {
    let node = Alone::new();
    let mut served = node.serve("t");
    for (n, size) in [(1, 0), (2, 1), (3, 65_000), (4, 70_000), (5, 900_000)] {
        let body: Bytes = (0..size).map(|n: usize| n as u8).collect();
        let mut pieces = body.chunks(60_000).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        let last = pieces.pop().unwrap_or_default();
        if pieces.is_empty() {
            node.arrives(first(n, "t", true, last)).unwrap();
        } else {
            node.arrives(first(n, "t", false, pieces.remove(0))).unwrap();
            pieces.into_iter().for_each(|piece| node.arrives(later(n, false, piece)).unwrap());
            node.arrives(later(n, true, last)).unwrap();
        }
        let asked = served.next().await.unwrap();
        assert_eq!((asked.body.len(), &asked.body), (size, &body));
        asked.reply("done");
        assert!(node.sent().contains(&response(n, true, "done")));
    }
    assert_eq!((node.link.answers.held(), node.link.answers.count()), (0, 0));
}

#[test]
fn who_serves_a_title_serves_what_is_under_it_but_for_what_is_served_more_closely() {
    let node = Alone::new();
    let (mut chain, mut block) = (node.serve("chain"), node.serve("chain/block"));
    let taken = node.services.serve("chain".parse().unwrap(), node.stopped.clone()).unwrap_err();
    assert_eq!(taken, ServeError::Taken("chain".into()));
    for (n, title) in
        ["chain", "chain/head", "chain/block", "chain/block/7", "chains", "chai", "other"].iter().enumerate()
    {
        node.arrives(first(n as u64 + 1, title, true, "")).unwrap();
    }
    let titles = |requests: &mut Requests| {
        let asked = std::iter::from_fn(|| futures_now(requests.next()));
        asked.map(|asked| asked.title.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&mut chain), ["chain", "chain/head"]);
    assert_eq!(titles(&mut block), ["chain/block", "chain/block/7"]);
    let refusals = node.refusals();
    let unserved = refusals.iter().filter(|(_, code)| *code == RefusedCode::NoSuchTitle).count();
    let unanswered = refusals.iter().filter(|(_, code)| *code == RefusedCode::Application).count();
    assert_eq!((unserved, unanswered), (3, 4), "what is dropped without an answer is refused too");
    drop(block);
    node.arrives(first(20, "chain/block", true, "")).unwrap();
    assert_eq!(titles(&mut chain), ["chain/block"]);
}

/// What a future gives at once, if it does.
fn futures_now<T>(future: impl Future<Output = Option<T>>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => None,
    }
}

#[test]
fn of_ten_thousand_open_requests_sixty_four_are_held() {
    let node = Alone::new();
    let _served = node.serve("t");
    let mut busy = 0;
    for n in 1..=10_000 {
        node.arrives(first(n, "t", n % 2 == 0, "x")).unwrap();
        busy += node.refusals().iter().filter(|(_, code)| *code == RefusedCode::Busy).count();
        assert!(node.link.answers.count() <= OPEN);
    }
    assert_eq!(busy, 10_000 - OPEN);
    assert_eq!(node.link.answers.held(), OPEN);
    // Whoever gives up makes room.
    node.arrives(cancelled(2)).unwrap();
    node.arrives(first(10_001, "t", true, "x")).unwrap();
    assert_eq!(node.refusals(), []);
}

#[test]
fn numbers_that_fall_or_come_again_are_an_offence_and_late_pieces_are_not() {
    let node = Alone::new();
    let _served = node.serve("t");
    node.arrives(first(5, "t", false, "x")).unwrap();
    assert_eq!(node.arrives(first(5, "t", true, "x")), Err(Overstep));
    assert_eq!(node.arrives(first(4, "t", true, "x")), Err(Overstep));
    node.arrives(cancelled(5)).unwrap();
    node.arrives(later(5, true, "under way when it was given up")).unwrap();
    assert_eq!(node.arrives(first(5, "t", true, "x")), Err(Overstep));
    node.arrives(first(9, "t", true, "numbers may be left out")).unwrap();
    assert_eq!(node.link.answers.count(), 1);
}

#[test]
fn pieces_without_end_are_an_offence_as_soon_as_nobody_gave_leave_to_them() {
    let node = Alone::new();
    let _served = node.serve("t");
    assert_eq!(node.arrives(first(1, "t", false, "")), Err(Overstep), "an empty piece that is not the last");
    let node = Alone::new();
    let _served = node.serve("t");
    // Many that begin, none that ends, and leave that was given to one of them alone.
    (1..=20).for_each(|n| node.arrives(first(n, "t", false, zeros(60_000))).unwrap());
    let (mut lent, mut n) = (0, 0);
    while node.arrives(later(2 + n % 19, false, zeros(60_000))).is_ok() {
        (lent, n) = (lent + 60_000, n + 1);
        assert!(lent <= REQUEST_WINDOW && node.link.answers.held() == 20 * 60_000 + lent);
    }
    assert_eq!(lent, REQUEST_WINDOW / 60_000 * 60_000);
    assert!(credits(&node.sent()).iter().all(|(number, _)| *number == 1));
}

#[test]
fn a_request_larger_than_is_taken_is_refused_before_it_has_come_in() {
    let node = Alone::new();
    let _served = node.serve("t").limit(100_000);
    node.arrives(first(1, "t", false, zeros(60_000))).unwrap();
    assert_eq!(node.refusals(), []);
    node.arrives(later(1, false, zeros(60_000))).unwrap();
    assert_eq!(node.refusals(), [(1, RefusedCode::TooLarge)]);
    node.arrives(later(1, false, zeros(60_000))).unwrap();
    assert_eq!((node.refusals(), node.link.answers.held()), (vec![], 0));
    node.arrives(first(2, "sealnet/presence", true, "")).unwrap();
    assert_eq!(node.refusals(), [(2, RefusedCode::NotAllowed)]);
}

#[test]
fn the_oldest_request_is_given_leave_until_it_is_whole_and_then_the_next() {
    let (sender, receiver) = (Alone::new(), Alone::new());
    let mut served = receiver.serve("t");
    let bodies = [16 << 20, 3 << 20, 5, 16 << 20];
    for (n, size) in bodies.into_iter().enumerate() {
        let n = number(n as u64 + 1);
        sender.outbox.send_request(n, RequestKind::Question, "t".parse().unwrap(), zeros(size)).unwrap();
    }
    let (mut came, mut most) = (Vec::new(), 0);
    loop {
        let sent = sender.sent();
        if sent.is_empty() {
            break;
        }
        for frame in sent {
            receiver.arrives(frame).unwrap();
            most = most.max(receiver.link.answers.held());
        }
        for frame in receiver.sent() {
            assert!(matches!(frame, Frame::Credit(_)), "{frame:?}");
            sender.arrives(frame).unwrap();
        }
        came.extend(std::iter::from_fn(|| futures_now(served.next())).map(|asked| asked.body.len()));
        receiver.sent();
    }
    came.sort_unstable();
    assert_eq!(came, [5, 3 << 20, 16 << 20, 16 << 20]);
    assert!(most <= HELD_LINK, "{most}");
}

#[test]
fn an_answer_that_was_cancelled_goes_no_further_and_its_giver_is_told() {
    let node = Alone::new();
    let mut served = node.serve("t");
    node.arrives(first(1, "t", true, "x")).unwrap();
    let mut reply = futures_now(served.next()).unwrap().reply_stream(None).unwrap();
    futures_now(async { reply.send(zeros(100_000)).await.ok() }).unwrap();
    assert!(!node.sent().is_empty());
    node.arrives(cancelled(1)).unwrap();
    assert_eq!(futures_now(async { Some(reply.send(zeros(1)).await) }), Some(Err(ReplyEnded)));
    let told = async {
        reply.cancelled().await;
        Some(())
    };
    assert!(futures_now(told).is_some());
    drop(reply);
    assert_eq!(node.sent(), []);
    // And before it began.
    node.arrives(first(2, "t", true, "x")).unwrap();
    let asked = futures_now(served.next()).unwrap();
    assert!(!asked.is_cancelled());
    node.link.link_closed();
    assert!(asked.is_cancelled());
    asked.reply(zeros(1000));
    assert_eq!(node.sent(), []);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_moves_is_dropped_after_half_a_minute() {
    let node = Alone::new();
    let mut served = node.serve("t");
    node.arrives(first(1, "t", false, zeros(60_000))).unwrap();
    node.arrives(first(2, "t", true, "")).unwrap();
    served.next().await.unwrap().reply(zeros(2 << 20));
    node.arrives(first(3, "t", true, "")).unwrap();
    let waiting = served.next().await.unwrap();
    assert_eq!(node.sent().len(), (1_usize << 20).div_ceil(crate::wire::Response::ROOM));
    for _ in 0..29 {
        node.link.drop_stalled(tokio::time::Instant::now());
        assert_eq!(node.refusals(), []);
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    node.link.drop_stalled(tokio::time::Instant::now());
    assert_eq!(node.refusals(), [(1, RefusedCode::Deadline), (2, RefusedCode::Deadline)]);
    assert_eq!(node.link.answers.count(), 1, "an answer that is still being made may take its time");
    drop(waiting);
}

#[derive(Clone, Debug)]
enum Piece {
    First(u64, bool, usize),
    Later(u64, bool, usize),
    Cancel(u64),
    Credit(u64, u32),
    Answer,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let size = || prop_oneof![0..50_usize, Just(65_000)];
    let number = || 1..150_u64;
    let piece = prop_oneof![
        3 => (number(), any::<bool>(), size()).prop_map(|(n, last, size)| Piece::First(n, last, size)),
        9 => (number(), prop::bool::weighted(0.05), size()).prop_map(|(n, last, size)| Piece::Later(n, last, size)),
        1 => number().prop_map(Piece::Cancel),
        1 => (number(), any::<u32>()).prop_map(|(n, bytes)| Piece::Credit(n, bytes)),
        1 => Just(Piece::Answer),
    ];
    proptest::collection::vec(piece, 1..400)
}

proptest! {
    #[test]
    fn whatever_a_peer_sends_the_bounds_hold_and_nothing_is_left_behind(pieces in pieces()) {
        let node = Alone::new();
        let mut served = node.serve("t");
        for piece in pieces {
            let _ = match piece {
                Piece::First(n, last, size) => node.arrives(first(n, "t", last, zeros(size))),
                Piece::Later(n, last, size) => node.arrives(later(n, last, zeros(size))),
                Piece::Cancel(n) => node.arrives(cancelled(n)),
                Piece::Credit(n, bytes) => node.arrives(Frame::Credit(Credit { number: number(n), bytes })),
                Piece::Answer => {
                    if let Some(asked) = futures_now(served.next()) {
                        asked.reply(zeros(1_500_000));
                    }
                    Ok(())
                }
            };
            let granted: usize = credits(&node.sent()).iter().map(|(_, bytes)| bytes).sum();
            prop_assert!(granted <= 1 << 20);
            prop_assert!(node.link.answers.held() <= HELD_LINK && node.link.answers.count() <= OPEN);
        }
        node.link.link_closed();
        drop(served);
        prop_assert_eq!((node.link.answers.held(), node.link.answers.count()), (0, 0));
    }
}
