//! `sealnet send`: a message for one node alone.

use clap::Args;
use serde_json::Value;

use super::super::Failure;
use super::super::output::Out;
use super::Which;
use super::publish::{content, parse_title};

/// Have a running node send a message to one other alone.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Send {
    #[command(flatten)]
    which: Which,

    /// To whom: an id, the beginning of it, or a nickname
    to: String,

    /// The title
    #[arg(value_parser = parse_title)]
    title: String,

    /// The message; - is all of standard input, which need not be text
    #[arg(allow_hyphen_values = true)]
    message: String,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet send --config config/peer.toml 3b6a27bc note \"for you alone\"

A member without a link is dialled. One that cannot be reached gets it sealed,
by a broadcast that it alone can open when it is there again.";

impl Send {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Send { which, to, title, message, json } = self;
        let mut body = content(message)?;
        body.insert("title".into(), title.into());
        body.insert("to".into(), to.into());
        which.ask(async |client| {
            let answer: Value = client.post("/v1/send", &body).await?;
            if json {
                return out.json(&answer);
            }
            let to: String = answer.get("to").and_then(Value::as_str).unwrap_or_default().chars().take(8).collect();
            match answer.get("sent").and_then(Value::as_str) {
                Some("sealed") => out.line(format_args!("{to} is away: sealed, it reads it when it is there again")),
                _ => out.line(format_args!("{to} has it")),
            }
        })
    }
}
