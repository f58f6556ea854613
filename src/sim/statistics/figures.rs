//! The figures of a run: copies, hops, latencies, and how they spread.

use std::time::Duration;

use super::ledger::{Delivery, Ledger, Message};

/// The least, the most and the mean of some numbers; zeros if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The least.
    pub min: u64,
    /// The mean.
    pub mean: f64,
    /// The most.
    pub max: u64,
}

impl Spread {
    pub(in crate::sim) fn of(numbers: impl Iterator<Item = u64> + Clone) -> Self {
        let (count, sum) = numbers.clone().fold((0, 0), |(count, sum), number| (count + 1, sum + number));
        let (min, max) = (numbers.clone().min().unwrap_or(0), numbers.max().unwrap_or(0));
        Spread { min, mean: ratio(sum, count).unwrap_or(0.0), max }
    }
}

/// How long deliveries took, from publication to the node's log. Nodes that were away meanwhile do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Half of all took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Latencies {
    fn of(sorted: &[Duration]) -> Self {
        let percentile = |percent| percentile(sorted, percent).unwrap_or_default();
        Latencies { p50: percentile(50), p99: percentile(99), max: percentile(100) }
    }
}

/// What a ledger says in figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::sim) struct Figures {
    /// Copies received for each that was needed, less one: of all messages, and of those after the warm-up.
    pub(in crate::sim) redundancy: f64,
    pub(in crate::sim) redundancy_steady: f64,
    /// The number of links the last delivery of a message came over.
    pub(in crate::sim) last_hop: Spread,
    pub(in crate::sim) latency: Latencies,
    /// Latency by share of the deliveries, in percent: 0, 1, 2, … 100.
    pub(in crate::sim) latency_curve: Vec<(u8, Duration)>,
    /// Redundancy of what was published in each second from the first on.
    pub(in crate::sim) redundancy_curve: Vec<(u64, f64)>,
}

impl Ledger {
    /// The figures so far.
    pub(in crate::sim) fn figures(&self) -> Figures {
        let steady = || self.messages.iter().filter(|message| !message.is_warm_up);
        let took = self.took(|_| true);
        let last_hops =
            steady().filter_map(|message| on_time(message).map(|(_, delivery)| u64::from(delivery.hops)).max());
        let percentile = |percent: u8| percentile(&took, percent.into()).unwrap_or_default();
        Figures {
            redundancy: redundancy(self.messages.iter()),
            redundancy_steady: redundancy(steady()),
            last_hop: Spread::of(last_hops),
            latency: Latencies::of(&took),
            latency_curve: (0..=100).map(|percent| (percent, percentile(percent))).collect(),
            redundancy_curve: self.redundancy_curve(),
        }
    }

    /// How long deliveries took at some of the nodes.
    #[cfg(feature = "lab")]
    pub(in crate::sim) fn latency_at(&self, counts: impl Fn(usize) -> bool) -> Latencies {
        Latencies::of(&self.took(counts))
    }

    /// How long deliveries took, in rising order, the warm-up excepted.
    fn took(&self, counts: impl Fn(usize) -> bool) -> Vec<Duration> {
        let steady = self.messages.iter().filter(|message| !message.is_warm_up);
        let on_time = steady.flat_map(on_time).filter(|(place, _)| counts(*place));
        let mut took: Vec<Duration> = on_time.map(|(_, delivery)| delivery.after()).collect();
        took.sort_unstable();
        took
    }

    fn redundancy_curve(&self) -> Vec<(u64, f64)> {
        let Some(first) = self.messages.first().map(|message| message.sent) else { return Vec::new() };
        let second = |message: &Message| message.sent.since(first).as_secs();
        // Messages are in the order of their publication.
        let in_seconds = self.messages.chunk_by(|one, next| second(one) == second(next));
        in_seconds.filter_map(|some| Some((second(some.first()?), redundancy(some.iter())))).collect()
    }
}

/// The deliveries, each with its node, at nodes that were there when it was published, the sender's own excepted.
fn on_time(message: &Message) -> impl Iterator<Item = (usize, &Delivery)> + Clone {
    let deliveries = message.deliveries.iter().enumerate();
    let counts = |place: usize, delivery: &Delivery| place != message.sender && delivery.log > 0 && !delivery.is_late;
    deliveries.filter(move |(place, delivery)| counts(*place, delivery))
}

fn redundancy<'a>(messages: impl Iterator<Item = &'a Message>) -> f64 {
    let (copies, needed) =
        messages.fold((0, 0), |(copies, needed), message| (copies + message.copies, needed + message.needed));
    ratio(copies, needed).map_or(0.0, |ratio| ratio - 1.0)
}

