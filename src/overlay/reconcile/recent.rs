//! A bounded memory of what happened lately.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::Instant;

/// Remembers what is put in for one to two periods, and less when more is put in than it holds.
#[derive(Debug)]
pub(super) struct Recent<K> {
    newer: BTreeSet<K>,
    older: BTreeSet<K>,
    began: Instant,
    period: Duration,
    capacity: usize,
}

impl<K: Ord> Recent<K> {
    /// An empty memory of two generations of `capacity`.
    pub(super) fn new(period: Duration, capacity: usize) -> Self {
        Recent { newer: BTreeSet::new(), older: BTreeSet::new(), began: Instant::default(), period, capacity }
    }

    pub(super) fn insert(&mut self, now: Instant, key: K) {
        self.age(now);
        if self.newer.len() >= self.capacity {
            self.turn(now);
        }
        self.newer.insert(key);
    }

    pub(super) fn contains(&mut self, now: Instant, key: &K) -> bool {
        self.age(now);
        self.newer.contains(key) || self.older.contains(key)
    }

    fn age(&mut self, now: Instant) {
        if now.since(self.began) >= self.period * 2 {
            self.newer.clear();
        }
        if now.since(self.began) >= self.period {
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Instant) {
        self.older = std::mem::take(&mut self.newer);
        self.began = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_known_for_a_while_and_memory_is_bounded() {
        let at = |s| Instant::at(Duration::from_secs(s));
        let mut recent = Recent::new(Duration::from_secs(10), 100);
        recent.insert(at(0), 1);
        assert!(recent.contains(at(9), &1) && recent.contains(at(19), &1));
        assert!(!recent.contains(at(29), &1));
        recent.insert(at(30), 2);
        assert!(!recent.contains(at(60), &2), "nothing happened for a long time");
        for n in 0..1_000 {
            recent.insert(at(60), n);
        }
        assert!(recent.newer.len() + recent.older.len() <= 200);
        assert!(recent.contains(at(60), &999) && !recent.contains(at(60), &0));
    }
}
