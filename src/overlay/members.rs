//! Who belongs to the network: the newest presence or leave of every member.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified};
use crate::identity::NodeId;

use super::presence::LinkName;
use super::{Instant, Presence, Reason, index};

/// What is known of a member's whereabouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MemberState {
    /// It announced itself, and somebody is linked with it.
    Present,
    /// It announced itself, but nobody names a link to it any more.
    Unreachable,
    /// It left, or its presence ran out.
    Gone,
}

/// A member as the rest of the program sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub id: NodeId,
    /// What is known of its whereabouts.
    pub state: MemberState,
    /// When it last announced itself, by its own clock.
    pub announced: Timestamp,
    /// What it announced.
    pub presence: Presence,
}

#[derive(Debug)]
struct Slot {
    envelope: Verified<Envelope>,
    /// `None` for a leave.
    presence: Option<Presence>,
    expires: Timestamp,
    /// When this node first heard of it.
    known_since: Instant,
    /// Since when nobody names a link to it.
    unnamed_since: Option<Instant>,
    state: MemberState,
}

/// One slot per member, ordered by (time, id): a newer presence or leave takes the older one's place.
#[derive(Debug)]
pub(super) struct Members {
    slots: BTreeMap<NodeId, Slot>,
    /// Whose slot holds the envelope with this id.
    ids: BTreeMap<EnvelopeId, NodeId>,
    /// How many current presences name a link to the member with this name.
    named: BTreeMap<LinkName, usize>,
    present: usize,
    capacity: usize,
}

impl Members {
    pub(super) fn new(capacity: usize) -> Self {
        Members {
            slots: BTreeMap::new(),
            ids: BTreeMap::new(),
            named: BTreeMap::new(),
            present: 0,
            capacity: capacity.max(1),
        }
    }

