use proptest::prelude::*;

use super::*;
use crate::envelope::{Draft, Envelope, Lifetime, Open, Scheme, Timestamp, Verified};
use crate::identity::{NetworkHash, NodeId};
use crate::link::{Outbox, OutboxLimits, Queued};

fn number(n: u64) -> RequestNumber {
    RequestNumber::new(n).unwrap()
}

fn request(n: u64) -> TransferId {
    TransferId::Request(number(n))
}

fn response(n: u64) -> TransferId {
    TransferId::Response(number(n))
}

fn head() -> Option<(RequestKind, Title)> {
    Some((RequestKind::Question, "t".parse().unwrap()))
}

fn body(bytes: usize) -> Bytes {
    (0..bytes).map(|n| n as u8).collect()
}

fn begin(lane: &mut BulkLane, id: TransferId, bytes: usize) -> Arc<Progress> {
    match id {
        TransferId::Request(_) => lane.begin(id, head(), body(bytes)).unwrap(),
        TransferId::Response(_) => {
            let progress = lane.begin(id, None, Bytes::new()).unwrap();
            lane.add(id, body(bytes)).unwrap();
            lane.complete(id);
            progress
        }
    }
}

fn broadcast(n: u8) -> Verified<Envelope> {
    let scheme = Open::new(NetworkHash::plain(&"t".parse().unwrap()), NodeId::from_bytes([1; 32]));
    let (title, message) = ("t".parse().unwrap(), vec![n].into());
    scheme.publish(&Draft { title, message, time: Timestamp::now(), lifetime: Lifetime::hours(1) }).unwrap()
}

/// Whose piece it is, how long, and whether it is the last.
fn piece(frame: &Frame) -> (u64, usize, bool) {
    match frame {
        Frame::Request(Request { number, last, bytes, .. }) => (number.get(), bytes.len(), *last),
        Frame::Response(Response { number, last, bytes }) => (number.get(), bytes.len(), *last),
        other => panic!("{other:?}"),
    }
}

fn drain(lane: &mut BulkLane) -> Vec<(u64, usize, bool)> {
    std::iter::from_fn(|| lane.next()).map(|frame| piece(&frame)).collect()
}

#[test]
fn a_small_answer_is_not_stuck_behind_a_large_one() {
    let mut lane = BulkLane::default();
    begin(&mut lane, response(1), 16 << 20);
    assert_eq!(piece(&lane.next().unwrap()), (1, Response::ROOM, false));
    let small = begin(&mut lane, response(2), 10);
    let next = [lane.next().unwrap(), lane.next().unwrap()];
    assert!(next.iter().any(|frame| piece(frame) == (2, 10, true)), "{next:?}");
    assert!(small.is_sent());
}

