//! `sealnet devnet`: a whole network on this machine, in one command.

mod files;
mod host;
mod processes;
mod report;
mod tasks;
mod traffic;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use super::Failure;
use super::output::Out;
use super::runtime::{asked_to_stop, block_on};
use crate::envelope::MAX_MESSAGE;

use files::Interfaces;
use host::Host;
use processes::Processes;
use report::{Progress, Report};
use tasks::Tasks;
use traffic::Traffic;

/// Nodes join within this time, or something is wrong.
const JOIN_WITHIN: Duration = Duration::from_secs(60);
/// Without a number of messages, one goes out in this time, for ever.
const PACE: Duration = Duration::from_millis(500);

/// Start a network of several nodes on this machine, send signed messages through it, and count what arrives.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sealnet devnet                                   five nodes, until Ctrl-C
  sealnet devnet --nodes 40 --messages 200 --exit  a bounded run
  sealnet devnet --messages 100 --exit --json      the facts for a program
  sealnet devnet --processes --nodes 8             eight programs, not one

Exit status 0 says that everything arrived everywhere, and once. Keys and
configurations are left in the folder (--dir): look at them, change them, start
one with `sealnet run`.")]
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
    /// Make every node a process of its own, `sealnet run` with its configuration, instead of a task in this one.
    #[arg(long)]
    processes: bool,
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
        let interfaces = if self.processes { Interfaces::All } else { Interfaces::First };
        let files = files::make(&self.dir, count, interfaces)?;
        progress.step(&format!("made keys and configurations for {count} nodes in {}", self.dir.display()));
        let traffic = Arc::new(Traffic::new(count, self.size as usize));
        let seed = |place| self.seed.map(|seed| seed_of(seed, place));
        let report = if self.processes {
            let nodes = Processes::start(&files, seed, &traffic, &progress).await?;
            self.observe(nodes, started, &traffic, &progress).await?
        } else {
            let nodes = Tasks::start(&files, seed, &traffic, &progress).await?;
            self.observe(nodes, started, &traffic, &progress).await?
        };
        report.print(self.json, out)?;
        report.check()
    }

    /// Lets the nodes join and exchange messages, and stops them, whatever comes of it.
    async fn observe(
        &self,
        mut nodes: impl Host,
        started: Instant,
        traffic: &Traffic,
        progress: &Progress,
    ) -> Result<Report, Failure> {
        let outcome = self.exchange(&mut nodes, started, traffic, progress).await;
        let links = nodes.links();
        progress.step("stopping");
        let refused = nodes.stop().await;
        let join = outcome?;
        Ok(Report::new(&links, refused, join, &traffic.counted()))
    }

    /// Gives the time that joining took.
    async fn exchange(
        &self,
        nodes: &mut impl Host,
        started: Instant,
        traffic: &Traffic,
        progress: &Progress,
    ) -> Result<Duration, Failure> {
        let stop = asked_to_stop();
        tokio::pin!(stop);
        tokio::select! {
            joined = self.wait_until_joined(nodes, progress) => joined?,
            () = &mut stop => return Err(Failure::said("stopped before all nodes had joined")),
        }
        let join = started.elapsed();
        progress.step(&format!("all {} nodes joined in {} ms", self.nodes, join.as_millis()));
        let messages = self.messages.unwrap_or(u64::MAX);
        if let Some(messages) = self.messages {
            progress.begin(messages * (u64::from(self.nodes) - 1));
        }
        // Only waiting is interrupted: a message is published whole or not at all.
        let mut is_interrupted = false;
        for _ in 0..messages {
            let may_go_on = tokio::select! {
                () = &mut stop => { is_interrupted = true; false }
                // Without an end, somebody may have stopped a node for a while: it goes on slowly.
                has_room = traffic.room() => has_room || self.messages.is_none(),
            };
            if !may_go_on {
                break;
            }
            // In a bounded run it is an error that a node has ended; here somebody tries what happens then.
            if self.messages.is_none() {
                (0..usize::from(self.nodes)).filter(|place| nodes.has_ended(*place)).for_each(|place| {
                    note_end(place, traffic, progress);
                });
            }
            let Some((publisher, number, content)) = traffic.next() else {
                progress.step("all nodes have ended");
                break;
            };
            match nodes.publish(publisher, content).await {
                Err(_) if self.messages.is_none() => {
                    note_end(publisher, traffic, progress);
                    continue;
                }
                published => published?,
            }
            if self.messages.is_some() {
                progress.delivered(traffic.deliveries());
                continue;
            }
            progress.published(&files::name(publisher), number, traffic.deliveries());
            tokio::select! {
                () = &mut stop => { is_interrupted = true; break }
                () = tokio::time::sleep(PACE) => {}
            }
        }
        if is_interrupted {
            progress.step("interrupted; counting what has arrived");
        }
        traffic.complete().await;
        progress.delivered(traffic.deliveries());
        if !is_interrupted && !self.exit {
            progress.step("everything was sent; Ctrl-C stops");
            stop.await;
        }
        progress.done();
        Ok(join)
    }

    /// Everybody knows everybody, and has two links or more where there are enough nodes.
    async fn wait_until_joined(&self, nodes: &mut impl Host, progress: &Progress) -> Result<(), Failure> {
        let count = usize::from(self.nodes);
        let enough = count.saturating_sub(1).min(2);
        let deadline = tokio::time::Instant::now() + JOIN_WITHIN;
        loop {
            let missing: Vec<_> = (0..count).filter(|place| !nodes.has_joined(*place, count, enough)).collect();
            progress.joined(count - missing.len(), count);
            if missing.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                let names: Vec<_> = missing.iter().map(|place| files::name(*place)).collect();
                return Err(Failure::said(format!(
                    "{} of {count} nodes did not join within {} s: {}; run again with --log debug to see why",
                    names.len(),
                    JOIN_WITHIN.as_secs(),
                    names.join(", ")
                )));
            }
            nodes.change().await?;
        }
    }
}

/// Counts without a node from now on, and says so.
fn note_end(place: usize, traffic: &Traffic, progress: &Progress) {
    if traffic.ended(place) {
        progress.step(&format!("{} has ended; the others go on", files::name(place)));
    }
}

fn seed_of(seed: u64, place: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..16].copy_from_slice(&(place as u64).to_be_bytes());
    bytes
}