    /// Whether an envelope for the slot of its sender is the newest.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(super) fn admits(&self, envelope: &Envelope) -> Result<(), Reason> {
        match self.slots.get(&envelope.sender()) {
            Some(slot) if order(&slot.envelope) >= order(envelope) => Err(Reason::Superseded),
            Some(_) => Ok(()),
            None if self.slots.len() < self.capacity => Ok(()),
            None if self.slots.values().any(|slot| slot.state == MemberState::Gone) => Ok(()),
            None => Err(Reason::TableFull),
        }
    }

    /// Puts a presence (or a leave) that [`admits`](Self::admits) let pass into its slot. Says the member's new state, if
    /// it changed.
    pub(super) fn put(
        &mut self,
        envelope: &Verified<Envelope>,
        presence: Option<Presence>,
        keep: Duration,
        now: Instant,
    ) -> Option<MemberState> {
        let sender = envelope.sender();
        if self.slots.len() >= self.capacity && !self.slots.contains_key(&sender) {
            let gone = self.slots.iter().filter(|(_, slot)| slot.state == MemberState::Gone);
            let oldest = gone.min_by_key(|(_, slot)| slot.envelope.time()).map(|(id, _)| *id);
            oldest.and_then(|oldest| self.slots.remove(&oldest)).map(|slot| self.ids.remove(&slot.envelope.id()));
        }
        self.name_links(presence.as_ref(), true);
        let expires = index::live_until(envelope.time(), envelope.lifetime(), keep);
        let state = if presence.is_some() { MemberState::Present } else { MemberState::Gone };
        let envelope = envelope.clone();
        self.ids.insert(envelope.id(), sender);
        let known_since = self.slots.get(&sender).map_or(now, |old| old.known_since);
        let slot = Slot { envelope, presence, expires, known_since, unnamed_since: None, state };
        let old = self.slots.insert(sender, slot);
        self.name_links(old.as_ref().and_then(|old| old.presence.as_ref()), false);
        old.as_ref().map(|old| self.ids.remove(&old.envelope.id()));
        // The clock of "unnamed" runs on over a new presence: an isolated node announces itself in vain.
        let was = old.as_ref().map(|old| old.state);
        if let (Some(slot), Some(old)) = (self.slots.get_mut(&sender), old)
            && old.state == MemberState::Unreachable
            && state == MemberState::Present
        {
            (slot.unnamed_since, slot.state) = (old.unnamed_since, MemberState::Unreachable);
        }
        let is = self.slots.get(&sender).map(|slot| slot.state)?;
        self.count_change(was, is);
        // Somebody who is first heard of by its leave is no news.
        (was != Some(is) && !(was.is_none() && is == MemberState::Gone)).then_some(is)
    }

    /// Looks again at everybody's state: who ran out, who is not named by anybody. `linked` says whom this node itself is
    /// linked with; `unreachable_after` is `None` where members do not publish their links.
    pub(super) fn review(
        &mut self,
        now: super::Now,
        unreachable_after: Option<Duration>,
        linked: impl Fn(&NodeId) -> bool,
    ) -> Vec<(NodeId, MemberState)> {
        let mut changes = Vec::new();
        let mut dead = Vec::new();
        for (id, slot) in &mut self.slots {
            if slot.expires < now.wall {
                dead.push(*id);
                continue;
            }
            if slot.presence.is_none() {
                continue;
            }
            let named = linked(id) || self.named.contains_key(&LinkName::from(id));
            slot.unnamed_since = if named { None } else { Some(slot.unnamed_since.unwrap_or(now.instant)) };
            let state = match (unreachable_after, slot.unnamed_since) {
                (Some(after), Some(since)) if now.instant.since(since) >= after => MemberState::Unreachable,
                _ => MemberState::Present,
            };
            if state != slot.state {
                changes.push((*id, slot.state, state));
                slot.state = state;
            }
        }
        for id in dead {
            if let Some(slot) = self.slots.remove(&id) {
                self.ids.remove(&slot.envelope.id());
                self.name_links(slot.presence.as_ref(), false);
                self.count_forgotten(slot.state);
                if slot.state != MemberState::Gone {
                    changes.push((id, slot.state, MemberState::Gone));
                }
            }
        }
        for (_, was, is) in &changes {
            if *is != MemberState::Gone {
                self.count_change(Some(*was), *is);
            }
        }
        changes.into_iter().map(|(id, _, state)| (id, state)).collect()
    }

    /// What is known of a member's whereabouts.
    pub(super) fn state(&self, id: &NodeId) -> Option<MemberState> {
        self.slots.get(id).map(|slot| slot.state)
    }

    /// The newest presence of a member that has not left.
    pub(super) fn presence(&self, id: &NodeId) -> Option<(&Presence, &Verified<Envelope>)> {
        let slot = self.slots.get(id)?;
        Some((slot.presence.as_ref()?, &slot.envelope))
    }

    /// Whether this node heard of a member before `moment`.
    pub(super) fn known_before(&self, id: &NodeId, moment: Instant) -> bool {
        self.slots.get(id).is_some_and(|slot| slot.known_since < moment)
    }

    /// Whether a member is present, and announced itself when it was to be expected.
    pub(super) fn is_on_time(&self, id: &NodeId, now: Timestamp) -> bool {
        self.slots.get(id).is_some_and(|slot| {
            let period = slot.presence.as_ref().map_or(Duration::ZERO, |presence| presence.period);
            let expected_by = slot.envelope.time().plus(period.saturating_mul(3) / 2);
            slot.state == MemberState::Present && now <= expected_by
        })
    }

    /// How many links a member says it has, if it says.
    pub(super) fn published_links(&self, id: &NodeId) -> Option<usize> {
        self.presence(id)?.0.links.as_ref().map(Vec::len)
    }

    /// The slot's envelope with this id, to serve it to somebody who lacks it.
    pub(super) fn by_id(&self, id: &EnvelopeId) -> Option<&Verified<Envelope>> {
        Some(&self.slots.get(self.ids.get(id)?)?.envelope)
    }

    /// Everybody there is a slot for, those who left included.
    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.slots.keys().copied()
    }

    /// The ids of all slots' envelopes.
    pub(super) fn slot_ids(&self) -> impl Iterator<Item = EnvelopeId> + '_ {
        self.ids.keys().copied()
    }

    /// The bytes of the presences of those `ids` that have not left.
    pub(super) fn presences<'a>(
        &'a self,
        ids: impl IntoIterator<Item = NodeId> + 'a,
    ) -> impl Iterator<Item = Bytes> + 'a {
        ids.into_iter().filter_map(|id| self.presence(&id).map(|(_, envelope)| envelope.as_bytes().clone()))
    }

    /// Everybody who announced itself and is not gone.
    pub(super) fn iter(&self) -> impl Iterator<Item = Member> + '_ {
        self.slots.iter().filter(|(_, slot)| slot.state != MemberState::Gone).filter_map(|(id, slot)| {
            let presence = slot.presence.clone()?;
            Some(Member { id: *id, state: slot.state, announced: slot.envelope.time(), presence })
        })
    }

    /// How many members are present or unreachable.
    pub(super) fn count(&self) -> usize {
        self.present
    }

    fn count_change(&mut self, was: Option<MemberState>, is: MemberState) {
        let counts = |state| state != MemberState::Gone;
        self.present += usize::from(counts(is));
        self.present -= usize::from(was.is_some_and(counts));
    }

    fn count_forgotten(&mut self, was: MemberState) {
        self.present -= usize::from(was != MemberState::Gone);
    }

    fn name_links(&mut self, presence: Option<&Presence>, named: bool) {
        for name in presence.and_then(|presence| presence.links.as_ref()).into_iter().flatten() {
            if named {
                *self.named.entry(*name).or_default() += 1;
            } else if let Some(count) = self.named.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.named.remove(name);
                }
            }
        }
    }
}

