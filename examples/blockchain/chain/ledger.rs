//! Balances, and how blocks change them.

use std::collections::{BTreeMap, BTreeSet};

use sealnet::identity::NodeId;
use serde::Serialize;

use super::amount::Amount;
use super::block::Block;
use super::genesis::Genesis;
use super::refusal::Refusal;
use super::transfer::Transfer;

/// What an identity has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Account {
    pub(crate) balance: Amount,
    /// The nonce of its next transfer: how many it has made.
    pub(crate) nonce: u64,
}

/// Accounts by identity. Who is not in it has nothing and has never sent anything.
pub(super) type Accounts = BTreeMap<NodeId, Account>;

/// What the accounts that a block touched were before it, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Undo(pub(super) Vec<(NodeId, Account)>);

/// Accounts as they are after some blocks that the ledger does not contain: what those changed, on top of the ledger.
pub(super) struct View<'a> {
    base: &'a Accounts,
    changed: &'a mut Accounts,
}

impl<'a> View<'a> {
    pub(super) fn new(base: &'a Accounts, changed: &'a mut Accounts) -> Self {
        View { base, changed }
    }

    pub(super) fn account(&self, id: &NodeId) -> Account {
        self.changed.get(id).or_else(|| self.base.get(id)).copied().unwrap_or_default()
    }

    /// Carries out one transfer, or changes nothing.
    pub(super) fn transfer(&mut self, transfer: &Transfer) -> Result<(), Refusal> {
        let (sender, order) = (transfer.sender(), transfer.order());
        let from = self.account(&sender);
        if order.nonce < from.nonce {
            return Err(Refusal::DoubleSpend { sender, nonce: order.nonce });
        }
        if order.nonce > from.nonce {
            return Err(Refusal::WrongNonce { sender, expected: from.nonce, found: order.nonce });
        }
        let needed = transfer.cost();
        let overdraft = Refusal::Overdraft { account: sender, balance: from.balance, needed };
        let balance = from.balance.minus(needed).ok_or(overdraft)?;
        self.changed.insert(sender, Account { balance, nonce: from.nonce + 1 });
        // Read again: somebody may send to himself.
        self.credit(order.to, order.amount);
        Ok(())
    }

    /// Carries out a whole block, or changes nothing. That its transfers are signed was checked before.
    pub(super) fn connect(&mut self, block: &Block, genesis: &Genesis) -> Result<Undo, Refusal> {
        let touched = block.transfers.iter().flat_map(|transfer| [transfer.sender(), transfer.order().to]);
        let touched: BTreeSet<_> = touched.chain([block.coinbase.to]).collect();
        let undo = Undo(touched.into_iter().map(|id| (id, self.account(&id))).collect());
        let carried_out = self.carry_out(block, genesis);
        if carried_out.is_err() {
            self.disconnect(&undo);
        }
        carried_out.map(|()| undo)
    }

    fn carry_out(&mut self, block: &Block, genesis: &Genesis) -> Result<(), Refusal> {
        let mut seen = BTreeSet::new();
        for transfer in &block.transfers {
            if !seen.insert(transfer.id()) {
                return Err(Refusal::Replay(transfer.id()));
            }
            self.transfer(transfer)?;
        }
        let fees: Amount = block.transfers.iter().map(|transfer| transfer.order().fee).sum();
        let allowed: Amount = [genesis.subsidy(block.header.height), fees].into_iter().sum();
        let claimed = block.coinbase.amount;
        if claimed != allowed {
            return Err(Refusal::BadCoinbase { claimed, allowed });
        }
        self.credit(block.coinbase.to, allowed);
        Ok(())
    }

    /// Takes a block back.
    pub(super) fn disconnect(&mut self, undo: &Undo) {
        self.changed.extend(undo.0.iter().copied());
    }

    fn credit(&mut self, id: NodeId, amount: Amount) {
        let account = self.account(&id);
        // All money together stays below the most that an amount can be (`Genesis::new`).
        let balance = account.balance.plus(amount).unwrap_or(Amount::MAX);
        self.changed.insert(id, Account { balance, ..account });
    }
}

/// Puts changes into the ledger. Accounts that are as if they had never been are not kept.
pub(super) fn settle(accounts: &mut Accounts, changed: &Accounts) {
    for (id, account) in changed {
        if *account == Account::default() {
            accounts.remove(id);
        } else {
            accounts.insert(*id, *account);
        }
    }
}
