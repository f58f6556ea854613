//! Opening, doubting and closing links.

use super::*;

fn refused(node: &mut Alone, opening: Opening) -> Option<Refused> {
    node.core.link_opened(node.now(), opening).err()
}

/// A peer whose name is smaller, or larger, than node 0's.
fn peer(smaller: bool) -> u8 {
    (1..=255).find(|n| (id(*n) < id(0)) == smaller).unwrap()
}

#[test]
fn of_two_links_with_different_initiators_that_of_the_smaller_stays() {
    let duplicate = Refused { reason: Reason::DuplicateLink, goodbye: Some(GoodbyeCode::Duplicate) };
    for (first, second) in [(Direction::Inbound, Direction::Outbound), (Direction::Outbound, Direction::Inbound)] {
        for theirs_is_smaller in [true, false] {
            let mut node = Alone::new();
            let n = peer(theirs_is_smaller);
            let opening = node.opening(n, first);
            let old = opening.link;
            node.core.link_opened(node.now(), opening).unwrap();
            node.outputs();
            let opening = node.opening(n, second);
            let newer = opening.link;
            let outcome = refused(&mut node, opening);
            let newer_stays = (second == Direction::Inbound) == theirs_is_smaller;
            let closing = closed(&node.outputs());
            if newer_stays {
                assert_eq!(outcome, None);
                assert_eq!(closing, [(old, Some(GoodbyeCode::Duplicate), Reason::DuplicateLink)]);
                assert_eq!(node.core.link_with(&id(n)), Some(newer));
            } else {
                assert_eq!(outcome, Some(duplicate));
                assert_eq!(closing, []);
                assert_eq!(node.core.link_with(&id(n)), Some(old));
            }
        }
    }
}

#[test]
fn an_older_link_that_shows_no_life_gives_way_after_two_seconds() {
    for (second, older_lives) in [
        (Direction::Inbound, true),
        (Direction::Inbound, false),
        (Direction::Outbound, true),
        (Direction::Outbound, false),
    ] {
        let mut node = Alone::new();
        // The older one is to stay by the rule: same initiator, or the peer has the smaller name.
        let n = peer(true);
        let old = node.linked(n);
        node.millis += 100;
        let opening = node.opening(n, second);
        let newer = opening.link;
        let outcome = refused(&mut node, opening);
        assert_eq!(outcome.is_none(), second == Direction::Inbound);
        node.millis += 100;
        if older_lives {
            node.frame(old, Frame::Pong([0; 8]));
        }
        let outputs: Vec<Output> = node.wait(2_000).into_iter().map(|(_, output)| output).collect();
        let closing: Vec<LinkId> = closed(&outputs).iter().map(|(link, ..)| *link).collect();
        match (second, older_lives) {
            (Direction::Inbound, true) => assert_eq!(closing, [newer]),
            (Direction::Outbound, true) => assert_eq!(closing, []),
            (_, false) => assert_eq!(closing, [old]),
        }
    }
}

#[test]
fn of_two_links_this_node_opened_the_other_node_chooses() {
    let mut node = Alone::new();
    for _ in 0..2 {
        let opening = node.opening(1, Direction::Outbound);
        assert_eq!(refused(&mut node, opening), None);
    }
    let outputs: Vec<Output> = node.wait(3_000).into_iter().map(|(_, output)| output).collect();
    assert_eq!(closed(&outputs), []);
}

#[test]
fn a_renewed_link_takes_the_older_ones_place_but_not_twice_within_ten_minutes() {
    let mut node = Alone::new();
    let old = node.linked(1);
    let opening = Opening { renew: true, ..node.opening(1, Direction::Inbound) };
    let newer = opening.link;
    assert_eq!(refused(&mut node, opening), None);
    assert_eq!(closed(&node.outputs()), [(old, Some(GoodbyeCode::Renewed), Reason::Renewed)]);
    let opening = Opening { renew: true, ..node.opening(1, Direction::Inbound) };
    assert_eq!(refused(&mut node, opening), None);
    assert_eq!(closed(&node.outputs()), [], "a second link like any other: {newer:?} may prove that it lives");
}

