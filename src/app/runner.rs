//! The task that owns an application.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::envelope::Title;
use crate::node::{
    Asked, Attached, Item, Judge, LATER_FOR, LaunchError, LinkChange, Node, STOPPING, Subscription, Undecided, WeakNode,
};
use crate::overlay::Reason;

use super::{Application, Context};

/// So many broadcasts wait for what should have come before them; what is beyond may come again.
const LATER: usize = 256;

/// An application that is busy with one thing for so long is reported; looked at this often.
const BUSY: Duration = Duration::from_secs(5);

/// Since when an application is busy with one thing.
#[derive(Clone, Debug, Default)]
struct Busy(Arc<Mutex<Option<Instant>>>);

impl Busy {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs an application on a task of its own.
pub(super) fn spawn(app: impl Application, attached: Attached, messages: Subscription, node: &Node) {
    let runner = Runner::new(app, &attached, node);
    let watch = runner.watch();
    tokio::spawn(async move {
        let running = tokio::spawn(runner.run(attached, messages));
        watch.until(async { running.await.is_err_and(|error| error.is_panic()) }).await;
    });
}

/// Runs an application on a thread of its own.
pub(super) fn spawn_isolated(
    app: impl Application,
    attached: Attached,
    messages: Subscription,
    node: &Node,
) -> Result<(), LaunchError> {
    let runner = Runner::new(app, &attached, node);
    let (watch, title) = (runner.watch(), runner.title.clone());
    let (ended, end) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let body = move || {
        let run = AssertUnwindSafe(|| runtime.block_on(runner.run(attached, messages)));
        let _ = ended.send(catch_unwind(run).is_err());
    };
    let thread = std::thread::Builder::new().name("sealnet-app".to_owned()).spawn(body);
    thread.map_err(|error| LaunchError::NoThread { title, why: error.to_string() })?;
    tokio::spawn(async move { watch.until(async { end.await.unwrap_or(true) }).await });
    Ok(())
}

/// Watches over an application from outside.
struct Watch {
    node: WeakNode,
    title: Title,
    busy: Busy,
}

impl Watch {
    /// Reports what takes too long, until the application has ended; `failed` says whether it broke down.
    async fn until(self, failed: impl Future<Output = bool>) {
        tokio::pin!(failed);
        let mut reported = None;
        let failed = loop {
            tokio::select! {
                failed = &mut failed => break failed,
                () = tokio::time::sleep(BUSY) => {
                    let since = self.busy.since().filter(|since| since.elapsed() >= BUSY && reported != Some(*since));
                    if let (Some(since), Some(node)) = (since, self.node.upgrade()) {
                        reported = Some(since);
                        node.report_busy(&self.title, since.elapsed());
                    }
                }
            }
        };
        if let Some(node) = self.node.upgrade() {
            node.detach(&self.title, failed);
        }
    }
}

struct Runner<A> {
    app: A,
    title: Title,
    node: WeakNode,
    busy: Busy,
    /// What should come after something else, the oldest first.
    later: VecDeque<Undecided>,
}

impl<A: Application> Runner<A> {
    fn new(app: A, attached: &Attached, node: &Node) -> Self {
        let title = attached.judge.title().clone();
        Runner { app, title, node: node.downgrade(), busy: Busy::default(), later: VecDeque::new() }
    }

    fn watch(&self) -> Watch {
        Watch { node: self.node.clone(), title: self.title.clone(), busy: self.busy.clone() }
    }

    /// What the application is called with; `None` when nobody holds the node any more.
    fn context(&self) -> Option<Context> {
        Some(Context::new(self.node.upgrade()?, self.title.clone()))
    }

