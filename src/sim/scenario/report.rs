//! What a run came to.

use std::time::Duration;

use super::Scenario;
use crate::sim::statistics::{Ending, Figures, ratio};
use crate::sim::{Account, Latencies, RunDigest, SchemeKind, Simulation, Spread, Traffic};

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The nodes there were in all, newcomers included.
    pub nodes: usize,
    /// Those that were up at the end.
    pub living: usize,
    /// The scenario's seed.
    pub seed: u64,
    /// Which scheme was used.
    pub scheme: SchemeKind,
    /// Equal scenarios have equal digests.
    pub digest: RunDigest,
    /// Virtual time in all.
    pub elapsed: Duration,
    /// How long it took until every node knew every member, or as many as it may know, and had its links; `None` if it did
    /// not come about within ten minutes.
    pub joining: Option<Duration>,
    /// Messages that were published, those of the warm-up included.
    pub messages: usize,
    /// What became of them.
    pub account: Account,
    /// BROADCAST frames with a message that arrived anywhere, for each that was needed, less one.
    pub redundancy: f64,
    /// The same of the messages after the warm-up.
    pub redundancy_steady: f64,
    /// Over how many links a message's last delivery came.
    pub last_hop: Spread,
    /// How long deliveries took.
    pub latency: Latencies,
    /// What was sent from the first message on.
    pub traffic: Traffic,
    /// Bytes of messages, ids and repair that were sent for each delivery.
    pub bytes_per_delivery: f64,
    /// Links of the nodes that are up.
    pub links: Spread,
    /// Members that the nodes know that are up.
    pub members: Spread,
    /// How often a node took another for unreachable or gone that was up all the time and not cut off from it.
    pub false_alarms: u64,
    /// The latency that 0, 1, 2 … 100 percent of the deliveries did not exceed.
    pub latency_curve: Vec<(u8, Duration)>,
    /// The redundancy of what was published in each second, from the first on.
    pub redundancy_curve: Vec<(u64, f64)>,
}

impl Report {
    pub(super) fn of(scenario: &Scenario, sim: &Simulation, joining: Option<Duration>, traffic: Traffic) -> Self {
        let (figures, account) = (sim.ledger.figures(), sim.account());
        let Figures { redundancy, redundancy_steady, last_hop, latency, latency_curve, redundancy_curve } = figures;
        let up = sim.running();
        let bytes = traffic.messages + traffic.ids + traffic.repair;
        Report {
            nodes: sim.len(),
            living: up.len(),
            seed: scenario.seed,
            scheme: scenario.scheme(),
            digest: sim.digest(),
            elapsed: sim.elapsed(),
            joining,
            messages: sim.ledger.len(),
            bytes_per_delivery: ratio(bytes, account.delivered).unwrap_or(0.0),
            account,
            redundancy,
            redundancy_steady,
            last_hop,
            latency,
            traffic,
            links: Spread::of(up.iter().map(|node| sim.link_count(*node) as u64)),
            members: Spread::of(up.iter().map(|node| sim.member_count(*node) as u64)),
            false_alarms: sim.false_alarms(),
            latency_curve,
            redundancy_curve,
        }
    }

    /// Whether nothing is missing without an explanation, and nothing came twice.
    pub fn is_sound(&self) -> bool {
        self.account.unexplained == 0 && self.account.duplicates == 0
    }
}

impl Simulation {
    /// What became of the counted messages so far.
    pub(super) fn account(&self) -> Account {
        let ending =
            |node: &crate::sim::node::Node| Ending { is_up: node.running.is_some(), log: node.log, since: node.since };
        let endings: Vec<Ending> = self.nodes.iter().map(ending).collect();
        self.ledger.account(&endings, |from, to| self.network.reached_since(from, to))
    }
}
