//! What applications have a say in: broadcasts that wait for a verdict before they are kept and relayed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::envelope::{Envelope, Title, Verified};
use crate::overlay::{Claimed, Core, Reason};

use super::shared::Shared;

/// So many broadcasts may wait for one application's verdict, and so many bytes of them.
const WAITING: usize = 1024;
const WAITING_BYTES: usize = 8 << 20;

/// So many go to an application together.
const BATCH: usize = 64;

/// How long [`Verdict::Later`] is asked again.
pub const LATER_FOR: Duration = Duration::from_secs(10);

/// What an application says of a broadcast before it is kept and relayed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is kept, relayed and delivered.
    Accept,
    /// It is not wanted here, and it is nobody's fault. Why, for the log of this program.
    Ignore(String),
    /// It is against the application's rules: whoever made it loses standing here, and the neighbour that relayed it too if
    /// that one runs the same application in the same version. Why, for the log of this program.
    Reject(String),
    /// Something should have come before it. It is asked again after the next broadcast that the application received, for
    /// ten seconds; then it is dropped, and may come again.
    Later,
}

/// A broadcast that waits for its verdict. Dropped without one it is not taken, and may come again.
pub struct Undecided {
    claimed: Option<Claimed>,
    envelope: Verified<Envelope>,
    since: Instant,
    load: Arc<Load>,
    shared: Arc<Shared>,
}

/// What waits for one application.
#[derive(Debug, Default)]
struct Load {
    count: AtomicUsize,
    bytes: AtomicUsize,
}

impl Undecided {
    /// The broadcast.
    pub fn envelope(&self) -> &Verified<Envelope> {
        &self.envelope
    }

    /// Whether it has waited for longer than anything may.
    pub fn is_late(&self) -> bool {
        self.since.elapsed() >= LATER_FOR
    }

    fn take(&mut self) -> Option<Claimed> {
        let claimed = self.claimed.take()?;
        self.load.count.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(claimed.envelope().size(), Ordering::Relaxed);
        Some(claimed)
    }

    /// Gives it up: it may come again.
    pub fn give_up(mut self, reason: Reason) {
        if let Some(claimed) = self.take() {
            let now = self.shared.now();
            self.shared.with_core(|core| core.unremember(now, &claimed, reason));
        }
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        if let Some(claimed) = self.take() {
            let now = self.shared.now();
            self.shared.with_core(|core| core.unremember(now, &claimed, Reason::ApplicationFailed));
        }
    }
}

impl fmt::Debug for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undecided").field("envelope", &self.envelope.id()).finish_non_exhaustive()
    }
}

/// The node's end: where broadcasts of one application's titles go.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    sender: mpsc::UnboundedSender<Undecided>,
    load: Arc<Load>,
}

/// The application's end: what waits for its verdict.
#[derive(Debug)]
pub struct Judge {
    title: Title,
    receiver: mpsc::UnboundedReceiver<Undecided>,
}

/// The two ends for the application `title`.
pub(super) fn judge(title: Title) -> (Bench, Judge) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Bench { sender, load: Arc::default() }, Judge { title, receiver })
}

impl Bench {
    /// Lets a broadcast wait for its verdict. Gives it back if it cannot; it may come again then.
    pub(super) fn wait(&self, shared: &Arc<Shared>, claimed: Claimed) -> Option<(Claimed, Reason)> {
        let size = claimed.envelope().size();
        // Several links may pass here at once, and each go over by one: that is bound enough.
        let is_full = self.load.count.load(Ordering::Relaxed) >= WAITING
            || self.load.bytes.load(Ordering::Relaxed) + size > WAITING_BYTES;
        if is_full {
            return Some((claimed, Reason::ApplicationBusy));
        }
        self.load.count.fetch_add(1, Ordering::Relaxed);
        self.load.bytes.fetch_add(size, Ordering::Relaxed);
        let undecided = Undecided {
            envelope: claimed.envelope().clone(),
            claimed: Some(claimed),
            since: Instant::now(),
            load: self.load.clone(),
            shared: shared.clone(),
        };
        // Nobody is there any more: the value takes care of itself when it is dropped.
        drop(self.sender.send(undecided));
        None
    }
}

impl Judge {
    /// The title whose broadcasts, and those under it, come here.
    pub fn title(&self) -> &Title {
        &self.title
    }

    /// The next broadcasts, in the order they came; none when the node has gone. Nothing is lost if this is not waited for
    /// to its end.
    pub async fn next(&mut self) -> Vec<Undecided> {
        let mut batch = Vec::new();
        self.receiver.recv_many(&mut batch, BATCH).await;
        batch
    }

    /// Acts on verdicts, all at once. Gives back what is to be asked later.
    pub fn settle(&self, decided: Vec<(Undecided, Verdict)>) -> Vec<Undecided> {
        let mut later = Vec::new();
        let mut kept = Vec::new();
        type Settle = Box<dyn FnOnce(&mut Core)>;
        let mut others: Vec<Settle> = Vec::new();
        let mut shared = None;
        for (mut undecided, verdict) in decided {
            if verdict == Verdict::Later {
                later.push(undecided);
                continue;
            }
            let node = shared.get_or_insert_with(|| undecided.shared.clone()).clone();
            let Some(claimed) = undecided.take() else { continue };
            let (id, now) = (claimed.envelope().id(), node.now());
            match verdict {
                Verdict::Accept if node.keep(&claimed) => kept.push(claimed),
                Verdict::Accept => others.push(Box::new(move |core| core.unremember(now, &claimed, Reason::LogFull))),
                Verdict::Ignore(why) => {
                    tracing::debug!(envelope = %id, why, app = %self.title, "ignored by the application");
                    others.push(Box::new(move |core| core.refuse(claimed, Reason::ApplicationIgnored)));
                }
                Verdict::Reject(why) => {
                    tracing::debug!(envelope = %id, why, app = %self.title, "rejected by the application");
                    let app = self.title.clone();
                    others.push(Box::new(move |core| core.reject(now, claimed, app.as_str())));
                }
                Verdict::Later => {}
            }
        }
        if let Some(node) = shared {
            node.with_core(|core| {
                core.accept(node.now(), kept);
                others.into_iter().for_each(|settle| settle(core));
            });
        }
        later
    }
}
