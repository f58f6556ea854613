//! The log on disk: what was delivered is there after a crash at any moment.
//!
//! One thread writes. Whatever was appended while it was busy goes into its next transaction, so the disk's pace decides
//! how large the groups are, and nobody who relays waits for it. Until then an envelope waits in memory, where
//! [`get`](Log::get) finds it; readers get it after the commit. A small table says what was taken, apart from the
//! contents, so that a node that starts knows quickly what it has seen.

mod error;
mod load;
mod row;
mod shelf;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified, Version};
use crate::identity::{NetworkHash, NodeId};

use super::{Cursor, CursorError, Durable, Entry, Log, LogError, LogInstance, Page, Position, Settings, Usage};
use shelf::{Content, Shelf, Waiting};
use store::{Meta, Store};

pub use error::OpenLogError;
pub use row::Remembered;

/// So many bytes may wait for the disk. More means that the disk is slower than the network, or takes nothing.
const MAX_WAITING: usize = 32 << 20;

/// A [`Log`] on disk.
pub struct DiskLog {
    inner: Arc<Inner>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the log and its writing thread share.
#[derive(Debug)]
struct Inner {
    instance: LogInstance,
    created: Timestamp,
    version: Version,
    network: NetworkHash,
    settings: Settings,
    store: Store,
    shelf: Mutex<Shelf>,
    /// Wakes the writing thread.
    work: Condvar,
    end: watch::Sender<Position>,
    trouble: watch::Sender<Option<LogError>>,
}

/// Whose log is opened, and what a new one begins with.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// The version of its network's envelopes.
    pub version: Version,
    /// Its network.
    pub network: NetworkHash,
    /// The node.
    pub own: NodeId,
    /// How much it keeps.
    pub settings: &'a Settings,
    /// The time: what has outlived its lifetime is not held any more.
    pub now: Timestamp,
    /// When a new log is to be said to begin: later than everything this node made before.
    pub begin: Timestamp,
    /// The name of a new log.
    pub instance: LogInstance,
}

impl DiskLog {
    /// The name of the file in the folder of a node.
    pub const FILE: &'static str = "log.redb";

    /// Opens the log in `folder`, or begins a new one there. `remember` is told every envelope that the log has taken and
    /// that could still come back, in the order of arrival. May take a moment: call it where waiting is allowed.
    ///
    /// # Errors
    /// If the file is in use, damaged, no log, or another network's; it is not touched then.
    pub fn open(
        folder: &Path,
        opening: &Opening<'_>,
        remember: impl FnMut(&Remembered) + Send,
    ) -> Result<Self, OpenLogError> {
        let new = Meta::new(opening.instance, opening.begin);
        let store = Store::open(&folder.join(Self::FILE), opening.version, &opening.network, &new)?;
        Self::start(store, opening, remember)
    }

    fn start(
        store: Store,
        opening: &Opening<'_>,
        remember: impl FnMut(&Remembered) + Send,
    ) -> Result<Self, OpenLogError> {
        let (mut shelf, meta) = load::load(&store, opening, remember)?;
        shelf.loaded(&meta, opening.now);
        let inner = Arc::new(Inner {
            instance: meta.instance,
            created: meta.created,
            version: opening.version,
            network: opening.network,
            settings: opening.settings.clone(),
            store,
            work: Condvar::new(),
            end: watch::Sender::new(Position::new(shelf.holdings.last())),
            trouble: watch::Sender::new(None),
            shelf: Mutex::new(shelf),
        });
        let thread = std::thread::Builder::new().name("sealnet-log".to_owned()).spawn({
            let inner = inner.clone();
            move || writer::run(&inner)
        });
        let path = Path::new(Self::FILE).to_owned();
        let writer = thread.map_err(|error| OpenLogError::Io { path, doing: "written by a thread", error })?;
        Ok(DiskLog { inner, writer: Mutex::new(Some(writer)) })
    }

    /// When this log began.
    pub fn created(&self) -> Timestamp {
        self.inner.created
    }

    /// The time before which this log does not know what it took.
    pub fn floor(&self) -> Timestamp {
        self.inner.lock().floor()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cursor(&self, position: u64) -> Cursor {
        Cursor::new(self.instance, Position::new(position))
    }

    /// Lets an envelope wait for the disk. Says where it is, if it is held already.
    fn wait(
        &self,
        envelope: &Verified<Envelope>,
        now: Timestamp,
        answer: Option<oneshot::Sender<Result<Position, LogError>>>,
    ) -> Result<Option<Position>, LogError> {
        let (size, limit) = (envelope.size(), self.settings.max_bytes);
        if size > limit {
            return Err(LogError::TooLarge { size, limit });
        }
        // A received envelope is a view into a buffer it shares with all that was received with it.
        let compact = envelope.compact();
        let mut shelf = self.lock();
        if let Some(position) = shelf.holdings.position(&envelope.id()) {
            return Ok(Some(Position::new(position)));
        }
        if shelf.is_closed {
            return Err(LogError::Closed);
        }
        if let (Some(_), Some(trouble)) = (&answer, &*self.trouble.borrow()) {
            // Whoever publishes here and now is not left waiting for a disk that takes nothing.
            return Err(trouble.clone());
        }
        shelf.wait(Waiting { envelope: compact, since: now, answer }, MAX_WAITING)?;
        drop(shelf);
        self.work.notify_one();
        Ok(None)
    }
}

impl Log for DiskLog {
    fn instance(&self) -> LogInstance {
        self.inner.instance
    }

