//! Neighbours that send bad signatures as fast as they can, and what the others notice of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::super::Failure;
use super::network::{NAME, identity};
use crate::envelope::{Draft, Lifetime, Scheme, Signed, Timestamp};
use crate::identity::{NetworkHash, NetworkName, NodeId};
use crate::link::{Halves, Link, NoiseChannel, Outbox, OutboxLimits, connect};
use crate::wire::{Frame, Hello};

/// So many at once.
const FORGERS: usize = 32;
/// Places of their identities, beyond those of all nodes.
const FIRST_PLACE: usize = 1 << 20;
/// Between two attempts to come back: often enough that most are more than a node accepts in a second.
const AGAIN: Duration = Duration::from_millis(20);
/// So much waits to be sent: more than a connection takes at once.
const QUEUED: usize = 256 << 10;
/// How often a full queue is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// At the end of an envelope stands the signature, and before it the message, whose last bytes are another number each time.
const SIGNATURE: usize = 64;
const NUMBER: usize = 8;

/// Thirty-two identities that forge against one node, and come back whenever they are sent away, until this is dropped.
///
/// They have a thread of their own: what they spend is not to stand in the way of the nodes' tasks, as if a node did it.
pub(super) struct Forgers {
    runtime: Option<Runtime>,
}

impl Drop for Forgers {
    fn drop(&mut self) {
        // Without waiting: this is dropped by a task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Forgers {
    /// Sets them on the node.
    pub(super) fn against(id: NodeId, address: SocketAddr, seed: u64) -> Result<Forgers, Failure> {
        let network = NetworkHash::secure(&NAME.parse::<NetworkName>()?);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::said(format!("forgers cannot be started: {error}")))?;
        for place in 0..FORGERS {
            let identity = Arc::new(identity(seed, FIRST_PLACE + place));
            let channel = NoiseChannel::new(identity.clone(), network, None)?;
            let draft = Draft {
                title: "forged".parse()?,
                message: Bytes::from_static(&[0; 256]),
                time: Timestamp::now(),
                lifetime: Lifetime::hours(1),
            };
            let sound = Signed::new(network, identity).publish(&draft)?.as_bytes().to_vec();
            runtime.spawn(forge(id, address, channel, sound, place as u64));
        }
        Ok(Forgers { runtime: Some(runtime) })
    }
}

/// Comes, sends until the link is closed, and comes again.
async fn forge(victim: NodeId, address: SocketAddr, channel: NoiseChannel, mut forgery: Vec<u8>, place: u64) {
    let number_at = forgery.len() - SIGNATURE - NUMBER;
    let mut number = place << 48;
    loop {
        let hello = Hello::new("a forger", Timestamp::now());
        let opened = async {
            let stream = TcpStream::connect(address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            connect(&channel, Halves::from(stream), Some(victim), &hello, &|_| true).await.ok()
        };
        if let Some(Link { mut reader, writer, .. }) = opened.await {
            let outbox = Outbox::new(OutboxLimits { bulk: QUEUED, ..OutboxLimits::default() });
            let feeding = async {
                loop {
                    number += 1;
                    forgery[number_at..number_at + NUMBER].copy_from_slice(&number.to_be_bytes());
                    if outbox.push_bulk(Frame::Broadcast(Bytes::copy_from_slice(&forgery))).is_err() {
                        sleep(LOOK_EVERY).await;
                    }
                }
            };
            let hearing = async {
                while let Ok(true) = reader.fill().await {
                    while let Ok(Some(_)) = reader.next_frame() {}
                }
            };
            tokio::select! {
                _ = writer.run(outbox.clone()) => {}
                () = feeding => {}
                () = hearing => {}
            }
        }
        sleep(AGAIN).await;
    }
}
