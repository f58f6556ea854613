//! A neighbour of a real node that a test moves.

use std::sync::Arc;

use sealnet::envelope::Timestamp;
use sealnet::identity::{Identity, NodeId};
use sealnet::link::{self, Halves, Link, LinkError, NoiseChannel, Outbox, Reader};
use sealnet::node::Node;
use sealnet::wire::{Frame, Hello};
use tokio::net::TcpStream;

use crate::support::within;

/// A peer that speaks the protocol and does with it what a test wants.
pub(crate) struct Peer {
    pub(crate) reader: Reader,
    pub(crate) outbox: Outbox,
}

impl Peer {
    /// Dials the node where it listens.
    pub(crate) async fn connect(node: &Node, identity: Identity) -> Result<Self, LinkError> {
        let stream = TcpStream::connect(node.listen_address().unwrap()).await.unwrap();
        Peer::over(stream, node, identity).await
    }

    /// Opens a link with the node over this connection.
    pub(crate) async fn over(stream: impl Into<Halves>, node: &Node, identity: Identity) -> Result<Self, LinkError> {
        let channel = NoiseChannel::new(Arc::new(identity), node.network_hash(), None).unwrap();
        let hello = Hello::new("a test", Timestamp::now());
        let link = link::connect(&channel, stream.into(), Some(node.id()), &hello, &|_: &NodeId| true).await?;
        let Link { reader, writer, .. } = link;
        let outbox = Outbox::default();
        tokio::spawn(writer.run(outbox.clone()));
        Ok(Peer { reader, outbox })
    }

    pub(crate) fn send(&self, frame: Frame) {
        self.outbox.push_control(frame).unwrap();
    }

    /// The next frame, or `None` when the node has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.reader.next_frame() {
                Ok(Some(frame)) => return Some(frame),
                Ok(None) if matches!(self.reader.fill().await, Ok(true)) => {}
                _ => return None,
            }
        }
    }

    /// Reads until the node closes the connection.
    pub(crate) async fn closed(mut self) {
        within("the node closes the connection", async { while self.next().await.is_some() {} }).await;
    }

    /// Shows that it lives whenever it is asked, until the node closes the connection.
    pub(crate) async fn answers_pings(mut self) {
        while let Some(frame) = self.next().await {
            if let Frame::Ping(nonce) = frame {
                let _ = self.outbox.push_control(Frame::Pong(nonce));
            }
        }
    }
}
