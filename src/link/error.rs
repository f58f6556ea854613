//! Why there is no link, or none any more.

use std::io;

use super::proof::ProofError;
use super::record::RecordError;
use super::times;
use crate::identity::NodeId;
use crate::noise::NoiseError;
use crate::wire::{FrameError, Goodbye, HelloError, Kind, PreambleError};

/// Why a link could not be opened, or ended.
///
/// The words are for this node's log. The peer is told nothing: the connection closes without a byte.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The operating system's word about the connection.
    #[error("the connection failed: {0}")]
    Io(#[source] io::Error),
    /// The peer closed the connection, or it was reset.
    #[error(
        "the other end closed the connection; if it does so at once, compare network, network key and lists on both \
         sides"
    )]
    Closed,
    /// What connected begins with other bytes than a node configured as this one.
    #[error(transparent)]
    WrongPreamble(PreambleError),
    /// The peer of a plain link is in another network.
    #[error("the peer is in another network; compare the network's name on both sides")]
    WrongNetwork,
    /// A handshake message of another length than it must have.
    #[error("handshake message {message} was announced with {found} bytes, it must have {expected}")]
    WrongLength {
        /// Which message, counted from 1.
        message: u8,
        /// The length it must have, in bytes.
        expected: usize,
        /// The length that was announced.
        found: usize,
    },
    /// A handshake message is not an honest peer's of this network.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] NoiseError),
    /// The first message of a handshake was heard before: somebody plays a recording.
    #[error("the first message repeats an earlier connection's; somebody replays what was recorded")]
    ReplayedFirstMessage,
    /// The peer did not prove an identity.
    #[error("the peer proved no identity: {0}")]
    BadIdentityProof(#[from] ProofError),
    /// This node itself answered.
    #[error("this node reached itself; its own address stands among those to dial")]
    OwnIdentity,
    /// Another node than the expected one answered.
    #[error(
        "at this address answers node {found}, and not {expected}; if the node has a new identity, change it in the \
         address"
    )]
    WrongIdentity {
        /// The pinned identity.
        expected: NodeId,
        /// The one that was found.
        found: NodeId,
    },
    /// The node does not want this peer: it is barred, or not on the list.
    #[error("node {0} is barred or not on the list of this node")]
    Refused(NodeId),
    /// The handshake took too long.
    #[error("the handshake was not complete in time ({} s)", times::HANDSHAKE.as_secs())]
    HandshakeTimeout,
    /// The peer's HELLO did not come in time.
    #[error("the peer's HELLO did not come within {} s", times::HELLO.as_secs())]
    HelloTimeout,
    /// What came is no HELLO that this node can accept.
    #[error("the peer's HELLO is refused: {why}")]
    BadHello {
        /// Who sent it; `None` on a plain link, where only a HELLO says that.
        peer: Option<NodeId>,
        /// What is wrong.
        why: BadHello,
    },
    /// This node's own HELLO cannot be sent.
    #[error("this node's own HELLO cannot be sent: {0}")]
    OwnHello(#[source] HelloError),
    /// The peer said good-bye in place of HELLO.
    #[error("the peer said good-bye: {0}")]
    Goodbye(Goodbye),
    /// A record does not open, or has an impossible length: the stream was altered on the way.
    #[error("a record does not open; the stream was altered on the way")]
    Record,
    /// This direction has sealed as many records as it may; the link should have been renewed before.
    #[error("{}", RecordError::UsedUp)]
    RecordsUsedUp,
    /// The stream of frames ended badly.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame that may not come now: a second HELLO.
    #[error("the peer sent a {0} where none may come")]
    UnexpectedFrame(Kind),
    /// The peer took nothing of what was sent for too long.
    #[error("the peer took nothing for {} s", times::PROGRESS.as_secs())]
    Stuck,
}

/// What is wrong with what came in the place of a HELLO.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadHello {
    /// The HELLO's content.
    #[error(transparent)]
    Content(#[from] HelloError),
    /// The frame around it.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Another frame, where only HELLO and GOODBYE may come.
    #[error("a {0} came before both HELLOs had passed")]
    OtherFrame(Kind),
    /// A plain link's HELLO that does not say whose it is.
    #[error("it does not say whose it is (`node`), and on a plain link nothing else does")]
    NoNode,
}

impl LinkError {
    /// Whether the peer itself broke the grammar: only then does it cost its standing. What somebody on the path could
    /// have caused, time-outs and refusals cost nothing.
    pub fn blames_peer(&self) -> bool {
        match self {
            LinkError::Frame(error) | LinkError::BadHello { why: BadHello::Frame(error), .. } => error.blames_peer(),
            LinkError::BadHello { .. } | LinkError::UnexpectedFrame(_) => true,
            LinkError::Io(_)
            | LinkError::Closed
            | LinkError::WrongPreamble(_)
            | LinkError::WrongNetwork
            | LinkError::WrongLength { .. }
            | LinkError::Handshake(_)
            | LinkError::ReplayedFirstMessage
            | LinkError::BadIdentityProof(_)
            | LinkError::OwnIdentity
            | LinkError::WrongIdentity { .. }
            | LinkError::Refused(_)
            | LinkError::HandshakeTimeout
            | LinkError::HelloTimeout
            | LinkError::OwnHello(_)
            | LinkError::Goodbye(_)
            | LinkError::Record
            | LinkError::RecordsUsedUp
            | LinkError::Stuck => false,
        }
    }

    /// Who was at the other end, where opening a link failed after that was known and the error says it.
    pub fn peer(&self) -> Option<NodeId> {
        match self {
            LinkError::BadHello { peer, .. } => *peer,
            LinkError::Refused(peer) | LinkError::WrongIdentity { found: peer, .. } => Some(*peer),
            _ => None,
        }
    }
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        // A peer that closes with bytes of ours unread makes a reset of what it meant as an end.
        match error.kind() {
            UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => LinkError::Closed,
            _ => LinkError::Io(error),
        }
    }
}

impl From<RecordError> for LinkError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::UsedUp => LinkError::RecordsUsedUp,
            RecordError::Length | RecordError::Open => LinkError::Record,
        }
    }
}
