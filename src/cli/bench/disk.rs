//! The log on disk: W8. Durable appends a second, and the start with a log that is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::Failure;
use super::super::machine;
use super::super::statistics::{percentile, ratio};
use super::case::Case;
use super::metric::*;
use super::round::{Job, Round};
use crate::envelope::{Draft, Envelope, Lifetime, Open, Scheme, Timestamp, Verified, Version};
use crate::identity::{NetworkHash, NodeId};
use crate::log::{DiskLog, Log, LogInstance, Opening, Settings};
use crate::overlay::{self, Core, Now, Seen, Setup};

const SENDERS: u8 = 16;
/// Appends that are waited for one at a time.
const SINGLY: usize = 1_000;
/// As a link would, what finds too much waiting for the disk comes again a little later.
const AGAIN_AFTER: Duration = Duration::from_millis(1);

/// A folder for one round, removed with everything in it.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A new folder in that of the job.
    pub(super) fn new(job: &Job) -> Result<Folder, Failure> {
        let path = job.folder.join(format!("sealnet-bench-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| cannot("make", &path, &error))?;
        Ok(Folder(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            anstream::eprintln!("{} could not be removed: {error}", self.0.display());
        }
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::said(format!("cannot {what} {}: {error}", path.display()))
}

/// Fills a log, and has it opened by other processes: as it was closed, and as a crash would have left it.
pub(super) async fn run(
    job: &Job,
    round: &mut Round,
    measure: impl Fn(&Job) -> Result<Round, Failure>,
) -> Result<(), Failure> {
    let (size, folder) = (job.case.size(job.quick), Folder::new(job)?);
    let (closed, crashed) = (folder.path().join("closed"), folder.path().join("crashed"));
    fs::create_dir_all(&closed).map_err(|error| cannot("make", &closed, &error))?;
    fs::create_dir_all(&crashed).map_err(|error| cannot("make", &crashed, &error))?;
    fill(&closed, &crashed, size.messages, size.bytes, round).await?;
    let file = closed.join(DiskLog::FILE);
    let len = fs::metadata(&file).map_err(|error| cannot("read", &file, &error))?.len();
    round.set(LOG_FILE, len as f64 / f64::from(1 << 20));

    let start = |folder| measure(&Job { case: Case::LogStart, folder, ..job.clone() });
    let (after_close, after_crash) = (start(closed.clone())?, start(crashed.clone())?);
    round.counts += after_close.counts;
    round.counts += after_crash.counts;
    round.values.extend(after_close.values);
    if let Some(took) = after_crash.values.get(COLD_START.key) {
        round.set(CRASH_START, *took);
    }
    Ok(())
}

async fn fill(closed: &Path, crashed: &Path, count: usize, bytes: usize, round: &mut Round) -> Result<(), Failure> {
    let (network, begin) = (network()?, Timestamp::now());
    let log = open(closed, begin, |_| {})?;
    let schemes: Vec<Open> = (1..=SENDERS).map(|n| Open::new(network, NodeId::from_bytes([n; 32]))).collect();
    let made = |n: usize| -> Result<Verified<Envelope>, Failure> {
        let time = begin.plus(Duration::from_micros(n as u64));
        let draft =
            Draft { title: "bench".parse()?, message: Bytes::from(vec![7; bytes]), time, lifetime: Lifetime::DEFAULT };
        Ok(schemes[n % schemes.len()].publish(&draft)?)
    };
    let singly = SINGLY.min(count / 10);
    let mut took = Vec::with_capacity(singly);
    for n in 0..singly {
        let envelope = made(n)?;
        let start = Instant::now();
        log.append_own(&envelope, begin)?.await?;
        took.push(start.elapsed().as_nanos() as u64);
    }
    took.sort_unstable();
    for (metric, percent) in [(APPEND_P50, 50), (APPEND_P99, 99)] {
        round.set(metric, percentile(&took, percent).map_or(0.0, |nanos| nanos as f64 / 1e6));
    }

    let start = Instant::now();
    let mut ends = log.ends();
    for n in singly..count {
        let envelope = made(n)?;
        while log.append(&envelope, begin).is_err() {
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
    let last = count as u64;
    if ends.wait_for(|end| end.get() >= last).await.is_err() {
        return Err(Failure::said("the log ended before everything was durable"));
    }
    round.set(APPENDS, ratio((count - singly) as f64, start.elapsed().as_secs_f64()));
    // What a crash leaves: the file as it is now, not closed.
    let (from, to) = (closed.join(DiskLog::FILE), crashed.join(DiskLog::FILE));
    fs::copy(&from, &to).map_err(|error| cannot("copy", &from, &error))?;
    log.close();
    Ok(())
}

/// Opens a log and fills the core's index from it, as a node does that starts.
pub(super) fn start(job: &Job, round: &mut Round) -> Result<(), Failure> {
    let now = Timestamp::now();
    let setup = Setup {
        own: NodeId::from_bytes([1; 32]),
        settings: overlay::Settings { index_capacity: 2_000_000, ..overlay::Settings::local() },
        genesis: Vec::new(),
        addresses: Vec::new(),
        features: Vec::new(),
        apps: BTreeMap::new(),
        seed: [1; 32],
    };
    let (memory, worked, start) = (machine::resident(), machine::processor_time(), Instant::now());
    let mut core = Core::new(setup, Now { instant: overlay::Instant::default(), wall: now });
    let log = open(&job.folder, now, |row| {
        core.remember(&Seen { id: row.id, sender: row.sender, time: row.time, lifetime: row.lifetime });
    })?;
    round.set(COLD_START, start.elapsed().as_secs_f64() * 1e3);
    round.set(COLD_START_CPU, machine::processor_time().saturating_sub(worked).as_secs_f64() * 1e3);
    if let (Some(before), Some(after)) = (memory, machine::resident()) {
        round.set(LOG_MEMORY, after.saturating_sub(before) as f64 / f64::from(1 << 20));
    }
    let expected = job.case.size(job.quick).messages as u64;
    round.counts.expected = expected;
    round.counts.missing = expected.saturating_sub(core.index_len().min(log.usage().envelopes) as u64);
    Ok(())
}

fn network() -> Result<NetworkHash, Failure> {
    Ok(NetworkHash::plain(&"bench".parse()?))
}

fn open(
    folder: &Path,
    begin: Timestamp,
    remember: impl FnMut(&crate::log::Remembered) + Send,
) -> Result<DiskLog, Failure> {
    let opening = Opening {
        version: Version::Open,
        network: network()?,
        own: NodeId::from_bytes([1; 32]),
        settings: &Settings { max_bytes: 4 << 30, ..Settings::default() },
        now: begin,
        begin,
        instance: LogInstance::from_bytes([1; 8]),
    };
    Ok(DiskLog::open(folder, &opening, remember)?)
}
