//! Starting a node from its configuration file.

use std::path::Path;

use crate::config::{Config, ConfigError};
use crate::identity::{Identity, KeyFileError, NetworkKey, RandomnessError};

use super::builder::{Builder, Plain, Secure};
use super::handle::{Node, SecureNode};
#[cfg(feature = "sealed")]
use super::seal_keys::SealPlace;

/// Why a configuration does not make a node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key file it names.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// It describes a plain node, and a secure one was asked for.
    #[error(
        "the configuration says `plain = true`, and a secure node is wanted; take the line out, or start a plain node"
    )]
    IsPlain,
    /// It describes a secure node, and a plain one was asked for.
    #[error(
        "the configuration is a secure node's, and a plain node is wanted; write `plain = true` instead of its keys"
    )]
    IsSecure,
    /// It wants a log on disk, which this build has not.
    #[cfg(not(feature = "disk"))]
    #[error(
        "the configuration has a folder for the log, and this program was built without the feature `disk`; build it \
             with that, or write `in_memory = true` in the section [log]"
    )]
    NoDiskLog,
}

impl SecureNode {
    /// A secure node as the file at `path` describes it; its key files are read now.
    ///
    /// # Errors
    /// If the file or a key file is missing, wrong or readable by others.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Builder<Secure>, LoadError> {
        Self::from_config(&Config::load(path.as_ref())?)
    }

    /// A secure node as `config` describes it; its key files are read now.
    ///
    /// # Errors
    /// If the configuration is a plain node's, or a key file is missing, wrong or readable by others.
    pub fn from_config(config: &Config) -> Result<Builder<Secure>, LoadError> {
        let identity = Identity::load(config.identity().ok_or(LoadError::IsPlain)?)?;
        Self::from_config_as(config, identity)
    }

    /// A secure node as `config` describes it, with an identity that was loaded already: from a file with a passphrase,
    /// for instance ([`Identity::load_with`]). The file that `config` names is not read.
    ///
    /// # Errors
    /// If the configuration is a plain node's, or the file of the network key is missing, wrong or readable by others.
    pub fn from_config_as(config: &Config, identity: Identity) -> Result<Builder<Secure>, LoadError> {
        if config.is_plain() {
            return Err(LoadError::IsPlain);
        }
        let mut builder = SecureNode::builder(config.network().clone(), identity);
        if let Some(path) = config.network_key() {
            builder = builder.network_key(NetworkKey::load(path)?);
        }
        #[cfg(feature = "sealed")]
        if let Some(identity) = config.identity() {
            builder = builder.seal_place(SealPlace::configured(config.folder(), identity));
        }
        configured(builder, config)
    }
}

impl Node {
    /// A plain node as the file at `path` describes it.
    ///
    /// # Errors
    /// If the file is missing or wrong.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Builder<Plain>, LoadError> {
        Self::from_config(&Config::load(path.as_ref())?)
    }

    /// A plain node as `config` describes it.
    ///
    /// # Errors
    /// If the configuration is a secure node's.
    pub fn from_config(config: &Config) -> Result<Builder<Plain>, LoadError> {
        if !config.is_plain() {
            return Err(LoadError::IsSecure);
        }
        configured(Node::builder(config.network().clone())?, config)
    }
}

fn configured<Kind>(mut builder: Builder<Kind>, config: &Config) -> Result<Builder<Kind>, LoadError> {
    builder = builder.overlay(config.overlay().clone()).log(config.log().clone());
    builder = builder.control_served(config.control().is_none());
    if let Some(address) = config.listen() {
        builder = builder.listen(address);
    }
    for address in config.advertise() {
        builder = builder.advertise(*address);
    }
    for address in config.genesis() {
        builder = builder.genesis(address.clone());
    }
    if let Some(folder) = config.folder() {
        builder = match config.is_log_on_disk() {
            #[cfg(feature = "disk")]
            true => builder.log_folder(folder),
            #[cfg(not(feature = "disk"))]
            true => return Err(LoadError::NoDiskLog),
            false => builder.state_folder(folder),
        };
    }
    Ok(builder)
}
