//! The log in memory: one more envelope in it, and a page of 256 out of it. (What is on disk is W8 of `sealnet bench`: there
//! the disk decides.)

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use sealnet::envelope::{Draft, Envelope, Lifetime, Open, Scheme, Timestamp, Verified};
use sealnet::identity::{NetworkHash, NodeId};
use sealnet::log::{Log, LogInstance, MemoryLog, Settings};

use super::{Failure, Step};

const PAGE: usize = 256;
/// What is appended in turn; the log forgets the oldest of it before it comes again.
const ENVELOPES: u64 = 4_096;
const FITS: usize = 1_000 * 400;

fn begin() -> Result<Timestamp, Failure> {
    Ok(Timestamp::from_micros(1_700_000_000_000_000).ok_or("no time")?)
}

fn envelopes() -> Result<Vec<Verified<Envelope>>, Failure> {
    let scheme = Open::new(NetworkHash::plain(&"bench".parse()?), NodeId::from_bytes([1; 32]));
    let (begin, title) = (begin()?, "bench".parse::<sealnet::envelope::Title>()?);
    let made = (0..ENVELOPES).map(|n| {
        let (time, message) = (begin.plus(Duration::from_micros(n)), Bytes::from(vec![7; 256]));
        scheme.publish(&Draft { title: title.clone(), message, time, lifetime: Lifetime::DEFAULT })
    });
    Ok(made.collect::<Result<_, _>>()?)
}

fn log(max_bytes: usize) -> MemoryLog {
    let settings = Settings { max_bytes, ..Settings::default() };
    MemoryLog::new(LogInstance::from_bytes([1; 8]), NodeId::from_bytes([0; 32]), settings)
}

pub(super) fn appended() -> Result<Step, Failure> {
    let (log, envelopes, now) = (log(FITS), envelopes()?, begin()?);
    // Full from the beginning, so that each costs what all cost.
    envelopes.iter().for_each(|envelope| drop(log.append(envelope, now)));
    let mut place = 0;
    Ok(Box::new(move || {
        assert!(black_box(log.append(&envelopes[place], now)).is_ok(), "not appended");
        place = (place + 1) % envelopes.len();
    }))
}

pub(super) fn read() -> Result<Step, Failure> {
    let (log, now) = (log(64 << 20), begin()?);
    let start = log.end();
    for envelope in &envelopes()? {
        log.append(envelope, now)?;
    }
    Ok(Box::new(move || {
        let page = log.read(start, PAGE);
        assert!(black_box(page).is_ok_and(|page| page.entries.len() == PAGE), "not a full page");
    }))
}
