//! `sealnet bench`: how fast, how dear, and whether nothing is lost.
//!
//! Every round of every case runs in a process of its own, one after the other. This one only starts them, puts together
//! what they measured, and prints it.

mod case;
mod curves;
mod disk;
mod flood;
mod forgers;
mod join;
mod judge;
mod metric;
mod network;
mod repair;
mod report;
mod requests;
mod round;
mod scale;
mod tally;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;

use super::Failure;
use super::output::Out;
use super::runtime::block_on;

use case::{Case, Wanted};
use report::{Report, Result as Outcome};
use round::{Job, Round};

/// Measure this program on this machine: throughput, latency, processor time, bytes; and count every delivery.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sealnet bench                           every workload; takes its time
  sealnet bench W2 W3 --nodes 8,16        two of them, in two sizes
  sealnet bench all --json --svg curves   an object for a program, and curves
  sealnet bench --quick                   some seconds: only whether it works

Workloads: W1 latency, W2 small flood, W3 many senders, W4 medium messages,
W5 joining, W6 repair, W7 requests, W8 log on disk, W9 simulated,
W10 among forgers; docs/performance.md says more. Exit status 0 says that
every message arrived at every node, once and unaltered.")]
pub(super) struct Bench {
    /// Which workloads: W1, W2 … or all.
    #[arg(value_name = "WORKLOAD", default_value = "all")]
    workloads: Vec<Wanted>,
    /// Numbers of nodes, in place of each workload's own (W1 to W6, W10).
    #[arg(long, value_delimiter = ',', value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    nodes: Vec<u16>,
    /// How often each is measured; the medians count [default: 3, with --quick 1].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// Small numbers, one round.
    #[arg(long)]
    quick: bool,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
    /// Also write curves over the number of nodes into this folder.
    #[arg(long, value_name = "FOLDER")]
    svg: Option<PathBuf>,
    /// Where logs on disk go while they are measured: the disk it is decides [default: that of temporary files]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// One round, as this program asks itself for it.
    #[arg(long, hide = true, value_name = "JOB")]
    round: Option<String>,
}

impl Bench {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        match &self.round {
            Some(job) => one_round(&serde_json::from_str(job)?, out),
            None => self.all_rounds(out),
        }
    }

    fn all_rounds(&self, out: &mut Out) -> Result<(), Failure> {
        let mut cases: Vec<Case> = self.workloads.iter().flat_map(|wanted| wanted.0.iter().copied()).collect();
        cases.sort_unstable();
        cases.dedup();
        let rounds = self.rounds.map_or(if self.quick { 1 } else { 3 }, u64::from);
        let folder = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let mut report = Report::new(self.quick);
        for case in cases {
            let rounds = case.rounds(rounds);
            let nodes: Vec<usize> = match self.nodes.as_slice() {
                nodes if !nodes.is_empty() && case.has_choice() => {
                    nodes.iter().map(|nodes| usize::from(*nodes)).collect()
                }
                _ => case.nodes(self.quick).into(),
            };
            for nodes in nodes {
                let job = |round| Job { case, nodes, quick: self.quick, round, folder: folder.clone() };
                let measured: Vec<Round> = (1..=rounds)
                    .map(|round| {
                        self.say(format_args!("{case}, {nodes} nodes, round {round} of {rounds}"));
                        in_its_own_process(&job(round))
                    })
                    .collect::<Result<_, _>>()?;
                report.add(Outcome::of(case, nodes, &measured));
            }
        }
        report.print(self.json, out)?;
        if let Some(folder) = &self.svg {
            for path in curves::write(&report.results, folder)? {
                self.say(format_args!("wrote {}", path.display()));
            }
        }
        report.check()
    }

    /// Tells on standard error how far it is.
    fn say(&self, text: std::fmt::Arguments<'_>) {
        if !self.json {
            anstream::eprintln!("{text}");
        }
    }
}

/// Has this program measure one round, and reads what it measured.
fn in_its_own_process(job: &Job) -> Result<Round, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::said(format!("the program's own file cannot be found: {error}")))?;
    let output = Command::new(program)
        // That forgers are barred is what is asked for, and no warning.
        .args(if job.case == Case::Forged { ["--log", "error"].as_slice() } else { &[] })
        .args(["bench", "--round", &serde_json::to_string(job)?])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::said(format!("a round cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(Failure::said(format!("{}, {} nodes: the round failed; see above", job.case, job.nodes)));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn one_round(job: &Job, out: &mut Out) -> Result<(), Failure> {
    let mut round = Round::default();
    block_on(async {
        match job.case {
            Case::Join => join::run(job, &mut round).await,
            Case::RepairRecent | Case::RepairScattered => repair::run(job, &mut round).await,
            Case::Requests => requests::run(job, &mut round).await,
            Case::Log => disk::run(job, &mut round, in_its_own_process).await,
            Case::Scale => scale::run(job, &mut round),
            Case::LogStart => disk::start(job, &mut round),
            Case::Forged => flood::among_forgers(job, &mut round).await,
            _ => flood::run(job, &mut round).await,
        }
    })?;
    out.json(&round)
}
