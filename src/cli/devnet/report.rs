//! What a devnet shows while it runs, and its report at the end.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::node::Node;
use crate::overlay::Reason;

use super::traffic::Counted;

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

    pub(super) fn started(&self, name: &str, node: &Node) {
        let listen = node.listen_address().map(|at| at.to_string()).unwrap_or_default();
        self.step(&format!("  {name:<10} {:#}  {listen}", node.id()));
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
    pub(super) fn new(nodes: &[Node], join: Duration, counted: &Counted) -> Self {
        let expected = counted.published * (nodes.len() as u64 - 1);
        let refused = |node: &Node| {
            let reasons = node.status().reasons;
            reasons.get(Reason::BadEnvelope) + reasons.get(Reason::BadSignature)
        };
        let links: Vec<usize> = nodes.iter().map(|node| node.links().len()).collect();
        Report {
            nodes: nodes.len(),
            published: counted.published,
            delivered: counted.delivered,
            expected,
            missing: expected - counted.delivered,
            duplicates: counted.duplicates,
            // A message whose content nobody here published was altered on its way, too.
            invalid: nodes.iter().map(refused).sum::<u64>() + counted.foreign,
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

    /// Whether everything arrived everywhere, and once.
    pub(super) fn is_complete(&self) -> bool {
        self.missing == 0 && self.duplicates == 0
    }

    pub(super) fn print(&self, json: bool) -> io::Result<()> {
        let mut out = anstream::stdout();
        if json {
            return writeln!(out, "{}", serde_json::to_string(self)?);
        }
        let Report { nodes, published, delivered, expected, missing, duplicates, invalid, join_ms, .. } = self;
        let (latency, links) = (&self.latency_ms, &self.links);
        writeln!(out, "nodes       {nodes}, joined in {join_ms} ms")?;
        writeln!(out, "links       {} to {} a node, {} on average", links.min, links.max, links.mean)?;
        writeln!(out, "published   {published}")?;
        writeln!(out, "delivered   {delivered} of {expected}")?;
        writeln!(out, "missing     {missing}")?;
        writeln!(out, "duplicates  {duplicates}")?;
        writeln!(out, "invalid     {invalid}")?;
        writeln!(out, "latency     p50 {} ms, p99 {} ms, max {} ms", latency.p50, latency.p99, latency.max)
    }
}

fn millis(span: Duration) -> f64 {
    rounded(span.as_secs_f64() * 1000.0)
}

/// Two digits after the point are all that means something here.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
