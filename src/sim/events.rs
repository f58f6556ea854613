//! What is going to happen, in order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::overlay::{DialId, Instant, Reason};
use crate::wire::Frame;

use super::network::{ConnectionId, Side};
use super::node::NodeRef;

/// Something that happens at a moment.
#[derive(Debug)]
pub(super) enum Event {
    /// A node starts.
    Start(NodeRef),
    /// A core's timer rings.
    Tick(NodeRef),
    /// The initiator's HELLO is at the responder, which decides first.
    Reach(ConnectionId),
    /// The responder's HELLO is at the initiator.
    Answer(ConnectionId),
    /// A dial came to nothing.
    DialFailed(NodeRef, DialId, Reason),
    /// A frame is at one side of a connection.
    Arrive(ConnectionId, Side, Frame),
    /// One side of a connection ends.
    Close(ConnectionId, Side, Reason),
}

/// Events by time, and in the order they were put in where the times are equal.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: BinaryHeap<Reverse<Scheduled>>,
    next: u64,
}

#[derive(Debug)]
struct Scheduled {
    at: Instant,
    number: u64,
    event: Event,
}

impl Queue {
    pub(super) fn put(&mut self, at: Instant, event: Event) {
        self.events.push(Reverse(Scheduled { at, number: self.next, event }));
        self.next += 1;
    }

    /// Takes the next event, if it happens by `until`.
    pub(super) fn take(&mut self, until: Instant) -> Option<(Instant, Event)> {
        if self.events.peek().is_none_or(|Reverse(next)| next.at > until) {
            return None;
        }
        self.events.pop().map(|Reverse(next)| (next.at, next.event))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}
