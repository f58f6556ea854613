//! Where nodes are, and how long light takes between them: regions on a circle, placed by a formula.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// The circle's length, about that of a planet with cables around it.
const AROUND_KM: u64 = 40_000;
/// Each region lies this much further around than the one before: the golden section of the circle, which spreads any
/// number of regions evenly, and no two pairs of them at the same distance.
const STEP_KM: u64 = 24_721;
/// How far apart two nodes of one region are.
const WITHIN_KM: u64 = 300;
/// Light in glass does 200 km in a millisecond, and cables are half as long again as the way: 7.5 µs a kilometre.
const NANOS_PER_KM: u64 = 7_500;
/// What every packet takes besides: routers, the system.
const BASE: Duration = Duration::from_micros(500);
/// The way from a node's own door to its region's cables, at most.
const ACCESS_MOST_MICROS: u64 = 8_000;

/// Where one node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Location {
    region: u32,
    access: Duration,
}

impl Location {
    /// A random place in one of `regions` regions.
    pub(super) fn draw(regions: u32, rng: &mut ChaCha8Rng) -> Self {
        if regions == 0 {
            return Location::default();
        }
        let access = Duration::from_micros(rng.random_range(0..=ACCESS_MOST_MICROS));
        Location { region: rng.random_range(0..regions), access }
    }

    /// How long a packet takes from here to there.
    pub(super) fn latency(self, other: Location) -> Duration {
        let km = distance_km(self.region, other.region);
        BASE + self.access + other.access + Duration::from_nanos(km * NANOS_PER_KM)
    }
}

fn distance_km(one: u32, other: u32) -> u64 {
    if one == other {
        return WITHIN_KM;
    }
    let at = |region: u32| u64::from(region) * STEP_KM % AROUND_KM;
    let apart = at(one).abs_diff(at(other));
    apart.min(AROUND_KM - apart).max(WITHIN_KM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(region: u32) -> Location {
        Location { region, access: Duration::ZERO }
    }

    #[test]
    fn latencies_follow_from_the_distance_around_the_circle() {
        // Region 1 is 24,721 km around, 15,279 km the other way; 7.5 µs a kilometre and half a millisecond.
        assert_eq!(at(0).latency(at(1)), Duration::from_nanos(500_000 + 15_279 * 7_500));
        assert_eq!(at(0).latency(at(0)), Duration::from_nanos(500_000 + 300 * 7_500));
        let far = Location { region: 0, access: Duration::from_millis(8) };
        assert_eq!(far.latency(at(0)), Duration::from_nanos(8_500_000 + 300 * 7_500));
        for (one, other) in (0..20).flat_map(|one| (0..20).map(move |other| (one, other))) {
            assert_eq!(at(one).latency(at(other)), at(other).latency(at(one)));
            assert!(at(one).latency(at(other)) <= Duration::from_micros(150_500));
        }
    }
}
