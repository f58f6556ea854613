//! The seam: how a stream of bytes becomes something with two ends that know each other.

use std::fmt;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;

use super::LinkError;
use super::record::{RecordOpener, RecordSealer};
use crate::identity::NodeId;

/// Whether this node wants a link with a peer: what a channel asks once it knows who the peer is.
pub type Admit<'a> = dyn Fn(&NodeId) -> bool + Send + Sync + 'a;

/// What [`Channel`]'s methods return: a handshake under way.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Secured, LinkError>> + Send + 'a>>;

/// How a connection becomes a link: [`NoiseChannel`](super::NoiseChannel), [`PlainChannel`](super::PlainChannel), or
/// your own.
///
/// One of your own may wrap another: whatever it does to the halves (a proxy's greeting, a disguise, a count of bytes)
/// happens under the inner channel's handshake and cannot weaken it.
///
/// ```
/// use std::sync::Arc;
/// use sealnet::identity::NodeId;
/// use sealnet::link::{Admit, Channel, Halves, NoiseChannel, Opening};
///
/// /// Sends a knock that a gatekeeper in front of the nodes waits for.
/// #[derive(Debug)]
/// struct Knocking(Arc<NoiseChannel>);
///
/// impl Channel for Knocking {
///     fn own_id(&self) -> NodeId {
///         self.0.own_id()
///     }
///     fn connect<'a>(&'a self, mut halves: Halves, expected: Option<NodeId>, admit: &'a Admit<'a>) -> Opening<'a> {
///         Box::pin(async move {
///             tokio::io::AsyncWriteExt::write_all(&mut halves.write, b"knock").await?;
///             self.0.connect(halves, expected, admit).await
///         })
///     }
///     fn accept<'a>(&'a self, halves: Halves, admit: &'a Admit<'a>) -> Opening<'a> {
///         self.0.accept(halves, admit) // the gatekeeper has taken the knock
///     }
/// }
/// ```
///
/// The whole of either method is given [`times::HANDSHAKE`](super::times::HANDSHAKE); it is dropped when that is over.
pub trait Channel: fmt::Debug + Send + Sync + 'static {
    /// This node's own name: on a secure network its identity, on a plain one what it claims.
    fn own_id(&self) -> NodeId;

    /// Opens the end that dialled. It ends in an error, before this node has shown who it is, unless the peer is
    /// another node than this one, the `expected` one if there is one, and `admit` says yes.
    fn connect<'a>(&'a self, halves: Halves, expected: Option<NodeId>, admit: &'a Admit<'a>) -> Opening<'a>;

    /// Opens the end that was dialled. It ends in an error unless the peer is another node than this one and `admit`
    /// says yes.
    fn accept<'a>(&'a self, halves: Halves, admit: &'a Admit<'a>) -> Opening<'a>;
}

/// The two directions of a stream of bytes.
pub struct Halves {
    /// What arrives.
    pub read: Box<dyn AsyncRead + Send + Unpin>,
    /// What is sent.
    pub write: Box<dyn AsyncWrite + Send + Unpin>,
}

/// A stream after its channel's handshake.
pub struct Secured {
    pub(super) halves: Halves,
    pub(super) peer: Option<NodeId>,
    pub(super) records: Option<(RecordSealer, RecordOpener)>,
    pub(super) unsent: Vec<u8>,
}

impl Secured {
    /// A stream that carries records; `peer` has proven its identity.
    pub fn with_records(halves: Halves, peer: NodeId, sealer: RecordSealer, opener: RecordOpener) -> Self {
        Secured { halves, peer: Some(peer), records: Some((sealer, opener)), unsent: Vec::new() }
    }

    /// A stream that carries frames as they are, for channels that protect the halves themselves and for those that
    /// protect nothing. `peer` is who proved to be there; with `None` the peer's HELLO has to claim it.
    pub fn without_records(halves: Halves, peer: Option<NodeId>) -> Self {
        Secured { halves, peer, records: None, unsent: Vec::new() }
    }

    /// Leaves bytes to be sent in one write with the first frame: the end of a handshake.
    #[must_use]
    pub fn with_unsent(mut self, bytes: Vec<u8>) -> Self {
        self.unsent = bytes;
        self
    }

    /// Who proved to be at the other end.
    pub fn peer(&self) -> Option<NodeId> {
        self.peer
    }
}

/// The checks that every channel makes of who is there, in the protocol's order.
pub(super) fn check_peer(
    peer: NodeId,
    own: NodeId,
    expected: Option<NodeId>,
    admit: &Admit<'_>,
) -> Result<(), LinkError> {
    if peer == own {
        return Err(LinkError::OwnIdentity);
    }
    match expected {
        Some(expected) if expected != peer => return Err(LinkError::WrongIdentity { expected, found: peer }),
        _ => {}
    }
    if admit(&peer) { Ok(()) } else { Err(LinkError::Refused(peer)) }
}

impl From<TcpStream> for Halves {
    /// Whoever connected has set `nodelay`: a writer sends whole batches and never waits for more.
    fn from(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Halves { read: Box::new(read), write: Box::new(write) }
    }
}

impl From<DuplexStream> for Halves {
    /// A connection within one process, for tests.
    fn from(stream: DuplexStream) -> Self {
        let (read, write) = tokio::io::split(stream);
        Halves { read: Box::new(read), write: Box::new(write) }
    }
}

impl fmt::Debug for Halves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Halves").finish_non_exhaustive()
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured").field("peer", &self.peer).field("records", &self.records).finish_non_exhaustive()
    }
}
