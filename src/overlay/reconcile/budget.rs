//! What the sessions that others begin may cost here.

use std::time::Duration;

use super::super::{Instant, TokenBucket};

/// Frames that are answered in one go, and one more in this time: 20 a second.
const FRAMES: u32 = 64;
const FRAME_EVERY: Duration = Duration::from_millis(50);

/// Work that is done in one go, and a second, counted in ids that are looked at and hashed: some 50 ms of a processor.
const WORK: i64 = 1_000_000;
const WORK_A_SECOND: i64 = 500_000;

/// One link's allowance for its sessions at this node.
#[derive(Debug)]
pub(super) struct Budget {
    frames: TokenBucket,
    /// Below zero it is owed.
    work: i64,
    counted: Instant,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Budget { frames: TokenBucket::new(FRAMES, FRAME_EVERY, now), work: WORK, counted: now }
    }

    /// Takes one frame's worth. A frame over the budget is not even read.
    pub(super) fn frame(&mut self, now: Instant) -> bool {
        self.frames.take(now)
    }

    /// Whether anything may be done now: work is charged when it is known how much it was, so the last of it may be more than
    /// there was left. That is owed.
    pub(super) fn may_work(&mut self, now: Instant) -> bool {
        let micros = i64::try_from(now.since(self.counted).as_micros()).unwrap_or(i64::MAX);
        let gained = micros.saturating_mul(WORK_A_SECOND) / 1_000_000;
        if gained > 0 {
            self.work = self.work.saturating_add(gained).min(WORK);
            self.counted = now;
        }
        self.work > 0
    }

    /// Charges for so many ids.
    pub(super) fn worked(&mut self, ids: usize) {
        self.work = self.work.saturating_sub(i64::try_from(ids).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_bounded_at_once_and_over_time() {
        let at = |ms| Instant::at(Duration::from_millis(ms));
        let mut budget = Budget::new(at(0));
        let mut done = 0;
        for ms in 0..10_000 {
            while budget.may_work(at(ms)) {
                budget.worked(32_768);
                done += 32_768;
            }
        }
        assert!((WORK + 9 * WORK_A_SECOND..=WORK + 11 * WORK_A_SECOND).contains(&done), "{done}");
        assert_eq!((0..200).filter(|_| budget.frame(at(20_000))).count(), FRAMES as usize);
        assert_eq!((0..200).filter(|_| budget.frame(at(21_000))).count(), 20);
    }
}
