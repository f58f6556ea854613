//! The port for applications: which titles are spoken for, and what each application is told of links.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::envelope::Title;
use crate::identity::NodeId;
use crate::overlay::{Claimed, Direction, LinkId, Reason};

use super::figures::AppState;
use super::judging::{self, Bench, Judge};
use super::requests::Requests;
use super::retry::Say;
use super::shared::Shared;

/// An application has so long to say what it has to say when the node stops.
pub const STOPPING: Duration = Duration::from_millis(250);

/// An application has so long to say what it has to say over a link that is being closed.
const CLOSING: Duration = Duration::from_millis(250);

/// So many changes of links may wait for an application. It misses what is beyond.
const CHANGES: usize = 1024;

/// A change of a link that applications are told of.
#[derive(Debug)]
#[non_exhaustive]
pub enum LinkChange {
    /// A link is open.
    Opened {
        /// Who is at the other end.
        peer: NodeId,
        /// Who opened it.
        direction: Direction,
    },
    /// A link is about to be closed. It stays open for a quarter of a second at most, while this value lives.
    Closing {
        /// Who is at the other end.
        peer: NodeId,
        /// Why.
        reason: Reason,
        /// Held until the application has said what it had to say.
        held: Held,
    },
    /// The node is about to dial one it lost.
    Retry {
        /// Whom.
        peer: NodeId,
        /// Which attempt it is since then, from 1.
        attempt: u32,
        /// Whether it is to be made.
        say: Say,
    },
    /// A link is closed.
    Closed {
        /// Who was at the other end.
        peer: NodeId,
        /// Why.
        reason: Reason,
    },
}

