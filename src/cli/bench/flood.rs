//! Messages through a network: W1 to W4.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::super::Failure;
use super::super::machine;
use super::super::statistics::{percentile, ratio};
use super::case::Case;
use super::disk::Folder;
use super::forgers::Forgers;
use super::metric::*;
use super::network::{Network, Plan, Totals};
use super::round::{Job, Round};
use super::tally::{TITLE, Tally};
use crate::node::Node;

/// Messages not yet everywhere, in a closed loop.
const WINDOW: usize = 64;
/// From one message to the next, where latency is measured.
const PACE: Duration = Duration::from_millis(50);

/// Messages before the measured ones: the paths of broadcasts are learned from them.
const WARM_UP: usize = 200;
const QUICK_WARM_UP: usize = 10;
const WARM_UP_BYTES: usize = 256;
const WARM_UP_PACE: Duration = Duration::from_millis(20);
const WARM_UP_TITLE: &str = "warm-up";

/// Starts a network, sends the messages through it, and counts.
pub(super) async fn run(job: &Job, round: &mut Round) -> Result<(), Failure> {
    let folder = (job.case == Case::LatencyDisk).then(|| Folder::new(job)).transpose()?;
    let size = job.case.size(job.quick);
    let senders = if job.case == Case::Senders { job.nodes } else { 1 };
    let is_paced = matches!(job.case, Case::Latency | Case::LatencyDisk);
    let window = if job.case == Case::FloodOpen || is_paced { size.messages } else { WINDOW };
    let tally = Tally::new(job.nodes, size.messages, size.bytes, window, |number| number % senders);
    let (logs, is_judged) = (folder.as_ref().map(Folder::path), job.case == Case::FloodJudged);
    let plan = Plan { nodes: job.nodes, seed: job.round, logs, judged: is_judged.then_some(&tally) };
    let network = Network::start(plan, round).await?;
    let warm_up_messages = if job.quick { QUICK_WARM_UP } else { WARM_UP };
    warm_up(&network, warm_up_messages, senders, round).await?;
    let applications = if is_judged { JoinSet::new() } else { tally.attend(network.nodes(), TITLE)? };
    let verify_before = machine::verification()?;

    let (totals, worked, start) = (network.totals(), machine::processor_time(), Instant::now());
    let mut publishing = JoinSet::new();
    for (place, node) in network.nodes().iter().take(senders).enumerate() {
        let numbers = (place..size.messages).step_by(senders);
        let pace = is_paced.then_some(PACE);
        publishing.spawn(publish(node.clone(), tally.clone(), TITLE, numbers.collect(), pace));
    }
    while let Some(published) = publishing.join_next().await {
        published.map_err(|error| Failure::said(format!("publishing ended: {error}")))??;
    }
    tally.complete().await;
    let took = start.elapsed();
    let worked = machine::processor_time().saturating_sub(worked);
    let verify = f64::midpoint(verify_before, machine::verification()?);
    let latencies = tally.count(round).await;
    report(round, &tally, took, worked, verify);
    report_latencies(round, &latencies);
    report_totals(round, tally.deliveries() as f64, totals, network.totals(), envelope_len(size.bytes));
    network.note_loaded(round);
    drop(applications);
    network.stop().await;
    Ok(())
}

/// The latency of one sender's messages, without and with forgers who are after it.
pub(super) async fn among_forgers(job: &Job, round: &mut Round) -> Result<(), Failure> {
    let plan = Plan { nodes: job.nodes, seed: job.round, logs: None, judged: None };
    let network = Network::start(plan, round).await?;
    let warm_up_messages = if job.quick { QUICK_WARM_UP } else { WARM_UP };
    warm_up(&network, warm_up_messages, 1, round).await?;
    let calm = one_by_one(job, &network, "calm", round).await?;
    let (sender, before, start) = (&network.nodes()[0], network.totals(), Instant::now());
    let address = sender.listen_address().ok_or_else(|| Failure::said("the genesis node does not listen"))?;
    let forgers = Forgers::against(sender.id(), address, job.round)?;
    let forged = one_by_one(job, &network, "forged at", round).await?;
    drop(forgers);
    let after = network.totals();
    report_latencies(round, &forged);
    let p99 = |sorted: &[u64]| percentile(sorted, 99).map(|nanos| nanos as f64 / 1e6);
    if let (Some(calm), Some(forged)) = (p99(&calm), p99(&forged)) {
        round.set(CALM_P99, calm);
        round.set(P99_RATIO, ratio(forged, calm));
    }
    let deliveries = ((network.nodes().len() - 1) * job.case.size(job.quick).messages) as u64;
    round.set(FORGED, (after.verifications - before.verifications).saturating_sub(deliveries) as f64);
    round.set(REFUSED, ratio(after.barred.saturating_sub(before.barred) as f64, start.elapsed().as_secs_f64()));
    network.stop().await;
    Ok(())
}

