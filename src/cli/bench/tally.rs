//! The messages of a workload, and the exact counting of what arrived: each node, each message, once, by its content.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::round::Round;
use crate::node::{Item, Node, Subscription};

/// The title of the messages.
pub(super) const TITLE: &str = "bench";
/// Without any delivery for so long, what is missing is missing.
const QUIET: Duration = Duration::from_secs(15);
/// What comes twice comes within this time after everything has come once.
const LINGER: Duration = Duration::from_millis(300);
/// So many of what is missing are named.
const NAMED: usize = 10;

/// The messages, and who has got which.
pub(super) struct Tally {
    start: Instant,
    messages: Vec<Message>,
    nodes: Vec<Mutex<Received>>,
    /// Deliveries at nodes that did not publish the message themselves.
    delivered: AtomicU64,
    complete: AtomicU64,
    /// How many more messages may be on their way, where that is limited.
    window: Semaphore,
    changed: Notify,
}

struct Message {
    content: Bytes,
    /// At which node; `None` if at none that is there.
    publisher: Option<usize>,
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
fn content(number: usize, size: usize) -> Bytes {
    // The filling differs from message to message, so that a mixed-up one is not taken for a good one.
    let filling = (0..size.saturating_sub(8)).map(|at| ((number * 31 + at) % 251) as u8);
    (number as u64).to_be_bytes().into_iter().chain(filling).collect()
}

impl Tally {
    /// `count` messages of `size` bytes for `nodes` nodes; `publisher` says whose each is. At most `window` are to be on
    /// their way at a time.
    pub(super) fn new(
        nodes: usize,
        count: usize,
        size: usize,
        window: usize,
        publisher: impl Fn(usize) -> usize,
    ) -> Arc<Self> {
        Self::with(nodes, count, size, window, |number| Some(publisher(number)))
    }

    /// `count` messages of `size` bytes that are published already, by nobody who is there, for one node that is to get
    /// them.
    pub(super) fn of_the_past(count: usize, size: usize) -> Arc<Self> {
        Self::with(1, count, size, count, |_| None)
    }

    fn with(
        nodes: usize,
        count: usize,
        size: usize,
        window: usize,
        publisher: impl Fn(usize) -> Option<usize>,
    ) -> Arc<Self> {
        let message = |number| {
            let publisher = publisher(number);
            let missing = AtomicU64::new((nodes - usize::from(publisher.is_some())) as u64);
            Message { content: content(number, size), publisher, published: AtomicU64::new(0), missing }
        };
        let received =
            || Received { seen: vec![false; count], latencies: Vec::with_capacity(count), double: 0, altered: 0 };
        Arc::new(Tally {
            start: Instant::now(),
            messages: (0..count).map(message).collect(),
            nodes: (0..nodes).map(|_| Mutex::new(received())).collect(),
            delivered: AtomicU64::new(0),
            complete: AtomicU64::new(0),
            window: Semaphore::new(window),
            changed: Notify::new(),
        })
    }

    /// Starts the applications that count what comes under `title`, one at each node; they end with the returned value.
    pub(super) fn attend(
        self: &Arc<Self>,
        nodes: &[Node],
        title: &str,
    ) -> Result<JoinSet<()>, crate::envelope::TitleError> {
        let mut applications = JoinSet::new();
        for (place, node) in nodes.iter().enumerate() {
            applications.spawn(self.clone().read(place, node.subscribe(title)?));
        }
        Ok(applications)
    }

    /// The same at one node, with all that it has kept.
    pub(super) fn attend_from_start(self: &Arc<Self>, node: &Node) -> Result<JoinSet<()>, crate::envelope::TitleError> {
        let mut applications = JoinSet::new();
        applications.spawn(self.clone().read(0, node.subscribe(TITLE)?.from_start()));
        Ok(applications)
    }

    async fn read(self: Arc<Self>, place: usize, mut subscription: Subscription) {
        while let Some(item) = subscription.next().await {
            if let Item::Broadcast(broadcast) = item {
                self.received(place, &broadcast.message());
            }
        }
    }

    /// Waits until one more message may be on its way.
    pub(super) async fn room(&self) {
        if let Ok(permit) = self.window.acquire().await {
            permit.forget();
        }
    }

    /// Says which message goes out now, and notes the time.
    pub(super) fn publish(&self, number: usize) -> Bytes {
        let message = &self.messages[number];
        message.published.store(self.start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        message.content.clone()
    }

    /// The application at a node got a message.
    pub(super) fn received(&self, place: usize, content: &[u8]) {
        let now = self.start.elapsed().as_nanos() as u64;
        let number = content.first_chunk().and_then(|number| usize::try_from(u64::from_be_bytes(*number)).ok());
        let known = number.and_then(|number| Some((number, self.messages.get(number)?)));
        let mut node = self.node(place);
        let Some((number, message)) = known.filter(|(_, message)| message.content == content) else {
            node.altered += 1;
            return;
        };
        if std::mem::replace(&mut node.seen[number], true) {
            node.double += 1;
            return;
        }
        if message.publisher == Some(place) {
            // Its own: in its log like all others, and no delivery.
            return;
        }
        node.latencies.push(now.saturating_sub(message.published.load(Ordering::Relaxed)));
        drop(node);
        self.delivered.fetch_add(1, Ordering::Relaxed);
        if message.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.completed();
        }
    }

