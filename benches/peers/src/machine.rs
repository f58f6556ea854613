//! What the machine gives and takes: processor time, memory, bytes on loopback, and the measure of everything, one strict
//! verification.

use std::fs;
use std::hint::black_box;
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use rustix::time::{ClockId, clock_gettime};

use crate::failure::Outcome;
use crate::statistics::Spread;

/// How many verifications are timed together, and how many times.
const VERIFICATIONS: u32 = 100;
const TIMES: u32 = 11;

/// The processor time of this process so far, of all its threads, in the program and in the system.
pub(crate) fn processor_time() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

fn clock(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The processor time that one strict Ed25519 verification of 64 bytes takes on this thread now, with the key decoded: in
/// µs, the median of several runs. The library is the one Sealnet uses, built as for Sealnet.
pub(crate) fn verification() -> Outcome<f64> {
    let signer = SigningKey::from_bytes(&[1; 32]);
    let (key, message) = (signer.verifying_key(), [7; 64]);
    let signature = signer.sign(&message);
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let before = clock(ClockId::ThreadCPUTime);
        for _ in 0..VERIFICATIONS {
            black_box(&key).verify_strict(black_box(&message), &signature)?;
        }
        let spent = clock(ClockId::ThreadCPUTime).saturating_sub(before);
        took.push(spent.as_secs_f64() * 1e6 / f64::from(VERIFICATIONS));
    }
    Ok(Spread::of(took).map_or(0.0, |spread| spread.median))
}

/// The memory this process holds for itself, in bytes; `None` where the system does not say. Pages of files do not count: the
/// program's own code is there once, and read in whenever it is first used.
pub(crate) fn resident() -> Option<u64> {
    let sizes = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = sizes.split_whitespace().skip(1).map_while(|pages| pages.parse::<u64>().ok());
    let (resident, of_files) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(of_files) * rustix::param::page_size() as u64)
}

/// Bytes that came in over loopback since this network namespace began, headers included; `None` where the system does
/// not say.
pub(crate) fn loopback_bytes() -> Option<u64> {
    let devices = fs::read_to_string("/proc/self/net/dev").ok()?;
    let line = devices.lines().find_map(|line| line.trim_start().strip_prefix("lo:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What the processor is called, as far as the system says.
pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// How many processors this process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
