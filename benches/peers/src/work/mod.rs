//! What is done with a system, the same with each.

mod flood;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::case::Case;
use crate::failure::Outcome;
use crate::graph::Graph;
use crate::job::{Job, Round};
use crate::link;
use crate::machine;
use crate::metric::{JOIN, JOIN_CPU, LINKS, MEMORY};
use crate::statistics::ratio;
use crate::systems::gossipsub::Gossipsub;
use crate::systems::iroh_gossip::{IrohGossip, IrohGossipSigned};
use crate::systems::sealnet::Sealnet;
use crate::systems::{Plan, Subject, System, p2pnetwork};
use crate::tally::Board;

/// Messages before the measured ones, and from one to the next: some systems learn their paths from them.
const WARM_UP: usize = 200;
const QUICK_WARM_UP: usize = 30;
const WARM_UP_PACE: Duration = Duration::from_millis(10);
/// Links that stay as they are for so long are the graph.
const SETTLED_AFTER: Duration = Duration::from_millis(500);
/// A graph that does not come to rest is measured as it is.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// Does what a job asks for, and notes what was measured.
pub(crate) fn run(job: &Job, runtime: &Runtime, round: &mut Round) -> Outcome<()> {
    if job.case.is_link() {
        return runtime.block_on(link::run(job, round));
    }
    let plan = Plan {
        nodes: job.nodes,
        seed: job.round,
        graph: Graph::new(job.nodes, job.round),
        by_itself: job.case == Case::Join,
    };
    match job.subject {
        Subject::Sealnet => runtime.block_on(with::<Sealnet>(job, &plan, round)),
        Subject::Gossipsub => runtime.block_on(with::<Gossipsub>(job, &plan, round)),
        Subject::IrohGossip => runtime.block_on(with::<IrohGossip>(job, &plan, round)),
        Subject::IrohGossipSigned => runtime.block_on(with::<IrohGossipSigned>(job, &plan, round)),
        Subject::P2pnetwork => p2pnetwork::run(job, &plan, job.case.size(job.quick), warm_up(job), round),
        Subject::Snow | Subject::SnowRing | Subject::Rustls | Subject::RustlsChacha => Ok(()),
    }
}

fn warm_up(job: &Job) -> usize {
    match job.case {
        Case::Join => 0,
        _ if job.quick => QUICK_WARM_UP,
        _ => WARM_UP,
    }
}

/// Starts a system, lets it come to rest, and sends the messages through it.
async fn with<S: System>(job: &Job, plan: &Plan, round: &mut Round) -> Outcome<()> {
    let (size, senders) = (job.case.size(job.quick), job.case.senders(job.nodes));
    let board = Board::new(plan.nodes, senders, warm_up(job), size);
    let memory = machine::resident();
    let (start, worked) = (Instant::now(), machine::processor_time());
    let system = Arc::new(S::start(plan, &board).await?);
    round.set(JOIN, start.elapsed().as_secs_f64() * 1e3);
    let worked = machine::processor_time().saturating_sub(worked);
    round.set(JOIN_CPU, ratio(worked.as_secs_f64() * 1e3, plan.nodes as f64));
    settle(&*system).await;
    if let (Some(before), Some(now)) = (memory, machine::resident()) {
        round.set(MEMORY, ratio(now.saturating_sub(before) as f64 / 1024.0, plan.nodes as f64));
    }
    if job.case != Case::Join {
        flood::run(&system, &board, size, senders, round).await?;
    }
    round.set(LINKS, ratio(system.links().await.iter().sum::<usize>() as f64, plan.nodes as f64));
    // The process ends with its nodes running: some systems complain on their way down, and nobody would learn from it.
    std::mem::forget(system);
    Ok(())
}

/// Waits until the graph is at rest: what nodes open and close while they find their places is no part of a workload.
async fn settle<S: System>(system: &S) {
    let deadline = Instant::now() + SETTLED_WITHIN;
    let (mut links, mut since) = (system.links().await, Instant::now());
    while since.elapsed() < SETTLED_AFTER && Instant::now() < deadline {
        tokio::time::sleep(SETTLED_AFTER / 10).await;
        let now = system.links().await;
        if now != links {
            (links, since) = (now, Instant::now());
        }
    }
}
