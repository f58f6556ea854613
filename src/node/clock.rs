//! The node's clocks.

use tokio::time::Instant as TokioInstant;

use crate::envelope::Timestamp;
use crate::overlay::{Instant, Now};

/// Where a node takes the time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Clock {
    /// The operating system's clock.
    #[default]
    System,
    /// This time at start, and from there on as fast as the runtime's timer. With a paused runtime a test passes hours in
    /// no time; with another start it plays a machine whose clock is wrong.
    StartingAt(Timestamp),
}

/// A running clock.
#[derive(Debug)]
pub(super) struct RunningClock {
    clock: Clock,
    start: TokioInstant,
}

impl RunningClock {
    pub(super) fn start(clock: Clock) -> Self {
        RunningClock { clock, start: TokioInstant::now() }
    }

    pub(super) fn now(&self) -> Now {
        let elapsed = self.start.elapsed();
        let wall = match self.clock {
            Clock::System => Timestamp::now(),
            Clock::StartingAt(start) => start.plus(elapsed),
        };
        Now { instant: Instant::at(elapsed), wall }
    }

    /// The runtime's name for a moment of the core.
    pub(super) fn runtime_instant(&self, instant: Instant) -> TokioInstant {
        self.start + instant.since_start()
    }
}
