//! The configuration of a node: one short TOML file, the rooms' own settings composed and checked.
//!
//! Every setting is shown, with its default and how to choose it, in `config/full.toml`. What a file says is either
//! right or refused with file, line, column and a remedy: a setting that is misspelt, means nothing or contradicts another
//! one never passes in silence. Secrets do not stand in it, only the paths of their files; relative paths are taken from
//! the folder of the configuration.
//!
//! ```
//! use sealnet::config::Config;
//! let text = r#"
//!     network = "demo"
//!     identity = "../keys/peer.pem"
//!     genesis = ["sealnet://3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29@192.0.2.1:7400"]
//! "#;
//! let config = Config::parse(text, "config".as_ref())?;
//! assert_eq!(config.identity(), Some("keys/peer.pem".as_ref()));
//!
//! let error = Config::parse(&text.replace("network", "netwrok"), "config".as_ref()).unwrap_err();
//! assert!(error.to_string().contains(":2:5: unknown setting \"netwrok\"; did you mean \"network\"?"));
//! # Ok::<(), sealnet::config::ConfigError>(())
//! ```

mod control;
mod draft;
mod error;
mod genesis;
mod preset;
mod read;
#[cfg(any(feature = "cli", feature = "control"))]
mod shown;
mod table;
mod units;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::identity::{NetworkHash, NetworkName, NodeAddress, NodeId};
use crate::{access, log, overlay};

pub use control::{Control, ControlAt};
pub use draft::{Draft, DraftControl, DraftGenesis};
pub use error::{ConfigError, ConfigProblem};
pub use preset::Preset;

#[cfg(any(feature = "cli", feature = "control"))]
pub(crate) use shown::Shown;
#[cfg(feature = "cli")]
pub(crate) use units::{ShownDuration, ShownSize};

/// A checked configuration. It holds no secret, only where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    path: Option<PathBuf>,
    network: NetworkName,
    security: Security,
    listen: Option<SocketAddr>,
    advertise: Vec<SocketAddr>,
    preset: Preset,
    genesis: Vec<NodeAddress>,
    overlay: overlay::Settings,
    log: log::Settings,
    folder: Option<PathBuf>,
    log_in_memory: bool,
    access: access::Settings,
    control: Option<Control>,
}

/// Whether a node proves who it is, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// The base node: no keys, nothing encrypted, nothing signed (`plain = true`).
    Plain,
    /// The secure node.
    Secure {
        /// The file of its identity.
        identity: PathBuf,
        /// The file of the key that all members of the network share, if the network has one.
        network_key: Option<PathBuf>,
    },
}

impl Config {
    /// The longest file that is read, in bytes.
    pub const MAX_LEN: usize = 64 << 10;

