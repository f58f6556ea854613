//! Broadcasts along the tree, in whole networks and virtual time: how many copies they cost, and that whoever is reached by a
//! flood is reached by the tree.

use std::collections::BTreeSet;
use std::time::Duration;

use sealnet::envelope::{EnvelopeId, Lifetime};
use sealnet::overlay::{self, Broadcast, Push};
use sealnet::sim::{Settings, Simulation};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A network in which everybody knows everybody and has found its links.
fn network(nodes: usize, seed: u64, broadcast: Broadcast) -> Simulation {
    let overlay = overlay::Settings { broadcast, ..overlay::Settings::local() };
    let mut sim = Simulation::new(Settings { nodes, seed, overlay, ..Settings::default() });
    assert!(sim.run_until(Simulation::all_know_all, 20 * SECOND), "seed {seed}");
    sim.run_for(30 * SECOND);
    sim
}

/// What was sent.
#[derive(Default)]
struct Run {
    sent: BTreeSet<EnvelopeId>,
}

impl Run {
    fn say(&mut self, sim: &mut Simulation, node: usize, lifetime: Lifetime) {
        let text = format!("{} of {node}", self.sent.len());
        self.sent.extend(sim.broadcast_for(node, "test".parse().unwrap(), text, lifetime));
    }

    /// `count` messages, one every 20 ms, of `senders` in turn. Gives the redundancy: copies over those needed, less one.
    fn talk(&mut self, sim: &mut Simulation, senders: &[usize], count: usize) -> f64 {
        let presences = |sim: &Simulation| (0..sim.len()).map(|node| sim.presences(node)).sum::<u64>();
        let before = (sim.traffic().broadcasts, presences(sim));
        for number in 0..count {
            self.say(sim, senders[number % senders.len()], Lifetime::DEFAULT);
            sim.run_for(20 * MILLISECOND);
        }
        sim.run_for(SECOND);
        let copies = sim.traffic().broadcasts - before.0;
        let running = (0..sim.len()).filter(|node| sim.is_running(*node)).count() as u64;
        let needed = (count as u64 + presences(sim) - before.1) * (running - 1);
        copies as f64 / needed as f64 - 1.0
    }

    /// Every running node that was up all the time has everything once.
    fn is_complete(&self, sim: &Simulation) {
        for node in (0..sim.len()).filter(|node| sim.is_running(*node)) {
            let ids: BTreeSet<EnvelopeId> = sim.delivered(node).iter().map(|envelope| envelope.id()).collect();
            assert!(self.sent.is_subset(&ids), "node {node} lacks {} messages", self.sent.difference(&ids).count());
            assert_eq!(sim.delivery_count(node), self.sent.len() as u64, "node {node} has something twice");
        }
    }
}

fn pushes(sim: &Simulation, push: Push) -> usize {
    (0..sim.len()).map(|node| sim.links(node).iter().filter(|link| link.push == push).count()).sum()
}

#[test]
fn a_broadcast_costs_little_more_than_one_copy_a_node() {
    for (senders, most) in [(vec![7], 0.3), ((0..100).collect::<Vec<_>>(), 1.0)] {
        for seed in 0..2 {
            let (mut sim, mut run) = (network(100, seed, Broadcast::Auto), Run::default());
            run.talk(&mut sim, &senders, 300);
            let redundancy = run.talk(&mut sim, &senders, 200);
            run.is_complete(&sim);
            assert!(redundancy < most, "seed {seed}, {} senders: {redundancy}", senders.len());
            assert!(pushes(&sim, Push::Lazy) > 2 * pushes(&sim, Push::Eager), "most links are pruned");
        }
    }
    let (mut sim, mut run) = (network(100, 0, Broadcast::Flood), Run::default());
    assert!(run.talk(&mut sim, &[7], 50) > 5.0);
    assert_eq!(pushes(&sim, Push::Lazy), 0);
}

#[test]
fn in_a_small_network_nothing_is_pruned() {
    let (mut sim, mut run) = (network(4, 1, Broadcast::Auto), Run::default());
    run.talk(&mut sim, &[0, 1, 2, 3], 200);
    run.is_complete(&sim);
    assert_eq!(pushes(&sim, Push::Lazy), 0, "four nodes have three links each");
}

#[test]
fn in_steady_state_nobody_has_to_ask() {
    let (mut sim, mut run) = (network(100, 3, Broadcast::Auto), Run::default());
    let all: Vec<usize> = (0..100).collect();
    run.talk(&mut sim, &all, 400);
    for sender in (0..100).step_by(7) {
        run.say(&mut sim, sender, Lifetime::DEFAULT);
        // Nobody asks before 100 ms.
        sim.run_for(99 * MILLISECOND);
        run.is_complete(&sim);
        sim.run_for(200 * MILLISECOND);
    }
}

