//! `sealnet simulate`: a network in virtual time, what happens to it, and what it came to.

mod curves;
pub(super) mod duration;
mod progress;
mod report;

use std::fs;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::Failure;
use super::output::Out;
use crate::envelope::{Lifetime, MAX_MESSAGE};
use crate::overlay;
use crate::sim::{Conditions, Partition, Scenario, SchemeKind, Senders, Share};

use progress::Shown;

/// Simulate a network in virtual time, disturb it, and account for every message.
#[derive(Args, Debug)]
#[command(
    long_about = "Simulate a network in virtual time, disturb it, and account for every message.\n\n\
Every simulated node runs the very core, log and envelopes of a real one; only time and network are made of \
the seed. Nodes join, one or several publish, nodes crash meanwhile, and then the run goes on until everybody \
has everything. Equal command lines give equal runs, which the digest shows.\n\n\
The network: nodes live in regions on a circle of 40,000 km, placed by a formula; a packet takes half a \
millisecond, 7.5 µs a kilometre, and up to 8 ms from each node's door. A lost BROADCAST, HAVE, WANT or ABSENT \
frame vanishes for good, which is harsher than TCP; every other lost frame comes later by a retransmission. A \
cut is silent: connections across it stall, dials run into their time-out.\n\n\
Redundancy is copies received / needed - 1; \"steady\" leaves out the warm-up. What a living node lacks is \
explained (expired; holders-lost: nobody who had it is still there; earlier-life: delivered to a log that is \
lost; refused, and why) or unexplained, which is a fault.",
    after_help = "\
Examples:
  sealnet simulate --nodes 200 --loss 2% --crash 10         a bad day
  sealnet simulate --nodes 500 --senders all --messages 500 everybody talks
  sealnet simulate --nodes 100 --partition 60s --seed 3     two halves, then one
  sealnet simulate --flap 10 --svg curves.svg               and two charts
  sealnet simulate --nodes 1000 --loss 0.02 --crash 10 --seed 7 --json

Exit status 0 says that nothing is missing without an explanation and nothing
came twice."
)]
pub(super) struct Simulate {
    /// How many nodes; the first is the genesis node, which nothing happens to.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    nodes: u32,
    /// What everything random comes from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How the nodes' overlay is set.
    #[arg(long, value_enum, default_value_t = Preset::Wan)]
    preset: Preset,
    /// Whether messages are signed and verified; auto: up to 300 nodes.
    #[arg(long, value_enum, default_value_t = Scheme::Auto)]
    scheme: Scheme,
    /// How many members a node knows at most [default: 4096; beyond 4096 nodes 1024, to save memory].
    #[arg(long, value_parser = clap::value_parser!(u32).range(16..=100_000))]
    members: Option<u32>,
    /// Nodes start within this time [default: 10 ms for each].
    #[arg(long, value_parser = duration::parse, value_name = "TIME")]
    start: Option<Duration>,

    /// Who publishes, in turn: a number of nodes, or all.
    #[arg(long, default_value = "1", value_parser = senders, value_name = "N|all", help_heading = "Traffic")]
    senders: Senders,
    /// How many messages are published after the warm-up.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_000_000), help_heading = "Traffic")]
    messages: u32,
    /// Bytes of each message.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(0..=MAX_MESSAGE as i64), help_heading = "Traffic")]
    size: u32,
    /// How many messages are published in a second.
    #[arg(long, default_value = "10", help_heading = "Traffic")]
    rate: NonZeroU32,
    /// How long messages are kept.
    #[arg(long, default_value = "1h", value_parser = duration::parse, value_name = "TIME", help_heading = "Traffic")]
    lifetime: Duration,
    /// For how long messages are published before those that are measured [default: 20s; with all sending 60s].
    #[arg(long, value_parser = duration::parse, value_name = "TIME", help_heading = "Traffic")]
    warm_up: Option<Duration>,

    /// In how many regions of the world the nodes live.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Network")]
    regions: u32,
    /// The part of all frames that is lost, like 0.02 or 2%.
    #[arg(long, default_value = "0", value_name = "SHARE", help_heading = "Network")]
    loss: Share,
    /// How much longer a frame may take than the one before.
    #[arg(long, default_value = "5ms", value_parser = duration::parse, value_name = "TIME", help_heading = "Network")]
    jitter: Duration,
    /// Bytes a node may send in a second [default: any number].
    #[arg(long, value_name = "BYTES", help_heading = "Network")]
    bandwidth: Option<NonZeroU64>,
    /// How many nodes are slow: 2 ms for each frame, a tenth of the bandwidth.
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Network")]
    slow: u32,
    /// How far clocks are off at most, either way.
    #[arg(long, default_value = "0s", value_parser = duration::parse, value_name = "TIME", help_heading = "Network")]
    skew: Duration,

