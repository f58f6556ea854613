//! The verdict table of the protocol: which check comes first, and what its reason is.

use super::*;

fn reason_at(second: i64, lifetime: u32, micros: i64) -> Option<Reason> {
    let mut node = Alone::with(Settings { keep: Duration::from_secs(1000), ..Settings::local() });
    let link = node.linked(1);
    let draft = Draft {
        title: "t".parse().unwrap(),
        message: Bytes::new(),
        time: wall(second * 1_000_000 + micros),
        lifetime: Lifetime::secs(lifetime),
    };
    let envelope = signer(9).publish(&draft).unwrap();
    node.why(link, &envelope)
}

#[test]
fn times_are_tolerated_two_minutes_both_ways() {
    assert_eq!(reason_at(119, 60, 0), None);
    assert_eq!(reason_at(120, 60, 0), None);
    assert_eq!(reason_at(120, 60, 1), Some(Reason::FromTheFuture));
    assert_eq!(reason_at(121, 60, 0), Some(Reason::FromTheFuture));
    assert_eq!(reason_at(-119, 0, 0), None);
    assert_eq!(reason_at(-120, 0, 0), None);
    assert_eq!(reason_at(-120, 0, -1), Some(Reason::Expired));
    assert_eq!(reason_at(-121, 0, 0), Some(Reason::Expired));
}

#[test]
fn a_lifetime_counts_up_to_what_is_kept_here() {
    assert_eq!(reason_at(-500, 500, 0), None);
    assert_eq!(reason_at(-501, 500, 0), Some(Reason::Expired));
    assert_eq!(reason_at(-1000, u32::MAX, 0), None);
    assert_eq!(reason_at(-1001, u32::MAX, 0), Some(Reason::Expired));
}

#[test]
fn a_node_without_history_takes_nothing_from_before_its_floor() {
    let mut node = Alone::with(Settings { history: false, ..Settings::local() });
    let link = node.linked(1);
    assert_eq!(node.why(link, &said(9, "t", "old", -120)), None);
    assert_eq!(node.why(link, &said(9, "t", "older", -121)), Some(Reason::BeforeFloor));
}

#[test]
fn a_superseded_presence_is_neither_relayed_nor_verified_again() {
    let mut node = Alone::new();
    let (link, _) = (node.linked(1), node.linked(2));
    let (old, new) = (presence(9, 1, &[]), presence(9, 2, &[]));
    node.take_in(link, &new);
    assert_eq!(relayed(&node.outputs()).len(), 1);
    assert!(node.claim(link, &old).claimed.is_empty());
    assert!(relayed(&node.outputs()).is_empty());
    assert_eq!(node.counted(Reason::Superseded), 1);
    assert_eq!(node.why(link, &old), Some(Reason::Duplicate));
}

#[test]
fn a_protocol_message_that_makes_no_sense_changes_nothing() {
    let mut node = Alone::new();
    let link = node.linked(1);
    for (n, envelope) in [said(9, PRESENCE_TITLE, "{", 1), said(9, LEAVE_TITLE, "x", 1)].iter().enumerate() {
        assert!(node.claim(link, envelope).claimed.is_empty());
        assert_eq!(node.counted(Reason::BadContent), n as u64 + 1);
        assert_eq!(node.core.member_state(&id(9)), None);
    }
    assert_eq!(closed(&node.outputs()), [], "its author may be newer than this node");
}

#[test]
fn a_sender_over_its_share_is_refused_unverified_and_others_are_not() {
    let mut node = Alone::with(Settings { index_capacity: 16, ..Settings::local() });
    let link = node.linked(1);
    for n in 0..2 {
        node.take_in(link, &said(9, "t", format!("{n}"), 0));
    }
    assert_eq!(node.why(link, &said(9, "t", "more", 0)), Some(Reason::SenderOverShare));
    assert_eq!(node.why(link, &said(8, "t", "other", 0)), None);
}

#[test]
fn own_times_rise_strictly_and_never_run_far_ahead() {
    let mut node = Alone::new();
    let first = node.core.draw_time(node.now()).unwrap();
    let second = node.core.draw_time(node.now()).unwrap();
    assert_eq!((first, second), (wall(0), wall(1)));
    node.core.draw_time(now(120_000)).unwrap();
    assert!(node.core.draw_time(now(60_001)).is_ok(), "a minute back is bridged");
    let back = node.core.draw_time(now(59_000)).unwrap_err();
    assert_eq!(back.now, wall(59_000_000));
    assert!(back.last > wall(119_000_000) && back.to_string().contains("clock"));
}

#[test]
fn hearing_ones_own_voice_raises_the_alarm_but_not_for_what_was_said_before_the_start() {
    let mut node = Alone::new();
    let link = node.linked(1);
    node.take_in(link, &said(0, "t", "from my last life", -10));
    // Killed soon after a start, a node has signed times ahead of its clock; with its folder it has lost how far.
    node.take_in(link, &said(0, "t", "said ahead of the clock", 10));
    assert!(!events(node.outputs()).iter().any(|event| matches!(event, CoreEvent::IdentityUsedElsewhere { .. })));
    let clone = said(0, "t", "not mine", 12);
    node.take_in(link, &clone);
    assert!(events(node.outputs()).contains(&CoreEvent::IdentityUsedElsewhere { id: clone.id() }));
    let mine = said(0, "t", "mine", 13);
    node.core.publish(node.now(), mine.clone());
    assert_eq!(node.why(link, &mine), Some(Reason::Duplicate));
}

#[test]
fn a_clock_set_back_an_hour_after_a_purge_revives_nothing() {
    const HOUR: u64 = 3_600_000;
    let mut node = Alone::new();
    let link = node.linked(1);
    let short =
        Draft { title: "t".parse().unwrap(), message: "once".into(), time: wall(0), lifetime: Lifetime::secs(300) };
    let message = signer(9).publish(&short).unwrap();
    let presence = presence(9, 0, &[]);
    for envelope in [&message, &presence] {
        node.take_in(link, envelope);
    }
    node.wait(2 * HOUR);
    assert!(!node.core.has_accepted(&message.id()) && node.core.member_state(&id(9)).is_none(), "both are forgotten");
    // The clock on the wall goes back to when they were live; the other one goes on.
    let set_back = Now { wall: wall(1_000_000), ..node.now() };
    let link = node.next_link + 1;
    let opening = Opening { time: set_back.wall, ..node.opening(2, Direction::Inbound) };
    node.core.link_opened(set_back, opening).unwrap();
    for envelope in [message, presence] {
        let offer = node.core.offer(set_back, LinkId(link), false, vec![(*envelope).clone()]).remove(0);
        assert!(matches!(offer, Offer::Drop(Reason::Expired)), "{offer:?}");
    }
}
