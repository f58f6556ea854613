//! Everything that is not valid is refused, by name, and changes nothing.

use std::time::Duration;

use bytes::Bytes;
use sealnet::envelope::{Draft, Lifetime, Scheme, Signed};

use crate::chain::{
    Added, Amount, Blame, Block, Candidate, Chain, Difficulty, Header, MAX_AHEAD, Order, Refusal, Transfer,
};
use crate::stage::{
    add, add_bytes, amount, at, balance, chain, chain_of, forge, genesis_with, grow, id, mine, network, pay, person,
    refusal, try_pay, wait,
};

/// Refused with a name, blamed on the block, and the chain as it was.
#[track_caller]
fn refuse(chain: &mut Chain, block: &Block, name: &str) -> Refusal {
    let before = (chain.tip(), chain.facts());
    let refusal = add(chain, block).unwrap_err();
    assert_eq!(refusal.name(), name, "{refusal}");
    assert_eq!((chain.tip(), chain.facts()), before);
    refusal
}

#[test]
fn a_block_that_spends_twice_is_refused() {
    let mut chain = chain();
    let (one, other) = (pay(&chain, 0, 1, 600, 1, 0), pay(&chain, 0, 2, 600, 1, 0));
    let both = forge(&chain, |_, coinbase, transfers| {
        coinbase.amount = amount(52);
        *transfers = vec![one.clone(), other.clone()];
    });
    assert_eq!(refuse(&mut chain, &both, "double-spend").of_block(), Blame::Sender);
    // In a later block, in the mempool beside a waiting one, and in the mempool after a block.
    wait(&mut chain, &one).unwrap();
    assert_eq!(wait(&mut chain, &other).unwrap_err().name(), "underpriced");
    grow(&mut chain, 9);
    let later = forge(&chain, |_, coinbase, transfers| {
        coinbase.amount = amount(51);
        *transfers = vec![other.clone()];
    });
    refuse(&mut chain, &later, "double-spend");
    let refusal = wait(&mut chain, &other).unwrap_err();
    assert_eq!(refusal, Refusal::DoubleSpend { sender: id(0), nonce: 0 });
    assert_eq!(refusal.of_transfer(), Blame::Nobody, "whoever passed it on may not have had the block");
    assert_eq!((balance(&chain, 1), balance(&chain, 2)), (1600, 1000));
}

#[test]
fn a_transfer_is_carried_out_once_however_often_it_is_replayed() {
    let mut chain = chain();
    let transfer = pay(&chain, 0, 1, 10, 1, 0);
    wait(&mut chain, &transfer).unwrap();
    assert_eq!(wait(&mut chain, &transfer), Err(Refusal::AlreadyKnown));
    grow(&mut chain, 9);
    assert_eq!(wait(&mut chain, &transfer), Err(Refusal::Replay(transfer.id())));
    let again = forge(&chain, |_, coinbase, transfers| {
        coinbase.amount = amount(51);
        *transfers = vec![transfer.clone()];
    });
    refuse(&mut chain, &again, "replay");
    let next = pay(&chain, 0, 1, 10, 1, 1);
    let twice = forge(&chain, |_, coinbase, transfers| {
        coinbase.amount = amount(52);
        *transfers = vec![next.clone(), next.clone()];
    });
    refuse(&mut chain, &twice, "replay");
    assert_eq!(balance(&chain, 1), 1010);
}

#[test]
fn a_replay_on_a_branch_is_named_by_the_history_of_that_branch() {
    let (mut chain, mut other) = (chain(), chain());
    let transfer = pay(&chain, 0, 1, 10, 1, 0);
    for _ in 0..3 {
        grow(&mut chain, 9);
    }
    wait(&mut other, &transfer).unwrap();
    assert_eq!(add(&mut chain, &grow(&mut other, 8)), Ok(Added::OnBranch));
    let replay = forge(&other, |_, coinbase, transfers| {
        coinbase.amount = amount(51);
        *transfers = vec![transfer.clone()];
    });
    refuse(&mut chain, &replay, "replay");
    // On the active chain it was never carried out.
    wait(&mut chain, &transfer).unwrap();
    assert_eq!(grow(&mut chain, 9).transfers, [transfer]);
}

