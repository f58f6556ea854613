//! Whole networks on bad days, in virtual time: nothing is missing without an explanation, and nothing comes twice.

use std::num::NonZeroU32;
use std::time::Duration;

use sealnet::overlay::{self, PRESENCE_TITLE, Presence};
use sealnet::sim::{
    Conditions, Explanation, Partition, Report, Scenario, SchemeKind, Senders, Settings, Share, Simulation,
};
use sealnet::wire::Frame;

const SECOND: Duration = Duration::from_secs(1);

/// Two hundred nodes anywhere, of which one says something ten times a second.
fn two_hundred() -> Scenario {
    Scenario {
        nodes: 200,
        seed: 1,
        scheme: Some(SchemeKind::Open),
        messages: 100,
        warm_up: 2 * SECOND,
        start_spread: 2 * SECOND,
        ..Scenario::default()
    }
}

fn play(scenario: &Scenario) -> Report {
    let report = scenario.run(&mut |_| {});
    let about = format!("{scenario:?}\n{report:?}");
    assert_eq!((report.account.unexplained, report.account.duplicates), (0, 0), "{about}");
    assert!(report.account.is_complete() && report.joining.is_some(), "{about}");
    report
}

fn nothing_is_explained(report: &Report) {
    assert!(report.account.explained.is_empty(), "{:?}", report.account);
    assert_eq!(report.account.delivered, report.account.expected);
}

#[test]
fn equal_scenarios_are_equal_to_the_last_event() {
    let mut scenario = Scenario { nodes: 30, crashes: 3, flapping: 2, churn: 2, ..two_hundred() };
    scenario.conditions = Conditions {
        loss: Share::millionths(30_000),
        jitter: Duration::from_millis(5),
        bandwidth: "1000000".parse().ok(),
        slow: 3,
        clock_skew: 2 * SECOND,
        ..scenario.conditions
    };
    let (one, other) = (play(&scenario), play(&scenario));
    assert_eq!(one, other);
    assert_ne!(one.digest, play(&Scenario { seed: 2, ..scenario }).digest);
}

#[test]
fn of_two_hundred_nodes_none_lacks_anything_though_every_fiftieth_frame_is_lost() {
    let mut scenario = two_hundred();
    scenario.conditions.loss = Share::millionths(20_000);
    let report = play(&scenario);
    nothing_is_explained(&report);
    assert!(report.traffic.vanished > 1000, "{report:?}");
    assert_eq!(report.false_alarms, 0);
}

#[test]
fn ten_of_two_hundred_nodes_crash_and_the_others_lack_nothing() {
    let report = play(&Scenario { crashes: 10, ..two_hundred() });
    nothing_is_explained(&report);
    assert_eq!((report.nodes, report.living), (200, 190));
}

#[test]
fn crashed_nodes_come_back_with_their_log_or_without_and_lack_nothing() {
    let report = play(&Scenario { restarts: 10, lost_logs: 10, ..two_hundred() });
    nothing_is_explained(&report);
    assert_eq!(report.living, 200);
    assert!(report.account.late > 0, "{report:?}");
}

#[test]
fn ten_of_two_hundred_nodes_flap_and_nobody_lacks_anything() {
    let report = play(&Scenario { flapping: 10, rate: NonZeroU32::new(4).unwrap(), ..two_hundred() });
    nothing_is_explained(&report);
    assert_eq!(report.false_alarms, 0);
}

#[test]
fn all_of_a_hundred_nodes_talk_and_everybody_hears_them() {
    let senders = Senders::All;
    let report =
        play(&Scenario { nodes: 100, senders, rate: NonZeroU32::new(20).unwrap(), messages: 200, ..two_hundred() });
    nothing_is_explained(&report);
}

#[test]
fn nodes_come_and_go_and_newcomers_learn_what_was_said_before() {
    let report = play(&Scenario { nodes: 100, churn: 20, ..two_hundred() });
    nothing_is_explained(&report);
    assert_eq!((report.nodes, report.living), (120, 100));
}

