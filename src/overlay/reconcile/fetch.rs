//! Fetching what a session found to be missing: many ids of one neighbour, as fast as it gives them and no faster.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::envelope::EnvelopeId;
use crate::identity::NodeId;
use crate::wire::ReconcileSet;

use super::super::{Instant, LinkId};
use super::recent::Recent;

/// Ids asked of one link and not answered: at the start, and at most.
const WINDOW_FIRST: usize = 128;
const WINDOW_LEAST: usize = 8;
const WINDOW_MOST: usize = 1_024;
/// About so many bytes are asked for at a time: half of what may wait for a link at the other end.
const WINDOW_BYTES: usize = 2 << 20;
/// A neighbour that gives nothing for so long gives nothing.
const STALL: Duration = Duration::from_secs(5);
/// Ids wanted of one link, and of all.
const WANTED_OF_LINK: usize = 65_536;
const WANTED: usize = 262_144;
/// How long, once or twice, an id is not asked for again that its holder did not have, or this node could not take; and
/// how many are remembered.
const AGAIN_AFTER: Duration = Duration::from_secs(300);
const REMEMBERED: usize = 65_536;
/// From so many on it is much that is coming, or was not there.
const MANY: usize = 256;
/// Something came within this time: the rest can be expected.
const BRISK: Duration = Duration::from_secs(1);

/// What is being fetched.
#[derive(Debug)]
pub(in super::super) struct Fetch {
    wanted: BTreeMap<EnvelopeId, Wanted>,
    links: BTreeMap<LinkId, Source>,
    /// Ids a neighbour listed and did not hold.
    absent: Recent<u64>,
    /// Ids that came and could not be taken.
    declined: Recent<u64>,
}

/// An id that is to come from one neighbour.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Wanted {
    link: LinkId,
    has_arrived: bool,
}

/// One neighbour that things are fetched from.
#[derive(Debug)]
struct Source {
    queue: VecDeque<EnvelopeId>,
    open: BTreeSet<EnvelopeId>,
    /// Those of `wanted` that are this link's.
    wanted: usize,
    window: usize,
    /// The usual size of what comes.
    size: usize,
    /// When something good came last.
    moved: Instant,
    asked: usize,
    absent: usize,
    /// What came, oldest and newest, that the other neighbours may lack.
    gained: BTreeMap<ReconcileSet, (u64, u64)>,
}

impl Default for Fetch {
    fn default() -> Self {
        Fetch {
            wanted: BTreeMap::new(),
            links: BTreeMap::new(),
            absent: Recent::new(AGAIN_AFTER, REMEMBERED),
            declined: Recent::new(AGAIN_AFTER, REMEMBERED),
        }
    }
}

impl Fetch {
    /// Notes an id to be fetched of a neighbour that listed it; says whether it will be.
    pub(super) fn want(&mut self, now: Instant, link: LinkId, peer: NodeId, id: EnvelopeId) -> bool {
        let is_known = self.wanted.contains_key(&id) || self.declined.contains(now, &short(&id));
        if is_known || self.wanted.len() >= WANTED || self.absent.contains(now, &of_holder(&peer, &id)) {
            return false;
        }
        let source = self.links.entry(link).or_insert_with(|| Source::new(now));
        if source.wanted >= WANTED_OF_LINK {
            return false;
        }
        if source.wanted == 0 {
            source.moved = now;
        }
        source.wanted += 1;
        source.queue.push_back(id);
        self.wanted.insert(id, Wanted { link, has_arrived: false });
        true
    }

    /// What to ask a neighbour for now: nothing while half of the last questions are open.
    pub(super) fn questions(&mut self, link: LinkId) -> Vec<EnvelopeId> {
        let Some(source) = self.links.get_mut(&link) else { return Vec::new() };
        let room = source.window.saturating_sub(source.open.len());
        let mut ids = Vec::new();
        if room * 2 < source.window {
            return ids;
        }
        while ids.len() < room
            && let Some(id) = source.queue.pop_front()
        {
            // What came another way meanwhile is still in the queue.
            let is_wanted = self.wanted.get(&id).is_some_and(|wanted| wanted.link == link && !wanted.has_arrived);
            if is_wanted && source.open.insert(id) {
                ids.push(id);
            }
        }
        source.asked += ids.len();
        ids
    }

    /// Whether the id is on its way.
    pub(in super::super) fn is_wanted(&self, id: &EnvelopeId) -> bool {
        self.wanted.contains_key(id)
    }

    /// An envelope of `size` bytes arrived over `link`. Says whether it was asked of it for this; then it need not be asked
    /// again.
    pub(in super::super) fn arrived(&mut self, id: &EnvelopeId, link: LinkId, size: usize) -> bool {
        let Some(wanted) = self.wanted.get_mut(id).filter(|wanted| wanted.link == link) else { return false };
        let Some(source) = self.links.get_mut(&link) else { return false };
        let was_open = source.open.remove(id);
        if was_open {
            wanted.has_arrived = true;
            source.size = (source.size * 7 + size) / 8;
            let most = (WINDOW_BYTES / source.size.max(1)).clamp(WINDOW_LEAST, WINDOW_MOST);
            source.window = (source.window + 1).min(most);
        }
        was_open
    }

