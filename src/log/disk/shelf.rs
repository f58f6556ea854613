//! The log's state in memory: what is held and where, what waits for the disk, what is to go from it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified};
use crate::identity::NodeId;

use super::super::holdings::{Held, Holdings, expires};
use super::super::{LogError, Position, Settings};
use super::row::Row;
use super::store::{Changes, Dropped, Meta};

/// So many bytes of the newest envelopes stay in memory, for readers that keep up and neighbours that ask.
const RECENT: usize = 8 << 20;

/// At most so many envelopes go into one transaction: enough for the disk, and few enough for those who wait.
const GROUP: usize = 8192;

/// Rows go in groups of this length.
const GROUP_MICROS: u64 = 10_000_000;

/// How long the protocol lets an envelope live at least, and how much longer its id is remembered (protocol, section 4).
const LIVES_AT_LEAST: Duration = Duration::from_secs(120);
const REMEMBERED: Duration = Duration::from_secs(600);

/// Where the content of a held envelope is.
#[derive(Debug)]
pub(super) enum Content {
    /// On disk alone.
    OnDisk,
    /// On disk, and here because it is new.
    Recent(Box<Verified<Envelope>>),
    /// Here alone: live only.
    Live(Box<Verified<Envelope>>),
}

impl Content {
    pub(super) fn envelope(&self) -> Option<&Verified<Envelope>> {
        match self {
            Content::OnDisk => None,
            Content::Recent(envelope) | Content::Live(envelope) => Some(envelope),
        }
    }
}

/// An envelope that waits for the disk.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) envelope: Verified<Envelope>,
    pub(super) since: Timestamp,
    /// Who waits too: its publisher.
    pub(super) answer: Option<oneshot::Sender<Result<Position, LogError>>>,
}

#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) holdings: Holdings<Content>,
    pub(super) is_closed: bool,
    /// What was dropped is not to wait until something else is written.
    is_urgent: bool,
    settings: Settings,
    queue: VecDeque<Waiting>,
    queued: HashMap<EnvelopeId, Verified<Envelope>>,
    queued_bytes: usize,
    /// Those of them that are to go as soon as they have come to the disk.
    withdrawn: HashSet<EnvelopeId>,
    recent: VecDeque<(u64, usize)>,
    recent_bytes: usize,
    dropped: Vec<Dropped>,
    /// Rows by when their ids may be forgotten, and by the times in them. A row may stand in a group and be gone.
    rows_by_death: BTreeMap<u64, Vec<u64>>,
    rows_by_time: BTreeMap<u64, Vec<u64>>,
    floor: Timestamp,
    now: Timestamp,
}

impl Shelf {
    pub(super) fn new(own: NodeId, settings: &Settings) -> Self {
        Shelf {
            holdings: Holdings::new(own),
            is_closed: false,
            is_urgent: false,
            settings: settings.clone(),
            queue: VecDeque::new(),
            queued: HashMap::new(),
            queued_bytes: 0,
            withdrawn: HashSet::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            dropped: Vec::new(),
            rows_by_death: BTreeMap::new(),
            rows_by_time: BTreeMap::new(),
            floor: Timestamp::default(),
            now: Timestamp::default(),
        }
    }

    pub(super) fn floor(&self) -> Timestamp {
        self.floor
    }

    /// So many rows of a former run follow.
    pub(super) fn expect(&mut self, rows: usize) {
        self.holdings.reserve(rows);
    }

    /// Takes a row of a former run. Says whether its envelope could still come back.
    pub(super) fn put_back(&mut self, position: u64, row: &Row, now: Timestamp) -> bool {
        let envelope = &row.envelope;
        let expires = expires(envelope.time, envelope.lifetime, self.settings.keep);
        let dies = dies(envelope.time, expires);
        self.holdings.skip_to(position);
        if dies < now {
            self.dropped.push(Dropped::Row(position));
            return false;
        }
        self.note_row(position, envelope.time, dies);
        if row.is_held && !envelope.lifetime.is_live_only() {
            let size = usize::try_from(row.size).unwrap_or(usize::MAX);
            let (id, sender, time) = (envelope.id, envelope.sender, envelope.time);
            self.holdings.put_back(
                position,
                Held { id, sender, time, expires, size, content: Content::OnDisk, is_late: false },
                now,
            );
        }
        true
    }

    /// All rows were put back.
    pub(super) fn loaded(&mut self, meta: &Meta, now: Timestamp) {
        self.holdings.all_back();
        self.holdings.skip_to(meta.last);
        self.floor = meta.floor;
        self.expire(now);
        self.make_room();
    }

    fn note_row(&mut self, position: u64, time: Timestamp, dies: Timestamp) {
        self.rows_by_death.entry(dies.as_micros() / GROUP_MICROS + 1).or_default().push(position);
        self.rows_by_time.entry(time.as_micros() / GROUP_MICROS + 1).or_default().push(position);
    }

    /// The envelope with this id, if it waits for the disk.
    pub(super) fn waiting(&self, id: &EnvelopeId) -> Option<&Verified<Envelope>> {
        self.queued.get(id).filter(|_| !self.withdrawn.contains(id))
    }

    /// Lets an envelope wait for the disk, unless `limit` bytes wait already. The same one waits once.
    pub(super) fn wait(&mut self, waiting: Waiting, limit: usize) -> Result<(), LogError> {
        if self.queued_bytes > limit {
            return Err(LogError::Behind { waiting: self.queued_bytes });
        }
        let id = waiting.envelope.id();
        if self.queued.insert(id, waiting.envelope.clone()).is_none() {
            self.queued_bytes += waiting.envelope.size();
            self.queue.push_back(waiting);
        }
        Ok(())
    }

