//! Sealnet's link, by its public interface: handshake, proof of identity, HELLO; frames in an outbox that a task drains.

use std::sync::Arc;

use bytes::Bytes;
use sealnet::envelope::Timestamp;
use sealnet::identity::{Identity, NetworkHash};
use sealnet::link::{Halves, Link, NoiseChannel, Outbox, Reader, Writer, accept, connect};
use sealnet::wire::{Frame, Hello};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::{End, Kind};
use crate::failure::Outcome;

/// Bytes that may wait in an outbox, or be on their way: the outbox itself takes 4 MiB. A node has the credit of requests
/// for this; here the receiver gives it back directly.
const CREDIT: usize = 2 << 20;

pub(super) struct Own {
    dialler: NoiseChannel,
    listener: NoiseChannel,
    hello: Hello,
    credit: Arc<Semaphore>,
}

impl Kind for Own {
    type End = OwnEnd;

    fn new() -> Outcome<Self> {
        let network = NetworkHash::secure(&"peers".parse()?);
        let channel = || Outcome::Ok(NoiseChannel::new(Identity::generate()?.into(), network, None)?);
        Ok(Own {
            dialler: channel()?,
            listener: channel()?,
            hello: Hello::new("peers", Timestamp::now()),
            credit: Arc::new(Semaphore::new(CREDIT)),
        })
    }

    async fn dial(&self, stream: TcpStream) -> Outcome<OwnEnd> {
        let link = connect(&self.dialler, Halves::from(stream), None, &self.hello, &|_| true).await?;
        Ok(OwnEnd::new(link, &self.credit))
    }

    async fn answer(&self, stream: TcpStream) -> Outcome<OwnEnd> {
        let link = accept(&self.listener, Halves::from(stream), &|_| true).await?.welcome(&self.hello).await?;
        Ok(OwnEnd::new(link, &self.credit))
    }
}

pub(super) struct OwnEnd {
    reader: Reader,
    /// Becomes a task with the first message; a link that is only opened needs none.
    writer: Option<Writer>,
    outbox: Outbox,
    credit: Arc<Semaphore>,
}

impl OwnEnd {
    fn new(link: Link, credit: &Arc<Semaphore>) -> Self {
        let Link { reader, writer, .. } = link;
        OwnEnd { reader, writer: Some(writer), outbox: Outbox::default(), credit: Arc::clone(credit) }
    }
}

impl End for OwnEnd {
    async fn send(&mut self, messages: &[Bytes]) -> Outcome<()> {
        if let Some(writer) = self.writer.take() {
            tokio::spawn(writer.run(self.outbox.clone()));
        }
        for message in messages {
            self.credit.acquire_many(message.len() as u32).await?.forget();
            self.outbox.push_bulk(Frame::Broadcast(message.clone()))?;
        }
        Ok(())
    }

    async fn receive(&mut self, take: &mut (impl FnMut(&[u8]) + Send)) -> Outcome<bool> {
        let mut received = 0;
        // Some may have come with the HELLO.
        loop {
            while let Some(frame) = self.reader.next_frame()? {
                if let Frame::Broadcast(body) = frame {
                    received += body.len();
                    take(&body);
                }
            }
            if received > 0 {
                self.credit.add_permits(received);
                return Ok(true);
            }
            if !self.reader.fill().await? {
                return Ok(false);
            }
        }
    }

    async fn finish(&mut self) -> Outcome<()> {
        self.outbox.close(None);
        Ok(())
    }
}
