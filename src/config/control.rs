//! The section `[control]`: where a node can be seen and steered from this machine, if anywhere.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::table::{Fault, Table};

/// The most nodes whose interfaces one node follows: what `sealnet devnet` starts at most.
const MAX_WATCHED: usize = 500;

/// A node's local control interface. Off unless the file has the section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Where it is served.
    pub at: ControlAt,
    /// The configurations of other nodes on this machine whose events it tells too, so that the way of a message is known of
    /// all of them. For `sealnet devnet`; leave it empty otherwise.
    pub watch: Vec<PathBuf>,
    /// Where address and token are written; `None`: beside the configuration.
    pub(super) file: Option<PathBuf>,
}

/// Where a control interface is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlAt {
    /// At a loopback address, for programs and browsers. With port 0 the system chooses one.
    Loopback(SocketAddr),
    /// At a Unix socket (mode 0600), for programs alone.
    Socket(PathBuf),
}

impl fmt::Display for ControlAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlAt::Loopback(address) => address.fmt(f),
            ControlAt::Socket(path) => path.display().fmt(f),
        }
    }
}

/// The section, if it is there.
pub(super) fn read(section: &Table<'_>, base: &Path) -> Result<Option<Control>, Fault> {
    if !section.is_there() {
        return Ok(None);
    }
    let at = match (section.get("listen"), section.get("socket")) {
        (Some(listen), None) => {
            let address = super::read::address(&listen)?;
            if !address.ip().is_loopback() {
                return Err(listen.invalid(
                    "is no loopback address; the control interface steers the node and never leaves its machine, so write \
                     \"127.0.0.1:7500\" or \"[::1]:7500\" (port 0 is any free one), and reach it from elsewhere through ssh",
                ));
            }
            ControlAt::Loopback(address)
        }
        (None, Some(socket)) => ControlAt::Socket(socket.path(base)?),
        (Some(listen), Some(_)) => {
            return Err(listen.contradiction(
                "\"listen\" and \"socket\" are two places for the one control interface; take out one of the two",
            ));
        }
        (None, None) => {
            return Err(section.incomplete(
                "listen",
                "write where the control interface is, like listen = \"127.0.0.1:0\" or socket = \"peer.socket\", or take \
                 the section out",
            ));
        }
    };
    let mut watch = Vec::new();
    if let Some(setting) = section.get("watch") {
        for entry in setting.list("[\"other.toml\"]")? {
            watch.push(entry.path(base)?);
        }
        if watch.len() > MAX_WATCHED {
            return Err(setting.invalid(format!("names {} nodes; name at most {MAX_WATCHED}", watch.len())));
        }
    }
    let file = section.get("file").map(|file| file.path(base)).transpose()?;
    Ok(Some(Control { at, watch, file }))
}
