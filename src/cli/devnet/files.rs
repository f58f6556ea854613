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

/// Makes keys (kept from an earlier run) and configurations (new, with ports that are free now) for `nodes` nodes under
/// `folder`. The first is the genesis node. Returns the configuration files in order.
pub(super) fn make(folder: &Path, nodes: usize, interfaces: Interfaces) -> Result<Vec<PathBuf>, FilesError> {
    let (keys, configs) = (folder.join("keys"), folder.join("config"));
    fs::create_dir_all(&configs).map_err(|error| FilesError::Io { path: configs.clone(), error })?;
    let ports = free_ports(nodes).map_err(FilesError::Port)?;
    let network: NetworkName = "devnet".parse()?;
    let mut files = Vec::with_capacity(nodes);
    for (place, listen) in ports.iter().enumerate() {
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
        let text = config(&name, &network, *listen, (place > 0).then_some(ports[0]), watch);
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
    listen: SocketAddr,
    genesis: Option<SocketAddr>,
    watch: Option<Vec<PathBuf>>,
) -> String {
    let id_file = PathBuf::from("../keys/genesis.id");
    let genesis = genesis.map(|address| DraftGenesis::IdFile { address: address.to_string(), id_file });
    let draft = Draft {
        network: network.clone(),
        identity: format!("../keys/{name}.pem").into(),
        network_key: None,
        listen: Some(listen),
        preset: Preset::Local,
        genesis: genesis.into_iter().collect(),
        control: watch.map(|watch| DraftControl { listen: SocketAddr::from(([127, 0, 0, 1], 0)), watch }),
    };
    format!("# Made by `sealnet devnet`, and made anew with free ports at each start.\n{draft}")
}

/// Ports nobody listens on now, all different.
fn free_ports(count: usize) -> io::Result<Vec<SocketAddr>> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<io::Result<_>>()?;
    held.iter().map(TcpListener::local_addr).collect()
}
