//! `sealnet check`: whether a configuration and the keys it names are right, without starting a node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Failure;
use super::authority::shown_time;
use super::id::id_path;
use super::output::{Facts, GOOD, Out};
use super::passphrase::PassphraseSource;
use crate::access::Mode;
use crate::config::{Config, Preset, Security, ShownDuration, ShownSize};
use crate::identity::{KeyFileProblem, NetworkKey, NetworkName, NodeId, read_id_file};
use crate::node::{AccessInForce, check_access};
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

#[derive(Serialize)]
struct Checked<'a> {
    config: &'a Path,
    network: &'a NetworkName,
    plain: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<NodeId>,
    network_key: bool,
    listen: Option<SocketAddr>,
    advertise: &'a [SocketAddr],
    genesis: Vec<String>,
    preset: &'static str,
    links: Links,
    log: Log<'a>,
    access: Mode,
}

#[derive(Serialize)]
struct Links {
    target: usize,
    max: usize,
    inbound: usize,
    broadcast: &'static str,
    ping_after_ms: u128,
    dead_after_ms: u128,
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a Path>,
    on_disk: bool,
    keep_s: u64,
    max_size: usize,
    history: bool,
}

impl Check {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let config = Config::load(&self.config)?;
        let id = check_keys(&config, self.passphrase)?;
        let in_force = id.map(|id| check_access(config.access(), config.network_hash(), id)).transpose()?;
        let genesis = id.map_or_else(|| config.genesis().to_vec(), |id| config.genesis_besides(&id));
        if config.listen().is_none() && genesis.is_empty() {
            return Err(Failure::said(format!(
                "{}: \"genesis\" names nobody but this node itself, and without \"listen\" it would stay alone; name another \
                 node, or add listen = \"127.0.0.1:7400\"",
                self.config.display()
            )));
        }
        let genesis: Vec<String> = genesis.iter().map(ToString::to_string).collect();
        if !self.json {
            return print(&config, id, in_force, &genesis, out);
        }
        let (overlay, log) = (config.overlay(), config.log());
        out.json(&Checked {
            config: &self.config,
            network: config.network(),
            plain: config.is_plain(),
            id,
            network_key: config.network_key().is_some(),
            listen: config.listen(),
            advertise: config.advertise(),
            genesis,
            preset: config.preset().as_str(),
            links: Links {
                target: overlay.target_links,
                max: overlay.max_links,
                inbound: overlay.inbound_links,
                broadcast: overlay.broadcast.as_str(),
                ping_after_ms: overlay.ping_after.as_millis(),
                dead_after_ms: overlay.dead_after.as_millis(),
            },
            log: Log {
                folder: config.folder(),
                on_disk: config.is_log_on_disk(),
                keep_s: log.keep.as_secs(),
                max_size: log.max_bytes,
                history: overlay.history,
            },
            access: config.access().mode(),
        })
    }
}

/// Reads the key files as a node would; the id of the node's key, if it has one.
fn check_keys(config: &Config, passphrase: PassphraseSource) -> Result<Option<NodeId>, Failure> {
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

fn print(
    config: &Config,
    id: Option<NodeId>,
    in_force: Option<AccessInForce>,
    genesis: &[String],
    out: &mut Out,
) -> Result<(), Failure> {
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
    facts.add(
        "admits",
        match (config.access().mode(), config.network_key()) {
            (Mode::AllowList, _) => "who stands in the list of members",
            (Mode::Certificate, _) => "who has a certificate of the authority",
            (_, Some(_)) => "everybody who has the network key",
            (_, None) => "everybody who knows the network's name",
        },
    );
    match in_force {
        Some(AccessInForce::Certified { not_after, .. }) => {
            facts.add("certificate", format_args!("good until {}", shown_time(not_after)));
        }
        Some(AccessInForce::Listed { members }) => facts.add("members", format_args!("{members} in the list")),
        _ => {}
    }
    out.facts(&facts)
}
