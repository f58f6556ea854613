//! The chain on a network: what is broadcast is judged before it is passed on, what is missing is asked for.
//!
//! | file | holds |
//! |---|---|
//! | `shared` | the chain, and who wants to hear of changes |
//! | `application` | the application of a Sealnet node: checks blocks and transfers |
//! | `answers` | requests: headers and blocks for other nodes, questions of wallets |
//! | `sync` | catching up: headers first, then blocks, from several nodes |
//! | `mining` | a thread that looks for nonces |
//! | `peer` | all of it on one node |

mod answers;
mod application;
mod mining;
mod peer;
mod shared;
mod sync;

pub(crate) use answers::{Balance, Question, ShownBlock, Status, answer, show, title};
pub(crate) use peer::{PayError, Peer, PeerError};
pub(crate) use shared::Shared;
pub(crate) use sync::{Caught, Sources, catch_up};
