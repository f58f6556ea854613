//! What a devnet shows while it runs, and its report at the end.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::super::Failure;
use super::super::output::{Facts, Out};

use super::traffic::Counted;
use crate::control::Access;

/// Shows steps and progress on standard error: a bar on a terminal, lines otherwise.
pub(super) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    quiet: bool,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let bar = if is_terminal { ProgressBar::no_length() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("  {msg} [{bar:30}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Progress { bar, is_terminal, quiet }
    }

    /// One thing that was done.
    pub(super) fn step(&self, text: &str) {
        if !self.quiet || self.is_terminal {
            self.bar.suspend(|| anstream::eprintln!("{text}"));
        }
    }

    pub(super) fn started(&self, name: &str, id: &str, listen: &str) {
        self.step(&format!("  {name:<10} {id}  {listen}"));
    }

    /// Where the network can be looked at. The line holds the token of this run.
    pub(super) fn page(&self, genesis: &Path) {
        let access = Access::load(genesis).ok();
        if let Some(page) = access.as_ref().and_then(Access::page) {
            self.step(&format!("page: {page}"));
        }
    }

    pub(super) fn joined(&self, joined: usize, nodes: usize) {
        self.bar.set_length(nodes as u64);
        self.bar.set_message("joined   ");
        self.bar.set_position(joined as u64);
    }

    pub(super) fn begin(&self, expected: u64) {
        self.bar.set_length(expected);
        self.bar.set_message("delivered");
    }

    pub(super) fn delivered(&self, count: u64) {
        self.bar.set_position(count);
    }

    pub(super) fn published(&self, name: &str, number: u64, deliveries: u64) {
        self.step(&format!("  {name:<10} published message {number}; {deliveries} deliveries so far"));
    }

    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}

/// The facts of a devnet's run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    nodes: usize,
    published: u64,
    delivered: u64,
    expected: u64,
    missing: u64,
    duplicates: u64,
    invalid: u64,
    join_ms: f64,
    latency_ms: Latency,
    links: Links,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Links {
    min: usize,
    mean: f64,
    max: usize,
}

impl Report {
    /// `links` are those of each node while everybody was there; `refused` is the number of envelopes that somebody
    /// refused for grammar or signature.
    pub(super) fn new(links: &[usize], refused: u64, join: Duration, counted: &Counted) -> Self {
        let expected = counted.expected;
        Report {
            nodes: links.len(),
            published: counted.published,
            delivered: counted.delivered,
            expected,
            missing: expected.saturating_sub(counted.delivered),
            duplicates: counted.duplicates,
            // A message whose content nobody here published was altered on its way, too.
            invalid: refused + counted.foreign,
            join_ms: millis(join),
            latency_ms: Latency {
                p50: millis(counted.latency(50)),
                p99: millis(counted.latency(99)),
                max: millis(counted.latency(100)),
            },
            links: Links {
                min: links.iter().copied().min().unwrap_or(0),
                mean: rounded(links.iter().sum::<usize>() as f64 / links.len().max(1) as f64),
                max: links.iter().copied().max().unwrap_or(0),
            },
        }
    }

    /// Fails unless everything arrived everywhere, and once.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.missing == 0 && self.duplicates == 0 {
            return Ok(());
        }
        Err(Failure::said(format!(
            "{} deliveries are missing and {} came twice; run again with --log debug to see why",
            self.missing, self.duplicates
        )))
    }

    pub(super) fn print(&self, json: bool, out: &mut Out) -> Result<(), Failure> {
        if json {
            return out.json(self);
        }
        let mut facts = Facts::default();
        let (latency, links) = (&self.latency_ms, &self.links);
        facts.add("nodes", format_args!("{}, joined in {} ms", self.nodes, self.join_ms));
        facts.add("links", format_args!("{} to {} a node, {} on average", links.min, links.max, links.mean));
        facts.add("published", self.published);
        facts.add("delivered", format_args!("{} of {}", self.delivered, self.expected));
        facts.add("missing", self.missing);
        facts.add("duplicates", self.duplicates);
        facts.add("invalid", self.invalid);
        facts.add("latency", format_args!("p50 {} ms, p99 {} ms, max {} ms", latency.p50, latency.p99, latency.max));
        out.facts(&facts)
    }
}

fn millis(span: Duration) -> f64 {
    rounded(span.as_secs_f64() * 1000.0)
}

/// Two digits after the point are all that means something here.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
