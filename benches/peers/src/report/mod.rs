//! What all rounds came to: tables, or one JSON object.

pub(crate) mod curves;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::case::Case;
use crate::failure::{Outcome, said};
use crate::job::{Counts, Job, Round};
use crate::machine;
use crate::metric::Metric;
use crate::process::Isolation;
use crate::statistics::Spread;
use crate::systems::Subject;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    processor: String,
    processors: usize,
    quick: bool,
    network: Isolation,
    /// What every system is and what was set for it.
    systems: BTreeMap<&'static str, &'static str>,
    pub(crate) results: Vec<Measured>,
}

/// What a system came to in a case with one number of nodes.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) system: Subject,
    workload: &'static str,
    #[serde(rename = "case")]
    name: &'static str,
    #[serde(skip)]
    pub(crate) case: Case,
    pub(crate) nodes: usize,
    rounds: usize,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Why rounds came to nothing.
    pub(crate) failures: Vec<String>,
    /// By [`Metric::key`].
    #[serde(flatten)]
    spreads: BTreeMap<String, Spread>,
    #[serde(skip)]
    values: BTreeMap<String, Vec<f64>>,
}

impl Measured {
    pub(crate) fn value(&self, metric: Metric) -> Option<Spread> {
        self.spreads.get(metric.key).copied()
    }
}

impl Report {
    pub(crate) fn new(quick: bool, network: Isolation) -> Report {
        Report {
            processor: machine::processor(),
            processors: machine::processors(),
            quick,
            network,
            systems: BTreeMap::new(),
            results: Vec::new(),
        }
    }

    /// Adds a round.
    pub(crate) fn add(&mut self, job: &Job, round: &Round) {
        let measured = self.of(job);
        measured.rounds += 1;
        measured.counts += round.counts;
        for (key, value) in &round.values {
            let values = measured.values.entry(key.clone()).or_default();
            values.push(*value);
            if let Some(spread) = Spread::of(values.iter().copied()) {
                measured.spreads.insert(key.clone(), spread);
            }
        }
    }

    /// Adds a round that came to nothing.
    pub(crate) fn add_failure(&mut self, job: &Job, why: &str) {
        eprintln!("{why}");
        self.of(job).failures.push(why.to_owned());
    }

    fn of(&mut self, job: &Job) -> &mut Measured {
        let Job { subject, case, nodes, .. } = *job;
        self.systems.insert(subject.name(), subject.about());
        let same = |measured: &Measured| (measured.case, measured.nodes, measured.system) == (case, nodes, subject);
        let at = self.results.iter().position(same).unwrap_or_else(|| {
            self.results.push(Measured {
                system: subject,
                workload: case.workload(),
                name: case.name(),
                case,
                nodes,
                rounds: 0,
                counts: Counts::default(),
                failures: Vec::new(),
                spreads: BTreeMap::new(),
                values: BTreeMap::new(),
            });
            self.results.len() - 1
        });
        &mut self.results[at]
    }

    /// Prints everything on standard output.
    pub(crate) fn print(&self, as_json: bool) -> Outcome<()> {
        if as_json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            print!("{}", table::of(self));
        }
        Ok(())
    }

    /// Fails unless Sealnet delivered everything everywhere, once, as it was.
    pub(crate) fn check(&self) -> Outcome<()> {
        let mut counts = Counts::default();
        let own = self.results.iter().filter(|measured| measured.system == Subject::Sealnet);
        own.for_each(|measured| counts += measured.counts);
        if counts.is_exact() {
            return Ok(());
        }
        let Counts { expected, missing, double, altered } = counts;
        Err(said(format!(
            "of {expected} deliveries of Sealnet {missing} are missing, {double} came twice, and {altered} were no message of ours"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::CPU;

    fn report(missing: &[(Subject, u64)]) -> Report {
        let mut report = Report::new(true, Isolation::Shared);
        for (number, (subject, missing)) in missing.iter().enumerate() {
            let counts = Counts { expected: 10, missing: *missing, double: 0, altered: 0 };
            let mut round = Round { counts, ..Round::default() };
            round.set(CPU, number as f64);
            let job = Job { subject: *subject, case: Case::FloodClosed, nodes: 8, quick: true, round: 1, python: None };
            report.add(&job, &round);
        }
        report
    }

    #[test]
    fn rounds_of_one_system_come_to_medians_and_sums() {
        let report =
            report(&[(Subject::Sealnet, 0), (Subject::Gossipsub, 1), (Subject::Sealnet, 0), (Subject::Sealnet, 0)]);
        assert_eq!(report.results.len(), 2);
        let own = &report.results[0];
        assert_eq!(own.value(CPU), Some(Spread { median: 2.0, min: 0.0, max: 3.0 }));
        assert_eq!((own.rounds, own.counts.expected), (3, 30));
    }

    #[test]
    fn what_sealnet_loses_fails_the_run_and_what_others_lose_is_told() {
        assert!(report(&[(Subject::Sealnet, 0), (Subject::Gossipsub, 1)]).check().is_ok());
        assert!(report(&[(Subject::Sealnet, 1), (Subject::Gossipsub, 0)]).check().is_err());
        let object = serde_json::to_value(report(&[(Subject::Gossipsub, 1)])).unwrap();
        assert_eq!(object["results"][0]["missing"], 1);
        assert_eq!(object["results"][0]["cpu_us_per_delivery"]["median"], 0.0);
    }
}
