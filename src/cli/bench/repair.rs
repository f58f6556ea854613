//! A node that comes back without some of what the others keep: W6.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::IteratorRandom;

use super::super::Failure;
use super::super::machine;
use super::super::statistics::ratio;
use super::case::Case;
use super::disk::Folder;
use super::metric::*;
use super::network::{Network, Plan, identity};
use super::round::{Job, Round};
use super::tally::{TITLE, Tally};
use crate::envelope::{Draft, Envelope, Lifetime, Scheme, Signed, Timestamp, Verified, Version};
use crate::identity::{Identity, NetworkHash, NetworkName};
use crate::log::{DiskLog, Log, LogInstance, Opening, Settings};

/// Who published what is kept; none of them is there any more.
const AUTHORS: usize = 4;
/// From one message to the next.
const APART: Duration = Duration::from_millis(2);
/// From the newest to the return: what is younger than some seconds is not repaired yet.
const AGO: Duration = Duration::from_secs(60);
/// One in so many is missing.
const SHARE: usize = 10;

/// Gives all nodes but one a full log, the last one a log with gaps; starts that one when the others have joined; waits
/// until it has everything.
pub(super) async fn run(job: &Job, round: &mut Round) -> Result<(), Failure> {
    let (size, folder) = (job.case.size(job.quick), Folder::new(job)?);
    let tally = Tally::of_the_past(size.messages, size.bytes);
    let kept = published(&tally, size.messages)?;
    let missing = missing(job, size.messages);
    let back = job.nodes - 1;
    for place in 0..job.nodes {
        let lacks = |number: &usize| place == back && missing.binary_search(number).is_ok();
        let envelopes = kept.iter().enumerate().filter(|(number, _)| !lacks(number)).map(|(_, envelope)| envelope);
        fill(&folder.path().join(place.to_string()), identity(job.round, place), envelopes).await?;
    }
    let lost: u64 = missing.iter().filter_map(|number| kept.get(*number)).map(|envelope| envelope.size() as u64).sum();
    let count = missing.len() as f64;
    drop(kept);

    let plan = Plan { nodes: back, seed: job.round, logs: Some(folder.path()), judged: None };
    let network = Network::start(plan, &mut Round::default()).await?;
    let worked = machine::processor_time();
    let node = plan.one_more(&network, back).await?;
    let start = Instant::now();
    let applications = tally.attend_from_start(&node)?;
    tally.complete().await;
    let took = start.elapsed();
    let worked = machine::processor_time().saturating_sub(worked);
    tally.count(round).await;
    let traffic = node.status().traffic;
    let bytes = (traffic.sent + traffic.received) as f64;
    round.set(REPAIR, took.as_secs_f64() * 1e3);
    round.set(REPAIR_CPU, ratio(worked.as_secs_f64() * 1e6, count));
    round.set(REPAIR_BYTES, ratio(bytes, lost as f64));
    round.set(REPAIR_EXTRA, ratio(bytes - lost as f64, count));
    drop(applications);
    node.stop().await;
    network.stop().await;
    Ok(())
}

/// The numbers of what the returning node lacks, in rising order: the most recent, or some at random.
fn missing(job: &Job, count: usize) -> Vec<usize> {
    let lost = count / SHARE;
    if job.case == Case::RepairRecent {
        return (count - lost..count).collect();
    }
    let mut numbers = (0..count).sample(&mut ChaCha8Rng::seed_from_u64(job.round), lost);
    numbers.sort_unstable();
    numbers
}

/// The envelopes that are kept, signed by several who are not there.
fn published(tally: &Tally, count: usize) -> Result<Vec<Verified<Envelope>>, Failure> {
    let network = network()?;
    let author = |n: usize| Signed::new(network, Arc::new(Identity::from_seed(&[200 + n as u8; 32])));
    let authors: Vec<Signed> = (0..AUTHORS).map(author).collect();
    let newest = Timestamp::now().minus(AGO);
    let made = |number: usize| {
        let before = APART * u32::try_from(count - number).unwrap_or(u32::MAX);
        let (title, message) = (TITLE.parse()?, tally.publish(number));
        let draft = Draft { title, message, time: newest.minus(before), lifetime: Lifetime::DEFAULT };
        Ok(authors[number % AUTHORS].publish(&draft)?)
    };
    (0..count).map(made).collect()
}

fn network() -> Result<NetworkHash, Failure> {
    Ok(NetworkHash::secure(&super::network::NAME.parse::<NetworkName>()?))
}

/// Makes the log of a node.
async fn fill<'a>(
    folder: &Path,
    own: Identity,
    envelopes: impl Iterator<Item = &'a Verified<Envelope>>,
) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::said(format!("cannot make {}: {error}", folder.display())))?;
    let now = Timestamp::now();
    let opening = Opening {
        version: Version::Signed,
        network: network()?,
        own: own.id(),
        settings: &Settings::default(),
        now,
        begin: now,
        instance: LogInstance::from_bytes([1; 8]),
    };
    let log = DiskLog::open(folder, &opening, |_| {})?;
    for envelope in envelopes {
        while log.append(envelope, now).is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    log.close();
    Ok(())
}
