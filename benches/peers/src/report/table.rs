//! Tables: one for each case and number of nodes, a row for each metric, a column for each system.

use std::fmt::Write;

use super::{Measured, Report};
use crate::job::Counts;
use crate::metric::{ALL, Metric};
use crate::process::Isolation;
use crate::statistics::Spread;

/// All tables, and what the columns are.
pub(super) fn of(report: &Report) -> String {
    let network = match report.network {
        Isolation::OwnNetwork => "a network of its own for every round",
        Isolation::Shared => "loopback shared with whatever else runs: wire bytes hold on a quiet machine only",
    };
    let mut text = format!("{} processors, {}; {network}\n", report.processors, report.processor);
    let mut results: Vec<&Measured> = report.results.iter().collect();
    results.sort_by_key(|measured| (measured.case, measured.nodes, measured.system));
    for of_size in results.chunk_by(|one, next| (one.case, one.nodes) == (next.case, next.nodes)) {
        text.push_str(&one(of_size));
    }
    text.push('\n');
    for (name, about) in &report.systems {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name}: {about}");
    }
    text
}

fn one(results: &[&Measured]) -> String {
    let Some(first) = results.first() else { return String::new() };
    let names = results.iter().map(|measured| measured.system.name().to_owned()).collect();
    let mut rows: Vec<(String, Vec<String>)> = vec![(String::new(), names)];
    for metric in ALL {
        let cells: Vec<_> = results.iter().map(|measured| cell(metric, measured.value(metric))).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            rows.push((metric.label.to_owned(), cells));
        }
    }
    if results.iter().any(|measured| !measured.counts.is_exact() || !measured.failures.is_empty()) {
        rows.push(("not as it should be".to_owned(), results.iter().map(|measured| wrong(measured)).collect()));
    }
    let nodes = if first.case.is_link() { String::new() } else { format!(", {} nodes", first.nodes) };
    let rounds = results.iter().map(|measured| measured.rounds).max().unwrap_or(0);
    let mut text = format!("\n{}{nodes} ({}), medians of {rounds} (least to most)\n", first.case, first.case.about());
    text.push_str(&aligned(&rows));
    for metric in ALL {
        if let Some(ranking) = ranking(metric, results) {
            let _ = writeln!(text, "  best {}: {ranking}", metric.label);
        }
    }
    text
}

fn aligned(rows: &[(String, Vec<String>)]) -> String {
    let columns = rows.first().map_or(0, |(_, cells)| cells.len());
    let widest = |column: usize| rows.iter().map(|(_, cells)| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let head = rows.iter().map(|(head, _)| head.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, cells) in rows {
        let cells: String = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}")).collect();
        let _ = writeln!(text, "  {name:head$}{cells}");
    }
    text
}

/// Who is before whom by the medians; `None` where there is nothing to compare.
fn ranking(metric: Metric, results: &[&Measured]) -> Option<String> {
    let value = |measured: &&Measured| Some((measured.system.name(), measured.value(metric)?.median));
    let mut values: Vec<_> = results.iter().filter_map(value).collect();
    if values.len() < 2 || !metric.rank(&mut values) {
        return None;
    }
    Some(values.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
}

fn cell(metric: Metric, spread: Option<Spread>) -> String {
    let Some(Spread { median, min, max }) = spread else { return String::new() };
    let digits = metric.digits;
    let (median, min, max) = (format!("{median:.digits$}"), format!("{min:.digits$}"), format!("{max:.digits$}"));
    if min == max { median } else { format!("{median} ({min} to {max})") }
}

/// What a system lost, doubled and altered, or that it failed.
fn wrong(measured: &Measured) -> String {
    let Counts { expected, missing, double, altered } = measured.counts;
    let mut said = Vec::new();
    for (count, what) in [(missing, "missing"), (double, "double"), (altered, "altered")] {
        if count > 0 {
            said.push(format!("{count} {what}"));
        }
    }
    if !said.is_empty() {
        said.push(format!("of {expected}"));
    }
    if !measured.failures.is_empty() {
        said.push(format!("{} rounds failed", measured.failures.len()));
    }
    said.join(" ")
}
