//! What the frames of sessions, this node's own and others', make the core do.

use bytes::Bytes;

use crate::envelope::{EnvelopeId, Timestamp};
use crate::wire::{
    Frame, Kind, Reconcile, ReconcileAccept, ReconcileEnd, ReconcileOpen, ReconcileSet, ReconcileSide, ReconcileStep,
};

use super::super::output::LinkId;
use super::super::standing::Offence;
use super::super::{Core, Now, Reason, TIME_TOLERANCE};
use super::items::{PART, Window};
use super::opener::{Next, Session};

/// Ids of a window that this node compares at a time: with so many, Negentropy's divisions by 16 end in short lists of
/// the responder's alone, and the digest takes less than a millisecond.
const OWN_PART: usize = 16_384;

impl Core {
    /// A RECONCILE arrived.
    pub(in super::super) fn reconcile(&mut self, now: Now, from: LinkId, body: Bytes) {
        let Ok(Reconcile { session, step }) = Reconcile::decode(body) else {
            self.blame(now, from, Offence::BadFrame, Reason::BadFrame);
            return;
        };
        match step {
            ReconcileStep::Accept(accept) => self.accepted(now, from, session, &accept),
            ReconcileStep::Answer(message) => self.answered(now, from, session, &message),
            ReconcileStep::End(ReconcileSide::Responder, why) => self.ended(now, from, session, why),
            _ if !self.repair.responders.may_speak(now.instant, from) => self.repair.counts.dropped += 1,
            ReconcileStep::Open(open) => self.respond(now, from, session, &open),
            ReconcileStep::Query(query) => self.respond_further(now, from, session, &query),
            ReconcileStep::Offer(ids) => {
                if let Some(to) = self.repair.responders.may_offer(now.instant, from, ids.len()) {
                    if self.repair.fetch.is_barren(from) {
                        self.repair.barren_before(from, to);
                    } else {
                        self.fetch(now, from, ids.iter());
                    }
                }
            }
            ReconcileStep::End(ReconcileSide::Opener, _) => self.repair.responders.ended(from, session),
        }
        self.tend_repair(now);
    }

    /// The newest part of a stretch of time, at most `most` ids of it.
    fn window(&self, set: ReconcileSet, stretch: (u64, u64), alive: u64, most: usize) -> Window {
        let alive = time(alive).plus(TIME_TOLERANCE);
        match set {
            ReconcileSet::Messages => {
                Window::newest(|from, to| self.index.messages(time(from), time(to), alive), stretch, most)
            }
            ReconcileSet::Members => {
                let mut slots: Vec<_> = self.members.slots(alive).chain(self.records.slots(alive)).collect();
                slots.sort_unstable();
                let begin = |micros| slots.partition_point(|(at, _)| *at < time(micros));
                let compared = |(time, id): &(Timestamp, EnvelopeId)| (*time, *id, true);
                let between = |from, to| slots.get(begin(from)..begin(to)).unwrap_or_default().iter().map(compared);
                Window::newest(between, stretch, most)
            }
        }
    }

    /// Answers a neighbour's OPEN.
    fn respond(&mut self, now: Now, from: LinkId, number: u16, open: &ReconcileOpen) {
        let has_room = self.repair.responders.has_room(now.instant, from);
        // What is being fetched would be found once more, and offered in vain.
        let is_fetching = open.set == ReconcileSet::Messages
            && self.repair.fetch.is_busy(now.instant)
            && self.repair.fetch.backlog(from) == 0;
        if !has_room || is_fetching {
            self.repair.counts.busy += 1;
            return self.end_of(from, number, ReconcileEnd::Busy);
        }
        let begin = open.from.max(self.worth_from(open.set, from));
        let end = open.to.min(Timestamp::MAX.as_micros());
        if begin >= end {
            return self.end_of(from, number, ReconcileEnd::Refused);
        }
        // An end that cannot be reached is as good as the one that was named.
        let mut window = self.window(open.set, (begin, end), open.alive, PART);
        window.to = open.to;
        let accept = self.repair.responders.open(now.instant, from, number, open, window);
        if (accept.from, accept.to, accept.digest) == (open.from, open.to, open.digest) {
            self.is_equal(now, from, open.set, accept.from, accept.to);
        }
        self.send(from, Reconcile { session: number, step: ReconcileStep::Accept(accept) }.to_frame());
    }

