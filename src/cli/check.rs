//! `sealnet check`: whether a configuration and the keys it names are right, without starting a node.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::id::id_path;
use super::output::{Facts, GOOD, Out};
use super::passphrase::PassphraseSource;
use crate::config::{Config, ControlAt, Preset, Security, Shown, ShownDuration, ShownSize};
use crate::identity::{KeyFileProblem, NetworkKey, NodeId, read_id_file};
use crate::overlay::Broadcast;

/// Check a configuration and its keys, without starting a node.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// The configuration
    #[arg(value_name = "FILE")]
    config: PathBuf,

    #[command(flatten)]
    passphrase: PassphraseSource,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet check config/peer.toml
  sealnet check config/peer.toml --json | jq .genesis

What is wrong is named with line and column, and with what to do about it.
Every setting is explained in config/full.toml of the source.";

impl Check {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let config = Config::load(&self.config)?;
        let id = check_keys(&config, self.passphrase)?;
        let genesis = id.map_or_else(|| config.genesis().to_vec(), |id| config.genesis_besides(&id));
        if config.listen().is_none() && genesis.is_empty() {
            return Err(Failure::said(format!(
                "{}: \"genesis\" names nobody but this node itself, and without \"listen\" it would stay alone; name another \
                 node, or add listen = \"127.0.0.1:7400\"",
                self.config.display()
            )));
        }
        if self.json {
            return out.json(&Shown::of(&config, id));
        }
        let genesis: Vec<String> = genesis.iter().map(ToString::to_string).collect();
        print(&config, id, &genesis, out)
    }
}

/// Reads the key files as a node would; the id of the node's key, if it has one.
pub(super) fn check_keys(config: &Config, passphrase: PassphraseSource) -> Result<Option<NodeId>, Failure> {
    let Security::Secure { identity, network_key } = config.security() else { return Ok(None) };
    let id = passphrase.load(identity)?.id();
    if let Some(network_key) = network_key {
        NetworkKey::load(network_key)?;
    }
    // Others pin what stands in this file: a wrong one shuts them out, and only they would notice.
    let id_file = id_path(identity);
    match read_id_file(&id_file) {
        Ok(said) if said == id => Ok(Some(id)),
        Err(error) if matches!(error.problem(), KeyFileProblem::Missing) => Ok(Some(id)),
        Ok(_) => Err(Failure::said(format!(
            "{} is not the id of {}, which lies beside it, so whoever copied it would refuse this node; write the right one: \
             `sealnet id {} --write --force`",
            id_file.display(),
            identity.display(),
            identity.display()
        ))),
        Err(error) => Err(error.into()),
    }
}

fn print(config: &Config, id: Option<NodeId>, genesis: &[String], out: &mut Out) -> Result<(), Failure> {
    let (overlay, log) = (config.overlay(), config.log());
    let path = config.path().unwrap_or(Path::new("the configuration")).display().to_string();
    out.line(format_args!("{GOOD}right{GOOD:#}  {}", super::escape(&path)))?;
    let mut facts = Facts::default();
    let kind = match (config.is_plain(), config.network_key()) {
        (true, _) => "plain: nothing is encrypted or signed",
        (false, None) => "secure",
        (false, Some(_)) => "secure, with a network key",
    };
    facts.add("network", format_args!("{} ({kind})", config.network()));
    match id {
        Some(id) => facts.add("node", id),
        None => facts.add("node", "another random id at each start"),
    }
    match config.listen() {
        Some(listen) => facts.add("listens at", listen),
        None => facts.add("listens", "nowhere; it only dials"),
    }
    facts.add_all("advertises", config.advertise());
    if genesis.is_empty() {
        facts.add("begins", "as the first node of its network");
    } else {
        facts.add_all("begins at", genesis);
    }
    let range = match config.preset() {
        Preset::Local => "one machine",
        Preset::Lan => "one site",
        Preset::Wan => "anywhere",
    };
    facts.add("preset", format_args!("{} ({range})", config.preset()));
    facts.add(
        "links",
        format_args!(
            "{} wanted, at most {}, up to {} opened by others",
            overlay.target_links, overlay.max_links, overlay.inbound_links
        ),
    );
    let broadcasts = match overlay.broadcast {
        Broadcast::Flood => "over every link",
        Broadcast::Tree => "along a tree, with ids over the other links",
        Broadcast::Auto => "along a tree above three links, with ids over the others",
    };
    facts.add("broadcasts", broadcasts);
    facts.add(
        "silence",
        format_args!(
            "asked after {}, closed after {}",
            ShownDuration(overlay.ping_after),
            ShownDuration(overlay.dead_after)
        ),
    );
    let history = if overlay.history { "wants what was said before it came" } else { "only what is said from now on" };
    let size = ShownSize(u64::try_from(log.max_bytes).unwrap_or(u64::MAX));
    facts.add("keeps", format_args!("{} of broadcasts, at most {size}; {history}", ShownDuration(log.keep)));
    let folder = config.folder().map(|folder| super::escape(&folder.display().to_string()).to_string());
    match folder {
        None => facts.add("log", "in memory; nothing outlives the process"),
        Some(folder) if config.is_log_on_disk() => facts.add("log", format_args!("on disk in {folder}")),
        Some(folder) => facts.add("log", format_args!("in memory; the node's state in {folder}")),
    }
    match config.control().map(|control| &control.at) {
        None => facts.add("control", "none: nothing on this machine can see or steer the node"),
        Some(ControlAt::Loopback(address)) => facts.add("control", format_args!("http://{address}")),
        Some(ControlAt::Socket(path)) => facts.add("control", super::escape(&path.display().to_string())),
    }
    facts.add(
        "admits",
        if config.network_key().is_some() {
            "everybody who has the network key"
        } else {
            "everybody who knows the network's name"
        },
    );
    out.facts(&facts)
}
