//! What goes over links, counted.

use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};

/// What went over a link, or over several: from the HELLO on, as it lies on the wire, records included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// How often something was written: system calls, on a socket.
    pub writes: u64,
    /// How often something was read.
    pub reads: u64,
}

impl Add for Traffic {
    type Output = Traffic;

    fn add(self, other: Traffic) -> Traffic {
        Traffic {
            sent: self.sent.wrapping_add(other.sent),
            received: self.received.wrapping_add(other.received),
            writes: self.writes.wrapping_add(other.writes),
            reads: self.reads.wrapping_add(other.reads),
        }
    }
}

/// Counts what goes over a link, or what went over several.
#[derive(Debug, Default)]
pub struct Meter {
    sent: AtomicU64,
    received: AtomicU64,
    writes: AtomicU64,
    reads: AtomicU64,
}

impl Meter {
    /// What was counted so far.
    pub fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            sent: read(&self.sent),
            received: read(&self.received),
            writes: read(&self.writes),
            reads: read(&self.reads),
        }
    }

    /// Counts all of `traffic` in.
    pub fn add(&self, traffic: Traffic) {
        let add = |counter: &AtomicU64, count: u64| counter.fetch_add(count, Ordering::Relaxed);
        add(&self.sent, traffic.sent);
        add(&self.received, traffic.received);
        add(&self.writes, traffic.writes);
        add(&self.reads, traffic.reads);
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.reads.fetch_add(1, Ordering::Relaxed);
    }
}
