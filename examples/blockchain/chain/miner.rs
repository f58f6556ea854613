//! Making blocks.

use sealnet::envelope::Timestamp;
use sealnet::identity::NodeId;

use super::amount::Amount;
use super::block::{Block, Coinbase};
use super::header::Header;
use super::rules;
use super::state::Chain;
use super::transfer::Transfer;

/// A block that lacks nothing but the right nonce.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    header: Header,
    coinbase: Coinbase,
    transfers: Vec<Transfer>,
}

impl Chain {
    /// The next block on the active tip, with the best-paid transfers of the mempool, mined for `miner`.
    pub(crate) fn template(&self, miner: NodeId, now: Timestamp) -> Template {
        let height = self.index.height().saturating_add(1);
        let room = self.genesis.rules().max_block_bytes.saturating_sub(Block::OVERHEAD);
        let transfers = self.pool.select(&self.accounts, room);
        let fees: Amount = transfers.iter().map(|transfer| transfer.order().fee).sum();
        let coinbase = Coinbase { to: miner, amount: [self.genesis.subsidy(height), fees].into_iter().sum() };
        let tip = self.index.tip();
        let median = rules::median_time_past(self.index.back_from(&tip));
        let header = Header {
            height,
            parent: tip,
            root: Block::root(&coinbase, &transfers),
            // A clock that is behind must not make the block invalid.
            time: now.max(median.plus(std::time::Duration::from_micros(1))),
            difficulty: rules::difficulty_after(self.index.back_from(&tip), &self.genesis),
            nonce: 0,
        };
        Template { header, coinbase, transfers }
    }
}

impl Template {
    /// Tries `tries` nonces; the block, if one was right. Otherwise the next call goes on behind them.
    pub(crate) fn grind(&mut self, tries: u64) -> Option<Block> {
        let is_found = self.header.grind(tries);
        is_found.then(|| Block::assemble(self.header.clone(), self.coinbase, self.transfers.clone()))
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }
}
