//! The log in memory: everything is lost with the process.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified};
use crate::identity::NodeId;

use super::{Cursor, CursorError, Entry, Log, LogError, LogInstance, Page, Position, Settings, Usage};

/// What is said live only is held this long, for readers that are a little behind.
const LIVE_FOR: Duration = Duration::from_secs(120);

/// A [`Log`] in memory.
pub struct MemoryLog {
    instance: LogInstance,
    own: NodeId,
    settings: Settings,
    contents: Mutex<Contents>,
}

#[derive(Default)]
struct Contents {
    /// Entries by position from `first` on; what was dropped between others leaves a hole.
    entries: VecDeque<Option<Stored>>,
    /// How many entries before the first of `entries` there were.
    before: u64,
    by_id: HashMap<EnvelopeId, u64>,
    by_expiry: BTreeSet<(Timestamp, u64)>,
    senders: BTreeMap<NodeId, Holding>,
    /// Who holds how much: the last loses first.
    largest: BTreeSet<(usize, NodeId)>,
    bytes: usize,
}

struct Stored {
    envelope: Verified<Envelope>,
    expires: Timestamp,
}

#[derive(Default)]
struct Holding {
    bytes: usize,
    positions: BTreeSet<u64>,
}

impl MemoryLog {
    /// An empty log of the node `own`, called `instance`.
    pub fn new(instance: LogInstance, own: NodeId, settings: Settings) -> Self {
        MemoryLog { instance, own, settings, contents: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cursor(&self, position: u64) -> Cursor {
        Cursor::new(self.instance, Position::new(position))
    }
}

impl Log for MemoryLog {
    fn instance(&self) -> LogInstance {
        self.instance
    }

    fn append(&self, envelope: &Verified<Envelope>, now: Timestamp) -> Result<Position, LogError> {
        let (size, limit) = (envelope.size(), self.settings.max_bytes);
        if size > limit {
            return Err(LogError::TooLarge { size, limit });
        }
        let lifetime = Duration::from(envelope.lifetime()).min(self.settings.keep);
        let expires =
            if envelope.lifetime().is_live_only() { now.plus(LIVE_FOR) } else { envelope.time().plus(lifetime) };
        let stored = Stored { envelope: envelope.clone(), expires };
        let mut contents = self.lock();
        if let Some(position) = contents.by_id.get(&envelope.id()) {
            return Ok(Position::new(*position));
        }
        contents.expire(now);
        while contents.bytes + size > limit {
            contents.evict(&self.own);
        }
        Ok(Position::new(contents.push(stored)))
    }

    fn read(&self, cursor: Cursor, limit: usize) -> Result<Page, CursorError> {
        let after = cursor.within(self.instance)?.get();
        let contents = self.lock();
        let mut page = Page { entries: Vec::new(), missed: contents.before.saturating_sub(after), next: cursor };
        let skip = usize::try_from(after.saturating_sub(contents.before)).unwrap_or(usize::MAX);
        let mut position = after.max(contents.before);
        for stored in contents.entries.iter().skip(skip) {
            if page.entries.len() >= limit {
                break;
            }
            position += 1;
            match stored {
                Some(stored) => {
                    page.entries.push(Entry { position: Position::new(position), envelope: stored.envelope.clone() });
                }
                None => page.missed += 1,
            }
        }
        page.next = self.cursor(position);
        Ok(page)
    }

    fn get(&self, id: &EnvelopeId) -> Option<Verified<Envelope>> {
        let contents = self.lock();
        let stored = contents.stored(*contents.by_id.get(id)?)?;
        // What is live only was for those who were there.
        (!stored.envelope.lifetime().is_live_only()).then(|| stored.envelope.clone())
    }

    fn start(&self) -> Cursor {
        self.cursor(self.lock().before)
    }

    fn end(&self) -> Cursor {
        self.cursor(self.lock().last())
    }

    fn expire(&self, now: Timestamp) {
        self.lock().expire(now);
    }

    fn usage(&self) -> Usage {
        let contents = self.lock();
        Usage { envelopes: contents.by_id.len(), bytes: contents.bytes }
    }
}

impl Contents {
    fn last(&self) -> u64 {
        self.before + self.entries.len() as u64
    }

    fn slot(&self, position: u64) -> Option<usize> {
        usize::try_from(position.checked_sub(self.before + 1)?).ok()
    }

    fn stored(&self, position: u64) -> Option<&Stored> {
        self.entries.get(self.slot(position)?)?.as_ref()
    }

    fn push(&mut self, stored: Stored) -> u64 {
        let position = self.last() + 1;
        let (sender, size) = (stored.envelope.sender(), stored.envelope.size());
        self.by_id.insert(stored.envelope.id(), position);
        self.by_expiry.insert((stored.expires, position));
        self.bytes += size;
        self.hold(sender, |holding| {
            holding.bytes += size;
            holding.positions.insert(position);
        });
        self.entries.push_back(Some(stored));
        position
    }

    fn remove(&mut self, position: u64) {
        let slot = self.slot(position);
        let Some(stored) = slot.and_then(|slot| self.entries.get_mut(slot)).and_then(Option::take) else { return };
        let (sender, size) = (stored.envelope.sender(), stored.envelope.size());
        self.by_id.remove(&stored.envelope.id());
        self.by_expiry.remove(&(stored.expires, position));
        self.bytes -= size;
        self.hold(sender, |holding| {
            holding.bytes -= size;
            holding.positions.remove(&position);
        });
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.before += 1;
        }
    }

    fn hold(&mut self, sender: NodeId, change: impl FnOnce(&mut Holding)) {
        let mut holding = self.senders.remove(&sender).unwrap_or_default();
        self.largest.remove(&(holding.bytes, sender));
        change(&mut holding);
        if !holding.positions.is_empty() {
            self.largest.insert((holding.bytes, sender));
            self.senders.insert(sender, holding);
        }
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some((_, position)) = self.by_expiry.first().copied().filter(|(expires, _)| *expires < now) {
            self.remove(position);
        }
    }

    /// Drops the oldest message of whoever holds most; the node's own only when there is nobody else's.
    fn evict(&mut self, own: &NodeId) {
        let others = self.largest.iter().rev().find(|(_, sender)| sender != own);
        let Some((_, sender)) = others.or(self.largest.last()).copied() else { return };
        if let Some(oldest) = self.senders.get(&sender).and_then(|holding| holding.positions.first().copied()) {
            self.remove(oldest);
        }
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLog").field("instance", &self.instance).field("usage", &self.usage()).finish()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::envelope::{Draft, Lifetime, Open, Scheme};
    use crate::identity::NetworkHash;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_micros((1_000_000 + second) * 1_000_000).unwrap()
    }

    fn envelope(sender: u8, second: u64, lifetime: u32, size: usize) -> Verified<Envelope> {
        let scheme = Open::new(NetworkHash::plain(&"t".parse().unwrap()), id(sender));
        let message = Bytes::from(vec![7; size]);
        let (title, lifetime) = ("t".parse().unwrap(), Lifetime::secs(lifetime));
        scheme.publish(&Draft { title, message, time: at(second), lifetime }).unwrap()
    }

    fn log(max_bytes: usize) -> MemoryLog {
        let settings = Settings { max_bytes, ..Settings::default() };
        MemoryLog::new(LogInstance::from_bytes([1; 8]), id(9), settings)
    }

    fn positions(page: &Page) -> Vec<u64> {
        page.entries.iter().map(|entry| entry.position.get()).collect()
    }

    #[test]
    fn a_cursor_reads_everything_once_in_order_and_goes_on() {
        let log = log(1 << 20);
        let start = log.start();
        for second in 0..5 {
            log.append(&envelope(1, second, 60, 10), at(0)).unwrap();
        }
        let first = log.read(start, 3).unwrap();
        assert_eq!(positions(&first), [1, 2, 3]);
        let second = log.read(first.next, 9).unwrap();
        assert_eq!((positions(&second), second.next), (vec![4, 5], log.end()));
        log.append(&envelope(1, 9, 60, 10), at(0)).unwrap();
        assert_eq!(positions(&log.read(second.next, 9).unwrap()), [6]);
        assert_eq!(positions(&log.read(start, 99).unwrap()), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_cursor_of_another_log_is_refused_by_name() {
        let other = MemoryLog::new(LogInstance::from_bytes([2; 8]), id(9), Settings::default());
        let error = log(1000).read(other.start(), 1).unwrap_err();
        assert!(error.to_string().contains("0202020202020202") && error.to_string().contains("0101010101010101"));
    }

    #[test]
    fn what_ran_out_is_counted_as_missed_and_its_position_never_used_again() {
        let log = log(1 << 20);
        for (second, lifetime) in [(0, 10), (1, 100), (2, 10), (3, 0)] {
            log.append(&envelope(1, second, lifetime, 10), at(3)).unwrap();
        }
        log.expire(at(50));
        let page = log.read(log.cursor(0), 9).unwrap();
        assert_eq!((positions(&page), page.missed), (vec![2, 4], 2));
        log.expire(at(500));
        let page = log.read(page.next, 9).unwrap();
        assert_eq!((page.entries.len(), page.missed), (0, 0));
        assert_eq!(log.usage(), Usage::default());
        assert_eq!(log.append(&envelope(1, 501, 10, 10), at(501)).unwrap().get(), 5);
    }

    #[test]
    fn live_only_messages_are_delivered_and_never_served() {
        let log = log(1 << 20);
        let live = envelope(1, 0, 0, 10);
        log.append(&live, at(0)).unwrap();
        assert_eq!(log.read(log.start(), 9).unwrap().entries.len(), 1);
        assert_eq!(log.get(&live.id()), None);
    }

    #[test]
    fn over_the_size_whoever_holds_most_loses_its_oldest_and_oneself_last() {
        let log = log(2000);
        let quiet = envelope(1, 0, 60, 100);
        log.append(&quiet, at(0)).unwrap();
        let own = envelope(9, 0, 60, 700);
        log.append(&own, at(0)).unwrap();
        for second in 1..50 {
            log.append(&envelope(2, second, 60, 200), at(0)).unwrap();
        }
        assert_eq!((log.get(&quiet.id()), log.get(&own.id())), (Some(quiet), Some(own)));
        assert!(log.get(&envelope(2, 49, 60, 200).id()).is_some());
        assert!(log.get(&envelope(2, 1, 60, 200).id()).is_none());
        assert!(log.usage().bytes <= 2000);
        let size = envelope(1, 0, 60, 3000).size();
        let refused = log.append(&envelope(1, 0, 60, 3000), at(0));
        assert_eq!(refused, Err(LogError::TooLarge { size, limit: 2000 }));
    }

    #[test]
    fn the_same_envelope_is_held_once() {
        let log = log(1 << 20);
        let one = envelope(1, 0, 60, 10);
        assert_eq!(log.append(&one, at(0)), log.append(&one, at(0)));
        assert_eq!(log.usage().envelopes, 1);
    }
}