#[test]
fn nobody_spends_more_than_there_is() {
    let mut chain = chain();
    for (units, fee) in [(1000, 1), (999, 2), (1, 1000), (Amount::MAX.units() - 1, 1)] {
        let transfer = pay(&chain, 0, 1, units, fee, 0);
        let refused = wait(&mut chain, &transfer).unwrap_err();
        assert_eq!(refused.name(), "overdraft");
        assert_eq!(refused.of_transfer(), Blame::Wait, "a payment may be on its way");
        let block = forge(&chain, |_, coinbase, transfers| {
            coinbase.amount = [amount(50), amount(fee)].into_iter().sum();
            *transfers = vec![transfer];
        });
        assert_eq!(refuse(&mut chain, &block, "overdraft").of_block(), Blame::Sender);
    }
    // Not by several that wait, either; and what comes in the same block can be spent in it.
    let (first, second) = (pay(&chain, 0, 1, 600, 1, 0), pay(&chain, 0, 1, 399, 1, 1));
    wait(&mut chain, &first).unwrap();
    assert_eq!(wait(&mut chain, &second).unwrap_err().name(), "overdraft");
    let onward = pay(&chain, 1, 2, 1599, 1, 0);
    let block = forge(&chain, |_, coinbase, transfers| {
        coinbase.amount = amount(52);
        *transfers = vec![first, onward];
    });
    add(&mut chain, &block).unwrap();
    assert_eq!((balance(&chain, 1), balance(&chain, 2)), (0, 2599));
}

#[test]
fn nonces_come_in_order() {
    let mut chain = chain();
    let early = pay(&chain, 0, 1, 1, 1, 1);
    let refused = wait(&mut chain, &early).unwrap_err();
    assert_eq!(refused, Refusal::WrongNonce { sender: id(0), expected: 0, found: 1 });
    assert_eq!(refused.of_transfer(), Blame::Wait);
    let block = forge(&chain, |_, coinbase, transfers| {
        coinbase.amount = amount(51);
        *transfers = vec![early];
    });
    refuse(&mut chain, &block, "wrong-nonce");
}

#[test]
fn work_that_was_not_done_is_refused_before_anything_is_read() {
    let mut chain = chain_of(&genesis_with("difficulty = 100_000"));
    let mut block = mine(&chain, 9);
    block.header.nonce = block.header.nonce.wrapping_add(1);
    // What follows the header is rubbish, and nobody gets as far as noticing.
    let mut bytes = block.header.encode().to_vec();
    bytes.extend([7; 100]);
    assert_eq!(add_bytes(&mut chain, bytes.into(), at(1)).unwrap_err().name(), "wrong-work");
    for claimed in [1, 99_999] {
        let cheap = forge(&chain, |header, _, _| header.difficulty = Difficulty::new(claimed).unwrap());
        refuse(&mut chain, &cheap, "wrong-difficulty");
    }
    let dear = forge(&chain, |header, _, _| header.difficulty = Difficulty::new(100_001).unwrap());
    refuse(&mut chain, &dear, "wrong-difficulty");
}

#[test]
fn times_out_of_bounds_are_refused() {
    let mut chain = chain();
    for _ in 0..20 {
        grow(&mut chain, 9);
    }
    // The last eleven blocks have the seconds 10 to 20; their median is 15.
    let early = forge(&chain, |header, _, _| header.time = at(15));
    refuse(&mut chain, &early, "too-early");
    let now = at(21);
    let far = forge(&chain, |header, _, _| header.time = now.plus(MAX_AHEAD + Duration::from_micros(1)));
    let refused = add_bytes(&mut chain, far.bytes.clone(), now).unwrap_err();
    assert_eq!((refused.name(), refused.of_block()), ("too-far-ahead", Blame::Wait));
    // It is not held against the block: when its time has come it is welcome.
    add_bytes(&mut chain, far.bytes, now.plus(Duration::from_micros(1))).unwrap();
}

#[test]
fn a_block_may_be_older_than_its_parent_but_not_than_the_median() {
    let mut chain = chain();
    for _ in 0..20 {
        grow(&mut chain, 9);
    }
    let back = forge(&chain, |header, _, _| header.time = at(15).plus(Duration::from_micros(1)));
    add(&mut chain, &back).unwrap();
}

