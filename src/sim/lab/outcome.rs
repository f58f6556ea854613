//! What became of a trial.

use std::collections::{BTreeMap, BTreeSet};

use crate::envelope::EnvelopeId;
use crate::identity::NodeId;
use crate::overlay::{Core, Reason};
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
    /// How long deliveries to honest nodes took.
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
    /// Evil nodes that an honest one barred, and honest nodes that an honest one barred: pairs, at the end (a bar lasts an
    /// hour).
    pub evil_barred: usize,
    /// See `evil_barred`.
    pub honest_barred: usize,
    /// The newcomer's links with honest nodes, and all of them.
    pub newcomer_honest_links: usize,
    /// See `newcomer_honest_links`.
    pub newcomer_links: usize,
    /// How often somebody dialled a bystander's address.
    pub dials_at_bystander: u64,
    /// What honest nodes dropped, refused and closed, and why.
    pub reasons: BTreeMap<Reason, u64>,
}

/// Who is who in a trial.
#[derive(Clone, Copy)]
pub(super) struct People<'a> {
    pub(super) honest: &'a [usize],
    pub(super) evil: &'a [usize],
    pub(super) newcomer: usize,
    pub(super) bystander: usize,
}

/// What the honest nodes' logs hold.
#[derive(Default)]
struct Held {
    delivered: u64,
    twice: u64,
    forged: u64,
    of_evil: u64,
}

impl Outcome {
    pub(super) fn of(sim: &Simulation, joined: bool, published: &[EnvelopeId], people: People<'_>) -> Self {
        let People { honest, evil, newcomer, bystander } = people;
        let published: BTreeSet<EnvelopeId> = published.iter().copied().collect();
        let members: BTreeSet<NodeId> = sim.nodes.iter().map(|node| node.id).collect();
        let mut held = Held::default();
        for node in honest {
            let mut seen = BTreeSet::new();
            let mut of_evil = 0;
            for envelope in sim.delivered(*node) {
                if !seen.insert(envelope.id()) {
                    held.twice += 1;
                } else if published.contains(&envelope.id()) {
                    held.delivered += u64::from(envelope.sender() != sim.id(*node));
                } else if members.contains(&envelope.sender()) {
                    held.forged += 1;
                } else {
                    of_evil += 1;
                }
            }
            held.of_evil = held.of_evil.max(of_evil);
        }
        let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
        for counts in honest.iter().filter_map(|node| sim.counts(*node)) {
            for (reason, count) in counts.iter().filter(|(_, count)| *count > 0) {
                *reasons.entry(reason).or_default() += count;
            }
        }
        let count = |reason: Reason| reasons.get(&reason).copied().unwrap_or(0);
        let with_evil = |node: &usize| sim.neighbours(*node).iter().filter(|other| evil.contains(other)).count();
        let newcomers = sim.neighbours(newcomer);
        let barred = |others: &[usize]| {
            let bars = |node: usize, other: usize| {
                let (now, id) = (sim.now_at(node), sim.id(other));
                node != other && sim.core(node, |core| core.is_barred(now, &id)) == Some(true)
            };
            honest.iter().map(|node| others.iter().filter(|other| bars(*node, **other)).count()).sum()
        };
        Outcome {
            joined,
            honest: honest.len(),
            evil: evil.len(),
            // Every message but its sender's own.
            expected: (published.len() * (honest.len() - 1)) as u64,
            delivered: held.delivered,
            twice: held.twice,
            forged_delivered: held.forged,
            kept_of_evil: held.of_evil,
            latency: sim.ledger.latency_at(|node| honest.contains(&node)),
            verifications: honest.iter().map(|node| sim.verifications(*node)).sum(),
            duplicates: count(Reason::Duplicate),
            shed: count(Reason::Shed),
            index: honest.iter().filter_map(|node| sim.core(*node, Core::index_len)).max().unwrap_or(0),
            members: honest.iter().map(|node| sim.member_count(*node)).max().unwrap_or(0),
            evil_links: honest.iter().map(with_evil).sum(),
            evil_barred: barred(evil),
            honest_barred: barred(honest),
            newcomer_honest_links: newcomers.iter().filter(|other| honest.contains(other)).count(),
            newcomer_links: newcomers.len(),
            dials_at_bystander: sim.dials_at(bystander),
            reasons,
        }
    }
}
