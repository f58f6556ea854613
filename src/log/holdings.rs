//! Which envelopes a log holds, for how long, and who loses first: the same rules in memory and on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, Lifetime, Timestamp};
use crate::identity::NodeId;

use super::pages::Pages;

/// What is said live only is held this long, for readers that are a little behind.
const LIVE_FOR: Duration = Duration::from_secs(120);

/// A sender is new for so long. All that are new together may hold as much as one that is not, since keys cost nothing.
const NEW_FOR: Duration = Duration::from_secs(3600);

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
    /// Which of those who are not new hold how much: the last loses first.
    largest: BTreeSet<(usize, NodeId)>,
    newcomers: Newcomers,
    bytes: usize,
    /// The latest time that an envelope of a former run shows: it came then or later.
    #[cfg(feature = "disk")]
    arrived: Timestamp,
}

/// Senders that were first seen within the hour.
#[derive(Debug, Default)]
struct Newcomers {
    since: BTreeSet<(Timestamp, NodeId)>,
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
    /// Since when it has held something, as long as it is new.
    new_since: Option<Timestamp>,
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
            newcomers: Newcomers::default(),
            bytes: 0,
            #[cfg(feature = "disk")]
            arrived: Timestamp::default(),
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

    /// Gives the next position to an envelope that came now.
    pub(super) fn push(&mut self, held: Held<C>, now: Timestamp) -> u64 {
        let position = self.last + 1;
        self.put(position, held, now);
        position
    }

    /// Holds an envelope at a position later than every one before.
    fn put(&mut self, position: u64, held: Held<C>, now: Timestamp) {
        let sender = held.sender;
        self.grow_up(now);
        let before = self.senders.get(&sender).map_or(0, |holding| holding.bytes);
        let after = self.note(position, held, now);
        let is_new = self.senders.get(&sender).is_some_and(|holding| holding.new_since.is_some());
        self.rank(sender, is_new, before, after);
    }

    /// Holds envelopes again that were given these rising positions in a former run. Who holds most is found out once, at
    /// the end.
    #[cfg(feature = "disk")]
    pub(super) fn put_back(&mut self, position: u64, held: Held<C>, now: Timestamp) {
        // Nobody noted when it came; but not before anything that came before it was made, as far as that is not ahead.
        self.arrived = now.min(self.arrived.max(held.time));
        self.note(position, held, self.arrived);
    }

    /// All were put back.
    #[cfg(feature = "disk")]
    pub(super) fn all_back(&mut self) {
        for (sender, holding) in &self.senders {
            let ranks = if holding.new_since.is_some() { &mut self.newcomers.largest } else { &mut self.largest };
            ranks.insert((holding.bytes, *sender));
        }
        self.newcomers.bytes = self.newcomers.largest.iter().map(|(bytes, _)| bytes).sum();
    }

    /// Everything of `put` but the ranking. Says what the sender holds now.
    fn note(&mut self, position: u64, mut held: Held<C>, came: Timestamp) -> usize {
        self.last = self.last.max(position);
        self.by_id.insert(held.id, position);
        self.by_expiry.insert((held.expires, position));
        self.bytes += held.size;
        let (since, newcomers) = ((held.sender != self.own).then_some(came), &mut self.newcomers);
        let holding = self.senders.entry(held.sender).or_insert_with(|| {
            newcomers.since.extend(since.map(|since| (since, held.sender)));
            Holding { new_since: since, ..Holding::default() }
        });
        holding.add(position, held.size);
        held.is_late = held.time < holding.newest;
        holding.newest = held.time.max(holding.newest);
        let holds = holding.bytes;
        self.entries.insert(position, held);
        holds
    }

    fn rank(&mut self, sender: NodeId, is_new: bool, before: usize, after: usize) {
        let ranks = if is_new { &mut self.newcomers.largest } else { &mut self.largest };
        ranks.remove(&(before, sender));
        if self.senders.contains_key(&sender) {
            ranks.insert((after, sender));
        }
        if is_new {
            self.newcomers.bytes = self.newcomers.bytes + after - before;
        }
    }

    /// Whoever was first seen an hour before `now` is not new any more.
    fn grow_up(&mut self, now: Timestamp) {
        while let Some((since, sender)) = self.newcomers.since.first().copied()
            && since.plus(NEW_FOR) <= now
        {
            self.newcomers.since.pop_first();
            if let Some(holding) = self.senders.get_mut(&sender) {
                holding.new_since = None;
                let rank = (holding.bytes, sender);
                self.newcomers.largest.remove(&rank);
                self.newcomers.bytes -= rank.0;
                self.largest.insert(rank);
            }
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

    pub(super) fn remove(&mut self, position: u64) -> Option<Held<C>> {
        let held = self.entries.remove(position)?;
        self.by_id.remove(&held.id);
        self.by_expiry.remove(&(held.expires, position));
        self.bytes -= held.size;
        if let Some(holding) = self.senders.get_mut(&held.sender) {
            let before = holding.bytes;
            holding.take(position, held.size, |position| {
                self.entries.get(position).is_some_and(|other| other.sender == held.sender)
            });
            let (after, new_since, is_empty) = (holding.bytes, holding.new_since, holding.count == 0);
            if is_empty {
                self.senders.remove(&held.sender);
                if let Some(since) = new_since {
                    self.newcomers.since.remove(&(since, held.sender));
                }
            }
            self.rank(held.sender, new_since.is_some(), before, after);
        }
        Some(held)
    }

    /// Drops the next envelope whose time is over.
    pub(super) fn expire_one(&mut self, now: Timestamp) -> Option<(u64, Held<C>)> {
        let (_, position) = self.by_expiry.first().copied().filter(|(expires, _)| *expires < now)?;
        Some((position, self.remove(position)?))
    }

    /// Drops what `takes` names by sender and time.
    pub(super) fn withdraw(&mut self, takes: impl Fn(&NodeId, Timestamp) -> bool) -> Vec<(u64, Held<C>)> {
        let named = self.after(0).filter(|(_, held)| takes(&held.sender, held.time)).map(|(position, _)| position);
        let named: Vec<u64> = named.collect();
        named.into_iter().filter_map(|position| Some((position, self.remove(position)?))).collect()
    }

    /// Drops the oldest message of whoever holds most, where all newcomers count as one; the node's own only when there is
    /// nobody else's.
    pub(super) fn evict_one(&mut self) -> Option<(u64, Held<C>)> {
        let known = self.largest.iter().rev().find(|(_, sender)| *sender != self.own);
        let new = self.newcomers.largest.last();
        let first = match (known, new) {
            (Some((bytes, _)), Some(_)) if self.newcomers.bytes > *bytes => new,
            _ => known.or(new),
        };
        let (_, sender) = first.or(self.largest.last()).copied()?;
        loop {
            let oldest = *self.senders.get(&sender)?.positions.front()?;
            if let Some(held) = self.remove(oldest) {
                return Some((oldest, held));
            }
            self.senders.get_mut(&sender)?.positions.pop_front();
        }
    }
}
