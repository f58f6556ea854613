//! Messages through a system: W1 to W4.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::WARM_UP_PACE;
use crate::case::Size;
use crate::failure::Outcome;
use crate::job::Round;
use crate::machine;
use crate::metric::*;
use crate::statistics::{percentile, ratio};
use crate::systems::System;
use crate::tally::{Board, Tally};

/// What is read before and after the messages.
struct Before {
    time: Instant,
    worked: Duration,
    wire: Option<u64>,
    sent: Option<u64>,
}

/// Sends the messages, and counts.
pub(crate) async fn run<S: System>(
    system: &Arc<S>,
    board: &Arc<Board>,
    size: Size,
    senders: usize,
    round: &mut Round,
) -> Outcome<()> {
    warm_up(&**system, &board.warm_up, senders).await?;
    let verify_before = machine::verification()?;
    let before = Before {
        time: Instant::now(),
        worked: machine::processor_time(),
        wire: machine::loopback_bytes(),
        sent: system.sent(),
    };
    let mut publishing = JoinSet::new();
    for place in 0..senders {
        let numbers = (place..board.measured.len()).step_by(senders).collect();
        publishing.spawn(publish(system.clone(), board.clone(), place, numbers, size));
    }
    while let Some(published) = publishing.join_next().await {
        published??;
    }
    board.measured.complete().await;
    let worked = machine::processor_time().saturating_sub(before.worked);
    let since = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?) as f64);
    let (wire, sent) = (since(machine::loopback_bytes(), before.wire), since(system.sent(), before.sent));
    let verify = f64::midpoint(verify_before, machine::verification()?);
    let latencies = board.count(&mut round.counts).await;

    let (took, delivered) = (board.measured.took(before.time).as_secs_f64(), board.measured.delivered() as f64);
    let cpu = ratio(worked.as_secs_f64() * 1e6, delivered);
    round.set(MESSAGES, ratio(board.measured.everywhere() as f64, took));
    round.set(DELIVERIES, ratio(delivered, took));
    round.set(PUBLISHED, board.measured.published() as f64);
    round.set(CPU, cpu);
    round.set(VERIFY, verify);
    round.set(CPU_RATIO, ratio(cpu, verify));
    for (metric, bytes) in [(WIRE, wire), (OWN_WIRE, sent)] {
        if let Some(bytes) = bytes {
            round.set(metric, ratio(bytes, delivered));
        }
    }
    for (metric, percent) in [(LATENCY_P50, 50), (LATENCY_P99, 99), (LATENCY_MAX, 100)] {
        if let Some(nanos) = percentile(&latencies, percent) {
            round.set(metric, nanos as f64 / 1e6);
        }
    }
    Ok(())
}

/// Some messages of all senders, counted as exactly as all others.
async fn warm_up<S: System>(system: &S, tally: &Tally, senders: usize) -> Outcome<()> {
    for number in 0..tally.len() {
        system.publish(number % senders, tally.publish(number)).await?;
        tokio::time::sleep(WARM_UP_PACE).await;
    }
    tally.complete().await;
    Ok(())
}

async fn publish<S: System>(
    system: Arc<S>,
    board: Arc<Board>,
    place: usize,
    numbers: Vec<usize>,
    size: Size,
) -> Outcome<()> {
    let (tally, start) = (&board.measured, Instant::now());
    let mut next = tokio::time::Instant::now();
    for number in numbers {
        if !tally.room().await || start.elapsed() >= size.cap {
            break;
        }
        if let Some(pace) = size.pace {
            tokio::time::sleep_until(next).await;
            next += pace;
        }
        system.publish(place, tally.publish(number)).await?;
    }
    Ok(())
}
