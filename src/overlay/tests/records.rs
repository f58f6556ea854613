//! What is known of members that are away.

use super::super::records::MEMBERS;
use super::*;
use crate::wire::NodeIds;

fn record(n: u8, second: i64, key: u8) -> Verified<Envelope> {
    let record = MemberRecord { seal_key: Some([key; 32]), ..MemberRecord::default() };
    said(n, MEMBER_TITLE, record.encode(), second)
}

/// The envelopes in the one PEERS frame among the outputs.
fn answered(node: &Alone, outputs: &[Output]) -> Vec<EnvelopeId> {
    let bodies: Vec<&Bytes> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send { frame: Frame::Peers(body), .. } => Some(body),
            _ => None,
        })
        .collect();
    let [body] = bodies[..] else { panic!("{} answers to one question", bodies.len()) };
    let (mut row, mut ids) = (body.clone(), Vec::new());
    while !row.is_empty() {
        let bytes = Envelope::split_first(&mut row, node.scheme.version()).unwrap();
        ids.push(node.scheme.parse(bytes).unwrap().id());
    }
    ids
}

fn wanted(ids: &[u8]) -> Frame {
    Frame::MembersWanted(ids.iter().map(|n| id(*n)).collect::<NodeIds>())
}

#[test]
fn the_newest_record_is_kept_told_to_new_neighbours_and_served() {
    let mut node = Alone::new();
    let link = node.linked(1);
    let (old, new) = (record(2, 1, 0xA1), record(2, 2, 0xA2));
    node.take_in(link, &new);
    node.outputs();
    assert_eq!(node.core.member_record(&id(2)).unwrap().seal_key, Some([0xA2; 32]));
    assert!(node.claim(link, &old).claimed.is_empty(), "superseded: not relayed either");
    assert_eq!(node.counted(Reason::Superseded), 1);

    let opening = node.opening(3, Direction::Inbound);
    let newcomer = opening.link;
    node.core.link_opened(node.now(), opening).unwrap();
    let told = node.outputs().into_iter().any(|output| match output {
        Output::Send { link, frame: Frame::Have(ids) } => link == newcomer && ids.iter().any(|id| id == new.id()),
        _ => false,
    });
    assert!(told);
    let served = node.frame(newcomer, Frame::Want([new.id()].into_iter().collect()));
    assert_eq!(relayed(&served), [(new.id(), vec![newcomer])]);
}

#[test]
fn a_record_outlives_the_presence_and_the_leave_of_its_member() {
    let mut node = Alone::new();
    let link = node.linked(2);
    node.take_in(link, &presence(2, 1, &[address(2)]));
    node.take_in(link, &record(2, 1, 0xA1));
    node.take_in(link, &said(2, LEAVE_TITLE, "", 2));
    assert_eq!(node.core.member_state(&id(2)), Some(MemberState::Gone));
    assert!(node.core.member_record(&id(2)).is_some());
    // An hour it asked for, and not longer.
    node.wait(3_590_000);
    assert!(node.core.member_record(&id(2)).is_some());
    node.wait(30_000);
    assert!(node.core.member_record(&id(2)).is_none());
}

#[test]
fn an_unreadable_record_changes_nothing() {
    let mut node = Alone::new();
    let link = node.linked(2);
    node.take_in(link, &record(2, 1, 0xA1));
    assert!(node.claim(link, &said(2, MEMBER_TITLE, "{}x", 2)).claimed.is_empty());
    assert_eq!(node.core.member_record(&id(2)).unwrap().seal_key, Some([0xA1; 32]));
    assert_eq!(node.counted(Reason::BadContent), 1);
}

#[test]
fn whoever_asks_for_records_gets_those_that_are_here_in_one_answer_and_not_too_often() {
    let mut node = Alone::new();
    let link = node.linked(1);
    let known: Vec<_> = (2..5).map(|n| record(n, 1, n)).collect();
    known.iter().for_each(|record| node.take_in(link, record));
    node.outputs();
    let outputs = node.frame(link, wanted(&[2, 9, 4]));
    assert_eq!(answered(&node, &outputs), [known[0].id(), known[2].id()]);
    for _ in 0..3 {
        let outputs = node.frame(link, wanted(&[2]));
        assert_eq!(answered(&node, &outputs).len(), 1);
    }
    let outputs = node.frame(link, wanted(&[2]));
    assert_eq!(answered(&node, &outputs).len(), 0, "the fifth in a moment is answered with nothing");
}

#[test]
fn a_record_that_is_missing_is_asked_of_neighbours_that_can_answer_and_believed_like_any() {
    let mut node = Alone::new();
    let (mute, able) = (node.linked(1), node.linked(2));
    let features = Presence { features: vec![MEMBERS.to_owned()], addresses: vec![address(2)], ..Presence::default() };
    node.take_in(mute, &presence(1, 1, &[address(1)]));
    node.take_in(able, &said(2, PRESENCE_TITLE, features.encode(), 1));
    node.wait(5000);
    node.outputs();
    assert!(node.core.ask_members(node.now(), &[id(7)]));
    let asked: Vec<_> = node
        .outputs()
        .into_iter()
        .filter_map(|output| match output {
            Output::Send { link, frame: Frame::MembersWanted(ids) } => Some((link, ids.iter().collect::<Vec<_>>())),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [(able, vec![id(7)])]);
    let envelope = record(7, 1, 0xA7);
    let (ticket, envelope) =
        node.core.offer(node.now(), able, true, vec![(*envelope).clone()]).remove(0).into_ticket().unwrap();
    let judged = Judged::by(&node.scheme, ticket, envelope.clone());
    let claimed = node.core.verified(node.now(), vec![judged]).claimed;
    node.core.accept(node.now(), claimed);
    node.core.peers_answered(node.now(), able);
    assert_eq!(node.core.member_record(&id(7)).unwrap().seal_key, Some([0xA7; 32]));
    assert!(!node.core.ask_members(node.now(), &[id(7)]), "it is known now");
    assert!(node.core.listens_to(node.now(), able));
}
