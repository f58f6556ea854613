//! This machine: the port, the disk.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use super::finding::Finding;
use super::running::Running;
use crate::config::Config;

/// With less room than this a log is as good as full.
const LITTLE: u64 = 16 << 20;

pub(super) fn examine(config: &Config, running: Option<&Running>) -> Vec<Finding> {
    let port = config.listen().filter(|_| running.is_none()).and_then(port);
    port.into_iter().chain(disk(config, running)).collect()
}

/// Whether the node could listen there, if it does not do so already.
fn port(listen: SocketAddr) -> Option<Finding> {
    let error = TcpListener::bind(listen).err()?;
    Some(match error.kind() {
        ErrorKind::AddrInUse => Finding::bad(
            "port",
            format!("{listen} is in use by another program, or by this node already (it could not be asked)"),
            "stop that program, or choose another port in \"listen\"; `ss -ltnp` shows who has it",
        ),
        ErrorKind::PermissionDenied => Finding::bad(
            "port",
            format!("this user may not listen at {listen}"),
            "take a port from 1024 on, or give the program the right",
        ),
        ErrorKind::AddrNotAvailable => Finding::bad(
            "port",
            format!("{} is no address of this machine", listen.ip()),
            "0.0.0.0 or [::] are all its addresses",
        ),
        _ => Finding::bad(
            "port",
            format!("nothing can listen at {listen}: {error}"),
            "choose another address in \"listen\"",
        ),
    })
}

fn disk(config: &Config, running: Option<&Running>) -> Option<Finding> {
    if let Some(trouble) = running.and_then(|running| running.status.log.trouble.as_ref()) {
        return Some(full(format!("the log on disk takes nothing: {trouble}")));
    }
    let folder = config.folder()?;
    let there = folder.ancestors().find(|folder| folder.exists())?;
    room(there)
        .filter(|room| *room < LITTLE)
        .map(|room| full(format!("on the disk of {} are {room} bytes left", folder.display())))
}

fn full(what: String) -> Finding {
    Finding::bad("disk", what, "make room, or lower [log] max_size; the node goes on by itself when there is room")
}

/// Bytes that this user may still write there.
fn room(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::running::tests::running;

    fn config() -> Config {
        let text = "network = \"t\"\nplain = true\nlisten = \"127.0.0.1:0\"\n[log]\nfolder = \"data\"\n";
        Config::parse(text, &std::env::temp_dir()).unwrap()
    }

    #[test]
    fn a_full_disk_is_named_by_what_the_running_node_says_of_it() {
        let mut node = running();
        assert_eq!(examine(&config(), Some(&node)), []);
        node.status.log.trouble = Some("No space left on device".into());
        let found = examine(&config(), Some(&node));
        assert!(found[0].what.contains("No space left") && found[0].remedy.contains("make room"), "{found:?}");
    }

    #[test]
    fn a_port_that_somebody_has_is_named() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = port(other.local_addr().unwrap()).unwrap();
        assert!(found.what.contains("is in use") && found.subject == "port", "{found:?}");
        assert_eq!(port("127.0.0.1:0".parse().unwrap()), None);
    }
}