/// Messages of the first node, one at a time; their latencies, in order.
async fn one_by_one(job: &Job, network: &Network, title: &'static str, round: &mut Round) -> Result<Vec<u64>, Failure> {
    let size = job.case.size(job.quick);
    let nodes = network.nodes();
    let tally = Tally::new(nodes.len(), size.messages, size.bytes, size.messages, |_| 0);
    let _applications = tally.attend(nodes, title)?;
    let numbers = (0..size.messages).collect();
    publish(nodes[0].clone(), tally.clone(), title, numbers, Some(PACE)).await?;
    tally.complete().await;
    Ok(tally.count(round).await)
}

/// Some messages of all senders, counted as exactly as all others.
async fn warm_up(network: &Network, count: usize, senders: usize, round: &mut Round) -> Result<(), Failure> {
    let nodes = network.nodes();
    let tally = Tally::new(nodes.len(), count, WARM_UP_BYTES, count, |number| number % senders);
    let _applications = tally.attend(nodes, WARM_UP_TITLE)?;
    for number in 0..count {
        let node = nodes[number % senders].clone();
        publish(node, tally.clone(), WARM_UP_TITLE, vec![number], None).await?;
        tokio::time::sleep(WARM_UP_PACE).await;
    }
    tally.complete().await;
    tally.count(round).await;
    Ok(())
}

async fn publish(
    node: Node,
    tally: Arc<Tally>,
    title: &'static str,
    numbers: Vec<usize>,
    pace: Option<Duration>,
) -> Result<(), Failure> {
    let mut next = tokio::time::Instant::now();
    for number in numbers {
        tally.room().await;
        if let Some(pace) = pace {
            tokio::time::sleep_until(next).await;
            next += pace;
        }
        node.broadcast(title, tally.publish(number)).await?;
    }
    Ok(())
}

/// The bytes of a signed envelope around a message of so many.
fn envelope_len(message: usize) -> f64 {
    (crate::envelope::MAX_ENVELOPE - crate::envelope::MAX_MESSAGE - crate::envelope::Title::MAX_LEN
        + TITLE.len()
        + message) as f64
}

fn report(round: &mut Round, tally: &Tally, took: Duration, worked: Duration, verify: f64) {
    let deliveries = tally.deliveries() as f64;
    let cpu = ratio(worked.as_secs_f64() * 1e6, deliveries);
    round.set(MESSAGES, ratio(tally.everywhere() as f64, took.as_secs_f64()));
    round.set(DELIVERIES, ratio(deliveries, took.as_secs_f64()));
    round.set(CPU, cpu);
    round.set(VERIFY, verify);
    round.set(CPU_RATIO, ratio(cpu, verify));
}

fn report_latencies(round: &mut Round, sorted: &[u64]) {
    for (metric, percent) in [(LATENCY_P50, 50), (LATENCY_P99, 99), (LATENCY_MAX, 100)] {
        if let Some(nanos) = percentile(sorted, percent) {
            round.set(metric, nanos as f64 / 1e6);
        }
    }
}

fn report_totals(round: &mut Round, deliveries: f64, before: Totals, after: Totals, envelope: f64) {
    let since = |now: u64, then: u64| now.saturating_sub(then) as f64;
    let (sent, received) = (&after.traffic, &before.traffic);
    let bytes = ratio(since(sent.sent, received.sent), deliveries);
    round.set(VERIFICATIONS, ratio(since(after.verifications, before.verifications), deliveries));
    round.set(COPIES, 1.0 + ratio(since(after.duplicates, before.duplicates), deliveries));
    round.set(WIRE, bytes);
    round.set(WIRE_RATIO, ratio(bytes, envelope));
    round.set(WRITES, ratio(since(sent.writes, received.writes), deliveries));
    round.set(READS, ratio(since(sent.reads, received.reads), deliveries));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Traffic;

    #[test]
    fn figures_are_per_delivery() {
        let traffic = |sent, writes, reads| Traffic { sent, received: 0, writes, reads };
        let before = Totals { verifications: 10, duplicates: 5, barred: 0, traffic: traffic(1_000, 10, 20) };
        let after = Totals { verifications: 110, duplicates: 55, barred: 0, traffic: traffic(51_000, 60, 220) };
        let mut round = Round::default();
        report_totals(&mut round, 100.0, before, after, 400.0);
        for (metric, value) in
            [(VERIFICATIONS, 1.0), (COPIES, 1.5), (WIRE, 500.0), (WIRE_RATIO, 1.25), (WRITES, 0.5), (READS, 2.0)]
        {
            assert_eq!(round.values[metric.key], value, "{}", metric.key);
        }
    }

    #[test]
    fn an_envelope_is_as_long_as_the_protocol_page_says() {
        // version 1, sender 32, time 8, lifetime 4, lengths 1 and 4, signature 64, title 5.
        assert_eq!(envelope_len(256), 375.0);
    }
}
