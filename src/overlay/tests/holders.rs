//! Who has a broadcast, as far as a node can know.

use super::*;

fn holders(node: &Alone, message: &Envelope) -> Vec<(NodeId, Held)> {
    node.core.holders(&message.id(), Some(message)).into_iter().map(|holder| (holder.peer, holder.how)).collect()
}

#[test]
fn whoever_was_handed_a_message_asked_for_it_or_announced_it_has_it() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=5);
    node.frame(links[1], Frame::Lazy);
    node.frame(links[2], Frame::Lazy);
    node.frame(links[3], Frame::Lazy);
    let message = said(0, "t", "mine", 0);
    let handed = node.core.publish(node.now(), message.clone());
    assert_eq!(handed, Handed { contents: 2, ids: 3 });
    assert_eq!(holders(&node, &message), [(id(1), Held::Handed), (id(5), Held::Handed)]);
    node.frame(links[2], want(&[message.id()]));
    node.frame(links[3], have(&[message.id()]));
    assert_eq!(node.why(links[4], &message), Some(Reason::Duplicate));
    let all = [(id(1), Held::Handed), (id(3), Held::Asked), (id(4), Held::Announced), (id(5), Held::Announced)];
    assert_eq!(holders(&node, &message), all);
    node.core.link_closed(node.now(), links[0], Reason::ConnectionLost);
    assert_eq!(holders(&node, &message), all[1..], "what was under way may not have arrived");
    assert_eq!(holders(&node, &said(0, "t", "never published", 0)), []);
}

#[test]
fn whoever_brings_or_announces_a_message_of_others_has_it() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=3);
    let message = said(9, "t", "hello", 0);
    node.frame(links[2], have(&[message.id()]));
    node.brings(links[0], &message);
    assert_eq!(holders(&node, &message), [(id(1), Held::Announced), (id(2), Held::Handed), (id(3), Held::Announced)]);
}

#[test]
fn an_equal_digest_shows_what_a_neighbour_has_until_something_else_is_learnt() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=2);
    let (early, late) = (said(9, "t", "early", 10), said(9, "t", "late", 20));
    let at = |second: i64| wall(second * 1_000_000);
    node.millis = 60_000;
    node.core.note_equal(node.now(), links[0], at(5), at(20));
    assert_eq!(node.core.holders(&early.id(), Some(&early)), [Holder { peer: id(1), how: Held::Equal }]);
    assert_eq!(node.core.holders(&early.id(), None), [], "this node has not got it itself");
    assert_eq!(holders(&node, &late), [], "the end does not belong to it");
    node.core.note_equal(node.now(), links[0], at(20), at(30));
    assert_eq!(holders(&node, &late), [(id(1), Held::Equal)]);
    // Something of that very moment comes to light: of it the comparison said nothing.
    let found = said(8, "t", "found", 10);
    node.brings(links[1], &found);
    assert_eq!(holders(&node, &early), []);
    assert_eq!(holders(&node, &found), [(id(1), Held::Handed), (id(2), Held::Announced)]);
    assert_eq!(holders(&node, &late), [(id(1), Held::Equal)], "of the rest it did");
    // What dies soon is not compared.
    let draft = |secs| Draft {
        title: "t".parse().unwrap(),
        message: Bytes::new(),
        time: at(25),
        lifetime: Lifetime::secs(secs),
    };
    let (short, long) = (signer(9).publish(&draft(150)).unwrap(), signer(9).publish(&draft(160)).unwrap());
    assert_eq!((holders(&node, &short), holders(&node, &long)), (vec![], vec![(id(1), Held::Equal)]));
    node.core.link_closed(node.now(), links[0], Reason::ConnectionLost);
    assert_eq!(holders(&node, &late), []);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut node = Alone::with(Settings { index_capacity: 1 << 20, ..Settings::local() });
    let links = settled(&mut node, 1..=1);
    let own: Vec<_> = (0..4_200).map(|n: u32| said(0, "t", n.to_string(), 0)).collect();
    for message in &own {
        node.core.publish(node.now(), message.clone());
    }
    for n in 0..1_100_u32 {
        node.brings(links[0], &said(9, "t", n.to_string(), 0));
    }
    assert_eq!(node.core.holders.len(), 4_096 + 1_024);
    assert_eq!((holders(&node, &own[103]).len(), holders(&node, &own[104]).len()), (0, 1));
    for n in 0..10_000_i64 {
        let from = wall(n * 1_000_000);
        node.core.note_equal(node.now(), links[0], from, wall(n * 1_000_000 + 10));
    }
    for n in 0..100 {
        node.brings(links[0], &said(8, "t", "", n));
    }
    let spans = (0..10_000).filter(|n| !holders(&node, &said(7, "t", "", *n)).is_empty()).count();
    assert_eq!(spans, 32, "the newest");
}
