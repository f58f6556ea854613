//! Sealnet itself, by its public interface.
//!
//! Preset `local`, logs in memory. On a given graph nodes are told whom to dial and open no links of their own
//! (`target_links = 1`: whoever has one link is content); left to themselves they join through the first node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sealnet::identity::{Identity, NodeAddress};
use sealnet::node::{Builder, Item, Node, Secure, SecureNode, Subscription};
use sealnet::overlay::Settings;
use tokio::task::JoinSet;

use super::{Plan, System};
use crate::failure::{Outcome, said};
use crate::graph::DEGREE;
use crate::tally::Board;

const TITLE: &str = "peers";
/// Nodes are linked within this time, or something is wrong.
const LINKED_WITHIN: Duration = Duration::from_secs(60);
/// How often is looked whether they are.
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub(crate) struct Sealnet {
    nodes: Vec<Node>,
}

impl System for Sealnet {
    async fn start(plan: &Plan, board: &Arc<Board>) -> Outcome<Self> {
        let mut nodes: Vec<Node> = Vec::new();
        let genesis: Node = builder(plan, 0)?.start().await?.into();
        let first = address(&genesis)?;
        nodes.push(genesis);
        let mut starting = JoinSet::new();
        for place in 1..plan.nodes {
            let mut builder = builder(plan, place)?;
            if plan.by_itself {
                builder = builder.genesis(first.clone());
            }
            starting.spawn(async move { (place, builder.start().await) });
        }
        let mut started = starting.join_all().await;
        started.sort_unstable_by_key(|(place, _)| *place);
        for (_, node) in started {
            nodes.push(node?.into());
        }
        for (place, node) in nodes.iter().enumerate() {
            tokio::spawn(read(node.subscribe(TITLE)?, board.clone(), place));
        }
        if !plan.by_itself {
            dial(plan, &nodes).await?;
        }
        let system = Sealnet { nodes };
        system.linked(plan).await?;
        Ok(system)
    }

    async fn publish(&self, place: usize, content: Bytes) -> Outcome<()> {
        self.nodes[place].broadcast(TITLE, content).await?;
        Ok(())
    }

    async fn links(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.status().links).collect()
    }

    fn sent(&self) -> Option<u64> {
        Some(self.nodes.iter().map(|node| node.status().traffic.sent).sum())
    }
}

fn builder(plan: &Plan, place: usize) -> Outcome<Builder<Secure>> {
    let seed = plan.identity(place);
    let target_links = if plan.by_itself { DEGREE } else { 1 };
    Ok(SecureNode::builder("peers".parse()?, Identity::from_seed(&seed))
        .listen(([127, 0, 0, 1], 0).into())
        .overlay(Settings { target_links, ..Settings::local() })
        .seed(seed))
}

fn address(node: &Node) -> Outcome<NodeAddress> {
    node.address().ok_or_else(|| said("a node does not listen"))
}

/// Opens every link of the graph, all at once.
async fn dial(plan: &Plan, nodes: &[Node]) -> Outcome<()> {
    let mut dialling = JoinSet::new();
    for &(one, other) in plan.graph.edges() {
        let (node, address) = (nodes[one].clone(), address(&nodes[other])?);
        dialling.spawn(async move { node.connect(&address).await });
    }
    while let Some(dialled) = dialling.join_next().await {
        dialled??;
    }
    Ok(())
}

async fn read(mut subscription: Subscription, board: Arc<Board>, place: usize) {
    while let Some(item) = subscription.next().await {
        if let Item::Broadcast(broadcast) = item {
            board.received(place, &broadcast.message());
        }
    }
}

impl Sealnet {
    /// Waits until every node has its links and knows every member.
    async fn linked(&self, plan: &Plan) -> Outcome<()> {
        let deadline = Instant::now() + LINKED_WITHIN;
        let mut waiting: Vec<(usize, &Node)> = self.nodes.iter().enumerate().collect();
        loop {
            while waiting.last().is_some_and(|(place, node)| {
                let status = node.status();
                status.members >= plan.nodes && status.links >= plan.graph.degree(*place)
            }) {
                waiting.pop();
            }
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(said(format!("{} nodes of Sealnet are not linked as they should be", waiting.len())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
