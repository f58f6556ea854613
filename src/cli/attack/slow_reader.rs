//! Neighbours that take next to nothing: real nodes on loopback, because a simulated link has no queue.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};

use super::super::Failure;
use super::super::statistics::percentile;
use super::deaf::Deaf;
use super::shown::{Shown, Sums};
use crate::identity::{Identity, NetworkName, NodeId};
use crate::node::{Item, SecureNode};
use crate::overlay::{Reason, Settings};
use crate::sim::Share;

/// A message of 16 KiB every hundredth of a second: 1.6 MB a second, far beyond what a queue holds.
const SIZE: usize = 16 << 10;
const PACE: Duration = Duration::from_millis(10);
const TITLE: &str = "lab";
const JOIN_WITHIN: Duration = Duration::from_secs(60);
/// After the last message everything is there within this time, or something is wrong.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a run came to.
struct Run {
    sums: Sums,
    took: Vec<Duration>,
    evil_links: usize,
    reasons: BTreeMap<Reason, u64>,
}

/// Runs it without and with nodes that fall deaf.
pub(super) async fn compare(nodes: usize, evil: Share, lasts: Duration) -> Result<Shown, Failure> {
    let evil = (nodes * evil.as_millionths() as usize / 1_000_000).clamp(1, nodes.saturating_sub(2).max(1));
    let honest = nodes - evil;
    let runs = [run(honest, evil, lasts, false).await?, run(honest, evil, lasts, true).await?];
    let mut shown = Shown::new("slow-reader", honest, evil, [runs[0].sums, runs[1].sums]);
    let rank = |percent: u8| [0, 1].map(|n: usize| percentile(&runs[n].took, percent.into()).unwrap_or_default());
    shown.add_millis("p50_ms", "latency p50, ms", rank(50));
    shown.add_millis("p99_ms", "latency p99, ms", rank(99));
    shown.add("evil_links", "links with evil nodes at the end", [runs[0].evil_links, runs[1].evil_links]);
    shown.add_reasons([&runs[0].reasons, &runs[1].reasons]);
    Ok(shown)
}

async fn run(honest: usize, evil: usize, lasts: Duration, attacked: bool) -> Result<Run, Failure> {
    let name: NetworkName = "lab".parse()?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut nodes: Vec<SecureNode> = Vec::new();
    for place in 0..honest + evil {
        let mut builder =
            SecureNode::builder(name.clone(), Identity::generate()?).listen(listen).overlay(Settings::local());
        if let Some(genesis) = nodes.first().and_then(|node| node.address()) {
            builder = builder.genesis(genesis);
        }
        if place >= honest && attacked {
            builder = builder.channel_around(Deaf);
        }
        nodes.push(builder.start().await?);
    }
    let joined = async {
        while nodes.iter().any(|node| node.status().members < honest + evil) {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(JOIN_WITHIN, joined).await.map_err(|_| Failure::said("the nodes did not join within a minute"))?;
    let outcome = exchange(&nodes, honest, lasts).await;
    for node in &nodes {
        node.stop().await;
    }
    outcome
}

async fn exchange(nodes: &[SecureNode], honest: usize, lasts: Duration) -> Result<Run, Failure> {
    let (arrived, mut arrivals) = mpsc::unbounded_channel::<(u64, Instant)>();
    for node in nodes.iter().take(honest).skip(1) {
        let (mut messages, arrived) = (node.subscribe(TITLE)?, arrived.clone());
        tokio::spawn(async move {
            while let Some(item) = messages.next().await {
                let Item::Broadcast(message) = item else { continue };
                let number = message.message().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                if arrived.send((number, Instant::now())).is_err() {
                    return;
                }
            }
        });
    }
    drop(arrived);
    let mut sent = Vec::new();
    let count = lasts.as_nanos() / PACE.as_nanos();
    let mut pace = interval(PACE);
    for number in 0..count as u64 {
        pace.tick().await;
        let mut message = number.to_be_bytes().to_vec();
        message.resize(SIZE, b'.');
        sent.push(Instant::now());
        nodes[0].broadcast(TITLE, message).await?;
    }
    let expected = sent.len() * (honest - 1);
    let mut took = Vec::with_capacity(expected);
    let mut seen = BTreeMap::<u64, usize>::new();
    let gather = async {
        while took.len() < expected {
            let Some((number, at)) = arrivals.recv().await else { return };
            *seen.entry(number).or_default() += 1;
            took.extend(sent.get(number as usize).map(|sent| at.saturating_duration_since(*sent)));
        }
    };
    let _ = timeout(SETTLE_WITHIN, gather).await;
    let evil: Vec<NodeId> = nodes.iter().skip(honest).map(|node| node.id()).collect();
    let with_evil = |node: &SecureNode| node.links().iter().filter(|link| evil.contains(&link.peer)).count();
    let evil_links = nodes.iter().take(honest).map(with_evil).sum();
    took.sort_unstable();
    let twice = seen.values().map(|times| times.saturating_sub(honest - 1) as u64).sum();
    let mut reasons = BTreeMap::new();
    for node in nodes.iter().take(honest) {
        for (reason, count) in node.status().reasons.iter().filter(|(_, count)| *count > 0) {
            *reasons.entry(reason).or_default() += count;
        }
    }
    let sums = Sums { expected: expected as u64, delivered: took.len() as u64, twice, forged: 0 };
    Ok(Run { sums, took, evil_links, reasons })
}
