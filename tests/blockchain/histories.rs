//! Branches and reorganisations, told and at random.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use sealnet::identity::NodeId;

use crate::chain::{Added, Block, Chain, Transfer, Whereabouts};
use crate::stage::{
    add, amount, at, balance, chain, chain_of, forge, genesis, genesis_with, grow, id, mine, pay, try_pay, wait,
};

#[test]
fn the_branch_with_more_work_wins_and_of_two_equal_ones_the_first() {
    let (mut a, mut b) = (chain(), chain());
    let first = grow(&mut a, 8);
    let (second, third) = (grow(&mut b, 9), grow(&mut b, 9));
    assert_eq!(add(&mut a, &second), Ok(Added::OnBranch));
    assert_eq!(a.tip(), first.hash);
    assert_eq!(add(&mut a, &third), Ok(Added::Reorganised { disconnected: 1, connected: 2 }));
    assert_eq!((a.tip(), balance(&a, 8), balance(&a, 9)), (third.hash, 0, 100));
    assert_eq!(a.facts().reorganisations, 1);
}

#[test]
fn work_counts_and_not_length() {
    let genesis = genesis_with("difficulty = 4");
    let (mut long, mut heavy) = (chain_of(&genesis), chain_of(&genesis));
    for _ in 0..40 {
        grow(&mut long, 8);
    }
    // Blocks five times too fast: their difficulty doubles after every ten.
    let mut blocks = Vec::new();
    while blocks.len() < 28 {
        let time = heavy.tip_time().plus(Duration::from_millis(200));
        blocks.push(heavy.template(id(9), time).grind(u64::MAX).unwrap());
        add(&mut heavy, &blocks[blocks.len() - 1]).unwrap();
    }
    for block in &blocks {
        add(&mut long, block).unwrap();
    }
    assert_eq!((long.tip(), long.height()), (heavy.tip(), 28));
}

#[test]
fn a_reorganisation_puts_transfers_back_and_forgets_none_that_still_fits() {
    let (mut a, mut b) = (chain(), chain());
    // Only side A has these: a payment, its onward payment by somebody who has nothing else, and one that side B spends
    // otherwise.
    let kept = [pay(&a, 0, 5, 100, 1, 0), pay(&a, 5, 6, 99, 1, 0)];
    let (lost, won) = (pay(&a, 1, 5, 7, 1, 0), pay(&a, 1, 2, 9, 1, 0));
    wait(&mut a, &kept[0]).unwrap();
    wait(&mut a, &lost).unwrap();
    grow(&mut a, 8);
    wait(&mut a, &kept[1]).unwrap();
    grow(&mut a, 8);
    wait(&mut b, &won).unwrap();
    let blocks: Vec<_> = (0..3).map(|_| grow(&mut b, 9)).collect();
    for block in &blocks {
        add(&mut a, block).unwrap();
    }
    assert_eq!(a.tip(), b.tip());
    for transfer in &kept {
        assert_eq!(a.find(&transfer.id()).unwrap(), Whereabouts::Waiting);
    }
    assert_eq!(a.find(&lost.id()).unwrap(), Whereabouts::Unknown, "its nonce is spent on the heavier side");
    let block = grow(&mut a, 8);
    assert_eq!(block.transfers.len(), 2, "both in one block, the payment before what it pays for");
    let Whereabouts::Confirmed(confirmed) = a.find(&kept[1].id()).unwrap() else { panic!("it is in block 4") };
    assert_eq!((confirmed.height, confirmed.confirmations), (4, 1));
    (0..5).for_each(|_| drop(grow(&mut a, 8)));
    assert!(matches!(a.find(&kept[1].id()), Ok(Whereabouts::Confirmed(now)) if now.confirmations == 6));
    assert!(matches!(a.find(&won.id()), Ok(Whereabouts::Confirmed(now)) if now.confirmations == 9));
}

#[test]
fn an_account_remembers_what_concerns_it_on_the_active_chain_alone() {
    let (mut a, mut b) = (chain(), chain());
    try_pay(&mut a, 0, 8, 5, 2, 0).unwrap();
    let blocks = [grow(&mut a, 8), grow(&mut a, 9)];
    let history = a.history(&id(8), 10).unwrap();
    let amounts =
        |history: &[crate::chain::Entry]| -> Vec<u64> { history.iter().map(|entry| entry.amount.units()).collect() };
    assert_eq!(amounts(&history), [5, 52], "newest first; within a block the coinbase comes before the transfers");
    assert_eq!(history[1].confirmed.unwrap().confirmations, 2);
    (0..3).for_each(|_| drop(grow(&mut b, 7)));
    for height in 1..=3 {
        let block = b.block(&b.hash_at(height).unwrap()).unwrap().unwrap();
        add(&mut a, &block).unwrap();
    }
    let history = a.history(&id(8), 10).unwrap();
    assert_eq!((amounts(&history), history[0].confirmed), (vec![5], None), "the transfer waits again");
    assert_eq!(a.confirmed(&blocks[0].hash), None);
    assert_eq!(a.history(&id(7), 2).unwrap().len(), 2);
}

