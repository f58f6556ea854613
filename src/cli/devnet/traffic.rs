//! Messages for a devnet, and the counting of what arrived: at the application, from the contents.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::super::statistics::percentile;

/// The title of the messages.
pub(super) const TITLE: &str = "devnet";

/// Messages that may be on their way at the same time. Enough to keep everybody busy, few enough that latency means
/// something.
const IN_FLIGHT: u64 = 16;

/// Without any delivery for so long, what is missing is missing.
const QUIET: Duration = Duration::from_secs(15);

/// The content of message `number` by `publisher`: `size` bytes, or as many as its own words need.
fn content(publisher: usize, number: u64, size: usize) -> String {
    let mut content = format!("node {publisher} message {number} ");
    // The filling differs from message to message, so that a mixed-up one is not taken for a good one.
    let filling = (0..).map(|at| char::from(b'a' + ((number + at) % 26) as u8));
    let missing = size.saturating_sub(content.len());
    content.extend(filling.take(missing));
    content
}

/// Publisher and number of a message, if it is one of ours in full.
fn read(text: &str, size: usize) -> Option<(usize, u64)> {
    let mut words = text.split(' ');
    let (Some("node"), publisher, Some("message"), number) = (words.next(), words.next()?, words.next(), words.next()?)
    else {
        return None;
    };
    let (publisher, number) = (publisher.parse().ok()?, number.parse().ok()?);
    (content(publisher, number, size) == text).then_some((publisher, number))
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) published: u64,
    pub(super) delivered: u64,
    /// Deliveries that were due: to every other node that had not ended.
    pub(super) expected: u64,
    pub(super) duplicates: u64,
    /// Messages under the title whose content nobody here published.
    pub(super) foreign: u64,
    /// From the publishing call to the receiving application, of each delivery, sorted.
    pub(super) latencies: Vec<Duration>,
}

impl Counted {
    /// The latency below which `percent` % of the deliveries lie (nearest rank); zero without any.
    pub(super) fn latency(&self, percent: usize) -> Duration {
        percentile(&self.latencies, percent).unwrap_or_default()
    }
}

/// Everybody's applications together.
#[derive(Debug)]
pub(super) struct Traffic {
    nodes: usize,
    size: usize,
    board: Mutex<Board>,
    delivered: Notify,
}

#[derive(Debug, Default)]
struct Board {
    /// By number.
    messages: Vec<Message>,
    /// Nodes that have ended.
    ended: BTreeSet<usize>,
    complete: u64,
    seen: BTreeSet<(usize, u64)>,
    counted: Counted,
}

#[derive(Debug)]
struct Message {
    published: Instant,
    publisher: usize,
    /// How many nodes are still to get it.
    due: usize,
}

