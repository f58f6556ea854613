//! `sealnet page`: where a running node's page is.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::Failure;
use super::super::output::Out;
use crate::control::Access;

/// Print the address of a running node's page, for a browser on this machine.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Page {
    /// The configuration of the running node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  xdg-open \"$(sealnet page --config config/peer.toml)\"

The address holds the token of this run: whoever has it can steer the node.";

impl Page {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Some(page) = Access::load(&self.config)?.page() else {
            return Err(Failure::said(format!(
                "the control interface of {} is a Unix socket, which no browser reaches; write listen = \"127.0.0.1:0\" \
                 instead of socket in the section [control], and start the node again",
                self.config.display()
            )));
        };
        if self.json { out.json(&json!({ "page": page })) } else { out.line(page) }
    }
}
