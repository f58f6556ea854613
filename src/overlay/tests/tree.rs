//! The tree over the flood: which links are pruned and grafted, when, and what goes over them. Whole trees:
//! `tests/it/tree.rs`.

use std::collections::BTreeSet;

use super::*;

/// The same with an author that is known: what strangers say shapes no tree.
fn settled(node: &mut Alone, peers: std::ops::RangeInclusive<u8>) -> Vec<LinkId> {
    let links = super::settled(node, peers);
    introduce(node, links[0]);
    node.wait(1_100);
    links
}

fn introduce(node: &mut Alone, link: LinkId) {
    let now = node.now().instant;
    // So that what strangers say does not count: not this presence either.
    while node.core.tree.strangers.take(now) {}
    node.take_in(link, &presence(9, 0, &[]));
}

/// What author `n` says as its message number `number`.
fn message(number: u32) -> Verified<Envelope> {
    said(9, "t", number.to_string(), 0)
}

fn with(broadcast: Broadcast) -> Alone {
    Alone::with(Settings { broadcast, ..Settings::local() })
}

/// Messages that come over `first`, each repeated by `again`; a second lies between any two, and all links live.
fn streams(
    node: &mut Alone,
    numbers: std::ops::Range<u32>,
    first: LinkId,
    again: &[LinkId],
) -> Vec<(u32, LinkId, Push)> {
    let mut changes = Vec::new();
    for number in numbers {
        let message = message(number);
        let mut outputs = node.brings(first, &message);
        for link in again {
            assert_eq!(node.why(*link, &message), Some(Reason::Duplicate));
            outputs.extend(node.outputs());
        }
        for link in node.core.links() {
            outputs.extend(node.frame(link.link, Frame::Pong([0; 8])));
        }
        outputs.extend(node.wait(1_000).into_iter().map(|(_, output)| output));
        changes.extend(pushes(&outputs).into_iter().map(|(link, push)| (number, link, push)));
    }
    changes
}

fn lazy(node: &Alone) -> Vec<LinkId> {
    node.core.links().iter().filter(|link| link.push == Push::Lazy).map(|link| link.link).collect()
}

/// A node with one eager link, the first, and some pruned ones.
fn pruned(count: u8) -> (Alone, Vec<LinkId>) {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=count);
    streams(&mut node, 0..20, links[0], &links[1..]);
    assert_eq!(lazy(&node), links[1..]);
    (node, links)
}

#[test]
fn links_that_only_repeat_are_pruned_together_after_a_window() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=5);
    let changes = streams(&mut node, 0..100, links[0], &links[1..]);
    let expected: Vec<_> = links[1..].iter().map(|link| (15, *link, Push::Lazy)).collect();
    assert_eq!(changes, expected, "with the sixteenth message, and then nothing more");
}

#[test]
fn what_repeats_no_more_is_not_pruned_for_what_it_did_before() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=5);
    assert_eq!(streams(&mut node, 0..15, links[0], &links[1..]), []);
    assert_eq!(streams(&mut node, 15..16, links[0], &[]), [], "it is weighed with this one");
    assert_eq!(streams(&mut node, 16..60, links[0], &[]), []);
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=5);
    streams(&mut node, 0..15, links[0], &links[1..]);
    streams(&mut node, 15..18, links[0], &[]);
    assert_eq!(streams(&mut node, 18..19, links[0], &links[1..2]), [(18, links[1], Push::Lazy)], "but it does repeat");
}

#[test]
fn of_links_that_serve_different_senders_none_is_pruned_without_need() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=4);
    // Each brings a quarter, and nothing comes twice.
    for number in 0..200 {
        assert_eq!(streams(&mut node, number..number + 1, links[number as usize % 4], &[]), []);
    }
    // Now everything comes over two of them. One goes; the one that is left brings everything.
    let mut changes = Vec::new();
    for number in 200..300 {
        let (first, again) = if number % 3 == 0 { (links[0], links[1]) } else { (links[1], links[0]) };
        changes.extend(streams(&mut node, number..number + 1, first, &[again]));
    }
    assert_eq!(changes.iter().map(|change| (change.1, change.2)).collect::<Vec<_>>(), [(links[0], Push::Lazy)]);
}