#[test]
fn a_branch_may_go_deep_if_its_headers_showed_more_work() {
    let (mut a, mut b) = (chain(), chain());
    for _ in 0..300 {
        grow(&mut a, 8);
    }
    let blocks: Vec<_> = (0..500).map(|_| grow(&mut b, 9)).collect();
    assert_eq!(add(&mut a, &blocks[0]).unwrap_err().name(), "buried");
    let headers: Vec<_> = blocks.iter().map(|block| block.header.clone()).collect();
    let mut candidate = a.candidate(a.genesis().hash()).unwrap();
    a.extend(&mut candidate, &headers, at(600)).unwrap();
    let missing = a.admit(&candidate).unwrap();
    assert!(missing.iter().eq(blocks.iter().map(|block| &block.hash)), "oldest first");
    let taken = a.add_blocks(blocks[..100].iter().map(|block| block.bytes.clone()), at(600)).unwrap();
    assert_eq!(taken, (100, None));
    // The active chain goes on meanwhile, and cleaning up leaves the branch that is on its way.
    for _ in 0..100 {
        grow(&mut a, 8);
    }
    assert_eq!((a.height(), a.has_block(&blocks[99].hash)), (400, true));
    let taken = a.add_blocks(blocks[100..].iter().map(|block| block.bytes.clone()), at(600)).unwrap();
    assert_eq!((taken, a.tip(), a.height()), ((400, None), b.tip(), 500));
    assert_eq!((balance(&a, 8), a.facts().reorganisations), (0, 1));
}

#[test]
fn old_branches_are_forgotten() {
    let (mut a, b) = (chain(), chain());
    grow(&mut a, 8);
    let stray = mine(&b, 9);
    assert_eq!(add(&mut a, &stray), Ok(Added::OnBranch));
    for _ in 0..210 {
        grow(&mut a, 8);
    }
    assert!(!a.has_block(&stray.hash) && a.block_bytes(&stray.hash).unwrap().is_none());
}

#[test]
fn an_invalid_block_on_a_branch_is_judged_by_the_balances_there() {
    let (mut a, mut b) = (chain(), chain());
    // On side A, person 5 gets 100; on side B nothing.
    let gift = pay(&a, 0, 5, 100, 1, 0);
    wait(&mut a, &gift).unwrap();
    (0..3).for_each(|_| drop(grow(&mut a, 8)));
    let first = grow(&mut b, 9);
    add(&mut a, &first).unwrap();
    let spending = pay(&a, 5, 6, 50, 1, 0);
    let bad = forge(&b, |_, coinbase, transfers| {
        coinbase.amount = amount(51);
        *transfers = vec![spending];
    });
    assert_eq!(add(&mut a, &bad).unwrap_err().name(), "overdraft");
    // The branch goes on, and wins, with other blocks.
    for _ in 0..3 {
        add(&mut a, &grow(&mut b, 9)).unwrap();
    }
    assert_eq!((a.tip(), balance(&a, 5)), (b.tip(), 0));
}

#[test]
fn the_reward_halves_and_what_is_issued_ends() {
    let mut chain = chain();
    let genesis = genesis();
    let rewards: Vec<_> = (0..45).map(|_| grow(&mut chain, 9).coinbase.amount.units()).collect();
    assert_eq!((rewards[0], rewards[19], rewards[20], rewards[39], rewards[40]), (50, 50, 25, 25, 12));
    assert_eq!(genesis.issued(45).units(), 3000 + 20 * 50 + 20 * 25 + 5 * 12);
    assert_eq!(genesis.issued(u64::MAX).units(), 3000 + 20 * (50 + 25 + 12 + 6 + 3 + 1));
    assert_eq!(genesis.subsidy(u64::MAX), amount(0));
}

#[test]
fn difficulty_follows_the_time_blocks_take_in_bounded_steps() {
    let mut chain = chain_of(&genesis_with("difficulty = 8"));
    let mut run = |millis: u64| {
        for _ in 0..10 {
            let time = chain.tip_time().plus(Duration::from_millis(millis));
            let block = chain.template(id(9), time).grind(u64::MAX).unwrap();
            add(&mut chain, &block).unwrap();
        }
        chain.facts().difficulty.hashes()
    };
    assert_eq!(run(1), 16, "a thousand times too fast: doubled");
    assert_eq!(run(800), 20, "a fifth too fast");
    assert_eq!(run(1000), 20);
    assert_eq!(run(1250), 16);
    assert_eq!(run(60_000), 8, "far too slow: halved");
    assert_eq!(run(60_000), 8, "never below the chain's least");
}