    /// Reads and checks the file `path`, and the id files of the genesis nodes that it names. No secret is read.
    ///
    /// # Errors
    /// A [`ConfigError`]: what is wrong first, where, and what to do about it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let error = |problem| ConfigError::new(Some(path), None, problem);
        let text = read_file(path).map_err(error)?;
        let text = std::str::from_utf8(&text).map_err(|_| error(ConfigProblem::NotText))?;
        let base = path.parent().unwrap_or(Path::new(""));
        let config = Self::read(text, base, Some(path))?;
        Ok(Config { path: Some(path.to_owned()), ..config })
    }

    /// Checks a configuration that lies nowhere: relative paths in it are taken from the folder `base`.
    ///
    /// # Errors
    /// As [`Config::load`]; the error names no file.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ConfigError> {
        if text.len() > Self::MAX_LEN {
            return Err(ConfigError::new(None, None, ConfigProblem::TooLong));
        }
        Self::read(text, base, None)
    }

    fn read(text: &str, base: &Path, path: Option<&Path>) -> Result<Self, ConfigError> {
        read::config(text, base).map_err(|fault| {
            let position = position(text, fault.at);
            ConfigError::new(path, Some(position), fault.problem)
        })
    }

    /// The file it was loaded from.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The network's name.
    pub fn network(&self) -> &NetworkName {
        &self.network
    }

    /// The network's hash, which depends on whether it is plain.
    pub fn network_hash(&self) -> NetworkHash {
        match self.security {
            Security::Plain => NetworkHash::plain(&self.network),
            Security::Secure { .. } => NetworkHash::secure(&self.network),
        }
    }

    /// Whether the node proves who it is, and with what.
    pub fn security(&self) -> &Security {
        &self.security
    }

    /// Whether this is a base node: nothing is encrypted or signed.
    pub fn is_plain(&self) -> bool {
        self.security == Security::Plain
    }

    /// The same without security: the plain network of the same name, where nothing is encrypted, signed or proven. Key
    /// files are no longer named, and genesis entries no longer say which key must answer. Nodes of the two networks never
    /// link.
    #[must_use]
    pub fn to_plain(&self) -> Self {
        let genesis = self.genesis.iter().map(NodeAddress::without_id).collect();
        Config { security: Security::Plain, genesis, ..self.clone() }
    }

    /// The file of the node's identity; `None` on a plain network.
    pub fn identity(&self) -> Option<&Path> {
        match &self.security {
            Security::Plain => None,
            Security::Secure { identity, .. } => Some(identity),
        }
    }

    /// The file of the network key, if the network has one.
    pub fn network_key(&self) -> Option<&Path> {
        match &self.security {
            Security::Plain => None,
            Security::Secure { network_key, .. } => network_key.as_deref(),
        }
    }

    /// Where to accept connections; `None` for a node that only dials. With port 0 the system chooses one.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// Where others are told to dial this node; empty if that is where it listens.
    pub fn advertise(&self) -> &[SocketAddr] {
        &self.advertise
    }

    /// The preset.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// Where to begin, as the file lists it. On a secure network every entry names its key.
    pub fn genesis(&self) -> &[NodeAddress] {
        &self.genesis
    }

    /// Where the node `own` is to begin: every entry but those that name itself, so that all nodes of a network, the
    /// genesis nodes included, can have the same list.
    pub fn genesis_besides(&self, own: &NodeId) -> Vec<NodeAddress> {
        self.genesis.iter().filter(|node| node.id() != Some(*own)).cloned().collect()
    }

    /// How the node keeps itself connected: the preset and what the file says otherwise.
    pub fn overlay(&self) -> &overlay::Settings {
        &self.overlay
    }

    /// How much is kept.
    pub fn log(&self) -> &log::Settings {
        &self.log
    }

    /// The folder of what the node keeps over restarts; `None` for a node that keeps nothing.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Whether the log is on disk, in the [folder](Config::folder).
    pub fn is_log_on_disk(&self) -> bool {
        self.folder.is_some() && !self.log_in_memory
    }

    /// Who may take part.
    pub fn access(&self) -> &access::Settings {
        &self.access
    }

    /// Where the node can be seen and steered from this machine; `None` if nowhere.
    pub fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }

    /// The file (mode 0600) where the running node writes how to reach its control interface: beside the configuration,
    /// `peer.control` for `peer.toml`, unless the file says otherwise. `None` if it has none, or the configuration lies
    /// nowhere and names no file.
    pub fn control_file(&self) -> Option<PathBuf> {
        let control = self.control.as_ref()?;
        control.file.clone().or_else(|| Some(self.path.as_ref()?.with_extension("control")))
    }
}

/// The file's bytes, at most as many as a configuration may have.
fn read_file(path: &Path) -> Result<Vec<u8>, ConfigProblem> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => ConfigProblem::Missing,
        _ => ConfigProblem::Io(error),
    })?;
    let mut bytes = Vec::new();
    file.take(Config::MAX_LEN as u64 + 1).read_to_end(&mut bytes).map_err(ConfigProblem::Io)?;
    if bytes.len() > Config::MAX_LEN { Err(ConfigProblem::TooLong) } else { Ok(bytes) }
}

/// Line and column of the byte `at`, both from 1; the column counts characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests;
