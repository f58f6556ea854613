//! A devnet within this program: each node a task.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::super::Failure;
use super::files;
use super::host::Host;
use super::report::Progress;
use super::traffic::{TITLE, Traffic};
use crate::config::Config;
use crate::control::Board;
use crate::node::{Event, Events, Item, Node, SecureNode};
use crate::overlay::Reason;

/// Nodes, and their applications that count what they receive.
pub(super) struct Tasks {
    nodes: Vec<Node>,
    genesis: Events,
    _applications: JoinSet<()>,
}

impl Tasks {
    pub(super) async fn start(
        configs: &[PathBuf],
        seed: impl Fn(usize) -> Option<[u8; 32]>,
        traffic: &Arc<Traffic>,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let (mut nodes, mut applications) = (Vec::with_capacity(configs.len()), JoinSet::new());
        let board = Board::default();
        for (place, file) in configs.iter().enumerate() {
            let config = Config::load(file)?;
            let mut builder = SecureNode::from_config(&config)?.control_on(&config, &board);
            if let Some(seed) = seed(place) {
                builder = builder.seed(seed);
            }
            let node: Node = builder.start().await?.into();
            if place > 0 {
                board.follow(&node);
            }
            let listen = node.listen_address().map(|at| at.to_string()).unwrap_or_default();
            progress.started(&files::name(place), &format!("{:#}", node.id()), &listen);
            let (traffic, mut subscription) = (traffic.clone(), node.subscribe(TITLE)?);
            applications.spawn(async move {
                while let Some(item) = subscription.next().await {
                    if let Item::Broadcast(broadcast) = item {
                        traffic.received(place, broadcast.text().as_deref().unwrap_or_default());
                    }
                }
            });
            nodes.push(node);
        }
        if let Some(genesis) = configs.first() {
            progress.page(genesis);
        }
        let genesis = nodes[0].events();
        Ok(Tasks { nodes, genesis, _applications: applications })
    }
}

impl Host for Tasks {
    fn has_joined(&self, place: usize, members: usize, links: usize) -> bool {
        let node = &self.nodes[place];
        node.members().len() == members && node.links().len() >= links
    }

    async fn change(&mut self) -> Result<(), Failure> {
        // Something happened at the genesis node, or a moment has passed.
        let next = async { while !matches!(self.genesis.next().await, Some(Event::Member { .. }) | None) {} };
        let _ = tokio::time::timeout(Duration::from_millis(20), next).await;
        Ok(())
    }

    async fn publish(&mut self, place: usize, content: String) -> Result<(), Failure> {
        self.nodes[place].broadcast(TITLE, content).await?;
        Ok(())
    }

    fn has_ended(&self, place: usize) -> bool {
        self.nodes[place].is_stopping()
    }

    fn links(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.links().len()).collect()
    }

    async fn stop(self) -> u64 {
        let mut stopping: JoinSet<()> =
            self.nodes.iter().cloned().map(|node| async move { node.stop().await }).collect();
        while stopping.join_next().await.is_some() {}
        let refused = |node: &Node| {
            let reasons = node.status().reasons;
            reasons.get(Reason::BadEnvelope) + reasons.get(Reason::BadSignature)
        };
        self.nodes.iter().map(refused).sum()
    }
}
