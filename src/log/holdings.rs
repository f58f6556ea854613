//! Which envelopes a log holds, for how long, and who loses first: the same rules in memory and on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, Lifetime, Timestamp};
use crate::identity::NodeId;

/// What is said live only is held this long, for readers that are a little behind.
const LIVE_FOR: Duration = Duration::from_secs(120);

/// The envelopes of a log by position, each with its content `C` or with where that lies.
#[derive(Debug)]
pub(super) struct Holdings<C> {
    own: NodeId,
    /// What was dropped leaves a gap, which costs nothing.
    entries: BTreeMap<u64, Held<C>>,
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
    #[cfg(feature = "disk")]
    pub(super) time: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) size: usize,
    pub(super) content: C,
}

#[derive(Debug, Default)]
struct Holding {
    bytes: usize,
    positions: BTreeSet<u64>,
}

impl<C> Held<C> {
    /// An envelope that came now, and is held for its lifetime, `keep` at most.
    pub(super) fn new(envelope: &Envelope, keep: Duration, now: Timestamp, content: C) -> Self {
        let (time, lifetime) = (envelope.time(), envelope.lifetime());
        let expires = if lifetime.is_live_only() { now.plus(LIVE_FOR) } else { expires(time, lifetime, keep) };
        let (id, sender, size) = (envelope.id(), envelope.sender(), envelope.size());
        Held {
            id,
            sender,
            #[cfg(feature = "disk")]
            time,
            expires,
            size,
            content,
        }
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
            entries: BTreeMap::new(),
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
        self.entries.first_key_value().map_or(self.last, |(position, _)| position - 1)
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
        self.entries.get(&position)
    }

    #[cfg(feature = "disk")]
    pub(super) fn get_mut(&mut self, position: u64) -> Option<&mut Held<C>> {
        self.entries.get_mut(&position)
    }

    /// What is held after `position`, in order.
    pub(super) fn after(&self, position: u64) -> impl Iterator<Item = (u64, &Held<C>)> + '_ {
        let from = std::ops::Bound::Excluded(position);
        self.entries.range((from, std::ops::Bound::Unbounded)).map(|(position, held)| (*position, held))
    }

    /// Gives the next position to an envelope.
    pub(super) fn push(&mut self, held: Held<C>) -> u64 {
        let position = self.last + 1;
        self.put(position, held);
        position
    }

    /// Holds an envelope again that was given this position in a former run.
    pub(super) fn put(&mut self, position: u64, held: Held<C>) {
        self.last = self.last.max(position);
        self.by_id.insert(held.id, position);
        self.by_expiry.insert((held.expires, position));
        self.bytes += held.size;
        self.change(held.sender, |holding| {
            holding.bytes += held.size;
            holding.positions.insert(position);
        });
        self.entries.insert(position, held);
    }

    /// Positions up to this one were given in a former run.
    #[cfg(feature = "disk")]
    pub(super) fn skip_to(&mut self, position: u64) {
        self.last = self.last.max(position);
    }

    fn remove(&mut self, position: u64) -> Option<Held<C>> {
        let held = self.entries.remove(&position)?;
        self.by_id.remove(&held.id);
        self.by_expiry.remove(&(held.expires, position));
        self.bytes -= held.size;
        self.change(held.sender, |holding| {
            holding.bytes -= held.size;
            holding.positions.remove(&position);
        });
        Some(held)
    }

    fn change(&mut self, sender: NodeId, change: impl FnOnce(&mut Holding)) {
        let holding = self.senders.entry(sender).or_default();
        self.largest.remove(&(holding.bytes, sender));
        change(holding);
        if holding.positions.is_empty() {
            self.senders.remove(&sender);
        } else {
            self.largest.insert((holding.bytes, sender));
        }
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
        let oldest = self.senders.get(&sender).and_then(|holding| holding.positions.first().copied())?;
        Some((oldest, self.remove(oldest)?))
    }
}
