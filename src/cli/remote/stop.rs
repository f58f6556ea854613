//! `sealnet stop`: a running node leaves the network.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::output::Out;
use super::Which;

/// A node stops within this time, or something is wrong: what its log on disk has still to write may take a moment.
const WITHIN: Duration = Duration::from_secs(30);

/// Stop a running node: it leaves the network, and the program ends.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Stop {
    #[command(flatten)]
    which: Which,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet stop --config config/peer.toml

It is done when the node has left; that of the whole network is `shutdown`.";

impl Stop {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Stop { which, json } = self;
        which.ask(async |client| {
            // Its end is the end of the node.
            let mut events = client.events(None).await?;
            let _: Value = client.post("/v1/stop", &json!({})).await?;
            let stopped = async { while matches!(events.next().await, Ok(Some(_))) {} };
            if tokio::time::timeout(WITHIN, stopped).await.is_err() {
                return Err(Failure::said(format!(
                    "the node has begun to stop and is not done after {} s; its process is {}",
                    WITHIN.as_secs(),
                    client.access().pid
                )));
            }
            let id = client.access().id;
            if json {
                out.json(&json!({ "id": id, "stopped": true }))
            } else {
                out.line(format_args!("{id:#} has stopped"))
            }
        })
    }
}
