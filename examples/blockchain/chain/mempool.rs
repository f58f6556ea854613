//! Transfers that wait for a block.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sealnet::envelope::EnvelopeId;
use sealnet::identity::NodeId;

use super::amount::Amount;
use super::ledger::{Account, Accounts, View};
use super::refusal::Refusal;
use super::transfer::Transfer;

/// How many transfers wait at most.
const MAX_WAITING: usize = 5_000;
/// How many of them may be one sender's.
const MAX_OF_ONE: usize = 64;

/// The waiting transfers of each sender by nonce. One that comes from outside must be the sender's next and covered by the
/// balance at the tip; one that a reorganisation brings back may have to wait until what it spends is paid again.
#[derive(Default)]
pub(super) struct Mempool {
    waiting: BTreeMap<NodeId, BTreeMap<u64, Transfer>>,
    ids: HashMap<EnvelopeId, (NodeId, u64)>,
}

impl Mempool {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn get(&self, id: &EnvelopeId) -> Option<&Transfer> {
        let (sender, nonce) = self.ids.get(id)?;
        self.waiting.get(sender)?.get(nonce)
    }

    /// By sender and nonce.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Transfer> {
        self.waiting.values().flat_map(BTreeMap::values)
    }

    /// The nonce for the sender's next transfer, after those that wait.
    pub(super) fn next_nonce(&self, sender: &NodeId, account: Account) -> u64 {
        let waiting = self.waiting.get(sender);
        (account.nonce..).find(|nonce| !waiting.is_some_and(|waiting| waiting.contains_key(nonce))).unwrap_or(u64::MAX)
    }

    /// Takes a transfer in, in the place of the one with its nonce if its fee is higher by a tenth.
    pub(super) fn add(&mut self, transfer: &Transfer, account: Account) -> Result<(), Refusal> {
        let (sender, nonce) = (transfer.sender(), transfer.order().nonce);
        if self.ids.contains_key(&transfer.id()) {
            return Err(Refusal::AlreadyKnown);
        }
        if nonce < account.nonce {
            return Err(Refusal::DoubleSpend { sender, nonce });
        }
        let waiting = self.waiting.get(&sender);
        let replaced = waiting.and_then(|waiting| waiting.get(&nonce));
        let expected = self.next_nonce(&sender, account);
        match replaced {
            Some(replaced) => {
                let (fee, old) = (transfer.order().fee, replaced.order().fee);
                let needed = Amount::new(old.units() + old.units() / 10 + 1).unwrap_or(Amount::MAX);
                if fee < needed {
                    return Err(Refusal::Underpriced { fee, needed });
                }
            }
            None if nonce > expected => return Err(Refusal::WrongNonce { sender, expected, found: nonce }),
            None if waiting.is_some_and(|waiting| waiting.len() >= MAX_OF_ONE) => {
                return Err(Refusal::TooManyWaiting { sender, limit: MAX_OF_ONE });
            }
            None => {}
        }
        let others = waiting.into_iter().flat_map(|waiting| waiting.range(account.nonce..expected));
        let others = others.filter(|(at, _)| **at != nonce).map(|(_, other)| other.cost());
        let needed: Amount = others.chain([transfer.cost()]).sum();
        if needed > account.balance {
            return Err(Refusal::Overdraft { account: sender, balance: account.balance, needed });
        }
        if replaced.is_none() {
            self.make_room(transfer)?;
        }
        self.insert(transfer.compact());
        Ok(())
    }

    /// Takes back what left the chain, as far as there is room: it was valid once, and its sender relies on it.
    pub(super) fn put_back(&mut self, transfer: &Transfer, account: Account) {
        let (sender, nonce) = (transfer.sender(), transfer.order().nonce);
        let rival = self.waiting.get(&sender).and_then(|waiting| waiting.get(&nonce));
        let is_outbid = rival.is_some_and(|rival| rival.order().fee >= transfer.order().fee);
        if nonce >= account.nonce && !is_outbid && (rival.is_some() || self.make_room(transfer).is_ok()) {
            self.insert(transfer.compact());
        }
    }

    /// Drops what was carried out, or cannot be any more because another transfer with its nonce was.
    pub(super) fn drop_spent<'a>(&mut self, senders: impl Iterator<Item = &'a NodeId>, accounts: &Accounts) {
        for sender in senders {
            let next = accounts.get(sender).copied().unwrap_or_default().nonce;
            let Some(waiting) = self.waiting.get_mut(sender) else { continue };
            let left = waiting.split_off(&next);
            for transfer in std::mem::replace(waiting, left).values() {
                self.ids.remove(&transfer.id());
            }
            if self.waiting.get(sender).is_some_and(BTreeMap::is_empty) {
                self.waiting.remove(sender);
            }
        }
    }

    pub(super) fn senders(&self) -> Vec<NodeId> {
        self.waiting.keys().copied().collect()
    }

    /// The transfers for the next block: highest fees first, each sender's in order, each one covered when its turn comes.
    pub(super) fn select(&self, accounts: &Accounts, mut room: usize) -> Vec<Transfer> {
        let mut changed = Accounts::new();
        let mut view = View::new(accounts, &mut changed);
        let mut chosen = Vec::new();
        let next = |view: &View<'_>, sender: &NodeId| self.waiting.get(sender)?.get(&view.account(sender).nonce);
        let head = |view: &View<'_>, sender: &NodeId| next(view, sender).map(|next| (next.order().fee, *sender));
        let mut heads: BTreeSet<_> = self.waiting.keys().filter_map(|sender| head(&view, sender)).collect();
        let mut unpaid = BTreeSet::new();
        while let Some((_, sender)) = heads.pop_last() {
            let Some(transfer) = next(&view, &sender) else { continue };
            let size = transfer.as_bytes().len();
            if size > room {
                continue;
            }
            match view.transfer(transfer) {
                Ok(()) => {
                    room -= size;
                    let paid = unpaid.take(&transfer.order().to);
                    heads.extend([Some(sender), paid].iter().flatten().filter_map(|sender| head(&view, sender)));
                    chosen.push(transfer.clone());
                }
                Err(_) => {
                    unpaid.insert(sender);
                }
            }
        }
        chosen
    }

    fn insert(&mut self, transfer: Transfer) {
        let place = (transfer.sender(), transfer.order().nonce);
        self.ids.insert(transfer.id(), place);
        if let Some(replaced) = self.waiting.entry(place.0).or_default().insert(place.1, transfer) {
            self.ids.remove(&replaced.id());
        }
    }

    /// If the mempool is full, drops the last transfer of the sender who pays the least for it, if that is less than
    /// `newcomer` pays. The last one, because the earlier ones can be carried out without it.
    fn make_room(&mut self, newcomer: &Transfer) -> Result<(), Refusal> {
        if self.len() < MAX_WAITING {
            return Ok(());
        }
        let others = self.waiting.iter().filter(|(sender, _)| **sender != newcomer.sender());
        let lasts = others.filter_map(|(_, waiting)| waiting.last_key_value()).map(|(_, last)| last);
        let cheapest = lasts.min_by_key(|last| last.order().fee).filter(|last| last.order().fee < newcomer.order().fee);
        let (id, sender, nonce) =
            cheapest.map(|last| (last.id(), last.sender(), last.order().nonce)).ok_or(Refusal::PoolFull)?;
        self.ids.remove(&id);
        if let Some(waiting) = self.waiting.get_mut(&sender) {
            waiting.remove(&nonce);
            if waiting.is_empty() {
                self.waiting.remove(&sender);
            }
        }
        Ok(())
    }
}