    async fn run(mut self, attached: Attached, mut messages: Subscription) {
        let Attached { mut judge, mut requests, mut links, stop, .. } = attached;
        let mut stop = Some(stop);
        loop {
            let asked_to_stop = async {
                match &stop {
                    Some(stop) => stop.asked().await,
                    None => std::future::pending().await,
                }
            };
            // Not the turn of whoever comes first: none of them is to wait for ever for another.
            let goes_on = tokio::select! {
                batch = judge.next() => !batch.is_empty() && self.check(&judge, batch).await,
                item = messages.next() => match item {
                    Some(item) => self.take(&judge, item).await,
                    None => false,
                },
                Some(request) = requests.next() => self.asked(request).await,
                Some(change) = links.recv() => self.link_changed(change).await,
                () = asked_to_stop => {
                    self.stopping().await;
                    // The node waits no longer.
                    stop = None;
                    true
                }
                () = tokio::time::sleep(LATER_FOR / 4), if !self.later.is_empty() => {
                    self.give_up_late();
                    true
                }
            };
            if !goes_on {
                break;
            }
        }
        // The node may have ended before it was this branch's turn.
        if stop.is_some() {
            self.stopping().await;
        }
    }

    async fn stopping(&mut self) {
        if let Some(cx) = self.context() {
            let _ = tokio::time::timeout(STOPPING, self.app.stopping(&cx)).await;
        }
    }

    /// Hands a broadcast over, and asks again about what waited for one. Says whether the node is still there.
    async fn take(&mut self, judge: &Judge, item: Item) -> bool {
        let Some(cx) = self.context() else { return false };
        self.busy.set(Some(Instant::now()));
        match item {
            Item::Broadcast(broadcast) => self.app.received(&cx, broadcast).await,
            Item::Missed { count } => self.app.missed(&cx, count).await,
        }
        self.busy.set(None);
        drop(cx);
        let later: Vec<_> = self.later.drain(..).collect();
        self.check(judge, later).await
    }

    /// Asks for verdicts, and sees to it that they are acted on. Says whether the node is still there.
    async fn check(&mut self, judge: &Judge, batch: Vec<Undecided>) -> bool {
        if batch.is_empty() {
            return true;
        }
        let Some(cx) = self.context() else { return false };
        let mut decided = Vec::with_capacity(batch.len());
        for undecided in batch {
            self.busy.set(Some(Instant::now()));
            let verdict = self.app.check(&cx, undecided.envelope()).await;
            decided.push((undecided, verdict));
        }
        self.busy.set(None);
        self.later.extend(judge.settle(decided));
        self.give_up_late();
        while self.later.len() > LATER {
            self.later.pop_front().into_iter().for_each(|undecided| undecided.give_up(Reason::ApplicationBusy));
        }
        true
    }

    fn give_up_late(&mut self) {
        let (late, later): (VecDeque<_>, VecDeque<_>) = self.later.drain(..).partition(Undecided::is_late);
        self.later = later;
        late.into_iter().for_each(|undecided| undecided.give_up(Reason::NotYet));
    }

    /// Hands a request over. Says whether the node is still there.
    async fn asked(&mut self, request: Asked) -> bool {
        let Some(cx) = self.context() else { return false };
        // It may have waited for long.
        if !request.is_cancelled() {
            self.busy.set(Some(Instant::now()));
            self.app.asked(&cx, request).await;
            self.busy.set(None);
        }
        true
    }

    /// Tells of a link. Says whether the node is still there.
    async fn link_changed(&mut self, change: LinkChange) -> bool {
        let Some(cx) = self.context() else { return false };
        let cx = &cx;
        self.busy.set(Some(Instant::now()));
        match change {
            LinkChange::Opened { peer, direction } => self.app.opened(cx, peer, direction).await,
            LinkChange::Closing { peer, reason, held } => {
                self.app.closing(cx, peer, reason).await;
                drop(held);
            }
            LinkChange::Closed { peer, reason } => self.app.closed(cx, peer, reason).await,
            LinkChange::Retry { peer, attempt, say } => say.again(self.app.retry(cx, peer, attempt).await),
        }
        self.busy.set(None);
        true
    }
}
