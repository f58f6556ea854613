//! A process of its own for every round, and a network of its own where the system gives one.

use std::process::{Command, Stdio};

use serde::Serialize;

use crate::failure::{Outcome, said};
use crate::job::{Job, Round};

/// Brings loopback up in a network namespace that has nothing else, then becomes the program.
const INSIDE: &str = "ip link set lo up && exec \"$@\"";

/// Whether rounds have a network of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Isolation {
    /// A network namespace with loopback alone: what goes over it is the round's.
    OwnNetwork,
    /// The machine's: what others send over loopback meanwhile is counted with it.
    Shared,
}

impl Isolation {
    /// What this system gives.
    pub(crate) fn find() -> Isolation {
        let tried = Isolation::OwnNetwork.command("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if tried.is_ok_and(|status| status.success()) { Isolation::OwnNetwork } else { Isolation::Shared }
    }

    fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        match self {
            Isolation::OwnNetwork => {
                let mut command = Command::new("unshare");
                command.args(["--net", "--map-root-user", "sh", "-c", INSIDE, "sh"]).arg(program);
                command
            }
            Isolation::Shared => Command::new(program),
        }
    }
}

/// Has this program measure one round, and reads what it measured.
pub(crate) fn measure(job: &Job, isolation: Isolation) -> Outcome<Round> {
    let failed = |why: &str| said(format!("{}, {} nodes, {}: {why}", job.case, job.nodes, job.subject));
    let output = isolation
        .command(std::env::current_exe()?)
        .args(["--round", &serde_json::to_string(job)?])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(&format!("the round cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(failed(&format!("the round failed ({}); see above", output.status)));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
