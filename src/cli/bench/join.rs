//! Nodes that join at once: W5.

use super::super::Failure;
use super::network::Network;
use super::round::{Job, Round};

/// Starts the network; what that takes is what is measured.
pub(super) async fn run(job: &Job, round: &mut Round) -> Result<(), Failure> {
    Network::start(job.nodes, job.round, None, round).await?.stop().await;
    Ok(())
}
