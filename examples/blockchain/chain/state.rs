//! The chain: takes in blocks and transfers, or says why not.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use sealnet::envelope::{Envelope, EnvelopeId, Timestamp, Verified, Verifier};
use sealnet::identity::{NetworkHash, NodeId};

use super::amount::Amount;
use super::block::{Block, RawBlock};
use super::branch::Branch;
use super::genesis::Genesis;
use super::hash::BlockHash;
use super::header::Header;
use super::index::Index;
use super::ledger::{Account, Accounts, View, settle};
use super::mempool::Mempool;
use super::refusal::Refusal;
use super::rules;
use super::store::{Changes, Store, StoreError};
use super::transfer::Transfer;

/// How deep a branch of less work than the active chain may have left it. Deeper ones are neither taken nor kept; one of
/// *more* work is taken however deep it goes ([`Candidate`](super::Candidate)).
pub(crate) const KEEP_BRANCHES: u64 = 100;

/// How many invalid blocks are remembered by name.
const MAX_INVALID: usize = 1_000;

/// One chain as this node knows it: the tree of headers, the balances at the tip, the mempool, and all of it (but the
/// mempool) in the store.
pub(crate) struct Chain {
    pub(super) genesis: Arc<Genesis>,
    pub(super) verifier: Verifier,
    pub(super) store: Store,
    pub(super) index: Index,
    /// At the tip.
    pub(super) accounts: Accounts,
    pub(super) pool: Mempool,
    /// The balances at the end of the branch that was last built on.
    pub(super) branch: Option<Branch>,
    /// Blocks whose own contents are invalid; the oldest is forgotten first.
    pub(super) invalid: VecDeque<BlockHash>,
    /// What is not in the store yet. Empty whenever nobody is inside.
    pub(super) changes: Changes,
    pub(super) reorganisations: u64,
}

/// What a block did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is the new tip.
    Extended,
    /// It is valid and on a branch with no more work than the active chain.
    OnBranch,
    /// Its branch became the active chain.
    Reorganised {
        /// How many blocks were taken back.
        disconnected: usize,
        /// How many blocks replace them.
        connected: usize,
    },
}

