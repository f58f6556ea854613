//! The log: the contents of accepted broadcasts, by position. It is the truth; queues are only speed.
//!
//! A verified, accepted broadcast is appended here *before* it is relayed. Applications read it by [`Cursor`], each at
//! its own pace, so none of them can hold up the network, and none loses what is still kept.

mod cursor;
#[cfg(feature = "disk")]
mod disk;
mod durable;
mod holdings;
mod memory;
mod pages;
mod papers;
mod state;

use std::fmt::Debug;
use std::time::Duration;

use tokio::sync::watch;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified};
use crate::identity::NodeId;

pub use cursor::{Cursor, CursorError, LogInstance, Position};
#[cfg(feature = "disk")]
pub use disk::{DiskLog, OpenLogError, Opening, Remembered};
pub use durable::Durable;
pub use memory::MemoryLog;
pub use state::{State, StateError};

/// How much is kept. Each message asks for a lifetime; these are this node's own bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// No content is kept longer, whatever lifetime it asked for. Default: a day.
    pub keep: Duration,
    /// No more bytes of contents are kept. Over it, the sender who holds most loses its oldest first. Default: 256 MiB.
    pub max_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { keep: Duration::from_secs(24 * 3600), max_bytes: 256 << 20 }
    }
}

/// A kept envelope and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the order of arrival at this node.
    pub position: Position,
    /// The envelope.
    pub envelope: Verified<Envelope>,
    /// It came after one of the same sender with a later time that was kept then: repair brought it, or another way.
    pub is_late: bool,
}

/// What lies after a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries that are kept, in order of arrival.
    pub entries: Vec<Entry>,
    /// How many others stood between them, before them or after them, and are not kept any more.
    pub missed: u64,
    /// Where to read on.
    pub next: Cursor,
}

/// Why an envelope was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It is larger than everything that may be kept.
    #[error(
        "the message has {size} bytes and the log may keep {limit}; raise max_size in the section [log] of the configuration"
    )]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// What the log may keep in all, in bytes.
        limit: usize,
    },
    /// The disk does not take it.
    #[error("the log on disk takes nothing at the moment: {why}; it goes on by itself when the disk does")]
    Disk {
        /// What the system said.
        why: String,
    },
    /// More waits for the disk than may wait.
    #[error("the disk is too slow for what comes in: {waiting} bytes wait for it; try again in a moment")]
    Behind {
        /// How many bytes wait.
        waiting: usize,
    },
    /// The log was closed with its node.
    #[error("the log is closed; start the node again")]
    Closed,
}

/// Where contents are kept. Its methods are called from many threads and must not block for long.
pub trait Log: Debug + Send + Sync + 'static {
    /// Which log this is: a cursor of another one means nothing here.
    fn instance(&self) -> LogInstance;

    /// Appends an envelope that came from others. It can be had by [`get`](Log::get) when this returns; readers get it when
    /// it is as durable as this log makes anything. Its position, if that is at once. An envelope that is held already
    /// keeps its position.
    ///
    /// # Errors
    /// If it cannot be kept; nothing has changed then.
    fn append(&self, envelope: &Verified<Envelope>, now: Timestamp) -> Result<Option<Position>, LogError>;

    /// Appends an envelope of this node's own, and says when it is durable. If the disk refuses it later, nothing of it is
    /// kept.
    ///
    /// # Errors
    /// If it cannot be kept; nothing has changed then.
    fn append_own(&self, envelope: &Verified<Envelope>, now: Timestamp) -> Result<Durable, LogError>;

    /// Up to `limit` entries after `cursor`.
    ///
    /// # Errors
    /// If the cursor belongs to another log.
    fn read(&self, cursor: Cursor, limit: usize) -> Result<Page, CursorError>;

    /// Whether [`read`](Log::read) after `cursor` has to wait for a disk; then it is called where waiting is allowed.
    fn reads_disk_after(&self, _cursor: Cursor) -> bool {
        false
    }

    /// Whether [`get`](Log::get) may have to wait for a disk.
    fn is_on_disk(&self) -> bool {
        false
    }

    /// The kept envelope with this id.
    fn get(&self, id: &EnvelopeId) -> Option<Verified<Envelope>>;

    /// Whether the envelope at this position is late, as [`Entry::is_late`] says; not if it is not held.
    fn is_late(&self, position: Position) -> bool;

    /// The cursor before everything that is kept.
    fn start(&self) -> Cursor;

    /// The cursor after everything that readers get so far.
    fn end(&self) -> Cursor;

    /// Follows the end: changes whenever readers get more.
    fn ends(&self) -> watch::Receiver<Position>;

    /// Follows what is wrong with the disk; `None` if there is none to go wrong.
    fn trouble(&self) -> Option<watch::Receiver<Option<LogError>>> {
        None
    }

    /// Drops what has outlived its lifetime.
    fn expire(&self, now: Timestamp);

    /// Lets go of the contents of those envelopes that `takes` names by sender and time: nobody is served them, and readers
    /// who have not read them yet miss them. What stood there keeps its positions.
    fn withdraw(&self, takes: &dyn Fn(&NodeId, Timestamp) -> bool);

    /// Envelopes from before `floor` need not be remembered any more once their contents are gone: the core takes none of
    /// them.
    fn forget_before(&self, _floor: Timestamp) {}

    /// How many envelopes and bytes are held.
    fn usage(&self) -> Usage;

    /// Finishes what waits for the disk, and lets go of it. Nothing is appended afterwards. It may take a moment.
    fn close(&self) {}
}

/// How much a log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Envelopes.
    pub envelopes: usize,
    /// Their bytes.
    pub bytes: usize,
}
