//! A run's report, for a person or for a program.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::Failure;
use super::super::output::{Facts, Out};
use crate::sim::{Report, SchemeKind, Spread};

/// The facts of a run, as JSON shows them.
#[derive(Debug, Serialize)]
struct Shown {
    digest: String,
    nodes: usize,
    living: usize,
    seed: u64,
    scheme: &'static str,
    messages: usize,
    expected: u64,
    delivered: u64,
    late: u64,
    complete: bool,
    unexplained_missing: u64,
    explained: BTreeMap<String, u64>,
    duplicates: u64,
    redundancy: f64,
    redundancy_steady: f64,
    last_hop: Numbers,
    latency_ms: LatencyMs,
    bytes_per_delivery: f64,
    bytes: Bytes,
    frames: u64,
    frames_lost: u64,
    joining_ms: Option<f64>,
    links: Numbers,
    members: Numbers,
    false_alarms: u64,
    virtual_s: f64,
    took_s: f64,
}

#[derive(Debug, Serialize)]
struct Numbers {
    min: u64,
    mean: f64,
    max: u64,
}

#[derive(Debug, Serialize)]
struct LatencyMs {
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Bytes {
    messages: u64,
    ids: u64,
    repair: u64,
    membership: u64,
    upkeep: u64,
}

impl From<Spread> for Numbers {
    fn from(spread: Spread) -> Self {
        Numbers { min: spread.min, mean: rounded(spread.mean), max: spread.max }
    }
}

impl Shown {
    fn of(report: &Report, took: Duration) -> Self {
        let Report { account, latency, traffic, .. } = report;
        Shown {
            digest: report.digest.to_string(),
            nodes: report.nodes,
            living: report.living,
            seed: report.seed,
            scheme: match report.scheme {
                SchemeKind::Open => "open",
                SchemeKind::Signed => "signed",
            },
            messages: report.messages,
            expected: account.expected,
            delivered: account.delivered,
            late: account.late,
            complete: account.is_complete(),
            unexplained_missing: account.unexplained,
            explained: account.explained.iter().map(|(why, count)| (why.to_string(), *count)).collect(),
            duplicates: account.duplicates,
            redundancy: rounded(report.redundancy),
            redundancy_steady: rounded(report.redundancy_steady),
            last_hop: report.last_hop.into(),
            latency_ms: LatencyMs { p50: millis(latency.p50), p99: millis(latency.p99), max: millis(latency.max) },
            bytes_per_delivery: rounded(report.bytes_per_delivery),
            bytes: Bytes {
                messages: traffic.messages,
                ids: traffic.ids,
                repair: traffic.repair,
                membership: traffic.membership,
                upkeep: traffic.upkeep,
            },
            frames: traffic.frames,
            frames_lost: traffic.vanished,
            joining_ms: report.joining.map(millis),
            links: report.links.into(),
            members: report.members.into(),
            false_alarms: report.false_alarms,
            virtual_s: rounded(report.elapsed.as_secs_f64()),
            took_s: rounded(took.as_secs_f64()),
        }
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        let Shown { links, members, latency_ms: latency, bytes, last_hop, .. } = self;
        facts.add("nodes", format_args!("{}, {} up at the end, {}", self.nodes, self.living, self.scheme));
        match self.joining_ms {
            Some(joining) => facts.add("joining", format_args!("{joining} ms")),
            None => facts.add("joining", "not within ten minutes"),
        }
        facts.add("members", format_args!("{} to {} known, {} on average", members.min, members.max, members.mean));
        facts.add("links", format_args!("{} to {} a node, {} on average", links.min, links.max, links.mean));
        facts.add("false alarms", self.false_alarms);
        facts.add("messages", self.messages);
        facts.add("delivered", format_args!("{} of {}, {} of them late", self.delivered, self.expected, self.late));
        facts.add_all("explained", self.explained.iter().map(|(why, count)| format!("{count} {why}")));
        facts.add("unexplained", self.unexplained_missing);
        facts.add("complete", if self.complete { "yes" } else { "no" });
        facts.add("duplicates", self.duplicates);
        facts.add("redundancy", format_args!("{}, steady {}", self.redundancy, self.redundancy_steady));
        facts.add("last hop", format_args!("{} at most, {} on average", last_hop.max, last_hop.mean));
        facts.add("latency", format_args!("p50 {} ms, p99 {} ms, max {} ms", latency.p50, latency.p99, latency.max));
        facts.add("bytes", format_args!("{} a delivery", self.bytes_per_delivery));
        facts.add_all(
            "",
            [
                format!("{} for messages, {} for ids, {} for repair", bytes.messages, bytes.ids, bytes.repair),
                format!("{} for membership, {} to keep links", bytes.membership, bytes.upkeep),
            ],
        );
        facts.add("frames", format_args!("{}, {} of them lost for good", self.frames, self.frames_lost));
        facts.add("time", format_args!("{} s, simulated in {} s", self.virtual_s, self.took_s));
        facts.add("seed", self.seed);
        facts.add("digest", &self.digest);
        facts
    }
}

/// Prints the report.
pub(super) fn print(report: &Report, took: Duration, json: bool, out: &mut Out) -> Result<(), Failure> {
    let shown = Shown::of(report, took);
    if json { out.json(&shown) } else { out.facts(&shown.facts()) }
}

/// Fails if something is missing without an explanation, or came twice.
pub(super) fn check(report: &Report) -> Result<(), Failure> {
    if report.is_sound() {
        return Ok(());
    }
    Err(Failure::said(format!(
        "{} deliveries are missing without an explanation and {} came twice; the same command line shows the same again",
        report.account.unexplained, report.account.duplicates
    )))
}

fn millis(span: Duration) -> f64 {
    rounded(span.as_secs_f64() * 1000.0)
}

/// Three digits after the point are all that means something here.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