/// The smallest of the values, given in rising order, that `percent` % of them do not exceed; `None` without values.
pub(crate) fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

pub(in crate::sim) fn ratio(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::super::Arrival;
    use super::*;
    use crate::envelope::EnvelopeId;
    use crate::overlay::Instant;

    const LIVES: Duration = Duration::from_secs(60);

    fn at(ms: u64) -> Instant {
        Instant::at(Duration::from_millis(ms))
    }

    fn arrival(place: usize, ms: u64, hops: u8) -> Arrival {
        Arrival { place, log: 1, hops, at: at(ms), since: at(0) }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Four nodes, four messages: the first in the warm-up, the last two in the second second.
    fn four_nodes() -> Ledger {
        let mut ledger = Ledger::new(4);
        let mut say = |sender, sent, is_warm_up, copies: u64, arrivals: &[(usize, u64, u8)]| {
            let id = EnvelopeId::from_bytes([ledger.len() as u8; 32]);
            ledger.published(id, arrival(sender, sent, 0), LIVES, is_warm_up);
            let number = ledger.number(&id).unwrap();
            (0..copies).for_each(|_| ledger.copied(number));
            for (place, at, hops) in arrivals {
                ledger.delivered(number, arrival(*place, *at, *hops));
            }
        };
        say(0, 1000, true, 9, &[(1, 1010, 1), (2, 1020, 2), (3, 1900, 3)]);
        say(0, 1500, false, 3, &[(1, 1510, 1), (2, 1520, 1), (3, 1530, 2)]);
        say(1, 2100, false, 4, &[(0, 2140, 1), (2, 2150, 2), (3, 2160, 4)]);
        say(2, 2900, false, 2, &[(0, 2999, 1)]);
        ledger
    }

    #[test]
    fn redundancy_is_copies_for_each_that_was_needed_less_one() {
        let figures = four_nodes().figures();
        // 9 + 3 + 4 + 2 copies, of which 3 + 3 + 3 + 1 were needed.
        assert_eq!(figures.redundancy, 18.0 / 10.0 - 1.0);
        assert_eq!(figures.redundancy_steady, 9.0 / 7.0 - 1.0);
        assert_eq!(figures.redundancy_curve, [(0, 12.0 / 6.0 - 1.0), (1, 6.0 / 4.0 - 1.0)]);
    }

    #[test]
    fn the_last_hop_of_each_message_counts() {
        // The warm-up does not; then 2, 4 and 1.
        assert_eq!(four_nodes().figures().last_hop, Spread { min: 1, mean: 7.0 / 3.0, max: 4 });
    }

    #[test]
    fn latencies_are_ranks_of_what_was_measured() {
        // 10, 20, 30; 40, 50, 60; 99.
        let figures = four_nodes().figures();
        assert_eq!(figures.latency, Latencies { p50: ms(40), p99: ms(99), max: ms(99) });
        assert_eq!(figures.latency_curve.len(), 101);
        let at = |percent: usize| figures.latency_curve[percent];
        assert_eq!((at(0), at(14), at(15), at(100)), ((0, ms(10)), (14, ms(10)), (15, ms(20)), (100, ms(99))));
    }

    #[test]
    fn who_was_away_counts_neither_for_latency_nor_for_hops() {
        let mut ledger = four_nodes();
        let number = ledger.number(&EnvelopeId::from_bytes([3; 32])).unwrap();
        ledger.delivered(number, Arrival { since: at(2901), ..arrival(1, 50_000, 9) });
        let figures = ledger.figures();
        assert_eq!((figures.latency.max, figures.last_hop.max), (ms(99), 4));
        assert_eq!(figures.redundancy, 18.0 / 11.0 - 1.0, "but it was needed");
    }

    #[test]
    fn of_nothing_there_are_zeros() {
        let mut ledger = Ledger::new(1);
        assert_eq!((ledger.figures().redundancy, ledger.figures().latency), (0.0, Latencies::default()));
        ledger.published(EnvelopeId::from_bytes([0; 32]), arrival(0, 1, 0), LIVES, false);
        let figures = ledger.figures();
        assert_eq!((figures.redundancy, figures.last_hop), (0.0, Spread::default()));
    }

    #[test]
    fn a_spread_has_both_ends_and_the_middle() {
        assert_eq!(Spread::of([3, 1, 2, 6].into_iter()), Spread { min: 1, mean: 3.0, max: 6 });
    }
}