#[test]
fn a_few_links_are_pruned_only_where_that_was_asked_for() {
    for (broadcast, links, expected) in [
        (Broadcast::Auto, 3, 0),
        (Broadcast::Auto, 4, 3),
        (Broadcast::Tree, 2, 1),
        (Broadcast::Tree, 3, 2),
        (Broadcast::Flood, 8, 0),
    ] {
        let mut node = with(broadcast);
        let links = settled(&mut node, 1..=links);
        streams(&mut node, 0..60, links[0], &links[1..]);
        assert_eq!(lazy(&node).len(), expected, "{broadcast:?}, {} links", links.len());
    }
}

#[test]
fn who_does_not_know_the_tree_is_not_told_of_it() {
    let mut node = Alone::new();
    let mut links = Vec::new();
    for peer in 1..=5 {
        let opening = Opening { tree: peer != 3, ..node.opening(peer, Direction::Inbound) };
        links.push(opening.link);
        node.core.link_opened(node.now(), opening).unwrap();
    }
    introduce(&mut node, links[0]);
    streams(&mut node, 0..60, links[0], &links[1..]);
    assert_eq!(lazy(&node), [links[1], links[3], links[4]]);
}

#[test]
fn contents_go_over_eager_links_and_ids_over_lazy_ones_within_three_hundred_milliseconds() {
    let (mut node, links) = pruned(5);
    let (news, own) = (message(1_000), said(0, "t", "mine", 60));
    let outputs = node.brings(links[3], &news);
    assert_eq!(relayed(&outputs), [(news.id(), vec![links[0]])]);
    node.core.publish(node.now(), own.clone());
    assert_eq!(relayed(&node.outputs()), [(own.id(), vec![links[0]])]);
    // Both at once, and to nobody who has it.
    let announced = node.wait(300);
    assert!(announced.iter().all(|(at, _)| *at >= 100));
    let announced: Vec<Output> = announced.into_iter().map(|(_, output)| output).collect();
    let both = vec![news.id(), own.id()];
    let expected = [(links[1], both.clone()), (links[2], both.clone()), (links[3], vec![own.id()]), (links[4], both)];
    assert_eq!(haves(&announced), expected);
}

#[test]
fn ids_are_announced_at_moments_that_are_drawn_so_that_neighbours_do_not_tell_each_other_at_once() {
    let (mut node, links) = pruned(5);
    let mut moments = BTreeSet::new();
    for number in 0..20 {
        node.brings(links[0], &message(1_000 + number));
        let announced =
            node.wait(300).into_iter().filter(|(_, output)| !haves(std::slice::from_ref(output)).is_empty());
        let after: BTreeSet<u64> = announced.map(|(at, _)| at).collect();
        assert!(after.len() == 1 && after.iter().all(|after| (100..=300).contains(after)), "{after:?}");
        moments.extend(after);
    }
    assert!(moments.len() > 10, "{moments:?}");
}

#[test]
fn whoever_shows_that_it_has_a_message_is_not_told_of_it() {
    let (mut node, links) = pruned(5);
    let news = message(1_000);
    node.frame(links[1], have(&[news.id()]));
    node.brings(links[0], &news);
    node.frame(links[2], have(&[news.id()]));
    assert_eq!(node.why(links[3], &news), Some(Reason::Duplicate));
    let announced: Vec<Output> = node.wait(300).into_iter().map(|(_, output)| output).collect();
    assert_eq!(haves(&announced), [(links[4], vec![news.id()])]);
}

#[test]
fn a_thousand_ids_are_announced_at_once() {
    let (mut node, links) = pruned(4);
    let announced: Vec<Output> =
        (0..1_000).flat_map(|number| node.brings(links[0], &message(1_000 + number))).collect();
    assert_eq!(haves(&announced).iter().map(|(_, ids)| ids.len()).collect::<Vec<_>>(), [1_000; 3]);
    // Nothing that was collected stays behind when the node stops.
    node.brings(links[0], &message(5_000));
    node.core.stop(node.now());
    assert_eq!(haves(&node.outputs()).len(), 3);
}

