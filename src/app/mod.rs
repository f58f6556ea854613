//! The application layer: what broadcasts mean.
//!
//! The overlay carries, the application means. There are three ways to build on a node, and all see the same facts:
//!
//! - the trait [`Application`]: has a say in every broadcast of its titles before it is kept and relayed, gets what was
//!   accepted, answers requests, hears of links. Each runs on a task of its own that owns it: no locks, `&mut self`;
//! - one callback for everything that happens: [`Builder::on_event`](crate::node::Builder::on_event);
//! - streams: [`Node::subscribe`](crate::node::Node::subscribe) and [`Node::events`](crate::node::Node::events).
//!
//! ```no_run
//! use sealnet::app::{Application, Context};
//! use sealnet::envelope::{Envelope, Verified};
//! use sealnet::identity::Identity;
//! use sealnet::node::{Broadcast, SecureNode, Verdict};
//!
//! struct Chat;
//!
//! impl Application for Chat {
//!     async fn check(&mut self, _: &Context, message: &Verified<Envelope>) -> Verdict {
//!         match std::str::from_utf8(&message.message()) {
//!             Ok(_) => Verdict::Accept,
//!             Err(_) => Verdict::Reject("chat is text".into()),
//!         }
//!     }
//!
//!     async fn received(&mut self, _: &Context, message: Broadcast) {
//!         println!("{:#}: {}", message.sender(), message.text().unwrap_or_default());
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Identity::load("keys/peer.pem".as_ref())?;
//! let node = SecureNode::builder("demo".parse()?, identity).app("chat", Chat).start().await?;
//! node.broadcast("chat", "hello").await?;
//! # Ok(()) }
//! ```
//!
//! An application that panics costs itself alone: its titles are neither kept nor relayed any more (nobody is left who could
//! judge them), [`Event::ApplicationFailed`](crate::node::Event::ApplicationFailed) says so, and everything else goes on. An
//! asynchronous wait stops nobody. Code that blocks its thread belongs into
//! [`app_isolated`](crate::node::Builder::app_isolated).

mod application;
mod body;
mod builder;
mod callback;
mod context;
mod runner;
#[cfg(feature = "sealed")]
mod sealed;

pub use application::{Application, StartAt};
pub use body::{Compressed, Json, ReadError};
pub use context::Context;
