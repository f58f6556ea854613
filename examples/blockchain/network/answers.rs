//! Requests and their answers. Everything in a chain is public, so whoever can open a link may ask.

use std::sync::atomic::Ordering;

use bytes::{BufMut, Bytes, BytesMut};
use sealnet::envelope::EnvelopeId;
use sealnet::identity::NodeId;
use serde::{Deserialize, Serialize};

use super::shared::Shared;
use crate::chain::{Account, AddError, Amount, BlockHash, Chain, Entry, Facts, StoreError, Whereabouts};

/// The titles of broadcasts and requests. Those of transfers are [`Transfer::TITLE`](crate::chain::Transfer::TITLE).
pub(crate) mod title {
    /// The application's.
    pub(crate) const APP: &str = "blockchain";
    /// A block, as bytes.
    pub(crate) const BLOCK: &str = "blockchain/block";
    /// A transfer of somebody who is no node: the whole signed envelope, broadcast by a node that took it.
    pub(crate) const CARRIED: &str = "blockchain/carried";
    /// What requests begin with.
    pub(crate) const REQUESTS: &str = "chain";
    /// A locator (JSON: a list of hashes, newest first); the answer is headers of 96 bytes.
    pub(crate) const HEADERS: &str = "chain/headers";
    /// Hashes (JSON); the answer is blocks in that order, each behind its length in four bytes, up to the first that is
    /// not here or has no room.
    pub(crate) const BLOCKS: &str = "chain/block";
    /// A [`Question`](super::Question); the answer is JSON.
    pub(crate) const ASK: &str = "chain/ask";
    /// The envelope of a transfer; the answer is its id.
    pub(crate) const SUBMIT: &str = "chain/submit";
}

/// Headers in one answer.
pub(super) const HEADERS_AT_ONCE: usize = 2_000;
/// Blocks in one answer.
pub(super) const BLOCKS_AT_ONCE: usize = 64;
/// Bytes in one answer: what the asker takes if it says nothing else.
const ANSWER: usize = 1 << 20;
/// Hashes in a locator: a chain of 2^53 blocks has 63.
const LOCATOR: usize = 100;
/// Entries in one answer.
const ENTRIES: usize = 1_000;

/// What a wallet wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Question {
    Status,
    Balance { account: NodeId },
    History { account: NodeId, limit: usize },
    BlockAt { height: u64 },
    Block { hash: BlockHash },
    Transfer { id: String },
    Mempool,
}

/// The answer to [`Question::Status`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    #[serde(flatten)]
    pub(crate) chain: Facts,
    pub(crate) neighbours: usize,
    pub(crate) mining: bool,
}

/// The answer to [`Question::Balance`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Balance {
    pub(crate) account: NodeId,
    pub(crate) balance: Amount,
    /// What is left when all that waits has been carried out.
    pub(crate) spendable: Amount,
    /// The nonce of the next transfer, after those that wait.
    pub(crate) next_nonce: u64,
}

/// A block as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShownBlock {
    pub(crate) height: u64,
    pub(crate) hash: BlockHash,
    pub(crate) parent: BlockHash,
    pub(crate) time: u64,
    pub(crate) difficulty: u64,
    pub(crate) nonce: u64,
    pub(crate) miner: NodeId,
    pub(crate) reward: Amount,
    pub(crate) bytes: usize,
    /// `None` if it is not in the active chain.
    pub(crate) confirmations: Option<u64>,
    pub(crate) transfers: Vec<Entry>,
}

/// Answers a request, or says why not. Reads the store and verifies signatures: not for a thread that others wait for.
pub(crate) fn answer(shared: &Shared, title: &str, body: &Bytes) -> Result<Bytes, String> {
    match title {
        title::HEADERS => {
            let locator: Vec<BlockHash> = read(body)?;
            let locator = locator.get(..LOCATOR).unwrap_or(&locator);
            Ok(shared.chain().headers_after(locator, HEADERS_AT_ONCE))
        }
        title::BLOCKS => blocks(shared, &read::<Vec<BlockHash>>(body)?),
        title::ASK => tell(shared, &read(body)?),
        title::SUBMIT => match shared.add_transfer_bytes(body.clone()) {
            Ok(transfer) => Ok(transfer.id().to_string().into()),
            Err(AddError::Refused(refusal)) => Err(format!("{}: {refusal}", refusal.name())),
            Err(AddError::Store(error)) => Err(error.to_string()),
        },
        _ => Err(format!("there is no request {title:?}")),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("this is no such request: {error}"))
}

