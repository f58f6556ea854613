//! One verification per id at a time: who verifies, and who waits for the outcome.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::access::Authority;
use crate::envelope::{Envelope, EnvelopeId};
use crate::identity::Signature;

use super::presence::MEMBER_TITLE;
use super::{Instant, LinkId, Reason};

/// Copies that wait for one verification; more are dropped unremembered.
const PARKED: usize = 4;

/// How long the bytes of a refused envelope are remembered.
const BAD_FOR: Duration = Duration::from_secs(60);

/// How many refused envelopes are remembered.
const BAD_CAPACITY: usize = 4096;

/// The right, and the duty, to verify one envelope. It cannot be copied, so an id is never verified twice at a time.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(super) id: EnvelopeId,
    pub(super) link: LinkId,
    pub(super) vouched: bool,
    /// Who must have signed the certificate in it, if it may hold one.
    pub(super) authority: Option<Arc<Authority>>,
}

impl Ticket {
    /// The link that brought the envelope.
    pub fn link(&self) -> LinkId {
        self.link
    }
}

/// A copy that waits.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) link: LinkId,
    pub(super) vouched: bool,
    pub(super) envelope: Envelope,
}

/// Exactly these bytes: an id binds all that is signed.
type Exact = (EnvelopeId, Option<Signature>);

#[derive(Debug, Default)]
pub(super) struct Tickets {
    open: BTreeMap<EnvelopeId, Vec<Copy>>,
    bad: BTreeSet<Exact>,
    bad_by_age: VecDeque<(Instant, Exact)>,
    /// Who signs certificates, where there are any.
    authority: Option<Arc<Authority>>,
}

/// What is to happen with a copy of an unseen envelope.
pub(super) enum Claim {
    Verify(Ticket, Envelope),
    Parked,
    Drop(Reason),
}

impl Tickets {
    pub(super) fn new(authority: Option<Arc<Authority>>) -> Self {
        Tickets { authority, ..Tickets::default() }
    }

    fn ticket(&self, copy: Copy) -> (Ticket, Envelope) {
        let authority = self.authority.as_ref().filter(|_| copy.envelope.title() == MEMBER_TITLE);
        let (id, authority) = (copy.envelope.id(), authority.cloned());
        (Ticket { id, link: copy.link, vouched: copy.vouched, authority }, copy.envelope)
    }

    /// A copy of an envelope that was not seen before.
    pub(super) fn claim(&mut self, now: Instant, copy: Copy) -> Claim {
        while self.bad_by_age.front().is_some_and(|(at, _)| now.since(*at) >= BAD_FOR) {
            self.forget_oldest_bad();
        }
        if self.bad.contains(&exact(&copy.envelope)) {
            return Claim::Drop(Reason::KnownBad);
        }
        let id = copy.envelope.id();
        match self.open.get_mut(&id) {
            Some(parked) if parked.len() >= PARKED => Claim::Drop(Reason::Busy),
            Some(parked) => {
                parked.push(copy);
                Claim::Parked
            }
            None => {
                self.open.insert(id, Vec::new());
                let (ticket, envelope) = self.ticket(copy);
                Claim::Verify(ticket, envelope)
            }
        }
    }

    /// The verification succeeded: the copies that waited are duplicates.
    pub(super) fn succeeded(&mut self, ticket: &Ticket) -> Vec<Copy> {
        self.open.remove(&ticket.id).unwrap_or_default()
    }

    /// The verification failed for these bytes: the next copy with other bytes gets the ticket. Copies with the same
    /// bytes come back, they are as bad.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        ticket: &Ticket,
        bytes: &Envelope,
    ) -> (Option<(Ticket, Envelope)>, Vec<Copy>) {
        let refused = exact(bytes);
        if self.bad.insert(refused) {
            self.bad_by_age.push_back((now, refused));
        }
        if self.bad_by_age.len() > BAD_CAPACITY {
            self.forget_oldest_bad();
        }
        let parked = self.open.get_mut(&ticket.id);
        let same = parked.map(|parked| parked.extract_if(.., |copy| exact(&copy.envelope) == refused).collect());
        (self.given_up(ticket), same.unwrap_or_default())
    }

    /// Nobody verifies with this ticket any more: the next copy gets one.
    pub(super) fn given_up(&mut self, ticket: &Ticket) -> Option<(Ticket, Envelope)> {
        let parked = self.open.get_mut(&ticket.id)?;
        if parked.is_empty() {
            self.open.remove(&ticket.id);
            return None;
        }
        let copy = parked.remove(0);
        Some(self.ticket(copy))
    }

    fn forget_oldest_bad(&mut self) {
        if let Some((_, exact)) = self.bad_by_age.pop_front() {
            self.bad.remove(&exact);
        }
    }
}

fn exact(envelope: &Envelope) -> Exact {
    (envelope.id(), envelope.signature())
}
