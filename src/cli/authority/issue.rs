//! `sealnet authority issue` and `renew`: certificates.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::super::Failure;
use super::super::output::{Facts, Out};
use super::register::{Status, second, write_file};
use super::{KeyArgs, parse_rights, shown_time};
use crate::access::{Certificate, Label, Rights};
use crate::identity::{NodeId, PublicKey, read_id_file};

/// Certify that a node is a member.
#[derive(Args)]
pub(super) struct Issue {
    /// Whom: the 64 hex digits of its id, or its file NAME.id
    #[arg(value_name = "ID|FILE")]
    whom: String,

    /// What to call it, at most 32 bytes
    #[arg(long)]
    label: Label,

    /// For how many days from now
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,

    /// What it may do: link, publish, shutdown (the whole network)
    #[arg(long, default_value = "link,publish", value_parser = parse_rights)]
    rights: Rights,

    /// Write the certificate to this file [default: NAME.cert beside NAME.id, or the first 8 digits of the id]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    key: KeyArgs,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

/// Certify a member again, from now on: the same node, label and rights.
#[derive(Args)]
pub(super) struct Renew {
    /// Which: the label, the id or its beginning, or the serial number of the last certificate
    which: String,

    /// For how many days from now
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,

    /// Write the certificate to this file [default: the first 8 digits of the id, and .cert]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    key: KeyArgs,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Made<'a> {
    certificate: &'a Path,
    serial: String,
    label: &'a str,
    subject: NodeId,
    not_before: u64,
    not_after: u64,
    rights: String,
}

/// An id, or the one in a file.
pub(in crate::cli) fn id_of(whom: &str) -> Result<NodeId, Failure> {
    if let Ok(id) = whom.parse::<NodeId>() {
        return match PublicKey::decode(&id) {
            Ok(_) => Ok(id),
            Err(error) => Err(Failure::said(format!("{id} is no node's id: {error}; copy it again"))),
        };
    }
    Ok(read_id_file(Path::new(whom))?)
}

impl Issue {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let subject = id_of(&self.whom)?;
        let path = self.out.clone().unwrap_or_else(|| match self.whom.strip_suffix(".id") {
            Some(name) => PathBuf::from(format!("{name}.cert")),
            None => by_id(subject),
        });
        let (identity, mut register) = self.key.open()?;
        if subject == identity.id() {
            return Err(Failure::said(
                "the authority is no member; make a key for the node with `sealnet keygen NAME`",
            ));
        }
        let certificate = register.issue(&identity, subject, &self.label, self.days, self.rights)?;
        // What is not in the register could never be revoked by its label.
        register.save(self.key.path())?;
        write_file(&path, &certificate.to_text(), true)?;
        told(&certificate, &path, self.json, out)
    }
}

impl Renew {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let (identity, mut register) = self.key.open()?;
        let found = register.find(&self.which)?;
        let found: Vec<_> = found.into_iter().filter_map(|n| register.certificates.get(n)).collect();
        let latest = found.iter().max_by_key(|issued| issued.not_after).copied().cloned();
        let Some(latest) = latest else { return Err(Failure::said("there is nothing to renew")) };
        if found.iter().any(|issued| issued.subject != latest.subject) {
            return Err(Failure::said(format!("several members are called \"{}\"; write an id", latest.label)));
        }
        if latest.status(second()) == Status::Revoked {
            return Err(Failure::said(format!(
                "\"{}\" is revoked; if it is to be a member again, issue a certificate: `sealnet authority issue {} --label …`",
                latest.label, latest.subject
            )));
        }
        let label: Label = latest.label.parse()?;
        let certificate = register.issue(&identity, latest.subject, &label, self.days, latest.rights())?;
        register.save(self.key.path())?;
        let path = self.out.clone().unwrap_or_else(|| by_id(latest.subject));
        write_file(&path, &certificate.to_text(), true)?;
        told(&certificate, &path, self.json, out)
    }
}

fn by_id(subject: NodeId) -> PathBuf {
    PathBuf::from(format!("{subject:#}.cert"))
}

fn told(certificate: &Certificate, path: &Path, json: bool, out: &mut Out) -> Result<(), Failure> {
    let membership = certificate.membership();
    if json {
        return out.json(&Made {
            certificate: path,
            serial: membership.serial.to_string(),
            label: membership.label.as_str(),
            subject: membership.subject,
            not_before: membership.not_before,
            not_after: membership.not_after,
            rights: membership.rights.to_string(),
        });
    }
    let mut facts = Facts::default();
    facts.add("certificate", format_args!("{}  (no secret; the node's configuration names it)", path.display()));
    facts.add("member", format_args!("{}, called {}", membership.subject, membership.label.as_str()));
    facts.add("rights", membership.rights);
    facts.add("until", shown_time(membership.not_after));
    facts.add("serial", membership.serial);
    out.facts(&facts)
}
