//! Reading broadcasts from the log, each reader at its own pace.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Title, Verified};
use crate::identity::NodeId;
use crate::log::{Cursor, CursorError, Entry, Log, Page, Position};

/// Entries read from the log in one go.
const PAGE: usize = 256;

/// A broadcast as an application gets it: verified, accepted, kept.
#[derive(Clone)]
pub struct Broadcast {
    envelope: Verified<Envelope>,
    cursor: Cursor,
    is_late: bool,
    brought_by: Option<NodeId>,
}

impl Broadcast {
    pub(super) fn new(envelope: Verified<Envelope>, cursor: Cursor, is_late: bool) -> Self {
        Broadcast { envelope, cursor, is_late, brought_by: None }
    }

    pub(super) fn with_neighbour(mut self, neighbour: Option<NodeId>) -> Self {
        self.brought_by = neighbour;
        self
    }

    /// Its name.
    pub fn id(&self) -> EnvelopeId {
        self.envelope.id()
    }

    /// Who signed it. On a plain network see [`claimed_sender`](Self::claimed_sender).
    pub fn sender(&self) -> NodeId {
        self.envelope.sender()
    }

    /// Who it says it is from: all there is to know on a plain network.
    pub fn claimed_sender(&self) -> NodeId {
        self.envelope.sender()
    }

    /// Its title.
    pub fn title(&self) -> &str {
        self.envelope.title()
    }

    /// Its content.
    pub fn message(&self) -> Bytes {
        self.envelope.message()
    }

    /// Its content, if it is text.
    pub fn text(&self) -> Option<String> {
        String::from_utf8(self.envelope.message().to_vec()).ok()
    }

    /// When its sender made it.
    pub fn time(&self) -> Timestamp {
        self.envelope.time()
    }

    /// Whether it came after one that its sender made later: repair brought it, or a longer way. Whoever needs a sender's
    /// messages in their order goes by [`time`](Self::time).
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// The neighbour that brought it first, where that is known: in [`Event::Message`](super::Event::Message) of what came
    /// from others. The log, and so a [`Subscription`], does not remember it.
    pub fn brought_by(&self) -> Option<NodeId> {
        self.brought_by
    }

    /// The whole envelope.
    pub fn envelope(&self) -> &Verified<Envelope> {
        &self.envelope
    }

    /// The place in this node's log right after it: subscribe after it to go on from here.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast").field("envelope", &*self.envelope).field("cursor", &self.cursor).finish()
    }
}

/// What a subscription gives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item {
    /// A broadcast.
    Broadcast(Broadcast),
    /// So many messages (of any title) were dropped from the log before this subscription read them: their lifetime was
    /// over, or the log was full.
    Missed {
        /// How many.
        count: u64,
    },
}

/// Every kept broadcast of one title (or of all) from a place in the log on, each once, in this node's order of arrival,
/// and then live. One's own broadcasts are among them.
#[derive(Debug)]
pub struct Subscription {
    log: Arc<dyn Log>,
    ends: watch::Receiver<Position>,
    stopped: CancellationToken,
    title: Option<Title>,
    /// The titles under it as well.
    and_under: bool,
    /// How far the log was read.
    read: Cursor,
    /// How far what was read has been given out.
    cursor: Cursor,
    ready: VecDeque<Item>,
}

impl Subscription {
    pub(super) fn new(log: Arc<dyn Log>, stopped: CancellationToken, title: Option<Title>) -> Self {
        let (ends, cursor) = (log.ends(), log.end());
        Subscription { log, ends, stopped, title, and_under: false, read: cursor, cursor, ready: VecDeque::new() }
    }

    pub(super) fn and_under(mut self) -> Self {
        self.and_under = true;
        self
    }

    /// Goes on after `cursor` instead of from now on.
    ///
    /// # Errors
    /// If the cursor belongs to another log.
    pub fn after(mut self, cursor: Cursor) -> Result<Self, CursorError> {
        self.log.read(cursor, 0)?;
        (self.read, self.cursor) = (cursor, cursor);
        Ok(self)
    }

    /// Begins with the oldest message that is kept.
    #[must_use]
    pub fn from_start(mut self) -> Self {
        self.read = self.log.start();
        self.cursor = self.read;
        self
    }

    /// The place after the last item that was given out: a subscription after it goes on with the next one.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The next item; `None` when the node has stopped and everything was read that could be without its log's file: a
    /// subscription after [`cursor`](Self::cursor) goes on at the next start.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                match &item {
                    Item::Broadcast(broadcast) if !self.ready.is_empty() => self.cursor = broadcast.cursor,
                    Item::Missed { .. } if !self.ready.is_empty() => {}
                    _ => self.cursor = self.read,
                }
                return Some(item);
            }
            // Noted before reading: what is appended meanwhile wakes this reader again.
            self.ends.borrow_and_update();
            if self.read_page().await || !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                biased;
                changed = self.ends.changed() => changed.ok()?,
                () = self.stopped.cancelled() => return None,
            }
        }
    }

    /// The next page of the log. If this is not waited for to its end, nothing was read.
    async fn page(&self) -> Option<Page> {
        if !self.log.reads_disk_after(self.read) {
            return self.log.read(self.read, PAGE).ok();
        }
        let (log, read) = (self.log.clone(), self.read);
        tokio::task::spawn_blocking(move || log.read(read, PAGE)).await.ok()?.ok()
    }

    /// Reads on; says whether there may be more right away.
    async fn read_page(&mut self) -> bool {
        let Some(page) = self.page().await else { return false };
        let advanced = page.next != self.read;
        self.read = page.next;
        if page.missed > 0 {
            self.ready.push_back(Item::Missed { count: page.missed });
        }
        for Entry { position, envelope, is_late } in page.entries {
            let is_wanted = match &self.title {
                Some(title) if self.and_under => title.covers(envelope.title()),
                Some(title) => envelope.title() == title.as_str(),
                None => !envelope.title().starts_with(Title::PROTOCOL_PREFIX),
            };
            if is_wanted {
                let cursor = Cursor::new(self.log.instance(), position);
                self.ready.push_back(Item::Broadcast(Broadcast::new(envelope, cursor, is_late)));
            }
        }
        advanced
    }
}