#[test]
fn who_opened_a_link_renews_it_and_keeps_it_until_the_newer_one_is_open() {
    let mut node = Alone::new();
    let opening = node.opening(1, Direction::Outbound);
    let (old, remote) = (opening.link, opening.remote);
    assert_eq!(refused(&mut node, opening), None);
    node.outputs();
    node.core.renew(node.now(), old);
    let outputs = node.outputs();
    let [Output::Dial { dial, target }] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(*target, Target::Renewal { id: id(1), address: remote });
    assert_eq!(node.core.link_with(&id(1)), Some(old));
    let opening = Opening { dial: Some(*dial), ..node.opening(1, Direction::Outbound) };
    let newer = opening.link;
    assert_eq!(refused(&mut node, opening), None);
    assert_eq!(closed(&node.outputs()), [(old, Some(GoodbyeCode::Renewed), Reason::Renewed)]);
    assert_eq!(node.core.link_with(&id(1)), Some(newer));

    let inbound = node.linked(2);
    node.core.renew(node.now(), inbound);
    assert!(node.outputs().is_empty(), "the other node opened it, and renews it");
}

#[test]
fn a_node_does_not_link_with_itself() {
    let mut node = Alone::new();
    for direction in [Direction::Inbound, Direction::Outbound] {
        let opening = node.opening(0, direction);
        assert_eq!(refused(&mut node, opening), Some(Refused { reason: Reason::OwnIdentity, goodbye: None }));
    }
    assert_eq!(node.core.admit(node.now(), &id(0)), Err(Reason::OwnIdentity));
}

#[test]
fn a_full_node_says_so() {
    let mut node = Alone::with(Settings { inbound_links: 3, ..Settings::local() });
    for peer in 1..=3 {
        node.linked(peer);
    }
    let opening = node.opening(4, Direction::Inbound);
    assert_eq!(refused(&mut node, opening), Some(Refused { reason: Reason::Full, goodbye: Some(GoodbyeCode::Full) }));
}

#[test]
fn a_node_that_stops_says_so_on_every_link() {
    let mut node = Alone::new();
    let links = [node.linked(1), node.linked(2)];
    node.core.stop(node.now());
    let expected = links.map(|link| (link, Some(GoodbyeCode::Leaving), Reason::Stopping));
    assert_eq!(closed(&node.outputs()), expected);
}

#[test]
fn a_goodbye_becomes_the_reason_whatever_the_host_sees_first() {
    for (code, reason) in [
        (GoodbyeCode::Leaving, Reason::PeerLeft),
        (GoodbyeCode::Duplicate, Reason::DuplicateLink),
        (GoodbyeCode::Full, Reason::PeerFull),
        (GoodbyeCode::VisitDone, Reason::VisitDone),
        (GoodbyeCode::Idle, Reason::Idle),
        (GoodbyeCode::NotAdmitted, Reason::PeerRefused),
        (GoodbyeCode::Barred, Reason::PeerRefused),
        (GoodbyeCode::Unsupported, Reason::PeerRefused),
        (GoodbyeCode::Renewed, Reason::Renewed),
        (GoodbyeCode::Overload, Reason::PeerFull),
        (GoodbyeCode::NetworkShutdown, Reason::NetworkShutDown),
        (GoodbyeCode::Unknown(77), Reason::PeerLeft),
    ] {
        let mut node = Alone::new();
        let link = node.linked(1);
        let outputs = node.frame(link, goodbye(code));
        assert_eq!(closed(&outputs), [(link, None, reason)], "{code}");
        node.core.link_closed(node.now(), link, Reason::ConnectionLost);
        let closed = CoreEvent::LinkClosed { link, peer: id(1), direction: Direction::Inbound, reason };
        assert!(events(node.outputs()).contains(&closed), "{code}");
    }
}

#[test]
fn a_quiet_link_is_pinged_and_a_dead_one_closed() {
    let mut node = Alone::with(Settings { announce_every: Duration::from_secs(3600), ..Settings::local() });
    let link = node.linked(1);
    let outputs = node.wait(20_000);
    let pings: Vec<u64> = outputs
        .iter()
        .filter(|(_, output)| matches!(output, Output::Send { frame: Frame::Ping(_), .. }))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(pings, [4_000, 8_000]);
    let closes: Vec<u64> =
        outputs.iter().filter(|(_, output)| matches!(output, Output::Close { .. })).map(|(at, _)| *at).collect();
    assert_eq!(closes, [10_000]);
    let all: Vec<Output> = outputs.into_iter().map(|(_, output)| output).collect();
    assert_eq!(closed(&all), [(link, None, Reason::Silent)]);
}

#[test]
fn a_link_that_answers_lives_and_its_round_trip_is_known() {
    let mut node = Alone::new();
    let link = node.linked(1);
    for _ in 0..10 {
        let asked = node.wait(4_000);
        let nonce = asked.iter().find_map(|(_, output)| match output {
            Output::Send { frame: Frame::Ping(nonce), .. } => Some(*nonce),
            _ => None,
        });
        node.millis += 30;
        let outputs = node.frame(link, Frame::Pong(nonce.expect("a ping every four seconds")));
        let round_trip = Duration::from_millis(30);
        assert!(events(outputs).contains(&CoreEvent::Latency { link, peer: id(1), round_trip }));
        assert_eq!(node.core.links()[0].round_trip, Some(round_trip));
    }
}

