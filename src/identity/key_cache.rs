//! Decoded public keys, kept.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use super::frequent::{Frequent, TABLES, Uses};
use super::{KeyError, NodeId, PublicKey};

/// Keeps decoded keys, so that the many envelopes of one sender decode its key once.
///
/// Two generations: a key that is asked for moves to the young one; when that is full it becomes the old one, and what
/// was old is forgotten. So the cache is bounded by twice its size, without a list to keep in order, and a stranger's
/// flood of new keys costs the flood's own decoding only.
///
/// A key that is asked for 512 times within ten seconds gets a table of its multiples, with which verifying
/// takes a quarter less time; 8 keys at most, of 30 KiB each, given back after a minute without use. (Not
/// in a program that is built for a processor with AVX-512, where the library needs less time without.)
#[derive(Debug)]
pub struct KeyCache {
    generations: Mutex<Generations>,
    size: usize,
}

#[derive(Debug)]
struct Generations {
    // Boxed: half of a table's places may be empty, and a decoded key is large.
    young: HashMap<NodeId, Box<Kept>>,
    old: HashMap<NodeId, Box<Kept>>,
    frequent: Frequent,
}

#[derive(Debug)]
struct Kept {
    key: PublicKey,
    uses: Uses,
}

/// What the cache has of a key.
enum Found {
    Key(PublicKey),
    /// It is time for a table of its multiples.
    Due(PublicKey),
}

impl KeyCache {
    /// A cache of `size` to `2 × size` keys (about 250 bytes each).
    pub fn new(size: usize) -> Self {
        KeyCache::with_tables(size, TABLES)
    }

    fn with_tables(size: usize, tables: usize) -> Self {
        let (young, old, frequent) = (HashMap::new(), HashMap::new(), Frequent::new(tables));
        KeyCache { generations: Mutex::new(Generations { young, old, frequent }), size: size.max(1) }
    }

    /// The key that `id` names, decoded now if it is not kept.
    ///
    /// # Errors
    /// Those of [`PublicKey::decode`]; a refused key is not kept.
    pub fn get(&self, id: &NodeId) -> Result<PublicKey, KeyError> {
        self.get_at(id, Instant::now())
    }

    fn get_at(&self, id: &NodeId, now: Instant) -> Result<PublicKey, KeyError> {
        // Decoding takes as long as a verification, and multiples take thirty: both are done outside the lock.
        match self.find(id, now) {
            Some(Found::Key(key)) => Ok(key),
            Some(Found::Due(key)) => {
                let key = key.with_multiples();
                self.lock().frequent.keep(key.clone(), now);
                Ok(key)
            }
            None => {
                let key = PublicKey::decode(id)?;
                self.lock().keep(*id, Box::new(Kept { key: key.clone(), uses: Uses::first(now) }), self.size);
                Ok(key)
            }
        }
    }

    fn find(&self, id: &NodeId, now: Instant) -> Option<Found> {
        let mut generations = self.lock();
        if let Some(key) = generations.frequent.get(id, now) {
            return Some(Found::Key(key));
        }
        if let Some(kept) = generations.old.remove(id) {
            generations.keep(*id, kept, self.size);
        }
        let has_room = generations.frequent.has_room();
        let kept = generations.young.get_mut(id)?;
        let key = kept.key.clone();
        if kept.uses.add(now) && has_room {
            kept.uses.restart(now);
            return Some(Found::Due(key));
        }
        Some(Found::Key(key))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        // A panic while holding the lock leaves two valid maps: nothing to distrust.
        self.generations.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Generations {
    fn keep(&mut self, id: NodeId, kept: Box<Kept>, size: usize) {
        if self.young.len() >= size {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, kept);
    }
}

impl Default for KeyCache {
    /// 4,096 keys: as many as a node knows members.
    fn default() -> Self {
        KeyCache::new(4096)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::Identity;
    use crate::identity::frequent::{MOST_TABLES, OFTEN, REST};

    fn ids(count: u8) -> Vec<NodeId> {
        (0..count).map(|n| Identity::from_seed(&[n; 32]).id()).collect()
    }

    fn ask(cache: &KeyCache, id: &NodeId, times: u32, now: Instant) -> bool {
        (0..times).map(|_| cache.get_at(id, now).unwrap()).last().unwrap().has_multiples()
    }

    #[test]
    fn a_key_asked_for_often_has_its_multiples_until_it_rests() {
        let (cache, id, start) = (KeyCache::with_tables(4, MOST_TABLES), ids(1)[0], Instant::now());
        assert!(!ask(&cache, &id, OFTEN - 1, start));
        assert!(ask(&cache, &id, 1, start));
        assert!(ask(&cache, &id, 1, start + REST - Duration::from_nanos(1)));
        assert!(ask(&cache, &id, 1, start + REST), "asked for just before");
        let rested = start + REST + REST;
        assert!(!ask(&cache, &id, OFTEN - 1, rested));
        assert_eq!(cache.lock().frequent.len(), 0);
        assert!(ask(&cache, &id, 1, rested));
    }

    #[test]
    fn a_key_asked_for_seldom_gets_no_multiples_however_often_in_all() {
        let (cache, id, start) = (KeyCache::with_tables(4, MOST_TABLES), ids(1)[0], Instant::now());
        for second in 0..60 {
            assert!(!ask(&cache, &id, 50, start + Duration::from_secs(second)));
        }
        assert_eq!(cache.lock().frequent.len(), 0);
    }

    #[test]
    fn tables_of_multiples_are_few_however_many_senders_are_frequent() {
        let (cache, ids, now) = (KeyCache::with_tables(4, MOST_TABLES), ids(20), Instant::now());
        for round in 0..2 {
            for (number, id) in ids.iter().enumerate() {
                assert_eq!(ask(&cache, id, OFTEN, now), number < MOST_TABLES, "{number} in round {round}");
            }
            assert_eq!(cache.lock().frequent.len(), MOST_TABLES);
        }
        // The first who comes when one has rested gets the place.
        let later = now + REST - Duration::from_nanos(1);
        ids.iter().take(MOST_TABLES).skip(1).for_each(|id| assert!(ask(&cache, id, 1, later)));
        assert!(ask(&cache, &ids[MOST_TABLES], OFTEN, now + REST));
        assert!(!ask(&cache, &ids[0], OFTEN, now + REST));
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_in_use() {
        let cache = KeyCache::with_tables(4, MOST_TABLES);
        let ids = ids(20);
        for id in &ids {
            assert_eq!(cache.get(id).unwrap().id(), *id);
            assert_eq!(cache.get(&ids[0]).unwrap().id(), ids[0]);
            let generations = cache.lock();
            assert!(generations.young.len() <= 4 && generations.old.len() <= 4);
            assert!(generations.young.contains_key(&ids[0]) || generations.old.contains_key(&ids[0]));
        }
    }
}
