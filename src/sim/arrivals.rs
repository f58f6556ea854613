//! What arrives at a node, and the way of a broadcast through it.

use bytes::Bytes;

use crate::access::Authority;
use crate::envelope::{Envelope, Verified};
use crate::log::Log;
use crate::overlay::{
    Claimed, Content, Judged, LinkId, MEMBER_TITLE, Offence, PRESENCE_TITLE, Reason, ReasonCounts, keep_and_accept,
    take_in_by,
};
use crate::wire::{Frame, IdList, ListedId};

use super::Simulation;
use super::events::Cargo;
use super::network::{ConnectionId, Side, Stage};
use super::node::Node;
use super::statistics::{Arrival, MessageNumber};

/// Presences that are remembered as read, for each node; each is at most 4 KiB.
const READINGS_PER_NODE: usize = 4;

impl Simulation {
    pub(super) fn arrive(&mut self, id: ConnectionId, side: Side, cargo: Cargo) {
        let Some(end) = self.network.get(id).map(|connection| *connection.end(side)) else { return };
        let (Stage::Open(link), true) = (end.stage, self.is_current(end.node)) else { return };
        let place = end.node.place;
        match cargo {
            Cargo::Envelope { envelope, message, hops } => {
                self.digest.note(self.now, place, "BROADCAST", envelope.id().as_bytes());
                match message {
                    Some(message) => self.take_counted(place, link, envelope, message, hops),
                    None => drop(self.take(place, link, false, vec![envelope])),
                }
            }
            Cargo::Record(envelopes) => {
                for envelope in &envelopes {
                    self.digest.note(self.now, place, "BROADCAST", envelope.id().as_bytes());
                }
                self.take(place, link, false, envelopes);
            }
            Cargo::Frame(frame) => {
                self.note_arrival(place, &frame);
                self.take_frame(place, link, frame);
            }
        }
        self.act(place);
    }

    fn take_frame(&mut self, place: usize, link: LinkId, frame: Frame) {
        match frame {
            Frame::Broadcast(bytes) => {
                let envelopes = self.parse(place, link, [bytes]);
                self.take(place, link, false, envelopes);
            }
            Frame::Peers(mut row) => {
                let version = self.nodes[place].scheme.version();
                let mut pieces = Vec::new();
                while !row.is_empty() {
                    match Envelope::split_first(&mut row, version) {
                        Ok(bytes) => pieces.push(bytes),
                        // What cannot be cut off is judged as it is.
                        Err(_) => pieces.push(std::mem::take(&mut row)),
                    }
                }
                let envelopes = self.parse(place, link, pieces);
                self.take(place, link, true, envelopes);
                let now = self.now_at(place);
                if let Some(running) = self.nodes[place].running.as_mut() {
                    running.core.get_mut().peers_answered(now, link);
                }
            }
            Frame::Revocations(bytes) => self.take_revocations(place, link, &bytes),
            frame => {
                let now = self.now_at(place);
                if let Some(running) = self.nodes[place].running.as_mut() {
                    running.core.get_mut().frame(now, link, frame);
                }
            }
        }
    }

    fn note_arrival(&mut self, place: usize, frame: &Frame) {
        match frame {
            Frame::Have(ids) => self.note_ids(place, "HAVE", ids),
            Frame::News(ids) => self.note_ids(place, "NEWS", ids),
            Frame::Want(ids) => self.note_ids(place, "WANT", ids),
            Frame::Absent(ids) => self.note_ids(place, "ABSENT", ids),
            Frame::Broadcast(bytes) => self.digest.note(self.now, place, "BROADCAST", bytes),
            _ => {
                let (kind, size) = (frame.kind().as_byte(), frame.encoded_len() as u32);
                let [a, b, c, d] = size.to_be_bytes();
                self.digest.note(self.now, place, "frame", &[kind, a, b, c, d]);
            }
        }
    }

    /// How many ids, and the first and the last of them: the others follow from what happened before.
    fn note_ids<T: ListedId>(&mut self, place: usize, what: &str, ids: &IdList<T>) {
        let bytes = ids.as_bytes();
        let ends =
            bytes.get(..T::LEN).into_iter().chain(bytes.len().checked_sub(T::LEN).and_then(|at| bytes.get(at..)));
        let about: Vec<u8> = (ids.len() as u64).to_be_bytes().into_iter().chain(ends.flatten().copied()).collect();
        self.digest.note(self.now, place, what, &about);
    }