/// Keeps a link open for a moment.
#[derive(Clone, Debug)]
pub struct Held(#[expect(dead_code, reason = "it is there to be dropped")] mpsc::Sender<()>);

/// What an application holds of the node: its broadcasts to judge, and what happens to links.
#[derive(Debug)]
pub struct Attached {
    /// Broadcasts that wait for its verdict.
    pub judge: Judge,
    /// What others ask it.
    pub requests: Requests,
    /// What happens to links.
    pub links: mpsc::Receiver<LinkChange>,
    /// Says when the node is asked to stop.
    pub stop: StopSignal,
}

/// Says when the node is asked to stop. While this value lives, the node leaves its links open, for a quarter of a second
/// at most.
#[derive(Clone, Debug)]
pub struct StopSignal {
    asked: CancellationToken,
    #[expect(dead_code, reason = "it is there to be dropped")]
    held: TaskTrackerToken,
}

impl StopSignal {
    /// Waits until the node is asked to stop, or nobody holds it any more.
    pub async fn asked(&self) {
        self.asked.cancelled().await;
    }
}

#[derive(Debug)]
enum App {
    Running {
        bench: Bench,
        links: mpsc::Sender<LinkChange>,
    },
    /// It broke down: its titles are spoken for by nobody.
    Failed,
}

/// The applications of a node, by title.
#[derive(Debug, Default)]
pub(super) struct Apps {
    apps: RwLock<BTreeMap<Title, App>>,
    /// Spares the lock where there are none.
    are_there: AtomicBool,
    /// Those that have not yet said what they have to say when the node stops.
    unfinished: TaskTracker,
}

impl Apps {
    /// Gives the titles under `title` to an application; `None` if another one has them, or some of them.
    pub(super) fn attach(&self, title: &Title, stopping: &CancellationToken, requests: Requests) -> Option<Attached> {
        let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
        if apps.keys().any(|other| other.covers(title.as_str()) || title.covers(other.as_str())) {
            return None;
        }
        let (bench, judge) = judging::judge(title.clone());
        let (sender, links) = mpsc::channel(CHANGES);
        apps.insert(title.clone(), App::Running { bench, links: sender });
        self.are_there.store(true, Ordering::Release);
        let stop = StopSignal { asked: stopping.clone(), held: self.unfinished.token() };
        Some(Attached { judge, requests, links, stop })
    }

    /// Waits until every application has said what it has to say now that the node stops, or has taken too long.
    pub(super) async fn finished(&self) {
        self.unfinished.close();
        if tokio::time::timeout(STOPPING, self.unfinished.wait()).await.is_err() {
            tracing::debug!("an application took too long when the node stopped");
        }
    }

    /// The application of this title broke down: from now on nothing of its titles is taken.
    pub(super) fn failed(&self, title: &Title) {
        if let Some(app) = self.apps.write().unwrap_or_else(PoisonError::into_inner).get_mut(title) {
            *app = App::Failed;
        }
    }

    /// The application of this title ended as it should: its titles are like any others again.
    pub(super) fn detach(&self, title: &Title) {
        let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
        apps.remove(title);
        self.are_there.store(!apps.is_empty(), Ordering::Release);
    }

    /// How the applications do, by title.
    pub(super) fn states(&self) -> BTreeMap<Title, AppState> {
        let apps = self.apps.read().unwrap_or_else(PoisonError::into_inner);
        let state = |app: &App| match app {
            App::Running { .. } => AppState::Running,
            App::Failed => AppState::Failed,
        };
        apps.iter().map(|(title, app)| (title.clone(), state(app))).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn are_there(&self) -> bool {
        self.are_there.load(Ordering::Acquire)
    }

    pub(super) fn tell(&self, change: impl Fn() -> LinkChange) {
        if !self.are_there() {
            return;
        }
        for app in self.apps.read().unwrap_or_else(PoisonError::into_inner).values() {
            if let App::Running { links, .. } = app
                && links.try_send(change()).is_err()
            {
                tracing::debug!("an application misses a change of a link");
            }
        }
    }

    /// A link was opened.
    pub(super) fn opened(&self, peer: NodeId, direction: Direction) {
        self.tell(|| LinkChange::Opened { peer, direction });
    }

    /// A link was closed.
    pub(super) fn closed(&self, peer: NodeId, reason: Reason) {
        self.tell(|| LinkChange::Closed { peer, reason });
    }
}

impl Shared {
    /// Hands a claimed broadcast to the application that has a say in it. Gives it back if none has.
    pub(super) fn judged_by_app(self: &Arc<Self>, claimed: Claimed) -> Option<Claimed> {
        if !self.apps.are_there() {
            return Some(claimed);
        }
        let outcome = {
            let apps = self.apps.apps.read().unwrap_or_else(PoisonError::into_inner);
            let title = claimed.envelope().title();
            let app = apps.iter().find(|(own, _)| own.covers(title)).map(|(_, app)| app);
            match app {
                None => return Some(claimed),
                Some(App::Running { bench, .. }) => bench.wait(self, claimed),
                Some(App::Failed) => Some((claimed, Reason::ApplicationFailed)),
            }
        };
        match outcome {
            None => {}
            // Nobody here will ever judge it; asking for it again and again would be in vain.
            Some((claimed, Reason::ApplicationFailed)) => {
                self.with_core(|core| core.refuse(claimed, Reason::ApplicationFailed));
            }
            Some((claimed, reason)) => {
                let now = self.now();
                self.with_core(|core| core.unremember(now, &claimed, reason));
            }
        }
        None
    }

    /// Lets applications say a last word over a link, and then calls `close`; at once if there are none.
    pub(super) fn before_closing(
        self: &Arc<Self>,
        link: LinkId,
        peer: NodeId,
        reason: Reason,
        close: impl FnOnce() + Send + 'static,
    ) {
        if !self.apps.are_there() {
            return close();
        }
        let (held, mut released) = mpsc::channel(1);
        self.apps.tell(|| LinkChange::Closing { peer, reason, held: Held(held.clone()) });
        drop(held);
        let wait = async move {
            if tokio::time::timeout(CLOSING, released.recv()).await.is_err() {
                tracing::debug!(link = link.0, "an application took too long before a link was closed");
            }
            close();
        };
        drop(self.tasks.spawn(wait));
    }
}
