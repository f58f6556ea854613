//! The index's ids in the order of their times: what is to be forgotten first, and what neighbours compare.

use std::collections::{BTreeMap, BTreeSet};

use crate::envelope::{EnvelopeId, Timestamp};

type Key = (Timestamp, EnvelopeId);

/// Ids by time; those that are compared apart from the others, so that a flood of what is not does not stand between them.
#[derive(Debug, Default)]
pub(super) struct ByTime {
    /// With the time until when each lives.
    compared: BTreeMap<Key, Timestamp>,
    others: BTreeSet<Key>,
}

impl ByTime {
    /// `lives`: until when the envelope lives, if it is compared.
    pub(super) fn insert(&mut self, key: Key, lives: Option<Timestamp>) {
        match lives {
            Some(lives) => drop(self.compared.insert(key, lives)),
            None => drop(self.others.insert(key)),
        }
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if self.compared.remove(key).is_none() {
            self.others.remove(key);
        }
    }

    /// Takes off the oldest.
    pub(super) fn pop_first(&mut self) -> Option<Key> {
        match (self.compared.first_key_value(), self.others.first()) {
            (Some((compared, _)), Some(other)) if compared < other => self.compared.pop_first().map(|(key, _)| key),
            (Some(_), None) => self.compared.pop_first().map(|(key, _)| key),
            _ => self.others.pop_first(),
        }
    }

    /// What is compared, with a time from `from` to before `to`, in the order of (time, id), with the time until when it
    /// lives.
    pub(super) fn compared(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> impl DoubleEndedIterator<Item = (Key, Timestamp)> + '_ {
        let lowest = |time| (time, EnvelopeId::from_bytes([0; 32]));
        // A range that ends before it begins is nothing to a map but a panic.
        self.compared.range(lowest(from.min(to))..lowest(to)).map(|(key, lives)| (*key, *lives))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.compared.len() + self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_whether_it_is_compared_or_not() {
        let key = |n: u8| (Timestamp::from_micros(n.into()).unwrap(), EnvelopeId::from_bytes([n; 32]));
        let lives = Some(Timestamp::MAX);
        let mut by_time = ByTime::default();
        for (n, lives) in [(5, lives), (1, None), (3, lives), (2, None), (4, None), (6, lives)] {
            by_time.insert(key(n), lives);
        }
        let (from, to) = (key(2).0, key(6).0);
        assert_eq!(by_time.compared(from, to).map(|(key, _)| key).collect::<Vec<_>>(), [key(3), key(5)]);
        assert_eq!(by_time.compared(to, from).count(), 0);
        by_time.remove(&key(4));
        by_time.remove(&key(5));
        assert_eq!(by_time.len(), 4);
        assert_eq!(std::iter::from_fn(|| by_time.pop_first()).collect::<Vec<_>>(), [1, 2, 3, 6].map(key));
    }
}
