//! Who is blamed for what, and what comes of it.

use super::*;

#[test]
fn the_second_bad_envelope_closes_the_link_and_bars_for_an_hour() {
    let mut node = Alone::new();
    let link = node.linked(1);
    node.claim(link, &forged(&said(9, "t", "1", 0), 0));
    assert_eq!(closed(&node.outputs()), []);
    node.claim(link, &forged(&said(9, "t", "2", 0), 0));
    let outputs = node.outputs();
    assert_eq!(closed(&outputs), [(link, None, Reason::BadSignature)], "it is not told why");
    assert!(events(outputs).contains(&CoreEvent::Barred { peer: id(1), reason: Reason::BadSignature }));
    assert_eq!(node.why(link, &said(9, "t", "3", 0)), Some(Reason::Barred), "nor listened to until it is closed");
    node.core.link_closed(node.now(), link, Reason::ConnectionLost);

    for (minute, admitted) in [(1, false), (59, false), (61, true)] {
        node.millis = minute * 60_000;
        assert_eq!(node.core.admit(node.now(), &id(1)).is_ok(), admitted);
        let opening = node.opening(1, Direction::Inbound);
        let refused = Refused { reason: Reason::Barred, goodbye: Some(GoodbyeCode::Barred) };
        let expected = if admitted { Ok(()) } else { Err(refused) };
        assert_eq!(node.core.link_opened(node.now(), opening), expected);
    }
}

#[test]
fn a_bad_frame_bars_at_once_and_all_links_of_the_node_close() {
    let mut node = Alone::new();
    let first = node.linked(1);
    let second = node.linked(1);
    node.core.blame(node.now(), first, Offence::BadFrame, Reason::BadFrame);
    let links: Vec<LinkId> = closed(&node.outputs()).iter().map(|(link, ..)| *link).collect();
    assert_eq!(links, [first, second]);
}

#[test]
fn duplicates_old_messages_and_silence_cost_nothing() {
    let mut node = Alone::new();
    let link = node.linked(1);
    let message = said(9, "t", "hello", 0);
    node.take_in(link, &message);
    for _ in 0..1000 {
        node.offer(link, &message);
        node.offer(link, &said(9, "t", "old", -86_400 * 2));
    }
    assert_eq!(closed(&node.outputs()), []);
    node.core.link_closed(node.now(), link, Reason::Silent);
    assert!(node.core.admit(node.now(), &id(1)).is_ok());
}

#[test]
fn an_answer_nobody_asked_for_breaks_the_grammar() {
    let mut node = Alone::new();
    let link = node.linked(1);
    let row = vec![(*presence(9, 1, &[address(9)])).clone()];
    let offers = node.core.offer(node.now(), link, true, row);
    assert!(matches!(offers[..], [Offer::Drop(Reason::BadFrame)]), "and stands for no address");
    assert_eq!(closed(&node.outputs()), [(link, None, Reason::BadFrame)]);
}
