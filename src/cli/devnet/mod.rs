//! `sealnet devnet`: a whole network on this machine, in one command.

mod files;
mod report;
mod traffic;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinSet;

use super::Failure;
use super::output::Out;
use super::runtime::{asked_to_stop, block_on};
use crate::envelope::MAX_MESSAGE;
use crate::node::{Event, Node, SecureNode};

use report::{Progress, Report};
use traffic::Traffic;

/// Nodes join within this time, or something is wrong.
const JOIN_WITHIN: Duration = Duration::from_secs(60);
/// Without a number of messages, one goes out in this time, for ever.
const PACE: Duration = Duration::from_millis(500);

/// Starts a network of several nodes on this machine, sends signed messages through it, and counts what arrives.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sealnet devnet                                          five nodes, a message every half second, until Ctrl-C
  sealnet devnet --nodes 40 --messages 200 --exit         a bounded run; exit status 0 if everything arrived once
  sealnet devnet --nodes 5 --messages 100 --exit --json   the same facts for a program

Keys and configuration files are left in the folder (--dir): look at them, change them, start one with `sealnet run`.")]
pub(super) struct Devnet {
    /// How many nodes, genesis included.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=500))]
    nodes: u16,
    /// How many messages in all, published in turn; without it, one every half second until stopped.
    #[arg(long)]
    messages: Option<u64>,
    /// Bytes of each message.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=MAX_MESSAGE as i64))]
    size: u32,
    /// Makes the nodes' random choices (whom to link with) repeatable. Keys are always random.
    #[arg(long)]
    seed: Option<u64>,
    /// Stop when the messages have arrived.
    #[arg(long, requires = "messages")]
    exit: bool,
    /// Where keys and configuration files go.
    #[arg(long, default_value = "devnet")]
    dir: PathBuf,
    /// Print one JSON object at the end, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

impl Devnet {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        block_on(self.attend(out))
    }

    async fn attend(self, out: &mut Out) -> Result<(), Failure> {
        let progress = Progress::new(self.json);
        let count = usize::from(self.nodes);
        let started = Instant::now();
        let nodes = self.start(count, &progress).await?;
        let outcome = self.exchange(&nodes, started, &progress).await;
        progress.step("stopping");
        let mut stopping: JoinSet<()> = nodes.iter().cloned().map(|node| async move { node.stop().await }).collect();
        while stopping.join_next().await.is_some() {}
        let report = outcome?;
        report.print(self.json, out)?;
        report.check()
    }

    async fn start(&self, count: usize, progress: &Progress) -> Result<Vec<Node>, Failure> {
        let files = files::make(&self.dir, count)?;
        progress.step(&format!("made keys and configurations for {count} nodes in {}", self.dir.display()));
        let mut nodes = Vec::with_capacity(count);
        for (place, file) in files.iter().enumerate() {
            let mut builder = SecureNode::from_file(file)?;
            if let Some(seed) = self.seed {
                builder = builder.seed(seed_of(seed, place));
            }
            let node: Node = builder.start().await?.into();
            progress.started(&files::name(place), &node);
            nodes.push(node);
        }
        Ok(nodes)
    }

    async fn exchange(&self, nodes: &[Node], started: Instant, progress: &Progress) -> Result<Report, Failure> {
        let mut tasks = JoinSet::new();
        let traffic = Traffic::watch(nodes, self.size as usize, &mut tasks)?;
        self.wait_until_joined(nodes, progress).await?;
        let join = started.elapsed();
        progress.step(&format!("all {} nodes joined in {} ms", nodes.len(), join.as_millis()));
        let interrupted = async {
            match self.messages {
                Some(messages) => {
                    self.send(nodes, &traffic, messages, progress).await?;
                    if !self.exit {
                        progress.step("everything was sent; Ctrl-C stops");
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, Failure>(())
                }
                None => loop {
                    let (publisher, number) = traffic.publish(nodes).await?;
                    progress.published(&files::name(publisher), number, traffic.deliveries());
                    tokio::time::sleep(PACE).await;
                },
            }
        };
        tokio::select! {
            outcome = interrupted => outcome?,
            () = asked_to_stop() => progress.step("interrupted; counting what has arrived"),
        }
        traffic.complete().await;
        progress.done();
        Ok(Report::new(nodes, join, &traffic.counted()))
    }

    async fn send(&self, nodes: &[Node], traffic: &Traffic, messages: u64, progress: &Progress) -> Result<(), Failure> {
        let expected = messages * (nodes.len() as u64 - 1);
        progress.begin(expected);
        for _ in 0..messages {
            if !traffic.room().await {
                break;
            }
            traffic.publish(nodes).await?;
            progress.delivered(traffic.deliveries());
        }
        traffic.complete().await;
        progress.delivered(traffic.deliveries());
        Ok(())
    }

    /// Everybody knows everybody, and has two links or more where there are enough nodes.
    async fn wait_until_joined(&self, nodes: &[Node], progress: &Progress) -> Result<(), Failure> {
        let enough = nodes.len().saturating_sub(1).min(2);
        let has_joined = |node: &Node| node.members().len() == nodes.len() && node.links().len() >= enough;
        let mut events = nodes[0].events();
        let deadline = tokio::time::Instant::now() + JOIN_WITHIN;
        loop {
            let joined = nodes.iter().filter(|node| has_joined(node)).count();
            progress.joined(joined, nodes.len());
            if joined == nodes.len() {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                let missing: Vec<_> = nodes.iter().enumerate().filter(|(_, node)| !has_joined(node)).collect();
                let names: Vec<_> = missing.iter().map(|(place, _)| files::name(*place)).collect();
                return Err(Failure::said(format!(
                    "{} of {} nodes did not join within {} s: {}; run again with --log debug to see why",
                    names.len(),
                    nodes.len(),
                    JOIN_WITHIN.as_secs(),
                    names.join(", ")
                )));
            }
            // Something happened at the genesis node, or a moment has passed.
            let next = async { while !matches!(events.next().await, Some(Event::Member { .. }) | None) {} };
            let _ = tokio::time::timeout(Duration::from_millis(20), next).await;
        }
    }
}

fn seed_of(seed: u64, place: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..16].copy_from_slice(&(place as u64).to_be_bytes());
    bytes
}
