//! What the machine gives and takes: processor time, memory, and the measure of everything, one strict verification.

use std::hint::black_box;
use std::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey};
use rustix::time::{ClockId, clock_gettime};

use super::Failure;
use super::statistics::Spread;
use crate::identity::{Domain, Identity};

/// How many verifications are timed together, and how many times.
const VERIFICATIONS: u32 = 100;
const TIMES: u32 = 11;

/// The processor time of this process so far, of all its threads, in the program and in the system.
pub(super) fn processor_time() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

fn clock(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The processor time that one strict verification of an envelope's signature takes on this thread now, with the sender's
/// key at hand: in µs, the median of several runs. It is the library's own strict function, by which other programs are
/// measured too; this crate's shorter way to the same verdicts must not make the measure smaller.
pub(super) fn verification() -> Result<f64, Failure> {
    let identity = Identity::from_seed(&[1; 32]);
    let key = VerifyingKey::from_bytes(identity.id().as_bytes())?;
    let id = [7; 32];
    let statement = [Domain::Envelope.as_bytes(), &id].concat();
    let signature = Signature::from_bytes(&identity.sign(Domain::Envelope, &[&id]));
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let before = clock(ClockId::ThreadCPUTime);
        for _ in 0..VERIFICATIONS {
            black_box(&key).verify_strict(black_box(&statement), &signature)?;
        }
        let spent = clock(ClockId::ThreadCPUTime).saturating_sub(before);
        took.push(spent.as_secs_f64() * 1e6 / f64::from(VERIFICATIONS));
    }
    Ok(Spread::of(took).map_or(0.0, |spread| spread.median))
}

/// The memory this process holds for itself, in bytes; `None` where the system does not say. Pages of files do not count: the
/// program's own code is there once, and read in whenever it is first used.
pub(super) fn resident() -> Option<u64> {
    let sizes = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = sizes.split_whitespace().skip(1).map_while(|pages| pages.parse::<u64>().ok());
    let (resident, of_files) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(of_files) * rustix::param::page_size() as u64)
}

/// What the processor is called, as far as the system says.
pub(super) fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// How many processors this process may use.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