    /// Whether there is something for the disk. What is dropped has time until something else is written, unless there is
    /// much of it.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.has_many_dropped() || self.is_closed || self.is_urgent
    }

    fn has_many_dropped(&self) -> bool {
        self.dropped.len() >= 1024
    }

    /// How many envelopes wait for the disk.
    pub(super) fn waiting_count(&self) -> usize {
        self.queue.len()
    }

    /// What is to be written now.
    pub(super) fn changes(&mut self) -> Changes {
        Changes {
            after: self.holdings.last(),
            added: self.queue.iter().take(GROUP).map(|waiting| waiting.envelope.clone()).collect(),
            dropped: {
                self.is_urgent = false;
                std::mem::take(&mut self.dropped)
            },
            floor: self.floor,
        }
    }

    /// The next of what waited are on the disk: readers get them, whoever waited hears of it.
    pub(super) fn committed(&mut self, added: &[Verified<Envelope>]) {
        for envelope in added {
            let Some(Waiting { since, answer, .. }) = self.queue.pop_front() else { break };
            self.queued.remove(&envelope.id());
            self.queued_bytes -= envelope.size();
            let position = self.hold(envelope, since);
            if self.withdrawn.remove(&envelope.id())
                && let Some(held) = self.holdings.remove(position)
            {
                self.drop_content(position, &held);
            }
            if let Some(answer) = answer {
                let _ = answer.send(Ok(Position::new(position)));
            }
        }
        self.make_room();
    }

    fn hold(&mut self, envelope: &Verified<Envelope>, since: Timestamp) -> u64 {
        let is_live_only = envelope.lifetime().is_live_only();
        let content = if is_live_only { Content::Live } else { Content::Recent };
        let held = Held::new(envelope, self.settings.keep, since, content(Box::new(envelope.clone())));
        let (time, size) = (held.time, held.size);
        let dies = dies(time, expires(time, envelope.lifetime(), self.settings.keep));
        let position = self.holdings.push(held, since);
        self.note_row(position, time, dies);
        if !is_live_only {
            self.recent.push_back((position, size));
            self.recent_bytes += size;
        }
        position
    }

    /// The disk took nothing of it. What others sent waits on; one's own was not published.
    pub(super) fn failed(&mut self, changes: Changes, error: &LogError) {
        let mut dropped = changes.dropped;
        dropped.append(&mut self.dropped);
        self.dropped = dropped;
        for waiting in std::mem::take(&mut self.queue) {
            match waiting.answer {
                None => self.queue.push_back(waiting),
                Some(answer) => {
                    self.queued.remove(&waiting.envelope.id());
                    self.queued_bytes -= waiting.envelope.size();
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Whoever still waits learns that it will not come.
    pub(super) fn abandon(&mut self) {
        self.queued.clear();
        self.withdrawn.clear();
        self.queued_bytes = 0;
        for waiting in std::mem::take(&mut self.queue) {
            if let Some(answer) = waiting.answer {
                let _ = answer.send(Err(LogError::Closed));
            }
        }
    }

    /// Keeps within the sizes.
    fn make_room(&mut self) {
        while self.holdings.bytes() > self.settings.max_bytes {
            let Some((position, held)) = self.holdings.evict_one() else { break };
            self.drop_content(position, &held);
        }
        while self.recent_bytes > RECENT {
            let Some((position, size)) = self.recent.pop_front() else { break };
            self.recent_bytes -= size;
            if let Some(held) = self.holdings.get_mut(position) {
                held.content = Content::OnDisk;
            }
        }
    }

    /// Drops what `takes` names by sender and time; says whether that is work for the disk. What waits for the disk is on its
    /// way there already, and goes when it has arrived.
    pub(super) fn withdraw(&mut self, takes: &dyn Fn(&NodeId, Timestamp) -> bool) -> bool {
        for (position, held) in self.holdings.withdraw(takes) {
            self.drop_content(position, &held);
        }
        let waiting = self.queued.values().filter(|envelope| takes(&envelope.sender(), envelope.time()));
        self.withdrawn.extend(waiting.map(|envelope| envelope.id()));
        self.is_urgent |= !self.dropped.is_empty();
        self.is_urgent
    }

    fn drop_content(&mut self, position: u64, held: &Held<Content>) {
        let may_be_forgotten = held.time < self.floor || dies(held.time, held.expires) < self.now;
        self.dropped.push(if may_be_forgotten { Dropped::Row(position) } else { Dropped::Content(position) });
    }

    /// Drops what has outlived its lifetime, and the ids of what has been dead for long enough. Says whether that is work
    /// for the disk at once.
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        self.now = self.now.max(now);
        while let Some((position, held)) = self.holdings.expire_one(self.now) {
            self.drop_content(position, &held);
        }
        while let Some(group) = self.rows_by_death.first_entry() {
            if *group.key() > self.now.as_micros() / GROUP_MICROS {
                break;
            }
            // Whatever has been dead so long is not held any more.
            self.dropped.extend(group.remove().into_iter().map(Dropped::Row));
        }
        self.has_many_dropped()
    }

    /// The ids of what is older than `floor` need not be known any longer.
    pub(super) fn forget_before(&mut self, floor: Timestamp) {
        self.floor = self.floor.max(floor);
        while let Some(group) = self.rows_by_time.first_entry() {
            if *group.key() > self.floor.as_micros() / GROUP_MICROS {
                break;
            }
            for position in group.remove() {
                // Where the content is still held, the row goes with it.
                if self.holdings.get(position).is_none() {
                    self.dropped.push(Dropped::Row(position));
                }
            }
        }
    }
}

fn dies(time: Timestamp, expires: Timestamp) -> Timestamp {
    expires.max(time.plus(LIVES_AT_LEAST)).plus(REMEMBERED)
}
