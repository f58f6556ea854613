//! What a node has done lately that no honest node does.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::identity::NodeId;

use super::Instant;

/// One point heals in this time.
const HEALS_IN: Duration = Duration::from_secs(30);

/// How long a node stays barred.
const BARRED_FOR: Duration = Duration::from_secs(3600);

/// At so many points a node is barred.
const LIMIT: u32 = 100;

/// The most nodes that are remembered for what they did; the one nearest to healed is forgotten first.
const CAPACITY: usize = 4096;

/// What costs standing. Records that do not open, time-outs, quietness and duplicates cost nothing: the path or the
/// network may be at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// An envelope that breaks the grammar or whose signature is refused, inside a sound frame.
    BadEnvelope,
    /// A frame that breaks the grammar.
    BadFrame,
    /// A broadcast that the application refuses which the node runs itself: it should never have made it, or passed it on.
    Rejected,
}

impl Offence {
    const fn points(self) -> u32 {
        match self {
            Offence::BadEnvelope => 50,
            Offence::BadFrame => 100,
            Offence::Rejected => 20,
        }
    }
}

/// The misdeeds of identities; it survives their links.
#[derive(Debug, Default)]
pub(super) struct Standing {
    records: BTreeMap<NodeId, Record>,
}

/// What one identity did, as the moments at which it will be as if it had done nothing: both only ever move on, so that no
/// further offence, of whatever kind and at whatever time, makes anything better for who commits it.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// When all its points will have healed.
    healed: Instant,
    barred_until: Instant,
}

impl Record {
    fn points(self, now: Instant) -> u32 {
        let points = self.healed.since(now).as_nanos().div_ceil(HEALS_IN.as_nanos());
        u32::try_from(points).unwrap_or(u32::MAX)
    }

    fn blame(&mut self, offence: Offence, now: Instant) {
        // A bar pays for everything before it, and for what was still on its way while its links were closing.
        self.healed = (self.healed.max(now) + HEALS_IN * offence.points()).min(now + BARRED_FOR);
        if self.points(now) >= LIMIT {
            self.bar(now);
        }
    }

    fn bar(&mut self, now: Instant) {
        self.barred_until = self.barred_until.max(now + BARRED_FOR);
    }

    fn is_barred(self, now: Instant) -> bool {
        self.barred_until > now
    }

    fn is_clean(self, now: Instant) -> bool {
        self.healed <= now && !self.is_barred(now)
    }
}

impl Standing {
    /// Notes an offence; says whether the node is barred now.
    pub(super) fn blame(&mut self, node: NodeId, offence: Offence, now: Instant) -> bool {
        self.change(node, now, |record| record.blame(offence, now))
    }

    /// Bars a node at once, for as long as the worst offence does.
    pub(super) fn bar(&mut self, node: NodeId, now: Instant) {
        self.change(node, now, |record| record.bar(now));
    }

    fn change(&mut self, node: NodeId, now: Instant, change: impl FnOnce(&mut Record)) -> bool {
        let record = self.records.entry(node).or_default();
        change(record);
        let is_barred = record.is_barred(now);
        if self.records.len() > CAPACITY {
            self.records.retain(|_, record| !record.is_clean(now));
        }
        if self.records.len() > CAPACITY {
            let least = |(_, record): &(&NodeId, &Record)| (record.barred_until, record.healed);
            let forgotten = self.records.iter().filter(|(id, _)| **id != node).min_by_key(least).map(|(id, _)| *id);
            forgotten.map(|id| self.records.remove(&id));
        }
        is_barred
    }

    /// Whether the node is barred.
    pub(super) fn is_barred(&self, node: &NodeId, now: Instant) -> bool {
        self.records.get(node).is_some_and(|record| record.is_barred(now))
    }

