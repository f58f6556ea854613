//! `sealnet invite`: one file that makes a member.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use super::Failure;
use super::authority::register::write_file;
use super::authority::{KeyArgs, id_of, parse_rights, shown_time};
use super::invitation::{Digits, Invitation};
use super::out_file::{OutFile, shown};
use super::output::{Facts, Out};
use crate::access::{Label, Rights, Settings};
use crate::config::Config;
use crate::identity::{Identity, NodeAddress, NodeId, RandomnessError, read_id_file};

/// Write one file by which somebody becomes a member, with `sealnet join`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Invite {
    /// The configuration of a node of the network
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Whom: the id that `sealnet keygen` printed over there, or its file NAME.id. The file is of use to that key alone
    #[arg(long = "for", value_name = "ID|FILE", conflicts_with = "with_key")]
    whom: Option<String>,

    /// Make a key for the new member and put it into the file. Whoever gets the file is the member: send it as you would send
    /// the key itself
    #[arg(long)]
    with_key: bool,

    /// Where the network is entered, HOST:PORT of the configured node [default: what it advertises, or listens at]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,

    /// What to call the member, in a network with certificates
    #[arg(long)]
    label: Option<Label>,

    /// For how many days its certificate is, from now
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,

    /// What it may do: link, publish, shutdown (the whole network)
    #[arg(long, default_value = "link,publish", value_parser = parse_rights)]
    rights: Rights,

    /// Write the invitation to this file [default: LABEL.invite, or the first 8 digits of the id]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    key: KeyArgs,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet invite --config config/genesis.toml --for alice.id --label alice
  sealnet invite --config config/genesis.toml --with-key --label alice

The first is the safer way: the new member runs `sealnet keygen alice` and sends
alice.id, and its secret key never leaves its machine. The second needs no word
from it before. Either file may hold the network key: it is made with mode 0600,
and is to be sent where nobody else reads it.

In a network with certificates this needs the authority's key (--key), and
belongs on the machine that has it.";

#[derive(Serialize)]
struct Made<'a> {
    invitation: &'a Path,
    network: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<NodeId>,
    secret: bool,
    genesis: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<u64>,
}

