//! What a delivered broadcast costs: verifications, system calls, allocations and bytes allocated. There is one thread, and
//! what waits goes out together, so the counts hold on a machine of any speed.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use sealnet::node::{Item, SecureNode, Status, Subscription};

use crate::{ALONE, start};

const TITLE: &str = "counted";
const WARM_UP: u64 = 500;
const MESSAGES: u64 = 4_000;
const MESSAGE: usize = 256;
/// A signed envelope around it: version 1, sender 32, time 8, lifetime 4, lengths 1 and 4, signature 64, title 7.
const ENVELOPE: u64 = MESSAGE as u64 + 121;

/// What was counted for each message that one node said and the other delivered.
#[derive(Debug)]
struct Each {
    verifications: f64,
    writes: f64,
    reads: f64,
    wire: f64,
    allocations: f64,
    allocated: f64,
}

#[tokio::test]
async fn a_delivery_costs_one_verification_few_system_calls_and_few_allocations() -> Result<(), Box<dyn Error>> {
    let _alone = ALONE.lock().await;
    let _profiler = dhat::Profiler::builder().testing().build();
    let counted = tokio::time::timeout(Duration::from_secs(120), count()).await??;
    // At the end of its line, for whoever wants to know what it is today: cargo test --test counts -- --nocapture
    println!("{counted:#?}");
    assert_eq!(counted.verifications, 1.0, "each message is verified once, by the one who did not say it");
    assert!(counted.writes < 0.05, "records hold what waits, and a system call several records");
    assert!(counted.reads < 0.1, "what has come is read together");
    assert!(counted.wire < 1.05 * ENVELOPE as f64, "one copy, and hardly anything around it");
    assert!(counted.allocations < 20.0, "both nodes and both logs together: {}", counted.allocations);
    // Two envelopes of it are the message itself, made here and kept there. Most of the rest are lists for a moment, and
    // tables that double as they fill.
    assert!(counted.allocated < 20.0 * ENVELOPE as f64, "bytes are not copied about: {}", counted.allocated);
    Ok(())
}

async fn count() -> Result<Each, Box<dyn Error>> {
    let speaker = start(1, None).await?;
    let listener = start(2, speaker.address()).await?;
    let mut heard = listener.subscribe(TITLE)?;
    say(&speaker, WARM_UP, &mut heard).await?;

    let (before, heap) = ((speaker.status(), listener.status()), dhat::HeapStats::get());
    say(&speaker, MESSAGES, &mut heard).await?;
    let (after, heap_after) = ((speaker.status(), listener.status()), dhat::HeapStats::get());
    let each = |count: fn(&Status) -> u64| {
        let both = |(one, other): &(Status, Status)| count(one) + count(other);
        (both(&after) - both(&before)) as f64 / MESSAGES as f64
    };
    let counted = Each {
        verifications: each(|status| status.verifications),
        writes: each(|status| status.traffic.writes),
        reads: each(|status| status.traffic.reads),
        wire: each(|status| status.traffic.sent),
        allocations: (heap_after.total_blocks - heap.total_blocks) as f64 / MESSAGES as f64,
        allocated: (heap_after.total_bytes - heap.total_bytes) as f64 / MESSAGES as f64,
    };
    speaker.stop().await;
    listener.stop().await;
    Ok(counted)
}

/// Says so many messages as fast as they are taken, and hears them all.
async fn say(speaker: &SecureNode, count: u64, heard: &mut Subscription) -> Result<(), Box<dyn Error>> {
    for number in 0..count {
        let mut message = vec![7; MESSAGE];
        message[..8].copy_from_slice(&number.to_be_bytes());
        speaker.broadcast(TITLE, message).await?;
    }
    let mut missing: BTreeSet<u64> = (0..count).collect();
    while !missing.is_empty() {
        let Some(Item::Broadcast(message)) = heard.next().await else { return Err("the listener stopped".into()) };
        let number = message.message().first_chunk().map(|number| u64::from_be_bytes(*number));
        assert!(number.is_some_and(|number| missing.remove(&number)), "message {number:?} came twice");
    }
    Ok(())
}