#[test]
fn a_neighbour_gets_what_it_asks_for() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=3);
    node.frame(links[1], Frame::Lazy);
    assert_eq!(lazy(&node), [links[1]]);
    assert_eq!(relayed(&node.brings(links[0], &message(1))), [(message(1).id(), vec![links[2]])]);
    node.frame(links[1], Frame::Eager);
    assert_eq!(relayed(&node.brings(links[0], &message(2))), [(message(2).id(), vec![links[1], links[2]])]);
}

/// Announces a message and brings it when it is asked for.
fn misses(node: &mut Alone, number: u32, from: LinkId) -> Vec<(LinkId, Push)> {
    let message = message(number);
    node.frame(from, have(&[message.id()]));
    node.wait(100);
    pushes(&node.brings(from, &message))
}

#[test]
fn who_brings_the_third_message_that_had_to_be_asked_for_becomes_eager() {
    let (mut node, links) = pruned(5);
    for (number, from) in [(1_000, links[1]), (1_001, links[1])] {
        assert_eq!(misses(&mut node, number, from), []);
        node.wait(500);
    }
    assert_eq!(misses(&mut node, 1_002, links[2]), [(links[2], Push::Eager)]);
    assert_eq!(lazy(&node), [links[1], links[3], links[4]]);
}

#[test]
fn what_is_late_for_a_moment_or_seldom_grafts_nothing() {
    let (mut node, links) = pruned(5);
    for number in 1_000..1_008 {
        assert_eq!(misses(&mut node, number, links[1]), [], "all within a second: a delay");
    }
    for number in 1_010..1_014 {
        streams(&mut node, number * 10..number * 10 + 10, links[0], &[]);
        assert_eq!(misses(&mut node, number, links[1]), [], "the tree brings ten times as many");
    }
    for number in 1_020..1_026 {
        assert_eq!(misses(&mut node, number, links[1]), [], "less than three a minute");
        node.wait(31_000);
    }
}

#[test]
fn when_what_fed_a_node_is_lost_every_link_feeds_it() {
    for closed_here in [true, false] {
        let (mut node, links) = pruned(6);
        let outputs: Vec<Output> = if closed_here {
            node.core.close(links[0], None, Reason::Requested);
            node.wait(0).into_iter().map(|(_, output)| output).collect()
        } else {
            node.core.link_closed(node.now(), links[0], Reason::ConnectionLost);
            node.wait(0).into_iter().map(|(_, output)| output).collect()
        };
        let expected: Vec<_> = links[1..].iter().map(|link| (*link, Push::Eager)).collect();
        assert_eq!(pushes(&outputs), expected);
    }
    // A link that brought nothing new is no loss, and neither is one whose place another took.
    let (mut node, links) = pruned(6);
    node.core.link_closed(node.now(), links[3], Reason::ConnectionLost);
    assert_eq!(node.wait(2_000).iter().flat_map(|(_, o)| pushes(std::slice::from_ref(o))).count(), 0);
    node.core.close(links[0], Some(GoodbyeCode::Renewed), Reason::Renewed);
    assert_eq!(node.wait(0).iter().flat_map(|(_, o)| pushes(std::slice::from_ref(o))).count(), 0);
}

#[test]
fn with_three_links_left_a_node_floods_again() {
    let (mut node, links) = pruned(5);
    for link in [links[4], links[3]] {
        node.core.link_closed(node.now(), link, Reason::ConnectionLost);
    }
    let outputs: Vec<Output> = node.wait(0).into_iter().map(|(_, output)| output).collect();
    assert_eq!(pushes(&outputs), [(links[1], Push::Eager), (links[2], Push::Eager)]);
    assert_eq!(lazy(&node), []);
}

#[test]
fn a_link_changes_once_a_second() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=6);
    for number in 0..15 {
        streams(&mut node, number..number + 1, links[0], &links[1..]);
    }
    let last = message(15);
    node.brings(links[0], &last);
    for link in &links[1..] {
        node.why(*link, &last);
    }
    let pruned = pushes(&node.outputs());
    assert_eq!(pruned.len(), 5);
    node.wait(300);
    node.core.link_closed(node.now(), links[0], Reason::ConnectionLost);
    let later = node.wait(2_000);
    let back: Vec<(u64, LinkId, Push)> = later
        .iter()
        .flat_map(|(at, output)| pushes(std::slice::from_ref(output)).into_iter().map(|(l, p)| (*at, l, p)))
        .collect();
    let expected: Vec<_> = links[1..].iter().map(|link| (700, *link, Push::Eager)).collect();
    assert_eq!(back, expected);
}

