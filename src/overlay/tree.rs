//! The tree over the flood: which links carry contents, and which only ids.
//!
//! After Plumtree (J. Leitão, J. Pereira, L. Rodrigues: Epidemic Broadcast Trees, SRDS 2007). A duplicate shows that its
//! link closes a circle: both ends get the same without it. So links go until what is left is nearly a tree; ids on the
//! pruned ones tell what the tree failed to bring. The corrections are for many senders: no link goes for its first
//! duplicate, but for those of a whole window, and then only while it brings another one, which shows that the circle is
//! still closed; a window condemns the links that were never first, or the one that was first most seldom; nothing is
//! grafted because something arrived, only when it had to be asked for again and again.
//!
//! An edge is eager or lazy for both its ends, so that it serves all senders alike: of a tree whose edges lead one way
//! only, most nodes' broadcasts reach nobody.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use rand::seq::IteratorRandom;

use crate::wire::Frame;

use super::bucket::TokenBucket;
use super::core::Timer;
use super::gathered::Gathered;
use super::index::IdHash;
use super::links::Link;
use super::newest_ids::NewestIds;
use super::output::{Direction, LinkId};
use super::relay::{Moments, Untold};
use super::settings::Broadcast;
use super::{Core, Instant, Now, Reason};

/// New envelopes after which the links are weighed; drawn anew each time, so that neighbours do not prune at once.
const WINDOW: std::ops::RangeInclusive<u32> = 16..=32;
/// One duplicate in so many new envelopes is nothing to prune for.
const TOLERATED: u32 = 4;
/// After the links were weighed, what is under way arrives before they are weighed again: this, and two round trips.
const SETTLE: Duration = Duration::from_millis(100);
/// The shortest time between two changes of a link.
const CHANGE_EVERY: Duration = Duration::from_secs(1);
/// In preset `auto`, a node with so few links prunes none of them.
const FEW_LINKS: usize = 3;
/// So many envelopes that had to be asked for, within [`MISSED_WITHIN`] and for [`MISSED_FOR`] at least, and no fewer than
/// came by themselves meanwhile: then whoever had the last one is grafted. A delay passes sooner.
const MISSED: u32 = 3;
const MISSED_WITHIN: Duration = Duration::from_secs(60);
const MISSED_FOR: Duration = Duration::from_secs(1);
/// How often a pruned link is tried again.
const TRY_EVERY: Duration = Duration::from_secs(600);
/// Asked-for envelopes that are passed on like others: so many at once, then one in so long. More is repair in bulk.
const ASKED_BURST: u32 = 256;
const ASKED_EVERY: Duration = Duration::from_millis(10);

/// So many ids of what was asked for are remembered at least, and at most twice as many.
const LATE: usize = 2048;

/// Envelopes of senders nobody knows here that count all the same: so many at once, enough to shape the tree when many join,
/// and one more in so long.
const STRANGERS: u32 = 128;
const STRANGERS_EVERY: Duration = Duration::from_secs(5);

/// What goes over a link unasked, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Push {
    /// Contents.
    Eager,
    /// Ids, several together; the other node asks for what it has not got otherwise.
    Lazy,
}

/// A link's part in the tree.
#[derive(Debug)]
pub(super) struct Edge {
    /// The neighbour knows EAGER and LAZY.
    understands: bool,
    pub(super) push: Push,
    /// This node's last word: what is eager for it and brings duplicates can be pruned, whatever the neighbour said.
    said: Push,
    changed: Option<Instant>,
    /// What is to be said as soon as it may.
    wish: Option<Push>,
    /// What it brought since the links were last weighed: as the first of all, and after another.
    firsts: u32,
    duplicates: u32,
    /// The firsts of the window before.
    firsts_before: u32,
    /// It is pruned when it brings another duplicate: what was true of the whole window is still true then.
    is_superfluous: bool,
}

impl Edge {
    /// A new link: eager until it is shown to be of no use.
    pub(super) fn new(understands: bool) -> Self {
        Edge {
            understands,
            push: Push::Eager,
            said: Push::Eager,
            changed: None,
            wish: None,
            firsts: 0,
            duplicates: 0,
            firsts_before: 0,
            is_superfluous: false,
        }
    }

    /// This node's last word on what it wants from here unasked.
    pub(super) fn said(&self) -> Push {
        self.said
    }

    /// Whether this node got from here what it had not got from elsewhere.
    pub(super) fn feeds(&self) -> bool {
        self.push == Push::Eager && (self.firsts > 0 || self.firsts_before > 0)
    }

    fn has_settled(&self, now: Instant) -> bool {
        self.changed.is_none_or(|at| now.since(at) >= CHANGE_EVERY)
    }
}

/// What the tree is made of besides its edges.
#[derive(Debug)]
pub(super) struct Tree {
    /// What came as the first of its kind since the links were last weighed, and after how much they are weighed again.
    news: u32,
    window: u32,
    not_before: Instant,
    missed: Option<Missed>,
    /// A link that fed this node was lost.
    pub(super) lost: bool,
    /// How much of what was asked for is passed on like what came by itself.
    pub(super) asked: TokenBucket,
    /// How much of what strangers say counts.
    pub(super) strangers: TokenBucket,
    /// What came otherwise than by itself. A copy of it shows no circle.
    pub(super) late: NewestIds,
    pub(super) untold: Untold,
    pub(super) gathered: Gathered,
    pub(super) moments: Moments,
}