    fn append(&self, envelope: &Verified<Envelope>, now: Timestamp) -> Result<Option<Position>, LogError> {
        self.inner.wait(envelope, now, None)
    }

    fn append_own(&self, envelope: &Verified<Envelope>, now: Timestamp) -> Result<Durable, LogError> {
        let (answer, answered) = oneshot::channel();
        let at = self.inner.wait(envelope, now, Some(answer))?;
        Ok(at.map_or_else(|| Durable::later(answered), Durable::at))
    }

    fn read(&self, cursor: Cursor, limit: usize) -> Result<Page, CursorError> {
        let after = cursor.within(self.inner.instance)?.get();
        let mut found: Vec<(u64, EnvelopeId, bool, Option<Verified<Envelope>>)> = Vec::new();
        let end = {
            let shelf = self.inner.lock();
            for (position, held) in shelf.holdings.after(after).take(limit) {
                found.push((position, held.id, held.is_late, held.content.envelope().cloned()));
            }
            // A full page ends with its last entry, any other at the end of the log.
            match found.last() {
                Some((position, ..)) if found.len() >= limit => *position,
                _ => shelf.holdings.last().max(after),
            }
        };
        let on_disk: Vec<_> = found
            .iter()
            .filter(|(.., envelope)| envelope.is_none())
            .map(|(position, id, ..)| (*position, *id))
            .collect();
        if !on_disk.is_empty() {
            // While the database is being opened anew there is nothing to read, and nothing is missed either.
            let Ok(read) = self.inner.store.contents(&on_disk, self.inner.version, &self.inner.network) else {
                return Ok(Page { entries: Vec::new(), missed: 0, next: cursor });
            };
            let mut read = read.into_iter();
            found.iter_mut().filter(|(.., envelope)| envelope.is_none()).for_each(|(.., envelope)| {
                *envelope = read.next().flatten();
            });
        }
        let entries: Vec<Entry> = found
            .into_iter()
            .filter_map(|(position, _, is_late, envelope)| {
                Some(Entry { position: Position::new(position), envelope: envelope?, is_late })
            })
            .collect();
        let missed = (end - after).saturating_sub(entries.len() as u64);
        Ok(Page { entries, missed, next: self.inner.cursor(end) })
    }

    fn reads_disk_after(&self, cursor: Cursor) -> bool {
        let shelf = self.inner.lock();
        let next = shelf.holdings.after(cursor.position().get()).next();
        next.is_some_and(|(_, held)| matches!(held.content, Content::OnDisk))
    }

    fn is_on_disk(&self) -> bool {
        true
    }

    fn get(&self, id: &EnvelopeId) -> Option<Verified<Envelope>> {
        let found = {
            let shelf = self.inner.lock();
            match shelf.waiting(id) {
                Some(envelope) => Ok(envelope.clone()),
                None => {
                    let position = shelf.holdings.position(id)?;
                    shelf.holdings.get(position)?.content.envelope().cloned().ok_or(position)
                }
            }
        };
        match found {
            // What is live only was for those who were there.
            Ok(envelope) => (!envelope.lifetime().is_live_only()).then_some(envelope),
            Err(position) => {
                let read = self.inner.store.contents(&[(position, *id)], self.inner.version, &self.inner.network);
                read.ok()?.pop().flatten()
            }
        }
    }

    fn is_late(&self, position: Position) -> bool {
        self.inner.lock().holdings.get(position.get()).is_some_and(|held| held.is_late)
    }

    fn start(&self) -> Cursor {
        self.inner.cursor(self.inner.lock().holdings.before())
    }

    fn end(&self) -> Cursor {
        self.inner.cursor(self.inner.lock().holdings.last())
    }

    fn ends(&self) -> watch::Receiver<Position> {
        self.inner.end.subscribe()
    }

    fn trouble(&self) -> Option<watch::Receiver<Option<LogError>>> {
        Some(self.inner.trouble.subscribe())
    }

    fn expire(&self, now: Timestamp) {
        if self.inner.lock().expire(now) {
            self.inner.work.notify_one();
        }
    }

    fn withdraw(&self, takes: &dyn Fn(&NodeId, Timestamp) -> bool) {
        if self.inner.lock().withdraw(takes) {
            self.inner.work.notify_one();
        }
    }

    fn forget_before(&self, floor: Timestamp) {
        self.inner.lock().forget_before(floor);
    }

    fn usage(&self) -> Usage {
        let shelf = self.inner.lock();
        Usage { envelopes: shelf.holdings.len(), bytes: shelf.holdings.bytes() }
    }

    fn close(&self) {
        self.inner.lock().is_closed = true;
        self.inner.work.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // It ends with what was waiting; if it panicked, the file is what the last commit made it.
            let _ = writer.join();
        }
        self.inner.store.close();
    }
}

impl Drop for DiskLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for DiskLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskLog").field("instance", &self.inner.instance).field("usage", &self.usage()).finish()
    }
}
