//! What is going to happen, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::envelope::Envelope;
use crate::overlay::{DialId, Instant, Reason};
use crate::wire::Frame;

use super::network::{ConnectionId, Side};
use super::node::NodeRef;
use super::statistics::MessageNumber;

/// Something that happens at a moment.
#[derive(Debug)]
pub(super) enum Event {
    /// A node starts, with what it kept of its last life or without.
    Start(NodeRef, Memory),
    /// A core's timer rings.
    Tick(NodeRef),
    /// The initiator's HELLO is at the responder, which decides first.
    Reach(ConnectionId),
    /// The responder's HELLO is at the initiator.
    Answer(ConnectionId),
    /// A dial came to nothing.
    DialFailed(NodeRef, DialId, Reason),
    /// Something is at one side of a connection.
    Arrive(ConnectionId, Side, Cargo),
    /// A slow node comes to look at what arrived.
    Handle(ConnectionId, Side, Cargo),
    /// One side of a connection ends.
    Close(ConnectionId, Side, Reason),
    /// A slow node notices that.
    Closed(ConnectionId, Side, Reason),
}

/// What a node has of its former life when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// Nothing but its key: the disk is gone.
    Lost,
    /// Its state file: whom it was linked with.
    State,
    /// That, and its log.
    Kept,
}

/// What travels over a connection.
#[derive(Clone, Debug)]
pub(super) enum Cargo {
    /// A frame.
    Frame(Frame),
    /// A BROADCAST frame, parsed where it was sent: the same bytes parse to the same envelope everywhere, and all copies
    /// share them.
    Envelope {
        /// The envelope.
        envelope: Envelope,
        /// Which of the counted messages it is.
        message: Option<MessageNumber>,
        /// How many links it has passed when it arrives.
        hops: u8,
    },
}

/// Events by time, and in the order they were put in where the times are equal.
#[derive(Debug, Default)]
pub(super) struct Queue {
    // What is sorted is small; what happens lies still in its slot meanwhile.
    order: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    slots: Vec<Option<Event>>,
    free: Vec<usize>,
    next: u64,
}

impl Queue {
    pub(super) fn put(&mut self, at: Instant, event: Event) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(event);
        self.order.push(Reverse((at, self.next, slot)));
        self.next += 1;
    }

    /// Takes the next event, if it happens by `until`.
    pub(super) fn take(&mut self, until: Instant) -> Option<(Instant, Event)> {
        if self.order.peek().is_none_or(|Reverse((at, ..))| *at > until) {
            return None;
        }
        let Reverse((at, _, slot)) = self.order.pop()?;
        self.free.push(slot);
        self.slots[slot].take().map(|event| (at, event))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn events_happen_by_time_and_in_their_order() {
        let mut queue = Queue::default();
        let at = |ms| Instant::at(Duration::from_millis(ms));
        for (n, ms) in [(0, 5), (1, 3), (2, 5), (3, 1), (4, 3)] {
            queue.put(at(ms), Event::Tick(NodeRef { place: n, life: 0 }));
        }
        let mut take = |until| match queue.take(at(until)) {
            Some((_, Event::Tick(node))) => Some(node.place),
            _ => None,
        };
        assert_eq!(
            [take(2), take(2), take(9), take(9), take(9), take(9), take(9)],
            [Some(3), None, Some(1), Some(4), Some(0), Some(2), None]
        );
    }
}
