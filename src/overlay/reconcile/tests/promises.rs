//! Whoever lacks something gets exactly that, at little more than what it weighs.

use std::collections::BTreeSet;
use std::time::Duration;

use super::net::{Net, Taste, history};
use crate::envelope::{Envelope, EnvelopeId, Verified};
use crate::wire::Kind;

const SECOND: Duration = Duration::from_secs(1);

fn ids(envelopes: &[Verified<Envelope>]) -> BTreeSet<EnvelopeId> {
    envelopes.iter().map(|envelope| envelope.id()).collect()
}

fn weight(envelopes: &[Verified<Envelope>]) -> u64 {
    envelopes.iter().map(|envelope| envelope.size() as u64).sum()
}

/// A network of node 0 and `neighbours` others; these have all of `history`, node 0 lacks `missing`. They link, and when
/// three seconds have passed node 0 has everything, each once. Gives the bytes that travelled.
fn come_back(neighbours: usize, all: &[Verified<Envelope>], missing: &[Verified<Envelope>]) -> u64 {
    let mut net = Net::new(neighbours + 1);
    let lacks = ids(missing);
    net.knows(0, all.iter().filter(|envelope| !lacks.contains(&envelope.id())).cloned());
    (1..=neighbours).for_each(|n| net.knows(n, all.iter().cloned()));
    let before = net.bytes();
    for n in 1..=neighbours {
        // Some dial the node that is back, some are dialled by it.
        if n % 2 == 0 {
            net.link(n, 0)
        } else {
            net.link(0, n)
        };
    }
    net.run(3 * SECOND);
    assert_eq!(net.nodes[0].delivered.len(), missing.len(), "not everything, or something twice");
    assert_eq!(net.nodes[0].delivered.iter().copied().collect::<BTreeSet<_>>(), lacks);
    assert!(
        net.wants <= missing.len() + (neighbours + 1).pow(2),
        "more was asked for than that and everybody's presence"
    );
    for n in 1..=neighbours {
        assert!(net.nodes[n].delivered.is_empty());
        assert_eq!(net.counts(n).dropped, 0, "whoever keeps to the protocol stays within the budget");
    }
    let bytes = net.bytes() - before;
    net.run(60 * SECOND);
    let idle = net.bytes() - before - bytes;
    assert!(idle < 20_000 * neighbours as u64, "{idle} bytes went on travelling: {:?}", net.sent);
    bytes
}

#[test]
fn a_node_that_was_away_for_the_most_recent_messages_has_them_at_a_fifth_more_than_they_weigh() {
    let all = history(100_000);
    let missing = &all[90_000..];
    let bytes = come_back(1, &all, missing);
    assert!(bytes * 10 <= weight(missing) * 12, "{bytes} for {}", weight(missing));
}

#[test]
fn several_neighbours_do_not_bring_the_same_twice() {
    let all = history(20_000);
    let missing = &all[18_000..];
    let bytes = come_back(8, &all, missing);
    assert!(bytes * 10 <= weight(missing) * 12, "{bytes} for {}", weight(missing));
}

#[test]
fn what_is_missing_here_and_there_costs_600_bytes_each_besides_itself() {
    let all = history(100_000);
    let missing: Vec<_> = all.iter().filter(|envelope| envelope.id().as_bytes()[0] < 26).cloned().collect();
    assert!((9_500..10_800).contains(&missing.len()));
    let bytes = come_back(1, &all, &missing);
    let most = weight(&missing) + 600 * missing.len() as u64;
    assert!(bytes <= most, "{} besides each", (bytes - weight(&missing)) / missing.len() as u64);
}

#[test]
fn a_new_node_gets_all_that_is_kept() {
    let all = history(40_000);
    let bytes = come_back(1, &all, &all);
    assert!(bytes * 10 <= weight(&all) * 12, "{bytes} for {}", weight(&all));
}

#[test]
fn who_was_dialled_by_a_node_that_has_more_gets_it_too() {
    let all = history(10_000);
    let mut net = Net::new(2);
    net.knows(0, all.iter().cloned());
    net.knows(1, all[..5_000].iter().cloned());
    let before = net.bytes();
    net.link(0, 1);
    net.run(5 * SECOND);
    assert_eq!(net.nodes[1].delivered.iter().copied().collect::<BTreeSet<_>>(), ids(&all[5_000..]));
    let bytes = net.bytes() - before;
    assert!(bytes * 10 <= weight(&all[5_000..]) * 12, "{bytes}");
}

#[test]
fn two_halves_that_both_went_on_are_equal_after_healing_in_the_applications_view_too() {
    // 0 - 1 - 2   3 - 4 - 5
    let mut net = Net::new(6);
    for (a, b) in [(0, 1), (1, 2), (3, 4), (4, 5), (2, 3)] {
        net.link(a, b);
    }
    net.run(5 * SECOND);
    net.unlink(2, 3);
    let mut said = BTreeSet::new();
    for round in 0..300 {
        for n in 0..6 {
            said.insert(net.broadcast(n, &format!("{round} of {n}")));
        }
        net.run(SECOND / 5);
    }
    assert_eq!(net.nodes[0].delivered.len(), 900);
    net.link(2, 3);
    net.run(10 * SECOND);
    for (n, node) in net.nodes.iter().enumerate() {
        assert_eq!(node.delivered.iter().copied().collect::<BTreeSet<_>>(), said, "node {n}");
        assert_eq!(node.delivered.len(), said.len(), "node {n} got something twice");
    }
}

