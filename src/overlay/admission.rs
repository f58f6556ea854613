//! Closed networks: whose envelopes count, who may be linked with, and what becomes of both when that changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::access::{Admission, Admittance, Attested, Authority, Certificate, Revocations, Rights};
use crate::envelope::{Envelope, EnvelopeId, Timestamp};
use crate::identity::NodeId;
use crate::wire::{Frame, GoodbyeCode, Kind};

use super::core::Timer;
use super::index::Judgement;
use super::intake::Claimed;
use super::links::Opening;
use super::output::{CoreEvent, LinkId, Output};
use super::presence::Content;
use super::{Core, Instant, MemberState, Now, Reason};

/// Envelopes and bytes that wait for one link until it is known whether their senders are admitted, and for how long.
const WAITING: usize = 64;
const WAITING_BYTES: usize = 1 << 20;
const WAITS: Duration = Duration::from_secs(10);
/// A question that could not be asked yet is tried again after this time.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Questions for certificates in one go, and one more in the time in which one is answered. Half of what is answered: the
/// other half is for members.
pub(super) const QUESTIONS: u32 = 2;
/// Ids of whoever is not admitted that become free when he is. Those that were refused before stay refused.
const WITHHELD: usize = 65_536;
/// How far ahead the end of a certificate is set a timer for.
const LOOK_AHEAD: Duration = Duration::from_secs(24 * 3600);

/// Envelopes whose senders nobody has vouched for yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// In the order in which they came.
    all: BTreeMap<u64, Waiter>,
    by_sender: BTreeMap<NodeId, BTreeSet<u64>>,
    by_link: BTreeMap<LinkId, Load>,
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    claimed: Claimed,
    link: LinkId,
    since: Instant,
    asked: bool,
}

#[derive(Debug, Default)]
struct Load {
    count: usize,
    bytes: usize,
}

impl Waiting {
    /// Lets an envelope wait, or gives it back if too much does.
    fn put(&mut self, now: Instant, link: LinkId, claimed: Claimed) -> Option<Claimed> {
        let load = self.by_link.entry(link).or_default();
        let size = claimed.envelope().size();
        if load.count >= WAITING || load.bytes + size > WAITING_BYTES {
            return Some(claimed);
        }
        (load.count, load.bytes) = (load.count + 1, load.bytes + size);
        self.next += 1;
        self.by_sender.entry(claimed.envelope().sender()).or_default().insert(self.next);
        self.all.insert(self.next, Waiter { claimed, link, since: now, asked: false });
        None
    }

