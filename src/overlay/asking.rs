//! Lazy push: ids are announced (HAVE), contents are asked for (WANT), and what is not there is said (ABSENT).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::envelope::EnvelopeId;
use crate::wire::{Frame, Kind};

use super::core::Timer;
use super::output::{LinkId, Output};
use super::{Core, Instant, Now};

/// How long the tree has to bring an announced message before it is asked for.
const FIRST_ASK: Duration = Duration::from_millis(100);
/// How long an asked neighbour has before the next announcer is asked.
const NEXT_ASK: Duration = Duration::from_millis(400);
/// How long an announcement is remembered.
const FORGET: Duration = Duration::from_secs(30);
/// How long ids are collected before they are announced together.
const COLLECT: Duration = Duration::from_millis(50);
/// A link this young is still telling what it had before: waiting for a flood would be in vain.
const FRESH: Duration = Duration::from_secs(2);
/// Announcers remembered for one id.
const ANNOUNCERS: usize = 8;
/// Ids one link may have announced and not delivered.
const ANNOUNCED_PER_LINK: usize = 4096;
/// Ids asked of one link and not answered.
const OPEN_PER_LINK: usize = 1024;
/// How often an id is served to one link within [`SERVED_WITHIN`].
const SERVED_AT_MOST: u8 = 2;
const SERVED_WITHIN: Duration = Duration::from_secs(60);
/// Ids remembered as served to one link.
const SERVED_CAPACITY: usize = 4096;

#[derive(Debug)]
struct Wanted {
    announcers: Vec<LinkId>,
    asked: Option<LinkId>,
    since: Instant,
    due: Instant,
    was_asked: bool,
}

/// What was announced to this node and has not come.
#[derive(Debug, Default)]
pub(super) struct Asking {
    wanted: BTreeMap<EnvelopeId, Wanted>,
    due: BTreeSet<(Instant, EnvelopeId)>,
    /// How many of `wanted` a link has announced.
    announced: BTreeMap<LinkId, usize>,
    /// How many of `wanted` are asked of a link.
    open: BTreeMap<LinkId, usize>,
    /// Ids that were asked for and arrived, and are being verified.
    arrived: BTreeSet<EnvelopeId>,
}

impl Asking {
    /// A link announced an id that is unknown here.
    fn announced(&mut self, now: Instant, link: LinkId, id: EnvelopeId, first_ask: Duration) {
        let count = self.announced.entry(link).or_default();
        if *count >= ANNOUNCED_PER_LINK {
            return;
        }
        let due = now + first_ask;
        let wanted = self.wanted.entry(id).or_insert_with(|| {
            self.due.insert((due, id));
            Wanted { announcers: Vec::new(), asked: None, since: now, due, was_asked: false }
        });
        if wanted.announcers.len() < ANNOUNCERS && !wanted.announcers.contains(&link) && wanted.asked != Some(link) {
            wanted.announcers.push(link);
            *count += 1;
        }
    }

    /// A copy arrived: it need not be asked for (again), unless it turns out bad.
    pub(super) fn arrived(&mut self, id: &EnvelopeId, from: LinkId) {
        if self.wanted.get(id).is_some_and(|wanted| wanted.asked == Some(from)) {
            self.arrived.insert(*id);
        }
    }

    /// A copy was found good. Says whether it was the answer to a question.
    pub(super) fn finished(&mut self, id: &EnvelopeId) -> bool {
        let asked = self.arrived.remove(id);
        self.forget(id);
        asked
    }

    fn forget(&mut self, id: &EnvelopeId) {
        self.arrived.remove(id);
        let Some(wanted) = self.wanted.remove(id) else { return };
        self.due.remove(&(wanted.due, *id));
        for link in &wanted.announcers {
            less(&mut self.announced, *link);
        }
        if let Some(link) = wanted.asked {
            less(&mut self.open, link);
        }
    }

    /// A link is gone. What it announced is noticed when its turn comes.
    pub(super) fn link_closed(&mut self, link: LinkId) {
        self.announced.remove(&link);
        self.open.remove(&link);
    }

    /// Puts an id's next question off until `due`.
    fn reschedule(&mut self, id: EnvelopeId, due: Instant) {
        if let Some(wanted) = self.wanted.get_mut(&id) {
            self.due.remove(&(wanted.due, id));
            wanted.due = due;
            self.due.insert((due, id));
        }
    }

    /// The ids to ask for now, each with whom to ask.
    fn take_due(&mut self, now: Instant, usable: impl Fn(LinkId) -> bool) -> Vec<(LinkId, EnvelopeId)> {
        let mut questions = Vec::new();
        while let Some((due, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            let Some(wanted) = self.wanted.get_mut(&id) else {
                self.due.remove(&(due, id));
                continue;
            };
            if let Some(link) = wanted.asked.take() {
                less(&mut self.open, link);
            }
            let open = &self.open;
            let has_room = |link: &LinkId| open.get(link).is_none_or(|count| *count < OPEN_PER_LINK);
            wanted.announcers.retain(|link| {
                let keep = usable(*link);
                if !keep {
                    less(&mut self.announced, *link);
                }
                keep
            });
            if let Some(place) = wanted.announcers.iter().position(has_room) {
                let link = wanted.announcers.remove(place);
                less(&mut self.announced, link);
                *self.open.entry(link).or_default() += 1;
                (wanted.asked, wanted.was_asked) = (Some(link), true);
                questions.push((link, id));
                self.reschedule(id, now + NEXT_ASK);
            } else if now.since(wanted.since) >= FORGET || (wanted.announcers.is_empty() && wanted.was_asked) {
                self.forget(&id);
            } else {
                self.reschedule(id, now + NEXT_ASK);
            }
        }
        questions
    }

    /// How many ids are waited for.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }
}

fn less(counts: &mut BTreeMap<LinkId, usize>, link: LinkId) {
    if let Some(count) = counts.get_mut(&link) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&link);
        }
    }
}

