//! `sealnet join`: a member of a network from one file.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Failure;
use super::invitation::Invitation;
use super::invite::write_new;
use super::key_name::KeyName;
use super::out_file::{OutFile, shown};
use super::output::{Facts, Out};
use super::run::Run;
use crate::access::{Authority, Mode, members_in};
use crate::config::{Config, Draft, DraftAccess, DraftGenesis, Preset};
use crate::identity::{Identity, NetworkHash, NetworkKey, NodeAddress, NodeId, Overwrite, PublicKey, read_id_file};

/// Become a member of the network of an invitation, and run.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Join {
    /// The invitation
    #[arg(value_name = "FILE")]
    invitation: PathBuf,

    /// Folder for the files: FOLDER/keys and FOLDER/config
    #[arg(long, default_value = ".")]
    folder: PathBuf,

    /// Name of the configuration, and of the key if there is none yet [default: that of the invited key, or peer]
    #[arg(long)]
    name: Option<KeyName>,

    /// Where to accept connections, IP:PORT [default: nowhere in an open network, 0.0.0.0:7401 in a closed one]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,

    /// Write the files and do not run
    #[arg(long)]
    no_run: bool,

    /// With --no-run: print the facts as one JSON object
    #[arg(long, requires = "no_run")]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet join alice.invite                  in this folder
  sealnet join alice.invite --folder /srv/lab --listen 192.0.2.7:7401
  sealnet join alice.invite --no-run         then: sealnet run --config FILE

An invitation for a key that was made here (`sealnet keygen alice`) finds it in
FOLDER/keys. It overwrites nothing. Once you have joined, the invitation is of
no use any more; delete it, above all if it holds a secret.";

#[derive(Serialize)]
struct Made {
    network: String,
    id: NodeId,
    config: PathBuf,
    key: PathBuf,
    listen: Option<SocketAddr>,
}

