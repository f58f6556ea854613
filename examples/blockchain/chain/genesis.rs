//! The rules of one chain, read from a small TOML file, and the hash that names the chain.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sealnet::envelope::{MAX_MESSAGE, Timestamp};
use sealnet::identity::NodeId;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::amount::Amount;
use super::hash::BlockHash;
use super::header::{Difficulty, Header, Root};

/// Everything that two nodes must agree about to be on one chain. Whatever is changed here makes another chain: all of
/// it goes into the hash of block 0.
#[derive(Clone, Debug)]
pub(crate) struct Genesis {
    rules: Rules,
    header: Header,
    hash: BlockHash,
}

/// The file as it is written. A misspelt key is an error, because it would make another chain than was meant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// What the chain is called, for people.
    pub(crate) name: String,
    /// The time of block 0, in seconds since 1970.
    pub(crate) time: u64,
    /// How far apart blocks should be, in milliseconds.
    pub(crate) block_time_ms: u64,
    /// How many hashes the first blocks should take on average. It never falls below this.
    pub(crate) difficulty: u64,
    /// After how many blocks the difficulty is adjusted.
    pub(crate) adjust_every: u64,
    /// What the miner of a block may issue to itself in the beginning, besides the fees.
    pub(crate) reward: Amount,
    /// After how many blocks the reward halves.
    pub(crate) halving_every: u64,
    /// The least fee of a transfer.
    pub(crate) min_fee: Amount,
    /// The largest block, in bytes. It is broadcast as one message, so no more than a message can carry.
    pub(crate) max_block_bytes: usize,
    /// What block 0 issues.
    #[serde(default)]
    pub(crate) balances: BTreeMap<NodeId, Amount>,
}

/// Why a genesis file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GenesisError {
    #[error("the genesis file {path} cannot be read: {error}")]
    Read { path: String, error: std::io::Error },
    #[error("the genesis file is not as it should be: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("the genesis file's `{field}` {why}")]
    Field { field: &'static str, why: &'static str },
}

impl Genesis {
    pub(crate) fn load(path: &Path) -> Result<Self, GenesisError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| GenesisError::Read { path: path.display().to_string(), error })?;
        Self::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, GenesisError> {
        Self::new(toml::from_str(text)?)
    }

    pub(crate) fn new(rules: Rules) -> Result<Self, GenesisError> {
        let field = |field, why| GenesisError::Field { field, why };
        if rules.name.is_empty() || rules.name.len() > 64 {
            return Err(field("name", "must have 1 to 64 bytes"));
        }
        let micros = rules.time.checked_mul(1_000_000).filter(|micros| *micros > 0);
        let time = micros.and_then(Timestamp::from_micros).ok_or(field("time", "is no time in seconds since 1970"))?;
        if !(1..=86_400_000).contains(&rules.block_time_ms) {
            return Err(field("block_time_ms", "must be from 1 to 86400000 (a day)"));
        }
        let difficulty = Difficulty::new(rules.difficulty).ok_or(field("difficulty", "must be 1 to 2^53 - 1"))?;
        if !(2..=10_000).contains(&rules.adjust_every) {
            return Err(field("adjust_every", "must be from 2 to 10000 blocks"));
        }
        if !(1..=1_000_000_000).contains(&rules.halving_every) {
            return Err(field("halving_every", "must be from 1 to 1000000000 blocks"));
        }
        if !(1_000..=MAX_MESSAGE).contains(&rules.max_block_bytes) {
            return Err(field("max_block_bytes", "must be from 1000 to 131072, what one broadcast carries"));
        }
        // Each of the eras issues at most half of the one before it.
        let mined = u128::from(rules.reward.units()) * u128::from(rules.halving_every) * 2;
        let given = rules.balances.values().map(|amount| u128::from(amount.units())).sum::<u128>();
        if mined + given > u128::from(Amount::MAX.units()) {
            return Err(field("reward", "and the balances together issue more than 2^53 - 1"));
        }
        let parent = hash_of(&rules);
        let header = Header { height: 0, parent, root: Root::EMPTY, time, difficulty, nonce: 0 };
        Ok(Genesis { rules, hash: header.hash(), header })
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The hash of block 0: the name of the chain.
    pub(crate) fn hash(&self) -> BlockHash {
        self.hash
    }

    /// What nodes announce as the application's version (half of the hash: a version has at most 64 bytes). Chains with other
    /// rules have other versions.
    pub(crate) fn version(&self) -> String {
        format!("1-{:.32}", self.hash)
    }

    pub(crate) fn min_difficulty(&self) -> Difficulty {
        self.header.difficulty
    }

    pub(crate) fn block_time(&self) -> Duration {
        Duration::from_millis(self.rules.block_time_ms)
    }

    /// What the miner of the block at `height` issues, without the fees.
    pub(crate) fn subsidy(&self, height: u64) -> Amount {
        match height.checked_sub(1) {
            Some(before) => self.rules.reward.halved(before / self.rules.halving_every),
            None => Amount::ZERO,
        }
    }

    /// Everything issued in the blocks up to `height`: what all balances together must be.
    pub(crate) fn issued(&self, height: u64) -> Amount {
        let mut sum: Amount = self.rules.balances.values().copied().sum();
        let (mut left, mut reward) = (height, self.rules.reward);
        while left > 0 && reward > Amount::ZERO {
            let blocks = left.min(self.rules.halving_every);
            let era = blocks.checked_mul(reward.units()).and_then(Amount::new);
            sum = [sum, era.unwrap_or(Amount::MAX)].into_iter().sum();
            (left, reward) = (left - blocks, reward.halved(1));
        }
        sum
    }
}

/// The rules without the file's spacing and comments. The order and the widths are fixed.
fn hash_of(rules: &Rules) -> BlockHash {
    let mut hash = Sha256::new();
    hash.update(b"sealnet example blockchain/genesis 1\0");
    hash.update((rules.name.len() as u64).to_be_bytes());
    hash.update(&rules.name);
    let numbers = [
        rules.time,
        rules.block_time_ms,
        rules.difficulty,
        rules.adjust_every,
        rules.reward.units(),
        rules.halving_every,
        rules.min_fee.units(),
        rules.max_block_bytes as u64,
    ];
    numbers.iter().for_each(|number| hash.update(number.to_be_bytes()));
    for (account, amount) in &rules.balances {
        hash.update(account.as_bytes());
        hash.update(amount.units().to_be_bytes());
    }
    BlockHash::from_bytes(hash.finalize().into())
}
