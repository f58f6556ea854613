//! Whole networks in virtual time: what the overlay promises, with the same core that runs behind sockets.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use sealnet::envelope::{EnvelopeId, Title};
use sealnet::overlay::{self, MemberState, Reason};
use sealnet::sim::{SchemeKind, Settings, Simulation};
use sealnet::wire::Frame;

const SECOND: Duration = Duration::from_secs(1);

fn title() -> Title {
    "test".parse().unwrap()
}

fn joined(settings: Settings) -> Simulation {
    let (nodes, seed) = (settings.nodes, settings.seed);
    let mut sim = Simulation::new(settings);
    let complete = sim.run_until(Simulation::all_know_all, 20 * SECOND);
    let known: Vec<usize> = (0..nodes).map(|node| sim.member_count(node)).collect();
    assert!(complete, "seed {seed}: {nodes} nodes are not complete after {:?}: {known:?}", sim.elapsed());
    sim
}

fn up(sim: &Simulation) -> Vec<usize> {
    (0..sim.len()).filter(|node| sim.is_running(*node)).collect()
}

/// Publishes one message of each of `nodes` in turn, `each` times, and sees that every running node has all of them once.
fn everybody_gets_everything_once(sim: &mut Simulation, senders: &[usize], each: usize) {
    let before: Vec<u64> = (0..sim.len()).map(|node| sim.delivery_count(node)).collect();
    let mut sent = BTreeSet::new();
    for round in 0..each {
        for sender in senders {
            let message = format!("{round} of {sender}");
            sent.insert(sim.broadcast(*sender, title(), message).expect("a running node may publish"));
        }
        sim.run_for(Duration::from_millis(7));
    }
    sim.run_for(5 * SECOND);
    for node in up(sim) {
        let ids: BTreeSet<EnvelopeId> = sim.delivered(node).iter().map(|envelope| envelope.id()).collect();
        assert!(ids.is_superset(&sent), "node {node} has not everything");
        assert_eq!(sim.delivery_count(node) - before[node], sent.len() as u64, "node {node} has something twice");
    }
}

fn link_openings(sim: &Simulation) -> u64 {
    (0..sim.len()).map(|node| sim.link_openings(node)).sum()
}

fn count(sim: &Simulation, node: usize, reason: Reason) -> u64 {
    sim.counts(node).map_or(0, |counts| counts.get(reason))
}

#[test]
fn a_hundred_nodes_that_join_at_once_become_one_network() {
    for (overlay, seed) in [
        (overlay::Settings::local(), 1),
        (overlay::Settings::local(), 2),
        (overlay::Settings::lan(), 3),
        (overlay::Settings::wan(), 4),
    ] {
        let mut sim = joined(Settings { nodes: 100, seed, overlay, ..Settings::default() });
        assert!(sim.elapsed() < 5 * SECOND, "it took {:?}", sim.elapsed());
        sim.run_for(30 * SECOND);
        assert!(sim.all_know_all() && sim.is_connected());
        assert!((0..100).all(|node| sim.links(node).len() >= 2));
        let senders: Vec<usize> = (0..100).step_by(9).collect();
        everybody_gets_everything_once(&mut sim, &senders, 2);
    }
}

