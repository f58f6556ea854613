//! `sealnet authority`: who is a member of a closed network, said and taken back. Its key is needed here alone, and belongs
//! on a machine, or a medium, that no node runs on.

mod issue;
mod list;
mod new;
pub(super) mod register;
mod revoke;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Failure;
use super::output::Out;
use super::passphrase::PassphraseSource;
use crate::access::Rights;
use crate::identity::Identity;
use register::Register;

pub(in crate::cli) use issue::id_of;

/// Admit members to a closed network, and revoke them.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Authority {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sealnet authority new --network lab    keys/authority.pem, and its register
  sealnet authority issue peer.id --label alice --days 365
                                         a certificate for that node: peer.cert
  sealnet authority renew alice          another one, from now on
  sealnet authority revoke alice         keys/authority.revocations: copy it to
                                         where one node's configuration names
                                         it, and `sealnet reload` that node
  sealnet authority list                 who was admitted, and until when

Keep the key away from all nodes: who has it admits whom he likes.";

#[derive(Subcommand)]
enum Command {
    New(new::New),
    Issue(issue::Issue),
    Renew(issue::Renew),
    Revoke(revoke::Revoke),
    List(list::List),
}

impl Authority {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        match self.command {
            Command::New(command) => command.run(out),
            Command::Issue(command) => command.run(out),
            Command::Renew(command) => command.run(out),
            Command::Revoke(command) => command.run(out),
            Command::List(command) => command.run(out),
        }
    }
}

/// Where the authority's key is.
#[derive(Args)]
pub(super) struct KeyArgs {
    /// The authority's key; its register lies beside it
    #[arg(long, value_name = "FILE", default_value = "keys/authority.pem")]
    key: PathBuf,

    #[command(flatten)]
    passphrase: PassphraseSource,
}

impl KeyArgs {
    /// The key and what it has certified.
    pub(super) fn open(&self) -> Result<(Identity, Register), Failure> {
        let identity = self.passphrase.load(&self.key)?;
        let register = Register::load(&self.key, identity.id())?;
        Ok((identity, register))
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.key
    }
}

/// Rights as they are written on the command line: `link,publish`.
pub(super) fn parse_rights(text: &str) -> Result<Rights, String> {
    let mut rights = Rights::NONE;
    for word in text.split(',') {
        rights = rights
            | match word.trim() {
                "link" => Rights::LINK,
                "publish" => Rights::PUBLISH,
                "shutdown" => Rights::SHUTDOWN,
                _ => return Err("write some of link, publish and shutdown, with commas between them".to_owned()),
            };
    }
    if rights.contains(Rights::LINK) { Ok(rights) } else { Err("without link nobody lets it in; add link".to_owned()) }
}

/// A second since 1970 as a date and time.
pub(in crate::cli) fn shown_time(second: u64) -> String {
    match crate::envelope::Timestamp::from_micros(second.saturating_mul(1_000_000)) {
        Some(time) => time.to_string().chars().take(19).collect(),
        None => "for ever".to_owned(),
    }
}
