//! Presences travel together, where there are many.

use super::*;

const MANY: u8 = 60;

/// A node with three neighbours that knows of so many others.
fn among(members: u8) -> (Alone, Vec<LinkId>) {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=3);
    for member in 0..members {
        node.take_in(links[0], &presence(100 + member, 0, &[]));
    }
    node.wait(3_000);
    (node, links)
}

fn presences(outputs: &[Output]) -> Vec<EnvelopeId> {
    relayed(outputs).into_iter().map(|(id, _)| id).collect()
}

fn together(wait: Vec<(u64, Output)>) -> Vec<(u64, EnvelopeId, Vec<LinkId>)> {
    let relay = |(at, output): (u64, Output)| Some((at, relayed(&[output]).pop()?));
    wait.into_iter().filter_map(relay).map(|(at, (id, to))| (at, id, to)).collect()
}

#[test]
fn among_few_members_a_presence_goes_on_at_once() {
    let (mut node, links) = among(10);
    let news = presence(50, 4, &[]);
    assert_eq!(relayed(&node.brings(links[0], &news)), [(news.id(), vec![links[1], links[2]])]);
}

#[test]
fn among_many_the_presences_of_a_moment_go_on_together_and_in_their_order() {
    let (mut node, links) = among(MANY);
    let news: Vec<_> = (50..55).map(|n| presence(n, 4, &[])).collect();
    for (n, one) in news.iter().enumerate() {
        assert_eq!(presences(&node.brings(links[0], one)), [], "{n}");
        node.wait(2);
    }
    let gone_on = together(node.wait(100));
    assert_eq!(
        gone_on.iter().map(|(_, id, _)| *id).collect::<Vec<_>>(),
        news.iter().map(|p| p.id()).collect::<Vec<_>>()
    );
    assert!(gone_on.windows(2).all(|two| two[0].0 == two[1].0), "at one moment: {gone_on:?}");
}

#[test]
fn other_broadcasts_do_not_wait_for_presences() {
    let (mut node, links) = among(MANY);
    node.brings(links[0], &presence(50, 4, &[]));
    let message = said(51, "chat", "hello", 4);
    assert_eq!(presences(&node.brings(links[0], &message)), [message.id()]);
    let leave = said(50, LEAVE_TITLE, "", 5);
    assert_eq!(presences(&node.brings(links[0], &leave)), [leave.id()]);
}

#[test]
fn who_brings_a_presence_while_it_waits_is_not_sent_it() {
    let (mut node, links) = among(MANY);
    let news = presence(50, 4, &[]);
    node.brings(links[0], &news);
    assert_eq!(node.why(links[1], &news), Some(Reason::Duplicate));
    let gone_on = together(node.wait(100));
    assert_eq!(gone_on.into_iter().map(|(_, id, to)| (id, to)).collect::<Vec<_>>(), [(news.id(), vec![links[2]])]);
}

#[test]
fn what_was_gathered_is_passed_on_before_a_node_stops() {
    let (mut node, links) = among(MANY);
    let news = presence(50, 4, &[]);
    node.brings(links[0], &news);
    node.core.stop(node.now());
    let outputs = node.outputs();
    assert_eq!(presences(&outputs), [news.id()]);
    let closes = outputs.iter().position(|output| matches!(output, Output::Close { .. }));
    let relays = outputs.iter().position(|output| matches!(output, Output::Relay { .. }));
    assert!(relays < closes);
}
