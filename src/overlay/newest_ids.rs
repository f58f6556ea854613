//! Ids of which nobody asks more than whether they are there: presences that were seen, envelopes that came late.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use crate::envelope::EnvelopeId;

use super::index::IdHash;

/// The newest ids that were put in, as 8 bytes each, made of them with a key that nobody else knows: two agree once in a
/// million million pairs, and nobody can make two that do. `most` are remembered for certain, and at most twice as many.
#[derive(Debug)]
pub(super) struct NewestIds {
    key: IdHash,
    newer: Marks,
    older: Marks,
    most: usize,
}

/// Looked up and never iterated: its order can influence nothing.
type Marks = HashSet<u64, BuildHasherDefault<AsItIs>>;

impl NewestIds {
    pub(super) fn new(most: usize, key: IdHash) -> Self {
        NewestIds { key, newer: Marks::default(), older: Marks::default(), most: most.max(1) }
    }

    pub(super) fn contains(&self, id: &EnvelopeId) -> bool {
        let mark = self.key.hash_one(id);
        self.newer.contains(&mark) || self.older.contains(&mark)
    }

    pub(super) fn insert(&mut self, id: &EnvelopeId) {
        if self.newer.len() >= self.most {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(self.key.hash_one(id));
    }

    /// It may come again as new.
    pub(super) fn remove(&mut self, id: &EnvelopeId) {
        let mark = self.key.hash_one(id);
        self.newer.remove(&mark);
        self.older.remove(&mark);
    }

    /// All may come again as new.
    pub(super) fn clear(&mut self) {
        (self.newer, self.older) = Default::default();
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.newer.len() + self.older.len()
    }
}

/// A mark is a hash already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, mark: u64) {
        self.0 = mark;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> EnvelopeId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        EnvelopeId::from_bytes(bytes)
    }

    #[test]
    fn the_newest_are_remembered_and_no_more_than_twice_as_many() {
        let mut passing = NewestIds::new(1000, IdHash::new([3, 5]));
        for n in 0..10_000 {
            assert!(!passing.contains(&id(n)));
            passing.insert(&id(n));
            assert!(n < 1000 || (n - 999..=n).step_by(97).all(|n| passing.contains(&id(n))));
            assert!(passing.len() <= 2000);
        }
        passing.remove(&id(9_999));
        assert!(!passing.contains(&id(9_999)) && passing.contains(&id(9_998)) && !passing.contains(&id(0)));
    }
}
