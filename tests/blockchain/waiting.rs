//! The mempool.

use crate::chain::{Refusal, Whereabouts};
use crate::stage::{add, amount, balance, chain, chain_of, forge, genesis_with, grow, id, mine, pay, try_pay, wait};

#[test]
fn a_higher_fee_replaces_a_waiting_transfer() {
    let mut chain = chain();
    let cheap = pay(&chain, 0, 1, 100, 20, 0);
    wait(&mut chain, &cheap).unwrap();
    // A tenth more, and one: relaying replacements costs something.
    let refused = try_pay(&mut chain, 0, 1, 100, 22, 0);
    assert_eq!(refused, Err(Refusal::Underpriced { fee: amount(22), needed: amount(23) }));
    let dear = pay(&chain, 0, 2, 100, 23, 0);
    wait(&mut chain, &dear).unwrap();
    assert_eq!(chain.find(&cheap.id()).unwrap(), Whereabouts::Unknown);
    assert_eq!(grow(&mut chain, 9).transfers, [dear]);
    assert_eq!((balance(&chain, 1), balance(&chain, 2), balance(&chain, 9)), (1000, 1100, 73));
}

#[test]
fn the_best_paid_go_first_and_each_senders_in_order() {
    let mut chain = chain_of(&genesis_with("max_block_bytes = 1300"));
    for transfer in [pay(&chain, 0, 1, 1, 5, 0), pay(&chain, 0, 1, 1, 90, 1), pay(&chain, 1, 0, 1, 10, 0)] {
        wait(&mut chain, &transfer).unwrap();
    }
    let fees = |block: crate::chain::Block| -> Vec<_> {
        block.transfers.iter().map(|transfer| transfer.order().fee.units()).collect()
    };
    // There is room for three, and the one with 90 waits for the one with 5.
    assert_eq!(fees(mine(&chain, 9)), [10, 5, 90]);
    try_pay(&mut chain, 2, 0, 1, 20, 0).unwrap();
    assert_eq!(fees(grow(&mut chain, 9)), [20, 10, 5]);
    assert_eq!(fees(grow(&mut chain, 9)), [90]);
}

#[test]
fn what_one_sender_has_waiting_is_bounded() {
    let mut chain = chain();
    for nonce in 0..64 {
        try_pay(&mut chain, 0, 1, 1, 1, nonce).unwrap();
    }
    let refused = try_pay(&mut chain, 0, 1, 1, 1, 64);
    assert_eq!(refused, Err(Refusal::TooManyWaiting { sender: id(0), limit: 64 }));
    assert_eq!(chain.balance(&id(0)).1, 64);
}

#[test]
fn a_block_of_others_takes_out_of_the_mempool_what_it_made_impossible() {
    let mut chain = chain();
    let (mine_, theirs) = (pay(&chain, 0, 1, 10, 1, 0), pay(&chain, 0, 2, 10, 1, 0));
    wait(&mut chain, &mine_).unwrap();
    let next = pay(&chain, 0, 1, 10, 1, 1);
    wait(&mut chain, &next).unwrap();
    let block = forge(&chain, |_, coinbase, transfers| {
        coinbase.amount = amount(51);
        *transfers = vec![theirs];
    });
    add(&mut chain, &block).unwrap();
    assert_eq!(chain.waiting().collect::<Vec<_>>(), [&next]);
}

#[test]
fn a_full_mempool_makes_room_for_those_who_pay_more() {
    let genesis = crowded_genesis();
    let mut chain = chain_of(&genesis);
    for n in 0..100_u8 {
        for nonce in 0..50 {
            try_pay(&mut chain, n, 101, 1, 2 + u64::from(n), nonce).unwrap();
        }
    }
    assert_eq!(chain.facts().mempool, 5000);
    assert_eq!(try_pay(&mut chain, 100, 101, 1, 2, 0), Err(Refusal::PoolFull));
    assert_eq!(Refusal::PoolFull.name(), "pool-full");
    let dear = pay(&chain, 100, 101, 1, 3, 0);
    wait(&mut chain, &dear).unwrap();
    assert_eq!(chain.facts().mempool, 5000);
    // The last of the cheapest sender's went; his others can still be carried out.
    assert_eq!((chain.balance(&id(0)).1, chain.balance(&id(1)).1), (49, 50));
}

fn crowded_genesis() -> std::sync::Arc<crate::chain::Genesis> {
    let text: String = (3..=100).map(|n| format!("{} = 100000\n", id(n))).collect();
    let text = format!("{}[balances]\n{text}", crate::stage::GENESIS);
    let rich: String = (0..3).map(|n| format!("{} = 100000\n", id(n))).collect();
    std::sync::Arc::new(crate::chain::Genesis::parse(&(text + &rich)).unwrap())
}
