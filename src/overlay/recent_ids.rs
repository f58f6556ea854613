//! The newest envelopes by their short names: what is told by such a name is known, and what is asked for by it found.

use std::collections::HashMap;

use crate::envelope::{EnvelopeId, ShortId};

use super::index::IdHash;

/// So many are found for certain, and at most twice as many. At thousands of messages a second that is some seconds: a
/// short name is told within a fraction of one.
const MOST: usize = 16_384;

/// The ids of the newest envelopes. Of two with the same short name the later one is found.
#[derive(Debug)]
pub(super) struct RecentIds {
    // Looked up and never iterated: their order can influence nothing.
    newer: HashMap<ShortId, EnvelopeId, IdHash>,
    older: HashMap<ShortId, EnvelopeId, IdHash>,
}

impl RecentIds {
    pub(super) fn new(hash: IdHash) -> Self {
        RecentIds { newer: HashMap::with_hasher(hash.clone()), older: HashMap::with_hasher(hash) }
    }

    pub(super) fn insert(&mut self, id: EnvelopeId) {
        if self.newer.len() >= MOST {
            std::mem::swap(&mut self.newer, &mut self.older);
            // It keeps its room: it is filled again.
            self.newer.clear();
        }
        self.newer.insert(ShortId::from(&id), id);
    }

    /// It may come again as new.
    pub(super) fn remove(&mut self, id: &EnvelopeId) {
        let short = ShortId::from(id);
        for ids in [&mut self.newer, &mut self.older] {
            if ids.get(&short) == Some(id) {
                ids.remove(&short);
            }
        }
    }

    /// The whole id.
    pub(super) fn get(&self, short: ShortId) -> Option<EnvelopeId> {
        self.newer.get(&short).or_else(|| self.older.get(&short)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize, end: u8) -> EnvelopeId {
        let mut bytes = [end; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        EnvelopeId::from_bytes(bytes)
    }

    #[test]
    fn the_newest_are_found_and_no_more_than_twice_as_many_are_held() {
        let mut recent = RecentIds::new(IdHash::new([3, 5]));
        for n in 0..5 * MOST {
            recent.insert(id(n, 1));
            let oldest = (n + 1).saturating_sub(MOST);
            for n in [oldest, n] {
                assert_eq!(recent.get(ShortId::from(&id(n, 1))), Some(id(n, 1)));
            }
            assert!(recent.newer.len() + recent.older.len() <= 2 * MOST);
        }
        assert_eq!(recent.get(ShortId::from(&id(0, 1))), None);
    }

    #[test]
    fn of_two_with_one_short_name_the_later_is_found_and_the_other_takes_nothing_with_it() {
        let mut recent = RecentIds::new(IdHash::new([3, 5]));
        let (one, two) = (id(7, 1), id(7, 2));
        recent.insert(one);
        recent.insert(two);
        assert_eq!(recent.get(ShortId::from(&one)), Some(two));
        recent.remove(&one);
        assert_eq!(recent.get(ShortId::from(&one)), Some(two));
        recent.remove(&two);
        assert_eq!(recent.get(ShortId::from(&one)), None);
    }
}