/// Envelopes that had to be asked for, and those that came by themselves meanwhile.
#[derive(Clone, Copy, Debug)]
struct Missed {
    since: Instant,
    asked: u32,
    came: u32,
}

impl Tree {
    pub(super) fn new(now: Instant, hash: IdHash) -> Self {
        Tree {
            news: 0,
            window: *WINDOW.start(),
            not_before: now,
            missed: None,
            lost: false,
            asked: TokenBucket::new(ASKED_BURST, ASKED_EVERY, now),
            strangers: TokenBucket::new(STRANGERS, STRANGERS_EVERY, now),
            late: NewestIds::new(LATE, hash.clone()),
            untold: Untold::new(hash.clone()),
            gathered: Gathered::new(hash),
            moments: Moments::default(),
        }
    }

    /// Whether the tree failed to bring so much that a link is to be grafted.
    fn missed_one(&mut self, now: Instant) -> bool {
        let recent = self.missed.filter(|missed| now.since(missed.since) < MISSED_WITHIN);
        let mut missed = recent.unwrap_or(Missed { since: now, asked: 0, came: 0 });
        missed.asked = missed.asked.saturating_add(1);
        let enough = missed.asked >= MISSED && missed.asked >= missed.came && now.since(missed.since) >= MISSED_FOR;
        self.missed = (!enough).then_some(missed);
        enough
    }

    fn brought_one(&mut self) {
        if let Some(missed) = &mut self.missed {
            missed.came = missed.came.saturating_add(1);
            if missed.came > missed.asked.saturating_add(MISSED) {
                self.missed = None;
            }
        }
    }
}

impl Core {
    /// An envelope came by itself over a link, before all its copies.
    pub(super) fn came_first(&mut self, now: Now, from: LinkId) {
        let Some(edge) = self.links.get_mut(&from).map(|link| &mut link.edge).filter(|edge| edge.said == Push::Eager)
        else {
            return;
        };
        edge.firsts = edge.firsts.saturating_add(1);
        self.tree.brought_one();
        self.tree.news = self.tree.news.saturating_add(1);
        if self.tree.news >= self.tree.window && now.instant >= self.tree.not_before {
            self.weigh_links(now);
        }
    }

    /// A copy came by itself over a link after another one.
    pub(super) fn came_again(&mut self, now: Now, from: LinkId) {
        let Some(edge) = self.links.get_mut(&from).map(|link| &mut link.edge) else { return };
        edge.duplicates = edge.duplicates.saturating_add(1);
        if edge.is_superfluous && self.prunes() {
            self.say(now, from, Push::Lazy);
        }
    }

    /// An envelope came because this node had asked a neighbour for it, after the tree had had its time.
    pub(super) fn came_when_asked(&mut self, now: Now, from: LinkId) {
        if self.tree.missed_one(now.instant) {
            self.say(now, from, Push::Eager);
        }
    }

    fn prunes(&self) -> bool {
        match self.settings.broadcast {
            Broadcast::Flood => false,
            Broadcast::Tree => true,
            Broadcast::Auto => self.links.values().filter(|link| !link.closing).count() > FEW_LINKS,
        }
    }

    /// Prunes links that bring what others bring sooner, if more comes twice than is tolerated.
    fn weigh_links(&mut self, now: Now) {
        let news = self.tree.news;
        let mut marked = BTreeSet::new();
        let counted = |link: &&Link| !link.closing && link.edge.understands && link.edge.said == Push::Eager;
        let duplicates: u32 =
            self.links.values().filter(counted).fold(0, |sum, link| sum.saturating_add(link.edge.duplicates));
        if self.prunes() && duplicates.saturating_mul(TOLERATED) > news {
            let first_most = |(id, link): &(&LinkId, &Link)| {
                (link.edge.firsts, link.direction == Direction::Outbound, Reverse(**id))
            };
            let best = self.links.iter().filter(|(_, link)| counted(link)).max_by_key(first_most).map(|(id, _)| *id);
            // Half a window shows something.
            let measured = |link: &Link| {
                link.edge.duplicates.saturating_add(link.edge.firsts).saturating_mul(2) >= news
                    && link.edge.duplicates > 0
                    && link.edge.has_settled(now.instant)
            };
            let superfluous =
                self.links.iter().filter(|(id, link)| counted(link) && Some(**id) != best && measured(link));
            let mut superfluous: Vec<(u32, LinkId)> = superfluous.map(|(id, link)| (link.edge.firsts, *id)).collect();
            superfluous.sort_by_key(|(firsts, id)| (*firsts, Reverse(*id)));
            let never_first = superfluous.iter().take_while(|(firsts, _)| *firsts == 0).count();
            superfluous.truncate(never_first.max(1));
            marked.extend(superfluous.into_iter().map(|(_, id)| id));
        }
        for (id, link) in &mut self.links {
            link.edge.is_superfluous = marked.contains(id);
            (link.edge.firsts_before, link.edge.firsts, link.edge.duplicates) = (link.edge.firsts, 0, 0);
        }
        self.tree.news = 0;
        self.tree.window = self.rng.random_range(WINDOW);
        let round_trip = self.links.values().filter_map(|link| link.round_trip).max().unwrap_or_default();
        self.tree.not_before = now.instant + SETTLE + round_trip.min(CHANGE_EVERY) * 2;
    }

