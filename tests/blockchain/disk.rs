//! The store.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::chain::{Chain, Store};
use crate::stage::{add, balance, chain, chain_of, genesis, genesis_with, grow, id, network, pay, try_pay, wait};

fn open(folder: &Path) -> Chain {
    Chain::open(genesis(), network(), Store::open(&folder.join("chain.redb")).unwrap()).unwrap()
}

#[test]
fn a_chain_is_after_a_restart_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = open(folder.path());
    try_pay(&mut chain, 0, 1, 10, 1, 0).unwrap();
    (0..30).for_each(|_| drop(grow(&mut chain, 9)));
    let before = (chain.facts(), chain.history(&id(1), 9).unwrap(), chain.locator());
    drop(chain);
    let mut chain = open(folder.path());
    assert_eq!((chain.facts(), chain.history(&id(1), 9).unwrap(), chain.locator()), before);
    grow(&mut chain, 9);
    // The branches are kept, too: one that was lighter before the restart can win after it.
    let mut other = crate::stage::chain();
    let blocks: Vec<_> = (0..32).map(|_| grow(&mut other, 8)).collect();
    for block in &blocks[..31] {
        add(&mut chain, block).unwrap();
    }
    drop(chain);
    let mut chain = open(folder.path());
    add(&mut chain, &blocks[31]).unwrap();
    assert_eq!((chain.tip(), balance(&chain, 9)), (other.tip(), 0));
}

#[test]
fn the_store_of_another_chain_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let store = Store::open(&folder.path().join("chain.redb")).unwrap();
    let refused = Chain::open(genesis_with("reward = 7"), network(), store).err().unwrap().to_string();
    assert!(refused.contains("use another folder"), "{refused}");
    open(folder.path());
}

const FOLDER: &str = "SEALNET_TEST_CHAIN_FOLDER";

/// No test by itself: what the next one starts and kills.
#[test]
fn a_miner_to_be_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut chain = open(folder.as_ref());
    // A rival that is always about to win, so that the kill may come in the middle of a reorganisation.
    let mut rival = chain_of(&genesis());
    for height in 1..=chain.height() {
        let block = chain.block(&chain.hash_at(height).unwrap()).unwrap().unwrap();
        add(&mut rival, &block).unwrap();
    }
    for round in 0_u64.. {
        let nonce = chain.balance(&id(0)).1;
        let transfer = pay(&chain, 0, 1, 1, 1, nonce);
        let _ = wait(&mut chain, &transfer);
        grow(&mut chain, 9);
        if round % 3 == 0 {
            let blocks = [grow(&mut rival, 8), grow(&mut rival, 8), grow(&mut rival, 8), grow(&mut rival, 8)];
            blocks.iter().for_each(|block| drop(add(&mut chain, block)));
        }
        println!("height {}", chain.height());
    }
}

#[test]
fn a_chain_survives_being_killed_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "disk::a_miner_to_be_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let heights = lines.by_ref().filter_map(|line| line.strip_prefix("height ")?.parse::<u64>().ok());
        let told = heights.take(7 * round).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // Opening compares the balances with what was issued.
        let chain = open(folder.path());
        assert!(chain.height() >= told, "{} after {told}", chain.height());
        let mut again = chain_of(&genesis());
        for height in 1..=chain.height() {
            let block = chain.block(&chain.hash_at(height).unwrap()).unwrap().unwrap();
            add(&mut again, &block).unwrap();
        }
        assert_eq!(again.tip(), chain.tip());
        for n in [0, 1, 8, 9] {
            assert_eq!(again.balance(&id(n)).0, chain.balance(&id(n)).0);
        }
    }
}

#[test]
fn ten_thousand_blocks_are_verified_and_stored() {
    let mut source = chain();
    let mut blocks = Vec::new();
    for n in 0..10_000 {
        if n % 2 == 0 {
            let nonce = source.balance(&id(0)).1;
            let _ = try_pay(&mut source, 0, 1, 1, 1, nonce);
        }
        let block = crate::stage::mine(&source, 9);
        source.add_blocks([block.bytes.clone()], block.header.time).unwrap();
        blocks.push(block.bytes);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut chain = open(folder.path());
    let start = Instant::now();
    let now = source.tip_time();
    for batch in blocks.chunks(256) {
        assert_eq!(chain.add_blocks(batch.iter().cloned(), now).unwrap(), (batch.len(), None));
    }
    println!("10,000 blocks verified and stored in {:.2} s", start.elapsed().as_secs_f64());
    assert_eq!((chain.tip(), chain.height()), (source.tip(), 10_000));
}
