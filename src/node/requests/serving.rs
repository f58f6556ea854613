//! Who answers requests of which title.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::envelope::Title;
use crate::wire::RequestKind;

use super::holding::Meter;
use super::{Asked, MAX_DIRECT, MAX_REQUEST, ServeError};

/// Requests of one title that wait to be looked at; more are refused as busy.
const WAITING: usize = 256;

/// Who answers requests of which title: all links share it.
#[derive(Debug)]
pub(in crate::node) struct Services {
    servers: RwLock<BTreeMap<Box<str>, Place>>,
    meter: Arc<Meter>,
    /// Something is to be looked after.
    woken: Notify,
}

/// What is known of a title.
#[derive(Debug)]
enum Place {
    Served(Server),
    /// The application that served it broke down: nobody else takes what was meant for it.
    Failed,
}

/// Where the requests of a title go.
#[derive(Clone, Debug)]
pub(super) struct Server {
    queue: mpsc::Sender<Asked>,
    limit: usize,
}

/// Who takes a request.
pub(super) enum Taker {
    /// Whoever serves its title.
    Server(Server),
    /// Whoever listens to the node's events: messages only.
    Listener,
    /// An application that has broken down.
    Failed,
}

impl Server {
    /// Hands a request over; gives it back if there is no room.
    #[expect(clippy::result_large_err, reason = "the request itself comes back")]
    pub(super) fn give(&self, asked: Asked) -> Result<(), Asked> {
        self.queue.try_send(asked).map_err(mpsc::error::TrySendError::into_inner)
    }
}

impl Default for Services {
    fn default() -> Self {
        Services { servers: RwLock::default(), meter: Meter::of_node(), woken: Notify::new() }
    }
}

impl Services {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Box<str>, Place>> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Box<str>, Place>> {
        self.servers.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Has links and requests looked after.
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Serves `title`, and everything under it that nobody serves more closely.
    pub(in crate::node) fn serve(
        self: &Arc<Self>,
        title: Title,
        stopped: CancellationToken,
    ) -> Result<Requests, ServeError> {
        let mut servers = self.write();
        if servers.contains_key(title.as_str()) {
            return Err(ServeError::Taken(title.to_string()));
        }
        let (queue, requests) = mpsc::channel(WAITING);
        servers.insert(title.as_str().into(), Place::Served(Server { queue, limit: MAX_REQUEST }));
        drop(servers);
        Ok(Requests { title, requests, services: self.clone(), stopped })
    }

    /// The application that served this title broke down.
    pub(in crate::node) fn failed(&self, title: &Title) {
        self.write().insert(title.as_str().into(), Place::Failed);
    }

    /// What is known of exactly this title, or the longest part of it before a slash that is served.
    fn place<T>(&self, title: &Title, give: impl FnOnce(&Place) -> T) -> Option<T> {
        let servers = self.read();
        let mut served = title.as_str();
        loop {
            if let Some(place) = servers.get(served) {
                return Some(give(place));
            }
            served = served.rsplit_once('/')?.0;
        }
    }

    /// The largest request of that title that is taken; `None` if none is.
    pub(super) fn limit(&self, title: &Title, kind: RequestKind) -> Option<usize> {
        let unserved = (kind == RequestKind::Message).then_some(MAX_DIRECT);
        let limit = |place: &Place| match place {
            Place::Served(server) => server.limit,
            Place::Failed => MAX_DIRECT,
        };
        self.place(title, limit).or(unserved)
    }

    pub(super) fn taker(&self, title: &Title, kind: RequestKind) -> Option<Taker> {
        let listener = (kind == RequestKind::Message).then_some(Taker::Listener);
        let taker = |place: &Place| match place {
            Place::Served(server) => Taker::Server(server.clone()),
            Place::Failed => Taker::Failed,
        };
        self.place(title, taker).or(listener)
    }
}

/// The requests of one title, in the order they came in. Dropped, the title is served no more.
///
/// 256 of them may wait here; more are refused as busy.
#[derive(Debug)]
pub struct Requests {
    title: Title,
    requests: mpsc::Receiver<Asked>,
    services: Arc<Services>,
    stopped: CancellationToken,
}

impl Requests {
    /// The title that is served, with everything under it.
    pub fn title(&self) -> &Title {
        &self.title
    }

    /// The largest request that is taken, in bytes; 16 MiB if nothing is said. Larger ones are refused before they have
    /// come in. It holds for requests that begin from now on.
    #[must_use]
    pub fn limit(self, bytes: usize) -> Self {
        if let Some(Place::Served(server)) = self.services.write().get_mut(self.title.as_str()) {
            server.limit = bytes;
        }
        self
    }

    /// The next request; `None` when the node has stopped.
    pub async fn next(&mut self) -> Option<Asked> {
        tokio::select! {
            biased;
            () = self.stopped.cancelled() => None,
            asked = self.requests.recv() => asked,
        }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        let mut servers = self.services.write();
        // Not the note that it broke down, if that came first.
        if matches!(servers.get(self.title.as_str()), Some(Place::Served(_))) {
            servers.remove(self.title.as_str());
        }
    }
}
