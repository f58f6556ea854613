//! What one link may bring, and have verified, before this node reads on more slowly.

use std::time::Duration;

use super::output::LinkId;
use super::{Core, Instant, Now};

/// 8,000 frames a second: more than a processor verifies signatures, and far more than a network of people says.
const FRAME: Duration = Duration::from_micros(125);
/// 8 MiB a second, in nanoseconds a byte: eight senders' worth, so that no neighbour is slowed for what others say.
const BYTES_A_SECOND: u64 = 8 << 20;
/// Both at once, if it was quiet before: 16,000 frames, 16 MiB.
const AT_ONCE: Duration = Duration::from_secs(2);
/// 15,000 verifications a second: half of what one core does, and more than the frames of one link would need. It binds
/// what comes as an answer, which is charged to nothing else.
const VERIFICATION: Duration = Duration::from_nanos(66_667);
/// What a frame costs in bytes at least: a record of its own has a head and a tag.
const LEAST_BYTES: u64 = 64;

/// The pace of one link: when what it has brought would be paid for if it came at the permitted rates. (The generic cell
/// rate algorithm, which the ATM Forum's traffic management describes; for frames, and for bytes.)
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    frames: Instant,
    bytes: Instant,
    verifications: Instant,
}

impl Pace {
    fn charge(&mut self, now: Instant, frames: u32, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).max(LEAST_BYTES * u64::from(frames));
        let takes = bytes.saturating_mul(1_000_000_000) / BYTES_A_SECOND;
        self.frames = self.frames.max(now) + FRAME * frames;
        self.bytes = self.bytes.max(now) + Duration::from_nanos(takes);
    }

    fn charge_verification(&mut self, now: Instant) {
        self.verifications = self.verifications.max(now) + VERIFICATION;
    }

    /// Until when it is ahead of what is permitted, if it is now.
    fn pause(&self, now: Instant) -> Option<Instant> {
        let until = self.frames.max(self.bytes).max(self.verifications) - AT_ONCE;
        (until > now).then_some(until)
    }
}

impl Core {
    /// Until when the host is to read nothing more from a link, if it brought more than one may. The connection
    /// itself then makes the other end wait: nothing is lost, and nobody blamed. Asked after all that was read is handed in.
    pub fn pause(&self, now: Now, link: LinkId) -> Option<Instant> {
        self.links.get(&link)?.pace.pause(now.instant)
    }

    /// Charges a link for what it brought without being asked.
    pub(super) fn charge_link(&mut self, now: Now, link: LinkId, frames: u32, bytes: usize) {
        if !self.settings.limit_links {
            return;
        }
        if let Some(link) = self.links.get_mut(&link) {
            link.pace.charge(now.instant, frames, bytes);
        }
    }

    /// Charges a link for a verification that what it brought makes necessary, whether it was asked for it or not.
    pub(super) fn charge_verification(&mut self, now: Now, link: LinkId) {
        if !self.settings.limit_links {
            return;
        }
        if let Some(link) = self.links.get_mut(&link) {
            link.pace.charge_verification(now.instant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::at(Duration::from_millis(millis))
    }

    #[test]
    fn two_seconds_worth_at_once_then_the_steady_rate_of_frames_and_of_bytes() {
        for (size, each) in [(0, Duration::from_micros(125)), (128 << 10, Duration::from_micros(15_625))] {
            let (mut pace, start) = (Pace::default(), at(10_000));
            let at_once = (0..1_000_000).take_while(|_| {
                pace.charge(start, 1, size);
                pace.pause(start).is_none()
            });
            assert_eq!(at_once.count() as u128, AT_ONCE.as_nanos() / each.as_nanos());
            // Whoever keeps to the pauses gets the steady rate from then on.
            let mut now = start;
            for _ in 0..1_000 {
                now = pace.pause(now).unwrap_or(now);
                pace.charge(now, 1, size);
            }
            assert_eq!(now.since(start), each * 1_000);
            assert!(pace.pause(now + each).is_none());
        }
    }

    #[test]
    fn quiet_is_not_saved_up_beyond_the_burst() {
        let mut pace = Pace::default();
        pace.charge(at(1_000), 16_000, 0);
        assert_eq!(pace.pause(at(1_000)), None);
        pace.charge(at(1_000_000), 16_000, 0);
        assert_eq!(pace.pause(at(1_000_000)), None);
        pace.charge(at(1_000_000), 8, 0);
        assert_eq!(pace.pause(at(1_000_000)), Some(at(1_000_001)));
    }
}
