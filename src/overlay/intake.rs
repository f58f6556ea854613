//! The way of a broadcast through the core: `offer`, `verified`, `accept`.
//!
//! Between the three the host does what takes time, without the core: it verifies signatures, asks applications, appends
//! to the log. A message is relayed only by `accept`, and `accept` takes only what came out of `verified`.

use crate::envelope::{Envelope, EnvelopeId, Scheme, Verified};
use crate::identity::NodeId;

use super::index::{Judgement, live_until};
use super::output::{CoreEvent, LinkId, Output};
use super::presence::{Content, MEMBER_TITLE, PRESENCE_TITLE};
use super::standing::Offence;
use super::tickets::{Claim, Copy, Ticket};
use super::{Core, Now, Presence, Reason, TIME_TOLERANCE};

/// What is to happen with an offered envelope.
#[derive(Debug)]
pub enum Offer {
    /// Verify it, and bring the outcome to [`Core::verified`].
    Verify(Ticket, Envelope),
    /// Another copy is being verified; this one waits for the outcome.
    Parked,
    /// Nothing more happens with it.
    Drop(Reason),
}

impl Offer {
    /// The ticket and the envelope, if it is to be verified.
    pub fn into_ticket(self) -> Option<(Ticket, Envelope)> {
        match self {
            Offer::Verify(ticket, envelope) => Some((ticket, envelope)),
            Offer::Parked | Offer::Drop(_) => None,
        }
    }
}

/// Envelopes from this size on, in bytes, stay in the buffer they were received in.
const SHARES_BUFFER: usize = 32 << 10;

/// A ticket with the outcome of its verification.
#[derive(Debug)]
pub struct Judged {
    ticket: Ticket,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Good(Verified<Envelope>, Content),
    Bad(Envelope),
    GivenUp,
}

impl Judged {
    /// Verifies an envelope by the network's rule, and reads what the core needs of it. This is where the time goes:
    /// called without the core.
    pub fn by(scheme: &dyn Scheme, ticket: Ticket, envelope: Envelope) -> Self {
        let outcome = match scheme.verify(envelope.clone()) {
            Ok(verified) => {
                // A received envelope is a view into a buffer it shares with all that came with it. Here it becomes one of its
                // own, once, for log, outboxes and member table alike; a large one is most of its buffer anyway.
                let verified = if verified.size() < SHARES_BUFFER { verified.compact() } else { verified };
                let content = Content::of(&verified);
                Outcome::Good(verified, content)
            }
            Err(_) => Outcome::Bad(envelope),
        };
        Judged { ticket, outcome }
    }

    /// Gives a ticket back unused: the next copy that waits gets it, and nobody is blamed.
    pub fn given_up(ticket: Ticket) -> Self {
        Judged { ticket, outcome: Outcome::GivenUp }
    }

    /// Whether the envelope is its sender's.
    pub fn is_good(&self) -> bool {
        matches!(self.outcome, Outcome::Good(..))
    }
}

/// An envelope whose id is claimed: it is verified, indexed, and waits for its verdict.
#[derive(Debug)]
pub struct Claimed {
    envelope: Verified<Envelope>,
    content: Content,
    /// The link it came from and those that sent copies meanwhile: nobody of them needs it.
    holders: Vec<LinkId>,
    /// It came as the answer to a question.
    asked: bool,
    vouched: bool,
}

impl Claimed {
    /// The envelope.
    pub fn envelope(&self) -> &Verified<Envelope> {
        &self.envelope
    }

    /// What it is.
    pub fn content(&self) -> &Content {
        &self.content
    }
}

/// What comes out of [`Core::verified`].
#[derive(Debug, Default)]
pub struct Verdicts {
    /// To be judged by applications, appended to the log, and brought to [`Core::accept`].
    pub claimed: Vec<Claimed>,
    /// A bad copy had come first; these are to be verified in its place.
    pub again: Vec<(Ticket, Envelope)>,
}

impl Core {
    /// Asks what is to happen with envelopes that came over `link`. `vouched`: they came in PEERS, where the neighbour
    /// stands for their addresses.
    pub fn offer(&mut self, now: Now, link: LinkId, vouched: bool, batch: Vec<Envelope>) -> Vec<Offer> {
        self.heard(now, link);
        if !self.listens_to(now, link) {
            return batch.iter().map(|_| self.drop_offer(Reason::Barred)).collect();
        }
        batch.into_iter().map(|envelope| self.offer_one(now, Copy { link, vouched, envelope })).collect()
    }