fn blocks(shared: &Shared, hashes: &[BlockHash]) -> Result<Bytes, String> {
    let mut answer = BytesMut::new();
    for hash in hashes.iter().take(BLOCKS_AT_ONCE) {
        let block = shared.chain().block_bytes(hash).map_err(|error| error.to_string())?;
        let Some(block) = block.filter(|block| answer.len() + 4 + block.len() <= ANSWER) else { break };
        answer.put_u32(u32::try_from(block.len()).unwrap_or(u32::MAX));
        answer.put_slice(&block);
    }
    Ok(answer.freeze())
}

/// How many blocks have room in one answer, however large they are; one at least.
pub(super) fn blocks_in_an_answer(max_block_bytes: usize) -> usize {
    (ANSWER / max_block_bytes.saturating_add(4)).clamp(1, BLOCKS_AT_ONCE)
}

/// Takes the answer of [`title::BLOCKS`] apart.
pub(super) fn split_blocks(mut bytes: Bytes) -> Option<Vec<Bytes>> {
    let mut blocks = Vec::new();
    while !bytes.is_empty() {
        let len = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
        if bytes.len() - 4 < len {
            return None;
        }
        let _ = bytes.split_to(4);
        blocks.push(bytes.split_to(len));
    }
    Some(blocks)
}

fn tell(shared: &Shared, question: &Question) -> Result<Bytes, String> {
    let chain = shared.chain();
    let json = match question {
        Question::Status => serde_json::to_vec(&Status {
            chain: chain.facts(),
            neighbours: shared.neighbours.load(Ordering::Relaxed),
            mining: shared.is_mining.load(Ordering::Relaxed),
        }),
        Question::Balance { account } => serde_json::to_vec(&balance(&chain, account)),
        Question::History { account, limit } => {
            let history = chain.history(account, (*limit).min(ENTRIES)).map_err(in_words)?;
            serde_json::to_vec(&history)
        }
        Question::BlockAt { height } => {
            let hash = chain.hash_at(*height).ok_or_else(|| format!("there is no block at height {height} yet"))?;
            serde_json::to_vec(&show(&chain, &hash)?)
        }
        Question::Block { hash } => serde_json::to_vec(&show(&chain, hash)?),
        Question::Transfer { id } => {
            let id: EnvelopeId = id.parse().map_err(|error| format!("{error}"))?;
            serde_json::to_vec(&transfer(&chain, &id)?)
        }
        Question::Mempool => {
            let waiting = chain.waiting().take(ENTRIES).map(|transfer| Entry::transfer(transfer, None));
            serde_json::to_vec(&waiting.collect::<Vec<_>>())
        }
    };
    json.map(Bytes::from).map_err(|error| error.to_string())
}

fn in_words(error: StoreError) -> String {
    error.to_string()
}

pub(super) fn balance(chain: &Chain, id: &NodeId) -> Balance {
    let (Account { balance, .. }, next_nonce) = chain.balance(id);
    let waiting: Amount =
        chain.waiting().filter(|transfer| transfer.sender() == *id).map(|transfer| transfer.cost()).sum();
    let spendable = balance.minus(waiting).unwrap_or(Amount::ZERO);
    Balance { account: *id, balance, spendable, next_nonce }
}

fn transfer(chain: &Chain, id: &EnvelopeId) -> Result<Entry, String> {
    let waiting = chain.waiting().find(|transfer| transfer.id() == *id);
    if let Some(transfer) = waiting {
        return Ok(Entry::transfer(transfer, None));
    }
    let Whereabouts::Confirmed(confirmed) = chain.find(id).map_err(in_words)? else {
        return Err(format!("the transfer {id} is neither in the chain nor waiting"));
    };
    let block = chain.block(&confirmed.block).map_err(in_words)?;
    let found = block.iter().flat_map(|block| &block.transfers).find(|transfer| transfer.id() == *id);
    found
        .map(|transfer| Entry::transfer(transfer, Some(confirmed)))
        .ok_or_else(|| "it has just moved; ask again".to_owned())
}

pub(crate) fn show(chain: &Chain, hash: &BlockHash) -> Result<ShownBlock, String> {
    if *hash == chain.genesis().hash() {
        return Err("block 0 has no contents; its rules are in the genesis file".to_owned());
    }
    let block = chain.block(hash).map_err(in_words)?.ok_or_else(|| format!("the block {hash} is not here"))?;
    let confirmed = chain.confirmed(hash);
    Ok(ShownBlock {
        height: block.header.height,
        hash: block.hash,
        parent: block.header.parent,
        time: block.header.time.as_micros(),
        difficulty: block.header.difficulty.hashes(),
        nonce: block.header.nonce,
        miner: block.coinbase.to,
        reward: block.coinbase.amount,
        bytes: block.bytes.len(),
        confirmations: confirmed.map(|confirmed| confirmed.confirmations),
        transfers: block.transfers.iter().map(|transfer| Entry::transfer(transfer, confirmed)).collect(),
    })
}