#[test]
fn comparing_what_is_equal_costs_the_same_however_much_it_is() {
    let mut costs = Vec::new();
    for count in [0, 10, 1_000, 16_000] {
        let all = history(count);
        let mut net = Net::new(2);
        (0..2).for_each(|n| net.knows(n, all.iter().cloned()));
        let (link, _) = net.link(0, 1);
        net.run(3 * SECOND);
        let before = net.sent.get(&Kind::Reconcile).copied().unwrap_or(0);
        net.compare(0, link);
        net.run(SECOND / 10);
        costs.push(net.sent[&Kind::Reconcile] - before);
    }
    // Two sets, an OPEN and an ACCEPT each.
    assert_eq!(costs, [2 * (5 + 64 + 5 + 55); 4]);
}

#[test]
fn what_was_refused_or_could_not_be_taken_is_not_fetched_again_in_ten_sessions() {
    for (taste, again) in [(Taste::Refuses, 0), (Taste::HasNoRoom, 0)] {
        let all = history(500);
        let mut net = Net::new(2);
        net.knows(1, all.iter().cloned());
        net.nodes[0].taste = taste;
        let (link, _) = net.link(0, 1);
        net.run(3 * SECOND);
        let asked = net.wants;
        assert!(asked >= 500);
        for _ in 0..10 {
            net.compare(0, link);
            net.run(3 * SECOND);
        }
        assert_eq!(net.wants - asked, again);
        assert!(net.counts(0).sessions >= 22);
        net.nodes[0].taste = Taste::Takes;
        net.run(700 * SECOND);
        let taken = if taste == Taste::HasNoRoom { 500 } else { 0 };
        assert_eq!(net.nodes[0].delivered.len(), taken, "only what was no verdict is open to change");
    }
}

#[test]
fn what_a_neighbour_lists_and_does_not_hold_is_not_asked_of_it_again_and_still_of_another() {
    let all = history(100);
    let mut net = Net::new(3);
    net.knows(1, all.iter().cloned());
    net.knows(2, all.iter().cloned());
    net.nodes[1].contents.clear();
    let (link, _) = net.link(0, 1);
    net.run(3 * SECOND);
    assert_eq!(net.counts(0).absent, 100);
    let asked = net.wants;
    for _ in 0..10 {
        net.compare(0, link);
        net.run(3 * SECOND);
    }
    assert_eq!(net.wants, asked);
    net.link(0, 2);
    net.run(3 * SECOND);
    assert_eq!(net.nodes[0].delivered.len(), 100);
}

#[test]
fn a_neighbour_that_knows_little_more_than_ids_is_not_asked_for_all_of_them() {
    let all = history(100_000);
    let mut net = Net::new(2);
    net.knows(1, all.iter().cloned());
    net.nodes[1].contents.retain(|_, envelope| envelope.time() >= all[95_000].time());
    let (link, _) = net.link(0, 1);
    net.run(10 * SECOND);
    assert_eq!(net.nodes[0].delivered.len(), 5_000);
    assert!(net.wants < 70_000, "{}", net.wants);
    let asked = net.wants;
    for _ in 0..10 {
        net.compare(0, link);
        net.run(3 * SECOND);
    }
    assert_eq!(net.wants, asked);
}

#[test]
fn what_an_overfull_queue_dropped_is_brought_when_it_is_empty() {
    let mut net = Net::new(3);
    let (link, _) = net.link(0, 1);
    net.link(1, 2);
    net.run(3 * SECOND);
    net.deaf.insert((0, link));
    let said: BTreeSet<EnvelopeId> = (0..2_000).map(|n| net.broadcast(0, &n.to_string())).collect();
    net.run(SECOND / 10);
    net.deaf.clear();
    assert!(net.nodes[1].delivered.is_empty());
    net.compare(0, link);
    net.run(2 * SECOND);
    for n in 1..3 {
        assert_eq!(net.nodes[n].delivered.iter().copied().collect::<BTreeSet<_>>(), said, "node {n}");
    }
}

#[test]
fn a_message_that_one_node_missed_is_found_within_two_rounds_and_by_everybody_behind_it() {
    let mut net = Net::new(4);
    let (link, _) = net.link(0, 1);
    net.link(1, 2);
    net.link(2, 3);
    net.run(3 * SECOND);
    net.deaf.insert((0, link));
    let id = net.broadcast(0, "unheard");
    net.run(SECOND);
    net.deaf.clear();
    // Every 10 s, give or take half, of what is older than 10 s; the others hear of it from node 1 alone.
    net.run(42 * SECOND);
    for n in 1..4 {
        assert_eq!(net.nodes[n].delivered, [id], "node {n}");
    }
}

#[test]
fn when_a_neighbour_fails_in_the_middle_another_brings_the_rest() {
    for is_silent in [false, true] {
        let all = history(5_000);
        let mut net = Net::new(3);
        (1..3).for_each(|n| net.knows(n, all.iter().cloned()));
        let (_, theirs) = net.link(0, 1);
        // Equal so far: node 2 is not compared with again by itself.
        net.link(2, 0);
        net.run(SECOND / 10);
        let before = net.nodes[0].delivered.len();
        assert!((1..5_000).contains(&before), "{before}");
        if is_silent {
            net.deaf.insert((1, theirs));
        } else {
            net.unlink(0, 1);
        }
        net.run(8 * SECOND);
        assert_eq!(net.nodes[0].delivered.iter().copied().collect::<BTreeSet<_>>(), ids(&all), "silent: {is_silent}");
        assert_eq!(net.nodes[0].delivered.len(), 5_000);
    }
}