impl Invite {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let config = Config::load(&self.config)?;
        let Some(identity) = config.identity() else {
            return Err(Failure::said("nobody needs an invitation to a plain network: it knows no members"));
        };
        let mut invitation =
            Invitation::new(config.network().clone(), config.preset().as_str(), config.access().mode());
        invitation.genesis = self.genesis(&config, own_id(identity)?)?;
        if let Some(path) = config.network_key() {
            invitation.network_key = Some(network_key(path)?);
        }
        let member = self.member(&mut invitation)?;
        let path = self.path(member)?;
        OutFile::check(&path, false)?;
        let not_after = self.admit(&config, &mut invitation, member)?;
        invitation.save(&path)?;
        let made = Made {
            invitation: &path,
            network: invitation.network.as_str(),
            member,
            secret: invitation.has_secret(),
            genesis: &invitation.genesis,
            not_after,
        };
        if self.json {
            return out.json(&made);
        }
        let mut facts = Facts::default();
        let secret =
            if made.secret { "it holds a secret: send it where nobody else reads it" } else { "it holds no secret" };
        facts.add("invitation", format_args!("{}  ({secret})", path.display()));
        facts.add("network", made.network);
        if let Some(member) = member {
            facts.add("member", member);
        }
        facts.add_all("begins at", made.genesis);
        if let Some(not_after) = not_after {
            facts.add("until", shown_time(not_after));
        }
        facts.add("over there", format_args!("sealnet join {}", path.file_name().unwrap_or_default().display()));
        out.facts(&facts)
    }

    /// Whom the invitation is for; with `--with-key` somebody who begins to be now.
    fn member(&self, invitation: &mut Invitation) -> Result<Option<NodeId>, Failure> {
        if self.with_key {
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *seed).map_err(RandomnessError::from)?;
            invitation.identity = Some(Digits::of(&*seed));
            return Ok(Some(Identity::from_seed(&seed).id()));
        }
        self.whom.as_deref().map(id_of).transpose()
    }

    fn path(&self, member: Option<NodeId>) -> Result<PathBuf, Failure> {
        if let Some(out) = &self.out {
            return Ok(out.clone());
        }
        let is_name = |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let label = self.label.as_ref().map(Label::as_str).filter(is_name);
        match (label, member) {
            (Some(label), _) => Ok(PathBuf::from(format!("{label}.invite"))),
            (None, Some(member)) => Ok(PathBuf::from(format!("{member:#}.invite"))),
            (None, None) => Err(Failure::said("name the file of the invitation with --out FILE")),
        }
    }

    /// Where the network is entered: at this node, and at those where it begins itself.
    fn genesis(&self, config: &Config, own: NodeId) -> Result<Vec<String>, Failure> {
        let mut addresses: Vec<NodeAddress> = Vec::new();
        if let Some(address) = &self.address {
            addresses.push(NodeAddress::new(Some(own), address)?);
        } else if !config.advertise().is_empty() {
            for address in config.advertise() {
                addresses.push(NodeAddress::new(Some(own), &address.to_string())?);
            }
        } else if let Some(listen) = config.listen().filter(|at| !at.ip().is_unspecified() && at.port() != 0) {
            addresses.push(NodeAddress::new(Some(own), &listen.to_string())?);
        }
        addresses.extend(config.genesis_besides(&own));
        if addresses.is_empty() {
            return Err(Failure::said(format!(
                "{} does not say where others reach the node; say it with --address HOST:PORT",
                self.config.display()
            )));
        }
        Ok(addresses.iter().map(ToString::to_string).collect())
    }

    /// Puts in what lets the new member in. Gives the end of its certificate.
    fn admit(
        &self,
        config: &Config,
        invitation: &mut Invitation,
        member: Option<NodeId>,
    ) -> Result<Option<u64>, Failure> {
        let named = || {
            member.ok_or_else(|| {
                Failure::said(
                    "this network admits members by name: say whom with --for ID (the new member runs `sealnet keygen NAME` and \
                     sends NAME.id), or let --with-key make its key",
                )
            })
        };
        match config.access() {
            Settings::AllowList { members } => {
                let member = named()?;
                let listed = crate::access::read_members(members)?;
                if !listed.contains(&member) {
                    return Err(Failure::said(format!(
                        "{} does not name {member}; add that line to it on every node, `sealnet reload` them, and invite then",
                        shown(members)
                    )));
                }
                let text = fs::read_to_string(members)
                    .map_err(|error| Failure::said(format!("{} could not be read: {error}", shown(members))))?;
                invitation.members = Some(text);
                Ok(None)
            }
            Settings::Certificate { authority, revocations, .. } => {
                let member = named()?;
                let label = self.label.clone().ok_or_else(|| {
                    Failure::said(
                        "say what to call the member with --label NAME: by that name it is renewed and revoked",
                    )
                })?;
                let (identity, mut register) = self.key.open()?;
                if identity.id() != authority.id() {
                    return Err(Failure::said(format!(
                        "{} is not the key of the network's authority {:#}; name it with --key FILE",
                        shown(self.key.path()),
                        authority.id()
                    )));
                }
                let certificate = register.issue(&identity, member, &label, self.days, self.rights)?;
                register.save(self.key.path())?;
                invitation.authority = Some(authority.id());
                invitation.certificate = Some(certificate.to_text());
                invitation.revocations = revocations.as_ref().and_then(|path| fs::read_to_string(path).ok());
                Ok(Some(certificate.membership().not_after))
            }
            _ => Ok(None),
        }
    }
}

/// The id of the configured node; its secret is not needed where the id lies beside it.
fn own_id(identity: &Path) -> Result<NodeId, Failure> {
    let beside = super::id::id_path(identity);
    if beside.exists() { Ok(read_id_file(&beside)?) } else { Ok(Identity::load(identity)?.id()) }
}

/// The digits in the file of the network key.
fn network_key(path: &Path) -> Result<Digits, Failure> {
    // That it is one, and nobody else's to read.
    crate::identity::NetworkKey::load(path)?;
    let bytes = crate::identity::read_secret_file(path, 4096)?;
    let digits = bytes.trim_ascii_end();
    let decoded = data_encoding::HEXLOWER.decode(digits).map(Zeroizing::new);
    decoded.map(|bytes| Digits::of(&bytes)).map_err(|_| Failure::said(format!("{} is no network key", shown(path))))
}

/// Writes a text that is no secret beside others, where nothing is in the way.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    write_file(path, text, false)
}
