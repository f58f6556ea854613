//! Where the interface is served: a loopback address or a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::ControlAt;

/// What begins the address of a socket.
const UNIX: &str = "unix:";

/// A connection of either kind.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// A connection.
pub(super) type Connection = Pin<Box<dyn Duplex>>;

/// Where connections come in.
#[derive(Debug)]
pub(super) enum Place {
    Loopback(TcpListener),
    #[cfg(unix)]
    Socket(tokio::net::UnixListener, PathBuf),
}

/// Why the interface cannot be served there.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error("the control interface cannot listen at {address}: {}", explain(error))]
    Loopback { address: SocketAddr, error: io::Error },
    #[error(
        "the control interface cannot use the socket {path}: {error}; name another one with socket = \"…\" in the section \
         [control]", path = .path.display()
    )]
    Socket { path: PathBuf, error: io::Error },
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use; stop the other program, or let the system choose one: listen = \"127.0.0.1:0\" in the section \
             [control]"
                .to_owned()
        }
        _ => format!("{error}; write listen = \"127.0.0.1:0\" in the section [control]"),
    }
}

impl Place {
    /// Opens it. Must be called within the runtime.
    pub(super) fn open(at: &ControlAt) -> Result<Self, PlaceError> {
        match at {
            ControlAt::Loopback(address) => {
                let fail = |error| PlaceError::Loopback { address: *address, error };
                let listener = std::net::TcpListener::bind(address).map_err(fail)?;
                listener.set_nonblocking(true).map_err(fail)?;
                TcpListener::from_std(listener).map(Place::Loopback).map_err(fail)
            }
            ControlAt::Socket(path) => socket(path).map_err(|error| PlaceError::Socket { path: path.clone(), error }),
        }
    }

    /// How it is written in the control file.
    pub(super) fn address(&self) -> io::Result<String> {
        match self {
            Place::Loopback(listener) => Ok(format!("http://{}", listener.local_addr()?)),
            #[cfg(unix)]
            Place::Socket(_, path) => Ok(format!("{UNIX}{}", std::path::absolute(path)?.display())),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Connection> {
        match self {
            Place::Loopback(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::pin(stream))
            }
            #[cfg(unix)]
            Place::Socket(listener, _) => Ok(Box::pin(listener.accept().await?.0)),
        }
    }
}

#[cfg(unix)]
impl Drop for Place {
    fn drop(&mut self) {
        if let Place::Socket(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(unix)]
fn socket(path: &Path) -> io::Result<Place> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    // What a node that was killed left behind is in nobody's use; a socket where somebody answers, or another file, is.
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    let listener = tokio::net::UnixListener::bind(path)?;
    // Whoever got in before has no token.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Place::Socket(listener, path.to_owned()))
}

#[cfg(not(unix))]
fn socket(_: &Path) -> io::Result<Place> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Connects to the interface at `address`, as a control file says it; and what to call the host.
pub(super) async fn connect(address: &str) -> io::Result<(Connection, String)> {
    #[cfg(unix)]
    if let Some(path) = address.strip_prefix(UNIX) {
        return Ok((Box::pin(tokio::net::UnixStream::connect(path).await?), "localhost".to_owned()));
    }
    let at: Option<SocketAddr> = address.strip_prefix("http://").and_then(|at| at.parse().ok());
    let Some(at) = at.filter(|at| at.ip().is_loopback()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no loopback address"));
    };
    let stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    Ok((Box::pin(stream), at.to_string()))
}