#[test]
fn two_pings_a_second_are_answered() {
    let mut node = Alone::new();
    let link = node.linked(1);
    let mut answered = 0;
    for _ in 0..1000 {
        answered += node.frame(link, Frame::Ping([1; 8])).len();
        node.millis += 10;
    }
    assert_eq!(answered, 4 + 19, "a burst of four, then one in 500 ms for ten seconds");
}

#[test]
fn a_clock_far_off_is_worth_a_warning_and_no_more() {
    for (ahead, by, warned) in [(true, 119, false), (true, 121, true), (false, 119, false), (false, 121, true)] {
        let mut node = Alone::new();
        let by = Duration::from_secs(by);
        let own = node.now().wall;
        let time = if ahead { own.plus(by) } else { own.minus(by) };
        let opening = Opening { time, ..node.opening(1, Direction::Inbound) };
        node.core.link_opened(node.now(), opening).unwrap();
        assert_eq!(events(node.outputs()).contains(&CoreEvent::ClockOff { peer: id(1), by, ahead }), warned);
    }
}

#[test]
fn of_links_that_are_too_many_one_outside_the_tree_goes_first_whatever_it_brought() {
    for lazy in 2..=8_u8 {
        let mut node = Alone::with(Settings { target_links: 4, max_links: 6, ..Settings::local() });
        let links: Vec<_> = (2..=8).map(|peer| node.linked(peer)).collect();
        let lazy = links[usize::from(lazy) - 2];
        node.take_in(lazy, &said(1, "t", "by the lazy one", 0));
        node.frame(lazy, Frame::Lazy);
        node.outputs();
        node.millis += 6_000;
        links.iter().for_each(|link| drop(node.frame(*link, Frame::Pong([0; 8]))));
        node.core.maintain(node.now());
        assert_eq!(closed(&node.outputs()), [(lazy, Some(GoodbyeCode::Full), Reason::Full)]);
    }
}

#[test]
fn of_links_that_are_too_many_those_that_never_brought_anything_go_first() {
    for idle in 2..=8_u8 {
        let mut node = Alone::with(Settings { target_links: 4, max_links: 6, ..Settings::local() });
        let links: Vec<_> = (2..=8).map(|peer| node.linked(peer)).collect();
        for (peer, link) in (2..).zip(&links) {
            // What a neighbour says itself is not passed on.
            node.take_in(*link, &said(peer, "t", "own", 0));
            if peer != idle {
                node.take_in(*link, &said(1, "t", format!("by {peer}"), 0));
            }
        }
        node.outputs();
        node.millis += 6_000;
        links.iter().for_each(|link| drop(node.frame(*link, Frame::Pong([0; 8]))));
        let news: Vec<u64> = node.core.links().iter().map(|link| link.news).collect();
        assert_eq!(news, (2..=8).map(|peer| u64::from(peer != idle)).collect::<Vec<_>>());
        node.core.maintain(node.now());
        let closed = closed(&node.outputs());
        assert_eq!(closed, [(links[usize::from(idle) - 2], Some(GoodbyeCode::Full), Reason::Full)]);
    }
}

#[test]
fn many_that_come_and_go_push_out_nobody_who_was_there() {
    let mut node = Alone::with(Settings { target_links: 4, max_links: 6, ..Settings::local() });
    let there: Vec<_> = (1..=6).map(|peer| node.linked(peer)).collect();
    let heard = |node: &mut Alone| {
        there.iter().for_each(|link| drop(node.frame(*link, Frame::Pong([0; 8]))));
        node.core.maintain(node.now());
        closed(&node.outputs())
    };
    for wave in 0..3 {
        node.millis += 6_000;
        heard(&mut node);
        let newcomers: Vec<_> = (50..80).map(|peer| node.linked(peer)).collect();
        assert_eq!(heard(&mut node), [], "wave {wave}");
        node.millis += 900;
        assert_eq!(heard(&mut node), [], "wave {wave}");
        let now = node.now();
        newcomers.iter().for_each(|link| node.core.link_closed(now, *link, Reason::ConnectionLost));
        assert_eq!(heard(&mut node), []);
    }
    // Those who stay are too many, a second later.
    for peer in 50..80 {
        node.linked(peer);
    }
    heard(&mut node);
    let closed = node.wait(1_100);
    assert!(closed.iter().any(|(_, output)| matches!(output, Output::Close { reason: Reason::Full, .. })));
}
