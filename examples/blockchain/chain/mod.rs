//! The chain itself: what is valid, which branch counts, what is kept. There is no network, no clock and no randomness
//! in here; whoever calls says what time it is.
//!
//! | file | holds |
//! |---|---|
//! | `amount`, `hash` | money in whole units, names of blocks |
//! | `genesis` | the rules of one chain, and the hash that is its name |
//! | `header`, `rules` | headers, proof of work, difficulty, bounds of time |
//! | `transfer`, `block` | what is signed and what is mined; the Merkle root |
//! | `ledger` | balances, and how a block changes them and is undone |
//! | `index` | the tree of headers; fork choice |
//! | `mempool` | transfers that wait for a block |
//! | `store` | everything on disk, each change in one transaction |
//! | `state`, `branch` | the chain: taking blocks in, reorganising |
//! | `candidate` | headers of others, judged by their work before any body is fetched |
//! | `miner`, `query` | making blocks; answering questions |
//! | `refusal` | every reason to say no |

mod amount;
mod block;
mod branch;
mod candidate;
mod genesis;
mod hash;
mod header;
mod index;
mod ledger;
mod mempool;
mod miner;
mod query;
mod refusal;
mod rules;
mod state;
mod store;
mod transfer;

pub(crate) use amount::Amount;
pub(crate) use block::{Block, Coinbase};
pub(crate) use candidate::Candidate;
pub(crate) use genesis::{Genesis, GenesisError};
pub(crate) use hash::BlockHash;
pub(crate) use header::{Difficulty, Header};
pub(crate) use ledger::Account;
pub(crate) use miner::Template;
pub(crate) use query::{Confirmed, Entry, Facts, Whereabouts};
pub(crate) use refusal::{Blame, Refusal};
pub(crate) use rules::MAX_AHEAD;
pub(crate) use state::{AddError, Added, Chain, KEEP_BRANCHES};
pub(crate) use store::{Store, StoreError};
pub(crate) use transfer::{Order, Transfer};
