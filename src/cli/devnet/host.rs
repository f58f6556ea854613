//! Where the nodes of a devnet live.

use std::future::Future;

use super::super::Failure;

/// The nodes of a devnet, numbered from 0, which is the genesis node. Their applications report to the
/// [`Traffic`](super::traffic::Traffic) they were started with.
pub(super) trait Host: Sized {
    /// Whether the node knows `members` members, itself included, and has `links` links or more.
    fn has_joined(&self, place: usize, members: usize, links: usize) -> bool;

    /// Waits until something has happened at some node, or a moment has passed. Fails if a node has ended.
    fn change(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// Has the node publish `content`.
    fn publish(&mut self, place: usize, content: String) -> impl Future<Output = Result<(), Failure>>;

    /// Whether the node has ended: it was killed, or asked to stop.
    fn has_ended(&self, place: usize) -> bool;

    /// How many links each node has.
    fn links(&self) -> Vec<usize>;

    /// Stops all nodes; gives the number of envelopes they refused for grammar or signature.
    fn stop(self) -> impl Future<Output = u64>;
}
