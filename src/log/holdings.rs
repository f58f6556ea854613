//! Which envelopes a log holds, for how long, and who loses first: the same rules in memory and on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, Lifetime, Timestamp};
use crate::identity::NodeId;

use super::pages::Pages;

/// What is said live only is held this long, for readers that are a little behind.
const LIVE_FOR: Duration = Duration::from_secs(120);

/// The envelopes of a log by position, each with its content `C` or with where that lies.
#[derive(Debug)]
pub(super) struct Holdings<C> {
    own: NodeId,
    entries: Pages<Held<C>>,
    /// The last position that was given.
    last: u64,
    by_id: HashMap<EnvelopeId, u64>,
    by_expiry: BTreeSet<(Timestamp, u64)>,
    senders: BTreeMap<NodeId, Holding>,
    /// Who holds how much: the last loses first.
    largest: BTreeSet<(usize, NodeId)>,
    bytes: usize,
}

/// One envelope that is held.
#[derive(Debug)]
pub(super) struct Held<C> {
    pub(super) id: EnvelopeId,
    pub(super) sender: NodeId,
    pub(super) time: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) size: usize,
    pub(super) content: C,
    /// It came after one that its sender made later.
    pub(super) is_late: bool,
}

/// What one sender holds.
#[derive(Debug, Default)]
struct Holding {
    bytes: usize,
    count: usize,
    /// Rising, as they were given; may name some that are held no longer.
    positions: VecDeque<u64>,
    /// The latest time of what it was seen to hold.
    newest: Timestamp,
}

impl Holding {
    fn add(&mut self, position: u64, size: usize) {
        self.bytes += size;
        self.count += 1;
        self.positions.push_back(position);
    }

    /// Takes one out. The list is put in order now and then, so that it is never much longer than what is held.
    fn take(&mut self, position: u64, size: usize, is_held: impl Fn(u64) -> bool) {
        self.bytes -= size;
        self.count -= 1;
        if self.positions.front() == Some(&position) {
            self.positions.pop_front();
        } else if self.positions.len() > 2 * self.count + 16 {
            self.positions.retain(|position| is_held(*position));
        }
    }
}

impl<C> Held<C> {
    /// An envelope that came now, and is held for its lifetime, `keep` at most.
    pub(super) fn new(envelope: &Envelope, keep: Duration, now: Timestamp, content: C) -> Self {
        let (time, lifetime) = (envelope.time(), envelope.lifetime());
        let expires = if lifetime.is_live_only() { now.plus(LIVE_FOR) } else { expires(time, lifetime, keep) };
        let (id, sender, size) = (envelope.id(), envelope.sender(), envelope.size());
        Held { id, sender, time, expires, size, content, is_late: false }
    }
}

/// Until when an envelope with a lifetime is held.
pub(super) fn expires(time: Timestamp, lifetime: Lifetime, keep: Duration) -> Timestamp {
    time.plus(Duration::from(lifetime).min(keep))
}

impl<C> Holdings<C> {
    /// Nothing yet, of the node `own`, whose envelopes go last.
    pub(super) fn new(own: NodeId) -> Self {
        Holdings {
            own,
            entries: Pages::new(),
            last: 0,
            by_id: HashMap::new(),
            by_expiry: BTreeSet::new(),
            senders: BTreeMap::new(),
            largest: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// The last position that was given.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The position before everything that is held.
    pub(super) fn before(&self) -> u64 {
        self.entries.first().map_or(self.last, |position| position - 1)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn position(&self, id: &EnvelopeId) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get(&self, position: u64) -> Option<&Held<C>> {
        self.entries.get(position)
    }

    #[cfg(feature = "disk")]
    pub(super) fn get_mut(&mut self, position: u64) -> Option<&mut Held<C>> {
        self.entries.get_mut(position)
    }

    /// What is held after `position`, in order.
    pub(super) fn after(&self, position: u64) -> impl Iterator<Item = (u64, &Held<C>)> + '_ {
        self.entries.after(Some(position))
    }

    /// Gives the next position to an envelope.
    pub(super) fn push(&mut self, held: Held<C>) -> u64 {
        let position = self.last + 1;
        self.put(position, held);
        position
    }

    /// Holds an envelope at a position later than every one before.
    fn put(&mut self, position: u64, held: Held<C>) {
        let sender = held.sender;
        let before = self.senders.get(&sender).map_or(0, |holding| holding.bytes);
        let after = self.note(position, held);
        self.rank(sender, before, after);
    }

    /// Holds envelopes again that were given these rising positions in a former run. Who holds most is found out once, at
    /// the end.
    #[cfg(feature = "disk")]
    pub(super) fn put_back(&mut self, position: u64, held: Held<C>) {
        self.note(position, held);
    }

    /// All were put back.
    #[cfg(feature = "disk")]
    pub(super) fn all_back(&mut self) {
        self.largest = self.senders.iter().map(|(sender, holding)| (holding.bytes, *sender)).collect();
    }

    /// Everything of `put` but the ranking. Says what the sender holds now.
    fn note(&mut self, position: u64, mut held: Held<C>) -> usize {
        self.last = self.last.max(position);
        self.by_id.insert(held.id, position);
        self.by_expiry.insert((held.expires, position));
        self.bytes += held.size;
        let holding = self.senders.entry(held.sender).or_default();
        holding.add(position, held.size);
        held.is_late = held.time < holding.newest;
        holding.newest = held.time.max(holding.newest);
        let holds = holding.bytes;
        self.entries.insert(position, held);
        holds
    }

    fn rank(&mut self, sender: NodeId, before: usize, after: usize) {
        self.largest.remove(&(before, sender));
        if self.senders.contains_key(&sender) {
            self.largest.insert((after, sender));
        }
    }

    /// Room for so many more at once.
    #[cfg(feature = "disk")]
    pub(super) fn reserve(&mut self, count: usize) {
        self.by_id.reserve(count);
    }

    /// Positions up to this one were given in a former run.
    #[cfg(feature = "disk")]
    pub(super) fn skip_to(&mut self, position: u64) {
        self.last = self.last.max(position);
    }

    fn remove(&mut self, position: u64) -> Option<Held<C>> {
        let held = self.entries.remove(position)?;
        self.by_id.remove(&held.id);
        self.by_expiry.remove(&(held.expires, position));
        self.bytes -= held.size;
        if let Some(holding) = self.senders.get_mut(&held.sender) {
            let before = holding.bytes;
            holding.take(position, held.size, |position| {
                self.entries.get(position).is_some_and(|other| other.sender == held.sender)
            });
            let (after, is_empty) = (holding.bytes, holding.count == 0);
            if is_empty {
                self.senders.remove(&held.sender);
            }
            self.rank(held.sender, before, after);
        }
        Some(held)
    }

    /// Drops the next envelope whose time is over.
    pub(super) fn expire_one(&mut self, now: Timestamp) -> Option<(u64, Held<C>)> {
        let (_, position) = self.by_expiry.first().copied().filter(|(expires, _)| *expires < now)?;
        Some((position, self.remove(position)?))
    }

    /// Drops the oldest message of whoever holds most; the node's own only when there is nobody else's.
    pub(super) fn evict_one(&mut self) -> Option<(u64, Held<C>)> {
        let others = self.largest.iter().rev().find(|(_, sender)| *sender != self.own);
        let (_, sender) = others.or(self.largest.last()).copied()?;
        loop {
            let oldest = *self.senders.get(&sender)?.positions.front()?;
            if let Some(held) = self.remove(oldest) {
                return Some((oldest, held));
            }
            self.senders.get_mut(&sender)?.positions.pop_front();
        }
    }
}
