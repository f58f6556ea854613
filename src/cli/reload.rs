//! `sealnet reload`: tells a running node to read its files about access again.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use super::Failure;
use super::out_file::shown;
use super::output::Out;

/// Tell a running node to read its list of members, certificate and revocations again.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Reload {
    /// The configuration of the node, beside which it writes down which process it is
    #[arg(long, value_name = "FILE", required_unless_present = "pid")]
    config: Option<PathBuf>,

    /// The number of its process instead
    #[arg(long, conflicts_with = "config")]
    pid: Option<u32>,
}

const EXAMPLES: &str = "\
Examples:
  sealnet reload --config config/genesis.toml
  sealnet reload --pid 4711
  kill -HUP 4711                      the same

The node says itself what came of it: what is wrong is refused, and what was in
force still is.";

/// What a running node writes beside its configuration.
#[derive(Deserialize)]
struct Running {
    pid: u32,
}

/// The file in which a running node writes down which process it is.
pub(super) fn pid_file(config: &Path) -> PathBuf {
    config.with_extension("pid")
}

impl Reload {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let pid = match (self.pid, &self.config) {
            (Some(pid), _) => pid,
            (None, Some(config)) => running(config)?,
            (None, None) => return Err(Failure::said("name the node with --config FILE")),
        };
        let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let process = process.ok_or_else(|| Failure::said(format!("{pid} is no number of a process")))?;
        if !is_sealnet(pid) {
            return Err(Failure::said(format!(
                "process {pid} is not a running sealnet; the node has ended, and reads everything when it is started again"
            )));
        }
        kill_process(process, Signal::HUP)
            .map_err(|error| Failure::said(format!("process {pid} could not be told: {error}")))?;
        out.line(format_args!("told process {pid} to reload; it says what came of it where it prints"))
    }
}

/// The process of the node that runs with this configuration.
fn running(config: &Path) -> Result<u32, Failure> {
    let control = config.with_extension("control");
    if let Some(Running { pid }) = fs::read(&control).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
        return Ok(pid);
    }
    let path = pid_file(config);
    let text = fs::read_to_string(&path).map_err(|_| {
        Failure::said(format!(
            "no node runs with {}: there is no {}; start it, or name its process with --pid",
            shown(config),
            shown(&path)
        ))
    })?;
    text.trim().parse().map_err(|_| Failure::said(format!("{} holds no number of a process", shown(&path))))
}

/// Whether the process is one of ours: a number may be somebody else's by now, whom the signal would end.
fn is_sealnet(pid: u32) -> bool {
    if !Path::new("/proc/self/comm").exists() {
        return true;
    }
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == "sealnet")
}
