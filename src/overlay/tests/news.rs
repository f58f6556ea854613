//! NEWS: what is new is told by short names, asked for by them, and taken for nothing else.

use super::*;
use crate::envelope::ShortId;

fn short(id: &EnvelopeId) -> EnvelopeId {
    ShortId::from(id).padded()
}

fn news(ids: &[EnvelopeId]) -> Frame {
    Frame::News(ids.iter().map(ShortId::from).collect())
}

/// What was told by short names, and to whom.
fn told(outputs: &[Output]) -> Vec<(LinkId, Vec<ShortId>)> {
    let news = |output: &Output| match output {
        Output::Send { link, frame: Frame::News(ids) } => Some((*link, ids.iter().collect())),
        _ => None,
    };
    outputs.iter().filter_map(news).collect()
}

fn served(outputs: &[Output]) -> Vec<(LinkId, Vec<EnvelopeId>)> {
    let serve = |output: &Output| match output {
        Output::Serve { link, ids } => Some((*link, ids.clone())),
        _ => None,
    };
    outputs.iter().filter_map(serve).collect()
}

fn after(node: &mut Alone, millis: u64) -> Vec<Output> {
    node.wait(millis).into_iter().map(|(_, output)| output).collect()
}

/// A node with links that know NEWS, all of them lazy but the first; the last one does not know it.
fn lazy_but_the_first(count: u8) -> (Alone, Vec<LinkId>) {
    let mut node = Alone::new();
    let mut links = Vec::new();
    for peer in 1..=count {
        let opening = Opening { news: peer != count, ..node.opening(peer, Direction::Inbound) };
        links.push(opening.link);
        node.core.link_opened(node.now(), opening).unwrap();
    }
    node.wait(2_100);
    links[1..].iter().for_each(|link| drop(node.frame(*link, Frame::Lazy)));
    (node, links)
}

#[test]
fn what_is_new_is_told_by_short_names_to_those_who_know_them_and_what_is_repaired_by_whole_ids() {
    let (mut node, links) = lazy_but_the_first(4);
    let (new, own, past) = (said(9, "t", "new", 0), said(0, "t", "own", 60), said(9, "t", "past", -60));
    node.brings(links[0], &new);
    node.core.publish(node.now(), own.clone());
    // A link that is new tells what it had before.
    let fresh = node.linked(77);
    node.frame(fresh, have(&[past.id()]));
    node.brings(fresh, &past);
    let outputs = after(&mut node, 300);
    let short: Vec<ShortId> = [&new, &own].map(|message| ShortId::from(&message.id())).into();
    assert_eq!(told(&outputs), [(links[1], short.clone()), (links[2], short)]);
    let whole = vec![new.id(), own.id(), past.id()];
    let repaired = vec![past.id()];
    let expected = [repaired.clone(), repaired.clone(), repaired, whole];
    let expected: Vec<_> = links.iter().copied().zip(expected).collect();
    assert_eq!(haves(&outputs), expected);
}

#[test]
fn what_is_told_by_a_short_name_is_asked_for_by_it_of_one_after_the_other() {
    let (mut node, links) = lazy_but_the_first(4);
    let message = said(9, "t", "missed", 0);
    for link in &links[1..3] {
        assert_eq!(wants(&node.frame(*link, news(&[message.id()]))), []);
    }
    let asked = after(&mut node, 100);
    assert_eq!(wants(&asked), [(links[1], vec![short(&message.id())])]);
    // It does not hold it: says so by the same name, or by the whole id.
    let absent = Frame::Absent([short(&message.id())].into_iter().collect());
    assert_eq!(wants(&node.frame(links[1], absent)), [(links[2], vec![short(&message.id())])]);
    let outputs = node.brings(links[2], &message);
    assert_eq!(relayed(&outputs), [(message.id(), vec![links[0]])], "it flows on like anything that was late");
    assert_eq!(wants(&after(&mut node, 5_000)), []);
}

#[test]
fn a_link_that_is_new_tells_what_others_hear_of_too_and_is_not_asked_at_once() {
    let mut node = Alone::new();
    settled(&mut node, 1..=2);
    let fresh = node.linked(77);
    assert_eq!(wants(&node.frame(fresh, news(&[some_id(1)]))), []);
    assert_eq!(wants(&after(&mut node, 100)).len(), 1);
}

#[test]
fn whoever_tells_of_what_is_known_is_not_told_of_it_and_counts_as_a_holder() {
    let (mut node, links) = lazy_but_the_first(4);
    let message = said(9, "t", "known", 0);
    node.brings(links[0], &message);
    assert_eq!(wants(&node.frame(links[1], news(&[message.id()]))), []);
    let outputs = after(&mut node, 5_000);
    assert_eq!(told(&outputs).iter().map(|(link, _)| *link).collect::<Vec<_>>(), [links[2]]);
    assert_eq!(wants(&outputs), []);
    let holders = node.core.holders(&message.id(), Some(&message));
    assert!(holders.contains(&Holder { peer: id(2), how: Held::Announced }), "{holders:?}");
}

#[test]
fn who_asks_by_a_short_name_is_served_the_whole_and_hears_of_what_is_not_there() {
    let (mut node, links) = lazy_but_the_first(4);
    let message = said(9, "t", "kept", 0);
    node.brings(links[0], &message);
    let unknown = short(&some_id(7));
    let outputs = node.frame(links[1], want(&[short(&message.id()), unknown]));
    assert_eq!(served(&outputs), [(links[1], vec![message.id(), unknown])], "the log has no such id and says so");
    // No more often than by whole ids.
    assert_eq!(served(&node.frame(links[1], want(&[message.id()]))).len(), 1);
    assert_eq!(served(&node.frame(links[1], want(&[short(&message.id())]))), []);
}

#[test]
fn a_made_up_id_that_begins_alike_is_not_asked_for_in_place_of_the_true_one() {
    let (mut node, links) = lazy_but_the_first(4);
    let message = said(9, "t", "true", 0);
    let mut bytes = *message.id().as_bytes();
    bytes[31] ^= 1;
    let made_up = EnvelopeId::from_bytes(bytes);
    node.frame(links[3], have(&[made_up]));
    node.frame(links[1], news(&[message.id()]));
    node.frame(links[2], have(&[message.id()]));
    let asked = wants(&after(&mut node, 1_000));
    let expected = [(links[3], vec![made_up]), (links[1], vec![short(&message.id())]), (links[2], vec![message.id()])];
    assert_eq!(asked, expected, "each for what it announced");
}

#[test]
fn what_could_not_be_kept_is_news_again() {
    let (mut node, links) = lazy_but_the_first(4);
    let message = said(9, "t", "later", 0);
    let verdicts = node.claim(links[0], &message);
    let [claimed] = &verdicts.claimed[..] else { panic!() };
    node.core.unremember(node.now(), claimed, Reason::LogFull);
    node.frame(links[1], news(&[message.id()]));
    assert_eq!(wants(&after(&mut node, 100)), [(links[1], vec![short(&message.id())])]);
}