    /// Nodes that crash while messages are published, and stay down.
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Disturbances")]
    crash: u32,
    /// Nodes that crash, and come back after 10 s with their log.
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Disturbances")]
    restart: u32,
    /// Nodes that crash, and come back after 10 s with nothing but their key.
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Disturbances")]
    lose_log: u32,
    /// Nodes that crash again and again for 2 to 5 s.
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Disturbances")]
    flap: u32,
    /// Nodes that leave; as many newcomers arrive.
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Disturbances")]
    churn: u32,
    /// Cut the network into two halves for so long, after the first second of measured messages.
    #[arg(long, value_parser = duration::parse, value_name = "TIME", help_heading = "Disturbances")]
    partition: Option<Duration>,

    /// How long it may take at the end until everybody has everything.
    #[arg(long, default_value = "10m", value_parser = duration::parse, value_name = "TIME")]
    settle: Duration,
    /// Write curves of latency and redundancy to this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

/// The presets of the overlay.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// Everything on one machine.
    Local,
    /// One site.
    Lan,
    /// Nodes anywhere.
    Wan,
}

/// Whether messages are signed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scheme {
    /// Up to 300 nodes.
    Auto,
    /// Always.
    Signed,
    /// Never.
    Open,
}

/// Up to this many nodes each may know all others.
const ALL_KNOWN_UP_TO: u32 = 4096;
/// How many members each knows at most in a larger network.
const KNOWN_OF_MORE: u32 = 1024;

impl Simulate {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let scenario = self.scenario();
        let started = Instant::now();
        let mut shown = Shown::new();
        let report = scenario.run(&mut |progress| shown.show(progress));
        shown.done();
        if let Some(file) = &self.svg {
            let text = curves::draw(&report)?;
            fs::write(file, text)
                .map_err(|why| Failure::said(format!("{} cannot be written: {why}", file.display())))?;
        }
        report::print(&report, started.elapsed(), self.json, out)?;
        report::check(&report)
    }

    fn scenario(&self) -> Scenario {
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let known = if self.nodes > ALL_KNOWN_UP_TO { KNOWN_OF_MORE } else { ALL_KNOWN_UP_TO };
        let overlay = match self.preset {
            Preset::Local => overlay::Settings::local(),
            Preset::Lan => overlay::Settings::lan(),
            Preset::Wan => overlay::Settings::wan(),
        };
        let warm_up = Duration::from_secs(if self.senders == Senders::All { 60 } else { 20 });
        Scenario {
            nodes: count(self.nodes),
            seed: self.seed,
            overlay: overlay::Settings { member_capacity: count(self.members.unwrap_or(known)), ..overlay },
            scheme: match self.scheme {
                Scheme::Auto => None,
                Scheme::Signed => Some(SchemeKind::Signed),
                Scheme::Open => Some(SchemeKind::Open),
            },
            conditions: Conditions {
                regions: self.regions,
                jitter: self.jitter,
                loss: self.loss,
                bandwidth: self.bandwidth,
                slow: count(self.slow),
                clock_skew: self.skew,
            },
            start_spread: self.start.unwrap_or(Duration::from_millis(10) * self.nodes),
            senders: self.senders,
            messages: count(self.messages),
            size: count(self.size),
            rate: self.rate,
            lifetime: Lifetime::secs(u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX)),
            warm_up: self.warm_up.unwrap_or(warm_up),
            crashes: count(self.crash),
            restarts: count(self.restart),
            lost_logs: count(self.lose_log),
            flapping: count(self.flap),
            churn: count(self.churn),
            partition: self.partition.map(|lasts| Partition { after: Duration::from_secs(1), lasts }),
            settle: self.settle,
        }
    }
}

fn senders(text: &str) -> Result<Senders, String> {
    if text == "all" {
        return Ok(Senders::All);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err("write a number of nodes from 1 on, or all".into()),
        Ok(count) => Ok(Senders::Some(count)),
    }
}
