//! Keys that are asked for so often that a table of their multiples pays.

use std::time::{Duration, Instant};

use super::{NodeId, PublicKey};

/// A key that is asked for so often within [`WINDOW`] gets a table. Making one takes as long as it spares in some hundred
/// verifications: whoever has tables made for nothing makes each of the envelopes that it takes a twentieth dearer to verify.
pub(super) const OFTEN: u32 = 512;
/// What "often" refers to. Who speaks less than some fifty times a second is verified soon enough without, and its table would
/// have left the processor's caches between two messages, which costs what it spares.
pub(super) const WINDOW: Duration = Duration::from_secs(10);
/// A table that nobody asks for so long is given back.
pub(super) const REST: Duration = Duration::from_secs(60);
/// As many tables as there are at most: 240 KiB. Who comes when all are taken goes without; a table in use is not taken away
/// for another, or senders by turns would have tables made and thrown away for nothing.
///
/// None in a program that is built for a processor with AVX-512 (`target-cpu=native` there): the library then does the whole
/// equation in its vectors, in four fifths of what it takes with a table.
pub(super) const TABLES: usize =
    if cfg!(all(target_feature = "avx512dq", target_feature = "avx512ifma")) { 0 } else { MOST_TABLES };
pub(super) const MOST_TABLES: usize = 8;

/// How often a key was asked for of late.
#[derive(Debug)]
pub(super) struct Uses {
    since: Instant,
    count: u32,
}

impl Uses {
    pub(super) fn first(now: Instant) -> Self {
        Uses { since: now, count: 1 }
    }

    /// Counts one more, and says whether that is often.
    pub(super) fn add(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= WINDOW {
            *self = Uses { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count >= OFTEN
    }

    /// Counts from nothing again: what was due is being done.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Uses { since: now, count: 0 };
    }
}

/// The keys that have their tables, and when each was asked for last.
#[derive(Debug)]
pub(super) struct Frequent {
    keys: Vec<(PublicKey, Instant)>,
    most: usize,
}

impl Frequent {
    /// No tables yet, and `most` at most.
    pub(super) fn new(most: usize) -> Self {
        Frequent { keys: Vec::new(), most }
    }

    pub(super) fn get(&mut self, id: &NodeId, now: Instant) -> Option<PublicKey> {
        self.keys.retain(|(_, used)| now.saturating_duration_since(*used) < REST);
        let (key, used) = self.keys.iter_mut().find(|(key, _)| key.id() == *id)?;
        *used = now;
        Some(key.clone())
    }

    pub(super) fn has_room(&self) -> bool {
        self.keys.len() < self.most
    }

    pub(super) fn keep(&mut self, key: PublicKey, now: Instant) {
        // Two threads may have made two tables at once, of one key or for the last place.
        if self.has_room() && !self.keys.iter().any(|(kept, _)| *kept == key) {
            self.keys.push((key, now));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