    /// How far it has fallen: 0 is an honest node's standing, and at 100 it is barred.
    #[cfg(test)]
    fn points(&self, node: &NodeId, now: Instant) -> u32 {
        self.records.get(node).map_or(0, |record| record.points(now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::{collection, sample};

    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::at(Duration::from_secs(secs))
    }

    #[test]
    fn the_second_bad_envelope_bars_for_an_hour() {
        let (mut standing, node) = (Standing::default(), NodeId::from_bytes([1; 32]));
        assert!(!standing.blame(node, Offence::BadEnvelope, at(0)));
        assert!(!standing.is_barred(&node, at(0)));
        assert!(standing.blame(node, Offence::BadEnvelope, at(1)));
        assert!(standing.is_barred(&node, at(3600)));
        assert!(!standing.is_barred(&node, at(3601)));
    }

    #[test]
    fn offences_far_apart_are_forgiven() {
        let (mut standing, node) = (Standing::default(), NodeId::from_bytes([1; 32]));
        for round in 0..10 {
            assert!(!standing.blame(node, Offence::BadEnvelope, at(round * 1500)));
        }
        assert!(standing.blame(node, Offence::BadFrame, at(14_000)));
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_least_first() {
        let mut standing = Standing::default();
        let bad = NodeId::from_bytes([255; 32]);
        standing.blame(bad, Offence::BadFrame, at(0));
        for n in 0..2 * CAPACITY as u64 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_be_bytes());
            standing.blame(NodeId::from_bytes(id), Offence::BadEnvelope, at(1));
        }
        assert_eq!(standing.records.len(), CAPACITY);
        assert!(standing.is_barred(&bad, at(2)));
    }

    fn any_offence() -> impl Strategy<Value = Offence> {
        prop_oneof![Just(Offence::BadEnvelope), Just(Offence::BadFrame), Just(Offence::Rejected)]
    }

    /// Offences, each so many seconds after the one before.
    fn any_past() -> impl Strategy<Value = Vec<(u64, Offence)>> {
        collection::vec((prop_oneof![0..60_u64, 0..4_000_u64], any_offence()), 0..40)
    }

    proptest! {
        #[test]
        fn misbehaviour_never_raises_standing(past in any_past(), extra in any::<sample::Index>(), worse in any_offence()) {
            let node = NodeId::from_bytes([1; 32]);
            let (mut better, mut worse_off, mut second) = (Standing::default(), Standing::default(), 0);
            for (place, (later, offence)) in past.iter().enumerate() {
                second += later;
                if place == extra.index(past.len()) {
                    worse_off.blame(node, worse, at(second));
                }
                let barred = [&mut better, &mut worse_off].map(|standing| standing.blame(node, *offence, at(second)));
                prop_assert!(barred[1] || !barred[0]);
                // Now and at any later time.
                for then in (second..second + 2 * BARRED_FOR.as_secs()).step_by(97) {
                    prop_assert!(worse_off.points(&node, at(then)) >= better.points(&node, at(then)));
                    prop_assert!(worse_off.is_barred(&node, at(then)) || !better.is_barred(&node, at(then)));
                }
            }
        }

        #[test]
        fn whoever_stops_is_as_good_as_new_after_an_hour(past in any_past()) {
            let (mut standing, node, mut second) = (Standing::default(), NodeId::from_bytes([1; 32]), 0);
            for (later, offence) in past {
                second += later;
                standing.blame(node, offence, at(second));
            }
            second += BARRED_FOR.as_secs();
            prop_assert_eq!((standing.points(&node, at(second)), standing.is_barred(&node, at(second))), (0, false));
        }

        #[test]
        fn who_never_has_a_hundred_points_is_never_barred(past in any_past()) {
            let (mut standing, node, mut second) = (Standing::default(), NodeId::from_bytes([1; 32]), 0);
            for (later, offence) in past {
                second += later;
                let after = standing.points(&node, at(second)) + offence.points();
                if after < LIMIT {
                    prop_assert!(!standing.blame(node, offence, at(second)));
                    prop_assert_eq!(standing.points(&node, at(second)), after);
                }
            }
        }

        #[test]
        fn nobody_pays_for_another(past in any_past()) {
            let (mut standing, mut second) = (Standing::default(), 0);
            for (later, offence) in past {
                second += later;
                standing.blame(NodeId::from_bytes([1; 32]), offence, at(second));
                prop_assert_eq!(standing.points(&NodeId::from_bytes([2; 32]), at(second)), 0);
                prop_assert!(!standing.is_barred(&NodeId::from_bytes([2; 32]), at(second)));
            }
        }
    }
}
