//! Headers and their proof of work.

use sealnet::envelope::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hash::BlockHash;
use super::refusal::Refusal;

/// How many hashes a block takes on average. Its reciprocal is the target: the first 128 bits of a header's hash, read as
/// a number, may be at most (2^128 − 1) / difficulty.
///
/// It stands in headers in this form, as a whole number, so that the work of a chain is the plain sum of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Difficulty(u64);

impl Difficulty {
    /// From 1 to 2^53 − 1.
    pub(crate) fn new(hashes: u64) -> Option<Self> {
        (1..=MAX_DIFFICULTY).contains(&hashes).then_some(Difficulty(hashes))
    }

    pub(crate) fn hashes(self) -> u64 {
        self.0
    }

    pub(crate) fn work(self) -> u128 {
        u128::from(self.0)
    }

    pub(crate) fn target(self) -> u128 {
        u128::MAX / u128::from(self.0.max(1))
    }

    /// What it is after blocks took `actual` instead of `expected`. One step at most doubles or halves it, so that no
    /// stretch of odd times can throw it far off.
    pub(crate) fn adjusted(self, actual: u128, expected: u128, least: Difficulty) -> Self {
        let expected = expected.max(2);
        let actual = actual.clamp(expected / 2, expected * 2);
        let hashes = u64::try_from(u128::from(self.0) * expected / actual).unwrap_or(MAX_DIFFICULTY);
        Difficulty(hashes.clamp(least.0, MAX_DIFFICULTY))
    }
}

const MAX_DIFFICULTY: u64 = (1 << 53) - 1;

/// The Merkle root over a block's coinbase and transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root(pub(super) [u8; 32]);

impl Root {
    /// Block 0 has no body.
    pub(super) const EMPTY: Root = Root([0; 32]);
}

/// What of a block is hashed. 96 bytes, numbers big-endian, in the order of the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) height: u64,
    pub(crate) parent: BlockHash,
    pub(crate) root: Root,
    pub(crate) time: Timestamp,
    pub(crate) difficulty: Difficulty,
    pub(crate) nonce: u64,
}

impl Header {
    pub(crate) const LEN: usize = 8 + 32 + 32 + 8 + 8 + 8;

    pub(crate) fn encode(&self) -> [u8; Header::LEN] {
        let mut bytes = [0; Header::LEN];
        bytes[..8].copy_from_slice(&self.height.to_be_bytes());
        bytes[8..40].copy_from_slice(self.parent.as_bytes());
        bytes[40..72].copy_from_slice(&self.root.0);
        bytes[72..80].copy_from_slice(&self.time.as_micros().to_be_bytes());
        bytes[80..88].copy_from_slice(&self.difficulty.hashes().to_be_bytes());
        bytes[88..].copy_from_slice(&self.nonce.to_be_bytes());
        bytes
    }

    /// The header at the start of `bytes`, and what follows it.
    pub(crate) fn split(mut bytes: &[u8]) -> Result<(Self, &[u8]), Refusal> {
        let header = Self::take(&mut bytes).ok_or(Refusal::Malformed("it does not begin with a header"))?;
        Ok((header, bytes))
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Header {
            height: take_u64(bytes)?,
            parent: BlockHash::from_bytes(take(bytes)?),
            root: Root(take(bytes)?),
            time: Timestamp::from_micros(take_u64(bytes)?)?,
            difficulty: Difficulty::new(take_u64(bytes)?)?,
            nonce: take_u64(bytes)?,
        })
    }

    pub(crate) fn hash(&self) -> BlockHash {
        BlockHash::from_bytes(Sha256::new().chain_update(DOMAIN).chain_update(self.encode()).finalize().into())
    }

    /// Whether `hash`, its own, is as small as the header says it is, and that is not less than the chain's least. The
    /// cheapest check there is, and the first: nobody gets further without having burnt something.
    pub(crate) fn check_work(&self, hash: &BlockHash, least: Difficulty) -> Result<(), Refusal> {
        if self.difficulty < least {
            return Err(Refusal::WrongDifficulty { claimed: self.difficulty, expected: least });
        }
        if hash.leading() > self.difficulty.target() { Err(Refusal::WrongWork { hash: *hash }) } else { Ok(()) }
    }

    /// A header that nobody will ever mine: for finding out how fast this machine tries.
    pub(crate) fn unminable() -> Self {
        let hash = BlockHash::from_bytes([0; 32]);
        let difficulty = Difficulty(MAX_DIFFICULTY);
        Header { height: 1, parent: hash, root: Root::EMPTY, time: Timestamp::default(), difficulty, nonce: 0 }
    }

    /// Tries `tries` nonces from the present one on; says whether one was found, which then stands in the header.
    pub(crate) fn grind(&mut self, tries: u64) -> bool {
        let target = self.difficulty.target();
        // Everything before the nonce is hashed once.
        let bytes = self.encode();
        let start = Sha256::new().chain_update(DOMAIN).chain_update(&bytes[..Header::LEN - 8]);
        for _ in 0..tries {
            let hash = start.clone().chain_update(self.nonce.to_be_bytes()).finalize();
            if BlockHash::from_bytes(hash.into()).leading() <= target {
                return true;
            }
            self.nonce = self.nonce.wrapping_add(1);
        }
        false
    }
}

/// 40 bytes: with them, what comes before the nonce fills two blocks of SHA-256, and a try costs one.
const DOMAIN: &[u8; 40] = b"sealnet example blockchain/1 header\0\0\0\0\0";

/// The next `N` bytes.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

/// The next eight bytes as a number.
pub(super) fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_be_bytes)
}
