//! Why a message, a request or its answer came to nothing.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::super::BodyError;
use crate::envelope::TitleError;
use crate::identity::NodeId;
use crate::overlay::Reason;
use crate::wire::RefusedCode;

/// Why a message to a single node, or a request, came to nothing as far as is known. Where it says that the link closed or
/// that time ran out, the other node may have acted on it all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no link with that node, and it is no member whose addresses are known.
    #[error("there is no link with {0:#}, and no such member is known; check the id, or connect to its address")]
    NotLinked(NodeId),
    /// It is a member, but no link could be opened.
    #[error("no link with {peer:#} could be opened: {}; see that it listens where it says", Tried(tried))]
    CannotDial {
        /// Who.
        peer: NodeId,
        /// Where it was looked for, in this order, and why that failed.
        tried: Vec<(SocketAddr, Reason)>,
    },
    /// This node opens no link with that one at the moment.
    #[error("no link with {peer:#} is opened: {reason}")]
    NoLink {
        /// Who.
        peer: NodeId,
        /// Why not: it is barred, it is this node itself, as many links as may be are open for requests, or this node is
        /// stopping.
        reason: Reason,
    },
    /// That node did not announce that it takes such messages.
    #[error("{0:#} takes no messages to a single node; broadcast, or ask its operator for a newer program")]
    NotTaken(NodeId),
    /// The title cannot be used.
    #[error(transparent)]
    Title(#[from] TitleError),
    /// What was to be sent could not be made.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// What was to be sent is too large.
    #[error("it has {size} bytes and at most {limit} can be sent; send it in parts, or let the other side fetch it")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most there can be, in bytes.
        limit: usize,
    },
    /// The answer is larger than this node wanted.
    #[error("the answer of {peer:#} has more than {limit} bytes; allow more with `limit`, or fetch it as a stream")]
    AnswerTooLarge {
        /// Who.
        peer: NodeId,
        /// The most that was wanted, in bytes.
        limit: usize,
    },
    /// Too many requests to that node are open.
    #[error("{0:#} has not answered the last {open} requests; wait for them", open = super::OPEN)]
    Busy(NodeId),
    /// The other node refused it.
    #[error("{peer:#} refused: {}", Why(*code, why))]
    Refused {
        /// Who.
        peer: NodeId,
        /// Why, in the protocol's words.
        code: RefusedCode,
        /// Why, in its own; may be empty.
        why: String,
    },
    /// The link closed first.
    #[error("the link with {0:#} closed before all of the answer came; ask again")]
    Closed(NodeId),
    /// No answer came in time.
    #[error("{peer:#} did not answer within {after:?}; ask again, or allow more time with `deadline`")]
    Deadline {
        /// Who.
        peer: NodeId,
        /// How long was waited.
        after: Duration,
    },
    /// What came is not as long as it was said to be.
    #[error("{peer:#} said that it had {total} bytes and ended after {received}; fetch the rest from another member")]
    CutShort {
        /// Who.
        peer: NodeId,
        /// How far it came, in bytes from the beginning of the whole.
        received: u64,
        /// How many it was to be.
        total: u64,
    },
}

struct Tried<'a>(&'a [(SocketAddr, Reason)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it announced no address that may be dialled now");
        }
        for (n, (address, reason)) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{address} {reason}")?;
        }
        Ok(())
    }
}

struct Why<'a>(RefusedCode, &'a str);

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why(code, "") => code.fmt(f),
            Why(code, text) => write!(f, "{text} ({code})"),
        }
    }
}

/// Why a title cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The title cannot be used.
    #[error(transparent)]
    Title(#[from] TitleError),
    /// Somebody in this program answers requests of that title.
    #[error("requests of title {0:?} are answered by another part of this program; choose another title")]
    Taken(String),
    /// The node is stopping.
    #[error("the node is stopping; start it again to answer requests")]
    Stopping,
}

/// What came is not of the form that was wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what {from:#} sent under {title:?} is not what was expected: {why}")]
#[non_exhaustive]
pub struct WrongBody {
    /// Who sent it.
    pub from: NodeId,
    /// Under which title.
    pub title: String,
    /// What is wrong with it.
    pub why: String,
}

impl WrongBody {
    pub(super) fn new(from: NodeId, title: &str, why: impl ToString) -> Self {
        WrongBody { from, title: title.to_owned(), why: why.to_string() }
    }
}