#[test]
fn blocks_that_are_too_large_are_refused() {
    let mut chain = chain();
    let transfers: Vec<_> = (0..80).map(|nonce| pay(&chain, 0, 1, 1, 1, nonce)).collect();
    let block = forge(&chain, |_, coinbase, body| {
        coinbase.amount = amount(130);
        *body = transfers;
    });
    assert!(block.bytes.len() > 20_000);
    refuse(&mut chain, &block, "oversize");
    // One's own miner stays below.
    for nonce in 0..64 {
        try_pay(&mut chain, 0, 1, 1, 1, nonce).unwrap();
    }
    let block = grow(&mut chain, 9);
    assert!(block.bytes.len() <= 20_000 && block.transfers.len() > 40, "{}", block.bytes.len());
}

#[test]
fn transfers_that_are_too_large_are_refused() {
    let chain = chain();
    let order = Order { chain: chain.genesis().hash(), to: id(1), amount: amount(1), fee: amount(1), nonce: 0 };
    let message = format!("{}{}", serde_json::to_string(&order).unwrap(), " ".repeat(1000));
    assert_eq!(read(&chain, &person(0), Transfer::TITLE, &message).unwrap_err().name(), "oversize");
}

#[test]
fn signatures_of_others_are_refused_and_a_spoilt_copy_does_not_harm_the_block() {
    let mut chain = chain();
    try_pay(&mut chain, 0, 1, 10, 1, 0).unwrap();
    let good = mine(&chain, 9);
    let mut bytes = good.bytes.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(add_bytes(&mut chain, bytes.clone().into(), good.header.time).unwrap_err().name(), "wrong-root");
    add(&mut chain, &good).unwrap();
    // The root can be made to fit the spoilt signature: then it is another block, and refused for what it is.
    let spoilt = forge_bytes(&chain, &transfer_with_spoilt_signature(&chain));
    let refused = add_bytes(&mut chain, spoilt.clone(), at(5)).unwrap_err();
    assert_eq!((refused.name(), refused.of_block()), ("bad-signature", Blame::Sender));
    assert_eq!(add_bytes(&mut chain, spoilt, at(5)), Err(Refusal::KnownInvalid), "once is enough");
}

fn transfer_with_spoilt_signature(chain: &Chain) -> Bytes {
    let mut bytes = pay(chain, 0, 1, 10, 1, 1).as_bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes.into()
}

/// A mined block with one envelope in it, whatever it is.
fn forge_bytes(chain: &Chain, envelope: &Bytes) -> Bytes {
    use sha2::{Digest, Sha256};
    let block = forge(chain, |_, coinbase, _| coinbase.amount = amount(51));
    let leaf = |bytes: &[u8]| Sha256::new().chain_update([0]).chain_update(bytes).finalize();
    let coinbase = leaf(&block.bytes[Header::LEN..Block::OVERHEAD]);
    let root: [u8; 32] =
        Sha256::new().chain_update([1]).chain_update(coinbase).chain_update(leaf(envelope)).finalize().into();
    let mut bytes = block.bytes.to_vec();
    bytes[40..72].copy_from_slice(&root);
    bytes.extend_from_slice(envelope);
    let (mut header, _) = Header::split(&bytes).unwrap();
    assert!(header.grind(u64::MAX));
    bytes[..Header::LEN].copy_from_slice(&header.encode());
    bytes.into()
}

