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

#[derive(Clone, Copy, Debug)]
struct Record {
    points: u32,
    counted: Instant,
    barred_until: Option<Instant>,
}

impl Record {
    fn healed(self, now: Instant) -> Self {
        let healed = now.since(self.counted).as_secs() / HEALS_IN.as_secs();
        Record {
            points: self.points.saturating_sub(u32::try_from(healed).unwrap_or(u32::MAX)),
            counted: self.counted + HEALS_IN * u32::try_from(healed).unwrap_or(u32::MAX),
            barred_until: self.barred_until.filter(|until| *until > now),
        }
    }

    fn is_clean(self) -> bool {
        self.points == 0 && self.barred_until.is_none()
    }
}

impl Standing {
    /// Notes an offence; says whether the node is barred now.
    pub(super) fn blame(&mut self, node: NodeId, offence: Offence, now: Instant) -> bool {
        let fresh = Record { points: 0, counted: now, barred_until: None };
        let mut record = self.records.get(&node).map_or(fresh, |record| record.healed(now));
        record.points += offence.points();
        if record.points >= LIMIT {
            record = Record { points: 0, counted: now, barred_until: Some(now + BARRED_FOR) };
        }
        self.put(node, record, now);
        record.barred_until.is_some()
    }

    /// Bars a node at once, for as long as the worst offence does.
    pub(super) fn bar(&mut self, node: NodeId, now: Instant) {
        self.put(node, Record { points: 0, counted: now, barred_until: Some(now + BARRED_FOR) }, now);
    }

    fn put(&mut self, node: NodeId, record: Record, now: Instant) {
        self.records.insert(node, record);
        if self.records.len() > CAPACITY {
            self.records.retain(|_, record| !record.healed(now).is_clean());
        }
        if self.records.len() > CAPACITY {
            let least = |(_, record): &(&NodeId, &Record)| (record.barred_until, record.points);
            let forgotten = self.records.iter().filter(|(id, _)| **id != node).min_by_key(least).map(|(id, _)| *id);
            forgotten.map(|id| self.records.remove(&id));
        }
    }

    /// Whether the node is barred.
    pub(super) fn is_barred(&self, node: &NodeId, now: Instant) -> bool {
        self.records.get(node).is_some_and(|record| record.healed(now).barred_until.is_some())
    }
}

#[cfg(test)]
mod tests {
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
}