#[test]
fn whoever_is_pruned_by_all_takes_hold_of_another() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=5);
    let mut told = Vec::new();
    for link in &links {
        told.extend(pushes(&node.frame(*link, Frame::Lazy)));
    }
    assert_eq!(told.len(), 1);
    assert!(told[0].1 == Push::Eager && told[0].0 != links[4]);
    assert_eq!(lazy(&node).len(), 4);
}

#[test]
fn what_had_to_be_asked_for_flows_on_and_what_is_repaired_in_bulk_is_announced() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=6);
    // The first feeds this node, the last hangs on it, those between are pruned.
    let (feeds, hangs) = (links[0], links[5]);
    streams(&mut node, 0..20, feeds, &links[1..5]);
    assert_eq!(lazy(&node), links[1..5]);
    let late: Vec<_> = (0..400).map(|number| message(1_000 + number)).collect();
    let ids: Vec<EnvelopeId> = late.iter().map(|message| message.id()).collect();
    node.frame(links[1], have(&ids));
    node.wait(100);
    let contents: Vec<_> = late.iter().map(|message| relayed(&node.brings(links[1], message))).collect();
    assert!(contents[..256].iter().zip(&ids).all(|(to, id)| to == &[(*id, vec![hangs])]));
    assert!(contents[256..].iter().all(Vec::is_empty), "so much is no message that was late");
    let announced: Vec<Output> = node.wait(300).into_iter().map(|(_, output)| output).collect();
    let counts: Vec<(LinkId, usize)> = haves(&announced).into_iter().map(|(link, ids)| (link, ids.len())).collect();
    assert_eq!(counts, [(feeds, 400), (links[2], 400), (links[3], 400), (links[4], 400), (hangs, 144)]);
}

#[test]
fn a_copy_of_what_had_to_be_asked_for_shows_no_circle() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=5);
    for number in 0..100 {
        let message = message(number);
        node.frame(links[1], have(&[message.id()]));
        while wants(&node.wait(10).into_iter().map(|(_, output)| output).collect::<Vec<_>>()).is_empty() {}
        let mut outputs = node.brings(links[1], &message);
        for link in [links[0], links[2]] {
            node.why(link, &message);
        }
        outputs.extend(node.outputs());
        assert!(pushes(&outputs).iter().all(|(_, push)| *push == Push::Eager), "{number}");
        for link in &links {
            node.frame(*link, Frame::Pong([0; 8]));
        }
    }
    assert_eq!(lazy(&node), []);
}

#[test]
fn what_a_new_neighbour_had_before_is_announced_and_so_is_what_a_flooding_node_asked_for() {
    let (mut node, links) = pruned(4);
    let fresh = node.linked(77);
    node.frame(fresh, have(&[message(1_000).id()]));
    assert_eq!(relayed(&node.brings(fresh, &message(1_000))), []);
    let announced: Vec<Output> = node.wait(300).into_iter().map(|(_, output)| output).collect();
    assert_eq!(haves(&announced).iter().map(|(link, _)| *link).collect::<Vec<_>>(), links);

    let mut node = with(Broadcast::Flood);
    let links = settled(&mut node, 1..=4);
    node.frame(links[0], have(&[message(1).id()]));
    node.wait(100);
    assert_eq!(relayed(&node.brings(links[0], &message(1))), []);
    let announced: Vec<Output> = node.wait(300).into_iter().map(|(_, output)| output).collect();
    assert_eq!(haves(&announced).iter().map(|(link, _)| *link).collect::<Vec<_>>(), links[1..]);
}