#[test]
fn envelopes_that_are_no_transfers_of_this_chain_are_refused_in_blocks_and_outside() {
    let mut chain = chain();
    let hash = chain.genesis().hash();
    let order = |units: u64, fee: u64| {
        serde_json::json!({"chain": hash, "to": id(1), "amount": units, "fee": fee, "nonce": 0}).to_string()
    };
    let other = genesis_with("name = \"other\"").hash();
    let cases = [
        ("chat", order(1, 1), "not-a-transfer"),
        (Transfer::TITLE, "hello".to_owned(), "malformed"),
        (Transfer::TITLE, order(1, 1).replace("\"fee\"", "\"amount\":2,\"fee\""), "malformed"),
        (Transfer::TITLE, order(1, 1).replace("\"nonce\":0", "\"nonce\":0,\"x\":1"), "malformed"),
        (Transfer::TITLE, order(1, 1).replace("\"amount\":1", "\"amount\":1.0"), "malformed"),
        (Transfer::TITLE, order(1, 1).replace("\"amount\":1", "\"amount\":-1"), "malformed"),
        (Transfer::TITLE, order(1 << 53, 1), "malformed"),
        (Transfer::TITLE, order((1 << 53) - 1, 1), "malformed"),
        (Transfer::TITLE, format!("[\"{hash}\",\"{}\",1,1,0]", id(1)), "malformed"),
        (Transfer::TITLE, order(1, 1).replace(&hash.to_string(), &other.to_string()), "other-chain"),
        (Transfer::TITLE, order(0, 1), "zero-amount"),
        (Transfer::TITLE, order(1, 0), "fee-too-low"),
    ];
    for (title, message, name) in cases {
        let refused = read(&chain, &person(0), title, &message).unwrap_err();
        let blame = if name == "other-chain" { Blame::Nobody } else { Blame::Sender };
        assert_eq!((refused.name(), refused.of_transfer()), (name, blame), "{message}");
        let bytes = forge_bytes(&chain, &envelope(&person(0), title, &message));
        assert_eq!(add_bytes(&mut chain, bytes, at(1)).unwrap_err().name(), name, "{message}");
    }
    // An envelope of another network is not its sender's here.
    let elsewhere = sealnet::identity::NetworkHash::secure(&"elsewhere".parse().unwrap());
    assert_ne!(elsewhere, network());
    let stranger = Signed::new(elsewhere, sealnet::identity::Identity::from_seed(&[1; 32]).into());
    let bytes = envelope(&stranger, Transfer::TITLE, &order(1, 1));
    assert_eq!(refusal(chain.add_transfer_bytes(bytes)).unwrap_err().name(), "bad-signature");
}

fn envelope(by: &Signed, title: &str, message: &str) -> Bytes {
    let message = Bytes::copy_from_slice(message.as_bytes());
    let draft = Draft { title: title.parse().unwrap(), message, time: at(0), lifetime: Lifetime::DEFAULT };
    by.publish(&draft).unwrap().as_bytes().clone()
}

fn read(chain: &Chain, by: &Signed, title: &str, message: &str) -> Result<Transfer, Refusal> {
    let envelope = by.verify(by.parse(envelope(by, title, message)).unwrap()).unwrap();
    Transfer::read(envelope, chain.genesis())
}

#[test]
fn a_coinbase_issues_exactly_the_reward_and_the_fees() {
    let mut chain = chain();
    let transfer = pay(&chain, 0, 1, 10, 3, 0);
    for claimed in [0, 52, 54, Amount::MAX.units()] {
        let block = forge(&chain, |_, coinbase, transfers| {
            coinbase.amount = amount(claimed);
            *transfers = vec![transfer.clone()];
        });
        let refused = refuse(&mut chain, &block, "bad-coinbase");
        assert_eq!(refused, Refusal::BadCoinbase { claimed: amount(claimed), allowed: amount(53) });
    }
    // From block 21 on it is half of it.
    for _ in 0..20 {
        grow(&mut chain, 9);
    }
    let old = forge(&chain, |_, coinbase, _| coinbase.amount = amount(50));
    refuse(&mut chain, &old, "bad-coinbase");
    assert_eq!(grow(&mut chain, 9).coinbase.amount, amount(25));
}

#[test]
fn a_block_without_its_parent_waits_and_a_wrong_height_is_wrong() {
    let (mut chain, mut other) = (chain(), chain());
    grow(&mut other, 8);
    let orphan = grow(&mut other, 8);
    let refused = refuse(&mut chain, &orphan, "unknown-parent");
    assert_eq!(refused, Refusal::UnknownParent(orphan.header.parent));
    assert_eq!(refused.of_block(), Blame::Wait);
    let block = forge(&chain, |header, _, _| header.height = 2);
    refuse(&mut chain, &block, "wrong-height");
}

#[test]
fn rubbish_is_refused_whatever_its_length() {
    let mut chain = chain();
    let good = mine(&chain, 9);
    for len in 0..good.bytes.len() {
        let name = add_bytes(&mut chain, good.bytes.slice(..len), at(1)).unwrap_err().name();
        assert_eq!(name, "malformed", "{len}");
    }
    let longer = [&good.bytes[..], &[1]].concat();
    assert_eq!(add_bytes(&mut chain, longer.into(), at(1)).unwrap_err().name(), "malformed");
}

