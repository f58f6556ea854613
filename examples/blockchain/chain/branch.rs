//! Branches beside the active chain, and the change from one to another.

use std::collections::BTreeSet;

use super::block::Block;
use super::hash::BlockHash;
use super::ledger::{Accounts, View, settle};
use super::state::{AddError, Added, Chain};
use super::store::StoreError;
use super::transfer::Transfer;

/// The balances at the end of a branch: what is different from those at the active tip.
pub(super) struct Branch {
    tip: BlockHash,
    changed: Accounts,
}

impl Chain {
    /// Carries out a block on a branch. It is judged as fully as one on the active chain, by the balances of its own
    /// branch: what is kept is valid, and a reorganisation cannot fail half-way.
    pub(super) fn connect_to_branch(&mut self, block: Block) -> Result<Added, AddError> {
        let parent = block.header.parent;
        let mut branch = match self.branch.take().filter(|branch| branch.tip == parent) {
            Some(branch) => branch,
            None => self.branch_at(parent)?,
        };
        let connected = View::new(&self.accounts, &mut branch.changed).connect(&block, &self.genesis);
        let undo = match connected {
            Ok(undo) => undo,
            Err(refusal) => {
                self.branch = Some(branch);
                return Err(self.name_the_replay(refusal, &block).into());
            }
        };
        branch.tip = block.hash;
        self.index.insert(block.hash, &block.header, true);
        self.changes.added.push((block, undo));
        if self.index.work(&branch.tip) > self.index.tip_work() {
            return Ok(self.reorganise(branch)?);
        }
        self.branch = Some(branch);
        Ok(Added::OnBranch)
    }

    /// The balances at a stored block that is not the tip: back from the tip to where its branch left, then forward.
    fn branch_at(&mut self, tip: BlockHash) -> Result<Branch, StoreError> {
        self.flush()?;
        let fork = self.index.fork(&tip);
        let mut changed = Accounts::new();
        let mut view = View::new(&self.accounts, &mut changed);
        for height in (fork.height + 1..=self.index.height()).rev() {
            let hash = self.index.at(height).unwrap_or(tip);
            view.disconnect(&self.store.undo(&hash)?);
        }
        for hash in &fork.path {
            let connected = view.connect(&self.read_block(hash)?, &self.genesis);
            connected.map_err(|why| self.store.error(format_args!("block {hash} is not valid any more: {why}")))?;
        }
        Ok(Branch { tip, changed })
    }

    /// Makes the branch the active chain. What the blocks that are left carried out, and the new ones do not, waits for a
    /// block again.
    fn reorganise(&mut self, branch: Branch) -> Result<Added, StoreError> {
        self.flush()?;
        let fork = self.index.fork(&branch.tip);
        let connected = fork.path.iter().map(|hash| self.read_block(hash)).collect::<Result<Vec<_>, _>>()?;
        let left = self.index.switch(&fork);
        let disconnected = left.iter().map(|hash| self.read_block(hash)).collect::<Result<Vec<_>, _>>()?;
        settle(&mut self.accounts, &branch.changed);
        self.changes.accounts = branch.changed;
        self.reorganisations += 1;

        let done: BTreeSet<_> = connected.iter().flat_map(|block| &block.transfers).map(Transfer::id).collect();
        let senders = self.pool.senders();
        self.pool.drop_spent(senders.iter(), &self.accounts);
        for transfer in disconnected.iter().rev().flat_map(|block| &block.transfers) {
            if !done.contains(&transfer.id()) {
                let account = self.account(&transfer.sender());
                self.pool.put_back(transfer, account);
            }
        }
        let added = Added::Reorganised { disconnected: disconnected.len(), connected: connected.len() };
        (self.changes.disconnected, self.changes.connected) = (disconnected, connected);
        Ok(added)
    }
}
