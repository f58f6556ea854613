//! The side of a session that was asked.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::wire::{ReconcileAccept, ReconcileEnd, ReconcileOpen};

use super::super::{Instant, LinkId};
use super::budget::Budget;
use super::engine;
use super::items::{PART, Window};

/// How long a session lasts at most, and how long it waits for the opener.
const SESSION: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(10);
/// Questions in one session.
const ROUNDS: u32 = 64;
/// Ids held for all sessions together: eight full windows, 10 MiB. Who comes when that is used up comes again later.
const HELD: usize = 8 * PART;

/// The sessions that others have begun here, one a link.
#[derive(Debug, Default)]
pub(super) struct Responders {
    sessions: BTreeMap<LinkId, Session>,
    budgets: BTreeMap<LinkId, Budget>,
    /// Where the window ends that was compared last.
    compared: BTreeMap<LinkId, u64>,
}

#[derive(Debug)]
struct Session {
    number: u16,
    window: Window,
    began: Instant,
    heard: Instant,
    rounds: u32,
}

impl Responders {
    pub(super) fn link_opened(&mut self, now: Instant, link: LinkId) {
        self.budgets.insert(link, Budget::new(now));
    }

    pub(super) fn link_closed(&mut self, link: LinkId) {
        self.sessions.remove(&link);
        self.budgets.remove(&link);
        self.compared.remove(&link);
    }

    /// Whether a frame of the link's own session is within its budget.
    pub(super) fn may_speak(&mut self, now: Instant, link: LinkId) -> bool {
        self.budgets.get_mut(&link).is_some_and(|budget| budget.frame(now))
    }

    /// Whether there is time and room for a session with the link. An earlier one of the link is over in any case.
    pub(super) fn has_room(&mut self, now: Instant, link: LinkId) -> bool {
        self.sessions.remove(&link);
        let held: usize = self.sessions.values().map(|session| session.window.items.len()).sum();
        held + PART <= HELD && self.budgets.get_mut(&link).is_some_and(|budget| budget.may_work(now))
    }

    /// Answers an OPEN with what this node has in the window. A session goes on only if the digests differ.
    pub(super) fn open(
        &mut self,
        now: Instant,
        link: LinkId,
        number: u16,
        open: &ReconcileOpen,
        window: Window,
    ) -> ReconcileAccept {
        let Window { ref items, from, to } = window;
        self.compared.insert(link, to);
        let (digest, count) = (items.digest(), u32::try_from(items.len()).unwrap_or(u32::MAX));
        if let Some(budget) = self.budgets.get_mut(&link) {
            budget.worked(items.len() + 1_000);
        }
        if (from, to, digest) != (open.from, open.to, open.digest) {
            let session = Session { number, window, began: now, heard: now, rounds: 0 };
            self.sessions.insert(link, session);
        }
        ReconcileAccept { from, to, digest, count }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// Why the session is over; `None`: there is none.
    pub(super) fn query(
        &mut self,
        now: Instant,
        link: LinkId,
        number: u16,
        query: &[u8],
    ) -> Result<Bytes, Option<ReconcileEnd>> {
        let session = self.session(link, number).ok_or(None)?;
        (session.heard, session.rounds) = (now, session.rounds + 1);
        let (rounds, ids) = (session.rounds, session.window.items.len());
        let may_work = self.budgets.get_mut(&link).is_some_and(|budget| {
            let may_work = budget.may_work(now);
            budget.worked(ids / 4 + query.len() / 32 + 100);
            may_work
        });
        let answer = match self.session(link, number) {
            _ if rounds > ROUNDS => Err(ReconcileEnd::TooMany),
            _ if !may_work => Err(ReconcileEnd::Busy),
            Some(session) => engine::answer(&session.window.items, query).map_err(|_| ReconcileEnd::Refused),
            None => Err(ReconcileEnd::Refused),
        };
        match &answer {
            Ok(answer) => {
                if let Some(budget) = self.budgets.get_mut(&link) {
                    budget.worked(answer.len() / 32);
                }
            }
            Err(_) => drop(self.sessions.remove(&link)),
        }
        answer.map_err(Some)
    }

    /// Whether so many ids may be offered now, and if so, where the window ends that was compared last.
    pub(super) fn may_offer(&mut self, now: Instant, link: LinkId, ids: usize) -> Option<u64> {
        let to = *self.compared.get(&link)?;
        let budget = self.budgets.get_mut(&link)?;
        let may = budget.may_work(now);
        budget.worked(ids);
        may.then_some(to)
    }

    /// The opener has ended its session.
    pub(super) fn ended(&mut self, link: LinkId, number: u16) {
        if self.session(link, number).is_some() {
            self.sessions.remove(&link);
        }
    }

    /// Ends what has lasted too long.
    pub(super) fn expire(&mut self, now: Instant) {
        self.sessions.retain(|_, session| now < session.ends());
    }

    /// When the next session has lasted too long.
    pub(super) fn next(&self) -> Option<Instant> {
        self.sessions.values().map(Session::ends).min()
    }

    /// How many ids are held for all sessions.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.sessions.values().map(|session| session.window.items.len()).sum()
    }

    fn session(&mut self, link: LinkId, number: u16) -> Option<&mut Session> {
        self.sessions.get_mut(&link).filter(|session| session.number == number)
    }
}

impl Session {
    fn ends(&self) -> Instant {
        (self.began + SESSION).min(self.heard + IDLE)
    }
}
