//! Nodes that join at once: W5.

use super::super::Failure;
use super::network::{Network, Plan};
use super::round::{Job, Round};

/// Starts the network; what that takes is what is measured.
pub(super) async fn run(job: &Job, round: &mut Round) -> Result<(), Failure> {
    let plan = Plan { nodes: job.nodes, seed: job.round, logs: None, judged: None };
    Network::start(plan, round).await?.stop().await;
    Ok(())
}
