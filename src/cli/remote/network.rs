//! `sealnet network`: the network as a whole, as a running node knows it.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::super::Failure;
use super::super::output::{Facts, Out};
use super::Which;
use crate::control::{Degrees, Graph};
use crate::identity::NodeId;

/// So many names of missing nodes are shown to a person.
const SHOWN: usize = 8;

/// Show the whole network, as a running node knows it: its size, whether it is one, and who is missing.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Network {
    #[command(flatten)]
    which: Which,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet network --config config/peer.toml
  sealnet network --config config/peer.toml --json | jq .parts

What a node knows is what members announce of themselves; `graph` draws it.";

/// The network in figures.
#[derive(Serialize)]
struct Figures {
    members: usize,
    links: usize,
    /// How many parts there are between which no link is known, and how large each is.
    parts: Vec<usize>,
    diameter: Option<usize>,
    degrees: Degrees,
    missing: Vec<NodeId>,
    silent: usize,
    /// How many run which program, as far as that is known.
    versions: BTreeMap<String, usize>,
    complete: bool,
}

impl Figures {
    fn of(graph: Graph) -> Self {
        let mut versions = BTreeMap::new();
        for node in &graph.nodes {
            *versions.entry(node.version.clone().unwrap_or_else(|| "unknown".to_owned())).or_default() += 1;
        }
        Figures {
            members: graph.nodes.len(),
            links: graph.edges.len(),
            parts: graph.parts.iter().map(Vec::len).collect(),
            diameter: graph.diameter,
            degrees: graph.degrees,
            missing: graph.missing,
            silent: graph.silent.len(),
            versions,
            complete: graph.complete,
        }
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        facts.add("members", self.members);
        let sizes = || self.parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self.parts.len() {
            0 | 1 => facts.add("parts", "one: everybody who is reachable hangs together"),
            count => facts.add("PARTS", format_args!("{count}, of {} members: the network is split", sizes())),
        }
        facts.add("links", self.links);
        let Degrees { min, median, max } = self.degrees;
        facts.add(
            "a member",
            match (min, max) {
                _ if min == max => format!("has {min} links"),
                _ => format!("has {min} to {max} links, half of them at most {median}"),
            },
        );
        match self.diameter {
            Some(1) => facts.add("diameter", "1 step from one end to the other"),
            Some(steps) => facts.add("diameter", format_args!("{steps} steps from one end to the other")),
            None => facts.add("diameter", "not measured in so large a network"),
        }
        let mut missing: Vec<String> = self.missing.iter().take(SHOWN).map(|id| format!("{id:#}")).collect();
        if self.missing.len() > SHOWN {
            missing.push(format!("and {} more", self.missing.len() - SHOWN));
        }
        facts.add("missing", if missing.is_empty() { "nobody".to_owned() } else { missing.join(" ") });
        facts.add_all("runs", self.versions.iter().map(|(version, count)| format!("{count:>4}  {version}")));
        if !self.complete {
            let why = match self.silent {
                0 => "this is a sample: the network is larger than what one node remembers".to_owned(),
                silent => format!("{silent} members do not tell their links, so there are more than these"),
            };
            facts.add("note", why);
        }
        facts
    }
}

impl Network {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Network { which, json } = self;
        which.ask(async |client| {
            let figures = Figures::of(client.get("/v1/network").await?);
            if json { out.json(&figures) } else { out.facts(&figures.facts()) }
        })
    }
}