    /// What the reader of a link does first.
    fn parse(&mut self, place: usize, link: LinkId, bytes: impl IntoIterator<Item = Bytes>) -> Vec<Envelope> {
        let now = self.now_at(place);
        let node = &mut self.nodes[place];
        let Some(running) = node.running.as_mut() else { return Vec::new() };
        let mut envelopes = Vec::new();
        for bytes in bytes {
            match node.scheme.parse(bytes) {
                Ok(envelope) => envelopes.push(envelope),
                Err(_) => {
                    let core = running.core.get_mut();
                    core.count(Reason::BadEnvelope);
                    core.blame(now, link, Offence::BadEnvelope, Reason::BadEnvelope);
                }
            }
        }
        envelopes
    }

    /// The way of a broadcast. Gives what was delivered.
    fn take(&mut self, place: usize, link: LinkId, vouched: bool, envelopes: Vec<Envelope>) -> Vec<Verified<Envelope>> {
        let now = self.now_at(place);
        let Node { running: Some(running), scheme, .. } = &mut self.nodes[place] else { return Vec::new() };
        let readings = &self.readings;
        let mut delivered = Vec::new();
        let append = |envelope: &Verified<Envelope>| {
            let is_kept = running.log.append(envelope, now.wall).is_ok();
            if is_kept {
                delivered.push(envelope.clone());
            }
            is_kept
        };
        // There is one authority: what it says of a record, it says to every node.
        let read = |envelope: &Verified<Envelope>, authority: Option<&Authority>| {
            if !matches!(envelope.title(), PRESENCE_TITLE | MEMBER_TITLE) {
                return Content::of(envelope, authority);
            }
            readings.borrow_mut().entry(envelope.id()).or_insert_with(|| Content::of(envelope, authority)).clone()
        };
        let judge_one = |(ticket, envelope)| Judged::reading(&**scheme, ticket, envelope, read);
        let judge = |tickets: &mut dyn ExactSizeIterator<Item = _>, judged: &mut Vec<_>| {
            judged.extend(tickets.map(judge_one));
        };
        take_in_by(&running.core, judge, || now, append, link, vouched, envelopes);
        let most = READINGS_PER_NODE * self.nodes.len();
        if readings.borrow().len() > most {
            readings.borrow_mut().clear();
        }
        delivered
    }

    /// Takes what waited for its sender's certificate.
    pub(super) fn go_on(&mut self, place: usize, claimed: Vec<Claimed>) {
        let now = self.now_at(place);
        let Some(running) = self.nodes[place].running.as_ref() else { return };
        let mut append = |envelope: &Verified<Envelope>| running.log.append(envelope, now.wall).is_ok();
        keep_and_accept(&running.core, &mut append, || now, claimed);
    }

    fn take_revocations(&mut self, place: usize, link: LinkId, bytes: &[u8]) {
        let now = self.now_at(place);
        let Node { running: Some(running), papers: Some(papers), .. } = &mut self.nodes[place] else { return };
        let core = running.core.get_mut();
        core.revocations_arrived(now, link, bytes.len());
        match papers.attested(bytes) {
            Some(list) => drop(core.revoke(now, Some(link), &list)),
            None => core.blame(now, link, Offence::BadFrame, Reason::BadSignature),
        }
    }

    /// The same for a message that is counted.
    fn take_counted(&mut self, place: usize, link: LinkId, envelope: Envelope, message: MessageNumber, hops: u8) {
        self.ledger.copied(message);
        let before = self.core(place, |core| core.counts().clone());
        let delivered = self.take(place, link, false, vec![envelope]);
        if !delivered.is_empty() {
            let arrival = self.arrival(place, message, hops);
            self.ledger.delivered(message, arrival);
        } else if let (Some(before), Some(after)) = (before, self.core(place, |core| core.counts().clone()))
            && let Some(reason) = new_refusal(&before, &after)
        {
            self.ledger.refused(message, place, reason);
        }
    }

    fn arrival(&self, place: usize, message: MessageNumber, hops: u8) -> Arrival {
        let node = &self.nodes[place];
        let reached = self.ledger.sender(message).map(|sender| self.network.reached_since(sender, place));
        let since = node.since.max(reached.unwrap_or_default());
        Arrival { place, log: node.log, hops, at: self.now, since }
    }

    /// What a node sends when it passes an envelope on.
    pub(super) fn cargo_of(&self, place: usize, envelope: &Verified<Envelope>) -> Cargo {
        let message = self.ledger.number(&envelope.id());
        let hops = message.map_or(0, |message| self.ledger.hops(message, place).saturating_add(1));
        Cargo::Envelope { envelope: Envelope::clone(envelope), message, hops }
    }
}

/// Why an envelope was refused between two counts, if it was. A copy of one that is known or being judged is none.
fn new_refusal(before: &ReasonCounts, after: &ReasonCounts) -> Option<Reason> {
    let is_new = |reason: &Reason| after.get(*reason) > before.get(*reason);
    Reason::ALL.into_iter().filter(|reason| !matches!(reason, Reason::Duplicate | Reason::Busy)).find(is_new)
}
