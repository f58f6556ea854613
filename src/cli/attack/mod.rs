//! `sealnet attack`: what dishonest members do, and what it comes to.

mod deaf;
mod shown;
mod slow_reader;

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Failure;
use super::output::Out;
use super::runtime::block_on;
use super::simulate::duration;
use crate::sim::Share;
use crate::sim::lab::{Attack, Trial};

use shown::Shown;

/// Let some nodes of a network do harm, and print the damage beside the same run without it.
#[derive(Args, Debug)]
#[command(
    long_about = "Let some nodes of a network do harm, and print the damage beside the same run without it.\n\n\
Nothing leaves this machine: the network is simulated, and for slow-reader made of real nodes on loopback. Evil \
nodes are members like others; what they do besides is put on their own links.",
    after_help = "\
Attacks:
  forge        altered copies of what others said, under their names
  replay       what was said, again and again
  spam         messages, each signed with a new key
  poison       invented members at the address of a bystander
  eclipse      pass nothing on, and name only each other to a newcomer
  slow-reader  take next to nothing of what neighbours send

Examples:
  sealnet attack forge                       a fifth of thirty nodes forge
  sealnet attack eclipse --evil 50%          half of all against a newcomer
  sealnet attack spam --for 60s --seed 7 --json

Exit status 0 says that the honest got everything, once, and nothing forged."
)]
pub(super) struct AttackCommand {
    /// What the evil nodes do.
    #[arg(value_enum)]
    name: Name,
    /// How many nodes, genesis included; a newcomer joins later.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(4..=300))]
    nodes: u16,
    /// The part of them that is evil, like 0.2 or 20%; at least one is, and at least two are not.
    #[arg(long, default_value = "20%")]
    evil: Share,
    /// What everything random comes from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Part of what goes over any link that is lost besides, like 0.02 or 2% (not with slow-reader).
    #[arg(long, default_value = "0")]
    loss: Share,
    /// How long it goes on, at most ten minutes.
    #[arg(long = "for", default_value = "20s", value_parser = bounded, value_name = "TIME")]
    lasts: Duration,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Forge,
    Replay,
    Spam,
    Poison,
    Eclipse,
    SlowReader,
}

impl Name {
    fn simulated(self) -> Option<Attack> {
        match self {
            Name::Forge => Some(Attack::Forge),
            Name::Replay => Some(Attack::Replay),
            Name::Spam => Some(Attack::Spam),
            Name::Poison => Some(Attack::Poison),
            Name::Eclipse => Some(Attack::Eclipse),
            Name::SlowReader => None,
        }
    }
}

impl AttackCommand {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let shown = match self.name.simulated() {
            Some(attack) => {
                let (nodes, evil, seed, lasts) = (self.nodes.into(), self.evil, self.seed, self.lasts);
                let trial = Trial { nodes, evil, seed, loss: self.loss, lasts, ..Trial::new(attack) };
                Shown::simulated(attack.as_str(), &trial.run(false), &trial.run(true))
            }
            None => block_on(slow_reader::compare(self.nodes.into(), self.evil, self.lasts))?,
        };
        shown.print(self.json, out)?;
        shown.check()
    }
}

/// A time of at most ten minutes.
fn bounded(text: &str) -> Result<Duration, String> {
    let lasts = duration::parse(text)?;
    let most = Duration::from_secs(600);
    if lasts > most { Err("an attack lasts ten minutes at most".into()) } else { Ok(lasts) }
}
