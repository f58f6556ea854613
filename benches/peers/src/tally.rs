//! The messages of a workload, and the exact counting of what arrived: each node, each message, once, by its content.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use crate::job::Counts;

/// Without any delivery for so long, what is missing is missing.
const QUIET: Duration = Duration::from_secs(5);
/// What comes twice comes within this time after everything has come once.
const LINGER: Duration = Duration::from_millis(300);
/// So many of what is missing are named.
const NAMED: usize = 3;
/// The numbers of messages that are measured begin here; those below are for warming up.
const MEASURED_FROM: u64 = 1 << 32;

/// Where the nodes of a system hand in what they got.
pub(crate) struct Board {
    pub(crate) warm_up: Tally,
    pub(crate) measured: Tally,
}

/// The messages of one part of a round, and who has got which.
pub(crate) struct Tally {
    start: Instant,
    first: u64,
    messages: Vec<Message>,
    nodes: Vec<Mutex<Received>>,
    published: AtomicU64,
    /// Deliveries at nodes that did not publish the message themselves.
    delivered: AtomicU64,
    /// When the last of them was, in ns since the start.
    last: AtomicU64,
    complete: AtomicU64,
    /// Nothing more will be published.
    closed: AtomicBool,
    /// How many more messages may be on their way.
    window: Semaphore,
    changed: Notify,
}

struct Message {
    content: Bytes,
    publisher: usize,
    is_published: AtomicBool,
    /// When it was published, in ns since the start.
    published: AtomicU64,
    /// At how many other nodes it has still to arrive.
    missing: AtomicU64,
}

/// What one node's application got.
struct Received {
    seen: Vec<bool>,
    /// From publishing to delivery, in ns.
    latencies: Vec<u64>,
    double: u64,
    /// No content of ours, or not as it was published.
    altered: u64,
}

/// The content of message `number`: `size` bytes, or as many as its number needs.
fn content(number: u64, size: usize) -> Bytes {
    // The filling differs from message to message, so that a mixed-up one is not taken for a good one.
    let filling = (0..size.saturating_sub(8) as u64).map(|at| ((number.wrapping_mul(31).wrapping_add(at)) % 251) as u8);
    number.to_be_bytes().into_iter().chain(filling).collect()
}

impl Board {
    /// The messages of a round: `warm_up` small ones, then `messages` of `bytes`, of which at most `window` may be on their
    /// way. The first `senders` of `nodes` publish them in turn.
    pub(crate) fn new(nodes: usize, senders: usize, warm_up: usize, size: crate::case::Size) -> Arc<Board> {
        Arc::new(Board {
            warm_up: Tally::new(0, nodes, senders, warm_up, 256, warm_up),
            measured: Tally::new(MEASURED_FROM, nodes, senders, size.messages, size.bytes, size.window),
        })
    }

    /// The application at a node got a message.
    pub(crate) fn received(&self, place: usize, content: &[u8]) {
        let number = content.first_chunk().map(|number| u64::from_be_bytes(*number));
        let tally = if number.is_some_and(|number| number < MEASURED_FROM) { &self.warm_up } else { &self.measured };
        tally.received(place, number, content);
    }

    /// Waits for what may come twice, then counts everything; says on standard error what is missing. The latencies of all
    /// deliveries that are measured, sorted, in ns.
    pub(crate) async fn count(&self, counts: &mut Counts) -> Vec<u64> {
        tokio::time::sleep(LINGER).await;
        self.warm_up.count(counts);
        self.measured.count(counts)
    }
}

