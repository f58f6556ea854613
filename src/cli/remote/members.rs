//! `sealnet members`: who belongs to the network.

use clap::Args;

use super::super::Failure;
use super::super::output::Out;
use super::Which;
use super::status::span;
use super::table::Table;
use crate::control::Member;

/// Show who belongs to the network, as a running node knows it.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Members {
    #[command(flatten)]
    which: Which,

    /// Print the facts as one JSON array
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet members --config config/peer.toml
  sealnet members --config config/peer.toml --json | jq -r .[].id

A member is unreachable when nobody is linked with it any more. One that left,
or announced itself too long ago, is gone and not shown.";

impl Members {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Members { which, json } = self;
        which.ask(async |client| {
            let members: Vec<Member> = client.get("/v1/members").await?;
            if json {
                return out.json(&members);
            }
            let mut table = Table::new(&["state", "seen", "address", ""]);
            for member in &members {
                let seen = if member.is_self { String::new() } else { span(member.seen_ago_ms / 1000) };
                let address = member.addresses.first().map(ToString::to_string).unwrap_or_default();
                table.row(member.id, vec![member.state.clone(), seen, address, remark(member)]);
            }
            table.print(out)?;
            let unreachable = members.iter().filter(|member| member.state == "unreachable").count();
            let all = members.len();
            match unreachable {
                0 => out.line(format_args!("{all} members, all of them reachable")),
                _ => out.line(format_args!("{all} members, {unreachable} of them unreachable")),
            }
        })
    }
}

/// What is special about it.
fn remark(member: &Member) -> String {
    let mut words = Vec::new();
    words.extend(member.is_self.then(|| "this node".to_owned()));
    words.extend(member.genesis.then(|| "genesis".to_owned()));
    words.extend(member.nickname.clone());
    words.extend(member.apps.iter().map(|(title, version)| format!("{title} {version}")));
    words.join(", ")
}
