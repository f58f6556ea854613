//! One connection between two nodes: how it is opened, read and written (protocol, sections 2 and 3).
//!
//! A [`Channel`] turns a stream of bytes into something with two ends that know each other: [`NoiseChannel`] by a
//! handshake bound to identities, [`PlainChannel`] by claims alone, or one of your own. [`connect`] and [`accept`] add
//! the two HELLOs and give a [`Link`]: a [`Reader`] that cuts what arrives into frames, and a [`Writer`] that drains an
//! [`Outbox`].
//!
//! ```
//! use std::sync::Arc;
//! use sealnet::envelope::Timestamp;
//! use sealnet::identity::{Identity, NetworkHash};
//! use sealnet::link::{Halves, Link, NoiseChannel, Outbox, accept, connect};
//! use sealnet::wire::{Frame, Hello};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = NetworkHash::secure(&"demo".parse()?);
//! let channel = || Ok::<_, Box<dyn std::error::Error>>(NoiseChannel::new(Identity::generate()?.into(), network, None)?);
//! let (dialler, listener) = (channel()?, channel()?);
//! let hello = Hello::new("example", Timestamp::now());
//!
//! let (here, there) = tokio::io::duplex(64 * 1024);
//! let (dialled, accepted) = tokio::join!(
//!     connect(&dialler, Halves::from(here), None, &hello, &|_| true),
//!     async { accept(&listener, Halves::from(there), &|_| true).await?.welcome(&hello).await },
//! );
//! let (Link { writer, .. }, Link { mut reader, .. }) = (dialled?, accepted?);
//!
//! let outbox = Outbox::default();
//! outbox.push_control(Frame::Eager)?;
//! outbox.close(None);
//! writer.run(outbox).await?;
//! while reader.fill().await? {
//!     while let Some(frame) = reader.next_frame()? {
//!         assert_eq!(frame, Frame::Eager);
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! | provided | not provided |
//! |---|---|
//! | the peer's identity, proven in this very session; who dialled stays hidden from all but the pinned peer | hiding that two addresses talk, when, and how much |
//! | whatever was altered, replayed, swapped or left out on the way ends the link, and nobody is blamed for it | keeping the line up against whoever can cut it |
//! | every wait has an end, every buffer a bound | how many links there are, pings, budgets: the node's |

mod arrival;
mod bulk;
mod channel;
mod error;
mod first_messages;
mod lane;
mod meter;
mod noise_channel;
mod outbox;
mod pack;
mod plain_channel;
pub mod proof;
mod reader;
pub mod record;
mod spare;
pub mod times;
mod writer;

pub(crate) use bulk::{Progress, REQUEST_WINDOW, RESPONSE_WINDOW, STREAM_AHEAD, TransferId};

pub use arrival::{Arrival, Link, accept, connect};
pub use channel::{Admit, Channel, Halves, Opening, Secured};
pub use error::{BadHello, LinkError};
pub use meter::{Meter, Traffic};
pub use noise_channel::NoiseChannel;
pub use outbox::{Outbox, OutboxFull, OutboxLimits, Queued};
pub use plain_channel::PlainChannel;
pub use reader::Reader;
pub use writer::Writer;