#[test]
fn both_sides_of_a_healed_cut_have_what_either_said_meanwhile() {
    for lasts in [20, 90] {
        let partition = Some(Partition { after: SECOND, lasts: lasts * SECOND });
        let senders = Senders::Some(10);
        let rate = NonZeroU32::new(2).unwrap();
        let report = play(&Scenario { nodes: 60, partition, senders, rate, ..two_hundred() });
        nothing_is_explained(&report);
        assert!(report.account.late > 0, "{report:?}");
    }
}

#[test]
fn what_is_over_before_a_cut_heals_is_explained() {
    let partition = Some(Partition { after: SECOND, lasts: 400 * SECOND });
    let lifetime = sealnet::envelope::Lifetime::secs(60);
    let report = play(&Scenario { nodes: 20, partition, lifetime, ..two_hundred() });
    let expired = report.account.explained.get(&Explanation::Expired).copied().unwrap_or(0);
    assert_eq!(report.account.delivered + expired, report.account.expected);
    assert!(expired > 500, "{report:?}");
}

#[test]
fn slow_nodes_narrow_lines_and_wrong_clocks_lose_nothing() {
    let mut scenario = Scenario { nodes: 100, size: 1000, ..two_hundred() };
    scenario.conditions = Conditions {
        bandwidth: "200000".parse().ok(),
        slow: 10,
        clock_skew: 30 * SECOND,
        jitter: Duration::from_millis(20),
        ..scenario.conditions
    };
    nothing_is_explained(&play(&scenario));
}

#[test]
fn of_five_hundred_members_none_is_thought_to_be_gone_that_is_there() {
    let mut scenario = Scenario { nodes: 500, messages: 5, start_spread: 5 * SECOND, ..two_hundred() };
    scenario.overlay.member_capacity = 200;
    scenario.conditions.loss = Share::millionths(10_000);
    let report = play(&scenario);
    assert_eq!(report.false_alarms, 0);
    assert_eq!((report.members.min, report.members.max), (200, 200), "each knows as many as it may");
    // The genesis node has more for a while.
    assert!(report.links.min >= 6 && report.links.mean < 12.0, "{:?}", report.links);
}

#[test]
fn halves_that_form_apart_become_one_though_nobody_has_room_for_all_members() {
    for seed in 0..3 {
        let overlay = overlay::Settings { member_capacity: 16, ..overlay::Settings::lan() };
        let mut sim = Simulation::new(Settings { nodes: 80, genesis: 2, seed, overlay, ..Settings::default() });
        sim.cut(|node| node % 2);
        sim.run_for(60 * SECOND);
        assert!(!sim.is_connected());
        sim.heal();
        assert!(sim.run_until(Simulation::is_connected, 300 * SECOND), "seed {seed}: they never met");
        sim.run_for(120 * SECOND);
        assert!(sim.is_connected(), "seed {seed}");
    }
}

#[test]
fn a_lie_about_a_victims_address_told_to_two_hundred_nodes_leads_few_dials_there() {
    // The victim never was a member: the last node does not start.
    let overlay = overlay::Settings::wan();
    let mut sim = Simulation::new(Settings { nodes: 201, later: 1, seed: 3, overlay, ..Settings::default() });
    assert!(sim.run_until(Simulation::all_know_all, 60 * SECOND));
    let (victim, liars) = (sim.address(200), 150..200);
    let claim = Presence { addresses: vec![victim], period: 200 * SECOND, ..Presence::default() };
    for round in 0..4 {
        for liar in liars.clone() {
            let lie = sim.draft(liar, PRESENCE_TITLE.parse().unwrap(), claim.encode()).unwrap();
            for neighbour in sim.neighbours(liar) {
                sim.inject(liar, neighbour, Frame::Broadcast(lie.as_bytes().clone()));
            }
        }
        // Whoever loses links looks for others.
        (0..8).for_each(|n| sim.kill(1 + 8 * round + n));
        sim.run_for(300 * SECOND);
    }
    // No more than one for each honest node in an hour, though fifty names and two hundred announcements lead there.
    let dials = sim.dials_at(200);
    assert!((1..=150).contains(&dials), "{dials} dials");
}
