//! What became of a trial.

use std::collections::BTreeMap;

use crate::identity::NodeId;
use crate::overlay::Reason;
use crate::sim::statistics::{Ending, Figures};
use crate::sim::{Latencies, Simulation};

/// What became of the honest nodes' messages, and what it cost the honest nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether all nodes joined before it began.
    pub joined: bool,
    /// Honest nodes, the newcomer among them.
    pub honest: usize,
    /// Evil nodes.
    pub evil: usize,
    /// Messages of honest nodes times the other honest nodes.
    pub expected: u64,
    /// Of these, those that arrived.
    pub delivered: u64,
    /// Deliveries of what had been delivered before.
    pub twice: u64,
    /// Messages in honest logs that nobody signed who is in the network or made a key for it.
    pub forged_delivered: u64,
    /// Messages of evil making that an honest node keeps, at most.
    pub kept_of_evil: u64,
    /// How long deliveries took.
    pub latency: Latencies,
    /// Signatures that honest nodes verified, all together.
    pub verifications: u64,
    /// Copies of what was known that came to honest nodes.
    pub duplicates: u64,
    /// Messages over their sender's budget that honest nodes dropped.
    pub shed: u64,
    /// Ids in the fullest index, members in the fullest table of an honest node: its memory.
    pub index: usize,
    /// See `index`.
    pub members: usize,
    /// Links between honest and evil nodes at the end.
    pub evil_links: usize,
    /// The newcomer's links with honest nodes, and all of them.
    pub newcomer_honest_links: usize,
    /// See `newcomer_honest_links`.
    pub newcomer_links: usize,
    /// How often somebody dialled a bystander's address.
    pub dials_at_bystander: u64,
    /// What honest nodes dropped, refused and closed, and why.
    pub reasons: BTreeMap<Reason, u64>,
}

impl Outcome {
    pub(super) fn of(
        sim: &Simulation,
        joined: bool,
        honest: &[usize],
        evil: &[usize],
        newcomer: usize,
        bystander: usize,
    ) -> Self {
        let endings = sim.nodes.iter().enumerate().map(|(place, node)| Ending {
            is_up: honest.contains(&place) && node.running.is_some(),
            log: node.log,
            since: node.since,
        });
        let endings: Vec<Ending> = endings.collect();
        let account = sim.ledger.account(&endings, |from, to| sim.network.reached_since(from, to));
        let Figures { latency, .. } = sim.ledger.figures();
        let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
        for counts in honest.iter().filter_map(|node| sim.counts(*node)) {
            for (reason, count) in counts.iter().filter(|(_, count)| *count > 0) {
                *reasons.entry(reason).or_default() += count;
            }
        }
        let members: Vec<NodeId> = sim.nodes.iter().map(|node| node.id).collect();
        let kept = |node: &usize| {
            let of_others = sim.delivered(*node).into_iter().filter(|envelope| !members.contains(&envelope.sender()));
            of_others.count() as u64
        };
        let forged = |node: &usize| {
            let all = sim.delivered(*node).into_iter();
            all.filter(|envelope| members.contains(&envelope.sender()) && sim.ledger.number(&envelope.id()).is_none())
                .count()
        };
        let count = |reason: Reason| reasons.get(&reason).copied().unwrap_or(0);
        let with_evil = |node: &usize| sim.neighbours(*node).iter().filter(|other| evil.contains(other)).count();
        let newcomers = sim.neighbours(newcomer);
        Outcome {
            joined,
            honest: honest.len(),
            evil: evil.len(),
            expected: account.expected,
            delivered: account.delivered,
            twice: account.duplicates,
            forged_delivered: honest.iter().map(forged).sum::<usize>() as u64,
            kept_of_evil: honest.iter().map(kept).max().unwrap_or(0),
            latency,
            verifications: honest.iter().map(|node| sim.verifications(*node)).sum(),
            duplicates: count(Reason::Duplicate),
            shed: count(Reason::Shed),
            index: honest.iter().filter_map(|node| sim.core(*node, crate::overlay::Core::index_len)).max().unwrap_or(0),
            members: honest.iter().map(|node| sim.member_count(*node)).max().unwrap_or(0),
            evil_links: honest.iter().map(with_evil).sum(),
            newcomer_honest_links: newcomers.iter().filter(|other| honest.contains(other)).count(),
            newcomer_links: newcomers.len(),
            dials_at_bystander: sim.dials_at(bystander),
            reasons,
        }
    }
}
