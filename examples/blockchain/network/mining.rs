//! A thread that looks for nonces.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sealnet::envelope::Timestamp;
use sealnet::identity::NodeId;
use tokio::sync::mpsc::UnboundedSender;

use super::shared::Shared;
use crate::chain::Block;

/// Nonces between two looks at the world.
const TRIES: u64 = 10_000;
/// How old a template may grow: its time should be about right.
const FRESH: Duration = Duration::from_secs(2);

/// A running miner; dropped, it stops, and the chain grows no more by it.
pub(super) struct Mining {
    is_over: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl Mining {
    /// Mines for `miner` until it is dropped, and sends what it found and took in to `found`. Between two bursts it rests
    /// for `rest`, for machines that have something else to do.
    pub(super) fn start(
        shared: Arc<Shared>,
        miner: NodeId,
        rest: Duration,
        found: UnboundedSender<Block>,
    ) -> std::io::Result<Self> {
        let mining = Mining { is_over: Arc::default(), shared: shared.clone() };
        let is_over = mining.is_over.clone();
        let dig = move || {
            while !is_over.load(Ordering::Relaxed) {
                let Some(block) = look(&shared, miner, rest, &is_over) else { continue };
                // Somebody else may have been quicker: then it is a block on a branch, or refused.
                let added = shared.add_block_unless(&is_over, block.bytes.clone());
                if added.is_some_and(|added| added.is_ok()) && found.send(block).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("miner".to_owned()).spawn(dig)?;
        mining.shared.is_mining.store(true, Ordering::Relaxed);
        Ok(mining)
    }
}

impl Drop for Mining {
    fn drop(&mut self) {
        // A block it has just found comes in before this, or not at all.
        let _chain = self.shared.chain();
        self.is_over.store(true, Ordering::Relaxed);
        self.shared.is_mining.store(false, Ordering::Relaxed);
    }
}

/// Looks for a block until the template is out of date.
fn look(shared: &Shared, miner: NodeId, rest: Duration, is_over: &AtomicBool) -> Option<Block> {
    let changes = shared.changes();
    let mut template = shared.chain().template(miner, Timestamp::now());
    let begun = Instant::now();
    while !is_over.load(Ordering::Relaxed) && begun.elapsed() < FRESH && !changes.has_changed().unwrap_or(true) {
        if let Some(block) = template.grind(TRIES) {
            return Some(block);
        }
        if !rest.is_zero() {
            thread::sleep(rest);
        }
    }
    None
}
