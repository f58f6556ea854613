//! Serving: connections, and their limits.

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::access::Access;
use super::events::pump;
use super::guard::Trusted;
use super::place::{Connection, Place, PlaceError};
use super::routes::{App, router};
use super::{Board, watch};
use crate::config::Config;
use crate::identity::{KeyFileError, RandomnessError};
use crate::node::Node;

/// Connections at once. For somebody who comes when all are taken, the oldest over which no token came yet is closed.
const CONNECTIONS: usize = 64;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// The head of a request comes within this time, and the next one on the same connection.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// A connection over which no request with the token came is closed after this time, whatever it is doing.
const STRANGER_FOR: Duration = Duration::from_secs(30);

/// What is being answered when the node stops is answered within this time.
const ENDING: Duration = Duration::from_millis(250);

/// Said to whoever comes when there is no room.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"error\":\"64 connections are open; close one first\",\"kind\":\"too-many-connections\"}";

/// Why the interface is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("the control interface does not know its own address: {0}")]
    Address(#[from] std::io::Error),
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    #[error("the control interface has no place for its token: name one with file = \"…\" in the section [control]")]
    NoFile,
    #[error(
        "the control interface cannot keep its token safe: {0} (or name another place with file = \"…\" in [control])"
    )]
    File(#[from] KeyFileError),
}

/// Serves the interface that `config` asks for, as long as the node runs; nothing if it asks for none.
pub(super) fn start(node: &Node, config: Config, board: Board) -> Result<(), ServeError> {
    let Some(settings) = config.control().cloned() else { return Ok(()) };
    let file = config.control_file().ok_or(ServeError::NoFile)?;
    let place = Place::open(&settings.at)?;
    let access = Access::new(place.address()?, node.id())?;
    access.write(&file)?;
    tracing::info!(address = access.address, file = %file.display(), "the control interface is served");
    let app = App::new(node.downgrade(), config, board.clone(), access.token());
    let served = Served { place, file, access };
    let events = pump(node.downgrade(), node.events(), board.clone());
    node.run_beside(async move {
        let mut others = JoinSet::new();
        for config in settings.watch {
            others.spawn(watch::follow(config, board.clone()));
        }
        let closing = CancellationToken::new();
        let serving = served.serve(router(app), closing.clone());
        let until_the_end = async {
            events.await;
            board.end();
            closing.cancel();
        };
        tokio::join!(serving, until_the_end);
    });
    Ok(())
}

/// The interface while it is served. The control file goes with it.
struct Served {
    place: Place,
    file: PathBuf,
    access: Access,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.access.remove(&self.file);
    }
}

impl Served {
    async fn serve(self, router: Router, closing: CancellationToken) {
        let mut connections = Connections::default();
        loop {
            let connection = tokio::select! {
                () = closing.cancelled() => break,
                Some(ended) = connections.tasks.join_next_with_id() => {
                    connections.forget(&ended);
                    continue;
                }
                accepted = self.place.accept() => accepted,
            };
            match connection {
                Ok(connection) if connections.has_room() => {
                    let trusted = Trusted::default();
                    let attending = attend(connection, router.clone(), trusted.clone(), closing.clone());
                    connections.take(attending, trusted);
                }
                Ok(mut connection) => {
                    // As much as fits at once: nobody waits for somebody there is no room for.
                    let _ = tokio::time::timeout(Duration::ZERO, connection.write_all(FULL)).await;
                }
                Err(error) => {
                    // Too few file descriptors, for instance: it passes.
                    tracing::warn!(%error, "the control interface could not take a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        let ending = async { while connections.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(ENDING, ending).await.is_err() {
            tracing::debug!("some readers of the control interface were cut off");
        }
    }
}

/// The connections that are open.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    /// In the order in which they came.
    open: Vec<(AbortHandle, Trusted)>,
}

impl Connections {
    /// Whether one more may be taken; makes room if need be. Nobody who has the token is sent away for somebody who may
    /// not have it, and strangers cannot take all the room: only the oldest of them goes, so that whoever has the token has
    /// the time of 64 connections to say so.
    fn has_room(&mut self) -> bool {
        if self.open.len() < CONNECTIONS {
            return true;
        }
        let Some(stranger) = self.open.iter().position(|(_, trusted)| !trusted.is()) else { return false };
        self.open.remove(stranger).0.abort();
        true
    }

    fn take(&mut self, attending: impl Future<Output = ()> + Send + 'static, trusted: Trusted) {
        self.open.push((self.tasks.spawn(attending), trusted));
    }

    fn forget(&mut self, ended: &Result<(tokio::task::Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.open.retain(|(task, _)| task.id() != id);
    }
}

/// Answers the requests on one connection, and notes whether one of them had the token.
async fn attend(connection: Connection, router: Router, trusted: Trusted, closing: CancellationToken) {
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(trusted.clone());
        router.clone().call(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(MAX_HEAD);
    let mut answering = std::pin::pin!(http.serve_connection(TokioIo::new(connection), service));
    let mut stranger_until = std::pin::pin!(tokio::time::sleep(STRANGER_FOR));
    let (mut is_watched, mut is_closing) = (true, false);
    loop {
        tokio::select! {
            outcome = answering.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a connection to the control interface ended");
                }
                return;
            }
            () = &mut stranger_until, if is_watched => {
                if !trusted.is() {
                    tracing::debug!("a connection to the control interface showed no token");
                    return;
                }
                is_watched = false;
            }
            () = closing.cancelled(), if !is_closing => {
                answering.as_mut().graceful_shutdown();
                is_closing = true;
            }
        }
    }
}
