//! `sealnet keygen`: makes keys.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Failure;
use super::key_name::KeyName;
use super::output::{Facts, Out};
use super::passphrase::PassphraseSource;
use crate::identity::{Identity, NetworkKey, NodeId, Overwrite, Saved};

/// Make a key: keys/NAME.pem, the secret, and keys/NAME.id, the public name of its node.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Keygen {
    /// Name of the key; its files go into the folder keys
    #[arg(required_unless_present_any = ["out", "network_key"])]
    name: Option<KeyName>,

    /// Write the key to this file instead, and the id beside it
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    out: Option<PathBuf>,

    /// Keep files that are in the way as NAME.pem.old-1 and so on, and make new ones: the node gets another id
    #[arg(long)]
    force: bool,

    /// Make a key that all members of a network share (keys/network.key, or keys/NAME.key), not a node's
    #[arg(long)]
    network_key: bool,

    /// Encrypt the key under a passphrase, asked for on the terminal
    #[arg(long, conflicts_with = "network_key")]
    passphrase: bool,

    #[command(flatten)]
    source: PassphraseSource,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet keygen genesis               keys/genesis.pem and keys/genesis.id
  sealnet keygen peer --passphrase     the same, encrypted
  sealnet keygen --out /srv/node.pem   /srv/node.pem and /srv/node.id
  sealnet keygen --network-key         keys/network.key, for every member
  openssl pkey -in keys/genesis.pem -noout -text      look at a key

Nothing is overwritten unless you say --force, and then the old files are kept
aside.";

#[derive(Serialize)]
struct Made {
    path: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<NodeId>,
    kept_aside: Vec<PathBuf>,
}

impl Keygen {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let overwrite = if self.force { Overwrite::KeepAside } else { Overwrite::Refuse };
        let here = Path::new("");
        let (Saved { path, id_path, kept_aside, .. }, id) = if self.network_key {
            let in_folder = || self.name.as_ref().map_or(here.join("keys/network.key"), |name| name.network_key(here));
            let path = self.out.clone().unwrap_or_else(in_folder);
            (NetworkKey::generate()?.save(&path, overwrite)?, None)
        } else {
            // clap made sure of one of the two.
            let path = self.out.or_else(|| self.name.map(|name| name.secret(here))).unwrap_or_default();
            let identity = Identity::generate()?;
            let saved = if self.passphrase || self.source.is_given() {
                identity.save_with(&path, overwrite, &self.source.choose()?)?
            } else {
                identity.save(&path, overwrite)?
            };
            (saved, Some(identity.id()))
        };
        let made = Made { path, id_path, id, kept_aside };
        if self.json {
            return out.json(&made);
        }
        let mut facts = Facts::default();
        let whose = if self.network_key {
            "copy it to every member; nobody else may have it"
        } else {
            "nobody else may have it"
        };
        facts.add("secret", format_args!("{}  ({whose})", made.path.display()));
        if let (Some(id), Some(id_path)) = (made.id, &made.id_path) {
            facts.add("public", format_args!("{}  (copy it to whoever begins at this node)", id_path.display()));
            facts.add("id", id);
            facts.add("address", format_args!("sealnet://{id}@HOST:PORT"));
        }
        facts.add_all("kept aside", made.kept_aside.iter().map(|path| path.display()));
        out.facts(&facts)
    }
}