    fn take(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.all.remove(&number)?;
        let (sender, size) = (waiter.claimed.envelope().sender(), waiter.claimed.envelope().size());
        if let Some(numbers) = self.by_sender.get_mut(&sender) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_sender.remove(&sender);
            }
        }
        if let Some(load) = self.by_link.get_mut(&waiter.link) {
            (load.count, load.bytes) = (load.count - 1, load.bytes - size);
            if load.count == 0 {
                self.by_link.remove(&waiter.link);
            }
        }
        Some(waiter)
    }

    fn of(&mut self, sender: &NodeId) -> Vec<Waiter> {
        let numbers = self.by_sender.get(sender).cloned().unwrap_or_default();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    fn oldest(&self) -> Option<(u64, Instant)> {
        self.all.first_key_value().map(|(number, waiter)| (*number, waiter.since))
    }

    /// Whom to ask for whose certificates: of each link those that it brought.
    fn questions(&self) -> BTreeMap<LinkId, BTreeSet<NodeId>> {
        let mut questions: BTreeMap<LinkId, BTreeSet<NodeId>> = BTreeMap::new();
        for waiter in self.all.values().filter(|waiter| !waiter.asked) {
            questions.entry(waiter.link).or_default().insert(waiter.claimed.envelope().sender());
        }
        questions
    }

    fn asked(&mut self, link: LinkId, senders: &BTreeSet<NodeId>) {
        for waiter in self.all.values_mut() {
            waiter.asked |= waiter.link == link && senders.contains(&waiter.claimed.envelope().sender());
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

/// Ids that were refused because their sender is not admitted, and are to be had when it is.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    of: BTreeMap<NodeId, BTreeSet<EnvelopeId>>,
    order: VecDeque<(NodeId, EnvelopeId)>,
}

impl Withheld {
    fn put(&mut self, sender: NodeId, id: EnvelopeId) {
        if self.of.entry(sender).or_default().insert(id) {
            self.order.push_back((sender, id));
        }
        while self.order.len() > WITHHELD {
            let Some((sender, id)) = self.order.pop_front() else { return };
            self.remove(&sender, &id);
        }
    }

    fn remove(&mut self, sender: &NodeId, id: &EnvelopeId) {
        if let Some(ids) = self.of.get_mut(sender) {
            ids.remove(id);
            if ids.is_empty() {
                self.of.remove(sender);
            }
        }
    }

    fn take(&mut self, sender: &NodeId) -> BTreeSet<EnvelopeId> {
        let ids = self.of.remove(sender).unwrap_or_default();
        if !ids.is_empty() {
            self.order.retain(|(other, _)| other != sender);
        }
        ids
    }

    fn senders(&self) -> Vec<NodeId> {
        self.of.keys().copied().collect()
    }
}

/// What contents a log is to let go of: those of these senders that no certificate stands for any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withdrawal(BTreeMap<NodeId, Vec<Attested<Certificate>>>);

impl Withdrawal {
    /// Whether what `sender` made at `time` is to go.
    pub fn takes(&self, sender: &NodeId, time: Timestamp) -> bool {
        let still = |certificate: &Attested<Certificate>| certificate.covers(second(time));
        self.0.get(sender).is_some_and(|counting| !counting.iter().any(still))
    }
}

/// The second that certificates count a time by.
pub(super) fn second(time: Timestamp) -> u64 {
    time.as_micros() / 1_000_000
}

fn reason_of(admittance: Admittance) -> Reason {
    if admittance == Admittance::Revoked { Reason::Revoked } else { Reason::NotAdmitted }
}

impl Core {
    /// Who is admitted, as far as is known here.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Whose signature a certificate needs, where there are certificates.
    pub fn authority(&self) -> Option<&Authority> {
        self.admission.certified().map(|certified| &**certified.authority())
    }

    /// Whether this node itself may publish now: others would ignore it otherwise.
    ///
    /// # Errors
    /// Why not.
    pub fn may_publish(&self, now: Now) -> Result<(), Reason> {
        self.own_right(now, Rights::PUBLISH)
    }

    /// Whether this node may shut the network down.
    ///
    /// # Errors
    /// Why not.
    pub fn may_shut_down(&self, now: Now) -> Result<(), Reason> {
        self.own_right(now, Rights::PUBLISH)?;
        self.own_right(now, Rights::SHUTDOWN).map_err(|_| Reason::NotAllowed)
    }

    fn own_right(&self, now: Now, right: Rights) -> Result<(), Reason> {
        match self.admission.judge(&self.own, second(now.wall), right) {
            Admittance::Admitted => Ok(()),
            other => Err(reason_of(other)),
        }
    }

    /// Whether a node may be linked with for all that is known without its certificate.
    pub(super) fn may_link(&self, now: Now, peer: &NodeId) -> Result<(), Reason> {
        match self.admission.judge(peer, second(now.wall), Rights::LINK) {
            Admittance::Admitted | Admittance::Unknown => Ok(()),
            other => Err(reason_of(other)),
        }
    }

    /// Whether the certificate that a node showed in its HELLO lets it be linked with.
    pub(super) fn check_certificate(&self, now: Now, opening: &Opening) -> Result<(), Reason> {
        let Some(certified) = self.admission.certified() else { return self.may_link(now, &opening.peer) };
        let shown = opening.certificate.as_ref().ok_or(Reason::NotAdmitted)?;
        if shown.membership().subject != opening.peer {
            return Err(Reason::NotAdmitted);
        }
        match certified.says(shown, second(now.wall), Rights::LINK) {
            Some(Admittance::Admitted) => Ok(()),
            Some(other) => Err(reason_of(other)),
            None => Err(Reason::NotAdmitted),
        }
    }

    /// A link is open: what its node showed is known now, and it hears of revocations that it does not know of.
    pub(super) fn admission_link_opened(&mut self, now: Now, opening: &Opening) {
        if self.admission.is_open() {
            return;
        }
        if let Some(certificate) = &opening.certificate {
            self.learn_certificate(now, certificate);
        }
        let own = self.admission.epoch();
        if let (Some(theirs), Some(own)) = (opening.epoch, own)
            && theirs < own
        {
            self.send_revocations(opening.link);
        }
        self.schedule_expiry(now);
    }

    fn send_revocations(&mut self, link: LinkId) {
        let list = self.admission.certified().and_then(|certified| certified.revocations());
        if let Some(list) = list.map(|list| list.encode()) {
            self.send(link, Frame::Revocations(list.into()));
        }
    }

    /// Whether a verified envelope may go on: `None` if its sender is admitted, and else why not, or that it is not known.
    pub(super) fn not_admitted(&self, envelope: &Envelope, content: &Content) -> Option<Admittance> {
        let (sender, time) = (envelope.sender(), second(envelope.time()));
        if *content == Content::Shutdown && self.authority().is_some_and(|authority| authority.id() == sender) {
            return None;
        }
        match self.admission.judge(&sender, time, Rights::PUBLISH) {
            Admittance::Admitted => None,
            other => Some(other),
        }
    }

    /// Whether a shutdown is its author's to say.
    pub(super) fn admits_shutdown(&self, envelope: &Envelope) -> Result<(), Reason> {
        let sender = envelope.sender();
        let is_authoritys = self.authority().is_some_and(|authority| authority.id() == sender);
        let judged = self.admission.judge(&sender, second(envelope.time()), Rights::SHUTDOWN);
        if !is_authoritys && judged != Admittance::Admitted {
            return Err(Reason::NotAllowed);
        }
        // One from before this start is over; how far ahead it may be was looked at with all others.
        if envelope.time() <= self.started { Err(Reason::Expired) } else { Ok(()) }
    }

    /// An envelope of whoever is not admitted: it is seen, and may come again when that changes.
    pub(super) fn withhold(&mut self, envelope: &Envelope, reason: Reason) {
        self.counts.count(reason);
        self.index.judge(&envelope.id(), Judgement::Refused);
        self.withheld.put(envelope.sender(), envelope.id());
    }

    /// Lets an envelope wait until its sender's certificate is here, which the link that brought it is asked for.
    pub(super) fn wait_for_certificate(&mut self, now: Now, link: LinkId, claimed: Claimed) {
        match self.waiting.put(now.instant, link, claimed) {
            None => {
                self.ask_for_certificates(now);
                self.timers.set_earlier(Timer::Admission, now.instant + WAITS);
            }
            Some(claimed) => self.withhold(claimed.envelope(), Reason::AdmissionUnknown),
        }
    }

    fn ask_for_certificates(&mut self, now: Now) {
        if !self.join.is_member() {
            // While it joins, an answer would be taken for that to another question.
            if self.waiting.oldest().is_some() {
                self.timers.set_earlier(Timer::Admission, now.instant + ASK_AGAIN);
            }
            return;
        }
        for (link, senders) in self.waiting.questions() {
            let Some(state) = self.links.get_mut(&link).filter(|state| !state.closing && state.members) else {
                continue;
            };
            if !state.questions.take(now.instant) {
                self.timers.set_earlier(Timer::Admission, now.instant + ASK_AGAIN);
                continue;
            }
            state.awaiting_peers = state.awaiting_peers.saturating_add(1);
            let asked: BTreeSet<NodeId> = senders.into_iter().take(Kind::MAX_MEMBERS_WANTED).collect();
            self.waiting.asked(link, &asked);
            self.send(link, Frame::MembersWanted(asked.into_iter().collect()));
        }
    }

    /// Time passes: who waited too long waited in vain, and links end with what they were admitted by.
    pub(super) fn tend_admission(&mut self, now: Now) {
        while let Some((number, since)) = self.waiting.oldest() {
            if now.instant.since(since) < WAITS {
                self.timers.set_earlier(Timer::Admission, since + WAITS);
                break;
            }
            if let Some(waiter) = self.waiting.take(number) {
                self.withhold(waiter.claimed.envelope(), Reason::AdmissionUnknown);
            }
        }
        self.ask_for_certificates(now);
        self.close_unadmitted(now);
        self.schedule_expiry(now);
    }

    /// Closes the links of those who are not admitted any more.
    fn close_unadmitted(&mut self, now: Now) {
        let judged = self.links.iter().filter(|(_, link)| !link.closing).filter_map(|(id, link)| {
            match self.admission.judge(&link.peer, second(now.wall), Rights::LINK) {
                Admittance::Admitted => None,
                other => Some((*id, reason_of(other))),
            }
        });
        for (link, reason) in judged.collect::<Vec<_>>() {
            self.close(link, Some(GoodbyeCode::NotAdmitted), reason);
        }
    }

    /// Sets the timer for the next link whose certificate ends.
    fn schedule_expiry(&mut self, now: Now) {
        let Some(certified) = self.admission.certified() else { return };
        let linked = self.links.values().filter(|link| !link.closing);
        let ends = linked.filter_map(|link| certified.of(&link.peer).map(|known| known.membership().not_after).max());
        if let Some(end) = ends.min() {
            let first_second = end.saturating_add(Certificate::CLOCK_TOLERANCE).saturating_add(1);
            let left = Duration::from_secs(first_second.saturating_sub(second(now.wall)));
            self.timers.set_earlier(Timer::Admission, now.instant + left.clamp(ASK_AGAIN, LOOK_AHEAD));
        }
    }

    /// Learns a certificate of anybody: what waited for it goes on, what was refused for want of it becomes free.
    pub fn learn_certificate(&mut self, now: Now, certificate: &Attested<Certificate>) {
        let Some(certified) = self.admission.certified_mut() else { return };
        if certified.learn(certificate, second(now.wall)) {
            self.output(Output::KeepCertificate(certificate.clone()));
            self.admit_anew(now, certificate.membership().subject);
        }
    }

    /// Knows certificates again that former runs learned. Called before [`start`](Core::start).
    pub fn recall_certificates(&mut self, now: Now, certificates: &[Attested<Certificate>]) {
        let Some(certified) = self.admission.certified_mut() else { return };
        for certificate in certificates {
            certified.learn(certificate, second(now.wall));
        }
    }

    /// Lets go of what a log holds of those who are no members any more: while this node was down, somebody may have been
    /// revoked, or taken from the list. Called when everything that was in the log is known again, before
    /// [`start`](Core::start).
    pub fn recall_departures(&mut self) {
        let gone: BTreeSet<NodeId> = match &self.admission {
            Admission::Open => return,
            Admission::Listed(members) => self.index.senders().filter(|sender| !members.contains(sender)).collect(),
            Admission::Certified(certified) => {
                let revoked = certified.all().filter(|known| certified.is_revoked(&known.membership().serial));
                revoked.map(|known| known.membership().subject).collect()
            }
        };
        if !gone.is_empty() {
            self.withdraw(&gone);
        }
    }

    /// Somebody may be admitted that was not before.
    fn admit_anew(&mut self, now: Now, member: NodeId) {
        let mut admitted = Vec::new();
        for waiter in self.waiting.of(&member) {
            let envelope = waiter.claimed.envelope();
            match self.not_admitted(envelope, waiter.claimed.content()) {
                None => admitted.extend(self.admit_claimed(now, waiter.claimed)),
                Some(Admittance::Unknown) => {
                    // Its time is not the certificate's: it waits on, as long as it would have.
                    let put_back = self.waiting.put(waiter.since, waiter.link, waiter.claimed);
                    let Some(claimed) = put_back else { continue };
                    self.withhold(claimed.envelope(), Reason::AdmissionUnknown);
                }
                Some(other) => self.withhold(waiter.claimed.envelope(), reason_of(other)),
            }
        }
        if !admitted.is_empty() {
            self.output(Output::Claimed(admitted));
        }
        for id in self.withheld.take(&member) {
            self.index.release(&id);
        }
        self.schedule_expiry(now);
    }

    /// Takes another certificate for this node's own. Says whether it is one that others would accept now.
    ///
    /// # Errors
    /// Why they would not; nothing changed then.
    pub fn renew_certificate(&mut self, now: Now, own: &Attested<Certificate>) -> Result<(), Reason> {
        let Some(certified) = self.admission.certified_mut() else { return Err(Reason::NotAdmitted) };
        if own.membership().subject != self.own {
            return Err(Reason::NotAdmitted);
        }
        match certified.says(own, second(now.wall), Rights::LINK) {
            Some(Admittance::Admitted) => {
                certified.renew(own.clone(), second(now.wall));
                Ok(())
            }
            Some(other) => Err(reason_of(other)),
            None => Err(Reason::NotAdmitted),
        }
    }

    /// A list of revocations arrived over a link: it is charged as any frame is, whatever is in it.
    pub fn revocations_arrived(&mut self, now: Now, from: LinkId, size: usize) {
        self.heard(now, from);
        self.charge_link(now, from, 1, size);
    }

    /// Takes a list of revocations that `from` brought, or that was read here, and passes it on to all neighbours; says
    /// whether it was news. Only a list with a higher epoch than the one that is held is.
    pub fn revoke(&mut self, now: Now, from: Option<LinkId>, list: &Attested<Revocations>) -> bool {
        let Some(certified) = self.admission.certified_mut() else { return false };
        let Some(members) = certified.revoke(list.clone()) else { return false };
        let epoch = list.epoch();
        self.output(Output::KeepRevocations(list.clone()));
        // Before links close, so that they hear of it too.
        let others = self.links.iter().filter(|(id, link)| Some(**id) != from && !link.closing && link.has_epoch);
        for link in others.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.send_revocations(link);
        }
        self.event(CoreEvent::Revoked { epoch, members: members.iter().copied().collect() });
        self.expel(now, &members);
        // What a longer list revoked, this one may not.
        for sender in self.withheld.senders() {
            if !members.contains(&sender) {
                self.admit_anew_if(now, sender);
            }
        }
        true
    }

    fn admit_anew_if(&mut self, now: Now, sender: NodeId) {
        let judged = self.admission.judge(&sender, second(now.wall), Rights::PUBLISH);
        if judged == Admittance::Admitted {
            self.admit_anew(now, sender);
        }
    }

    /// Takes another list of members, where a list says who is one.
    pub fn set_members(&mut self, now: Now, members: BTreeSet<NodeId>) {
        let Admission::Listed(listed) = &mut self.admission else { return };
        let gone: BTreeSet<NodeId> = listed.difference(&members).copied().collect();
        let new: Vec<NodeId> = members.difference(listed).copied().collect();
        *listed = members;
        self.expel(now, &gone);
        for member in new {
            self.admit_anew(now, member);
        }
        self.maintain(now);
    }

    /// What these made at times for which nothing stands any more.
    fn withdrawal_of(&self, members: &BTreeSet<NodeId>) -> Withdrawal {
        let counting = |member: &NodeId| {
            let certified = self.admission.certified().into_iter();
            let known = certified.flat_map(|certified| certified.of(member).map(move |known| (certified, known)));
            let counts = known.filter(|(certified, known)| {
                let membership = known.membership();
                membership.rights.contains(Rights::PUBLISH) && !certified.is_revoked(&membership.serial)
            });
            counts.map(|(_, known)| known.clone()).collect()
        };
        Withdrawal(members.iter().map(|member| (*member, counting(member))).collect())
    }

    /// These lost a membership: links close, and what no other membership stands for goes.
    fn expel(&mut self, now: Now, members: &BTreeSet<NodeId>) {
        if members.is_empty() {
            return;
        }
        self.close_unadmitted(now);
        for member in members {
            for waiter in self.waiting.of(member) {
                self.withhold(waiter.claimed.envelope(), Reason::Revoked);
            }
        }
        self.withdraw(members);
        for member in members {
            if self.may_link(now, member).is_ok() {
                continue;
            }
            self.records.expel(member);
            self.addresses.forget(member);
            self.remembered.forget(member);
            if self.members.expel(member) {
                self.event(CoreEvent::Member { id: *member, state: MemberState::Gone });
            }
        }
        self.maintain(now);
    }

    /// What these said goes from the index's accepted ids and from the log, except what a membership still stands for.
    fn withdraw(&mut self, members: &BTreeSet<NodeId>) {
        let withdrawal = self.withdrawal_of(members);
        for (sender, id) in self.index.refuse_those(|sender, time| withdrawal.takes(sender, time)) {
            self.counts.count(Reason::Revoked);
            self.withheld.put(sender, id);
        }
        self.output(Output::Withdraw(withdrawal));
    }

    /// The network is shut down by one who may: everybody hears it from here at once, then this node is to stop.
    pub(super) fn shut_down(&mut self, envelope: &crate::envelope::Verified<Envelope>, holders: &[LinkId]) {
        let to = self.links.iter().filter(|(id, link)| !link.closing && !holders.contains(id)).map(|(id, _)| *id);
        let to: Vec<LinkId> = to.collect();
        if !to.is_empty() {
            self.output(Output::Relay { envelope: envelope.clone(), to });
        }
        self.event(CoreEvent::NetworkShutDown { by: envelope.sender() });
    }

    /// Whether an envelope that was admitted when it was claimed still is; if not, what a log took of it meanwhile goes.
    pub(super) fn is_still_admitted(&mut self, envelope: &Envelope, content: &Content) -> bool {
        let admittance = if self.admission.is_open() { None } else { self.not_admitted(envelope, content) };
        let Some(admittance) = admittance else { return true };
        self.withhold(envelope, reason_of(admittance));
        if content.is_logged() {
            let withdrawal = self.withdrawal_of(&BTreeSet::from([envelope.sender()]));
            self.output(Output::Withdraw(withdrawal));
        }
        false
    }
}
