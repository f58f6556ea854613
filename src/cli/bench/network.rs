//! Nodes with full security in this process, over TCP on loopback.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::super::Failure;
use super::super::machine;
use super::super::statistics::ratio;
use super::judge::Judge;
use super::metric::{IDLE_CPU, JOIN, JOIN_CPU, LINKS, LOADED_MEMORY, MEMORY, Metric};
use super::round::Round;
use super::tally::{TITLE, Tally};
use crate::identity::{Identity, NetworkName};
use crate::link::Traffic;
use crate::node::{Builder, Node, Secure, SecureNode};
use crate::overlay::{Reason, Settings};

/// What the network is called.
pub(super) const NAME: &str = "bench";
/// Nodes join within this time, or something is wrong.
const JOIN_WITHIN: Duration = Duration::from_secs(120);
/// How often is looked whether a node has joined.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Links that stay as they are for so long are the graph: longer than a node bears with too many of them.
const SETTLED_AFTER: Duration = Duration::from_millis(1500);
/// So long is looked at what a network costs in which nothing is said.
const IDLE_FOR: Duration = Duration::from_secs(2);
/// A graph that does not come to rest is measured as it is.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// A network that has joined and come to rest.
pub(super) struct Network {
    nodes: Vec<Node>,
    /// What the process held before, in bytes.
    memory_before: Option<u64>,
}

/// Which nodes to start.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) nodes: usize,
    /// What the nodes' identities and choices are made of.
    pub(super) seed: u64,
    /// Where their logs go; without it, into memory.
    pub(super) logs: Option<&'a Path>,
    /// Counts what comes, in an application that judges every message before it is relayed.
    pub(super) judged: Option<&'a Arc<Tally>>,
}

/// What all nodes have counted so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) verifications: u64,
    /// Envelopes that came again.
    pub(super) duplicates: u64,
    /// Connections that ended because the other end is barred.
    pub(super) barred: u64,
    pub(super) traffic: Traffic,
}

impl Network {
    /// Starts the nodes at once; they join through the first. Notes how long that took, and what a node costs.
    pub(super) async fn start(plan: Plan<'_>, round: &mut Round) -> Result<Network, Failure> {
        let count = plan.nodes;
        let memory_before = machine::resident();
        let (start, worked) = (Instant::now(), machine::processor_time());
        let genesis = plan.builder(0)?.start().await?;
        let address = genesis.address().ok_or_else(|| Failure::said("the genesis node does not listen"))?;
        let mut starting = JoinSet::new();
        for place in 1..count {
            let builder = plan.builder(place)?.genesis(address.clone());
            starting.spawn(async move { (place, builder.start().await) });
        }
        let mut started = starting.join_all().await;
        started.sort_unstable_by_key(|(place, _)| *place);
        let mut nodes: Vec<Node> = vec![genesis.into()];
        for (_, node) in started {
            nodes.push(node?.into());
        }
        let network = Network { nodes, memory_before };
        network.joined().await?;
        round.set(JOIN, start.elapsed().as_secs_f64() * 1e3);
        let worked = machine::processor_time().saturating_sub(worked);
        round.set(JOIN_CPU, ratio(worked.as_secs_f64() * 1e3, count as f64));
        network.settle().await;
        round.set(LINKS, ratio(network.link_count() as f64, count as f64));
        network.note_memory(MEMORY, round);
        let worked = machine::processor_time();
        tokio::time::sleep(IDLE_FOR).await;
        let worked = machine::processor_time().saturating_sub(worked);
        round.set(IDLE_CPU, ratio(worked.as_secs_f64() * 1e6, count as f64 * IDLE_FOR.as_secs_f64()));
        Ok(network)
    }

    /// Notes what a node holds now that it has worked, its log in memory included.
    pub(super) fn note_loaded(&self, round: &mut Round) {
        self.note_memory(LOADED_MEMORY, round);
    }

    fn note_memory(&self, metric: Metric, round: &mut Round) {
        if let (Some(before), Some(now)) = (self.memory_before, machine::resident()) {
            round.set(metric, ratio(now.saturating_sub(before) as f64 / 1024.0, self.nodes.len() as f64));
        }
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Waits until every node knows every member and has its links.
    async fn joined(&self) -> Result<(), Failure> {
        let (count, deadline) = (self.nodes.len(), Instant::now() + JOIN_WITHIN);
        let links = Settings::local().target_links.min(count - 1);
        let mut waiting: Vec<&Node> = self.nodes.iter().collect();
        loop {
            // One after the other: to look costs something too.
            while waiting.last().is_some_and(|node| {
                let status = node.status();
                status.members >= count && status.links >= links
            }) {
                waiting.pop();
            }
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Failure::said(format!(
                    "not all of {count} nodes joined within {} s; run again with --log debug to see why",
                    JOIN_WITHIN.as_secs()
                )));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the graph is at rest: what nodes open and close while they find their places is no part of a workload.
    async fn settle(&self) {
        let (deadline, most) = (Instant::now() + SETTLED_WITHIN, Settings::local().max_links);
        let (mut links, mut since) = (self.links(), Instant::now());
        while since.elapsed() < SETTLED_AFTER && Instant::now() < deadline {
            tokio::time::sleep(SETTLED_AFTER / 10).await;
            let now = self.links();
            // A node bears with too many links while those who have them may still be joining.
            let is_crowded = now.iter().any(|links| *links > most);
            if is_crowded || now != links {
                (links, since) = (now, Instant::now());
            }
        }
    }

    fn links(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.status().links).collect()
    }

    fn link_count(&self) -> usize {
        self.links().iter().sum()
    }

    /// What all nodes have counted so far.
    pub(super) fn totals(&self) -> Totals {
        self.nodes.iter().map(Node::status).fold(Totals::default(), |sum, status| Totals {
            verifications: sum.verifications + status.verifications,
            duplicates: sum.duplicates + status.reasons.get(Reason::Duplicate) + status.reasons.get(Reason::Busy),
            barred: sum.barred + status.reasons.get(Reason::Barred),
            traffic: sum.traffic + status.traffic,
        })
    }

    /// Stops all nodes.
    pub(super) async fn stop(self) {
        let stopping: JoinSet<()> = self.nodes.into_iter().map(|node| async move { node.stop().await }).collect();
        stopping.join_all().await;
    }
}

/// The identity of the node at a place.
pub(super) fn identity(seed: u64, place: usize) -> Identity {
    Identity::from_seed(&seed_of(seed, place))
}

fn seed_of(seed: u64, place: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..16].copy_from_slice(&(place as u64).to_be_bytes());
    bytes
}

impl Plan<'_> {
    /// One more node, which joins a network that is there.
    pub(super) async fn one_more(&self, network: &Network, place: usize) -> Result<Node, Failure> {
        let genesis = network.nodes.first().and_then(Node::address);
        let genesis = genesis.ok_or_else(|| Failure::said("the genesis node does not listen"))?;
        Ok(self.builder(place)?.genesis(genesis).start().await?.into())
    }

    fn builder(&self, place: usize) -> Result<Builder<Secure>, Failure> {
        let mut builder = SecureNode::builder(NAME.parse::<NetworkName>()?, identity(self.seed, place))
            .listen(([127, 0, 0, 1], 0).into())
            .overlay(Settings::local())
            .seed(seed_of(self.seed, place));
        if let Some(folder) = self.logs {
            builder = builder.log_folder(folder.join(place.to_string()));
        }
        if let Some(tally) = self.judged {
            builder = builder.app(TITLE, Judge::new(tally.clone(), place));
        }
        Ok(builder)
    }
}
