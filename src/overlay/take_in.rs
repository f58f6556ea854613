//! The way of received envelopes from a link to the log and on: what every host does between the core's three steps.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::envelope::{Envelope, Scheme, Verified};

use super::{Claimed, Core, Judged, LinkId, Now, Offer, Reason, Ticket};

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

/// What a host does with verified broadcasts. A closure that appends will do where no application judges.
pub trait Keep {
    /// Puts an envelope into the log, and says whether it is kept. Asked only for what belongs there.
    fn append(&mut self, claimed: &Claimed) -> bool;

    /// Gives back what no application here has a say in, and keeps what one has: that is appended and accepted when its
    /// verdict is there.
    fn judge(&mut self, claimed: Claimed) -> Option<Claimed> {
        Some(claimed)
    }
}

impl<F: FnMut(&Verified<Envelope>) -> bool> Keep for F {
    fn append(&mut self, claimed: &Claimed) -> bool {
        self(claimed.envelope())
    }
}

/// Takes envelopes that came over `link` all the way: offered, verified, appended, accepted.
///
/// `vouched`: they came in PEERS. `now` is asked anew before each step, since verifying takes time. What `keep` does, and
/// the verification, run without the core, so that links work in parallel and a peer that sends rubbish slows only itself.
///
/// A link whose node gets barred on the way is not listened to any further: what else it brought is not verified, unless
/// another link brought it too.
pub fn take_in<C: CoreAccess + ?Sized>(
    core: &C,
    scheme: &dyn Scheme,
    now: impl Fn() -> Now,
    keep: impl Keep,
    link: LinkId,
    vouched: bool,
    envelopes: Vec<Envelope>,
) {
    let judge = |tickets: &mut dyn ExactSizeIterator<Item = (Ticket, Envelope)>, judged: &mut Vec<Judged>| {
        Judged::by_each(scheme, tickets, judged);
    };
    take_in_by(core, judge, now, keep, link, vouched, envelopes);
}

/// The same with an own way to judge, for a host of many nodes: what it gets from them need neither be copied nor read
/// once more for each.
pub(crate) fn take_in_by<C: CoreAccess + ?Sized>(
    core: &C,
    judge: impl Fn(&mut dyn ExactSizeIterator<Item = (Ticket, Envelope)>, &mut Vec<Judged>),
    now: impl Fn() -> Now,
    mut keep: impl Keep,
    link: LinkId,
    vouched: bool,
    envelopes: Vec<Envelope>,
) {
    let (offers, mut at_once) =
        core.with(|core| (core.offer(now(), link, vouched, envelopes), core.verifies_at_once(link)));
    let mut waiting: VecDeque<(Ticket, Envelope)> = offers.into_iter().filter_map(Offer::into_ticket).collect();
    let mut judged = Vec::new();
    loop {
        while !waiting.is_empty() {
            let before = judged.len();
            judge(&mut waiting.drain(..at_once.min(waiting.len())), &mut judged);
            // The core hears of a bad one at once: it may be the last that this link is allowed.
            if judged.iter().skip(before).any(|judged| !judged.is_good()) {
                at_once = 1;
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
        keep_and_accept(core, &mut keep, &now, verdicts.claimed);
    }
}

/// The end of that way: what was claimed is judged, appended, and accepted if it is kept.
pub(crate) fn keep_and_accept<C: CoreAccess + ?Sized>(
    core: &C,
    keep: &mut impl Keep,
    now: impl Fn() -> Now,
    claimed: Vec<Claimed>,
) {
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for claimed in claimed {
        if !claimed.content().is_logged() {
            kept.push(claimed);
        } else if let Some(claimed) = keep.judge(claimed) {
            let is_kept = keep.append(&claimed);
            if is_kept { &mut kept } else { &mut refused }.push(claimed);
        }
    }
    if !(kept.is_empty() && refused.is_empty()) {
        core.with(|core| {
            core.accept(now(), kept);
            refused.iter().for_each(|claimed| core.unremember(now(), claimed, Reason::LogFull));
        });
    }
}
