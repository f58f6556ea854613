//! The log: the contents of accepted broadcasts, by position. It is the truth; queues are only speed.
//!
//! A verified, accepted broadcast is appended here *before* it is relayed. Applications read it by [`Cursor`], each at
//! its own pace, so none of them can hold up the network, and none loses what is still kept.

mod cursor;
mod memory;

use std::fmt::Debug;
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified};

pub use cursor::{Cursor, CursorError, LogInstance, Position};
pub use memory::MemoryLog;

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
}

/// Where contents are kept. Its methods are called from many threads and must not block for long.
pub trait Log: Debug + Send + Sync + 'static {
    /// Which log this is: a cursor of another one means nothing here.
    fn instance(&self) -> LogInstance;

    /// Appends an envelope; it is readable, and as durable as this log makes anything, when this returns. An envelope that
    /// is held already keeps its position.
    ///
    /// # Errors
    /// If it cannot be kept; nothing has changed then.
    fn append(&self, envelope: &Verified<Envelope>, now: Timestamp) -> Result<Position, LogError>;

    /// Up to `limit` entries after `cursor`.
    ///
    /// # Errors
    /// If the cursor belongs to another log.
    fn read(&self, cursor: Cursor, limit: usize) -> Result<Page, CursorError>;

    /// The kept envelope with this id.
    fn get(&self, id: &EnvelopeId) -> Option<Verified<Envelope>>;

    /// The cursor before everything that is kept.
    fn start(&self) -> Cursor;

    /// The cursor after everything that was appended so far.
    fn end(&self) -> Cursor;

    /// Drops what has outlived its lifetime.
    fn expire(&self, now: Timestamp);

    /// How many envelopes and bytes are held.
    fn usage(&self) -> Usage;
}

/// How much a log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Envelopes.
    pub envelopes: usize,
    /// Their bytes.
    pub bytes: usize,
}
