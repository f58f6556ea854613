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
    /// When each message was published, by number; and how many other nodes have it.
    messages: Vec<(Instant, usize)>,
    complete: u64,
    seen: BTreeSet<(usize, u64)>,
    counted: Counted,
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
        let mut done = false;
        if let Some((published, have)) = board.messages.get_mut(number as usize) {
            *have += 1;
            done = *have == self.nodes - 1;
            let latency = now.duration_since(*published);
            board.counted.latencies.push(latency);
        }
        board.complete += u64::from(done);
        drop(board);
        self.delivered.notify_waiters();
    }

    /// Notes that the next message goes out now: the node whose turn it is, the message's number, and its content.
    pub(super) fn next(&self) -> (usize, u64, String) {
        let mut board = self.board();
        let number = board.messages.len() as u64;
        let publisher = number as usize % self.nodes;
        let content = content(publisher, number, self.size);
        board.messages.push((Instant::now(), 0));
        board.counted.published += 1;
        board.complete += u64::from(self.nodes == 1);
        (publisher, number, content)
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
        let board = Board { messages: vec![(Instant::now(), 0); published], ..Board::default() };
        Traffic { nodes, size: 40, board: Mutex::new(board), delivered: Notify::new() }
    }

    #[test]
    fn nodes_publish_in_turn() {
        let traffic = Traffic::new(2, 0);
        for number in 0..4 {
            let (publisher, said, content) = traffic.next();
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
}
