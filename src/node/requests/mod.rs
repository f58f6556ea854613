//! Messages to single nodes, requests and their answers (protocol, section 9).
//!
//! One machinery for all three: a message is a request whose answer is of no interest, a fetch one whose answer begins
//! at an offset. What is asked of a neighbour is a [`Call`](asking::Call), what a neighbour asks an [`Asked`]; both live
//! in the [`LinkRequests`] of their link. Bodies are cut into pieces by the link's outbox (its bulk lane), in turn and
//! within their credit; there is no task for a request.

mod answer;
mod answering;
mod asking;
mod dial;
mod direct;
mod error;
mod fetch;
mod holding;
mod link;
mod reply;
mod request;
mod serving;
mod watch;

use std::time::Duration;

pub use answer::Asked;
pub use direct::{DirectMessage, MAX_DIRECT, Sent};
pub use error::{RequestError, ServeError, WrongBody};
pub use fetch::{Download, Fetch};
pub use reply::{Reply, ReplyEnded};
pub use request::{Request, Response};
pub use serving::Requests;

pub(super) use direct::{send, send_to};
pub(super) use link::LinkRequests;
pub(super) use serving::Services;
pub(super) use watch::watch;

/// The feature of nodes that take requests.
pub(super) const REQUESTS: &str = "requests";

/// The largest request that is taken unless its title's server allows more or less, in bytes. Larger things are better
/// fetched by the one who wants them.
pub const MAX_REQUEST: usize = 16 << 20;

/// Requests that may be open on a link in each direction.
const OPEN: usize = 64;

/// How long an answer is waited for if nothing is said.
const DEADLINE: Duration = Duration::from_secs(10);

/// A request of which no piece comes, and a response that is given no credit, are dropped after this time.
const STALLED: Duration = Duration::from_secs(30);

/// A peer has done what no honest one does: the link is closed, and it is blamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overstep;

#[cfg(test)]
mod tests;