impl Join {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let made = self.make()?;
        if self.json {
            return out.json(&made);
        }
        let mut facts = Facts::default();
        facts.add("network", &made.network);
        facts.add("node", made.id);
        facts.add("secret", format_args!("{}  (nobody else may have it)", made.key.display()));
        facts.add("config", made.config.display());
        facts.add("next time", format_args!("sealnet run --config {}", made.config.display()));
        out.facts(&facts)?;
        if self.no_run {
            return Ok(());
        }
        out.line("")?;
        Run::of(made.config).run(out)
    }

    /// Writes key, certificate and configuration. Everything is looked at before anything is written.
    fn make(&self) -> Result<Made, Failure> {
        let invitation = Invitation::load(&self.invitation)?;
        let wrong = |what: &str| {
            Failure::said(format!("{} is no sound invitation: {what}; ask for another one", shown(&self.invitation)))
        };
        let preset = Preset::from_name(&invitation.preset).ok_or_else(|| wrong("its preset is unknown"))?;
        let genesis: Result<Vec<NodeAddress>, _> = invitation.genesis.iter().map(|address| address.parse()).collect();
        let genesis = genesis.map_err(|_| wrong("an address in it is none"))?;
        let subject = self.subject(&invitation, &wrong)?;
        let member = self.member(&invitation, subject, &wrong)?;

        let name = self.name.clone().or(member.name.clone());
        let name = name.map_or_else(|| "peer".parse(), Ok)?;
        let keys = self.folder.join("keys");
        let config = self.folder.join("config").join(format!("{}.toml", name.as_str()));
        let file = |ending: &str| keys.join(format!("{}.{ending}", name.as_str()));
        let from_config = |ending: &str| Path::new("../keys").join(format!("{}.{ending}", name.as_str()));
        let access = match invitation.access {
            Mode::AllowList => DraftAccess::AllowList { members: from_config("members") },
            Mode::Certificate => DraftAccess::Certificate {
                authority: invitation.authority.ok_or_else(|| wrong("it names no authority"))?,
                certificate: from_config("cert"),
                revocations: None,
            },
            _ => DraftAccess::Open,
        };
        let is_closed = invitation.access != Mode::Open || invitation.network_key.is_some();
        let everywhere = || is_closed.then(|| SocketAddr::from(([0; 4], 7401)));
        let listen = self.listen.or_else(everywhere);
        let key = member.key.clone().unwrap_or_else(|| file("pem"));
        let draft = Draft {
            network: invitation.network.clone(),
            identity: match key.file_name() {
                Some(name) => Path::new("../keys").join(name),
                None => return Err(wrong("it names no key")),
            },
            network_key: invitation.network_key.as_ref().map(|_| from_config("network.key")),
            listen,
            preset,
            genesis: genesis.into_iter().map(DraftGenesis::Address).collect(),
            access,
            control: None,
        };
        Config::parse(&draft.to_string(), &self.folder.join("config"))?;
        let network_key = match &invitation.network_key {
            Some(digits) => Some(digits.bytes().ok_or_else(|| wrong("its network key is none"))?),
            None => None,
        };
        for path in [&config, &file("cert"), &file("members")] {
            OutFile::check(path, false)?;
        }

        let identity_id = match &member.made {
            Some(identity) => {
                identity.save(&key, Overwrite::Refuse)?;
                identity.id()
            }
            None => member.id,
        };
        if let Some(network_key) = network_key {
            NetworkKey::from_bytes(&network_key).save(&file("network.key"), Overwrite::Refuse)?;
        }
        if let Some(certificate) = &invitation.certificate {
            write_new(&file("cert"), certificate)?;
        }
        if let Some(members) = &invitation.members {
            write_new(&file("members"), members)?;
        }
        let folder = self.folder.join("config");
        fs::create_dir_all(&folder)
            .map_err(|error| Failure::said(format!("the folder {} could not be made: {error}", shown(&folder))))?;
        write_new(&config, &draft.to_string())?;
        Ok(Made { network: invitation.network.as_str().to_owned(), id: identity_id, config, key, listen })
    }

    /// Whom the invitation is for, if it is for one key.
    fn subject(&self, invitation: &Invitation, wrong: &dyn Fn(&str) -> Failure) -> Result<Option<NodeId>, Failure> {
        if let Some(members) = &invitation.members {
            members_in(members).map_err(|_| wrong("its list of members is none"))?;
        }
        let (Some(authority), Some(text)) = (invitation.authority, &invitation.certificate) else {
            return if invitation.access == Mode::Certificate { Err(wrong("it has no certificate")) } else { Ok(None) };
        };
        let key = PublicKey::decode(&authority).map_err(|_| wrong("its authority is none"))?;
        let authority = Authority::new(NetworkHash::secure(&invitation.network), key);
        let certificate = authority.certificate_in(text).map_err(|error| wrong(&error.to_string()))?;
        Ok(Some(certificate.membership().subject))
    }

    /// The key to be used: that in the invitation, the invited one in the folder, or a new one.
    fn member(
        &self,
        invitation: &Invitation,
        subject: Option<NodeId>,
        wrong: &dyn Fn(&str) -> Failure,
    ) -> Result<Member, Failure> {
        if let Some(digits) = &invitation.identity {
            let identity = Identity::from_seed(&*digits.bytes().ok_or_else(|| wrong("its key is none"))?);
            if subject.is_some_and(|subject| subject != identity.id()) {
                return Err(wrong("its certificate is for another key than the one in it"));
            }
            return Ok(Member::new(identity));
        }
        let Some(subject) = subject else { return Ok(Member::new(Identity::generate()?)) };
        let found = fs::read_dir(self.folder.join("keys")).into_iter().flatten().filter_map(|entry| {
            let id_path = entry.ok()?.path();
            let is_it = id_path.extension()? == "id" && read_id_file(&id_path).is_ok_and(|id| id == subject);
            let key = id_path.with_extension("pem");
            is_it.then_some(key).filter(|key| key.exists())
        });
        let key = found.min().ok_or_else(|| {
            Failure::said(format!(
                "the invitation is for {subject}, and that key is not in {}; name the folder it is in with --folder, or have \
                 yourself invited with the id of one that is there (`sealnet id`)",
                shown(&self.folder.join("keys"))
            ))
        })?;
        let name = key.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        Ok(Member { id: subject, made: None, key: Some(key), name })
    }
}

/// Who joins.
struct Member {
    id: NodeId,
    /// A key that is to be written.
    made: Option<Identity>,
    /// One that is there, and its name.
    key: Option<PathBuf>,
    name: Option<KeyName>,
}

impl Member {
    fn new(identity: Identity) -> Self {
        Member { id: identity.id(), made: Some(identity), key: None, name: None }
    }
}
