//! The keys and configurations of a devnet, as files: what a person would have made by hand.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::config::{Draft, DraftControl, DraftGenesis, Preset};
use crate::identity::{Identity, KeyFileError, NetworkName, NetworkNameError, Overwrite, RandomnessError};

/// Why the files were not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    /// A file or folder.
    #[error("cannot write {path}: {error}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The network's name.
    #[error(transparent)]
    Network(#[from] NetworkNameError),
    /// No port.
    #[error("no free port on 127.0.0.1: {0}")]
    Port(io::Error),
}

/// Which nodes have a control interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interfaces {
    /// The genesis node: it is told of the others by the program they all run in.
    First,
    /// Every node, and the genesis node follows those of the others.
    All,
}

/// Makes keys (kept from an earlier run) and configurations (new) for `nodes` nodes under `folder`. The first is the genesis
/// node: it has a port that is free now, and which the others know; they take any when they start. Returns the configuration
/// files in order.
pub(super) fn make(folder: &Path, nodes: usize, interfaces: Interfaces) -> Result<Vec<PathBuf>, FilesError> {
    let (keys, configs) = (folder.join("keys"), folder.join("config"));
    fs::create_dir_all(&configs).map_err(|error| FilesError::Io { path: configs.clone(), error })?;
    let genesis = free_port().map_err(FilesError::Port)?;
    let network: NetworkName = "devnet".parse()?;
    let mut files = Vec::with_capacity(nodes);
    for place in 0..nodes {
        let name = name(place);
        let key = keys.join(format!("{name}.pem"));
        if key.try_exists().unwrap_or(false) {
            // Refuses a key that has become unusable instead of replacing it.
            Identity::load(&key)?;
        } else {
            Identity::generate()?.save(&key, Overwrite::Refuse)?;
        }
        let file = configs.join(format!("{name}.toml"));
        let others = || (1..nodes).map(|place| format!("{}.toml", self::name(place)).into()).collect();
        let watch = match (place, interfaces) {
            (0, Interfaces::First) => Some(Vec::new()),
            (0, Interfaces::All) => Some(others()),
            (_, Interfaces::First) => None,
            (_, Interfaces::All) => Some(Vec::new()),
        };
        let text = config(&name, &network, genesis, place == 0, watch);
        fs::write(&file, text).map_err(|error| FilesError::Io { path: file.clone(), error })?;
        files.push(file);
    }
    Ok(files)
}

/// What the node at this place is called.
pub(super) fn name(place: usize) -> String {
    if place == 0 { "genesis".to_owned() } else { format!("node-{}", place + 1) }
}

fn config(
    name: &str,
    network: &NetworkName,
    genesis: SocketAddr,
    is_genesis: bool,
    watch: Option<Vec<PathBuf>>,
) -> String {
    let id_file = PathBuf::from("../keys/genesis.id");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let begin = (!is_genesis).then(|| DraftGenesis::IdFile { address: genesis.to_string(), id_file });
    let draft = Draft {
        network: network.clone(),
        identity: format!("../keys/{name}.pem").into(),
        network_key: None,
        listen: Some(if is_genesis { genesis } else { any }),
        preset: Preset::Local,
        genesis: begin.into_iter().collect(),
        control: watch.map(|watch| DraftControl { listen: any, watch }),
    };
    format!("# Made by `sealnet devnet`, and made anew at each start.\n{draft}")
}

/// A port nobody listens on now.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}
