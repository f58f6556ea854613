//! Who brought a broadcast, until whoever listens is told of it: the log does not remember it, and may take its time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::envelope::EnvelopeId;
use crate::identity::NodeId;

/// So many may wait for their log.
const CAPACITY: usize = 4096;

/// The neighbours that brought the newest broadcasts. Nothing is noted while nobody listens.
#[derive(Debug, Default)]
pub(super) struct Brought(Mutex<Notes>);

#[derive(Debug, Default)]
struct Notes {
    by_id: BTreeMap<EnvelopeId, NodeId>,
    order: VecDeque<EnvelopeId>,
}

impl Brought {
    pub(super) fn note(&self, id: EnvelopeId, by: NodeId) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.by_id.insert(id, by).is_none() {
            notes.order.push_back(id);
        }
        // Those that were taken are still in line.
        if notes.order.len() > CAPACITY
            && let Some(oldest) = notes.order.pop_front()
        {
            notes.by_id.remove(&oldest);
        }
    }

    pub(super) fn take(&self, id: &EnvelopeId) -> Option<NodeId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_id.remove(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered_until_they_are_told() {
        let brought = Brought::default();
        let by = NodeId::from_bytes([7; 32]);
        let id = |n: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            EnvelopeId::from_bytes(bytes)
        };
        for n in 0..3 * CAPACITY as u32 {
            brought.note(id(n), by);
            assert!(n % 2 == 0 || brought.take(&id(n)) == Some(by));
        }
        assert_eq!(brought.take(&id(0)), None, "as many as there is room for");
        assert_eq!(brought.take(&id(3 * CAPACITY as u32 - 2)), Some(by));
        assert_eq!(brought.take(&id(3 * CAPACITY as u32 - 2)), None);
        assert!(brought.0.lock().unwrap().order.len() <= CAPACITY);
    }
}
