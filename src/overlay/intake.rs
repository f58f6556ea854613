//! The way of a broadcast through the core: `offer`, `verified`, `accept`.
//!
//! Between the three the host does what takes time, without the core: it verifies signatures, asks applications, appends
//! to the log. A message is relayed only by `accept`, and `accept` takes only what came out of `verified`.

use crate::access::{Admittance, Authority};
use crate::envelope::{Envelope, EnvelopeId, Scheme, Verified};
use crate::identity::NodeId;

use super::asking::{AskedFor, Finished};
use super::index::{Judgement, live_until};
use super::output::{CoreEvent, LinkId};
use super::presence::{Content, MEMBER_TITLE, PRESENCE_TITLE};
use super::relay::Handed;
use super::standing::Offence;
use super::tickets::{Claim, Copy, Ticket};
use super::{Core, Held, Now, Reason, TIME_TOLERANCE};

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

/// A link that brought so many messages of others, each before anybody else did, has shown what it is for.
const USEFUL: u64 = 64;
/// So many of its envelopes are verified before the core hears of them. More would save little: what they share is a tenth
/// of a verification.
const AT_ONCE: usize = 8;

/// A received envelope is a view into a buffer it shares with all that came with it. Here it becomes one of its own, once,
/// for log, outboxes and member table alike; a large one is most of its buffer anyway.
fn own_buffer(verified: Verified<Envelope>) -> Verified<Envelope> {
    if verified.size() < SHARES_BUFFER { verified.compact() } else { verified }
}

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
        Self::with(scheme.verify(envelope.clone()).map(own_buffer).ok(), ticket, envelope, Content::of)
    }

    /// The same for envelopes that came together, which is cheaper than one after the other. Appends to `judged`.
    pub fn by_each(
        scheme: &dyn Scheme,
        tickets: &mut dyn ExactSizeIterator<Item = (Ticket, Envelope)>,
        judged: &mut Vec<Self>,
    ) {
        if tickets.len() < 2 {
            judged.extend(tickets.map(|(ticket, envelope)| Self::by(scheme, ticket, envelope)));
            return;
        }
        let tickets: Vec<_> = tickets.collect();
        let verified = scheme.verify_each(tickets.iter().map(|(_, envelope)| envelope.clone()).collect());
        judged.extend(tickets.into_iter().zip(verified).map(|((ticket, envelope), verified)| {
            Self::with(verified.map(own_buffer).ok(), ticket, envelope, Content::of)
        }));
    }

    /// The same for a host whose envelopes lie in buffers of their own already, and which knows another way to read them.
    pub(crate) fn reading(
        scheme: &dyn Scheme,
        ticket: Ticket,
        envelope: Envelope,
        read: impl FnOnce(&Verified<Envelope>, Option<&Authority>) -> Content,
    ) -> Self {
        Self::with(scheme.verify(envelope.clone()).ok(), ticket, envelope, read)
    }

    fn with(
        verified: Option<Verified<Envelope>>,
        ticket: Ticket,
        envelope: Envelope,
        read: impl FnOnce(&Verified<Envelope>, Option<&Authority>) -> Content,
    ) -> Self {
        let outcome = match verified {
            Some(verified) => {
                let content = read(&verified, ticket.authority.as_deref());
                Outcome::Good(verified, content)
            }
            None => Outcome::Bad(envelope),
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
#[derive(Clone, Debug)]
pub struct Claimed {
    envelope: Verified<Envelope>,
    content: Content,
    /// The link it came from, and those that sent copies meanwhile or announced it: nobody of them needs it.
    holders: Vec<LinkId>,
    /// It came as the answer to a question.
    asked: Option<AskedFor>,
    /// The link it was fetched from, if it was found missing.
    repaired: Option<LinkId>,
    vouched: bool,
}

impl Claimed {
    /// The envelope.
    pub fn envelope(&self) -> &Verified<Envelope> {
        &self.envelope
    }

    /// The link it came from.
    pub fn brought_by(&self) -> Option<LinkId> {
        self.holders.first().copied()
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
        let offers = batch.into_iter().map(|envelope| self.offer_one(now, Copy { link, vouched, envelope })).collect();
        self.ask_on(link);
        offers
    }

    fn offer_one(&mut self, now: Now, copy: Copy) -> Offer {
        let (id, sender) = (copy.envelope.id(), copy.envelope.sender());
        let (link, vouched) = (copy.link, copy.vouched);
        if vouched && !self.belongs_in_peers(now, &copy) {
            return self.drop_offer(Reason::BadFrame);
        }
        let size = copy.envelope.size();
        let is_answer = self.asking.arrived(&id, link);
        let is_fetched = self.repair.fetch.arrived(&id, link, size);
        if !(vouched || is_answer || is_fetched) {
            self.charge_link(now, link, 1, size);
        }
        if let Err(reason) = self.wanted(now, &copy.envelope) {
            if is_fetched && reason != Reason::Duplicate {
                self.repair.fetch.declined(now.instant, &id);
            }
            if reason == Reason::Duplicate {
                self.repair.fetch.forget(&id);
                self.has_it(now, &id, link, vouched);
                if vouched {
                    self.learn_vouched(now, sender);
                }
            }
            return self.drop_offer(reason);
        }
        // What repair fetches, and what a neighbour stands for, is bounded by what is asked.
        if !(vouched || is_fetched) && self.sheds_unread(now, &copy.envelope) {
            self.asking.declined(&id);
            return self.drop_offer(Reason::Shed);
        }
        match self.tickets.claim(now.instant, copy) {
            Claim::Verify(ticket, envelope) => {
                self.charge_verification(now, link);
                Offer::Verify(ticket, envelope)
            }
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

    /// How many envelopes from a link are verified before the core hears of it. One from a link that is new: the next that
    /// is bad may be the last it is allowed. Several from one that has brought what is good: together they are cheaper, and
    /// a bad one among them is found as many verifications later.
    pub fn verifies_at_once(&self, link: LinkId) -> usize {
        let is_useful = self.links.get(&link).is_some_and(|link| link.news >= USEFUL);
        if is_useful { AT_ONCE } else { 1 }
    }

    /// Whether what comes over this link is looked at: not once its node is barred, though the link may take a moment to
    /// close.
    pub fn listens_to(&self, now: Now, link: LinkId) -> bool {
        self.links.get(&link).is_none_or(|link| !self.is_barred(now, &link.peer))
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
                    self.repair.fetch.forget(&envelope.id());
                    let (next, same) = self.tickets.failed(now.instant, &ticket, &envelope);
                    if let Some((ticket, _)) = &next {
                        self.charge_verification(now, ticket.link);
                    }
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
        let Finished { asked, announcers } = self.asking.finished(now.instant, &envelope.id());
        let repaired = self.repair.fetch.finished(now.instant, &envelope.id());
        // A new name costs nothing. Whoever floods what names of its own making say would seem to bring most things first,
        // and have the honest prune each other. Where not all members can be known, most who speak are strangers.
        let is_stranger = self.members.presence(&envelope.sender()).is_none()
            && (envelope.title() == PRESENCE_TITLE || self.members.count() < self.settings.member_capacity)
            && !self.tree.strangers.take(now.instant);
        let by_itself = asked.is_none() && repaired.is_none() && !ticket.vouched && !is_stranger;
        for copy in &copies {
            self.counts.count(Reason::Duplicate);
            if by_itself && !copy.vouched {
                self.came_again(now, copy.link);
            }
        }
        if by_itself {
            self.came_first(now, ticket.link);
        } else {
            self.tree.late.insert(&envelope.id());
        }
        if asked == Some(AskedFor::News) {
            self.came_when_asked(now, ticket.link);
        }
        if !ticket.vouched
            && let Some(link) = self.links.get_mut(&ticket.link).filter(|link| link.peer != envelope.sender())
        {
            link.news = link.news.saturating_add(1);
        }
        let vouched = ticket.vouched || copies.iter().any(|copy| copy.vouched);
        if let Err(reason) = self.index.has_room_for(&envelope.sender()) {
            self.counts.count(reason);
            if repaired.is_some() {
                self.repair.fetch.declined(now.instant, &envelope.id());
            }
            return None;
        }
        self.index.claim(&envelope, self.settings.keep);
        if let Content::Member { certificate: Some(certificate), .. } = &content {
            // It speaks for itself, whatever becomes of the record.
            self.learn_certificate(now, certificate);
        }
        let mut is_known = true;
        if !self.admission.is_open() {
            match self.not_admitted(&envelope, &content) {
                None => {}
                Some(Admittance::Unknown) => is_known = false,
                Some(admittance) => {
                    let revoked = admittance == Admittance::Revoked;
                    self.withhold(&envelope, if revoked { Reason::Revoked } else { Reason::NotAdmitted });
                    return None;
                }
            }
        }
        // What the tree failed to bring is news all the same.
        let is_flooded = !vouched && asked != Some(AskedFor::Past) && repaired.is_none();
        let in_budget = !is_flooded || self.charge_sender(now, &envelope);
        let copies = copies.into_iter().map(|copy| copy.link);
        let holders = std::iter::once(ticket.link).chain(copies).chain(announcers).collect();
        let claimed = Claimed { envelope, content, holders, asked, repaired, vouched };
        if !in_budget {
            self.refuse_claimed(now, &claimed, Reason::Shed);
            return None;
        }
        if !is_known {
            self.wait_for_certificate(now, ticket.link, claimed);
            return None;
        }
        self.admit_claimed(now, claimed)
    }

    /// The protocol's own say about an envelope whose sender is admitted.
    pub(super) fn admit_claimed(&mut self, now: Now, claimed: Claimed) -> Option<Claimed> {
        match self.admits(&claimed.envelope, &claimed.content) {
            Ok(()) => Some(claimed),
            Err(reason) => {
                self.refuse_claimed(now, &claimed, reason);
                None
            }
        }
    }

    fn refuse_claimed(&mut self, now: Now, claimed: &Claimed, reason: Reason) {
        self.counts.count(reason);
        self.index.judge(&claimed.envelope.id(), Judgement::Refused);
        if claimed.vouched {
            self.learn_vouched(now, claimed.envelope.sender());
        }
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
            Content::Member { .. } => self.records.admits(envelope),
            Content::Shutdown => self.admits_shutdown(envelope),
            Content::Unreadable => Err(Reason::BadContent),
            Content::Application | Content::OtherProtocol => Ok(()),
        }
    }

    /// Relays what was claimed, appended and found good.
    pub fn accept(&mut self, now: Now, claimed: Vec<Claimed>) {
        for Claimed { envelope, content, holders, asked, repaired, vouched } in claimed {
            let id = envelope.id();
            if !self.is_still_admitted(&envelope, &content) {
                continue;
            }
            self.index.judge(&id, Judgement::Accepted);
            if content == Content::Shutdown {
                self.shut_down(&envelope, &holders);
                continue;
            }
            if content.is_logged() {
                self.holders.add(&envelope, self.own, &holders);
                self.learnt_of(envelope.time());
            }
            self.apply(now, &envelope, content, vouched);
            if let Some(link) = repaired {
                if self.repaired(now, link, &envelope) {
                    self.relay_late(now, &envelope, &holders, AskedFor::Past);
                }
                continue;
            }
            match asked {
                None => {
                    self.relay(now, &envelope, &holders);
                }
                Some(asked) => self.relay_late(now, &envelope, &holders, asked),
            }
        }
        self.repair_moved(now);
    }

    /// Notes that an application did not want an envelope: it is not relayed, and not asked for again.
    pub fn refuse(&mut self, claimed: Claimed, reason: Reason) {
        self.counts.count(reason);
        self.index.judge(&claimed.envelope.id(), Judgement::Refused);
    }

    /// Notes that an application found an envelope to be against its rules. That costs the standing of its author and of the
    /// neighbour that passed it on, each if it announced the same application in the same version: others could not know, and
    /// a mixed network would bar its honest half.
    pub fn reject(&mut self, now: Now, claimed: Claimed, app: &str) {
        let relay = claimed.holders.first().and_then(|link| self.links.get(link)).map(|link| link.peer);
        let runs_it = |peer: &NodeId| {
            let theirs = self.members.presence(peer).and_then(|(presence, _)| presence.apps.get(app));
            *peer != self.own && theirs.is_some() && theirs == self.apps.get(app)
        };
        let mut guilty: Vec<NodeId> = relay.into_iter().chain([claimed.envelope.sender()]).filter(runs_it).collect();
        guilty.dedup();
        let reason = if guilty.is_empty() { Reason::ForeignApplication } else { Reason::ApplicationRejected };
        for node in guilty {
            self.blame_node(now, node, Offence::Rejected, reason);
        }
        self.refuse(claimed, reason);
    }

    /// Notes that an envelope could not be kept: it is not relayed, and may come again when there is room for it.
    pub fn unremember(&mut self, now: Now, claimed: &Claimed, reason: Reason) {
        self.counts.count(reason);
        self.index.release(&claimed.envelope.id());
        if claimed.repaired.is_some() {
            self.repair.fetch.declined(now.instant, &claimed.envelope.id());
        }
    }

    /// Publishes an envelope of this node's own that is durable here. Says to how many neighbours it goes.
    pub fn publish(&mut self, now: Now, envelope: Verified<Envelope>) -> Handed {
        self.index.claim(&envelope, self.settings.keep);
        self.index.judge(&envelope.id(), Judgement::Accepted);
        // What this node says of itself it need not check, and it knows its own certificate.
        let content = Content::of(&envelope, None);
        if content == Content::Shutdown {
            let handed = Handed { contents: self.link_count(), ids: 0 };
            self.shut_down(&envelope, &[]);
            return handed;
        }
        self.apply(now, &envelope, content, false);
        self.holders.add(&envelope, self.own, &[]);
        self.learnt_of(envelope.time());
        self.relay(now, &envelope, &[])
    }

    /// What the core itself learns from an accepted envelope.
    fn apply(&mut self, now: Now, envelope: &Verified<Envelope>, content: Content, vouched: bool) {
        let sender = envelope.sender();
        let presence = match content {
            Content::Presence(presence) => Some(presence),
            Content::Leave => None,
            Content::Member { record, .. } => {
                let is_member = |id: &NodeId| self.members.presence(id).is_some();
                if !self.records.put(envelope, *record, self.settings.keep, is_member) {
                    // Others keep it.
                    self.counts.count(Reason::TableFull);
                }
                return;
            }
            Content::Application | Content::Shutdown | Content::OtherProtocol | Content::Unreadable => return,
        };
        let put = self.members.put(envelope, presence.clone(), self.settings.keep, now.instant);
        if !put.is_kept {
            // Others keep it. But where it is may be what connects this part of the network with another.
            self.counts.count(Reason::TableFull);
            if let Some(presence) = presence.filter(|_| vouched) {
                self.learn_addresses(now, sender, &presence, true);
            }
            return;
        }
        if let Some(displaced) = put.displaced {
            self.addresses.forget(&displaced);
        }
        let changed = put.change;
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
        if let Some(presence) = self.members.shared_presence(&member) {
            self.learn_addresses(now, member, &presence, true);
        }
    }

    /// A neighbour brought what is known here: it has it.
    fn has_it(&mut self, now: Now, id: &EnvelopeId, link: LinkId, vouched: bool) {
        if !vouched && !self.tree.late.contains(id) {
            self.came_again(now, link);
        } else if !vouched && self.is_eager(link) {
            // The tree was late with it. That it comes twice is the asking's doing, and shows no circle.
            self.asking.was_hasty(now.instant);
        }
        self.is_known_to(id, link);
        self.holders.note(id, link, Held::Announced);
    }

    /// Says whether an id was judged, is being judged now, or is not to be judged yet.
    pub(super) fn knows(&self, id: &EnvelopeId) -> bool {
        self.index.contains(id) || self.budgets.is_unread(id.into())
    }
}