/// Why a block was not taken in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Chain {
    /// The chain in `store`, in the network whose envelopes its transfers are.
    pub(crate) fn open(genesis: Arc<Genesis>, network: NetworkHash, store: Store) -> Result<Self, StoreError> {
        let contents = store.load(genesis.hash())?;
        let mut index = Index::new(&genesis);
        for (hash, header) in &contents.headers {
            if !index.contains(&header.parent) {
                return Err(store.error("a block is there without its parent"));
            }
            index.insert(*hash, header, true);
        }
        let given = genesis.rules().balances.iter().filter(|(_, amount)| **amount > Amount::ZERO);
        let given = given.map(|(id, amount)| (*id, Account { balance: *amount, nonce: 0 }));
        let mut accounts: Accounts = given.collect();
        // Those of block 0 that no block has touched are not in the store. The others are: one that has spent has a nonce.
        accounts.extend(contents.accounts);
        for hash in contents.active {
            if index.header(&hash).map(|header| header.parent) != Some(index.tip()) {
                return Err(store.error("its blocks do not follow one another"));
            }
            index.extend(hash);
        }
        let chain = Chain {
            verifier: Verifier::new(network),
            genesis,
            store,
            index,
            accounts,
            pool: Mempool::default(),
            branch: None,
            invalid: VecDeque::new(),
            changes: Changes::default(),
            reorganisations: 0,
        };
        if !chain.is_supply_right() {
            return Err(chain.store.error("the balances are not what was issued"));
        }
        Ok(chain)
    }

    /// Takes in one block.
    pub(crate) fn add_block(&mut self, bytes: Bytes, now: Timestamp) -> Result<Added, AddError> {
        let outcome = self.take_in(bytes, now);
        self.flush()?;
        outcome
    }

    /// Takes in blocks, each the parent of the next, in one transaction. Says how many there were before the first that
    /// was refused, and why that was; those that are known already are passed over.
    pub(crate) fn add_blocks(
        &mut self,
        blocks: impl IntoIterator<Item = Bytes>,
        now: Timestamp,
    ) -> Result<(usize, Option<Refusal>), StoreError> {
        let (mut taken, mut refused) = (0, None);
        for bytes in blocks {
            match self.take_in(bytes, now) {
                Ok(_) | Err(AddError::Refused(Refusal::AlreadyKnown)) => taken += 1,
                Err(AddError::Refused(refusal)) => {
                    refused = Some(refusal);
                    break;
                }
                Err(AddError::Store(error)) => return Err(error),
            }
        }
        self.flush()?;
        Ok((taken, refused))
    }

    /// Cheap checks first: size, work, place in the chain; then the body; then signatures; then balances.
    fn take_in(&mut self, bytes: Bytes, now: Timestamp) -> Result<Added, AddError> {
        let limit = self.genesis.rules().max_block_bytes;
        if bytes.len() > limit {
            return Err(Refusal::Oversize { size: bytes.len(), limit }.into());
        }
        let (header, _) = Header::split(&bytes)?;
        let hash = header.hash();
        self.check_header(&header, &hash, now)?;
        let raw = RawBlock::open(bytes)?;
        // Whatever is wrong from here on is wrong with what the hash stands for, in every copy.
        let verified = raw.verify(|envelope| self.verify(envelope)).map_err(AddError::from);
        let connected = verified.and_then(|block| self.connect(block));
        if let Err(AddError::Refused(_)) = &connected {
            self.remember_invalid(hash);
        }
        connected
    }

    fn check_header(&self, header: &Header, hash: &BlockHash, now: Timestamp) -> Result<(), Refusal> {
        header.check_work(hash, self.genesis.min_difficulty())?;
        if self.index.is_stored(hash) {
            return Err(Refusal::AlreadyKnown);
        }
        if self.invalid.contains(hash) || self.invalid.contains(&header.parent) {
            return Err(Refusal::KnownInvalid);
        }
        if !self.index.is_stored(&header.parent) {
            return Err(Refusal::UnknownParent(header.parent));
        }
        if self.index.contains(hash) {
            return Ok(()); // judged when its headers came
        }
        rules::check(header, self.index.back_from(&header.parent), &self.genesis, now)?;
        let depth = self.index.height().saturating_sub(self.index.fork(&header.parent).height);
        let work = self.index.work(&header.parent).saturating_add(header.difficulty.work());
        if depth > KEEP_BRANCHES && work <= self.index.tip_work() { Err(Refusal::Buried { depth }) } else { Ok(()) }
    }

    /// Verifies a transfer in a block; the very bytes that wait in the mempool were verified when they came there.
    fn verify(&self, envelope: Bytes) -> Result<Transfer, Refusal> {
        let parsed = Envelope::parse(envelope.clone(), sealnet::envelope::Version::Signed, self.verifier.network());
        let known = parsed.ok().and_then(|parsed| self.pool.get(&parsed.id()));
        match known.filter(|known| *known.as_bytes() == envelope) {
            Some(known) => Ok(known.clone()),
            None => Transfer::verify(envelope, &self.verifier, &self.genesis),
        }
    }

    /// Carries out a block on top of its parent.
    fn connect(&mut self, block: Block) -> Result<Added, AddError> {
        if block.header.parent != self.index.tip() {
            return self.connect_to_branch(block);
        }
        let mut changed = Accounts::new();
        let connected = View::new(&self.accounts, &mut changed).connect(&block, &self.genesis);
        let undo = connected.map_err(|refusal| self.name_the_replay(refusal, &block))?;
        settle(&mut self.accounts, &changed);
        self.index.insert(block.hash, &block.header, true);
        self.index.extend(block.hash);
        self.branch = None;
        let senders: Vec<_> = block.transfers.iter().map(Transfer::sender).collect();
        self.pool.drop_spent(senders.iter(), &self.accounts);
        self.changes.accounts.extend(changed);
        self.changes.connected.push(block.clone());
        self.changes.added.push((block, undo));
        if self.index.height().is_multiple_of(KEEP_BRANCHES) {
            self.prune();
        }
        Ok(Added::Extended)
    }

    pub(super) fn prune(&mut self) {
        let dropped = self.index.prune(self.index.height().saturating_sub(KEEP_BRANCHES));
        self.changes.dropped.extend(dropped);
    }

    fn remember_invalid(&mut self, hash: BlockHash) {
        self.index.forget_branch(&hash);
        self.invalid.push_back(hash);
        if self.invalid.len() > MAX_INVALID {
            self.invalid.pop_front();
        }
    }

    /// Takes a transfer into the mempool.
    pub(crate) fn add_transfer(&mut self, envelope: Verified<Envelope>) -> Result<Transfer, AddError> {
        let transfer = Transfer::read(envelope, &self.genesis)?;
        let outcome = self.pool.add(&transfer, self.account(&transfer.sender()));
        match outcome {
            Ok(()) => Ok(transfer),
            Err(Refusal::DoubleSpend { .. }) if self.store.transfer(&transfer.id())?.is_some() => {
                Err(Refusal::Replay(transfer.id()).into())
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Verifies the envelope of a transfer that came as bytes, and takes it into the mempool.
    pub(crate) fn add_transfer_bytes(&mut self, bytes: Bytes) -> Result<Transfer, AddError> {
        let envelope = self.verifier.check(bytes).map_err(Refusal::from)?;
        self.add_transfer(envelope)
    }

    /// A used nonce is a replay if the same transfer used it, and a double spend if another did.
    pub(super) fn name_the_replay(&self, refusal: Refusal, block: &Block) -> Refusal {
        let Refusal::DoubleSpend { sender, nonce } = refusal else { return refusal };
        let same = |transfer: &&Transfer| transfer.sender() == sender && transfer.order().nonce == nonce;
        let replayed = block.transfers.iter().find(same).map(Transfer::id);
        match replayed.filter(|id| self.is_in_branch(id, &block.header.parent)) {
            Some(id) => Refusal::Replay(id),
            None => Refusal::DoubleSpend { sender, nonce },
        }
    }

    /// Whether a transfer was carried out on the branch that ends with `tip`.
    fn is_in_branch(&self, id: &EnvelopeId, tip: &BlockHash) -> bool {
        let fork = self.index.fork(tip);
        let is_before = self.store.transfer(id).ok().flatten().is_some_and(|(height, _)| height <= fork.height);
        let in_block = |block: &Block| block.transfers.iter().any(|transfer| transfer.id() == *id);
        is_before
            || self.changes.connected.iter().any(in_block)
            || fork.path.iter().any(|hash| self.read_block(hash).is_ok_and(|block| in_block(&block)))
    }

    /// Brings what changed to the store.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        let changes = std::mem::take(&mut self.changes);
        if changes.added.is_empty() && changes.connected.is_empty() && changes.dropped.is_empty() {
            return Ok(());
        }
        self.store.commit(&changes)
    }

    /// A block of the store, verified like any other.
    pub(super) fn read_block(&self, hash: &BlockHash) -> Result<Block, StoreError> {
        let damaged = |why: Refusal| self.store.error(format_args!("the block {hash} is damaged: {why}"));
        let bytes = self.store.block(hash)?.ok_or_else(|| self.store.error(format_args!("block {hash} is missing")))?;
        let raw = RawBlock::open(bytes).map_err(damaged)?;
        raw.verify(|envelope| self.verify(envelope)).map_err(damaged)
    }

    pub(super) fn account(&self, id: &NodeId) -> Account {
        self.accounts.get(id).copied().unwrap_or_default()
    }
}
