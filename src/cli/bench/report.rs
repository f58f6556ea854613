//! What several rounds came to: a table, or one JSON object.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::Failure;
use super::super::machine;
use super::super::output::{BAD, GOOD, NAME, Out};
use super::super::statistics::Spread;
use super::case::Case;
use super::metric::{ALL, Metric};
use super::round::{Counts, Round};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    processor: String,
    processors: usize,
    quick: bool,
    /// Over all results.
    #[serde(flatten)]
    counts: Counts,
    pub(super) results: Vec<Result>,
}

/// What a case came to with one number of nodes.
#[derive(Debug, Serialize)]
pub(super) struct Result {
    workload: &'static str,
    #[serde(rename = "case")]
    name: &'static str,
    #[serde(skip)]
    pub(super) case: Case,
    pub(super) nodes: usize,
    rounds: usize,
    #[serde(flatten)]
    counts: Counts,
    /// By [`Metric::key`].
    #[serde(flatten)]
    pub(super) values: BTreeMap<String, Spread>,
}

impl Result {
    pub(super) fn of(case: Case, nodes: usize, rounds: &[Round]) -> Result {
        let mut counts = Counts::default();
        rounds.iter().for_each(|round| counts += round.counts);
        let keys = rounds.iter().flat_map(|round| round.values.keys().cloned());
        let spread = |key: &String| Spread::of(rounds.iter().filter_map(|round| round.values.get(key).copied()));
        let values = keys.filter_map(|key| spread(&key).map(|spread| (key, spread))).collect();
        Result { workload: case.workload(), name: case.name(), case, nodes, rounds: rounds.len(), counts, values }
    }

    pub(super) fn value(&self, metric: Metric) -> Option<Spread> {
        self.values.get(metric.key).copied()
    }
}

impl Report {
    pub(super) fn new(quick: bool) -> Report {
        Report {
            version: env!("CARGO_PKG_VERSION"),
            processor: machine::processor(),
            processors: machine::processors(),
            quick,
            counts: Counts::default(),
            results: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, result: Result) {
        self.counts += result.counts;
        self.results.push(result);
    }

    /// Fails unless everything arrived everywhere, once, as it was.
    pub(super) fn check(&self) -> std::result::Result<(), Failure> {
        if self.counts.is_exact() {
            return Ok(());
        }
        let Counts { expected, missing, double, altered } = self.counts;
        Err(Failure::said(format!(
            "of {expected} deliveries {missing} are missing, {double} came twice, and {altered} were no message of ours; run \
             the workload alone with --log debug to see why"
        )))
    }

    pub(super) fn print(&self, json: bool, out: &mut Out) -> std::result::Result<(), Failure> {
        if json {
            return out.json(self);
        }
        out.line(format_args!("{} processors, {}", self.processors, self.processor))?;
        for results in self.results.chunk_by(|one, next| one.case == next.case) {
            table(results, out)?;
        }
        Ok(())
    }
}

/// One case: a row for each metric, a column for each number of nodes.
fn table(results: &[Result], out: &mut Out) -> std::result::Result<(), Failure> {
    let Some(first) = results.first() else { return Ok(()) };
    let mut rows =
        vec![("nodes".to_owned(), results.iter().map(|result| result.nodes.to_string()).collect::<Vec<_>>())];
    for metric in ALL {
        let cells: Vec<_> = results.iter().map(|result| cell(metric, result.value(metric))).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            rows.push((metric.label.to_owned(), cells));
        }
    }
    let columns = rows.first().map_or(0, |(_, cells)| cells.len());
    let widest = |column: usize| rows.iter().map(|(_, cells)| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let head = rows.iter().map(|(head, _)| head.chars().count()).max().unwrap_or(0);
    out.line("")?;
    out.line(format_args!("{} ({}), medians of {}", first.case, first.case.about(), rounds(first.rounds)))?;
    for (name, cells) in &rows {
        let cells: String = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}")).collect();
        out.line(format_args!("  {NAME}{name:head$}{NAME:#}{cells}"))?;
    }
    let mut counts = Counts::default();
    results.iter().for_each(|result| counts += result.counts);
    if counts.expected > 0 {
        let style = if counts.is_exact() { GOOD } else { BAD };
        let Counts { expected, missing, double, altered } = counts;
        out.line(format_args!(
            "  {style}of {expected} deliveries missing {missing}, double {double}, altered {altered}{style:#}"
        ))?;
    }
    Ok(())
}

fn rounds(count: usize) -> String {
    if count == 1 { "1 round".to_owned() } else { format!("{count} rounds (least to most)") }
}

fn cell(metric: Metric, spread: Option<Spread>) -> String {
    let Some(Spread { median, min, max }) = spread else { return String::new() };
    let digits = metric.digits;
    let (median, min, max) = (format!("{median:.digits$}"), format!("{min:.digits$}"), format!("{max:.digits$}"));
    if min == max { median } else { format!("{median} ({min} to {max})") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::metric::{CPU, MESSAGES};

    fn round(cpu: f64, missing: u64) -> Round {
        let mut round = Round { counts: Counts { expected: 10, missing, double: 0, altered: 0 }, ..Round::default() };
        round.set(CPU, cpu);
        round
    }

    #[test]
    fn rounds_come_to_medians_and_sums() {
        let result = Result::of(Case::Latency, 8, &[round(30.0, 0), round(20.0, 1), round(70.0, 0)]);
        assert_eq!(result.value(CPU), Some(Spread { median: 30.0, min: 20.0, max: 70.0 }));
        assert_eq!(result.value(MESSAGES), None);
        assert_eq!((result.counts.expected, result.counts.missing), (30, 1));
        assert_eq!(cell(CPU, result.value(CPU)), "30.0 (20.0 to 70.0)");
    }

    #[test]
    fn one_missing_delivery_fails_the_whole_run() {
        let mut report = Report::new(true);
        report.add(Result::of(Case::Latency, 8, &[round(30.0, 0)]));
        assert!(report.check().is_ok());
        report.add(Result::of(Case::Latency, 16, &[round(30.0, 1)]));
        assert!(matches!(report.check(), Err(Failure::Said(why)) if why.contains("of 20 deliveries 1 are missing")));
    }

    #[test]
    fn the_object_names_its_totals_and_each_result_its_own() {
        let mut report = Report::new(true);
        report.add(Result::of(Case::FloodClosed, 8, &[round(30.0, 0)]));
        let object = serde_json::to_value(&report).unwrap();
        assert_eq!((&object["missing"], &object["double"]), (&0.into(), &0.into()));
        let result = &object["results"][0];
        assert_eq!(
            (&result["workload"], &result["case"], &result["nodes"]),
            (&"W2".into(), &"W2 closed".into(), &8.into())
        );
        assert_eq!((&result["expected"], &result[CPU.key]["median"]), (&10.into(), &30.0.into()));
    }
}
