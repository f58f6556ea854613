//! To whom a broadcast goes: contents at once, ids a moment later, several together.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, ShortId, Verified};
use crate::wire::{Frame, Kind};

use super::asking::AskedFor;
use super::core::Timer;
use super::index::IdHash;
use super::output::{LinkId, Output};
use super::presence::PRESENCE_TITLE;
use super::settings::Broadcast;
use super::tree::Push;
use super::{Core, Held, Instant, Now};

/// How long ids are collected before they are announced together: between half and one and a half times this, drawn each
/// time. Neighbours that hear of something at one moment would otherwise both tell it to each other; so one of them does,
/// and every node says what a few moments brought in one record a neighbour.
const COLLECT: Duration = Duration::from_millis(200);
const SPREAD_PERCENT: u32 = 50;
/// What is said for the moment only is held this long for neighbours that were told its id, and at most so much of it.
const MOMENT: Duration = Duration::from_secs(10);
const MOMENTS_BYTES: usize = 4 << 20;

/// To how many neighbours a broadcast went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// So many were sent it.
    pub contents: usize,
    /// So many others are told its id, and ask for it if nobody else brings it.
    pub ids: usize,
}

/// Ids that are about to be announced, and to whom.
#[derive(Debug)]
pub(super) struct Untold {
    ids: Vec<Announcement>,
    // Looked up for every copy and every announcement, never iterated: its order can influence nothing.
    places: HashMap<EnvelopeId, usize, IdHash>,
}

/// An id, and whom it is told.
#[derive(Debug)]
struct Announcement {
    id: EnvelopeId,
    to: Vec<LinkId>,
    /// Others hear of it at this moment too: those who have it know its short name.
    is_news: bool,
}

impl Untold {
    pub(super) fn new(hash: IdHash) -> Self {
        Untold { ids: Vec::new(), places: HashMap::with_hasher(hash) }
    }

    fn insert(&mut self, id: EnvelopeId, to: Vec<LinkId>, is_news: bool) {
        let announcement = Announcement { id, to, is_news };
        let place = *self.places.entry(id).or_insert(self.ids.len());
        match self.ids.get_mut(place) {
            Some(before) => *before = announcement,
            None => self.ids.push(announcement),
        }
    }

    fn len(&self) -> usize {
        self.ids.len()
    }

    /// A neighbour has it: it need not be told.
    pub(super) fn is_known_to(&mut self, id: &EnvelopeId, link: LinkId) {
        if let Some(waiting) = self.places.get(id).and_then(|place| self.ids.get_mut(*place)) {
            waiting.to.retain(|other| *other != link);
        }
    }

    fn take(&mut self) -> Vec<Announcement> {
        self.places.clear();
        std::mem::take(&mut self.ids)
    }
}

/// What was said for the moment only: the log does not serve it, but a neighbour on a lazy link must be able to get it.
#[derive(Debug, Default)]
pub(super) struct Moments {
    by_id: BTreeMap<EnvelopeId, Verified<Envelope>>,
    order: VecDeque<(Instant, EnvelopeId)>,
    bytes: usize,
}

impl Moments {
    fn put(&mut self, now: Instant, envelope: &Verified<Envelope>) {
        if self.by_id.contains_key(&envelope.id()) {
            return;
        }
        self.order.push_back((now, envelope.id()));
        self.bytes += envelope.size();
        self.by_id.insert(envelope.id(), envelope.clone());
        self.expire(now);
    }

    /// When the oldest is dropped.
    fn next(&self) -> Option<Instant> {
        self.order.front().map(|(at, _)| *at + MOMENT)
    }

    /// Drops what is too old or too much.
    fn expire(&mut self, now: Instant) {
        while let Some((at, id)) = self.order.front().copied() {
            if now.since(at) < MOMENT && self.bytes <= MOMENTS_BYTES {
                return;
            }
            self.order.pop_front();
            if let Some(envelope) = self.by_id.remove(&id) {
                self.bytes -= envelope.size();
            }
        }
    }

    pub(super) fn get(&self, id: &EnvelopeId) -> Option<&Verified<Envelope>> {
        self.by_id.get(id)
    }
}

