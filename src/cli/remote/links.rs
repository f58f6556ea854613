//! `sealnet links`: the open links of a running node.

use std::time::Duration;

use clap::Args;

use super::super::Failure;
use super::super::output::Out;
use super::Which;
use super::status::span;
use super::table::Table;
use crate::control::Link;

/// Show the open links of a running node.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Links {
    #[command(flatten)]
    which: Which,

    /// Print the facts as one JSON array
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet links --config config/peer.toml
  sealnet links --config config/peer.toml --json | jq .[].round_trip_us

Eager: whole messages go over the link unasked, out of here or in; lazy: only
their ids, and the other end asks for what it has not got otherwise. News: what
others said and this link brought first.";

impl Links {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Links { which, json } = self;
        which.ask(async |client| {
            let links: Vec<Link> = client.get("/v1/links").await?;
            if json {
                return out.json(&links);
            }
            let mut table = Table::new(&["way", "remote", "round trip", "out/in", "news", "open"]);
            for link in &links {
                let cells = vec![
                    link.direction.clone(),
                    link.remote.to_string(),
                    link.round_trip_us.map_or_else(|| "not measured".to_owned(), round_trip),
                    format!("{}/{}", eager(link.sends_eager), eager(link.receives_eager)),
                    link.news.to_string(),
                    span(link.open_seconds),
                ];
                table.row(link.peer, cells);
            }
            if !links.is_empty() {
                table.print(out)?;
            }
            out.line(match links.len() {
                0 => "no link: nobody hears this node at the moment".to_owned(),
                1 => "1 link".to_owned(),
                count => format!("{count} links"),
            })
        })
    }
}

fn eager(is_eager: bool) -> &'static str {
    if is_eager { "eager" } else { "lazy" }
}

/// A round trip for a person.
pub(super) fn round_trip(micros: u64) -> String {
    format!("{:.1?}", Duration::from_micros(micros))
}
