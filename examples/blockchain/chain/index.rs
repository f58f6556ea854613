//! The tree of headers, and the branch of it that counts.

use std::collections::{BTreeSet, HashMap};

use super::genesis::Genesis;
use super::hash::BlockHash;
use super::header::Header;

/// Every header that is known, the work up to it, and which of them are the active chain.
pub(super) struct Index {
    genesis: BlockHash,
    entries: HashMap<BlockHash, Known>,
    /// The active chain by height; block 0 is always there.
    active: Vec<BlockHash>,
}

struct Known {
    header: Header,
    /// Of the whole branch up to here.
    work: u128,
    /// The body is here, and was found valid.
    is_stored: bool,
}

/// Where a branch left the active chain.
pub(super) struct Fork {
    pub(super) height: u64,
    /// The branch's own blocks, oldest first.
    pub(super) path: Vec<BlockHash>,
}

impl Index {
    pub(super) fn new(genesis: &Genesis) -> Self {
        let hash = genesis.hash();
        let known = Known { header: genesis.header().clone(), work: 0, is_stored: true };
        Index { genesis: hash, entries: [(hash, known)].into(), active: vec![hash] }
    }

    pub(super) fn header(&self, hash: &BlockHash) -> Option<&Header> {
        self.entries.get(hash).map(|known| &known.header)
    }

    pub(super) fn contains(&self, hash: &BlockHash) -> bool {
        self.entries.contains_key(hash)
    }

    pub(super) fn is_stored(&self, hash: &BlockHash) -> bool {
        self.entries.get(hash).is_some_and(|known| known.is_stored)
    }

    /// The work of the branch that ends with `hash`.
    pub(super) fn work(&self, hash: &BlockHash) -> u128 {
        self.entries.get(hash).map_or(0, |known| known.work)
    }

    /// Adds a header whose parent is here, or learns that the body of one came.
    pub(super) fn insert(&mut self, hash: BlockHash, header: &Header, is_stored: bool) {
        let work = self.work(&header.parent).saturating_add(header.difficulty.work());
        let known = self.entries.entry(hash);
        let known = known.or_insert_with(|| Known { header: header.clone(), work, is_stored });
        known.is_stored |= is_stored;
    }

    pub(super) fn tip(&self) -> BlockHash {
        self.active.last().copied().unwrap_or(self.genesis)
    }

    pub(super) fn tip_work(&self) -> u128 {
        self.work(&self.tip())
    }

    pub(super) fn height(&self) -> u64 {
        self.active.len().saturating_sub(1) as u64
    }

    /// The active block at a height.
    pub(super) fn at(&self, height: u64) -> Option<BlockHash> {
        self.active.get(usize::try_from(height).ok()?).copied()
    }

    pub(super) fn is_active(&self, hash: &BlockHash) -> bool {
        self.header(hash).is_some_and(|header| self.at(header.height) == Some(*hash))
    }

    /// The headers from `hash` back to block 0.
    pub(super) fn back_from(&self, hash: &BlockHash) -> impl Iterator<Item = &Header> + Clone {
        std::iter::successors(self.header(hash), |header| self.header(&header.parent))
    }

    pub(super) fn fork(&self, hash: &BlockHash) -> Fork {
        let mut path = Vec::new();
        let mut at = *hash;
        while let Some(header) = self.header(&at).filter(|_| !self.is_active(&at)) {
            path.push(at);
            at = header.parent;
        }
        path.reverse();
        Fork { height: self.header(&at).map_or(0, |header| header.height), path }
    }

    /// The active chain is one block longer.
    pub(super) fn extend(&mut self, hash: BlockHash) {
        self.active.push(hash);
    }

    /// The branch becomes the active chain; what is returned is not in it any more, newest first.
    pub(super) fn switch(&mut self, fork: &Fork) -> Vec<BlockHash> {
        let keep = usize::try_from(fork.height).unwrap_or(usize::MAX).saturating_add(1);
        let mut left = self.active.split_off(keep.min(self.active.len()));
        self.active.extend(&fork.path);
        left.reverse();
        left
    }

    /// Hashes from the tip back, ever further apart: with them another node finds the last block both know.
    pub(super) fn locator(&self) -> Vec<BlockHash> {
        let mut hashes = Vec::new();
        let (mut height, mut step) = (self.height(), 1);
        while height > 0 {
            hashes.extend(self.at(height));
            if hashes.len() >= 10 {
                step *= 2;
            }
            height = height.saturating_sub(step);
        }
        hashes.push(self.genesis);
        hashes
    }

    /// Active headers after the newest block of `locator` that is active here.
    pub(super) fn after(&self, locator: &[BlockHash], limit: usize) -> Vec<Header> {
        let common = locator.iter().find(|hash| self.is_active(hash)).and_then(|hash| self.header(hash));
        let start = common.map_or(0, |header| header.height).saturating_add(1);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        self.active.iter().skip(start).take(limit).filter_map(|hash| self.header(hash)).cloned().collect()
    }

    /// Forgets branches of less work than the active chain that ended below `height`. What had bodies is returned.
    pub(super) fn prune(&mut self, height: u64) -> Vec<BlockHash> {
        // A branch of more work is one whose bodies are on their way: all of it stays.
        let tip = self.tip_work();
        let mut kept = BTreeSet::new();
        for (hash, known) in &self.entries {
            if known.work > tip || known.header.height >= height {
                let mut at = *hash;
                while !self.is_active(&at) && kept.insert(at) {
                    let Some(header) = self.header(&at) else { break };
                    at = header.parent;
                }
            }
        }
        self.forget(|index, hash| !index.is_active(hash) && !kept.contains(hash))
    }

    /// Forgets the headers that build on `hash`, and itself.
    pub(super) fn forget_branch(&mut self, hash: &BlockHash) {
        let mut doomed = BTreeSet::from([*hash]);
        let mut others: Vec<_> = self.entries.iter().filter(|(hash, _)| !self.is_active(hash)).collect();
        others.sort_by_key(|(_, known)| known.header.height);
        for (hash, known) in others {
            if doomed.contains(&known.header.parent) {
                doomed.insert(*hash);
            }
        }
        self.forget(|_, hash| doomed.contains(hash));
    }

    fn forget(&mut self, is_doomed: impl Fn(&Self, &BlockHash) -> bool) -> Vec<BlockHash> {
        let doomed: Vec<_> = self.entries.keys().filter(|hash| is_doomed(self, hash)).copied().collect();
        let removed = doomed.into_iter().filter_map(|hash| self.entries.remove(&hash).map(|known| (hash, known)));
        removed.filter(|(_, known)| known.is_stored).map(|(hash, _)| hash).collect()
    }
}
