//! How often something may happen.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests a second, and as many at once.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u32,
    /// When everything that was let through would have been done at that pace.
    paid_until: Mutex<Option<Instant>>,
}

impl Rate {
    pub(super) fn per_second(per_second: u32) -> Self {
        Rate { per_second: per_second.max(1), paid_until: Mutex::default() }
    }

    /// Whether one more may happen.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let from = paid_until.map_or(now, |until| until.max(now));
        if from.duration_since(now) >= Duration::from_secs(1) {
            return false;
        }
        *paid_until = Some(from + Duration::from_secs(1) / self.per_second);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_at_once_and_then_one_at_a_time() {
        let (rate, start) = (Rate::per_second(200), Instant::now());
        let taken = |at: Duration| (0..1000).filter(|_| rate.take(start + at)).count();
        assert_eq!(taken(Duration::ZERO), 200);
        assert_eq!(taken(Duration::from_millis(50)), 10);
        assert_eq!(taken(Duration::from_secs(60)), 200);
    }
}