    /// Answers a neighbour's question.
    fn respond_further(&mut self, now: Now, from: LinkId, number: u16, query: &[u8]) {
        match self.repair.responders.query(now.instant, from, number, query) {
            Ok(answer) => {
                self.send(from, Reconcile { session: number, step: ReconcileStep::Answer(answer) }.to_frame())
            }
            Err(Some(why)) => self.end_of(from, number, why),
            Err(None) => {}
        }
    }

    fn end_of(&mut self, link: LinkId, session: u16, why: ReconcileEnd) {
        let step = ReconcileStep::End(ReconcileSide::Responder, why);
        self.send(link, Reconcile { session, step }.to_frame());
    }

    fn accepted(&mut self, now: Now, from: LinkId, number: u16, accept: &ReconcileAccept) {
        let Some(session) = self.repair.own_session(now.instant, from, number) else { return };
        let next = session.accepted(accept);
        let rest = session.take_rest();
        if let (Some(rest), Some(sweep)) = (rest, self.repair.sweeps.get_mut(&from)) {
            sweep.later(rest);
        }
        self.go_on(now, from, next);
    }

    fn answered(&mut self, now: Now, from: LinkId, number: u16, message: &[u8]) {
        let Some(session) = self.repair.own_session(now.instant, from, number) else { return };
        let (have, need, next) = session.answered(&mut self.rng, message);
        self.fetch(now, from, need.into_iter());
        self.offer_ids(now, from, &have);
        self.go_on(now, from, next);
    }

    fn go_on(&mut self, now: Now, link: LinkId, next: Next) {
        let Some(sweep) = self.repair.sweeps.get_mut(&link) else { return };
        let counts = &mut self.repair.counts;
        match next {
            Next::Query(query) => {
                let deceived = sweep.session.as_ref().is_some_and(Session::is_listing);
                counts.deceived += u64::from(deceived);
                sweep.say(ReconcileStep::Query(query));
            }
            Next::Equal { from, to, told } => {
                counts.equal += 1;
                if told {
                    sweep.session = None;
                } else {
                    sweep.end_session(ReconcileEnd::Done);
                }
                let set = sweep.set;
                self.is_equal(now, link, set, from, to);
            }
            Next::Done => sweep.end_session(ReconcileEnd::Done),
            Next::Halve { from, at, to } => {
                counts.deceived += 1;
                sweep.end_session(ReconcileEnd::Done);
                if sweep.may_halve() {
                    sweep.later((from, at));
                    sweep.later((at, to));
                }
            }
            Next::Stop(why) => {
                sweep.end_session(why);
                if why != ReconcileEnd::TooMany {
                    sweep.stop();
                }
            }
        }
    }

    /// The responder ends a session.
    fn ended(&mut self, now: Now, from: LinkId, number: u16, why: ReconcileEnd) {
        let Some(session) = self.repair.own_session(now.instant, from, number) else { return };
        let to = session.to();
        let Some(sweep) = self.repair.sweeps.get_mut(&from) else { return };
        sweep.session = None;
        let (set, task) = (sweep.set, sweep.task);
        match why {
            // Older windows may be smaller.
            ReconcileEnd::TooMany => {}
            ReconcileEnd::Busy => {
                sweep.stop();
                self.try_again(now, set, from, super::sweep::Task { to, ..task });
            }
            _ => sweep.stop(),
        }
    }

    /// Both this node and the neighbour have the same ids in a stretch of time.
    fn is_equal(&mut self, now: Now, link: LinkId, set: ReconcileSet, from: u64, to: u64) {
        if set == ReconcileSet::Messages {
            self.note_equal(now, link, time(from), time(to));
        }
    }

    /// Offers a neighbour what it lacks; not what was refused here, of which it would be told that it is not there.
    fn offer_ids(&mut self, now: Now, link: LinkId, have: &[EnvelopeId]) {
        let held: Vec<_> = have.iter().filter(|id| self.has_accepted(id)).copied().collect();
        let Some(sweep) = self.repair.sweeps.get_mut(&link) else { return };
        sweep.lacks(held.into_iter());
        sweep.offer(now.instant);
    }

