//! Sealnet beside others: the same messages through the same number of nodes on one machine, every delivery counted and
//! compared. What is measured and how stands in `docs/performance.md`, under "Beside others".
//!
//! Every round of every case runs in a process of its own, where the system gives one in a network of its own: what one
//! leaves behind is not another's, and bytes are counted that are nobody else's.

mod case;
mod failure;
mod graph;
mod job;
mod link;
mod machine;
mod metric;
mod process;
mod report;
mod statistics;
mod systems;
mod tally;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use case::{Case, Wanted};
use failure::Outcome;
use job::{Job, Round};
use process::Isolation;
use report::Report;
use systems::Subject;

/// Measure Sealnet beside other libraries on this machine.
#[derive(Parser, Debug)]
#[command(after_help = "\
Examples:
  sealnet-peers                                everything; less than a quarter of an hour on two cores
  sealnet-peers W2 --nodes 8,16,32,64          one workload, in four sizes
  sealnet-peers W7                             the links alone
  sealnet-peers --json --svg curves            an object for a program, and curves over the number of nodes
  sealnet-peers --quick                        less than a minute: whether it works

Workloads: W1 latency, W2 small flood, W3 many senders, W4 medium messages, W5 joining, W7 one link. Exit status 0 says
that Sealnet lost nothing, doubled nothing and altered nothing; what others lose is printed beside their figures.")]
struct Peers {
    /// Which workloads: W1, W2 … or all.
    #[arg(value_name = "WORKLOAD", default_value = "all")]
    workloads: Vec<Wanted>,
    /// Which systems, by the names that stand above the columns [default: all].
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    systems: Vec<Subject>,
    /// Numbers of nodes, in place of each workload's own.
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
    /// One round, as this program asks itself for it.
    #[arg(long, hide = true, value_name = "JOB")]
    round: Option<String>,
}

fn main() -> ExitCode {
    let peers = Peers::parse();
    let outcome = match &peers.round {
        Some(job) => one_round(job),
        None => peers.all_rounds(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Measures what the parent process asked for, and prints it.
fn one_round(job: &str) -> Outcome<()> {
    let job: Job = serde_json::from_str(job)?;
    let mut round = Round::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    work::run(&job, &runtime, &mut round)?;
    println!("{}", serde_json::to_string(&round)?);
    // What still runs in the background need not come to an end in order.
    std::process::exit(0);
}

impl Peers {
    fn all_rounds(&self) -> Outcome<()> {
        let mut cases: Vec<Case> = self.workloads.iter().flat_map(|wanted| wanted.0.iter().copied()).collect();
        cases.sort_unstable();
        cases.dedup();
        let rounds = self.rounds.map_or(if self.quick { 1 } else { 3 }, u64::from);
        let python = self.python(&cases);
        let isolation = Isolation::find();
        let mut report = Report::new(self.quick, isolation);
        for round in 1..=rounds {
            for case in &cases {
                for nodes in self.sizes(*case) {
                    for subject in self.subjects(*case) {
                        if subject == Subject::P2pnetwork && python.is_none() {
                            continue;
                        }
                        self.say(format_args!("round {round} of {rounds}: {case}, {nodes} nodes, {subject}"));
                        let python = python.clone();
                        let job = Job { subject, case: *case, nodes, quick: self.quick, round, python };
                        match process::measure(&job, isolation) {
                            Ok(measured) => report.add(&job, &measured),
                            // Others may fail, which is a result too.
                            Err(why) if subject != Subject::Sealnet => report.add_failure(&job, &why.to_string()),
                            Err(why) => return Err(why),
                        }
                    }
                }
            }
        }
        report.print(self.json)?;
        if let Some(folder) = &self.svg {
            for path in report::curves::write(&report, folder)? {
                self.say(format_args!("wrote {}", path.display()));
            }
        }
        report.check()
    }

    fn sizes(&self, case: Case) -> Vec<usize> {
        match self.nodes.as_slice() {
            nodes if !nodes.is_empty() && !case.is_link() => nodes.iter().map(|nodes| usize::from(*nodes)).collect(),
            _ => case.nodes(self.quick).into(),
        }
    }

    fn subjects(&self, case: Case) -> impl Iterator<Item = Subject> {
        let is_wanted = |subject: &Subject| self.systems.is_empty() || self.systems.contains(subject);
        Subject::ALL.into_iter().filter(move |subject| subject.does(case)).filter(is_wanted)
    }

    /// The Python that has `p2pnetwork`, if it is wanted and can be had.
    fn python(&self, cases: &[Case]) -> Option<PathBuf> {
        let mut all = cases.iter().flat_map(|case| self.subjects(*case));
        if !all.any(|subject| subject == Subject::P2pnetwork) {
            return None;
        }
        match systems::p2pnetwork::prepare() {
            Ok(python) => Some(python),
            Err(why) => {
                eprintln!("p2pnetwork is left out: {why}");
                None
            }
        }
    }

    /// Tells on standard error how far it is.
    fn say(&self, text: std::fmt::Arguments<'_>) {
        if !self.json {
            eprintln!("{text}");
        }
    }
}
