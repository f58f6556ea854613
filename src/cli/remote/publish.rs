//! `sealnet publish`: a running node says something to everybody.

use std::io::Read;

use clap::Args;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::Failure;
use super::super::output::{Facts, Out};
use super::Which;
use crate::envelope::{MAX_MESSAGE, Title};

/// Have a running node broadcast a message to the whole network.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Publish {
    #[command(flatten)]
    which: Which,

    /// The title; who subscribed to it gets the message
    #[arg(value_parser = parse_title)]
    title: String,

    /// The message; - is all of standard input, which need not be text
    #[arg(allow_hyphen_values = true)]
    message: String,

    /// For how many seconds it is kept for those who are away; 0 is not at all [default: a day]
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u32>,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet publish --config config/peer.toml chat \"hello, everyone\"
  uptime | sealnet publish --config config/peer.toml load -
  sealnet publish --config config/peer.toml alarm fire --lifetime 0 --json

Exit status 0 says that nothing can take the message back any more. The node
must run, and its configuration have a section [control].";

/// A title that cannot be used is wrong usage.
pub(super) fn parse_title(text: &str) -> Result<String, String> {
    Title::for_application(text).map(|title| title.to_string()).map_err(|error| error.to_string())
}

/// What the node says of it.
#[derive(Serialize, Deserialize)]
struct Published {
    id: String,
    time: u64,
    cursor: String,
    neighbours: usize,
    announced: usize,
    kept: bool,
}

/// What is to be said: the argument, or standard input.
pub(super) fn content(message: String) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    let mut said = serde_json::Map::new();
    if message != "-" {
        said.insert("message".into(), message.into());
        return Ok(said);
    }
    let mut bytes = Vec::new();
    // One more than there may be: the node says what is wrong with it.
    let most = MAX_MESSAGE as u64 + 1;
    std::io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::said(format!("standard input could not be read: {error}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => said.insert("message".into(), text.into()),
        Err(error) => said.insert("message_base64".into(), BASE64.encode(error.as_bytes()).into()),
    };
    Ok(said)
}

impl Publish {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Publish { which, title, message, lifetime, json } = self;
        let mut body = content(message)?;
        body.insert("title".into(), title.into());
        if let Some(seconds) = lifetime {
            body.insert("lifetime".into(), json!(seconds));
        }
        which.ask(async |client| {
            let published: Published = client.post("/v1/publish", &body).await?;
            if json {
                return out.json(&published);
            }
            let mut facts = Facts::default();
            let kept = if published.kept { "kept" } else { "not kept" };
            facts.add("published", &published.id);
            facts.add("log", format_args!("{kept}; {} is the place after it", published.cursor));
            facts.add(
                "neighbours",
                match (published.neighbours, published.kept) {
                    (0, true) => "none at the moment; it will be offered to whoever links".to_owned(),
                    (0, false) => "none at the moment: nobody hears it, because it is not kept".to_owned(),
                    (all, _) => format!("{all}, of which {} are only told that it is there", published.announced),
                },
            );
            out.facts(&facts)
        })
    }
}