    /// Fetches what is missing here of what a neighbour listed.
    fn fetch(&mut self, now: Now, link: LinkId, ids: impl Iterator<Item = EnvelopeId>) {
        let Some(peer) = self.links.get(&link).filter(|link| !link.closing).map(|link| link.peer) else { return };
        for id in ids {
            if !self.knows(&id) && !self.asking.is_asked(&id) {
                self.repair.fetch.want(now.instant, link, peer, id);
            }
        }
        self.ask_on(link);
    }

    /// Asks for more of what is to be fetched, if it is time.
    pub(in super::super) fn ask_on(&mut self, link: LinkId) {
        let ids = self.repair.fetch.questions(link);
        self.repair.counts.asked += ids.len() as u64;
        for ids in ids.chunks(Kind::MAX_WANT) {
            self.send(link, Frame::Want(ids.iter().copied().collect()));
        }
    }

    /// A neighbour does not hold something. Says whether that was to be fetched.
    pub(in super::super) fn not_fetched(&mut self, now: Now, from: LinkId, id: &EnvelopeId) -> bool {
        let Some(peer) = self.links.get(&from).map(|link| link.peer) else { return false };
        let was_fetched = self.repair.fetch.absent(now.instant, from, peer, id);
        self.repair.counts.absent += u64::from(was_fetched);
        was_fetched
    }

    /// A neighbour asked for ids, of those it was offered perhaps.
    pub(in super::super) fn asked_for(&mut self, now: Now, from: LinkId, ids: usize) {
        if let Some(sweep) = self.repair.sweeps.get_mut(&from) {
            sweep.asked_for(now.instant, ids);
            sweep.offer(now.instant);
            self.repair_moved(now);
        }
    }

    /// Does what a sweep can do now.
    pub(super) fn carry_on(&mut self, now: Now, link: LinkId) {
        self.ask_on(link);
        let Some(sweep) = self.repair.sweeps.get_mut(&link) else { return };
        if sweep.is_late(now.instant) {
            sweep.end_session(ReconcileEnd::TooMany);
            sweep.stop();
        }
        self.say_on(now, link);
        let backlog = self.repair.fetch.backlog(link);
        let is_barren = self.repair.fetch.is_barren(link);
        let Some(sweep) = self.repair.sweeps.get_mut(&link) else { return };
        if let Some((from, to)) = sweep.next_stretch(now.instant, backlog) {
            if is_barren && sweep.set == ReconcileSet::Messages {
                // Nor will it have what is older.
                sweep.stop();
                self.repair.barren_before(link, to);
                return;
            }
            let (set, alive) = (sweep.set, sweep.alive);
            let window = self.window(set, (from, to), alive, OWN_PART);
            let rest = (from, window.from);
            let number = self.repair.next_session;
            self.repair.next_session = number.wrapping_add(1);
            self.repair.counts.sessions += 1;
            if let Some(sweep) = self.repair.sweeps.get_mut(&link) {
                sweep.begin(now.instant, rest, Session::new(number, window));
            }
            self.say_on(now, link);
        } else if sweep.is_over(backlog) {
            self.repair.sweeps.remove(&link);
        }
    }

    /// Sends what a sweep has to say, as quickly as it may.
    fn say_on(&mut self, now: Now, link: LinkId) {
        let repair = &mut self.repair;
        let (Some(sweep), Some(side)) = (repair.sweeps.get_mut(&link), repair.links.get_mut(&link)) else { return };
        let mut frames = Vec::new();
        while !sweep.out.is_empty() && side.pace.take(now.instant) {
            frames.extend(sweep.out.pop_front());
        }
        if !frames.is_empty() && sweep.session.is_some() {
            sweep.heard(now.instant);
        }
        for frame in frames {
            if let ReconcileStep::Offer(ids) = &frame.step {
                self.repair.counts.offered += ids.len() as u64;
            }
            self.send(link, frame.to_frame());
        }
    }
}

/// A time on the wire; what no envelope can have is the latest there is.
fn time(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
}
