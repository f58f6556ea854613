//! Decoded public keys, kept.

use std::collections::HashMap;
use std::sync::Mutex;

use super::{KeyError, NodeId, PublicKey};

/// Keeps decoded keys, so that the many envelopes of one sender decode its key once.
///
/// Two generations: a key that is asked for moves to the young one; when that is full it becomes the old one, and what
/// was old is forgotten. So the cache is bounded by twice its size, without a list to keep in order, and a stranger's
/// flood of new keys costs the flood's own decoding only.
#[derive(Debug)]
pub struct KeyCache {
    generations: Mutex<Generations>,
    size: usize,
}

#[derive(Debug, Default)]
struct Generations {
    // Boxed: half of a table's places may be empty, and a decoded key is large.
    young: HashMap<NodeId, Box<PublicKey>>,
    old: HashMap<NodeId, Box<PublicKey>>,
}

impl KeyCache {
    /// A cache of `size` to `2 × size` keys (about 250 bytes each).
    pub fn new(size: usize) -> Self {
        KeyCache { generations: Mutex::default(), size: size.max(1) }
    }

    /// The key that `id` names, decoded now if it is not kept.
    ///
    /// # Errors
    /// Those of [`PublicKey::decode`]; a refused key is not kept.
    pub fn get(&self, id: &NodeId) -> Result<PublicKey, KeyError> {
        if let Some(key) = self.kept(id) {
            return Ok(key);
        }
        // Decoded outside the lock: it takes as long as a verification.
        let key = PublicKey::decode(id)?;
        self.keep(*id, Box::new(key.clone()));
        Ok(key)
    }

    fn kept(&self, id: &NodeId) -> Option<PublicKey> {
        let mut generations = self.lock();
        if let Some(key) = generations.young.get(id) {
            return Some(PublicKey::clone(key));
        }
        let kept = generations.old.remove(id)?;
        drop(generations);
        let key = PublicKey::clone(&kept);
        self.keep(*id, kept);
        Some(key)
    }

    fn keep(&self, id: NodeId, key: Box<PublicKey>) {
        let mut generations = self.lock();
        if generations.young.len() >= self.size {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(id, key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        // A panic while holding the lock leaves two valid maps: nothing to distrust.
        self.generations.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
    use super::*;
    use crate::identity::Identity;

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_in_use() {
        let cache = KeyCache::new(4);
        let ids: Vec<_> = (0..20_u8).map(|n| Identity::from_seed(&[n; 32]).id()).collect();
        for id in &ids {
            assert_eq!(cache.get(id).unwrap().id(), *id);
            assert_eq!(cache.get(&ids[0]).unwrap().id(), ids[0]);
            let generations = cache.lock();
            assert!(generations.young.len() <= 4 && generations.old.len() <= 4);
            assert!(generations.young.contains_key(&ids[0]) || generations.old.contains_key(&ids[0]));
        }
    }
}