impl Traffic {
    /// Nothing was published yet.
    pub(super) fn new(nodes: usize, size: usize) -> Self {
        Traffic { nodes, size, board: Mutex::default(), delivered: Notify::new() }
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The application at node `receiver` got a message.
    pub(super) fn received(&self, receiver: usize, text: &str) {
        let now = Instant::now();
        let mut board = self.board();
        let known = read(text, self.size).filter(|(_, number)| *number < board.messages.len() as u64);
        let Some((publisher, number)) = known else {
            board.counted.foreign += 1;
            return;
        };
        if publisher == receiver {
            // One's own: it is in every log, and no delivery.
            return;
        }
        if !board.seen.insert((receiver, number)) {
            board.counted.duplicates += 1;
            return;
        }
        board.counted.delivered += 1;
        if let Some(message) = board.messages.get_mut(number as usize) {
            let latency = now.duration_since(message.published);
            let was_due = message.due > 0;
            message.due = message.due.saturating_sub(1);
            let is_done = was_due && message.due == 0;
            board.complete += u64::from(is_done);
            // What was not due any more has come nevertheless.
            board.counted.expected += u64::from(!was_due);
            board.counted.latencies.push(latency);
        }
        drop(board);
        self.delivered.notify_waiters();
    }

    /// Notes that the next message goes out now: the node whose turn it is, the message's number, and its content. `None` if
    /// all nodes have ended.
    pub(super) fn next(&self) -> Option<(usize, u64, String)> {
        let mut board = self.board();
        let number = board.messages.len() as u64;
        let running = self.nodes - board.ended.len();
        let turn = (number as usize).checked_rem(running)?;
        let publisher = (0..self.nodes).filter(|place| !board.ended.contains(place)).nth(turn)?;
        let content = content(publisher, number, self.size);
        let due = running - 1;
        board.messages.push(Message { published: Instant::now(), publisher, due });
        board.counted.published += 1;
        board.counted.expected += due as u64;
        board.complete += u64::from(due == 0);
        Some((publisher, number, content))
    }

    /// A node has ended: nothing is due to it any more, nor to anybody what it had not got away. Says whether that is news.
    pub(super) fn ended(&self, place: usize) -> bool {
        let mut guard = self.board();
        let board = &mut *guard;
        if !board.ended.insert(place) {
            return false;
        }
        for (number, message) in board.messages.iter_mut().enumerate().filter(|(_, message)| message.due > 0) {
            let excused = if message.publisher == place {
                message.due
            } else {
                usize::from(!board.seen.contains(&(place, number as u64)))
            };
            message.due -= excused;
            board.counted.expected -= excused as u64;
            board.complete += u64::from(message.due == 0);
        }
        drop(guard);
        self.delivered.notify_waiters();
        true
    }

    /// Waits until there is room for another message on its way. Says whether that happened; not if nothing moves.
    pub(super) async fn room(&self) -> bool {
        self.wait(|board| board.messages.len() as u64 - board.complete < IN_FLIGHT).await
    }

    /// Waits until everybody has everything. Says whether that happened; not if nothing moves.
    pub(super) async fn complete(&self) -> bool {
        self.wait(|board| board.messages.len() as u64 == board.complete).await
    }

    async fn wait(&self, fact: impl Fn(&Board) -> bool) -> bool {
        loop {
            let delivered = self.delivered.notified();
            if fact(&self.board()) {
                return true;
            }
            if tokio::time::timeout(QUIET, delivered).await.is_err() {
                return false;
            }
        }
    }

    /// What was counted so far.
    pub(super) fn counted(&self) -> Counted {
        let mut counted = self.board().counted.clone();
        counted.latencies.sort_unstable();
        counted
    }

    /// Deliveries so far.
    pub(super) fn deliveries(&self) -> u64 {
        self.board().counted.delivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(nodes: usize, published: usize) -> Traffic {
        let traffic = Traffic::new(nodes, 40);
        (0..published).for_each(|_| drop(traffic.next()));
        traffic
    }

    #[test]
    fn nodes_publish_in_turn() {
        let traffic = Traffic::new(2, 0);
        for number in 0..4 {
            let (publisher, said, content) = traffic.next().unwrap();
            assert_eq!((publisher, said, read(&content, 0)), (number % 2, number as u64, Some((publisher, said))));
        }
        assert_eq!(traffic.counted().published, 4);
    }

    #[test]
    fn a_message_says_whose_it_is_and_any_change_shows() {
        for size in [0, 1, 30, 1000] {
            let text = content(3, 17, size);
            assert!(text.len() >= size);
            assert_eq!(read(&text, size), Some((3, 17)));
            assert_eq!(read(&text.replace("17", "18"), size.max(40)), None);
        }
        assert_eq!(read("", 0), None);
        assert_eq!(read("node x message 1 ", 0), None);
    }

    #[test]
    fn deliveries_are_counted_from_the_contents_at_each_receiver() {
        let traffic = traffic(3, 2);
        for (receiver, publisher, number) in [(1, 0, 0), (2, 0, 0), (0, 0, 0), (0, 1, 1), (0, 1, 1), (2, 1, 7)] {
            traffic.received(receiver, &content(publisher, number, 40));
        }
        traffic.received(1, "something else");
        let counted = traffic.counted();
        assert_eq!((counted.delivered, counted.duplicates, counted.foreign), (3, 1, 2));
        assert_eq!((traffic.board().complete, counted.latencies.len()), (1, 3));
    }

    #[test]
    fn what_a_node_that_ended_would_have_got_or_said_is_not_waited_for() {
        let traffic = traffic(3, 3);
        let complete_and_due = || {
            let board = traffic.board();
            (board.complete, board.counted.expected)
        };
        traffic.received(1, &content(0, 0, 40));
        traffic.received(2, &content(1, 1, 40));
        assert!(traffic.ended(2) && !traffic.ended(2));
        // Message 0 is with node 1, message 1 is still due to node 0, and message 2 was the ended node's own.
        assert_eq!(complete_and_due(), (2, 3));
        traffic.received(0, &content(1, 1, 40));
        assert_eq!((complete_and_due(), traffic.deliveries()), ((3, 3), 3));
        traffic.received(0, &content(2, 2, 40));
        assert_eq!(complete_and_due(), (3, 4), "it had got away after all");
        let publishers: Vec<_> = (0..4).map(|_| traffic.next().unwrap().0).collect();
        assert_eq!(publishers, [1, 0, 1, 0], "the others go on in turn");
        assert!(traffic.ended(0) && traffic.ended(1));
        assert_eq!(traffic.next(), None);
        assert_eq!(traffic.board().complete, 7);
    }
}
