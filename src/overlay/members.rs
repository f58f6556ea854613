//! Who belongs to the network: the newest presence or leave of every member, or of as many as there is room for.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified};
use crate::identity::NodeId;

use super::index::IdHash;
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

impl MemberState {
    /// The state as one word.
    pub const fn label(self) -> &'static str {
        match self {
            MemberState::Present => "present",
            MemberState::Unreachable => "unreachable",
            MemberState::Gone => "gone",
        }
    }
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
    presence: Option<Arc<Presence>>,
    expires: Timestamp,
    /// When this node first heard of it.
    known_since: Instant,
    /// Since when nobody names a link to it.
    unnamed_since: Option<Instant>,
    state: MemberState,
    /// Its place in the draw; `None` if it was here when there was room for everybody.
    drawn: Option<u64>,
}

/// One slot per member, ordered by (time, id): a newer presence or leave takes the older one's place.
///
/// A network may have more members than a node has slots. Whoever came while half of them were free keeps its slot: nobody
/// can push it out with many names. The other half goes by lot, which each node draws its own way: so all members are known
/// to about as many nodes, and links spread over all of them, whenever they came.
#[derive(Debug)]
pub(super) struct Members {
    own: NodeId,
    slots: BTreeMap<NodeId, Slot>,
    /// Whose slot holds the envelope with this id.
    ids: BTreeMap<EnvelopeId, NodeId>,
    /// How many current presences name a link to the member with this name.
    named: BTreeMap<LinkName, usize>,
    /// Those whose slots go by lot. The highest lot loses.
    drawn: BTreeSet<(u64, NodeId)>,
    lots: IdHash,
    present: usize,
    gone: usize,
    capacity: usize,
}

/// What became of a presence or leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Put {
    /// Whether there was a slot for it.
    pub(super) is_kept: bool,
    /// The member's new state, if it changed.
    pub(super) change: Option<MemberState>,
    /// Who had to make room for it.
    pub(super) displaced: Option<NodeId>,
}

impl Members {
    /// An empty table of the node `own`. `lots` decides whom it keeps where there are too many, and must be secret.
    pub(super) fn new(capacity: usize, own: NodeId, lots: IdHash) -> Self {
        Members {
            own,
            slots: BTreeMap::new(),
            ids: BTreeMap::new(),
            named: BTreeMap::new(),
            drawn: BTreeSet::new(),
            lots,
            present: 0,
            gone: 0,
            capacity: capacity.max(2),
        }
    }

    /// Whether an envelope for the slot of its sender is the newest.
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

    /// Puts a presence (or a leave) that [`admits`](Self::admits) let pass into its slot, if it has one or gets one.
    pub(super) fn put(
        &mut self,
        envelope: &Verified<Envelope>,
        presence: Option<Arc<Presence>>,
        keep: Duration,
        now: Instant,
    ) -> Put {
        let sender = envelope.sender();
        let old = self.slots.get(&sender).map(|old| (old.state, old.known_since, old.unnamed_since, old.drawn));
        let mut displaced = None;
        if old.is_none() && self.is_full() {
            displaced = self.loser(&sender);
            if displaced.is_none() {
                return Put::default();
            }
        }
        displaced.map(|displaced| self.remove(&displaced));
        self.name_links(presence.as_deref(), true);
        let (was, known_since, unnamed_since, drawn) = match old {
            Some((was, known_since, unnamed_since, drawn)) => (Some(was), known_since, unnamed_since, drawn),
            None => (None, now, None, self.draw(&sender)),
        };
        self.remove(&sender);
        let state = match (presence.is_some(), was) {
            (false, _) => MemberState::Gone,
            // The clock of "unnamed" runs on over a new presence: an isolated node announces itself in vain.
            (true, Some(MemberState::Unreachable)) => MemberState::Unreachable,
            (true, _) => MemberState::Present,
        };
        let unnamed_since = unnamed_since.filter(|_| state == MemberState::Unreachable);
        let expires = index::live_until(envelope.time(), envelope.lifetime(), keep);
        let envelope = envelope.clone();
        self.ids.insert(envelope.id(), sender);
        drawn.map(|lot| self.drawn.insert((lot, sender)));
        self.tally(state, 1);
        self.slots.insert(sender, Slot { envelope, presence, expires, known_since, unnamed_since, state, drawn });
        // Somebody who is first heard of by its leave is no news.
        let is_news = was != Some(state) && !(was.is_none() && state == MemberState::Gone);
        Put { is_kept: true, change: is_news.then_some(state), displaced }
    }