    /// One more message is everywhere.
    fn completed(&self) {
        self.window.add_permits(1);
        if self.complete.fetch_add(1, Ordering::AcqRel) + 1 == self.messages.len() as u64 {
            self.changed.notify_one();
        }
    }

    /// Waits until everybody has everything, or nothing moves any more.
    pub(super) async fn complete(&self) {
        let mut delivered = u64::MAX;
        while self.complete.load(Ordering::Acquire) < self.messages.len() as u64 {
            if tokio::time::timeout(QUIET, self.changed.notified()).await.is_ok() {
                return;
            }
            let now = self.delivered.load(Ordering::Relaxed);
            if now == delivered {
                return;
            }
            delivered = now;
        }
    }

    /// Waits for what may come twice, then counts everything; says on standard error what is missing. The latencies of all
    /// deliveries, sorted, in ns.
    pub(super) async fn count(&self, round: &mut Round) -> Vec<u64> {
        tokio::time::sleep(LINGER).await;
        let (mut latencies, mut missing) = (Vec::new(), Vec::new());
        for place in 0..self.nodes.len() {
            let mut node = self.node(place);
            latencies.append(&mut node.latencies);
            round.counts.double += node.double;
            round.counts.altered += node.altered;
            let not_seen = node.seen.iter().enumerate().filter(|(_, seen)| !**seen);
            missing.extend(not_seen.map(|(number, _)| (place, number)));
        }
        round.counts.expected += (self.nodes.len() * self.messages.len()) as u64;
        round.counts.missing += missing.len() as u64;
        for (place, number) in missing.iter().take(NAMED) {
            anstream::eprintln!("missing: message {number} at node {place}");
        }
        latencies.sort_unstable();
        latencies
    }

    /// How many deliveries there were at others than the publisher.
    pub(super) fn deliveries(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// How many messages are everywhere.
    pub(super) fn everywhere(&self) -> u64 {
        self.complete.load(Ordering::Relaxed)
    }

    fn node(&self, place: usize) -> MutexGuard<'_, Received> {
        self.nodes[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::round::Counts;

    #[tokio::test(start_paused = true)]
    async fn every_node_must_have_every_message_once_and_unaltered() {
        let tally = Tally::new(3, 2, 40, 2, |number| number);
        for number in 0..2 {
            tally.room().await;
            assert_eq!(tally.publish(number), content(number, 40));
        }
        // Node 2 lacks message 1, node 0 has it twice; somebody made one up and somebody changed one.
        for (place, number) in [(0, 0), (1, 0), (2, 0), (0, 1), (0, 1), (1, 1)] {
            tally.received(place, &content(number, 40));
        }
        tally.received(1, &content(7, 40));
        let mut changed = content(1, 40).to_vec();
        changed[39] ^= 1;
        tally.received(2, &changed);
        let mut round = Round::default();
        let latencies = tally.count(&mut round).await;
        assert_eq!(round.counts, Counts { expected: 6, missing: 1, double: 1, altered: 2 });
        assert_eq!((latencies.len(), tally.deliveries(), tally.everywhere()), (3, 3, 1));
        // One message is everywhere, so one more may go.
        tally.room().await;
        assert!(tokio::time::timeout(QUIET, tally.room()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_all_is_there_and_when_nothing_moves() {
        let tally = Tally::new(2, 1, 8, 1, |_| 0);
        tally.publish(0);
        tally.complete().await;
        assert_eq!(tally.everywhere(), 0);
        tally.received(1, &content(0, 8));
        tally.complete().await;
        assert_eq!(tally.everywhere(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_here_published_is_a_delivery_everywhere() {
        let tally = Tally::of_the_past(2, 40);
        tally.received(0, &content(1, 40));
        let mut round = Round::default();
        tally.count(&mut round).await;
        assert_eq!(round.counts, Counts { expected: 2, missing: 1, double: 0, altered: 0 });
        tally.received(0, &content(0, 40));
        tally.complete().await;
        assert_eq!((tally.deliveries(), tally.everywhere()), (2, 2));
    }

    #[test]
    fn contents_differ_wherever_they_could_be_mixed_up() {
        assert_eq!(content(3, 256).len(), 256);
        assert_eq!(content(3, 0).len(), 8);
        assert_ne!(content(1, 256)[8..], content(2, 256)[8..]);
    }
}