    fn offer_one(&mut self, now: Now, copy: Copy) -> Offer {
        let (id, sender) = (copy.envelope.id(), copy.envelope.sender());
        let (link, vouched) = (copy.link, copy.vouched);
        if vouched && !self.belongs_in_peers(now, &copy) {
            return self.drop_offer(Reason::BadFrame);
        }
        self.asking.arrived(&id, link);
        if let Err(reason) = self.wanted(now, &copy.envelope) {
            if vouched && reason == Reason::Duplicate {
                self.learn_vouched(now, sender);
            }
            return self.drop_offer(reason);
        }
        match self.tickets.claim(now.instant, copy) {
            Claim::Verify(ticket, envelope) => Offer::Verify(ticket, envelope),
            Claim::Parked => Offer::Parked,
            Claim::Drop(reason) => {
                if reason == Reason::KnownBad {
                    self.blame(now, link, Offence::BadEnvelope, Reason::BadSignature);
                }
                self.drop_offer(reason)
            }
        }
    }

    /// A neighbour stands for what it was asked for, and in an answer there is nothing but members.
    fn belongs_in_peers(&mut self, now: Now, copy: &Copy) -> bool {
        let asked = self.links.get(&copy.link).is_none_or(|link| link.awaiting_peers > 0);
        let belongs = asked && matches!(copy.envelope.title(), PRESENCE_TITLE | MEMBER_TITLE);
        if !belongs {
            self.blame(now, copy.link, Offence::BadFrame, Reason::BadFrame);
        }
        belongs
    }

    /// Whether what comes over this link is looked at: not once its node is barred, though the link may take a moment to
    /// close.
    pub fn listens_to(&self, now: Now, link: LinkId) -> bool {
        self.links.get(&link).is_none_or(|link| !self.standing.is_barred(&link.peer, now.instant))
    }

    fn drop_offer(&mut self, reason: Reason) -> Offer {
        self.counts.count(reason);
        Offer::Drop(reason)
    }

    /// The checks that cost nothing, in the order of the protocol's verdict table.
    fn wanted(&self, now: Now, envelope: &Envelope) -> Result<(), Reason> {
        let time = envelope.time();
        if live_until(time, envelope.lifetime(), self.settings.keep) < self.clock_seen.max(now.wall) {
            return Err(Reason::Expired);
        }
        if time < self.index.floor() {
            return Err(Reason::BeforeFloor);
        }
        if time > now.wall.plus(TIME_TOLERANCE) {
            return Err(Reason::FromTheFuture);
        }
        if self.index.contains(&envelope.id()) {
            return Err(Reason::Duplicate);
        }
        // Looked at once more when it is claimed; here it saves verifying what cannot be taken.
        self.index.has_room_for(&envelope.sender())
    }

    /// Takes back tickets with their outcomes.
    pub fn verified(&mut self, now: Now, judged: Vec<Judged>) -> Verdicts {
        let mut verdicts = Verdicts::default();
        for Judged { ticket, outcome } in judged {
            match outcome {
                Outcome::Good(envelope, content) => {
                    verdicts.claimed.extend(self.claim(now, &ticket, envelope, content));
                }
                Outcome::Bad(envelope) => {
                    let (next, same) = self.tickets.failed(now.instant, &ticket, &envelope);
                    verdicts.again.extend(next);
                    self.count(Reason::BadSignature);
                    self.blame(now, ticket.link, Offence::BadEnvelope, Reason::BadSignature);
                    // Whoever brought the same bytes meanwhile brought the same rubbish.
                    for copy in same {
                        self.count(Reason::KnownBad);
                        self.blame(now, copy.link, Offence::BadEnvelope, Reason::BadSignature);
                    }
                }
                Outcome::GivenUp => verdicts.again.extend(self.tickets.given_up(&ticket)),
            }
        }
        verdicts
    }

    fn claim(&mut self, now: Now, ticket: &Ticket, envelope: Verified<Envelope>, content: Content) -> Option<Claimed> {
        let copies = self.tickets.succeeded(ticket);
        copies.iter().for_each(|_| self.counts.count(Reason::Duplicate));
        let asked = self.asking.finished(&envelope.id());
        let vouched = ticket.vouched || copies.iter().any(|copy| copy.vouched);
        if let Err(reason) = self.index.has_room_for(&envelope.sender()) {
            self.counts.count(reason);
            return None;
        }
        self.index.claim(&envelope, self.settings.keep);
        let is_flooded = !(asked || vouched);
        let in_budget = !is_flooded || self.charge_sender(now, &envelope, &content);
        let admitted = if in_budget { self.admits(&envelope, &content) } else { Err(Reason::Shed) };
        if let Err(reason) = admitted {
            self.counts.count(reason);
            self.index.judge(&envelope.id(), Judgement::Refused);
            if vouched {
                self.learn_vouched(now, envelope.sender());
            }
            return None;
        }
        let holders = std::iter::once(ticket.link).chain(copies.into_iter().map(|copy| copy.link)).collect();
        Some(Claimed { envelope, content, holders, asked, vouched })
    }