    /// Makes a link eager or lazy: at once, or as soon as it may change again.
    pub(super) fn say(&mut self, now: Now, id: LinkId, push: Push) {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.closing && link.edge.understands) else { return };
        let edge = &mut link.edge;
        if let Some(changed) = edge.changed.filter(|_| !edge.has_settled(now.instant)) {
            edge.wish = Some(push);
            self.timers.set_earlier(Timer::Tree, changed + CHANGE_EVERY);
            return;
        }
        (edge.push, edge.said, edge.changed, edge.wish) = (push, push, Some(now.instant), None);
        (edge.firsts, edge.duplicates, edge.firsts_before, edge.is_superfluous) = (0, 0, 0, false);
        let frame = if push == Push::Eager { Frame::Eager } else { Frame::Lazy };
        self.send(id, frame);
    }

    /// A neighbour wants contents, and sends them.
    pub(super) fn told_eager(&mut self, from: LinkId) {
        if let Some(link) = self.links.get_mut(&from) {
            (link.edge.push, link.edge.said, link.edge.is_superfluous) = (Push::Eager, Push::Eager, false);
        }
    }

    /// A neighbour wants ids, and sends them.
    pub(super) fn told_lazy(&mut self, now: Now, from: LinkId) {
        let Some(link) = self.links.get_mut(&from) else { return };
        (link.edge.push, link.edge.is_superfluous) = (Push::Lazy, false);
        if !self.open_edges().any(|(_, edge)| edge.push == Push::Eager) {
            // Any other link leads back into the tree: this node is all there is on its side.
            let others: BTreeSet<LinkId> = self.open_edges().map(|(id, _)| id).filter(|id| *id != from).collect();
            if let Some(other) = others.into_iter().choose_stable(&mut self.rng) {
                self.say(now, other, Push::Eager);
            }
        }
    }

    /// Whether contents come over a link by themselves.
    pub(super) fn is_eager(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|link| link.edge.push == Push::Eager)
    }

    fn open_edges(&self) -> impl Iterator<Item = (LinkId, &Edge)> {
        self.links.iter().filter(|(_, link)| !link.closing).map(|(id, link)| (*id, &link.edge))
    }

    /// A link is no longer used. If it fed this node, all others do until it is known again which of them are needed.
    pub(super) fn edge_lost(&mut self, id: LinkId, reason: Reason) {
        let replaced = matches!(reason, Reason::Renewed | Reason::DuplicateLink);
        self.tree.lost |= !replaced && self.links.get(&id).is_some_and(|link| link.edge.feeds());
        self.timers.set(Timer::Tree, Instant::default());
    }

    /// Does what was put off, and goes back to flooding where there is no tree to rely on.
    pub(super) fn tend_tree(&mut self, now: Now) {
        let lost = std::mem::take(&mut self.tree.lost) || !self.prunes();
        let due = |link: &Link| match link.edge.wish {
            Some(wish) if link.edge.has_settled(now.instant) => Some(wish),
            _ => (lost && link.edge.push == Push::Lazy && link.visit_until.is_none()).then_some(Push::Eager),
        };
        let open = self.links.iter().filter(|(_, link)| !link.closing);
        let due: Vec<_> = open.filter_map(|(id, link)| Some((*id, due(link)?))).collect();
        for (id, push) in due {
            self.say(now, id, push);
        }
        let next = self.open_edges().filter_map(|(_, edge)| edge.wish.and(edge.changed)).min();
        if let Some(changed) = next {
            self.timers.set_earlier(Timer::Tree, changed + CHANGE_EVERY);
        }
    }

    /// Tries one pruned link again, of those this node chose itself if it can: if it serves better than another, it stays.
    pub(super) fn try_another_edge(&mut self, now: Now) {
        let is_lazy = |link: &Link| !link.closing && link.edge.push == Push::Lazy && link.visit_until.is_none();
        let lazy = self.links.iter().filter(|(_, link)| is_lazy(link));
        let lazy: Vec<(LinkId, Direction)> = lazy.map(|(id, link)| (*id, link.direction)).collect();
        let chosen = lazy.iter().filter(|(_, direction)| *direction == Direction::Outbound);
        let tried = chosen.choose_stable(&mut self.rng).or_else(|| lazy.iter().choose_stable(&mut self.rng)).copied();
        if let Some((id, _)) = tried {
            self.say(now, id, Push::Eager);
        }
        self.schedule_trial(now);
    }

    pub(super) fn schedule_trial(&mut self, now: Now) {
        if self.settings.broadcast != Broadcast::Flood {
            let next = self.around(now, TRY_EVERY, 20);
            self.timers.set(Timer::TryEdge, next);
        }
    }
}
