//! The core's alarm clock.

use std::collections::{BTreeMap, BTreeSet};

use super::Instant;

/// One deadline for each key. Ordered in every respect, so that two runs ring in the same order.
#[derive(Debug)]
pub(super) struct Timers<K> {
    deadline: BTreeMap<K, Instant>,
    queue: BTreeSet<(Instant, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Timers { deadline: BTreeMap::new(), queue: BTreeSet::new() }
    }
}

impl<K: Copy + Ord> Timers<K> {
    /// Rings `key` at `at`, instead of whenever it would have rung.
    pub(super) fn set(&mut self, key: K, at: Instant) {
        self.clear(key);
        self.deadline.insert(key, at);
        self.queue.insert((at, key));
    }

    /// Rings `key` at `at` at the latest.
    pub(super) fn set_earlier(&mut self, key: K, at: Instant) {
        if self.deadline.get(&key).is_none_or(|set| at < *set) {
            self.set(key, at);
        }
    }

    /// Does not ring `key`.
    pub(super) fn clear(&mut self, key: K) {
        if let Some(at) = self.deadline.remove(&key) {
            self.queue.remove(&(at, key));
        }
    }

    /// The next key that is due, taken off.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.clear(key);
        Some(key)
    }

    /// When the next one rings.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_key_rings_once_at_its_last_setting() {
        let at = |s| Instant::at(Duration::from_secs(s));
        let mut timers = Timers::default();
        timers.set('a', at(5));
        timers.set('b', at(3));
        timers.set('a', at(2));
        timers.set_earlier('b', at(9));
        timers.set('c', at(1));
        timers.clear('c');
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.pop_due(at(1)), None);
        assert_eq!(timers.pop_due(at(4)), Some('a'));
        assert_eq!(timers.pop_due(at(4)), Some('b'));
        assert_eq!((timers.pop_due(at(99)), timers.next()), (None, None));
    }
}
