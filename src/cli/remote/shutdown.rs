//! `sealnet shutdown`: the end of a whole network.

use clap::Args;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::output::Out;
use super::Which;

/// Shut the whole network down: every node of it stops.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Shutdown {
    #[command(flatten)]
    which: Which,

    /// Yes, the whole network
    #[arg(long, required = true)]
    yes: bool,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet shutdown --config config/peer.toml --yes

Only a key that was given the right can do it; the others refuse. `stop` ends
one node.";

impl Shutdown {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Shutdown { which, yes: _, json } = self;
        which.ask(async |client| {
            let answer: Value = client.post("/v1/shutdown", &json!({})).await?;
            if json { out.json(&answer) } else { out.line("the network is told to shut down") }
        })
    }
}