/// What one link was served lately.
#[derive(Debug, Default)]
pub(super) struct Served {
    times: BTreeMap<EnvelopeId, (u8, Instant)>,
}

impl Served {
    /// Whether `id` may be served once more.
    fn may(&mut self, now: Instant, id: EnvelopeId) -> bool {
        if self.times.len() >= SERVED_CAPACITY {
            self.times.retain(|_, (_, at)| now.since(*at) < SERVED_WITHIN);
        }
        if self.times.len() >= SERVED_CAPACITY && !self.times.contains_key(&id) {
            return false;
        }
        let (count, at) = self.times.entry(id).or_insert((0, now));
        if now.since(*at) >= SERVED_WITHIN {
            (*count, *at) = (0, now);
        }
        *count = count.saturating_add(1);
        *count <= SERVED_AT_MOST
    }
}

impl Core {
    /// A neighbour announced ids.
    pub(super) fn have(&mut self, now: Now, from: LinkId, ids: impl Iterator<Item = EnvelopeId>) {
        let Some(link) = self.links.get(&from) else { return };
        let first_ask = if now.instant.since(link.opened) < FRESH { Duration::ZERO } else { FIRST_ASK };
        for id in ids {
            if !self.knows(&id) {
                self.asking.announced(now.instant, from, id, first_ask);
            }
        }
        self.ask_due(now);
    }

    /// Asks for what is due.
    pub(super) fn ask_due(&mut self, now: Now) {
        let links = &self.links;
        let questions = self.asking.take_due(now.instant, |link| links.get(&link).is_some_and(|link| !link.closing));
        let mut by_link: BTreeMap<LinkId, Vec<EnvelopeId>> = BTreeMap::new();
        for (link, id) in questions {
            by_link.entry(link).or_default().push(id);
        }
        for (link, ids) in by_link {
            for ids in ids.chunks(Kind::MAX_WANT) {
                self.output(Output::Send { link, frame: Frame::Want(ids.iter().copied().collect()) });
            }
        }
        if let Some((due, _)) = self.asking.due.first() {
            self.timers.set_earlier(Timer::Ask, *due);
        }
    }

    /// A neighbour says that it does not hold what it was asked for.
    pub(super) fn absent(&mut self, now: Now, from: LinkId, ids: impl Iterator<Item = EnvelopeId>) {
        for id in ids {
            if self.asking.wanted.get(&id).is_some_and(|wanted| wanted.asked == Some(from)) {
                self.asking.reschedule(id, now.instant);
            }
        }
        self.ask_due(now);
    }

    /// A neighbour asks for contents.
    pub(super) fn want(&mut self, now: Now, from: LinkId, ids: impl Iterator<Item = EnvelopeId>) {
        let mut from_log = Vec::new();
        for id in ids {
            let Some(link) = self.links.get_mut(&from).filter(|link| !link.closing) else { return };
            if !link.served.may(now.instant, id) {
                continue;
            }
            match self.members.by_id(&id).or_else(|| self.records.by_id(&id)).cloned() {
                Some(envelope) => self.output(Output::Relay { envelope, to: vec![from] }),
                None => from_log.push(id),
            }
        }
        if !from_log.is_empty() {
            self.output(Output::Serve { link: from, ids: from_log });
        }
    }

    /// Announces an id to all neighbours but those that have it, together with others of the next moment.
    pub(super) fn queue_have(&mut self, now: Now, id: EnvelopeId, holders: &[LinkId]) {
        for (link, state) in &mut self.links {
            // A neighbour that takes nothing is not told more than it could ask for.
            if !state.closing && !holders.contains(link) && state.to_announce.len() < ANNOUNCED_PER_LINK {
                state.to_announce.push(id);
            }
        }
        self.timers.set_earlier(Timer::Have, now.instant + COLLECT);
    }

    /// Sends the announcements that were collected.
    pub(super) fn announce_ids(&mut self, _now: Now) {
        let collected: Vec<_> =
            self.links.iter_mut().map(|(link, state)| (*link, std::mem::take(&mut state.to_announce))).collect();
        for (link, ids) in collected {
            for ids in ids.chunks(Kind::MAX_HAVE) {
                self.send(link, Frame::Have(ids.iter().copied().collect()));
            }
        }
    }

    /// Tells a new neighbour what is known here: all members with their records, and the latest broadcasts. It asks for what it lacks.
    pub(super) fn tell_what_is_here(&mut self, link: LinkId) {
        let latest = self.index.newest_kept(Kind::MAX_HAVE);
        let slots = self.members.slot_ids().chain(self.records.slot_ids());
        let ids: Vec<_> = slots.take(ANNOUNCED_PER_LINK - Kind::MAX_HAVE).chain(latest).collect();
        for ids in ids.chunks(Kind::MAX_HAVE) {
            self.output(Output::Send { link, frame: Frame::Have(ids.iter().copied().collect()) });
        }
    }
}
