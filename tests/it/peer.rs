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
        Peer::able(stream, node, identity, &[]).await
    }

    /// The same, and says that it has these features.
    pub(crate) async fn able(
        stream: impl Into<Halves>,
        node: &Node,
        identity: Identity,
        features: &[&str],
    ) -> Result<Self, LinkError> {
        let (channel, hello) = saying(node, identity, features);
        let link = link::connect(&channel, stream.into(), Some(node.id()), &hello, &|_: &NodeId| true).await?;
        Ok(Peer::of(link))
    }

    /// Takes a link that the node opens over this connection.
    pub(crate) async fn dialled(
        stream: impl Into<Halves>,
        node: &Node,
        identity: Identity,
        features: &[&str],
    ) -> Result<Self, LinkError> {
        let (channel, hello) = saying(node, identity, features);
        let arrival = link::accept(&channel, stream.into(), &|_: &NodeId| true).await?;
        Ok(Peer::of(arrival.welcome(&hello).await?))
    }

    /// Goes on with a link that was opened otherwise.
    pub(crate) fn of(link: Link) -> Self {
        let Link { reader, writer, .. } = link;
        let outbox = Outbox::default();
        tokio::spawn(writer.run(outbox.clone()));
        Peer { reader, outbox }
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

    /// The next frame that belongs to a request, or the good-bye; pings are answered meanwhile.
    pub(crate) async fn next_of_requests(&mut self) -> Option<Frame> {
        loop {
            match self.next().await? {
                Frame::Ping(nonce) => self.send(Frame::Pong(nonce)),
                frame if frame.request_number().is_some() || matches!(frame, Frame::Goodbye(_)) => return Some(frame),
                _ => {}
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

fn saying(node: &Node, identity: Identity, features: &[&str]) -> (NoiseChannel, Hello) {
    let channel = NoiseChannel::new(Arc::new(identity), node.network_hash(), None).unwrap();
    let mut hello = Hello::new("a test", Timestamp::now());
    hello.features = features.iter().map(|feature| (*feature).to_owned()).collect();
    (channel, hello)
}