#[test]
fn two_chains_never_mix() {
    let names = |lines: &str| (genesis_with(lines).hash(), genesis_with(lines).version());
    let one = names("");
    assert_eq!(one, names(""));
    for lines in [
        "name = \"tesT\"",
        "time = 1_700_000_001",
        "block_time_ms = 1001",
        "difficulty = 2",
        "adjust_every = 11",
        "reward = 51",
        "halving_every = 21",
        "min_fee = 0",
        "max_block_bytes = 20_001",
    ] {
        let other = names(lines);
        assert!(other.0 != one.0 && other.1 != one.1, "{lines}");
        let foreign = mine(&chain_of(&genesis_with(lines)), 9);
        let refused = chain().add_block(foreign.bytes, at(100)).unwrap_err().to_string();
        assert!(refused.contains("is not known here"), "{lines}: {refused}");
    }
}

/// A step of a random history. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Pay {
        chain: usize,
        from: u8,
        to: u8,
        units: u64,
        fee: u64,
    },
    Mine {
        chain: usize,
    },
    /// One chain gets the newest blocks of another, all that it lacks or only the first so many of them.
    Tell {
        from: usize,
        to: usize,
        at_most: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pay = (0..3_usize, 0..6_u8, 0..6_u8, 1..400_u64, 1..9_u64);
    let step = prop_oneof![
        3 => pay.prop_map(|(chain, from, to, units, fee)| Step::Pay { chain, from, to, units, fee }),
        3 => (0..3_usize).prop_map(|chain| Step::Mine { chain }),
        1 => (0..3_usize, 0..3_usize, 1..9_usize).prop_map(|(from, to, at_most)| Step::Tell { from, to, at_most }),
    ];
    proptest::collection::vec(step, 1..120)
}

/// Gives `to` the blocks of the active chain of `from` that it lacks.
fn tell(from: &Chain, to: &mut Chain, at_most: usize) {
    let missing = (1..=from.height()).filter_map(|height| from.hash_at(height)).filter(|hash| !to.has_block(hash));
    for hash in missing.take(at_most).collect::<Vec<_>>() {
        let block = from.block(&hash).unwrap().unwrap();
        add(to, &block).unwrap();
    }
}

/// The balances that the blocks of the active chain make, counted in the plainest way.
fn count(chain: &Chain) -> BTreeMap<NodeId, (i128, u64)> {
    let mut accounts: BTreeMap<NodeId, (i128, u64)> = BTreeMap::new();
    for (id, amount) in &chain.genesis().rules().balances {
        accounts.entry(*id).or_default().0 += i128::from(amount.units());
    }
    for height in 1..=chain.height() {
        let block: Block = chain.block(&chain.hash_at(height).unwrap()).unwrap().unwrap();
        for transfer in &block.transfers {
            let sender = accounts.entry(transfer.sender()).or_default();
            assert_eq!(sender.1, transfer.order().nonce);
            *sender = (sender.0 - i128::from(transfer.cost().units()), sender.1 + 1);
            assert!(sender.0 >= 0);
            accounts.entry(transfer.order().to).or_default().0 += i128::from(transfer.order().amount.units());
        }
        accounts.entry(block.coinbase.to).or_default().0 += i128::from(block.coinbase.amount.units());
    }
    accounts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Three chains that mine, pay and tell each other at random: `add` looks at the sum after every block.
    #[test]
    fn balances_always_add_up_to_what_was_issued(steps in steps()) {
        let mut chains = [chain(), chain(), chain()];
        let mut paid = Vec::new();
        for step in steps {
            match step {
                Step::Pay { chain, from, to, units, fee } => {
                    let nonce = chains[chain].balance(&id(from)).1;
                    let transfer = pay(&chains[chain], from, to, units, fee, nonce);
                    if wait(&mut chains[chain], &transfer).is_ok() {
                        paid.push(transfer);
                    }
                }
                Step::Mine { chain } => {
                    grow(&mut chains[chain], 3 + chain as u8);
                }
                Step::Tell { from, to, at_most } if from != to => {
                    let [a, b] = chains.get_disjoint_mut([from, to]).unwrap();
                    tell(a, b, at_most);
                }
                Step::Tell { .. } => {}
            }
        }
        // In the end one of them mines on, and all follow.
        let tips = chains.iter().map(Chain::height).max().unwrap();
        while chains[0].height() <= tips {
            grow(&mut chains[0], 3);
        }
        let [first, others @ ..] = &mut chains;
        for other in others {
            tell(first, other, usize::MAX);
            prop_assert_eq!(other.tip(), first.tip());
        }
        for chain in &chains {
            for (id, (balance, nonce)) in count(chain) {
                let account = chain.balance(&id).0;
                prop_assert_eq!((i128::from(account.balance.units()), account.nonce), (balance, nonce));
            }
        }
        // Nothing was lost: a transfer is in the chain, or waits somewhere, unless it has a rival for its nonce.
        let place = |transfer: &Transfer| (transfer.sender(), transfer.order().nonce);
        for transfer in &paid {
            let has_rival = paid.iter().filter(|other| place(other) == place(transfer)).count() > 1;
            let is_somewhere = chains.iter().any(|chain| chain.find(&transfer.id()).unwrap() != Whereabouts::Unknown);
            prop_assert!(has_rival || is_somewhere, "{transfer:?} is lost");
        }
    }
}
