//! Every reason to refuse a header, a block or a transfer.

use sealnet::envelope::{EnvelopeId, InvalidEnvelope, Timestamp};
use sealnet::identity::NodeId;

use super::amount::Amount;
use super::hash::BlockHash;
use super::header::Difficulty;

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    // About anything.
    #[error("it cannot be read: {0}")]
    Malformed(&'static str),
    #[error("it has {size} bytes, and the most is {limit}")]
    Oversize { size: usize, limit: usize },
    #[error("it is known already")]
    AlreadyKnown,

    // About headers.
    #[error("the hash {hash} is not as small as the header's difficulty demands")]
    WrongWork { hash: BlockHash },
    #[error("its difficulty is {} and must be {}", .claimed.hashes(), .expected.hashes())]
    WrongDifficulty { claimed: Difficulty, expected: Difficulty },
    #[error("its height is {claimed} and must be {expected}")]
    WrongHeight { claimed: u64, expected: u64 },
    #[error("its time {time} is not after {median}, the median of the blocks before it")]
    TooEarly { time: Timestamp, median: Timestamp },
    #[error("its time {time} is too far ahead of this node's clock, {now}")]
    TooFarAhead { time: Timestamp, now: Timestamp },
    #[error("its parent {0} is not known here")]
    UnknownParent(BlockHash),
    #[error("it was found invalid before, or builds on a block that was")]
    KnownInvalid,
    #[error("its branch left the chain {depth} blocks ago and has less work")]
    Buried { depth: u64 },
    #[error("these headers have less work than the chain that is known here")]
    LessWork,

    // About bodies.
    #[error("the body is not the one that the header commits to")]
    WrongRoot,
    #[error("the coinbase issues {claimed}; the reward and the fees are {allowed}")]
    BadCoinbase { claimed: Amount, allowed: Amount },

    // About transfers.
    #[error("it is not its sender's: {0}")]
    BadSignature(#[from] InvalidEnvelope),
    #[error("its title is \"{}\", not that of a transfer", .0.escape_debug())]
    NotATransfer(String),
    #[error("it is a transfer of another chain, {0}")]
    OtherChain(BlockHash),
    #[error("it transfers nothing")]
    ZeroAmount,
    #[error("its fee is {fee}, and the least is {least}")]
    FeeTooLow { fee: Amount, least: Amount },
    #[error("the transfer {0} was carried out already")]
    Replay(EnvelopeId),
    #[error("{sender:#} has already spent with nonce {nonce}")]
    DoubleSpend { sender: NodeId, nonce: u64 },
    #[error("the next nonce of {sender:#} is {expected}, not {found}")]
    WrongNonce { sender: NodeId, expected: u64, found: u64 },
    #[error("{account:#} has {balance}, and this needs {needed}")]
    Overdraft { account: NodeId, balance: Amount, needed: Amount },
    #[error("to replace the transfer with this nonce the fee must be {needed} at least, and it is {fee}")]
    Underpriced { fee: Amount, needed: Amount },
    #[error("{sender:#} has {limit} transfers waiting already")]
    TooManyWaiting { sender: NodeId, limit: usize },
    #[error("the mempool is full of transfers with higher fees")]
    PoolFull,
}

/// Who is to blame for something that is refused, which decides what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// It is wrong whatever comes: who passed it on has not checked it.
    Sender,
    /// It is of no use here; an honest node may have passed it on.
    Nobody,
    /// It may become right, when a parent, a payment or simply time has come.
    Wait,
}

impl Refusal {
    /// What a block was refused for lies with the block, except where this node may only not know enough yet. For a
    /// transfer alone see [`of_transfer`](Self::of_transfer).
    pub(crate) fn of_block(&self) -> Blame {
        match self {
            Refusal::UnknownParent(_) | Refusal::TooFarAhead { .. } => Blame::Wait,
            Refusal::AlreadyKnown | Refusal::Buried { .. } | Refusal::LessWork => Blame::Nobody,
            _ => Blame::Sender,
        }
    }

    /// A transfer that does not fit this node's balances may fit those of the node that passed it on.
    pub(crate) fn of_transfer(&self) -> Blame {
        match self {
            Refusal::WrongNonce { .. } | Refusal::Overdraft { .. } => Blame::Wait,
            // Two chains may live in one network: whoever made it is honest on the other one.
            Refusal::OtherChain(_)
            | Refusal::AlreadyKnown
            | Refusal::Replay(_)
            | Refusal::DoubleSpend { .. }
            | Refusal::Underpriced { .. }
            | Refusal::TooManyWaiting { .. }
            | Refusal::PoolFull => Blame::Nobody,
            _ => Blame::Sender,
        }
    }

    /// The reason's name, for programs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::Oversize { .. } => "oversize",
            Refusal::AlreadyKnown => "already-known",
            Refusal::WrongWork { .. } => "wrong-work",
            Refusal::WrongDifficulty { .. } => "wrong-difficulty",
            Refusal::WrongHeight { .. } => "wrong-height",
            Refusal::TooEarly { .. } => "too-early",
            Refusal::TooFarAhead { .. } => "too-far-ahead",
            Refusal::UnknownParent(_) => "unknown-parent",
            Refusal::KnownInvalid => "known-invalid",
            Refusal::Buried { .. } => "buried",
            Refusal::LessWork => "less-work",
            Refusal::WrongRoot => "wrong-root",
            Refusal::BadCoinbase { .. } => "bad-coinbase",
            Refusal::BadSignature(_) => "bad-signature",
            Refusal::NotATransfer(_) => "not-a-transfer",
            Refusal::OtherChain(_) => "other-chain",
            Refusal::ZeroAmount => "zero-amount",
            Refusal::FeeTooLow { .. } => "fee-too-low",
            Refusal::Replay(_) => "replay",
            Refusal::DoubleSpend { .. } => "double-spend",
            Refusal::WrongNonce { .. } => "wrong-nonce",
            Refusal::Overdraft { .. } => "overdraft",
            Refusal::Underpriced { .. } => "underpriced",
            Refusal::TooManyWaiting { .. } => "too-many-waiting",
            Refusal::PoolFull => "pool-full",
        }
    }
}
