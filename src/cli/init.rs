//! `sealnet init`: the files of a new network, or of a new member of one.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Failure;
use super::key_name::KeyName;
use super::output::{Facts, Out};
use crate::config::{Config, Draft, DraftGenesis, Preset};
use crate::identity::{Identity, NetworkName, NodeAddress, NodeId, Overwrite, RandomnessError};

/// Make key and configuration of a new network, or of a new member of one.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Init {
    /// Folder for the files: FOLDER/keys and FOLDER/config
    folder: PathBuf,

    /// Name of the network [default for a new one: the folder's name and something random, so that it is nobody else's]
    #[arg(long, value_name = "NAME")]
    network: Option<NetworkName>,

    /// A node to begin at, sealnet://ID@HOST:PORT; may be given several times
    #[arg(long, value_name = "ADDRESS", requires = "network", value_parser = parse_genesis)]
    genesis: Vec<NodeAddress>,

    /// Where to accept connections, IP:PORT [default: 0.0.0.0:7400 for a new network, 0.0.0.0:7401 for a member]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,

    /// Name of the key and of the configuration [default: genesis for a new network, peer for a member]
    #[arg(long)]
    name: Option<KeyName>,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet init lab                        a new network, called like lab-3f9a2c
  sealnet init lab --network lab.example  a new network of this name
  sealnet init lab --network lab-3f9a2c --genesis sealnet://ID@192.0.2.1:7400
                                          a member of it, on another machine

It writes two or three files and overwrites none. Afterwards:
  sealnet run --config FOLDER/config/NAME.toml";

/// Addresses without a key would be refused by the configuration, after the key was made.
fn parse_genesis(text: &str) -> Result<NodeAddress, String> {
    let address: NodeAddress = text.parse().map_err(|error: crate::identity::AddressError| error.to_string())?;
    match address.id() {
        Some(_) => Ok(address),
        None => {
            Err("the address does not say which key must answer; write sealnet://ID@HOST:PORT (`sealnet id` on that \
                     node prints ID)"
                .to_owned())
        }
    }
}

#[derive(Serialize)]
struct Made {
    network: NetworkName,
    id: NodeId,
    config: PathBuf,
    key: PathBuf,
    listen: SocketAddr,
}

impl Init {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let is_new = self.genesis.is_empty();
        let network = match self.network {
            Some(network) => network,
            None => propose(&self.folder)?,
        };
        let name = match self.name {
            Some(name) => name,
            None => if is_new { "genesis" } else { "peer" }.parse()?,
        };
        let listen = self.listen.unwrap_or(SocketAddr::from(([0; 4], if is_new { 7400 } else { 7401 })));
        let draft = Draft {
            network: network.clone(),
            identity: name.secret(Path::new("..")),
            network_key: None,
            listen: Some(listen),
            preset: if listen.ip().is_loopback() { Preset::Local } else { Preset::Wan },
            genesis: self.genesis.into_iter().map(DraftGenesis::Address).collect(),
            control: None,
        };
        // Tried before anything is written: what is wrong in it was wrong on the command line.
        Config::parse(&draft.to_string(), &self.folder.join("config"))?;
        let config = self.folder.join("config").join(format!("{}.toml", name.as_str()));
        if config.exists() {
            return Err(exists(&config));
        }
        make_folder(&self.folder.join("config"))?;
        let key = name.secret(&self.folder);
        let identity = Identity::generate()?;
        identity.save(&key, Overwrite::Refuse)?;
        write_new(&config, &draft.to_string())?;
        let made = Made { network, id: identity.id(), config, key, listen };
        if self.json {
            return out.json(&made);
        }
        made.print(is_new, out)
    }
}

impl Made {
    fn print(&self, is_new: bool, out: &mut Out) -> Result<(), Failure> {
        let mut facts = Facts::default();
        facts.add("network", &self.network);
        facts.add("node", self.id);
        facts.add("listens at", self.listen);
        facts.add("config", self.config.display());
        facts.add("secret", format_args!("{}  (nobody else may have it)", self.key.display()));
        out.facts(&facts)?;
        let mut next = Facts::default();
        next.add("next", format_args!("sealnet run --config {}", self.config.display()));
        if is_new {
            let host = match self.listen {
                listen if listen.ip().is_unspecified() => format!("HOST:{}", listen.port()),
                listen => listen.to_string(),
            };
            let (network, id) = (&self.network, self.id);
            next.add(
                "a member",
                format_args!("sealnet init FOLDER --network {network} --genesis sealnet://{id}@{host}"),
            );
        }
        out.line("")?;
        out.facts(&next)
    }
}

/// The folder's name, as far as it can stand in a network's name, and something random: two networks that both were
/// started in a folder called `test` do not meet.
fn propose(folder: &Path) -> Result<NetworkName, Failure> {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let good = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let base: String = name.chars().filter(good).take(40).collect();
    let base = if base.is_empty() { "net" } else { &base };
    let mut random = [0; 3];
    getrandom::fill(&mut random).map_err(RandomnessError::from)?;
    Ok(format!("{base}-{}", data_encoding::HEXLOWER.encode(&random)).parse()?)
}

fn exists(path: &Path) -> Failure {
    Failure::said(format!("{} exists already and was left as it is; choose another folder or --name", path.display()))
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| {
        Failure::said(format!("the folder {} could not be made: {error}; choose another one", path.display()))
    })
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Failure::said(format!("{} could not be written: {error}", path.display())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_name_is_a_network_name_and_another_one_each_time() {
        for folder in ["lab", "Lab 7!", "世界", "", ".", "/", "a/../b", &"x".repeat(300)] {
            let names = [propose(Path::new(folder)), propose(Path::new(folder))].map(|name| name.ok().unwrap());
            assert_ne!(names[0], names[1]);
        }
        let name = propose(Path::new("/tmp/Lab 7!")).ok().unwrap();
        assert!(name.as_str().starts_with("lab7-") && name.as_str().len() == 11, "{name}");
    }
}