impl Tally {
    fn new(first: u64, nodes: usize, senders: usize, count: usize, size: usize, window: usize) -> Tally {
        let message = |number: usize| Message {
            content: content(first + number as u64, size),
            publisher: number % senders,
            is_published: AtomicBool::new(false),
            published: AtomicU64::new(0),
            missing: AtomicU64::new(nodes.saturating_sub(1) as u64),
        };
        let received =
            || Received { seen: vec![false; count], latencies: Vec::with_capacity(count), double: 0, altered: 0 };
        Tally {
            start: Instant::now(),
            first,
            messages: (0..count).map(message).collect(),
            nodes: (0..nodes).map(|_| Mutex::new(received())).collect(),
            published: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            last: AtomicU64::new(0),
            complete: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            window: Semaphore::new(window),
            changed: Notify::new(),
        }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// How many messages there are at most.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Waits until one more message may be on its way; `false` if nothing moves any more.
    pub(crate) async fn room(&self) -> bool {
        loop {
            let delivered = self.delivered();
            match timeout(QUIET, self.window.acquire()).await {
                Ok(Ok(permit)) => {
                    permit.forget();
                    return true;
                }
                Ok(Err(_)) => return false,
                Err(_) if self.delivered() == delivered => return false,
                Err(_) => {}
            }
        }
    }

    /// Says which message goes out now, and notes the time.
    pub(crate) fn publish(&self, number: usize) -> Bytes {
        let message = &self.messages[number];
        self.published.fetch_add(1, Ordering::AcqRel);
        message.is_published.store(true, Ordering::Release);
        message.published.store(self.now(), Ordering::Relaxed);
        message.content.clone()
    }

    fn received(&self, place: usize, number: Option<u64>, content: &[u8]) {
        let now = self.now();
        let number = number.and_then(|number| usize::try_from(number.checked_sub(self.first)?).ok());
        let known = number.and_then(|number| Some((number, self.messages.get(number)?)));
        let mut node = self.node(place);
        let Some((number, message)) = known.filter(|(_, message)| message.content == content) else {
            node.altered += 1;
            return;
        };
        if message.publisher == place {
            // Its own, as some systems hand it in: no delivery.
            return;
        }
        if std::mem::replace(&mut node.seen[number], true) {
            node.double += 1;
            return;
        }
        node.latencies.push(now.saturating_sub(message.published.load(Ordering::Relaxed)));
        drop(node);
        self.last.fetch_max(now, Ordering::Relaxed);
        self.delivered.fetch_add(1, Ordering::Relaxed);
        if message.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.window.add_permits(1);
            self.complete.fetch_add(1, Ordering::AcqRel);
            if self.is_complete() {
                self.changed.notify_one();
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.closed.load(Ordering::Acquire) && self.everywhere() == self.published()
    }

    /// Nothing more is published: waits until everybody has everything, or nothing moves any more.
    pub(crate) async fn complete(&self) {
        self.closed.store(true, Ordering::Release);
        while !self.is_complete() {
            let delivered = self.delivered();
            if timeout(QUIET, self.changed.notified()).await.is_err() && self.delivered() == delivered {
                return;
            }
        }
    }

    /// Counts everything; says on standard error what is missing. The latencies of all deliveries, sorted, in ns.
    fn count(&self, counts: &mut Counts) -> Vec<u64> {
        let (mut latencies, mut missing) = (Vec::new(), Vec::new());
        for place in 0..self.nodes.len() {
            let mut node = self.node(place);
            latencies.append(&mut node.latencies);
            counts.double += node.double;
            counts.altered += node.altered;
            for (number, (message, seen)) in self.messages.iter().zip(&node.seen).enumerate() {
                if message.is_published.load(Ordering::Acquire) && message.publisher != place {
                    counts.expected += 1;
                    if !seen {
                        missing.push((place, number));
                    }
                }
            }
        }
        counts.missing += missing.len() as u64;
        for (place, number) in missing.iter().take(NAMED) {
            eprintln!("missing: message {number} at node {place} ({} in all)", missing.len());
        }
        latencies.sort_unstable();
        latencies
    }

    /// How many messages were published.
    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// How many deliveries there were.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// How many messages are everywhere.
    pub(crate) fn everywhere(&self) -> u64 {
        self.complete.load(Ordering::Acquire)
    }

    /// From `since` to the last delivery.
    pub(crate) fn took(&self, since: Instant) -> Duration {
        let until = self.start + Duration::from_nanos(self.last.load(Ordering::Relaxed));
        until.saturating_duration_since(since)
    }

    fn node(&self, place: usize) -> MutexGuard<'_, Received> {
        self.nodes[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Size;

    fn board(nodes: usize, messages: usize) -> Arc<Board> {
        let size = Size { messages, bytes: 40, window: messages, pace: None, cap: Duration::ZERO };
        Board::new(nodes, nodes, 1, size)
    }

    #[tokio::test]
    async fn every_node_must_have_every_published_message_once_and_unaltered() {
        let board = board(3, 3);
        let [zero, one] = [0, 1].map(|number| board.measured.publish(number));
        // Node 2 lacks message 1, node 0 has it twice; somebody made one up and somebody changed one. Message 2 was never
        // published, so nobody lacks it.
        for (place, message) in [(0, &zero), (1, &zero), (2, &zero), (0, &one), (0, &one), (1, &one)] {
            board.received(place, message);
        }
        board.received(1, &content(MEASURED_FROM + 7, 40));
        let mut changed = one.to_vec();
        changed[39] ^= 1;
        board.received(2, &changed);
        let mut counts = Counts::default();
        let latencies = board.count(&mut counts).await;
        assert_eq!(counts, Counts { expected: 4, missing: 1, double: 1, altered: 2 });
        assert_eq!((latencies.len(), board.measured.delivered(), board.measured.everywhere()), (3, 3, 1));
    }

    #[tokio::test]
    async fn waiting_ends_when_what_was_published_is_everywhere() {
        let board = board(2, 2);
        let message = board.measured.publish(0);
        board.received(1, &message);
        board.measured.complete().await;
        assert_eq!((board.measured.everywhere(), board.measured.len()), (1, 2));
    }

    #[tokio::test]
    async fn what_warms_up_is_counted_apart() {
        let board = board(2, 1);
        let message = board.warm_up.publish(0);
        board.received(1, &message);
        assert_eq!((board.warm_up.delivered(), board.measured.delivered()), (1, 0));
    }
}
