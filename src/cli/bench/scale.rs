//! More nodes than a machine can hold, in virtual time: W9.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::super::Failure;
use super::super::machine;
use super::metric::*;
use super::round::{Job, Round};
use crate::overlay;
use crate::sim::{Conditions, Report, Scenario, Share};

/// Two of a hundred frames are lost.
const LOSS: Share = Share::millionths(20_000);
/// Nodes that crash while messages are published.
const CRASHES: usize = 10;
/// More members than this are not worth the memory, where nobody can know all.
const KNOWN_OF_MANY: usize = 1_024;

/// Runs the scenario, the same that `sealnet simulate --loss 2% --crash 10` runs with this many nodes.
pub(super) fn run(job: &Job, round: &mut Round) -> Result<(), Failure> {
    let scenario = scenario(job);
    let (memory, worked, start) = (machine::resident(), machine::processor_time(), Instant::now());
    let report = scenario.run(&mut |_| {});
    round.set(SIMULATED_IN, start.elapsed().as_secs_f64());
    round.set(SIMULATED_CPU, machine::processor_time().saturating_sub(worked).as_secs_f64());
    if let (Some(before), Some(after)) = (memory, machine::resident()) {
        round.set(SIMULATED_MEMORY, after.saturating_sub(before) as f64 / f64::from(1 << 20));
    }
    note(&report, round);
    Ok(())
}

fn scenario(job: &Job) -> Scenario {
    let wan = overlay::Settings::wan();
    let knows = if job.nodes > wan.member_capacity { KNOWN_OF_MANY } else { wan.member_capacity };
    let size = job.case.size(job.quick);
    Scenario {
        nodes: job.nodes,
        seed: job.round,
        overlay: overlay::Settings { member_capacity: knows, ..wan },
        conditions: Conditions { regions: 6, jitter: Duration::from_millis(5), loss: LOSS, ..Conditions::default() },
        start_spread: Duration::from_millis(10) * u32::try_from(job.nodes).unwrap_or(u32::MAX),
        messages: size.messages,
        size: size.bytes,
        rate: NonZeroU32::MIN.saturating_add(9),
        warm_up: Duration::from_secs(20),
        crashes: CRASHES.min(job.nodes / 10),
        ..Scenario::default()
    }
}

fn note(report: &Report, round: &mut Round) {
    round.counts.expected += report.account.expected;
    round.counts.missing += report.account.unexplained;
    round.counts.double += report.account.duplicates;
    round.set(REDUNDANCY, report.redundancy_steady);
    round.set(LAST_HOP, report.last_hop.max as f64);
    let latency = report.latency;
    for (metric, took) in [(LATENCY_P50, latency.p50), (LATENCY_P99, latency.p99), (LATENCY_MAX, latency.max)] {
        round.set(metric, took.as_secs_f64() * 1e3);
    }
    round.set(WIRE, report.bytes_per_delivery);
    round.set(LINKS, report.links.mean);
    if let Some(joining) = report.joining {
        round.set(JOIN, joining.as_secs_f64() * 1e3);
    }
}