/// What slots are ordered by.
pub(super) fn order(envelope: &Envelope) -> (Timestamp, EnvelopeId) {
    (envelope.time(), envelope.id())
}

#[cfg(test)]
mod tests {
    use super::super::Now;
    use super::super::presence::{LEAVE_TITLE, PRESENCE_TITLE};
    use super::*;
    use crate::envelope::{Draft, Lifetime, Open, Scheme};
    use crate::identity::NetworkHash;

    const KEEP: Duration = Duration::from_secs(3600);

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn wall(second: u64) -> Timestamp {
        Timestamp::from_micros((1_000_000 + second) * 1_000_000).unwrap()
    }

    fn now(second: u64) -> Now {
        Now { instant: Instant::at(Duration::from_secs(second)), wall: wall(second) }
    }

    fn announce(
        members: &mut Members,
        n: u8,
        second: u64,
        links: Option<&[u8]>,
    ) -> Result<Option<MemberState>, Reason> {
        let scheme = Open::new(NetworkHash::plain(&"t".parse().unwrap()), id(n));
        let presence = links.map(|links| Presence {
            links: Some(links.iter().map(|n| LinkName::from(&id(*n))).collect()),
            ..Presence::default()
        });
        let title = if links.is_some() { PRESENCE_TITLE } else { LEAVE_TITLE }.parse().unwrap();
        let message = presence.as_ref().map(Presence::encode).unwrap_or_default().into();
        let draft = Draft { title, message, time: wall(second), lifetime: Lifetime::secs(600) };
        let envelope = scheme.publish(&draft).unwrap();
        members.admits(&envelope)?;
        Ok(members.put(&envelope, presence, KEEP, now(second).instant))
    }

    #[test]
    fn the_newest_word_of_a_member_stands_whatever_the_order_of_arrival() {
        let mut members = Members::new(10);
        assert_eq!(announce(&mut members, 1, 5, Some(&[])), Ok(Some(MemberState::Present)));
        assert_eq!(announce(&mut members, 1, 5, Some(&[])), Err(Reason::Superseded));
        assert_eq!(announce(&mut members, 1, 4, None), Err(Reason::Superseded));
        assert_eq!(announce(&mut members, 1, 6, None), Ok(Some(MemberState::Gone)));
        assert_eq!(announce(&mut members, 1, 5, Some(&[])), Err(Reason::Superseded), "a replay after a leave");
        assert_eq!((members.count(), members.iter().count()), (0, 0));
        assert_eq!(announce(&mut members, 1, 7, Some(&[])), Ok(Some(MemberState::Present)));
        assert_eq!(announce(&mut members, 2, 7, None), Ok(None), "a stranger's leave is no news");
        assert_eq!(members.count(), 1);
    }

    #[test]
    fn a_member_nobody_names_becomes_unreachable_and_comes_back() {
        let mut members = Members::new(10);
        announce(&mut members, 1, 0, Some(&[2])).unwrap();
        announce(&mut members, 2, 0, Some(&[1])).unwrap();
        let after = Some(Duration::from_secs(3));
        assert_eq!(members.review(now(0), after, |_| false), []);
        announce(&mut members, 1, 1, Some(&[])).unwrap();
        assert_eq!(members.review(now(1), after, |_| false), []);
        assert_eq!(members.review(now(3), after, |_| false), []);
        assert_eq!(members.review(now(4), after, |_| false), [(id(2), MemberState::Unreachable)]);
        assert_eq!(announce(&mut members, 2, 5, Some(&[])), Ok(None), "its own word does not make it reachable");
        assert_eq!(
            members.review(now(5), after, |member| *member == id(2)).first(),
            Some(&(id(2), MemberState::Present))
        );
        assert_eq!(members.count(), 2);
    }

    #[test]
    fn a_presence_runs_out() {
        let mut members = Members::new(10);
        announce(&mut members, 1, 0, Some(&[1])).unwrap();
        assert_eq!(members.review(now(600), None, |_| false), []);
        assert_eq!(members.review(now(601), None, |_| false), [(id(1), MemberState::Gone)]);
        assert_eq!((members.count(), members.slots.len(), members.ids.len(), members.named.len()), (0, 0, 0, 0));
    }

    #[test]
    fn a_full_table_takes_strangers_in_the_place_of_those_who_left_only() {
        let mut members = Members::new(2);
        announce(&mut members, 1, 0, Some(&[])).unwrap();
        announce(&mut members, 2, 0, Some(&[])).unwrap();
        assert_eq!(announce(&mut members, 3, 1, Some(&[])), Err(Reason::TableFull));
        announce(&mut members, 2, 2, None).unwrap();
        assert_eq!(announce(&mut members, 3, 3, Some(&[])), Ok(Some(MemberState::Present)));
        assert_eq!((members.count(), members.slots.len(), members.ids.len()), (2, 2, 2));
    }
}
