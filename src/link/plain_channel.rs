//! The base node's channel: nothing is encrypted and nothing is proven.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::channel::{Admit, Channel, Halves, Opening, Secured};
use super::{LinkError, times};
use crate::identity::{NetworkHash, NodeId};
use crate::wire::{Mode, Preamble};

/// The plain network's channel: both sides say which network they mean, and then frames follow as they are.
///
/// Who is there is what its HELLO claims; whether that one is expected and wanted is asked when the HELLO has come.
#[derive(Debug)]
pub struct PlainChannel {
    network: NetworkHash,
    id: NodeId,
}

impl PlainChannel {
    /// The channel of the plain `network`, where this node calls itself `id`.
    pub fn new(network: NetworkHash, id: NodeId) -> Self {
        PlainChannel { network, id }
    }

    fn greeting(&self) -> [u8; Preamble::PROLOGUE_LEN] {
        Preamble::new(Mode::Plain).prologue(&self.network)
    }

    async fn initiate(&self, mut halves: Halves) -> Result<Secured, LinkError> {
        self.send(&mut halves).await?;
        // The HELLO could go along; it waits, so that a node of another network is not told who is here.
        self.check(&mut halves).await?;
        Ok(Secured::without_records(halves, None))
    }

    async fn respond(&self, mut halves: Halves) -> Result<Secured, LinkError> {
        let checked = timeout(times::FIRST_MESSAGE, self.check(&mut halves)).await;
        checked.map_err(|_| LinkError::HandshakeTimeout)??;
        self.send(&mut halves).await?;
        Ok(Secured::without_records(halves, None))
    }

    async fn send(&self, halves: &mut Halves) -> Result<(), LinkError> {
        halves.write.write_all(&self.greeting()).await?;
        Ok(halves.write.flush().await?)
    }

    async fn check(&self, halves: &mut Halves) -> Result<(), LinkError> {
        let mut preamble = [0; Preamble::LEN];
        halves.read.read_exact(&mut preamble).await?;
        Preamble::new(Mode::Plain).check(&preamble).map_err(LinkError::WrongPreamble)?;
        let mut network = [0; 32];
        halves.read.read_exact(&mut network).await?;
        if network == *self.network.as_bytes() { Ok(()) } else { Err(LinkError::WrongNetwork) }
    }
}

impl Channel for PlainChannel {
    fn own_id(&self) -> NodeId {
        self.id
    }

    fn connect<'a>(&'a self, halves: Halves, _expected: Option<NodeId>, _admit: &'a Admit<'a>) -> Opening<'a> {
        Box::pin(self.initiate(halves))
    }

    fn accept<'a>(&'a self, halves: Halves, _admit: &'a Admit<'a>) -> Opening<'a> {
        Box::pin(self.respond(halves))
    }
}
