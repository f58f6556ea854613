//! Comparing with one neighbour, window by window, from the newest backwards.

use std::collections::VecDeque;
use std::time::Duration;

use crate::envelope::EnvelopeId;
use crate::wire::{Kind, Reconcile, ReconcileEnd, ReconcileSet, ReconcileSide, ReconcileStep};

use super::super::{Instant, TokenBucket};
use super::opener::Session;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a session may last.
const SESSION: Duration = Duration::from_secs(60);
/// While something was heard within this time others wait: they would find the same.
const HOLDS: Duration = Duration::from_secs(1);
/// Windows of one sweep: four million ids. More only takes a responder that cuts them smaller.
const WINDOWS: u32 = 256;
/// Parts of windows that are compared anew because fingerprints deceived.
const HALVINGS: u32 = 64;
/// Ids that are offered and not asked for: at first, so that a neighbour that is just fetching them elsewhere is not told
/// of all, and at most.
const OFFERED_FIRST: usize = 256;
const OFFERED_MOST: usize = 8_192;
/// A neighbour that asks for nothing for so long does not need what it is offered.
const OFFERED_FOR: Duration = Duration::from_secs(10);
/// Ids to come from the neighbour, at which the next window waits.
const BACKLOG: usize = 4_096;
/// Frames in one go, and the time for one more: what the other side allows, and a little less.
const FRAMES: u32 = 48;
pub(super) const FRAME_EVERY: Duration = Duration::from_millis(52);

/// So quickly frames of this node's sessions may follow each other on a link.
pub(super) fn pace(now: Instant) -> TokenBucket {
    TokenBucket::new(FRAMES, FRAME_EVERY, now)
}

/// What is to be compared with a neighbour, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Not before this.
    pub(super) at: Instant,
    /// Times from this one on, in µs.
    pub(super) from: u64,
    /// Times before this one.
    pub(super) to: u64,
    /// How often the neighbour was too busy.
    pub(super) refused: u32,
}

/// One comparison that is under way.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) set: ReconcileSet,
    /// Only what lives two minutes longer than this.
    pub(super) alive: u64,
    /// The stretches of time still to be compared, the newest last.
    todo: Vec<(u64, u64)>,
    pub(super) session: Option<Session>,
    /// The last session's number.
    number: u16,
    /// Frames to be sent, within the pace.
    pub(super) out: VecDeque<Reconcile>,
    pub(super) task: Task,
    began: Instant,
    session_began: Instant,
    heard: Instant,
    windows: u32,
    halvings: u32,
    /// What the neighbour lacks and was not offered yet.
    offers: VecDeque<EnvelopeId>,
    offered: usize,
    offered_most: usize,
    offered_moved: Instant,
}

impl Sweep {
    pub(super) fn new(now: Instant, set: ReconcileSet, alive: u64, task: Task) -> Self {
        Sweep {
            set,
            alive,
            todo: vec![(task.from, task.to)],
            session: None,
            number: 0,
            out: VecDeque::new(),
            task,
            began: now,
            session_began: now,
            heard: now,
            windows: 0,
            halvings: 0,
            offers: VecDeque::new(),
            offered: 0,
            offered_most: OFFERED_FIRST,
            offered_moved: now,
        }
    }

    /// The stretch of time to compare next, if it is time for that. `backlog`: ids still to come from the neighbour.
    pub(super) fn next_stretch(&mut self, now: Instant, backlog: usize) -> Option<(u64, u64)> {
        if now >= self.offered_moved + OFFERED_FOR {
            (self.offered, self.offered_most) = (0, OFFERED_FIRST);
            self.offers.clear();
        }
        let waits = backlog >= BACKLOG || !self.offers.is_empty();
        if self.session.is_some() || !self.out.is_empty() || waits {
            return None;
        }
        if self.windows >= WINDOWS {
            self.todo.clear();
        }
        self.windows += 1;
        self.todo.pop()
    }

    /// Begins a session; the older part of its stretch comes after it.
    pub(super) fn begin(&mut self, now: Instant, rest: (u64, u64), session: Session) {
        if rest.0 < rest.1 {
            self.todo.push(rest);
        }
        let open = session.open(self.set, self.alive);
        self.out.push_back(Reconcile { session: session.number(), step: ReconcileStep::Open(open) });
        (self.heard, self.session_began) = (now, now);
        self.number = session.number();
        self.session = Some(session);
    }

    /// A stretch is compared later in this sweep, before older ones.
    pub(super) fn later(&mut self, stretch: (u64, u64)) {
        self.todo.push(stretch);
    }

    /// Whether another part may be compared anew.
    pub(super) fn may_halve(&mut self) -> bool {
        self.halvings += 1;
        self.halvings <= HALVINGS
    }

    /// Adds a step of the session that is under way.
    pub(super) fn say(&mut self, step: ReconcileStep) {
        if let Some(session) = self.session.as_ref().map(Session::number) {
            self.out.push_back(Reconcile { session, step });
        }
    }

    /// Ends the session that is under way, telling the responder.
    pub(super) fn end_session(&mut self, why: ReconcileEnd) {
        self.say(ReconcileStep::End(ReconcileSide::Opener, why));
        self.session = None;
    }

    /// Nothing further is compared.
    pub(super) fn stop(&mut self) {
        self.todo.clear();
        self.session = None;
    }

    /// Whether nothing is left to do or to wait for. `backlog`: ids still to come from the neighbour.
    pub(super) fn is_over(&self, backlog: usize) -> bool {
        let is_told = self.out.is_empty() && self.offers.is_empty();
        self.session.is_none() && self.todo.is_empty() && is_told && backlog == 0
    }

    /// Something was heard in the session.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Whether sweeps of the same set with other neighbours are to wait. `moved`: when something good came last.
    pub(super) fn holds(&self, now: Instant, moved: Option<Instant>) -> bool {
        let is_coming = moved.is_some_and(|moved| now < moved + HOLDS);
        is_coming || (now < self.heard + HOLDS && now < self.began + SESSION)
    }

    /// Whether the session gets no answer, or has no end.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.session.is_some() && now >= self.ends()
    }

    fn ends(&self) -> Instant {
        (self.heard + ANSWER).min(self.session_began + SESSION)
    }

    /// The neighbour lacks these.
    pub(super) fn lacks(&mut self, ids: impl Iterator<Item = EnvelopeId>) {
        self.offers.extend(ids);
    }

    /// Offers as much as the neighbour can be expected to ask for.
    pub(super) fn offer(&mut self, now: Instant) {
        while !self.offers.is_empty() && (self.offered == 0 || self.offered * 2 <= self.offered_most) {
            let count = (self.offered_most - self.offered).min(Kind::MAX_HAVE).min(self.offers.len());
            if self.offered == 0 {
                self.offered_moved = now;
            }
            self.offered += count;
            let ids = self.offers.drain(..count).collect();
            self.out.push_back(Reconcile { session: self.number, step: ReconcileStep::Offer(ids) });
        }
    }

    /// The neighbour asked for so many ids.
    pub(super) fn asked_for(&mut self, now: Instant, ids: usize) {
        self.offered = self.offered.saturating_sub(ids);
        self.offered_most = self.offered_most.saturating_add(ids).min(OFFERED_MOST);
        self.offered_moved = now;
    }

    /// When this is to be looked at again, if nothing happens.
    pub(super) fn next(&self, now: Instant) -> Instant {
        if !self.out.is_empty() {
            return now + FRAME_EVERY;
        }
        if self.session.is_some() {
            return self.ends();
        }
        now + HOLDS
    }
}
