//! The log on disk in numbers (workload W8): durable appends a second, and the cold start.
//!
//!     cargo bench --bench log [-- FOLDER [MESSAGES]]
//!
//! The folder decides which disk is measured; without it, that of temporary files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sealnet::envelope::{Draft, Envelope, Lifetime, Open, Scheme, Timestamp, Verified, Version};
use sealnet::identity::{NetworkHash, NodeId};
use sealnet::log::{DiskLog, Log, LogInstance, Opening, Settings};
use sealnet::overlay::{self, Core, Now, Seen, Setup};

const MESSAGE: usize = 256;
const SENDERS: u8 = 16;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let temporary = tempfile::tempdir()?;
    let folder = arguments.first().map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let count: u32 = arguments.get(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let network = NetworkHash::plain(&"bench".parse()?);
    let own = NodeId::from_bytes([1; 32]);
    let settings = Settings { max_bytes: 4 << 30, ..Settings::default() };
    let begin = Timestamp::now();
    let opening = Opening {
        version: Version::Open,
        network,
        own,
        settings: &settings,
        now: begin,
        begin,
        instance: LogInstance::from_bytes([1; 8]),
    };
    let schemes: Vec<Open> = (1..=SENDERS).map(|n| Open::new(network, NodeId::from_bytes([n; 32]))).collect();
    let made = |n: u32| -> Verified<Envelope> {
        let scheme = &schemes[usize::try_from(n).unwrap_or(0) % schemes.len()];
        let draft = Draft {
            title: "bench".parse().expect("a title"),
            message: Bytes::from(vec![7; MESSAGE]),
            time: begin.plus(Duration::from_micros(n.into())),
            lifetime: Lifetime::DEFAULT,
        };
        scheme.publish(&draft).expect("small enough")
    };

    let log = DiskLog::open(&folder, &opening, |_| {})?;
    let mut times = Vec::new();
    for n in 0..1000 {
        let envelope = made(n);
        let start = Instant::now();
        runtime.block_on(log.append_own(&envelope, begin)?)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!("one at a time: p50 {:?}, p99 {:?}", times[500], times[990]);

    let start = Instant::now();
    let mut ends = log.ends();
    for n in 1000..count {
        let envelope = made(n);
        // More waits for the disk than may wait: as a link would, it comes again a little later.
        while log.append(&envelope, begin).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    runtime.block_on(ends.wait_for(|end| end.get() >= count.into()))?;
    let took = start.elapsed();
    println!(
        "in groups: {} messages of {MESSAGE} B in {took:.2?}, {:.0} durable appends a second (making them included)",
        count - 1000,
        f64::from(count - 1000) / took.as_secs_f64()
    );
    // What a crash leaves: the file as it is now, not closed.
    let crashed = folder.join("crashed");
    std::fs::create_dir_all(&crashed)?;
    std::fs::copy(folder.join(DiskLog::FILE), crashed.join(DiskLog::FILE))?;
    drop(log);
    println!("the file has {} MiB", std::fs::metadata(folder.join(DiskLog::FILE))?.len() >> 20);

    cold_start("cold start", &folder, &opening)?;
    cold_start("cold start after a crash", &crashed, &opening)?;
    std::fs::remove_dir_all(&crashed)?;
    Ok(())
}

/// Opens the log and fills the core's index from it.
fn cold_start(what: &str, folder: &Path, opening: &Opening<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let setup = Setup {
        own: opening.own,
        settings: overlay::Settings { index_capacity: 2_000_000, ..overlay::Settings::local() },
        genesis: Vec::new(),
        addresses: Vec::new(),
        features: Vec::new(),
        apps: std::collections::BTreeMap::new(),
        seed: [1; 32],
    };
    let (before, worked) = (resident(), processor_seconds());
    let start = Instant::now();
    let mut core = Core::new(setup, Now { instant: overlay::Instant::default(), wall: opening.now });
    let log = DiskLog::open(folder, opening, |row| {
        core.remember(&Seen { id: row.id, sender: row.sender, time: row.time, lifetime: row.lifetime });
    })?;
    let took = start.elapsed();
    let (memory, worked) = (resident().saturating_sub(before) >> 10, processor_seconds() - worked);
    println!(
        "{what}: {} messages known again in {took:.2?} ({worked:.2} s of processor time), {memory} MiB more memory",
        core.index_len()
    );
    drop(log);
    Ok(())
}

/// The processor time of this process so far, which says more than the clock where others use the machine too.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // utime and stime, in hundredths of a second.
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The memory this process holds, in KiB; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