#[test]
fn a_branch_that_left_long_ago_with_less_work_is_not_even_read() {
    let (mut chain, other) = (chain(), chain());
    for _ in 0..110 {
        grow(&mut chain, 9);
    }
    let old = mine(&other, 8);
    let refused = refuse(&mut chain, &old, "buried");
    assert_eq!((refused.clone(), refused.of_block()), (Refusal::Buried { depth: 110 }, Blame::Nobody));
}

#[test]
fn a_deep_forged_chain_costs_headers_and_no_bodies() {
    // Honest: 30 blocks of real work, once difficulty has risen because they came fast.
    let genesis = genesis_with("difficulty = 8");
    let mut honest = chain_of(&genesis);
    for _ in 0..60 {
        let time = honest.tip_time().plus(Duration::from_millis(200));
        let block = honest.template(id(9), time).grind(u64::MAX).unwrap();
        add(&mut honest, &block).unwrap();
    }
    // Forged: longer, each block as cheap as the rules allow, its times stretched.
    let mut forger = chain_of(&genesis);
    let forged: Vec<_> = (0..100).map(|_| grow(&mut forger, 8)).collect();
    assert!(forger.height() > honest.height());
    let headers: Vec<_> = forged.iter().map(|block| block.header.clone()).collect();
    let mut candidate = honest.candidate(genesis.hash()).unwrap();
    honest.extend(&mut candidate, &headers, at(200)).unwrap();
    assert_eq!((candidate.len(), honest.admit(&candidate)), (100, Err(Refusal::LessWork)));
    assert_eq!(Refusal::LessWork.of_block(), Blame::Nobody);
    // One without any work fails at its first header; one that does not hang together, where it is torn.
    let refused = |headers: &[Header]| -> Refusal {
        let mut candidate: Candidate = honest.candidate(genesis.hash()).unwrap();
        honest.extend(&mut candidate, headers, at(200)).unwrap_err()
    };
    let mut idle = headers.clone();
    while idle[0].hash().leading() <= idle[0].difficulty.target() {
        idle[0].nonce += 1;
    }
    assert_eq!(refused(&idle).name(), "wrong-work");
    assert_eq!(refused(&headers[1..]).name(), "malformed");
    let mut easy = headers.clone();
    easy[0].difficulty = Difficulty::new(1).unwrap();
    assert_eq!(refused(&easy).name(), "wrong-difficulty");
    let stranger = honest.candidate(forged[5].hash).err().unwrap();
    assert_eq!(stranger.name(), "unknown-parent");
}

#[test]
fn whatever_builds_on_an_invalid_block_is_refused_with_it() {
    let mut chain = chain();
    let bad = forge(&chain, |_, coinbase, _| coinbase.amount = amount(1_000_000));
    let mut child = bad.header.clone();
    (child.parent, child.height, child.time) = (bad.hash, 2, at(2));
    assert!(child.grind(u64::MAX));
    // Its headers look good, and are more work than there is here.
    let mut candidate = chain.candidate(chain.genesis().hash()).unwrap();
    chain.extend(&mut candidate, &[bad.header.clone(), child.clone()], at(2)).unwrap();
    assert_eq!(chain.admit(&candidate), Ok(vec![bad.hash, child.hash()]));
    refuse(&mut chain, &bad, "bad-coinbase");
    refuse(&mut chain, &bad, "known-invalid");
    let orphan = Block { hash: child.hash(), header: child.clone(), ..bad.clone() };
    let orphan = Block::assemble(orphan.header, orphan.coinbase, Vec::new());
    refuse(&mut chain, &orphan, "known-invalid");
    let mut candidate = chain.candidate(chain.genesis().hash()).unwrap();
    assert_eq!(chain.extend(&mut candidate, &[bad.header, child], at(2)), Err(Refusal::KnownInvalid));
}

#[test]
fn every_refusal_has_a_name_of_its_own() {
    let source = include_str!("../../examples/blockchain/chain/refusal.rs");
    let names = source.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let names: Vec<_> = names.collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert!(names.len() > 20 && names.len() == distinct.len());
    let tests = [include_str!("refusals.rs"), include_str!("waiting.rs")].concat();
    for name in names {
        let variant: String =
            name.split('-').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..])).collect();
        assert!(tests.contains(&format!("\"{name}\"")) || tests.contains(&variant), "no test refuses for {name}");
    }
}