    /// An envelope was found good, whoever brought it. Names the neighbour, if it was fetched.
    pub(in super::super) fn finished(&mut self, now: Instant, id: &EnvelopeId) -> Option<LinkId> {
        let wanted = self.forget(id)?;
        let source = self.links.get_mut(&wanted.link).filter(|_| wanted.has_arrived)?;
        source.moved = now;
        Some(wanted.link)
    }

    /// What was fetched arrived and could not be taken, through no fault of its bringer: it is not fetched again for a
    /// while.
    pub(in super::super) fn declined(&mut self, now: Instant, id: &EnvelopeId) {
        self.forget(id);
        self.declined.insert(now, short(id));
    }

    /// An id is not to be fetched any more.
    pub(in super::super) fn forget(&mut self, id: &EnvelopeId) -> Option<Wanted> {
        let wanted = self.wanted.remove(id)?;
        if let Some(source) = self.links.get_mut(&wanted.link) {
            source.wanted -= 1;
            source.open.remove(id);
        }
        Some(wanted)
    }

    /// A neighbour does not hold what it listed.
    pub(super) fn absent(&mut self, now: Instant, link: LinkId, peer: NodeId, id: &EnvelopeId) -> bool {
        if !self.links.get(&link).is_some_and(|source| source.open.contains(id)) {
            return false;
        }
        self.forget(id);
        self.absent.insert(now, of_holder(&peer, id));
        if let Some(source) = self.links.get_mut(&link) {
            source.absent += 1;
        }
        true
    }

    /// Something came from `link` that the other neighbours may lack.
    pub(super) fn gained(&mut self, link: LinkId, set: ReconcileSet, time: u64) {
        if let Some(source) = self.links.get_mut(&link) {
            let (from, to) = source.gained.entry(set).or_insert((time, time));
            (*from, *to) = ((*from).min(time), (*to).max(time));
        }
    }

    /// How many ids are still to come from a neighbour.
    pub(super) fn backlog(&self, link: LinkId) -> usize {
        self.links.get(&link).map_or(0, |source| source.wanted)
    }

    /// When something good came last from a neighbour of which more is to come.
    pub(super) fn moved(&self, link: LinkId) -> Option<Instant> {
        self.links.get(&link).filter(|source| source.wanted > 0).map(|source| source.moved)
    }

    /// Whether much is coming, and it does come: then it would be in vain to look elsewhere for the same.
    pub(super) fn is_busy(&self, now: Instant) -> bool {
        self.links.values().any(|source| source.wanted >= MANY && now.since(source.moved) < BRISK)
    }

    /// Whether most of what a neighbour lists is not there.
    pub(super) fn is_barren(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|source| source.absent >= MANY && source.absent * 2 > source.asked)
    }

    /// Gives up what does not come; names those it was wanted of.
    pub(super) fn give_up(&mut self, now: Instant) -> Vec<LinkId> {
        let stalled = self.links.iter().filter(|(_, source)| source.wanted > 0 && now >= source.moved + STALL);
        let stalled: Vec<LinkId> = stalled.map(|(link, _)| *link).collect();
        stalled.iter().for_each(|link| self.drop_wanted(*link));
        stalled
    }

    /// When the next neighbour will have given nothing for too long.
    pub(super) fn next(&self) -> Option<Instant> {
        self.links.values().filter(|source| source.wanted > 0).map(|source| source.moved + STALL).min()
    }

    /// Whether all has come from a neighbour, and some of it others may lack.
    pub(super) fn has_gained(&self) -> bool {
        self.links.values().any(|source| source.wanted == 0 && !source.gained.is_empty())
    }

    /// Neighbours from which all has come, with what it was that others may lack: the times of the oldest and the newest.
    pub(super) fn take_gained(&mut self) -> Vec<(LinkId, ReconcileSet, (u64, u64))> {
        let done = self.links.iter_mut().filter(|(_, source)| source.wanted == 0);
        done.flat_map(|(link, source)| {
            std::mem::take(&mut source.gained).into_iter().map(|(set, span)| (*link, set, span))
        })
        .collect()
    }

    /// A link is gone. What it brought is given to the others as if all had come.
    pub(super) fn link_closed(&mut self, link: LinkId) -> BTreeMap<ReconcileSet, (u64, u64)> {
        self.drop_wanted(link);
        self.links.remove(&link).map(|source| source.gained).unwrap_or_default()
    }

    fn drop_wanted(&mut self, link: LinkId) {
        self.wanted.retain(|_, wanted| wanted.link != link);
        if let Some(source) = self.links.get_mut(&link) {
            (source.wanted, source.queue, source.open) = (0, VecDeque::new(), BTreeSet::new());
        }
    }
}

#[cfg(test)]
impl Fetch {
    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }

    pub(super) fn was_absent(&mut self, now: Instant, peer: NodeId, id: EnvelopeId) -> bool {
        self.absent.contains(now, &of_holder(&peer, &id))
    }
}

/// Enough of an id to remember it by: who makes two that agree in it has one of them fetched later.
fn short(id: &EnvelopeId) -> u64 {
    id.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The same of an id at one holder.
fn of_holder(holder: &NodeId, id: &EnvelopeId) -> u64 {
    holder.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)) ^ short(id)
}

impl Source {
    fn new(now: Instant) -> Self {
        Source {
            queue: VecDeque::new(),
            open: BTreeSet::new(),
            wanted: 0,
            window: WINDOW_FIRST,
            size: 1_024,
            moved: now,
            asked: 0,
            absent: 0,
            gained: BTreeMap::new(),
        }
    }
}
