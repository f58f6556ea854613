//! `sealnet authority revoke`: memberships that end before their time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::super::Failure;
use super::super::output::{Facts, Out};
use super::KeyArgs;
use super::register::{list_of, write_file};
use crate::identity::NodeId;

/// Revoke members: all their certificates, or a single one.
#[derive(Args)]
pub(super) struct Revoke {
    /// Which: labels, ids or their beginnings (all certificates of that member), or serial numbers (that one alone). Without
    /// any, the list is signed again as it is, with the next number
    which: Vec<String>,

    /// Write the list to this file [default: beside the key, ending in .revocations]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    key: KeyArgs,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Made {
    revocations: PathBuf,
    epoch: u64,
    revoked: usize,
    members: BTreeSet<NodeId>,
}

impl Revoke {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let (identity, mut register) = self.key.open()?;
        let mut which = BTreeSet::new();
        for word in &self.which {
            which.extend(register.find(word)?);
        }
        let members = which.iter().filter_map(|n| register.certificates.get(*n)).map(|issued| issued.subject).collect();
        let which: Vec<usize> = which.into_iter().collect();
        let list = register.revoke(&identity, &which)?;
        // First the number: two lists must never have the same.
        register.save(self.key.path())?;
        let path = self.out.clone().unwrap_or_else(|| list_of(self.key.path()));
        write_file(&path, &list.to_text(), true)?;
        let made = Made { revocations: path, epoch: list.epoch(), revoked: list.serials().len(), members };
        if self.json {
            return out.json(&made);
        }
        let mut facts = Facts::default();
        facts.add_all("revoked", &made.members);
        facts.add("list", format_args!("{}  (no secret)", made.revocations.display()));
        facts.add("epoch", made.epoch);
        facts.add("in all", format_args!("{} revoked certificates", made.revoked));
        facts.add(
            "next",
            "copy the list to where one node's configuration names it, and there: sealnet reload --config FILE",
        );
        out.facts(&facts)
    }
}