#[test]
fn small_networks_are_meshes_and_networks_of_any_size_carry_messages() {
    for nodes in [1, 2, 3, 5, 9, 10, 40] {
        for seed in 0..5 {
            let mut sim = joined(Settings { nodes, seed, ..Settings::default() });
            sim.run_for(20 * SECOND);
            for node in 0..nodes {
                let neighbours: BTreeSet<usize> = sim.neighbours(node).into_iter().collect();
                assert_eq!(neighbours.len(), sim.links(node).len(), "two links to one node");
                assert!(
                    neighbours.len() >= 8.min(nodes - 1),
                    "{nodes} nodes, seed {seed}, node {node}: {neighbours:?}"
                );
                assert!(neighbours.len() <= 12, "{nodes} nodes, seed {seed}, node {node}: {neighbours:?}");
            }
            let senders: Vec<usize> = (0..nodes).collect();
            everybody_gets_everything_once(&mut sim, &senders, 2);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed, scheme| {
        let mut sim = Simulation::new(Settings { nodes: 20, seed, scheme, ..Settings::default() });
        sim.run_for(5 * SECOND);
        sim.broadcast(3, title(), "hello").unwrap();
        sim.kill(4);
        sim.run_for(5 * SECOND);
        sim.digest()
    };
    for scheme in [SchemeKind::Open, SchemeKind::Signed] {
        assert_eq!(run(1, scheme), run(1, scheme));
        assert_ne!(run(1, scheme), run(2, scheme));
    }
}

#[test]
fn a_network_at_rest_is_quiet() {
    for (overlay, most_frames) in [(overlay::Settings::local(), 300), (overlay::Settings::wan(), 60)] {
        for (nodes, seed) in [(5, 1), (40, 2), (40, 3), (100, 4)] {
            let mut sim = joined(Settings { nodes, seed, overlay: overlay.clone(), ..Settings::default() });
            // The last of those who were full are tried again after a minute.
            sim.run_for(3 * 30 * SECOND);
            let all = |sim: &Simulation, count: fn(&Simulation, usize) -> u64| -> Vec<u64> {
                (0..nodes).map(|node| count(sim, node)).collect()
            };
            let (openings, announced) = (link_openings(&sim), all(&sim, Simulation::presences));
            let (ticks, traffic) = (all(&sim, Simulation::ticks), sim.traffic());
            sim.run_for(60 * SECOND);
            assert_eq!(link_openings(&sim), openings, "{nodes} nodes, seed {seed}: links flap");
            for node in 0..nodes {
                assert_eq!(sim.presences(node), announced[node], "{nodes} nodes: node {node} announces itself");
                let ticked = sim.ticks(node) - ticks[node];
                assert!(ticked <= 10 * 60, "{nodes} nodes: the timers of node {node} rang {ticked} times");
                assert!(sim.links(node).len() <= 12);
            }
            let frames = (sim.traffic().frames - traffic.frames) / nodes as u64;
            assert!(frames <= most_frames, "{nodes} nodes: {frames} frames a node and minute");
            assert_eq!(sim.traffic().broadcasts, traffic.broadcasts);
        }
    }
}

#[test]
fn without_its_genesis_node_a_network_goes_on_and_takes_it_back() {
    for nodes in [3, 12, 40] {
        for seed in 0..4 {
            let mut sim = joined(Settings { nodes, seed, ..Settings::default() });
            sim.run_for(10 * SECOND);
            sim.kill(0);
            let noticed =
                |sim: &Simulation| (1..nodes).all(|node| sim.member_state(node, 0) == Some(MemberState::Unreachable));
            assert!(sim.run_until(noticed, 10 * SECOND), "{nodes} nodes, seed {seed}: nobody missed the genesis node");
            assert!(sim.is_connected());
            everybody_gets_everything_once(&mut sim, &[1, 2], 2);
            sim.restart(0);
            assert!(
                sim.run_until(Simulation::all_know_all, 30 * SECOND),
                "{nodes} nodes, seed {seed}: it did not come back"
            );
            assert!(sim.is_connected());
            // It fetches what was said meanwhile.
            sim.run_for(10 * SECOND);
            everybody_gets_everything_once(&mut sim, &[0, 1], 1);
        }
    }
}

#[test]
fn a_latecomer_joins_through_the_second_genesis_node_and_learns_what_was_said() {
    for seed in 0..5 {
        let mut sim = Simulation::new(Settings { nodes: 6, genesis: 2, seed, ..Settings::default() });
        sim.run_for(Duration::ZERO);
        sim.kill(5);
        assert!(sim.run_until(Simulation::all_know_all, 10 * SECOND));
        let said = sim.broadcast(3, title(), "before").unwrap();
        sim.run_for(5 * SECOND);
        sim.kill(0);
        sim.run_for(5 * SECOND);
        sim.restart(5);
        let there =
            |sim: &Simulation| up(sim).iter().all(|node| sim.member_state(*node, 5) == Some(MemberState::Present));
        assert!(sim.run_until(there, 10 * SECOND), "seed {seed}");
        sim.run_for(SECOND);
        assert_eq!(sim.delivered(5).iter().map(|envelope| envelope.id()).collect::<Vec<_>>(), [said], "seed {seed}");
        sim.restart(0);
        assert!(sim.run_until(Simulation::all_know_all, 30 * SECOND), "seed {seed}: the first did not come back");
    }
}

#[test]
fn those_who_begin_with_different_genesis_nodes_become_one_network() {
    for (overlay, seed) in [
        (overlay::Settings::local(), 100),
        (overlay::Settings::lan(), 101),
        (overlay::Settings::lan(), 102),
        (overlay::Settings::wan(), 103),
    ] {
        let mut sim = joined(Settings { nodes: 100, genesis: 3, seed, overlay, ..Settings::default() });
        sim.run_for(60 * SECOND);
        assert!(sim.all_know_all() && sim.is_connected(), "seed {seed}: knowing each other is not enough");
        everybody_gets_everything_once(&mut sim, &[0, 1, 2, 50, 99], 1);
    }
}

#[test]
fn two_nodes_that_dial_each_other_keep_one_link() {
    for seed in 0..200 {
        let mut sim = Simulation::new(Settings { nodes: 2, genesis: 2, seed, ..Settings::default() });
        assert!(sim.run_until(Simulation::all_know_all, 5 * SECOND), "seed {seed}");
        sim.run_for(5 * SECOND);
        let openings = link_openings(&sim);
        sim.run_for(60 * SECOND);
        assert_eq!((sim.neighbours(0), sim.neighbours(1)), (vec![1], vec![0]), "seed {seed}");
        assert_ne!(sim.links(0)[0].direction, sim.links(1)[0].direction, "seed {seed}: not the same link");
        assert_eq!(link_openings(&sim), openings, "seed {seed}: the link flaps");
    }
}

#[test]
fn many_that_dial_each_other_keep_one_link_a_pair() {
    for seed in 0..40 {
        let mut sim = joined(Settings { nodes: 7, genesis: 7, seed, ..Settings::default() });
        sim.run_for(10 * SECOND);
        let openings = link_openings(&sim);
        sim.run_for(60 * SECOND);
        for node in 0..7 {
            let mut neighbours = sim.neighbours(node);
            neighbours.sort();
            assert_eq!(neighbours, (0..7).filter(|other| *other != node).collect::<Vec<_>>(), "seed {seed}");
        }
        assert_eq!(link_openings(&sim), openings, "seed {seed}: links flap");
    }
}

#[test]
fn an_honest_message_costs_each_node_one_verification() {
    let latency = (Duration::from_millis(5), Duration::from_millis(5));
    let mut sim = joined(Settings { nodes: 9, scheme: SchemeKind::Signed, latency, ..Settings::default() });
    sim.run_for(10 * SECOND);
    let verified = |sim: &Simulation| (0..9).map(|node| sim.verifications(node)).collect::<Vec<_>>();
    let (before, duplicates) = (verified(&sim), count(&sim, 5, Reason::Duplicate));
    sim.broadcast(0, title(), "hello").unwrap();
    sim.run_for(SECOND);
    let costs: Vec<u64> = verified(&sim).iter().zip(before).map(|(now, before)| now - before).collect();
    assert_eq!(costs, [0, 1, 1, 1, 1, 1, 1, 1, 1], "all copies of one hop arrive in the same instant");
    assert_eq!(count(&sim, 5, Reason::Duplicate) - duplicates, 7);
    assert!((0..9).all(|node| sim.delivered(node).len() == 1));
}

#[test]
fn a_forged_copy_neither_suppresses_a_message_nor_multiplies_its_cost() {
    let mut sim = joined(Settings { nodes: 9, scheme: SchemeKind::Signed, ..Settings::default() });
    sim.run_for(10 * SECOND);
    let honest = sim.draft(0, title(), "the truth").unwrap();
    let mut forged = honest.as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let before: Vec<u64> = (0..9).map(|node| sim.verifications(node)).collect();
    for liar in [2, 3] {
        assert!(sim.inject(liar, 1, Frame::Broadcast(Bytes::copy_from_slice(&forged))));
        sim.run_for(Duration::from_millis(50));
    }
    for friend in [4, 5, 6] {
        assert!(sim.inject(friend, 1, Frame::Broadcast(honest.as_bytes().clone())));
    }
    sim.run_for(SECOND);
    let costs: Vec<u64> = (1..9).map(|node| sim.verifications(node) - before[node]).collect();
    assert_eq!(costs, [2, 1, 1, 1, 1, 1, 1, 1], "the forgery once, where it arrived, and the message once");
    assert!((1..9).all(|node| sim.delivered(node).iter().filter(|envelope| envelope.id() == honest.id()).count() == 1));
    assert_eq!((count(&sim, 1, Reason::BadSignature), count(&sim, 1, Reason::KnownBad)), (1, 1));
}

#[test]
fn a_neighbour_that_forges_twice_loses_its_link_and_is_not_let_in_again() {
    let mut sim = joined(Settings { nodes: 5, scheme: SchemeKind::Signed, ..Settings::default() });
    sim.run_for(5 * SECOND);
    for n in 0..20 {
        let mut forged = sim.draft(2, title(), format!("{n}")).unwrap().as_bytes().to_vec();
        *forged.last_mut().unwrap() ^= 1;
        sim.inject(2, 1, Frame::Broadcast(forged.into()));
    }
    sim.run_for(300 * SECOND);
    assert!(!sim.neighbours(1).contains(&2) && !sim.neighbours(2).contains(&1));
    assert_eq!(count(&sim, 1, Reason::BadSignature), 3, "two envelopes were verified, and the link closed over them");
    assert!(count(&sim, 1, Reason::Barred) >= 18, "the others were not looked at");
    assert!((0..5).filter(|node| *node != 1).all(|node| count(&sim, node, Reason::BadSignature) == 0));
    assert!(sim.all_know_all(), "who lost a link is no less a member");
}

#[test]
fn who_leaves_is_gone_at_once_and_stays_gone() {
    let mut sim = joined(Settings { nodes: 12, ..Settings::default() });
    sim.run_for(10 * SECOND);
    sim.stop(7);
    let gone = |sim: &Simulation| up(sim).iter().all(|node| sim.member_state(*node, 7) == Some(MemberState::Gone));
    assert!(sim.run_until(gone, SECOND));
    sim.run_for(120 * SECOND);
    assert!(gone(&sim) && sim.all_know_all() && sim.is_connected());
    sim.restart(7);
    assert!(sim.run_until(Simulation::all_know_all, 5 * SECOND), "whoever left may come back");
}

#[test]
fn a_node_back_two_seconds_after_power_loss_is_linked_again_in_five() {
    for (nodes, seed) in (0..10).map(|seed| (2, seed)).chain((10..20).map(|seed| (6, seed))) {
        let mut sim = joined(Settings { nodes, seed, genesis: 2.min(nodes), ..Settings::default() });
        sim.run_for(10 * SECOND);
        sim.vanish(1);
        sim.run_for(2 * SECOND);
        sim.restart(1);
        assert!(sim.run_until(|sim| !sim.links(1).is_empty(), 5 * SECOND), "{nodes} nodes, seed {seed}");
        sim.run_for(30 * SECOND);
        for node in 0..nodes {
            let mut neighbours = sim.neighbours(node);
            neighbours.sort();
            assert_eq!(neighbours, (0..nodes).filter(|other| *other != node).collect::<Vec<_>>(), "seed {seed}");
        }
        assert!(sim.all_know_all());
    }
}

#[test]
fn nodes_that_come_and_go_leave_no_trace_and_the_others_miss_nothing() {
    for seed in 0..3 {
        let mut sim = joined(Settings { nodes: 40, genesis: 2, seed, ..Settings::default() });
        let mut sent = BTreeSet::new();
        for round in 0..20_usize {
            let (down, gone) = (10 + (round * 7 + seed as usize) % 30, 10 + (round * 11 + 3) % 30);
            if round % 3 == 0 {
                sim.vanish(down)
            } else {
                sim.kill(down)
            }
            sim.stop(gone);
            sent.extend(sim.broadcast(round % 10, title(), format!("{round}")));
            sim.run_for(2 * SECOND);
            sim.restart(down);
            sim.restart(gone);
            sim.run_for(SECOND);
        }
        assert!(
            sim.run_until(Simulation::all_know_all, 30 * SECOND),
            "seed {seed}: {:?}",
            (0..40).map(|n| sim.member_count(n)).collect::<Vec<_>>()
        );
        sim.run_for(30 * SECOND);
        assert!(sim.is_connected() && sim.all_know_all());
        for node in 0..40 {
            let ids: BTreeSet<EnvelopeId> = sim.delivered(node).iter().map(|envelope| envelope.id()).collect();
            assert_eq!(ids, sent, "seed {seed}, node {node}");
            assert_eq!(sim.delivery_count(node), sent.len() as u64);
        }
    }
}

#[test]
fn links_get_new_keys_once_a_day_and_nothing_is_lost_meanwhile() {
    let mut sim = joined(Settings { nodes: 4, scheme: SchemeKind::Open, ..Settings::default() });
    let before = link_openings(&sim);
    // Up to 24 h ± 10 % each link is made anew once, some twice in 27 h; somebody talks all the time.
    for hour in 0..27 * 4 {
        sim.run_for(900 * SECOND);
        everybody_gets_everything_once(&mut sim, &[hour % 4], 1);
    }
    let renewed = link_openings(&sim) - before;
    assert!((12..=24).contains(&renewed), "six links have two ends each, and these were opened: {renewed}");
    for node in 0..4 {
        assert!(count(&sim, node, Reason::Renewed) > 0);
        assert_eq!(sim.links(node).len(), 3);
    }
}

#[test]
fn a_node_goes_back_to_its_former_neighbours_before_it_asks_a_genesis_node() {
    for seed in 0..5 {
        let mut sim = joined(Settings { nodes: 12, seed, ..Settings::default() });
        sim.run_for(10 * SECOND);
        // All genesis nodes are down, for ever.
        sim.kill(0);
        for node in [3, 7] {
            sim.kill(node);
        }
        sim.run_for(10 * SECOND);
        sim.broadcast(1, title(), "meanwhile").unwrap();
        sim.run_for(SECOND);
        for node in [3, 7] {
            sim.restart_remembering(node);
        }
        assert!(
            sim.run_until(|sim| [3, 7].iter().all(|node| sim.links(*node).len() >= 8), 5 * SECOND),
            "seed {seed}: not back without a genesis node"
        );
        sim.run_for(5 * SECOND);
        everybody_gets_everything_once(&mut sim, &[3, 7, 5], 2);
    }
}

#[test]
fn a_genesis_node_that_starts_again_goes_back_to_the_network_it_began() {
    let mut sim = joined(Settings { nodes: 6, ..Settings::default() });
    sim.run_for(10 * SECOND);
    sim.kill(0);
    sim.run_for(20 * SECOND);
    sim.restart_remembering(0);
    assert!(sim.run_until(|sim| sim.links(0).len() >= 5, 3 * SECOND));
    everybody_gets_everything_once(&mut sim, &[0], 2);
}

#[test]
fn whoever_remembers_only_what_is_gone_joins_as_if_new() {
    for nodes in [8, 20] {
        let mut sim = joined(Settings { nodes, ..Settings::default() });
        sim.run_for(10 * SECOND);
        // Of the network it knew nothing is left; another one grew meanwhile around the genesis node.
        sim.kill(1);
        (2..nodes / 2).for_each(|node| sim.vanish(node));
        sim.run_for(30 * SECOND);
        (nodes / 2..nodes).for_each(|node| sim.vanish(node));
        sim.kill(0);
        sim.restart(0);
        sim.run_for(SECOND);
        sim.restart_remembering(1);
        assert!(sim.run_until(|sim| !sim.links(1).is_empty(), 30 * SECOND));
        everybody_gets_everything_once(&mut sim, &[0, 1], 2);
    }
}