#[test]
fn every_ten_minutes_another_link_is_tried_first_of_those_the_node_dialled() {
    let mut node = Alone::new();
    let mut links = Vec::new();
    for peer in 1..=6 {
        let direction = if peer == 4 { Direction::Outbound } else { Direction::Inbound };
        let opening = node.opening(peer, direction);
        links.push(opening.link);
        node.core.link_opened(node.now(), opening).unwrap();
    }
    introduce(&mut node, links[0]);
    node.wait(2_000);
    streams(&mut node, 0..20, links[0], &links[1..]);
    let mut tried = Vec::new();
    for _ in 0..720 {
        // Everybody is alive.
        for link in &links {
            tried.extend(pushes(&node.frame(*link, Frame::Pong([0; 8]))));
        }
        tried.extend(node.wait(1_000).iter().flat_map(|(_, output)| pushes(std::slice::from_ref(output))));
    }
    assert_eq!(tried, [(links[3], Push::Eager)]);
}

#[test]
fn what_is_said_for_the_moment_only_is_there_for_those_who_were_told_its_id() {
    let (mut node, links) = pruned(4);
    let fleeting = |number: u32, size: usize| {
        let time = wall(i64::from(number));
        let (title, message) = ("t".parse().unwrap(), vec![7; size].into());
        signer(9).publish(&Draft { title, message, time, lifetime: Lifetime::LIVE_ONLY }).unwrap()
    };
    let message = fleeting(1, 10);
    node.brings(links[0], &message);
    assert_eq!(relayed(&node.frame(links[2], want(&[message.id()]))), [(message.id(), vec![links[2]])]);
    for number in 2..50 {
        node.brings(links[0], &fleeting(number, 100_000));
    }
    let served = |node: &mut Alone, number: u32, size: usize| {
        !relayed(&node.frame(links[1], want(&[fleeting(number, size).id()]))).is_empty()
    };
    assert!(!served(&mut node, 1, 10) && !served(&mut node, 5, 100_000), "four mebibytes are enough");
    assert!(served(&mut node, 49, 100_000));
    node.wait(9_000);
    assert!(served(&mut node, 48, 100_000));
    node.wait(1_100);
    assert!(!served(&mut node, 47, 100_000), "a moment is ten seconds");
}

#[test]
fn a_neighbour_that_changes_its_mind_ten_thousand_times_costs_nothing() {
    let (mut node, links) = pruned(5);
    for _ in 0..10_000 {
        assert!(node.frame(links[0], Frame::Eager).is_empty());
        let answered = node.frame(links[1], Frame::Lazy);
        assert!(answered.is_empty(), "{answered:?}");
    }
    // Even where it is this node's only eager link: that one keeps another within a second.
    let answers: usize =
        (0..10_000).map(|_| node.frame(links[0], Frame::Lazy).len() + node.frame(links[0], Frame::Eager).len()).sum();
    assert!(answers <= 5, "{answers} frames within no time");
}

#[test]
fn where_many_join_at_once_the_tree_is_shaped_by_some_of_them() {
    let mut node = Alone::new();
    let links = super::settled(&mut node, 1..=5);
    let mut pruned_after = None;
    for newcomer in 30..=180 {
        let presence = presence(newcomer, 0, &[]);
        node.take_in(links[0], &presence);
        for link in &links[1..] {
            assert_eq!(node.why(*link, &presence), Some(Reason::Duplicate));
        }
        node.wait(10);
        if pruned_after.is_none() && lazy(&node) == links[1..] {
            pruned_after = Some(newcomer - 30);
        }
    }
    assert!(pruned_after.is_some_and(|newcomers| newcomers < 64), "{pruned_after:?}");
}

#[test]
fn presences_of_members_show_circles_as_well_as_anything_else_and_those_of_newcomers_do_not() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=5);
    for (second, expected) in [(0, 0), (10, 4)] {
        let mut changes = Vec::new();
        for author in 100..120 {
            let presence = presence(author, second, &[]);
            changes.extend(pushes(&node.brings(links[0], &presence)));
            for link in &links[1..] {
                assert_eq!(node.why(*link, &presence), Some(Reason::Duplicate));
            }
            changes.extend(pushes(&node.outputs()));
            node.wait(100);
        }
        assert_eq!(changes.iter().filter(|(_, push)| *push == Push::Lazy).count(), expected);
    }
    assert_eq!(lazy(&node), links[1..]);
}
