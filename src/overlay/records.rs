//! The newest record of every member, also of those that are away, for whoever asks.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified};
use crate::identity::NodeId;
use crate::wire::{Frame, NodeIds};

use super::members::order;
use super::output::LinkId;
use super::{Core, MemberRecord, Now, Reason, index};

/// The feature without which nobody is sent MEMBERS_WANTED.
pub(crate) const MEMBERS: &str = "members";

/// How many neighbours are asked for records that are not known here.
const ASKED: usize = 2;

#[derive(Debug)]
struct Slot {
    envelope: Verified<Envelope>,
    record: MemberRecord,
    expires: Timestamp,
}

/// One slot for each sender, ordered by (time, id): a newer record takes the older one's place.
#[derive(Debug)]
pub(super) struct Records {
    slots: BTreeMap<NodeId, Slot>,
    /// Whose slot holds the envelope with this id.
    ids: BTreeMap<EnvelopeId, NodeId>,
    capacity: usize,
}

impl Records {
    pub(super) fn new(capacity: usize) -> Self {
        Records { slots: BTreeMap::new(), ids: BTreeMap::new(), capacity: capacity.max(1) }
    }

    /// Whether a record is the newest of its sender.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(super) fn admits(&self, envelope: &Envelope) -> Result<(), Reason> {
        match self.slots.get(&envelope.sender()) {
            Some(slot) if order(&slot.envelope) >= order(envelope) => Err(Reason::Superseded),
            // Whether there is room here or not, others want to hear of it.
            Some(_) | None => Ok(()),
        }
    }

    /// Puts a record that [`admits`](Self::admits) let pass into its slot, if it has one or gets one: when the table is
    /// full, a member takes the place of somebody who is none. Says whether it did.
    pub(super) fn put(
        &mut self,
        envelope: &Verified<Envelope>,
        record: MemberRecord,
        keep: Duration,
        is_member: impl Fn(&NodeId) -> bool,
    ) -> bool {
        let sender = envelope.sender();
        if self.slots.len() >= self.capacity && !self.slots.contains_key(&sender) {
            let strangers = self.slots.iter().filter(|(id, _)| !is_member(id));
            let first = strangers.min_by_key(|(_, slot)| slot.expires).map(|(id, _)| *id);
            let Some(first) = first.filter(|_| is_member(&sender)) else { return false };
            self.remove(&first);
        }
        self.remove(&sender);
        let expires = index::live_until(envelope.time(), envelope.lifetime(), keep);
        self.ids.insert(envelope.id(), sender);
        self.slots.insert(sender, Slot { envelope: envelope.clone(), record, expires });
        true
    }

    fn remove(&mut self, id: &NodeId) {
        if let Some(slot) = self.slots.remove(id) {
            self.ids.remove(&slot.envelope.id());
        }
    }

    /// Forgets what somebody said who is no member any more.
    pub(super) fn expel(&mut self, id: &NodeId) {
        self.remove(id);
    }

    /// Forgets what has run out.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.slots.retain(|_, slot| slot.expires >= now);
        let slots = &self.slots;
        self.ids.retain(|id, sender| slots.get(sender).is_some_and(|slot| slot.envelope.id() == *id));
    }

    pub(super) fn get(&self, id: &NodeId) -> Option<&MemberRecord> {
        Some(&self.slots.get(id)?.record)
    }

    /// The slot's envelope with this id, to serve it to somebody who lacks it.
    pub(super) fn by_id(&self, id: &EnvelopeId) -> Option<&Verified<Envelope>> {
        Some(&self.slots.get(self.ids.get(id)?)?.envelope)
    }

    /// The ids of the slots' envelopes that live until `alive` at least, with their times.
    pub(super) fn slots(&self, alive: Timestamp) -> impl Iterator<Item = (Timestamp, EnvelopeId)> + '_ {
        let slots = self.slots.values().filter(move |slot| slot.expires >= alive);
        slots.map(|slot| (slot.envelope.time(), slot.envelope.id()))
    }

    /// The ids of all slots' envelopes.
    pub(super) fn slot_ids(&self) -> impl Iterator<Item = EnvelopeId> + '_ {
        self.ids.keys().copied()
    }

    pub(super) fn bytes(&self, id: &NodeId) -> Option<Bytes> {
        Some(self.slots.get(id)?.envelope.as_bytes().clone())
    }
}

impl Core {
    /// What a member has said of itself that outlives its presence.
    pub fn member_record(&self, id: &NodeId) -> Option<&MemberRecord> {
        self.records.get(id)
    }