    /// Whether there may be members that this table does not show.
    pub(super) fn is_full(&self) -> bool {
        self.slots.len() >= self.capacity
    }

    /// Who makes room for a newcomer in a full table: whoever left first, or else whoever drew a higher lot.
    fn loser(&self, newcomer: &NodeId) -> Option<NodeId> {
        if self.gone > 0 {
            let gone = self.slots.iter().filter(|(_, slot)| slot.state == MemberState::Gone);
            return gone.min_by_key(|(_, slot)| slot.envelope.time()).map(|(id, _)| *id);
        }
        let (highest, loser) = self.drawn.last()?;
        (*newcomer == self.own || self.lots.hash_one(newcomer) < *highest).then_some(*loser)
    }

    /// The lot of a newcomer, if it needs one.
    fn draw(&self, newcomer: &NodeId) -> Option<u64> {
        let has_first_half = self.slots.len() - self.drawn.len() < self.capacity.div_ceil(2);
        (!has_first_half && *newcomer != self.own).then(|| self.lots.hash_one(newcomer))
    }

    /// Empties a slot.
    fn remove(&mut self, member: &NodeId) -> Option<MemberState> {
        let slot = self.slots.remove(member)?;
        self.ids.remove(&slot.envelope.id());
        slot.drawn.map(|lot| self.drawn.remove(&(lot, *member)));
        self.name_links(slot.presence.as_deref(), false);
        self.tally(slot.state, -1);
        Some(slot.state)
    }

    fn tally(&mut self, state: MemberState, by: isize) {
        let count = if state == MemberState::Gone { &mut self.gone } else { &mut self.present };
        *count = count.saturating_add_signed(by);
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
                changes.push((*id, state));
                slot.state = state;
            }
        }
        for id in dead {
            if self.remove(&id).is_some_and(|was| was != MemberState::Gone) {
                changes.push((id, MemberState::Gone));
            }
        }
        changes
    }

    /// What is known of a member's whereabouts.
    pub(super) fn state(&self, id: &NodeId) -> Option<MemberState> {
        self.slots.get(id).map(|slot| slot.state)
    }

    /// The newest presence of a member that has not left.
    pub(super) fn presence(&self, id: &NodeId) -> Option<(&Presence, &Verified<Envelope>)> {
        let slot = self.slots.get(id)?;
        Some((slot.presence.as_deref()?, &slot.envelope))
    }

    /// The same, to be kept for a while.
    pub(super) fn shared_presence(&self, id: &NodeId) -> Option<Arc<Presence>> {
        self.slots.get(id)?.presence.clone()
    }

    /// Where members claim to be.
    pub(super) fn claims(&self) -> impl Iterator<Item = (&NodeId, &[SocketAddr])> {
        self.slots.iter().filter_map(|(id, slot)| Some((id, &slot.presence.as_ref()?.addresses[..])))
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

    /// The ids of the slots' envelopes that live until `alive` at least, with their times.
    pub(super) fn slots(&self, alive: Timestamp) -> impl Iterator<Item = (Timestamp, EnvelopeId)> + '_ {
        let slots = self.slots.values().filter(move |slot| slot.expires >= alive);
        slots.map(|slot| (slot.envelope.time(), slot.envelope.id()))
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
            let presence = Presence::clone(slot.presence.as_ref()?);
            Some(Member { id: *id, state: slot.state, announced: slot.envelope.time(), presence })
        })
    }

    /// How many members are present or unreachable.
    pub(super) fn count(&self) -> usize {
        self.present
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
mod tests;
