//! `sealnet ping`, `connect`, `disconnect`, `bar`: a running node and one other.

use clap::Args;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::output::Out;
use super::Which;
use super::links::round_trip;
use crate::identity::NodeAddress;

/// Measure the round trip from a running node to a neighbour of it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sealnet ping --config config/peer.toml 3b6a27bc

PEER is a node's id, the beginning of it, or its nickname. Exit status 0 says
that it answered.")]
pub(in crate::cli) struct Ping {
    #[command(flatten)]
    which: Which,

    /// Whom
    peer: String,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

/// Have a running node open a link.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sealnet connect --config config/peer.toml sealnet://ID@192.0.2.7:7400

ID is the whole id of the node that must answer there. The node keeps the link
like any other: it may close it if it has too many.")]
pub(in crate::cli) struct Connect {
    #[command(flatten)]
    which: Which,

    /// Where to, and who must answer there
    #[arg(value_parser = parse_address)]
    address: NodeAddress,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

/// Have a running node close its link with another.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sealnet disconnect --config config/peer.toml 3b6a27bc

The two may link again if they have too few links; `bar` prevents that.")]
pub(in crate::cli) struct Disconnect {
    #[command(flatten)]
    which: Which,

    /// With whom: an id, the beginning of it, or a nickname
    peer: String,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

/// Have a running node close its links with another and open none for an hour.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sealnet bar --config config/peer.toml 3b6a27bc

Its messages still come through others: that a node bars another is its own
affair, and no censorship for the rest.")]
pub(in crate::cli) struct Bar {
    #[command(flatten)]
    which: Which,

    /// Whom: an id, the beginning of it, or a nickname
    peer: String,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

fn parse_address(text: &str) -> Result<NodeAddress, String> {
    text.parse().map_err(|error: crate::identity::AddressError| error.to_string())
}

/// The short form of the id in an answer.
fn short(answer: &Value, key: &str) -> String {
    answer.get(key).and_then(Value::as_str).unwrap_or_default().chars().take(8).collect()
}

impl Ping {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Ping { which, peer, json } = self;
        which.ask(async |client| {
            let answer: Value = client.post("/v1/ping", &json!({ "peer": peer })).await?;
            if json {
                return out.json(&answer);
            }
            let micros = answer.get("round_trip_us").and_then(Value::as_u64).unwrap_or_default();
            out.line(format_args!("{} answered after {}", short(&answer, "peer"), round_trip(micros)))
        })
    }
}

impl Connect {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Connect { which, address, json } = self;
        which.ask(async |client| {
            let answer: Value = client.post("/v1/connect", &json!({ "address": address.to_string() })).await?;
            if json { out.json(&answer) } else { out.line(format_args!("linked with {}", short(&answer, "id"))) }
        })
    }
}

impl Disconnect {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Disconnect { which, peer, json } = self;
        which.ask(async |client| {
            let answer: Value = client.post("/v1/disconnect", &json!({ "peer": peer })).await?;
            let (done, peer) = (answer.get("done") == Some(&Value::Bool(true)), short(&answer, "peer"));
            if json {
                out.json(&answer)?;
            } else if done {
                out.line(format_args!("the link with {peer} is being closed"))?;
            }
            if done {
                Ok(())
            } else {
                Err(Failure::said(format!("there is no link with {peer}; `sealnet links` shows them")))
            }
        })
    }
}

impl Bar {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Bar { which, peer, json } = self;
        which.ask(async |client| {
            let answer: Value = client.post("/v1/bar", &json!({ "peer": peer })).await?;
            if json {
                out.json(&answer)
            } else {
                out.line(format_args!("{} is barred for an hour", short(&answer, "peer")))
            }
        })
    }
}
