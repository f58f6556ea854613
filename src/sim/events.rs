//! What is going to happen, in order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

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
    /// Several such frames in one record, of nothing that is counted. They arrive together or get lost together.
    Record(Vec<Envelope>),
}

/// Events by time, and in the order they were put in where the times are equal.
///
/// There may be a million of them. They are collected in windows of a millisecond, and put in order only when their window
/// has come.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The window that is being played.
    current: u64,
    /// Its events, in the order they were put in; gone once they have happened.
    events: Vec<Option<Event>>,
    /// When each of them happens, in nanoseconds.
    order: BinaryHeap<Reverse<(u64, u32)>>,
    later: BTreeMap<u64, Vec<(u64, Event)>>,
}

/// The length of a window in nanoseconds.
const WINDOW: u64 = 1_000_000;

impl Queue {
    /// Lets `event` happen at `at`, which is not before the event that was taken last.
    pub(super) fn put(&mut self, at: Instant, event: Event) {
        let nanos = nanos(at);
        if nanos / WINDOW <= self.current {
            self.put_now(nanos, event);
        } else {
            self.later.entry(nanos / WINDOW).or_default().push((nanos, event));
        }
    }

    fn put_now(&mut self, nanos: u64, event: Event) {
        self.order.push(Reverse((nanos, self.events.len() as u32)));
        self.events.push(Some(event));
    }

    /// Takes the next event, if it happens by `until`.
    pub(super) fn take(&mut self, until: Instant) -> Option<(Instant, Event)> {
        let until = nanos(until);
        if self.order.is_empty() {
            let window = self.later.first_entry().filter(|window| *window.key() <= until / WINDOW)?;
            let (current, events) = window.remove_entry();
            self.current = current;
            self.events.clear();
            events.into_iter().for_each(|(nanos, event)| self.put_now(nanos, event));
        }
        let Reverse((nanos, place)) = *self.order.peek().filter(|Reverse((nanos, _))| *nanos <= until)?;
        self.order.pop();
        let event = self.events.get_mut(place as usize)?.take()?;
        Some((Instant::at(Duration::from_nanos(nanos)), event))
    }
}

/// In 64 bits there is room for 584 years.
fn nanos(at: Instant) -> u64 {
    u64::try_from(at.since_start().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::at(Duration::from_micros(micros))
    }

    fn put(queue: &mut Queue, micros: u64, place: usize) {
        queue.put(at(micros), Event::Tick(NodeRef { place, life: 0 }));
    }

    fn take(queue: &mut Queue, until: u64) -> Option<usize> {
        match queue.take(at(until)) {
            Some((_, Event::Tick(node))) => Some(node.place),
            _ => None,
        }
    }

    #[test]
    fn events_happen_by_time_and_in_their_order() {
        let mut queue = Queue::default();
        for (n, micros) in [(0, 5000), (1, 3000), (2, 5000), (3, 100), (4, 3000), (5, 3_900), (6, 3_100)] {
            put(&mut queue, micros, n);
        }
        assert_eq!([take(&mut queue, 2000), take(&mut queue, 2000)], [Some(3), None]);
        assert_eq!([take(&mut queue, 9000), take(&mut queue, 9000)], [Some(1), Some(4)]);
        put(&mut queue, 3_500, 7);
        put(&mut queue, 3_100, 8);
        assert_eq!(
            [take(&mut queue, 3_200), take(&mut queue, 3_200), take(&mut queue, 3_200)],
            [Some(6), Some(8), None]
        );
        let rest: Vec<_> = (0..5).map(|_| take(&mut queue, 9000)).collect();
        assert_eq!(rest, [Some(7), Some(5), Some(0), Some(2), None]);
    }

    #[test]
    fn whatever_is_put_in_while_time_goes_on_happens_in_its_order() {
        let (mut queue, mut state, mut now, mut last) = (Queue::default(), 1_u64, 0, (0, 0));
        for number in 0..5_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            put(&mut queue, now + (state >> 33) % 4_000, number);
            if number % 3 == 2 {
                let Some((at, Event::Tick(node))) = queue.take(Instant::at(Duration::MAX)) else { panic!("empty") };
                now = at.since_start().as_micros() as u64;
                assert!((now, node.place) > last || now > last.0, "{number}");
                last = (now, node.place);
            }
        }
    }
}
