//! A token bucket: so many at once, so many a second.

use std::time::Duration;

use super::Instant;

/// Holds up to `burst` tokens and gains one every `every`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    burst: u32,
    every: Duration,
    tokens: u32,
    counted: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(burst: u32, every: Duration, now: Instant) -> Self {
        TokenBucket { burst, every, tokens: burst, counted: now }
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.take_many(now, 1)
    }

    /// Takes so many tokens, if there are as many. At most a full bucket is asked of anybody.
    pub(crate) fn take_many(&mut self, now: Instant, count: u32) -> bool {
        let has_them = self.has(now, count);
        if has_them {
            self.tokens -= count.min(self.burst);
        }
        has_them
    }

    /// Whether it holds so many tokens, or all it can hold.
    pub(crate) fn has(&mut self, now: Instant, count: u32) -> bool {
        self.gain(now);
        self.tokens >= count.min(self.burst)
    }

    /// Whether it holds all it can hold.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.has(now, self.burst)
    }

    fn gain(&mut self, now: Instant) {
        let gained = now.since(self.counted).as_nanos().checked_div(self.every.as_nanos());
        let gained = gained.map_or(u32::MAX, |gained| u32::try_from(gained).unwrap_or(u32::MAX));
        if gained >= self.burst - self.tokens {
            (self.tokens, self.counted) = (self.burst, now);
        } else {
            self.tokens += gained;
            self.counted = self.counted + self.every * gained;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_steady_rate() {
        let at = |ms| Instant::at(Duration::from_millis(ms));
        let mut bucket = TokenBucket::new(3, Duration::from_millis(10), at(0));
        let taken = |bucket: &mut TokenBucket, ms| (0..10).filter(|_| bucket.take(at(ms))).count();
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 9), 0);
        assert_eq!(taken(&mut bucket, 25), 2);
        assert_eq!(taken(&mut bucket, 30), 1, "the half token of 25 ms was not lost");
        assert_eq!(taken(&mut bucket, 1_000_000), 3);
        assert!(bucket.is_full(at(2_000_000)) && bucket.take_many(at(2_000_000), 2));
        assert!(!bucket.is_full(at(2_000_000)) && !bucket.take_many(at(2_000_000), 2));
        assert!(!bucket.has(at(2_000_010), 3) && bucket.take_many(at(2_000_020), 99), "never more than it can hold");
        let mut unlimited = TokenBucket::new(1, Duration::ZERO, at(0));
        assert_eq!(taken(&mut unlimited, 0), 10);
    }
}