    /// The records of the members that a neighbour asks for, as far as they are here and fit into one frame.
    pub(super) fn answer_members(&mut self, now: Now, from: LinkId, wanted: &NodeIds) {
        let Some(link) = self.links.get_mut(&from).filter(|link| !link.closing) else { return };
        let records: Vec<Bytes> = if link.peers_answers.take(now.instant) {
            wanted.iter().filter_map(|id| self.records.bytes(&id)).collect()
        } else {
            // An empty answer is an answer: the asker need not wait.
            Vec::new()
        };
        let answer = Frame::peers(records).unwrap_or_default().into_iter().next();
        self.send(from, answer.unwrap_or(Frame::Peers(Bytes::new())));
    }

    /// Asks neighbours for the records of members of whom none is here. Says whether anybody was asked: an answer comes as
    /// [`member_record`](Self::member_record), or never.
    pub fn ask_members(&mut self, now: Now, ids: &[NodeId]) -> bool {
        let missing: Vec<NodeId> = ids.iter().filter(|id| self.records.get(id).is_none()).copied().collect();
        let missing: Vec<NodeId> = missing.into_iter().take(crate::wire::Kind::MAX_MEMBERS_WANTED).collect();
        if missing.is_empty() || !self.join.is_member() {
            return false;
        }
        let can = |peer: &NodeId| {
            let presence = self.members.presence(peer);
            presence.is_some_and(|(presence, _)| presence.features.iter().any(|feature| feature == MEMBERS))
        };
        let has_time = |asked: Option<super::Instant>| {
            asked.is_none_or(|asked| now.instant.since(asked) >= self.settings.ask_every)
        };
        let open = self.links.iter().filter(|(_, link)| !link.closing && has_time(link.asked) && can(&link.peer));
        let asked: Vec<LinkId> = open.map(|(id, _)| *id).take(ASKED).collect();
        for link in &asked {
            if let Some(state) = self.links.get_mut(link) {
                (state.asked, state.awaiting_peers) = (Some(now.instant), state.awaiting_peers.saturating_add(1));
            }
            self.send(*link, Frame::MembersWanted(missing.iter().copied().collect()));
        }
        !asked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Draft, Lifetime, Open, Scheme};
    use crate::identity::NetworkHash;
    use crate::overlay::MEMBER_TITLE;

    const KEEP: Duration = Duration::from_secs(3600);

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_micros((1_000_000 + second) * 1_000_000).unwrap()
    }

    fn record(n: u8, second: u64) -> Verified<Envelope> {
        let message = MemberRecord { name: second.to_string(), ..MemberRecord::default() }.encode().into();
        let draft =
            Draft { title: MEMBER_TITLE.parse().unwrap(), message, time: at(second), lifetime: Lifetime::secs(600) };
        Open::new(NetworkHash::plain(&"t".parse().unwrap()), id(n)).publish(&draft).unwrap()
    }

    fn put(records: &mut Records, members: &[u8], n: u8, second: u64) -> Result<bool, Reason> {
        let is_member = |member: &NodeId| members.iter().any(|n| id(*n) == *member);
        let envelope = record(n, second);
        records.admits(&envelope)?;
        let content = MemberRecord::decode(&envelope.message()).unwrap();
        let is_kept = records.put(&envelope, content, KEEP, is_member);
        assert_eq!(records.slots.len(), records.ids.len());
        assert_eq!(records.by_id(&envelope.id()).is_some(), is_kept);
        Ok(is_kept)
    }

    #[test]
    fn the_newest_record_of_a_member_stands_whatever_the_order_of_arrival_until_it_runs_out() {
        let mut records = Records::new(10);
        assert_eq!(put(&mut records, &[], 1, 5), Ok(true));
        assert_eq!(put(&mut records, &[], 1, 4), Err(Reason::Superseded));
        assert_eq!(put(&mut records, &[], 1, 5), Err(Reason::Superseded));
        assert_eq!(put(&mut records, &[], 1, 6), Ok(true));
        assert_eq!(records.get(&id(1)).unwrap().name, "6");
        assert!(records.by_id(&record(1, 6).id()).is_some() && records.by_id(&record(1, 5).id()).is_none());
        records.expire(at(606));
        assert_eq!(records.slot_ids().count(), 1);
        records.expire(at(607));
        assert!(records.get(&id(1)).is_none() && records.slot_ids().count() == 0);
    }

    #[test]
    fn in_a_full_table_members_take_the_place_of_strangers_and_nobody_that_of_members() {
        let mut records = Records::new(2);
        put(&mut records, &[], 1, 1).unwrap();
        put(&mut records, &[], 2, 2).unwrap();
        assert_eq!(put(&mut records, &[], 3, 3), Ok(false), "a stranger");
        assert_eq!(put(&mut records, &[3], 3, 3), Ok(true));
        assert!(records.get(&id(1)).is_none(), "the one that would run out first");
        assert_eq!(put(&mut records, &[3, 4], 4, 4), Ok(true));
        assert_eq!(put(&mut records, &[3, 4, 5], 5, 5), Ok(false));
        assert_eq!(records.slots.keys().copied().collect::<Vec<_>>(), [id(3), id(4)]);
    }
}
