//! Blocks: a header, a coinbase, and transfers as the envelopes they were signed as.

use bytes::{BufMut, Bytes, BytesMut};
use sealnet::envelope::{Envelope, Version};
use sealnet::identity::NodeId;
use sha2::{Digest, Sha256};

use super::amount::Amount;
use super::hash::BlockHash;
use super::header::{Header, Root, take, take_u64};
use super::refusal::Refusal;
use super::transfer::Transfer;

/// What a block issues: the reward of its height and the fees of its transfers, all of it to its miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coinbase {
    pub(crate) to: NodeId,
    pub(crate) amount: Amount,
}

impl Coinbase {
    const LEN: usize = 32 + 8;

    fn encode(&self) -> [u8; Coinbase::LEN] {
        let mut bytes = [0; Coinbase::LEN];
        bytes[..32].copy_from_slice(self.to.as_bytes());
        bytes[32..].copy_from_slice(&self.amount.units().to_be_bytes());
        bytes
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Coinbase { to: NodeId::from_bytes(take(bytes)?), amount: Amount::new(take_u64(bytes)?)? })
    }
}

/// A block whose header commits to its body, and nothing more is known about it.
#[derive(Debug)]
pub(super) struct RawBlock {
    header: Header,
    hash: BlockHash,
    coinbase: Coinbase,
    envelopes: Vec<Bytes>,
    bytes: Bytes,
}

impl RawBlock {
    /// Takes a block apart: header ‖ coinbase ‖ envelopes one after another, to the end. All that is wrong up to here
    /// may be wrong with this copy alone; the block of that name may be a good one.
    pub(super) fn open(bytes: Bytes) -> Result<Self, Refusal> {
        let (header, mut rest) = Header::split(&bytes)?;
        let coinbase = Coinbase::take(&mut rest).ok_or(Refusal::Malformed("it has no coinbase"))?;
        let mut rest = bytes.slice(bytes.len() - rest.len()..);
        let mut envelopes = Vec::new();
        while !rest.is_empty() {
            let envelope = Envelope::split_first(&mut rest, Version::Signed);
            envelopes.push(envelope.map_err(|_| Refusal::Malformed("what follows the coinbase are no envelopes"))?);
        }
        if root(&coinbase, &envelopes) != header.root {
            return Err(Refusal::WrongRoot);
        }
        Ok(RawBlock { hash: header.hash(), header, coinbase, envelopes, bytes })
    }

    /// Makes a transfer of each envelope by `verify`.
    pub(super) fn verify(self, verify: impl FnMut(Bytes) -> Result<Transfer, Refusal>) -> Result<Block, Refusal> {
        let RawBlock { header, hash, coinbase, envelopes, bytes } = self;
        let transfers = envelopes.into_iter().map(verify).collect::<Result<_, _>>()?;
        Ok(Block { header, hash, coinbase, transfers, bytes })
    }
}

/// A block whose body is the one its header commits to, and whose transfers are signed by their senders.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) header: Header,
    pub(crate) hash: BlockHash,
    pub(crate) coinbase: Coinbase,
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) bytes: Bytes,
}

impl Block {
    /// What a block has besides its transfers, in bytes.
    pub(crate) const OVERHEAD: usize = Header::LEN + Coinbase::LEN;

    /// Puts a mined header and its body together.
    pub(crate) fn assemble(header: Header, coinbase: Coinbase, transfers: Vec<Transfer>) -> Self {
        let mut bytes = BytesMut::with_capacity(Self::OVERHEAD + 400 * transfers.len());
        bytes.put_slice(&header.encode());
        bytes.put_slice(&coinbase.encode());
        transfers.iter().for_each(|transfer| bytes.put_slice(transfer.as_bytes()));
        Block { hash: header.hash(), header, coinbase, transfers, bytes: bytes.freeze() }
    }

    /// The root for the header of a block with this body.
    pub(crate) fn root(coinbase: &Coinbase, transfers: &[Transfer]) -> Root {
        let envelopes: Vec<_> = transfers.iter().map(|transfer| transfer.as_bytes().clone()).collect();
        root(coinbase, &envelopes)
    }
}

/// The Merkle root. Leaves are whole envelopes, with their signatures: a copy of a good block with one signature spoilt
/// has another root, so it cannot give the block a bad name. Leaves and inner nodes are hashed apart (RFC 6962), and an odd
/// one out goes up as it is: doubling it, as Bitcoin does, gives two bodies one root (CVE-2012-2459).
fn root(coinbase: &Coinbase, envelopes: &[Bytes]) -> Root {
    let leaf = |bytes: &[u8]| <[u8; 32]>::from(Sha256::new().chain_update([0]).chain_update(bytes).finalize());
    let mut level = vec![leaf(&coinbase.encode())];
    level.extend(envelopes.iter().map(|envelope| leaf(envelope)));
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => {
                    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
                }
                odd => odd.first().copied().unwrap_or_default(),
            })
            .collect();
    }
    level.first().map_or(Root::EMPTY, |root| Root(*root))
}
