//! A new configuration to be written to a file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::Preset;
use crate::identity::{NetworkName, NodeAddress};

/// What stands in a new configuration of a secure node; everything else keeps its default. Its `Display` is the text of
/// the file.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The network's name.
    pub network: NetworkName,
    /// The file of the node's identity, as seen from the folder of the configuration.
    pub identity: PathBuf,
    /// The file of the network key, as seen from there.
    pub network_key: Option<PathBuf>,
    /// Where to accept connections.
    pub listen: Option<SocketAddr>,
    /// What kind of network it is.
    pub preset: Preset,
    /// Where to begin.
    pub genesis: Vec<DraftGenesis>,
    /// The control interface, if there is to be one.
    pub control: Option<DraftControl>,
}

/// The section `[control]` of a new configuration.
#[derive(Clone, Debug)]
pub struct DraftControl {
    /// Where it is served.
    pub listen: SocketAddr,
    /// The configurations of the nodes whose events it tells too, as seen from the folder of the configuration.
    pub watch: Vec<PathBuf>,
}

/// An entry of `genesis` in a new configuration.
#[derive(Clone, Debug)]
pub enum DraftGenesis {
    /// A whole address.
    Address(NodeAddress),
    /// An address whose key stands in a file.
    IdFile {
        /// `host:port`.
        address: String,
        /// The file, as seen from the folder of the configuration.
        id_file: PathBuf,
    },
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# A node of the network \"{}\". Paths are taken from this file's folder.", self.network)?;
        writeln!(f, "network = {}", quoted(self.network.as_str()))?;
        writeln!(f, "identity = {}", quoted_path(&self.identity))?;
        if let Some(network_key) = &self.network_key {
            writeln!(f, "network_key = {}", quoted_path(network_key))?;
        }
        if let Some(listen) = self.listen {
            writeln!(f, "listen = {}", quoted(&listen.to_string()))?;
        }
        writeln!(f, "preset = {}", quoted(self.preset.as_str()))?;
        if !self.genesis.is_empty() {
            writeln!(f, "genesis = [")?;
            for node in &self.genesis {
                match node {
                    DraftGenesis::Address(address) => writeln!(f, "    {},", quoted(&address.to_string()))?,
                    DraftGenesis::IdFile { address, id_file } => {
                        let (address, id_file) = (quoted(address), quoted_path(id_file));
                        writeln!(f, "    {{ address = {address}, id_file = {id_file} }},")?;
                    }
                }
            }
            writeln!(f, "]")?;
        }
        let Some(control) = &self.control else { return Ok(()) };
        writeln!(f, "\n[control]\nlisten = {}", quoted(&control.listen.to_string()))?;
        if !control.watch.is_empty() {
            let watch: Vec<_> = control.watch.iter().map(|path| quoted_path(path)).collect();
            writeln!(f, "watch = [{}]", watch.join(", "))?;
        }
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A path that is no UTF-8 cannot be said in TOML; it is written as near to it as possible.
fn quoted_path(path: &std::path::Path) -> String {
    quoted(&path.to_string_lossy())
}
