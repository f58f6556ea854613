//! `sealnet authority new`: the key of a closed network's authority.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::super::Failure;
use super::super::key_name::KeyName;
use super::super::output::{Facts, Out};
use super::super::passphrase::PassphraseSource;
use super::register::{Register, path_of};
use crate::identity::{Identity, NetworkName, NodeId, Overwrite};

/// Make the key of an authority, and the register of what it certifies.
#[derive(Args)]
pub(super) struct New {
    /// Name of the key; its files go into the folder keys
    #[arg(default_value = "authority")]
    name: KeyName,

    /// The network whose members it admits
    #[arg(long, value_name = "NAME")]
    network: NetworkName,

    /// Write the key to this file instead
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Encrypt the key under a passphrase, asked for on the terminal
    #[arg(long)]
    passphrase: bool,

    #[command(flatten)]
    source: PassphraseSource,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Made<'a> {
    network: &'a NetworkName,
    authority: NodeId,
    key: &'a Path,
    register: PathBuf,
}

impl New {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let key = self.out.clone().unwrap_or_else(|| self.name.secret(Path::new("")));
        let identity = Identity::generate()?;
        if self.passphrase || self.source.is_given() {
            identity.save_with(&key, Overwrite::Refuse, &self.source.choose()?)?;
        } else {
            identity.save(&key, Overwrite::Refuse)?;
        }
        Register::new(self.network.clone(), identity.id()).save(&key)?;
        let made = Made { network: &self.network, authority: identity.id(), key: &key, register: path_of(&key) };
        if self.json {
            return out.json(&made);
        }
        let mut facts = Facts::default();
        facts.add("network", made.network);
        facts.add("authority", format_args!("{}  (every node's configuration names it)", made.authority));
        facts.add("secret", format_args!("{}  (keep it away from all nodes)", made.key.display()));
        facts.add("register", format_args!("{}  (keep it with the key)", made.register.display()));
        out.facts(&facts)
    }
}
