//! The log in memory: everything is lost with the process.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified};
use crate::identity::NodeId;

use super::holdings::{Held, Holdings};
use super::{Cursor, CursorError, Durable, Entry, Log, LogError, LogInstance, Page, Position, Settings, Usage};

/// A [`Log`] in memory.
pub struct MemoryLog {
    instance: LogInstance,
    settings: Settings,
    contents: Mutex<Holdings<Verified<Envelope>>>,
    end: watch::Sender<Position>,
}

impl MemoryLog {
    /// An empty log of the node `own`, called `instance`.
    pub fn new(instance: LogInstance, own: NodeId, settings: Settings) -> Self {
        let (contents, end) = (Mutex::new(Holdings::new(own)), watch::Sender::new(Position::default()));
        MemoryLog { instance, settings, contents, end }
    }

    fn lock(&self) -> MutexGuard<'_, Holdings<Verified<Envelope>>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cursor(&self, position: u64) -> Cursor {
        Cursor::new(self.instance, Position::new(position))
    }

    fn push(&self, envelope: &Verified<Envelope>, now: Timestamp) -> Result<Position, LogError> {
        let (size, limit) = (envelope.size(), self.settings.max_bytes);
        if size > limit {
            return Err(LogError::TooLarge { size, limit });
        }
        let held = Held::new(envelope, self.settings.keep, now, envelope.clone());
        let position = {
            let mut contents = self.lock();
            if let Some(position) = contents.position(&envelope.id()) {
                return Ok(Position::new(position));
            }
            while contents.expire_one(now).is_some() {}
            while contents.bytes() + size > limit && contents.evict_one().is_some() {}
            Position::new(contents.push(held, now))
        };
        // Two that append at once may come here in either order.
        self.end.send_modify(|end| *end = position.max(*end));
        Ok(position)
    }
}

impl Log for MemoryLog {
    fn instance(&self) -> LogInstance {
        self.instance
    }

    fn append(&self, envelope: &Verified<Envelope>, now: Timestamp) -> Result<Option<Position>, LogError> {
        self.push(envelope, now).map(Some)
    }

    fn append_own(&self, envelope: &Verified<Envelope>, now: Timestamp) -> Result<Durable, LogError> {
        self.push(envelope, now).map(Durable::at)
    }

    fn read(&self, cursor: Cursor, limit: usize) -> Result<Page, CursorError> {
        let mut position = cursor.within(self.instance)?.get();
        let contents = self.lock();
        let mut page = Page { entries: Vec::new(), missed: 0, next: cursor };
        let mut held = contents.after(position);
        while page.entries.len() < limit {
            let Some((next, held)) = held.next() else {
                page.missed += contents.last().saturating_sub(position);
                position = position.max(contents.last());
                break;
            };
            page.missed += next - position - 1;
            position = next;
            page.entries.push(Entry {
                position: Position::new(next),
                envelope: held.content.clone(),
                is_late: held.is_late,
            });
        }
        page.next = self.cursor(position);
        Ok(page)
    }

    fn get(&self, id: &EnvelopeId) -> Option<Verified<Envelope>> {
        let contents = self.lock();
        let envelope = &contents.get(contents.position(id)?)?.content;
        // What is live only was for those who were there.
        (!envelope.lifetime().is_live_only()).then(|| envelope.clone())
    }

    fn is_late(&self, position: Position) -> bool {
        self.lock().get(position.get()).is_some_and(|held| held.is_late)
    }

    fn start(&self) -> Cursor {
        self.cursor(self.lock().before())
    }

    fn end(&self) -> Cursor {
        self.cursor(self.lock().last())
    }

    fn ends(&self) -> watch::Receiver<Position> {
        self.end.subscribe()
    }

    fn expire(&self, now: Timestamp) {
        let mut contents = self.lock();
        while contents.expire_one(now).is_some() {}
    }

    fn withdraw(&self, takes: &dyn Fn(&NodeId, Timestamp) -> bool) {
        drop(self.lock().withdraw(takes));
    }

    fn usage(&self) -> Usage {
        let contents = self.lock();
        Usage { envelopes: contents.len(), bytes: contents.bytes() }
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
        assert_eq!(log.append(&envelope(1, 501, 10, 10), at(501)).unwrap().map(Position::get), Some(5));
    }

    #[test]
    fn many_new_keys_hold_no_more_than_one_sender_that_is_known() {
        let log = log(10_000);
        let size = envelope(1, 0, 60, 500).size();
        // Known for an hour, and holds a third.
        for second in 0..3600 {
            log.append(&envelope(1, second, 60, 500), at(second)).unwrap();
        }
        let known = 10_000 / size / 3;
        for second in 0..known {
            log.append(&envelope(1, 3600 + second as u64, 86_400, 500), at(3600)).unwrap();
        }
        log.expire(at(4000));
        // And a hundred new keys with one message each, twice what there is room for.
        for sender in 100..200 {
            log.append(&envelope(sender, 4000, 86_400, 500), at(4000)).unwrap();
        }
        let left = log.read(log.start(), 999).unwrap().entries;
        let of_known = left.iter().filter(|entry| entry.envelope.sender() == id(1)).count();
        assert_eq!(of_known, known, "they drive out one another");
    }

    #[test]
    fn what_comes_after_something_its_sender_said_later_says_that_it_is_late() {
        let log = log(1 << 20);
        for (sender, second) in [(1, 5), (2, 1), (1, 3), (1, 4), (1, 6)] {
            log.append(&envelope(sender, second, 60, 10), at(6)).unwrap();
        }
        let page = log.read(log.start(), 9).unwrap();
        let late: Vec<_> = page.entries.iter().map(|entry| entry.is_late).collect();
        assert_eq!(late, [false, false, true, true, false]);
        assert!(page.entries.iter().all(|entry| log.is_late(entry.position) == entry.is_late));
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
    fn what_is_withdrawn_is_gone_and_the_rest_stays_where_it_was() {
        let log = log(1 << 20);
        let made: Vec<_> = [(1, 0), (2, 1), (1, 2), (1, 3)].map(|(n, second)| envelope(n, second, 60, 10)).into();
        for envelope in &made {
            log.append(envelope, at(3)).unwrap();
        }
        log.withdraw(&|sender, time| *sender == id(1) && time >= at(2));
        assert_eq!(positions(&log.read(log.start(), 9).unwrap()), [1, 2]);
        assert!(log.get(&made[0].id()).is_some() && log.get(&made[2].id()).is_none());
        assert_eq!(log.usage().envelopes, 2);
        assert_eq!(log.append(&envelope(2, 9, 60, 10), at(9)).unwrap().map(Position::get), Some(5));
    }

    #[test]
    fn the_same_envelope_is_held_once() {
        let log = log(1 << 20);
        let one = envelope(1, 0, 60, 10);
        assert_eq!(log.append(&one, at(0)), log.append(&one, at(0)));
        assert_eq!(log.usage().envelopes, 1);
    }
}
