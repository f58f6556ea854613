//! `sealnet status`: a running node in numbers.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;

use super::super::Failure;
use super::super::escape;
use super::super::output::{Facts, Out};
use super::Which;
use crate::config::ShownSize;
use crate::control;

/// With --watch the figures are read again this often.
const EVERY: Duration = Duration::from_secs(1);

/// Show a running node in numbers.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    which: Which,

    /// Go on showing, once a second, until Ctrl-C
    #[arg(long)]
    watch: bool,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet status --config config/peer.toml
  sealnet status --config config/peer.toml --watch
  sealnet status --config config/peer.toml --json | jq .links

What was dropped, refused and closed is counted by reason, since the node was
started; docs/control.md explains the words.";

impl Status {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Status { which, watch, json } = self;
        which.ask(async |client| {
            let mut shown = 0;
            loop {
                let status: control::Status = client.get("/v1/status").await?;
                if json {
                    out.json(&status)?;
                } else {
                    let lines: Vec<String> = facts(&status).lines().collect();
                    if shown > 0 && std::io::stdout().is_terminal() {
                        // Over what was shown before.
                        out.line(format_args!("\x1b[{}A\x1b[J{}", shown + 1, lines[0]))?;
                        lines.iter().skip(1).try_for_each(|line| out.line(line))?;
                    } else {
                        lines.iter().try_for_each(|line| out.line(line))?;
                    }
                    shown = lines.len();
                }
                if !watch {
                    return Ok(());
                }
                tokio::time::sleep(EVERY).await;
            }
        })
    }
}

fn facts(status: &control::Status) -> Facts {
    let mut facts = Facts::default();
    let size = |bytes: u64| ShownSize(bytes).to_string();
    facts.add("node", status.id);
    let kind = match (status.secure, status.genesis) {
        (true, true) => "secure, one to begin at",
        (true, false) => "secure",
        (false, _) => "PLAIN: nothing is encrypted or signed",
    };
    facts.add("network", format_args!("{} ({kind})", status.network));
    facts.add("program", &status.agent);
    facts.add("runs", format_args!("for {}", span(status.up_seconds)));
    match status.listen {
        Some(listen) => facts.add("listens at", listen),
        None => facts.add("listens", "nowhere; it only dials"),
    }
    facts.add("members", status.members);
    facts.add("links", status.links);
    let log = &status.log;
    let as_u64 = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    facts.add(
        "keeps",
        format_args!("{} messages, {} bytes of at most {}", log.messages, log.bytes, size(as_u64(log.limit_bytes))),
    );
    match &log.folder {
        Some(folder) => facts.add("folder", escape(&folder.display().to_string())),
        None => facts.add("folder", "none: everything is in memory, and gone with the process"),
    }
    if let Some(trouble) = &log.trouble {
        facts.add("TROUBLE", escape(trouble));
    }
    facts.add(
        "traffic",
        format_args!("{} bytes sent, {} received", status.traffic.sent_bytes, status.traffic.received_bytes),
    );
    facts.add("verified", format_args!("{} signatures", status.verifications));
    let apps = status.applications.iter().map(|app| {
        let (title, version) = (escape(&app.title), escape(&app.version));
        format!("{title} {version} ({})", app.state)
    });
    facts.add_all("applications", apps);
    let drops = status.drops.iter().map(|(reason, count)| format!("{count:>8}  {reason}"));
    facts.add_all("dropped", drops);
    facts
}

/// A span of time that a person can take in: two units of it.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_two_units() {
        let told = [0, 59, 60, 3_599, 3_600, 86_399, 90_000].map(span);
        assert_eq!(told, ["0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "23 h 59 min", "1 d 1 h"]);
    }
}
