//! The way of received envelopes from a link to the log and on: what every host does between the core's three steps.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::envelope::{Envelope, Scheme, Verified};

use super::{Core, Judged, LinkId, Now, Offer, Reason, Ticket};

/// How a host reaches its core: behind a lock, or just so.
///
/// A host that acts on outputs after each access does so in its own implementation, after it has let go of the core.
pub trait CoreAccess {
    /// Calls `act` with the core. Whatever is done in `act` is short: nothing is verified, hashed or written there.
    fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T;
}

impl CoreAccess for Mutex<Core> {
    fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        act(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CoreAccess for RefCell<Core> {
    /// # Panics
    /// If the core is in use already: `act` called for the core again.
    fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        act(&mut self.borrow_mut())
    }
}

/// Takes envelopes that came over `link` all the way: offered, verified, appended, accepted.
///
/// `vouched`: they came in PEERS. `now` is asked anew before each step, since verifying takes time. `append` puts an
/// envelope into the log and says whether it is kept; it is asked only for what belongs there. Both, and the
/// verification, run without the core, so that links work in parallel and a peer that sends rubbish slows only itself.
///
/// A link whose node gets barred on the way is not listened to any further: what else it brought is not verified, unless
/// another link brought it too.
pub fn take_in<C: CoreAccess + ?Sized>(
    core: &C,
    scheme: &dyn Scheme,
    now: impl Fn() -> Now,
    append: impl FnMut(&Verified<Envelope>) -> bool,
    link: LinkId,
    vouched: bool,
    envelopes: Vec<Envelope>,
) {
    let judge = |ticket, envelope| Judged::by(scheme, ticket, envelope);
    take_in_by(core, judge, now, append, link, vouched, envelopes);
}

/// The same with an own way to judge, for a host of many nodes: what it gets from them need neither be copied nor read
/// once more for each.
pub(crate) fn take_in_by<C: CoreAccess + ?Sized>(
    core: &C,
    judge: impl Fn(Ticket, Envelope) -> Judged,
    now: impl Fn() -> Now,
    mut append: impl FnMut(&Verified<Envelope>) -> bool,
    link: LinkId,
    vouched: bool,
    envelopes: Vec<Envelope>,
) {
    let offers = core.with(|core| core.offer(now(), link, vouched, envelopes));
    let mut waiting: VecDeque<(Ticket, Envelope)> = offers.into_iter().filter_map(Offer::into_ticket).collect();
    let mut judged = Vec::new();
    loop {
        while let Some((ticket, envelope)) = waiting.pop_front() {
            judged.push(judge(ticket, envelope));
            // The core hears of a bad one at once: it may be the last that this link is allowed.
            if judged.last().is_some_and(|judged| !judged.is_good()) {
                break;
            }
        }
        if judged.is_empty() {
            return;
        }
        let (verdicts, listened_to) =
            core.with(|core| (core.verified(now(), std::mem::take(&mut judged)), core.listens_to(now(), link)));
        waiting.extend(verdicts.again);
        if !listened_to {
            let (theirs, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(ticket, _)| ticket.link() == link);
            waiting = others.into();
            judged.extend(theirs.into_iter().map(|(ticket, _)| Judged::given_up(ticket)));
        }
        let (kept, refused): (Vec<_>, Vec<_>) = verdicts
            .claimed
            .into_iter()
            .partition(|claimed| !claimed.content().is_logged() || append(claimed.envelope()));
        if !(kept.is_empty() && refused.is_empty()) {
            core.with(|core| {
                core.accept(now(), kept);
                refused.iter().for_each(|claimed| core.unremember(claimed, Reason::LogFull));
            });
        }
    }
}
