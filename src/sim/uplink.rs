//! A node's way out: how many bytes fit through in a second.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::overlay::Instant;

/// Bytes that may wait before what is dropped first is dropped: as much as the outbox of a link holds.
const MOST_WAITING: u64 = 4 << 20;

/// The way out of one node. Whatever it sends, to whomever, goes one after another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Uplink {
    /// Bytes a second; as many as one likes if there is no number.
    bandwidth: Option<NonZeroU64>,
    free_at: Instant,
}

impl Uplink {
    pub(super) fn new(bandwidth: Option<NonZeroU64>) -> Self {
        Uplink { bandwidth, free_at: Instant::default() }
    }

    /// Leaves one part of `parts` of the bandwidth.
    pub(super) fn divide(&mut self, parts: u64) {
        self.bandwidth = self.bandwidth.map(|all| NonZeroU64::new(all.get() / parts.max(1)).unwrap_or(NonZeroU64::MIN));
    }

    /// When `size` bytes that are sent now have left; `None` if too much waits already and they may be dropped.
    pub(super) fn send(&mut self, now: Instant, size: usize, may_be_dropped: bool) -> Option<Instant> {
        let Some(bandwidth) = self.bandwidth else { return Some(now) };
        let takes = |bytes: u64| Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / bandwidth);
        if may_be_dropped && self.free_at.since(now) > takes(MOST_WAITING) {
            return None;
        }
        self.free_at = self.free_at.max(now) + takes(size as u64);
        Some(self.free_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_wait_for_those_before_them_and_too_many_are_dropped() {
        let at = |ms| Instant::at(Duration::from_millis(ms));
        let mut uplink = Uplink::new(NonZeroU64::new(1_000_000));
        assert_eq!(uplink.send(at(0), 10_000, true), Some(at(10)));
        assert_eq!(uplink.send(at(4), 10_000, true), Some(at(20)), "behind the first");
        assert_eq!(uplink.send(at(50), 1_000, true), Some(at(51)), "the way was free");
        // Four mebibytes take 4.194304 s.
        assert_eq!(uplink.send(at(51), 4_200_000, true), Some(at(4_251)));
        assert_eq!(uplink.send(at(56), 1_000, true), None);
        assert_eq!(uplink.send(at(56), 1_000, false), Some(at(4_252)), "what must not be dropped is not");
        assert_eq!(uplink.send(at(58), 1_000, true), Some(at(4_253)));
        assert_eq!(Uplink::new(None).send(at(7), 1 << 30, true), Some(at(7)));
    }
}
