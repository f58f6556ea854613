//! Closed networks in virtual time: how fast a revocation is everywhere, and that a network can be shut down.

use std::time::Duration;

use sealnet::overlay::{self, MemberState};
use sealnet::sim::{Settings, Simulation};

const SECOND: Duration = Duration::from_secs(1);

fn closed(settings: Settings) -> Simulation {
    let mut sim = Simulation::new(Settings { closed: true, ..settings });
    assert!(sim.run_until(Simulation::all_know_all, 60 * SECOND), "not complete after {:?}", sim.elapsed());
    sim
}

/// Whether nobody but itself knows or is linked with `gone` any more.
fn is_gone(sim: &Simulation, gone: usize) -> bool {
    (0..sim.len()).filter(|node| *node != gone).all(|node| {
        sim.epoch(node) == 1
            && !sim.neighbours(node).contains(&gone)
            && sim.member_state(node, gone).is_none_or(|state| state == MemberState::Gone)
    })
}

#[test]
fn in_a_line_of_five_a_member_revoked_anywhere_is_gone_everywhere_within_five_seconds() {
    let line = || {
        let wires = Some((0..4).map(|n| (n, n + 1)).collect());
        closed(Settings { nodes: 5, genesis: 5, wires, seed: 3, ..Settings::default() })
    };
    for gone in 0..5 {
        for at in 0..5 {
            let mut sim = line();
            assert_eq!(sim.neighbours(2).len(), 2, "it is a line");
            let said = sim.broadcast(gone, "test".parse().unwrap(), "before").unwrap();
            sim.run_for(SECOND);
            assert!((0..5).all(|node| sim.delivered(node).iter().any(|envelope| envelope.id() == said)));
            sim.revoke(at, &[gone]);
            let begun = sim.elapsed();
            assert!(sim.run_until(|sim| is_gone(sim, gone), 5 * SECOND), "{gone}, told at {at}");
            assert!(sim.elapsed() - begun <= 5 * SECOND);
            let others = (0..5).filter(|node| *node != gone);
            for node in others {
                assert!(sim.delivered(node).iter().all(|envelope| envelope.id() != said), "its contents are gone");
            }
            // And it does not come back.
            sim.run_for(60 * SECOND);
            assert!(is_gone(&sim, gone), "{gone}, told at {at}, is back");
        }
    }
}

/// In how much virtual time a list is to be known everywhere.
const EVERYWHERE: Duration = Duration::from_secs(2);

#[test]
fn in_a_thousand_nodes_a_revocation_is_everywhere_within_two_seconds() {
    let overlay = overlay::Settings::wan();
    let settings =
        Settings { nodes: 1_000, seed: 7, overlay, start_spread: 10 * SECOND, closed: true, ..Settings::default() };
    let mut sim = Simulation::new(settings);
    // To look whether all know all costs more than the network does.
    let is_complete = (0..60).any(|_| {
        sim.run_for(SECOND);
        sim.all_know_all()
    });
    assert!(is_complete);
    sim.revoke(17, &[500]);
    let begun = sim.elapsed();
    let everywhere = sim.run_until(|sim| is_gone(sim, 500), EVERYWHERE);
    println!(
        "1,000 nodes: a revoked member was gone everywhere after {:?} (bound {EVERYWHERE:?})",
        sim.elapsed() - begun
    );
    assert!(everywhere);
    sim.run_for(5 * SECOND);
    assert!(is_gone(&sim, 500));
    // Everybody else goes on as before.
    let said = sim.broadcast(3, "test".parse().unwrap(), "after").unwrap();
    sim.run_for(5 * SECOND);
    let have = (0..1_000).filter(|node| sim.delivered(*node).iter().any(|envelope| envelope.id() == said)).count();
    assert_eq!(have, 999);
}

#[test]
fn a_node_that_was_away_hears_of_revocations_when_it_comes_back_and_keeps_them() {
    let mut sim = closed(Settings { nodes: 8, seed: 5, ..Settings::default() });
    sim.kill(3);
    sim.kill(4);
    sim.revoke(1, &[2, 4]);
    sim.run_for(2 * SECOND);
    assert_eq!((sim.epoch(0), sim.epoch(7)), (1, 1));
    sim.restart_with_log(3);
    sim.restart_with_log(4);
    sim.run_for(10 * SECOND);
    assert_eq!(sim.epoch(3), 1);
    assert!(sim.neighbours(4).is_empty(), "the revoked one stays out: {:?}", sim.neighbours(4));
    sim.kill(3);
    sim.run_for(SECOND);
    sim.restart_with_log(3);
    sim.run_for(Duration::from_millis(1));
    assert_eq!(sim.epoch(3), 1, "it knows before it hears of anybody");
}

#[test]
fn who_has_the_right_stops_the_whole_network_and_nobody_else_does() {
    let mut sim = closed(Settings { nodes: 60, seed: 11, ..Settings::default() });
    assert!(!sim.shut_down(5));
    sim.run_for(5 * SECOND);
    assert_eq!(sim.running().len(), 60);
    assert!(sim.shut_down(0));
    assert!(sim.run_until(|sim| sim.running().is_empty(), 5 * SECOND), "{} are up", sim.running().len());
    // What was said before a node started is over.
    (0..60).for_each(|node| sim.restart_with_log(node));
    sim.run_for(20 * SECOND);
    assert_eq!(sim.running().len(), 60);
}

#[test]
fn closed_networks_are_as_repeatable_as_open_ones() {
    let run = |seed| {
        let mut sim = closed(Settings { nodes: 20, seed, ..Settings::default() });
        sim.revoke(2, &[9]);
        sim.run_for(5 * SECOND);
        sim.digest()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
