//! The time, as the core is told it.

use std::ops::{Add, Sub};
use std::time::Duration;

use crate::envelope::Timestamp;

/// A monotonic moment: the time since the host started. Unlike `std::time::Instant` it can be made from nothing, so the
/// simulator's hours cost no waiting, and the core cannot read a clock behind its host's back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The moment `since_start` after the host started.
    pub const fn at(since_start: Duration) -> Self {
        Instant(since_start)
    }

    /// How long after the host's start this is.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, span: Duration) -> Instant {
        Instant(self.0.saturating_add(span))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, span: Duration) -> Instant {
        Instant(self.0.saturating_sub(span))
    }
}

/// Both clocks at one moment; every call into the core begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For intervals and deadlines.
    pub instant: Instant,
    /// For what is compared with times in envelopes.
    pub wall: Timestamp,
}