    /// The protocol's own say about a verified envelope.
    fn admits(&mut self, envelope: &Verified<Envelope>, content: &Content) -> Result<(), Reason> {
        let known_since = if content.is_logged() { self.own_log_start } else { self.own_start };
        if envelope.sender() == self.own && envelope.time() > known_since {
            // This node made everything it signed since then, and what it made is in the index.
            self.event(CoreEvent::IdentityUsedElsewhere { id: envelope.id() });
        }
        match content {
            Content::Presence(_) | Content::Leave => self.members.admits(envelope),
            Content::Member(_) => self.records.admits(envelope, |id| self.members.presence(id).is_some()),
            Content::Unreadable => Err(Reason::BadContent),
            Content::Application | Content::OtherProtocol => Ok(()),
        }
    }

    /// Relays what was claimed, appended and found good.
    pub fn accept(&mut self, now: Now, claimed: Vec<Claimed>) {
        for Claimed { envelope, content, holders, asked, vouched } in claimed {
            let id = envelope.id();
            self.index.judge(&id, Judgement::Accepted);
            self.apply(now, &envelope, content, vouched);
            if asked {
                // Others were told of it at the same time, or are still to be: ids are enough.
                self.queue_have(now, id, &holders);
            } else {
                self.relay(envelope, &holders);
            }
        }
    }

    /// Notes that an application did not want an envelope: it is not relayed, and not asked for again.
    pub fn refuse(&mut self, claimed: Claimed, reason: Reason) {
        self.counts.count(reason);
        self.index.judge(&claimed.envelope.id(), Judgement::Refused);
    }

    /// Notes that an envelope could not be kept: it is not relayed, and may come again when there is room for it.
    pub fn unremember(&mut self, claimed: &Claimed, reason: Reason) {
        self.counts.count(reason);
        self.index.release(&claimed.envelope.id());
    }

    /// Publishes an envelope of this node's own that is durable here. Says to how many neighbours it was handed.
    pub fn publish(&mut self, now: Now, envelope: Verified<Envelope>) -> usize {
        self.index.claim(&envelope, self.settings.keep);
        self.index.judge(&envelope.id(), Judgement::Accepted);
        let content = Content::of(&envelope);
        self.apply(now, &envelope, content, false);
        self.relay(envelope, &[])
    }

    /// What the core itself learns from an accepted envelope.
    fn apply(&mut self, now: Now, envelope: &Verified<Envelope>, content: Content, vouched: bool) {
        let sender = envelope.sender();
        let presence = match content {
            Content::Presence(presence) => Some(*presence),
            Content::Leave => None,
            Content::Member(record) => {
                let is_member = |id: &NodeId| self.members.presence(id).is_some();
                return self.records.put(envelope, *record, self.settings.keep, is_member);
            }
            Content::Application | Content::OtherProtocol | Content::Unreadable => return,
        };
        let changed = self.members.put(envelope, presence.clone(), self.settings.keep, now.instant);
        if sender != self.own {
            match presence {
                Some(presence) => self.learn_addresses(now, sender, &presence, vouched),
                None => self.addresses.forget(&sender),
            }
        }
        if let Some(state) = changed {
            self.event(CoreEvent::Member { id: sender, state });
            self.maintain(now);
        }
    }

    fn learn_vouched(&mut self, now: Now, member: NodeId) {
        if let Some((presence, _)) = self.members.presence(&member) {
            let presence = Presence { addresses: presence.addresses.clone(), ..Presence::default() };
            self.learn_addresses(now, member, &presence, true);
        }
    }

    /// Floods an envelope to all links but those that have it. Says to how many.
    fn relay(&mut self, envelope: Verified<Envelope>, holders: &[LinkId]) -> usize {
        let open = self.links.iter().filter(|(_, link)| !link.closing).map(|(id, _)| *id);
        let to: Vec<LinkId> = open.filter(|link| !holders.contains(link)).collect();
        let count = to.len();
        if count > 0 {
            self.output(Output::Relay { envelope, to });
        }
        count
    }

    /// Says whether an id was judged, or is being judged now.
    pub(super) fn knows(&self, id: &EnvelopeId) -> bool {
        self.index.contains(id)
    }
}