#[test]
fn many_large_ones_share_the_link_piece_by_piece() {
    let mut lane = BulkLane::default();
    (1..=8).for_each(|n| drop(begin(&mut lane, response(n), 300_000)));
    let order: Vec<_> = drain(&mut lane).into_iter().map(|(number, ..)| number).collect();
    for round in order.chunks(8) {
        let mut round = round.to_vec();
        round.sort_unstable();
        assert_eq!(round, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
    assert_eq!(order.len(), 8 * 300_000_usize.div_ceil(Response::ROOM));
}

#[test]
fn an_answer_stops_at_a_mebibyte_and_goes_on_with_what_it_is_given() {
    let mut lane = BulkLane::default();
    let progress = begin(&mut lane, response(1), 3 << 20);
    let sum = |pieces: Vec<(u64, usize, bool)>| pieces.iter().map(|piece| piece.1).sum::<usize>();
    assert_eq!(sum(drain(&mut lane)), 1 << 20);
    assert!(lane.is_empty() && lane.is_blocked(response(1)) && !progress.is_over());
    lane.credit(response(1), 100);
    assert_eq!(sum(drain(&mut lane)), 100);
    lane.credit(response(1), usize::MAX);
    lane.credit(response(1), usize::MAX);
    assert_eq!(sum(drain(&mut lane)), (2 << 20) - 100);
    assert!(progress.is_sent() && lane.transfers.is_empty());
}

#[test]
fn requests_begin_in_the_order_of_their_numbers_however_many_wait() {
    let mut lane = BulkLane::default();
    (1..=40).for_each(|n| drop(begin(&mut lane, request(n), 1 << 20)));
    assert!(!drain(&mut lane).is_empty() && lane.window == 0);
    (41..=64).for_each(|n| drop(begin(&mut lane, request(n), if n % 2 == 0 { 10 } else { 1 << 20 })));
    let mut begun = Vec::new();
    lane.credit(request(1), 1 << 20);
    for (number, ..) in drain(&mut lane) {
        if number > 40 && !begun.contains(&number) {
            begun.push(number);
        }
    }
    assert_eq!(begun, Vec::from_iter(41..=64));
}

#[test]
fn what_is_given_up_makes_room_for_the_others() {
    let mut lane = BulkLane::default();
    let (first, second) = (begin(&mut lane, request(1), 2 << 20), begin(&mut lane, request(2), 2 << 20));
    drain(&mut lane);
    assert_eq!(lane.window, 0);
    assert_eq!(lane.give_up(request(1)), Some(true));
    assert!(first.is_over() && !first.is_sent() && !second.is_over());
    assert!(drain(&mut lane).iter().all(|(number, ..)| *number == 2));
    assert_eq!(lane.give_up(request(2)), Some(true));
    assert_eq!(lane.window, REQUEST_WINDOW);
    assert_eq!(lane.give_up(request(2)), None);
    begin(&mut lane, request(3), 5);
    assert_eq!(lane.give_up(request(3)), Some(false), "the other side never heard of it");
    assert!(lane.is_empty() && lane.next().is_none());
}

#[test]
fn a_stream_ends_with_a_piece_that_says_so() {
    let mut lane = BulkLane::default();
    let progress = lane.begin(response(1), None, Bytes::new()).unwrap();
    assert!(lane.next().is_none(), "nothing is known of it yet");
    assert_eq!(lane.add(response(1), body(5)), Some(5));
    assert_eq!(drain(&mut lane), [(1, 5, false)]);
    lane.complete(response(1));
    assert_eq!(drain(&mut lane), [(1, 0, true)]);
    assert!(progress.is_sent());
    assert_eq!(lane.add(response(1), body(5)), None);
}

#[test]
fn a_broadcast_waits_for_no_bulk_that_came_before_it() {
    let outbox = Outbox::new(OutboxLimits::default());
    for n in 1..=64 {
        outbox.open_response(number(n)).unwrap();
        outbox.add_to_response(number(n), body(1 << 20));
    }
    let mut taken = Vec::new();
    for round in 0..100 {
        outbox.push_control(Frame::Ping([round; 8])).unwrap();
        assert_eq!(outbox.push_broadcast(&broadcast(round)), Queued::Whole);
        outbox.take(&mut taken, 256 << 10);
        let place = taken.iter().position(|frame| matches!(frame, Frame::Broadcast(_)));
        assert_eq!(place, Some(1), "behind what is more urgent, before everything else");
        assert!(taken[2..].iter().all(|frame| matches!(frame, Frame::Response(_))));
        assert!(taken.len() > 2);
        taken.clear();
    }
}

#[derive(Clone, Debug)]
enum Step {
    Request(usize),
    Response(usize),
    Credit(usize, usize),
    GiveUp(usize),
    Take,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![0..100_usize, 0..200_000_usize, Just(2_000_000)];
    let step = prop_oneof![
        size.clone().prop_map(Step::Request),
        size.clone().prop_map(Step::Response),
        (0..40_usize, size).prop_map(|(at, bytes)| Step::Credit(at, bytes)),
        (0..40_usize).prop_map(Step::GiveUp),
        Just(Step::Take),
        Just(Step::Take),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    /// What the other side counts, counted here: first pieces are free, all else is on credit or lent.
    #[test]
    fn whatever_comes_in_whatever_order_no_bound_is_exceeded_and_nothing_is_lost(steps in steps()) {
        #[derive(Default)]
        struct Seen { size: usize, sent: usize, granted: usize, borrowed: usize, is_begun: bool, is_over: bool }
        let mut lane = BulkLane::default();
        let mut seen: BTreeMap<TransferId, Seen> = BTreeMap::new();
        let mut next = 1;
        let check = |lane: &mut BulkLane, seen: &mut BTreeMap<TransferId, Seen>| {
            let Some(frame) = lane.next() else { return false };
            let (number, len, last) = piece(&frame);
            let is_request = matches!(frame, Frame::Request(_));
            let one = seen.get_mut(&if is_request { request(number) } else { response(number) }).unwrap();
            assert!(!one.is_over && (last || len > 0));
            one.sent += len;
            if is_request && !one.is_begun {
                assert!(matches!(&frame, Frame::Request(first) if first.title.as_str() == "t"));
            } else {
                let on_credit = len.min(one.granted);
                one.granted -= on_credit;
                one.borrowed += len - on_credit;
                if is_request {
                    assert!(matches!(&frame, Frame::Request(later) if later.title.as_str().is_empty()));
                }
            }
            one.is_begun = true;
            if last {
                assert_eq!(one.sent, one.size);
                (one.is_over, one.borrowed) = (true, 0);
            }
            let requests = seen.iter().filter(|(id, _)| matches!(id, TransferId::Request(_)));
            let lent: usize = requests.map(|(_, one)| one.borrowed).sum();
            assert!(lent <= REQUEST_WINDOW);
            assert!(seen.values().all(|one| one.borrowed <= RESPONSE_WINDOW));
            true
        };
        for step in steps {
            match step {
                Step::Request(size) | Step::Response(size) => {
                    let id = if matches!(step, Step::Request(_)) { request(next) } else { response(next) };
                    begin(&mut lane, id, size);
                    seen.insert(id, Seen { size, ..Seen::default() });
                    next += 1;
                }
                Step::Credit(at, bytes) => {
                    if let Some((id, one)) = seen.iter_mut().nth(at).filter(|(_, one)| !one.is_over) {
                        lane.credit(*id, bytes);
                        one.granted += bytes;
                    }
                }
                Step::GiveUp(at) => {
                    if let Some((id, one)) = seen.iter_mut().nth(at) {
                        lane.give_up(*id);
                        (one.is_over, one.borrowed) = (true, 0);
                    }
                }
                Step::Take => drop(check(&mut lane, &mut seen)),
            }
        }
        // With leave for all of it, everything ends.
        let open: Vec<_> = seen.iter().filter(|(_, one)| !one.is_over).map(|(id, _)| *id).collect();
        for id in open {
            lane.credit(id, 4_000_000);
            seen.get_mut(&id).unwrap().granted += 4_000_000;
        }
        while check(&mut lane, &mut seen) {}
        prop_assert!(seen.values().all(|one| one.is_over));
        prop_assert!(lane.transfers.is_empty() && lane.window == REQUEST_WINDOW);
    }
}
