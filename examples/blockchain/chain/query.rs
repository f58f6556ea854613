//! Questions about the chain.

use bytes::Bytes;
use sealnet::envelope::{EnvelopeId, Timestamp};
use sealnet::identity::NodeId;
use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::block::Block;
use super::genesis::Genesis;
use super::hash::BlockHash;
use super::header::Difficulty;
use super::ledger::Account;
use super::rules;
use super::state::Chain;
use super::store::StoreError;
use super::transfer::Transfer;

/// The chain at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) chain: String,
    pub(crate) genesis: BlockHash,
    pub(crate) height: u64,
    pub(crate) tip: BlockHash,
    /// Of the next block.
    pub(crate) difficulty: Difficulty,
    pub(crate) mempool: usize,
    pub(crate) accounts: usize,
    pub(crate) issued: Amount,
    /// All balances together are what was issued.
    pub(crate) supply_ok: bool,
    pub(crate) reorganisations: u64,
}

/// Where a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    Unknown,
    Waiting,
    Confirmed(Confirmed),
}

/// The block that carried something out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Confirmed {
    pub(crate) height: u64,
    pub(crate) block: BlockHash,
    /// 1 for the tip, and one more for every block on top of it.
    pub(crate) confirmations: u64,
    pub(crate) time: u64,
}

/// One line of an account's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// `None` for a coinbase.
    pub(crate) id: Option<String>,
    pub(crate) from: Option<NodeId>,
    pub(crate) to: NodeId,
    pub(crate) amount: Amount,
    pub(crate) fee: Amount,
    pub(crate) nonce: Option<u64>,
    /// `None` while it waits.
    #[serde(flatten)]
    pub(crate) confirmed: Option<Confirmed>,
}

impl Entry {
    pub(crate) fn transfer(transfer: &Transfer, confirmed: Option<Confirmed>) -> Self {
        let order = transfer.order();
        Entry {
            id: Some(transfer.id().to_string()),
            from: Some(transfer.sender()),
            to: order.to,
            amount: order.amount,
            fee: order.fee,
            nonce: Some(order.nonce),
            confirmed,
        }
    }

    pub(crate) fn coinbase(block: &Block, confirmed: Option<Confirmed>) -> Self {
        let coinbase = block.coinbase;
        Entry {
            id: None,
            from: None,
            to: coinbase.to,
            amount: coinbase.amount,
            fee: Amount::ZERO,
            nonce: None,
            confirmed,
        }
    }
}

impl Chain {
    pub(crate) fn facts(&self) -> Facts {
        let tip = self.tip();
        Facts {
            chain: self.genesis.rules().name.clone(),
            genesis: self.genesis.hash(),
            height: self.height(),
            tip,
            difficulty: rules::difficulty_after(self.index.back_from(&tip), &self.genesis),
            mempool: self.pool.len(),
            accounts: self.accounts.len(),
            issued: self.genesis.issued(self.height()),
            supply_ok: self.is_supply_right(),
            reorganisations: self.reorganisations,
        }
    }

    pub(crate) fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    pub(crate) fn height(&self) -> u64 {
        self.index.height()
    }

    /// All the work in the active chain, in hashes.
    pub(crate) fn work(&self) -> u128 {
        self.index.tip_work()
    }

    pub(crate) fn tip(&self) -> BlockHash {
        self.index.tip()
    }

    /// The time of the tip.
    pub(crate) fn tip_time(&self) -> Timestamp {
        self.index.header(&self.tip()).map_or(Timestamp::default(), |header| header.time)
    }

    /// Whether a block is here, with its body.
    pub(crate) fn has_block(&self, hash: &BlockHash) -> bool {
        self.index.is_stored(hash)
    }

    /// Whether all balances together are what was issued.
    pub(crate) fn is_supply_right(&self) -> bool {
        let balances: Amount = self.accounts.values().map(|account| account.balance).sum();
        balances == self.genesis.issued(self.height())
    }

    /// An account at the tip, and the nonce for its next transfer, after those that wait.
    pub(crate) fn balance(&self, id: &NodeId) -> (Account, u64) {
        let account = self.account(id);
        (account, self.pool.next_nonce(id, account))
    }

    /// The transfers that wait, by sender and nonce.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Transfer> {
        self.pool.iter()
    }

    pub(crate) fn hash_at(&self, height: u64) -> Option<BlockHash> {
        self.index.at(height)
    }

    /// A block's bytes, of whatever branch; `None` for block 0, which has no body.
    pub(crate) fn block_bytes(&self, hash: &BlockHash) -> Result<Option<Bytes>, StoreError> {
        self.store.block(hash)
    }

    pub(crate) fn block(&self, hash: &BlockHash) -> Result<Option<Block>, StoreError> {
        if self.store.block(hash)?.is_none() { Ok(None) } else { self.read_block(hash).map(Some) }
    }

    /// Where a block of the active chain is in it.
    pub(crate) fn confirmed(&self, hash: &BlockHash) -> Option<Confirmed> {
        let header = self.index.header(hash).filter(|_| self.index.is_active(hash))?;
        let confirmations = self.height().saturating_sub(header.height).saturating_add(1);
        Some(Confirmed { height: header.height, block: *hash, confirmations, time: header.time.as_micros() })
    }

    pub(crate) fn find(&self, id: &EnvelopeId) -> Result<Whereabouts, StoreError> {
        if self.pool.get(id).is_some() {
            return Ok(Whereabouts::Waiting);
        }
        let place = self.store.transfer(id)?.and_then(|(height, _)| self.confirmed(&self.index.at(height)?));
        Ok(place.map_or(Whereabouts::Unknown, Whereabouts::Confirmed))
    }

    /// What concerns an account, newest first: first what waits, then at most `limit` that are in blocks.
    pub(crate) fn history(&self, id: &NodeId, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let is_its = |transfer: &&Transfer| transfer.sender() == *id || transfer.order().to == *id;
        let mut entries: Vec<_> =
            self.waiting().filter(is_its).map(|transfer| Entry::transfer(transfer, None)).collect();
        entries.reverse();
        for (height, place) in self.store.history(id, limit)? {
            let Some(hash) = self.index.at(height) else { continue };
            let (block, confirmed) = (self.read_block(&hash)?, self.confirmed(&hash));
            let transfer = usize::try_from(place).ok().and_then(|place| block.transfers.get(place.checked_sub(1)?));
            entries.push(match transfer {
                Some(transfer) => Entry::transfer(transfer, confirmed),
                None => Entry::coinbase(&block, confirmed),
            });
        }
        Ok(entries)
    }
}
