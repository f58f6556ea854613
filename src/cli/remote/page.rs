//! `sealnet page`: where the page of a running node is.

use clap::Args;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::output::Out;
use super::Which;

/// Print the address of a running node's page, for a browser on this machine.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Page {
    #[command(flatten)]
    which: Which,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet page --config config/peer.toml
  xdg-open \"$(sealnet page --config config/peer.toml)\"

Behind the # stands the token of this run: who has it can do with the node what
you can. It is another one at each start.";

impl Page {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Page { which, json } = self;
        which.ask(async |client| {
            // A node that was killed has left its control file behind.
            let _: Value = client.get("/v1/status").await?;
            let Some(page) = client.access().page() else {
                return Err(Failure::said(
                    "the node's control interface is a Unix socket, which no browser reaches; for a page, put `listen = \
                     \"127.0.0.1:0\"` into its section [control] instead",
                ));
            };
            if json { out.json(&json!({ "id": client.access().id, "page": page })) } else { out.line(format_args!("{page}")) }
        })
    }
}
