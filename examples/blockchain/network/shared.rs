//! One chain, used by the application, by whoever answers requests, by the sync and by the miner.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sealnet::envelope::{Envelope, Timestamp, Verified};
use tokio::sync::{Notify, watch};

use crate::chain::{AddError, Added, Chain, Refusal, StoreError, Transfer};

/// The chain of this node. Its lock is held while blocks are verified and written, some milliseconds each: never across
/// an await, and never by a task that others wait for.
pub(crate) struct Shared {
    chain: Mutex<Chain>,
    /// Counts changes of the tip and of the mempool.
    changes: watch::Sender<u64>,
    /// Somebody seems to have blocks that are missing here.
    pub(super) behind: Notify,
    /// Why the store takes nothing any more.
    failure: watch::Sender<Option<String>>,
    pub(super) neighbours: AtomicUsize,
    pub(super) is_mining: AtomicBool,
}

impl Shared {
    pub(crate) fn new(chain: Chain) -> Self {
        Shared {
            chain: Mutex::new(chain),
            changes: watch::Sender::new(0),
            behind: Notify::new(),
            failure: watch::Sender::new(None),
            neighbours: AtomicUsize::new(0),
            is_mining: AtomicBool::new(false),
        }
    }

    pub(crate) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes whenever the tip or the mempool does.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Resolves when the store has failed, with the reason; the node is to be stopped then.
    pub(crate) async fn failed(&self) -> String {
        let mut failure = self.failure.subscribe();
        // The sender lives as long as `self`.
        let failed = failure.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        failed.unwrap_or_default()
    }

    pub(crate) fn add_block(&self, bytes: Bytes) -> Result<Added, AddError> {
        let added = self.chain().add_block(bytes, Timestamp::now());
        self.note(added)
    }

    /// Takes in a block, unless `is_over` by the time that the chain is free.
    pub(super) fn add_block_unless(&self, is_over: &AtomicBool, bytes: Bytes) -> Option<Result<Added, AddError>> {
        let mut chain = self.chain();
        if is_over.load(Ordering::Relaxed) {
            return None;
        }
        let added = chain.add_block(bytes, Timestamp::now());
        drop(chain);
        Some(self.note(added))
    }

    /// Takes in blocks, each the parent of the next; see [`Chain::add_blocks`].
    pub(super) fn add_blocks(&self, blocks: Vec<Bytes>) -> Result<(usize, Option<Refusal>), StoreError> {
        let added = self.chain().add_blocks(blocks, Timestamp::now());
        self.note(added)
    }

    pub(crate) fn add_transfer(&self, envelope: Verified<Envelope>) -> Result<Transfer, AddError> {
        let added = self.chain().add_transfer(envelope);
        self.note(added)
    }

    /// Takes in a transfer whose signature nobody has looked at.
    pub(crate) fn add_transfer_bytes(&self, bytes: Bytes) -> Result<Transfer, AddError> {
        let added = self.chain().add_transfer_bytes(bytes);
        self.note(added)
    }

    fn note<T, E: std::fmt::Display + IsOfStore>(&self, outcome: Result<T, E>) -> Result<T, E> {
        match &outcome {
            Ok(_) => self.changes.send_modify(|count| *count = count.wrapping_add(1)),
            Err(error) if error.is_of_store() => drop(self.failure.send_replace(Some(error.to_string()))),
            Err(_) => {}
        }
        outcome
    }

    pub(super) fn count_neighbours(&self, now: usize) {
        self.neighbours.store(now, Ordering::Relaxed);
    }
}

/// Tells refusals, which are everyday, from failures of the store, which are the end.
trait IsOfStore {
    fn is_of_store(&self) -> bool;
}

impl IsOfStore for AddError {
    fn is_of_store(&self) -> bool {
        matches!(self, AddError::Store(_))
    }
}

impl IsOfStore for StoreError {
    fn is_of_store(&self) -> bool {
        true
    }
}
