//! What happened, numbered: the newest events of a node, and of others that are followed, for whoever looks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Hop;
use super::events::{Telling, pump};
use super::hops::Hops;
use super::link_news::KnownLinks;
use super::network::Edge;
use crate::envelope::EnvelopeId;
use crate::node::Node;

/// So many events are kept, and so many bytes of them.
const CAPACITY: usize = 4096;
const CAPACITY_BYTES: usize = 4 << 20;

/// The newest events of a node and of those it follows. A handle: clones are the same board.
#[derive(Clone, Debug)]
pub struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    newest: watch::Sender<Newest>,
}

/// What readers wait for to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    number: u64,
    /// Nothing will follow.
    pub(super) is_last: bool,
}

#[derive(Debug)]
struct State {
    /// The number before the first event of this board.
    began: u64,
    /// The number of the newest event.
    newest: u64,
    events: VecDeque<Told>,
    bytes: usize,
    hops: Hops,
    links: KnownLinks,
}

/// An event as it is told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) number: u64,
    pub(super) kind: &'static str,
    pub(super) data: Arc<str>,
}

/// What a reader gets.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// So many events before these are not kept any more; `Some(None)` if nobody knows how many, because they were another
    /// run's.
    pub(super) missed: Option<Option<u64>>,
    pub(super) events: Vec<Told>,
    /// Where to read on.
    pub(super) next: u64,
}

impl Default for Board {
    fn default() -> Self {
        // Numbers rise over restarts, so that a reader who comes back after one is not told old numbers anew.
        let began = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self::beginning_at(began.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0)))
    }
}

impl Board {
    fn beginning_at(began: u64) -> Self {
        let state = State {
            began,
            newest: began,
            events: VecDeque::new(),
            bytes: 0,
            hops: Hops::default(),
            links: KnownLinks::default(),
        };
        Board(Arc::new(Inner {
            state: Mutex::new(state),
            newest: watch::Sender::new(Newest { number: began, is_last: false }),
        }))
    }

    /// Tells what happens at another node of this program, too.
    pub fn follow(&self, node: &Node) {
        node.run_beside(pump(node.downgrade(), node.events(), self.clone()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, telling: Telling) {
        let Telling { kind, data, hop, link } = telling;
        let number = {
            let mut state = self.state();
            if let Some((message, hop)) = hop {
                state.hops.note(&message, hop);
            }
            if let Some(news) = link {
                state.links.note(news);
            }
            state.newest += 1;
            state.bytes += data.len();
            let number = state.newest;
            state.events.push_back(Told { number, kind, data: data.into() });
            while state.events.len() > CAPACITY || state.bytes > CAPACITY_BYTES {
                let Some(oldest) = state.events.pop_front() else { break };
                state.bytes -= oldest.data.len();
            }
            number
        };
        self.0.newest.send_modify(|newest| newest.number = newest.number.max(number));
    }

    /// Nothing more will be told.
    pub(super) fn end(&self) {
        self.0.newest.send_modify(|newest| newest.is_last = true);
    }

    /// Changes when there is more to read.
    pub(super) fn newest(&self) -> watch::Receiver<Newest> {
        self.0.newest.subscribe()
    }

    /// Whether anybody reads at the moment.
    pub(super) fn has_readers(&self) -> bool {
        self.0.newest.receiver_count() > 0
    }

    /// The number of the newest event.
    pub(super) fn now(&self) -> u64 {
        self.state().newest
    }

    /// At most so many events after the one with this number.
    pub(super) fn read(&self, after: u64, most: usize) -> Read {
        let state = self.state();
        let first = state.events.front().map_or(state.newest + 1, |oldest| oldest.number);
        let missed = if after < state.began || after > state.newest {
            // 0 is "all there is", and no number of any run.
            (after > 0 || first > state.began + 1).then_some(None)
        } else {
            (after + 1 < first).then(|| Some(first - after - 1))
        };
        let from = if missed.is_some() || after < first { first } else { after + 1 };
        let skipped = usize::try_from(from - first).unwrap_or(usize::MAX);
        let events: Vec<Told> = state.events.iter().skip(skipped).take(most).cloned().collect();
        let next = events.last().map_or(from - 1, |last| last.number);
        Read { missed, events, next }
    }

    /// Fills in what was told of these links.
    pub(super) fn fill(&self, edges: &mut [Edge]) {
        self.state().links.fill(edges);
    }

    /// The way of a message, as far as it was told.
    pub(super) fn hops(&self, message: &EnvelopeId) -> Vec<Hop> {
        self.state().hops.of(&message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(board: &Board, count: usize) {
        (0..count).for_each(|n| board.tell(Telling { kind: "join", data: n.to_string(), hop: None, link: None }));
    }

    fn numbers(read: &Read) -> Vec<u64> {
        read.events.iter().map(|told| told.number).collect()
    }

    #[test]
    fn a_reader_gets_each_event_once_and_hears_what_it_missed() {
        let board = Board::beginning_at(1_000);
        told(&board, 3);
        let first = board.read(1_000, 2);
        assert_eq!((first.missed, numbers(&first), first.next), (None, vec![1_001, 1_002], 1_002));
        let second = board.read(first.next, 2);
        assert_eq!((second.missed, numbers(&second), second.next), (None, vec![1_003], 1_003));
        assert_eq!((board.read(1_003, 9).events.len(), board.read(1_003, 9).next), (0, 1_003));
        told(&board, CAPACITY + 7);
        let late = board.read(1_003, 1);
        assert_eq!((late.missed, numbers(&late)), (Some(Some(7)), vec![1_011]));
    }

    #[test]
    fn numbers_of_another_run_are_not_taken_for_this_one_s() {
        let board = Board::beginning_at(1_000);
        told(&board, 2);
        for other in [1, 999, 1_003, u64::MAX] {
            let read = board.read(other, 9);
            assert_eq!((read.missed, numbers(&read)), (Some(None), vec![1_001, 1_002]), "{other}");
        }
        assert_eq!(board.read(0, 9).missed, None, "0 asks for all there is, and that is all");
        assert_eq!(board.read(0, 9).events.len(), 2);
    }

    #[test]
    fn long_events_are_bounded_by_their_bytes() {
        let board = Board::beginning_at(0);
        for _ in 0..20 {
            board.tell(Telling { kind: "direct", data: "x".repeat(1 << 20), hop: None, link: None });
        }
        assert_eq!(board.read(0, 99).events.len(), CAPACITY_BYTES >> 20);
    }
}