impl Core {
    /// Sends an envelope over the eager links and announces it on the lazy ones, but not to those who have it.
    pub(super) fn relay(&mut self, now: Now, envelope: &Verified<Envelope>, holders: &[LinkId]) -> Handed {
        let others = self.links.iter().filter(|(id, link)| !link.closing && !holders.contains(id));
        let (mut eager, mut lazy) = (Vec::new(), Vec::new());
        for (id, link) in others {
            match link.edge.push {
                Push::Eager => eager.push(*id),
                Push::Lazy => lazy.push(*id),
            }
        }
        self.hand(now, envelope, eager, lazy, true)
    }

    /// Passes on what this node had to ask for.
    ///
    /// Those who hang on it in the tree wait for it too, and get it like anything else. Those it hangs on itself have it, or
    /// it is under way to them as it was to this node; what comes to them from here would look like a circle where there is
    /// none. When there is much of it, it is no message that was late but a gap that is being filled, and nobody is flooded
    /// with that.
    pub(super) fn relay_late(&mut self, now: Now, envelope: &Verified<Envelope>, holders: &[LinkId], asked: AskedFor) {
        let flows =
            asked == AskedFor::News && self.settings.broadcast != Broadcast::Flood && self.tree.asked.take(now.instant);
        let others = self.links.iter().filter(|(id, link)| !link.closing && !holders.contains(id));
        let (mut contents, mut ids) = (Vec::new(), Vec::new());
        for (id, link) in others {
            let hangs_here = link.edge.push == Push::Eager && !link.edge.feeds();
            if flows && hangs_here { contents.push(*id) } else { ids.push(*id) }
        }
        self.hand(now, envelope, contents, ids, asked == AskedFor::News);
    }

    fn hand(
        &mut self,
        now: Now,
        envelope: &Verified<Envelope>,
        contents: Vec<LinkId>,
        ids: Vec<LinkId>,
        is_news: bool,
    ) -> Handed {
        if envelope.lifetime().is_live_only() && !ids.is_empty() {
            self.tree.moments.put(now.instant, envelope);
        }
        for link in &contents {
            self.holders.note(&envelope.id(), *link, Held::Handed);
        }
        let handed = Handed { contents: contents.len(), ids: ids.len() };
        if envelope.title() == PRESENCE_TITLE {
            self.gather(now, envelope, contents, ids);
            return handed;
        }
        self.announce_later(now, envelope, ids, is_news);
        if !contents.is_empty() {
            self.output(Output::Relay { envelope: envelope.clone(), to: contents });
        }
        handed
    }

    fn announce_later(&mut self, now: Now, envelope: &Envelope, to: Vec<LinkId>, is_news: bool) {
        if to.is_empty() {
            return;
        }
        let is_first = self.tree.untold.len() == 0;
        self.tree.untold.insert(envelope.id(), to, is_news);
        if self.tree.untold.len() >= Kind::MAX_HAVE {
            // What fills a frame need not wait for more.
            self.announce_ids(now);
        } else if is_first {
            let due = self.around(now, COLLECT, SPREAD_PERCENT);
            self.timers.set_earlier(Timer::Have, due);
        }
    }

    /// Announces the ids that were collected, to those who have not shown meanwhile that they have them.
    pub(super) fn announce_ids(&mut self, now: Now) {
        self.tree.moments.expire(now.instant);
        if let Some(next) = self.tree.moments.next() {
            self.timers.set_earlier(Timer::Have, next);
        }
        let mut by_link: BTreeMap<LinkId, Told> = BTreeMap::new();
        for Announcement { id, to, is_news } in self.tree.untold.take() {
            for link in to {
                let told = by_link.entry(link).or_default();
                let short = is_news && self.links.get(&link).is_some_and(|link| link.takes_news);
                if short { told.news.push(ShortId::from(&id)) } else { told.ids.push(id) }
            }
        }
        for (link, Told { news, ids }) in by_link {
            for news in news.chunks(Kind::MAX_HAVE) {
                self.send(link, Frame::News(news.iter().copied().collect()));
            }
            self.tell(link, &ids);
        }
    }

    /// Announces ids on a link.
    pub(super) fn tell(&mut self, link: LinkId, ids: &[EnvelopeId]) {
        for ids in ids.chunks(Kind::MAX_HAVE) {
            self.send(link, Frame::Have(ids.iter().copied().collect()));
        }
    }
}

/// What one neighbour is told.
#[derive(Default)]
struct Told {
    news: Vec<ShortId>,
    ids: Vec<EnvelopeId>,
}
