//! Presences travel together. None of them is urgent, and in a large network there are many: passing on those of a moment
//! at once costs each node one record a neighbour instead of one for each.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, Verified};
use crate::wire::Kind;

use super::core::Timer;
use super::index::IdHash;
use super::output::{LinkId, Output};
use super::{Core, Now};

/// Among so few members there is nothing to gather: they hear of each other at once.
const FEW_MEMBERS: u32 = 32;
/// A presence waits so long for others, for each known member, and at most so long, at every node it passes.
const WAIT_PER_MEMBER: Duration = Duration::from_micros(200);
const WAIT_MOST: Duration = Duration::from_millis(250);
/// So many do not wait any longer: with most presences that is a full record.
const ENOUGH: usize = 256;
/// Ids are announced after a second, and what a presence takes over so many nodes: a tree that is slower lost it.
const COLLECT_IDS: Duration = Duration::from_secs(1);
const NODES_PASSED: u32 = 16;

/// Presences that are about to be passed on, and ids of such that are about to be announced.
#[derive(Debug)]
pub(super) struct Gathered {
    // Looked up for every copy of every presence, never iterated: its order can influence nothing.
    by_id: HashMap<EnvelopeId, Waiting, IdHash>,
    /// What waits to be passed on, in the order in which it came.
    contents: Vec<Verified<Envelope>>,
    /// Whose ids wait to be announced, likewise.
    ids: Vec<EnvelopeId>,
}

/// To whom a presence is to go.
#[derive(Debug)]
struct Waiting {
    /// These are sent it.
    contents: Vec<LinkId>,
    /// These are told its id.
    ids: Vec<LinkId>,
}

impl Gathered {
    pub(super) fn new(hash: IdHash) -> Self {
        Gathered { by_id: HashMap::with_hasher(hash), contents: Vec::new(), ids: Vec::new() }
    }

    /// A neighbour has it: it need neither be sent nor told it.
    pub(super) fn is_known_to(&mut self, id: &EnvelopeId, link: LinkId) {
        if let Some(waiting) = self.by_id.get_mut(id) {
            waiting.contents.retain(|other| *other != link);
            waiting.ids.retain(|other| *other != link);
        }
    }

    fn put(&mut self, envelope: &Verified<Envelope>, waiting: Waiting) {
        if !waiting.contents.is_empty() {
            self.contents.push(envelope.clone());
        }
        self.ids.push(envelope.id());
        self.by_id.insert(envelope.id(), waiting);
    }
}

impl Core {
    /// Passes a presence on with those that come after it.
    pub(super) fn gather(&mut self, now: Now, envelope: &Verified<Envelope>, contents: Vec<LinkId>, ids: Vec<LinkId>) {
        if contents.is_empty() && ids.is_empty() {
            return;
        }
        let wait = self.gathers_for();
        let gathered = &mut self.tree.gathered;
        gathered.put(envelope, Waiting { contents, ids });
        // Its own goes at once: nobody has waited for anything yet.
        if wait.is_zero() || gathered.contents.len() >= ENOUGH || envelope.sender() == self.own {
            self.relay_gathered();
        } else {
            self.timers.set_earlier(Timer::Presences, now.instant + wait);
        }
        if self.tree.gathered.ids.len() >= Kind::MAX_HAVE {
            self.announce_gathered();
        } else {
            self.timers.set_earlier(Timer::PresenceIds, now.instant + COLLECT_IDS + wait * NODES_PASSED);
        }
    }

    /// How long a presence waits for others.
    fn gathers_for(&self) -> Duration {
        let members = u32::try_from(self.members.count()).unwrap_or(u32::MAX);
        if members <= FEW_MEMBERS { Duration::ZERO } else { WAIT_PER_MEMBER.saturating_mul(members).min(WAIT_MOST) }
    }

    /// Passes on what was gathered, to those who have not shown meanwhile that they have it.
    pub(super) fn relay_gathered(&mut self) {
        self.timers.clear(Timer::Presences);
        for envelope in std::mem::take(&mut self.tree.gathered.contents) {
            let waiting = self.tree.gathered.by_id.get_mut(&envelope.id());
            let to = waiting.map(|waiting| std::mem::take(&mut waiting.contents)).unwrap_or_default();
            if !to.is_empty() {
                self.output(Output::Relay { envelope, to });
            }
        }
    }

    /// Announces the ids of presences that were collected, to those who have not shown meanwhile that they have them.
    pub(super) fn announce_gathered(&mut self) {
        self.relay_gathered();
        self.timers.clear(Timer::PresenceIds);
        let ids = std::mem::take(&mut self.tree.gathered.ids);
        let by_id = &mut self.tree.gathered.by_id;
        let waiting: Vec<_> = ids.iter().filter_map(|id| by_id.remove_entry(id)).collect();
        // Many come only while many join: an idle node holds no room for them.
        by_id.shrink_to_fit();
        let mut by_link: BTreeMap<LinkId, Vec<EnvelopeId>> = BTreeMap::new();
        for (id, waiting) in waiting {
            for link in waiting.ids {
                by_link.entry(link).or_default().push(id);
            }
        }
        for (link, ids) in by_link {
            self.tell(link, &ids);
        }
    }

    /// A neighbour has a broadcast: it need neither be sent nor told it.
    pub(super) fn is_known_to(&mut self, id: &EnvelopeId, link: LinkId) {
        self.tree.untold.is_known_to(id, link);
        self.tree.gathered.is_known_to(id, link);
    }
}