#[test]
fn what_is_said_for_the_moment_only_reaches_everybody_too() {
    let (mut sim, mut run) = (network(60, 4, Broadcast::Auto), Run::default());
    run.talk(&mut sim, &[3, 30], 200);
    for number in 0..100 {
        run.say(&mut sim, 3, Lifetime::LIVE_ONLY);
        if number == 50 {
            let parents = parents(&sim);
            sim.vanish(parents[0]);
        }
        sim.run_for(20 * MILLISECOND);
    }
    sim.run_for(3 * SECOND);
    let counts: BTreeSet<u64> =
        (0..60).filter(|node| sim.is_running(*node)).map(|node| sim.delivery_count(node)).collect();
    assert_eq!(counts, [run.sent.len() as u64].into());
}

/// The nodes that most others hang on, none of them a sender.
fn parents(sim: &Simulation) -> Vec<usize> {
    let eager = |node: &usize| sim.links(*node).iter().filter(|link| link.push == Push::Eager).count();
    let mut nodes: Vec<usize> =
        (0..sim.len()).filter(|node| sim.is_running(*node) && ![0, 3, 30].contains(node)).collect();
    nodes.sort_by_key(|node| (std::cmp::Reverse(eager(node)), *node));
    nodes
}

#[test]
fn when_parents_crash_in_the_middle_of_a_stream_nobody_misses_a_message() {
    for (seed, told) in [(0, true), (1, true), (2, false), (3, false)] {
        let (mut sim, mut run) = (network(80, seed, Broadcast::Auto), Run::default());
        run.talk(&mut sim, &[3, 30], 200);
        for round in 0..6 {
            let parent = parents(&sim)[0];
            run.say(&mut sim, 3, Lifetime::DEFAULT);
            // Under way.
            sim.run_for(8 * MILLISECOND);
            if told {
                sim.kill(parent);
            } else {
                sim.vanish(parent);
            }
            for _ in 0..50 {
                run.say(&mut sim, if round % 2 == 0 { 3 } else { 30 }, Lifetime::DEFAULT);
                sim.run_for(20 * MILLISECOND);
            }
        }
        sim.run_for(5 * SECOND);
        run.is_complete(&sim);
        let redundancy = run.talk(&mut sim, &[3, 30], 200);
        assert!(redundancy < 0.3, "seed {seed}: {redundancy}");
    }
}

#[test]
fn whatever_links_close_the_tree_delivers_what_the_flood_delivers() {
    for seed in 0..3 {
        let complete = |broadcast| {
            let (mut sim, mut run) = (network(60, seed, broadcast), Run::default());
            let all: Vec<usize> = (0..60).collect();
            run.talk(&mut sim, &all, 200);
            for round in 0..120_usize {
                run.say(&mut sim, (round * 7) % 60, Lifetime::DEFAULT);
                sim.run_for(3 * MILLISECOND);
                // A neighbour hangs up, on the tree as often as elsewhere.
                let node = (round * 13 + seed as usize) % 60;
                let links = sim.neighbours(node);
                if let Some(other) = links.get(round % links.len().max(1)) {
                    let goodbye = sealnet::wire::Goodbye::new(sealnet::wire::GoodbyeCode::Leaving, "");
                    sim.inject(node, *other, sealnet::wire::Frame::Goodbye(goodbye));
                }
                sim.run_for(40 * MILLISECOND);
            }
            sim.run_for(5 * SECOND);
            run.is_complete(&sim);
            (0..60).map(|node| sim.delivery_count(node)).collect::<Vec<_>>()
        };
        assert_eq!(complete(Broadcast::Auto), complete(Broadcast::Flood), "seed {seed}");
        assert_eq!(complete(Broadcast::Tree), complete(Broadcast::Flood), "seed {seed}");
    }
}

#[test]
fn whatever_neighbours_say_of_eager_and_lazy_nothing_is_lost() {
    let mut sim = network(40, 5, Broadcast::Auto);
    let mut run = Run::default();
    let all: Vec<usize> = (0..40).collect();
    run.talk(&mut sim, &all, 200);
    for node in 0..40 {
        for other in sim.neighbours(node) {
            // Without rhyme or reason, and without what it means for the one who says it.
            let frame = if (node + other) % 3 == 0 { sealnet::wire::Frame::Lazy } else { sealnet::wire::Frame::Eager };
            sim.inject(node, other, frame);
        }
    }
    run.talk(&mut sim, &all, 200);
    sim.run_for(3 * SECOND);
    run.is_complete(&sim);
}
