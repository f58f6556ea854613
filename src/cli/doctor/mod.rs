//! `sealnet doctor`: looks at a node from all sides, and says in words what is wrong and what to do.

mod finding;
mod machine;
mod neighbourhood;
mod probe;
mod running;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::Failure;
use super::check::check_keys;
use super::output::Out;
use super::passphrase::PassphraseSource;
use super::runtime::block_on;
use crate::config::Config;
use crate::control::{Access, Client};
use crate::identity::NodeId;

use finding::{Finding, Weight};
use running::Running;

/// Everything that has to do with other machines is over in this time.
const WITHIN: Duration = Duration::from_secs(20);

/// Look for what is wrong with a node: configuration, keys, clock, ports, disk, who can be reached, and how the network is.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sealnet doctor --config config/peer.toml
  sealnet doctor --config config/peer.toml --json | jq '.findings[] | select(.weight==\"bad\")'

It changes nothing. The node need not run; with a control interface the doctor
asks it, too. What it can only guess it calls a guess.

Exit status 0: nothing is wrong; 1: something is, and it says what to do.")]
pub(super) struct Doctor {
    /// The node's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    #[command(flatten)]
    passphrase: PassphraseSource,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let findings = self.examine();
        let bad = findings.iter().filter(|finding| finding.weight == Weight::Bad).count();
        if self.json {
            out.json(&json!({ "healthy": bad == 0, "findings": findings }))?;
        } else {
            findings.iter().try_for_each(|finding| finding.print(out))?;
        }
        match bad {
            0 => Ok(()),
            1 => Err(Failure::said("one thing is wrong; it stands above with what to do")),
            _ => Err(Failure::said(format!("{bad} things are wrong; they stand above with what to do"))),
        }
    }

    fn examine(&self) -> Vec<Finding> {
        let said = |error: Failure| match error {
            Failure::Said(why) => why,
            Failure::ClosedPipe => String::new(),
        };
        let config = match Config::load(&self.config) {
            Ok(config) => config,
            Err(error) => {
                return vec![Finding::bad(
                    "configuration",
                    error.to_string(),
                    "correct it; nothing else was looked at",
                )];
            }
        };
        let mut findings = vec![Finding::good("configuration", format!("{} can be used", self.config.display()))];
        let own = match check_keys(&config, self.passphrase) {
            Ok(own) => own,
            Err(error) => {
                findings.push(Finding::bad("keys", said(error), "the node does not start before this is right"));
                return findings;
            }
        };
        if own.is_some() {
            findings.push(Finding::good("keys", "the node's key can be read, and nobody else can read it".to_owned()));
        }
        let outside = block_on(async {
            let looked = tokio::time::timeout(WITHIN, self.look_around(&config, own)).await;
            Ok(looked.unwrap_or_else(|_| {
                vec![Finding::guess(
                    "network",
                    "looking at other machines took too long",
                    "look again when the network is quicker",
                )]
            }))
        });
        match outside {
            Ok(more) => findings.extend(more),
            Err(error) => {
                findings.push(Finding::bad("machine", said(error), "look again when the machine is less busy"))
            }
        }
        findings
    }

    /// Asks the node itself, this machine, and the genesis nodes.
    async fn look_around(&self, config: &Config, own: Option<NodeId>) -> Vec<Finding> {
        let running = match Access::load(&self.config) {
            Ok(access) => Running::ask(&Client::new(access)).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let mut findings = vec![match &running {
            Ok(running) => Finding::good("node", format!("it runs, for {} s", running.status.up_seconds)),
            Err(why) => Finding::note(
                "node",
                format!("it could not be asked: {why}"),
                "start it, with a section [control], to have it looked at too",
            ),
        }];
        findings.extend(machine::examine(config, running.as_ref().ok()));
        let genesis = own.map_or_else(|| config.genesis().to_vec(), |own| config.genesis_besides(&own));
        let seen = probe::all(config, &genesis).await;
        findings.extend(neighbourhood::examine(config, &seen, running.as_ref().ok()));
        if let Ok(running) = &running {
            findings.extend(running.examine());
        }
        findings
    }
}
