//! What the tests of the chain stand on: identities, a chain without difficulty, time that only passes when told to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sealnet::envelope::{Signed, Timestamp};
use sealnet::identity::{Identity, NetworkHash, NodeId};

use crate::chain::{AddError, Added, Amount, Block, Chain, Genesis, Order, Refusal, Store, Transfer};

/// Blocks are a second apart, and every hash is good enough. The first three people have 1000 each.
pub(crate) const GENESIS: &str = r#"
    name = "test"
    time = 1_700_000_000
    block_time_ms = 1000
    difficulty = 1
    adjust_every = 10
    reward = 50
    halving_every = 20
    min_fee = 1
    max_block_bytes = 20_000
"#;

pub(crate) fn genesis() -> Arc<Genesis> {
    genesis_with("")
}

/// With other lines in the place of those with the same keys.
pub(crate) fn genesis_with(lines: &str) -> Arc<Genesis> {
    let key = |line: &str| line.split('=').next().unwrap().trim().to_owned();
    let others: Vec<_> = lines.lines().map(key).collect();
    let kept = GENESIS.lines().filter(|line| !others.contains(&key(line)) || line.trim().is_empty());
    let mut text: String = kept.chain(lines.lines()).map(|line| format!("{line}\n")).collect();
    text.push_str("[balances]\n");
    for n in 0..3 {
        text.push_str(&format!("{} = 1000\n", id(n)));
    }
    Arc::new(Genesis::parse(&text).unwrap())
}

pub(crate) fn network() -> NetworkHash {
    NetworkHash::secure(&"test".parse().unwrap())
}

pub(crate) fn person(n: u8) -> Signed {
    Signed::new(network(), Arc::new(Identity::from_seed(&[n + 1; 32])))
}

pub(crate) fn id(n: u8) -> NodeId {
    Identity::from_seed(&[n + 1; 32]).id()
}

pub(crate) fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

/// So many seconds after block 0.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).unwrap().plus(Duration::from_secs(seconds))
}

pub(crate) fn chain() -> Chain {
    chain_of(&genesis())
}

pub(crate) fn chain_of(genesis: &Arc<Genesis>) -> Chain {
    Chain::open(genesis.clone(), network(), Store::in_memory().unwrap()).unwrap()
}

/// A transfer from one person to another.
pub(crate) fn pay(chain: &Chain, from: u8, to: u8, units: u64, fee: u64, nonce: u64) -> Transfer {
    let order = Order { chain: chain.genesis().hash(), to: id(to), amount: amount(units), fee: amount(fee), nonce };
    Transfer::sign(&order, &person(from), at(0), chain.genesis()).unwrap()
}

/// Mines the next block on the tip of `chain` for a person, a second after it, without taking it in.
pub(crate) fn mine(chain: &Chain, miner: u8) -> Block {
    let time = chain.tip_time().plus(Duration::from_secs(1));
    chain.template(id(miner), time).grind(u64::MAX).unwrap()
}

/// Mines the next block and takes it in.
pub(crate) fn grow(chain: &mut Chain, miner: u8) -> Block {
    let block = mine(chain, miner);
    assert_eq!(add(chain, &block).unwrap(), Added::Extended);
    block
}

/// Takes a block in at its own time.
pub(crate) fn add(chain: &mut Chain, block: &Block) -> Result<Added, Refusal> {
    add_bytes(chain, block.bytes.clone(), block.header.time)
}

pub(crate) fn add_bytes(chain: &mut Chain, bytes: Bytes, now: Timestamp) -> Result<Added, Refusal> {
    let added = refusal(chain.add_block(bytes, now));
    assert!(chain.is_supply_right(), "whatever comes, the balances are what was issued");
    added
}

pub(crate) fn refusal<T>(outcome: Result<T, AddError>) -> Result<T, Refusal> {
    outcome.map_err(|error| match error {
        AddError::Refused(refusal) => refusal,
        AddError::Store(error) => panic!("{error}"),
    })
}

/// Puts a transfer into the mempool.
pub(crate) fn wait(chain: &mut Chain, transfer: &Transfer) -> Result<(), Refusal> {
    refusal(chain.add_transfer(transfer.envelope().clone())).map(drop)
}

pub(crate) fn balance(chain: &Chain, n: u8) -> u64 {
    chain.balance(&id(n)).0.balance.units()
}

/// Makes a block of these parts on the tip, whatever the rules say, and finds its nonce.
pub(crate) fn forge(
    chain: &Chain,
    change: impl FnOnce(&mut crate::chain::Header, &mut crate::chain::Coinbase, &mut Vec<Transfer>),
) -> Block {
    let Block { mut header, mut coinbase, mut transfers, .. } = mine(chain, 9);
    change(&mut header, &mut coinbase, &mut transfers);
    header.root = Block::root(&coinbase, &transfers);
    assert!(header.grind(u64::MAX));
    Block::assemble(header, coinbase, transfers)
}

/// Signs a transfer and puts it into the mempool.
pub(crate) fn try_pay(chain: &mut Chain, from: u8, to: u8, units: u64, fee: u64, nonce: u64) -> Result<(), Refusal> {
    let transfer = pay(chain, from, to, units, fee, nonce);
    wait(chain, &transfer)
}
