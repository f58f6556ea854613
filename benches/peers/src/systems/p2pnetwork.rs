//! The predecessors' library, in Python: a script of our own floods over the same graph, counts, and says what it measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::case::Size;
use crate::failure::{Outcome, said};
use crate::job::{Job, Round};
use crate::machine;
use crate::metric::{CPU, CPU_RATIO, VERIFY};
use crate::statistics::ratio;

/// What is installed, in an environment of its own under `target`.
const PACKAGE: &str = "p2pnetwork==1.2";

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python that has the library; installs it where it is not there yet, by `pip` from its usual index.
pub(crate) fn prepare() -> Outcome<PathBuf> {
    let environment = folder().join("target/p2pnetwork");
    let python = environment.join("bin/python");
    let has_it = || runs(Command::new(&python).args(["-c", "import p2pnetwork"]));
    if !has_it() {
        if !runs(Command::new("python3").args(["-m", "venv"]).arg(&environment)) {
            return Err(said("`python3 -m venv` does not work here"));
        }
        if !runs(Command::new(&python).args(["-m", "pip", "install", "--quiet", PACKAGE])) || !has_it() {
            return Err(said(format!("`pip install {PACKAGE}` does not work here")));
        }
    }
    Ok(python)
}

fn runs(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What the script is told.
#[derive(Serialize)]
struct Told<'a> {
    nodes: usize,
    edges: &'a [(usize, usize)],
    senders: usize,
    warm_up: usize,
    messages: usize,
    bytes: usize,
    window: usize,
    /// Seconds from one message to the next, or nothing.
    pace: Option<f64>,
    /// Seconds after which nothing more is published.
    cap: f64,
}

/// What the script says.
#[derive(Deserialize)]
struct Said {
    #[serde(flatten)]
    round: Round,
}

/// Has the script measure one round.
pub(crate) fn run(job: &Job, plan: &Plan, size: Size, warm_up: usize, round: &mut Round) -> Outcome<()> {
    let python = job.python.as_ref().ok_or_else(|| said("there is no Python that has p2pnetwork"))?;
    let told = Told {
        nodes: plan.nodes,
        edges: plan.graph.edges(),
        senders: job.case.senders(plan.nodes),
        warm_up,
        messages: size.messages,
        bytes: size.bytes,
        window: size.window,
        pace: size.pace.map(|pace| pace.as_secs_f64()),
        cap: size.cap.as_secs_f64(),
    };
    let verify_before = machine::verification()?;
    let output = Command::new(python)
        .arg(folder().join("p2pnetwork/flood.py"))
        .arg(serde_json::to_string(&told)?)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(said(format!("the script ended with {}", output.status)));
    }
    let last = output.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
    let Said { round: said } = serde_json::from_slice(last)?;
    *round = said;
    let verify = f64::midpoint(verify_before, machine::verification()?);
    if let Some(cpu) = round.values.get(CPU.key).copied() {
        round.set(VERIFY, verify);
        round.set(CPU_RATIO, ratio(cpu, verify));
    }
    Ok(())
}
