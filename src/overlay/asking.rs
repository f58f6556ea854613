//! Lazy push: ids are announced (HAVE, and NEWS by short names), contents are asked for (WANT), and what is not there is
//! said (ABSENT).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::envelope::{EnvelopeId, ShortId};
use crate::wire::{Frame, Kind};

use super::core::Timer;
use super::output::{LinkId, Output};
use super::{Core, Held, Instant, Now};

/// How long the tree has to bring an announced message before it is asked for: so long at first, longer while it turns out
/// that it comes all the same, and at most so long.
const FIRST_ASK: Duration = Duration::from_millis(100);
/// How long what is being fetched has before its announcers are asked, too.
const FETCHED_FIRST: Duration = Duration::from_secs(1);
const FIRST_ASK_MOST: Duration = Duration::from_millis(1600);
/// So long after the last time that asking was hasty the tree has half the time again.
const PATIENCE_LASTS: Duration = Duration::from_secs(5);
/// So much is waited for only where more is said than comes at once.
const MUCH: usize = 64;
/// How long an asked neighbour has before the next announcer is asked: so many times what the tree has, and at most as
/// long as that may become.
const NEXT_ASK: u32 = 4;
/// How long an announcement is remembered.
const FORGET: Duration = Duration::from_secs(30);
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
/// Ids remembered as served to one link, in one generation. More of them are served all the same: the sooner each is
/// forgotten.
const SERVED_CAPACITY: usize = 16_384;

/// Who announced an envelope, and under which name: by that it is asked for there. What another neighbour calls it does not
/// count: a made-up id that begins like a true one would be asked for in its place.
#[derive(Clone, Copy, Debug)]
struct Announcer {
    link: LinkId,
    name: EnvelopeId,
}

#[derive(Debug)]
struct Wanted {
    announcers: Vec<Announcer>,
    asked: Option<LinkId>,
    since: Instant,
    due: Instant,
    was_asked: bool,
    /// It was announced as news, not among what a new neighbour had before.
    is_news: bool,
}

/// How an envelope came to be here, as far as asking goes.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// It came as the answer to a question.
    pub(super) asked: Option<AskedFor>,
    /// Who else announced it.
    pub(super) announcers: Vec<LinkId>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedFor {
    /// What others hear of at this moment too.
    News,
    /// What a new neighbour had before.
    Past,
}

/// What was announced to this node and has not come. All names of an envelope begin alike.
#[derive(Debug)]
pub(super) struct Asking {
    wanted: BTreeMap<ShortId, Wanted>,
    due: BTreeSet<(Instant, ShortId)>,
    /// How many of `wanted` a link has announced.
    announced: BTreeMap<LinkId, usize>,
    /// How many of `wanted` are asked of a link.
    open: BTreeMap<LinkId, usize>,
    /// Ids that were asked for and arrived, and are being verified.
    arrived: BTreeSet<ShortId>,
    /// How often a link did not bring what it had announced. Those who keep their promises are asked first.
    broken: BTreeMap<LinkId, u32>,
    /// How long the tree has, and since when.
    first_ask: Duration,
    patient_since: Instant,
}

impl Default for Asking {
    fn default() -> Self {
        Asking {
            wanted: BTreeMap::new(),
            due: BTreeSet::new(),
            announced: BTreeMap::new(),
            open: BTreeMap::new(),
            arrived: BTreeSet::new(),
            broken: BTreeMap::new(),
            first_ask: FIRST_ASK,
            patient_since: Instant::default(),
        }
    }
}

impl Asking {
    /// A link announced an envelope that is unknown here, by its id or by its short name among zeros.
    fn announced(&mut self, now: Instant, link: LinkId, name: EnvelopeId, first_ask: Duration) {
        let id = ShortId::from(&name);
        let count = self.announced.entry(link).or_default();
        if *count >= ANNOUNCED_PER_LINK {
            return;
        }
        let (due, is_news) = (now + first_ask, !first_ask.is_zero());
        let wanted = self.wanted.entry(id).or_insert_with(|| {
            self.due.insert((due, id));
            Wanted { announcers: Vec::new(), asked: None, since: now, due, was_asked: false, is_news }
        });
        wanted.is_news |= is_news;
        if wanted.asked == Some(link) || wanted.announcers.iter().any(|other| other.link == link) {
            return;
        }
        if wanted.announcers.len() < ANNOUNCERS {
            wanted.announcers.push(Announcer { link, name });
            *count += 1;
            return;
        }
        // So that many liars cannot fill the places before an honest neighbour speaks.
        let broken = |link: &LinkId| self.broken.get(link).copied().unwrap_or(0);
        let worst = wanted.announcers.iter_mut().max_by_key(|other| broken(&other.link));
        if let Some(worst) = worst.filter(|worst| broken(&worst.link) > broken(&link)) {
            *count += 1;
            let worst = std::mem::replace(worst, Announcer { link, name });
            less(&mut self.announced, worst.link);
        }
    }

    /// Whether a neighbour was asked for the id, and has time left to answer.
    pub(super) fn is_asked(&self, id: &EnvelopeId) -> bool {
        self.wanted.get(&id.into()).is_some_and(|wanted| wanted.asked.is_some())
    }

    /// A copy arrived: it need not be asked for (again), unless it turns out bad. Says whether it was asked of this link, and
    /// comes for the first time since.
    pub(super) fn arrived(&mut self, id: &EnvelopeId, from: LinkId) -> bool {
        let id = ShortId::from(id);
        self.wanted.get(&id).is_some_and(|wanted| wanted.asked == Some(from)) && self.arrived.insert(id)
    }

    /// A copy was found good. Says whether it was the answer to a question, and who has it too.
    pub(super) fn finished(&mut self, now: Instant, id: &EnvelopeId) -> Finished {
        let id = ShortId::from(id);
        let has_arrived = self.arrived.contains(&id);
        let Some(wanted) = self.forget(id) else { return Finished::default() };
        if wanted.is_news && !has_arrived {
            self.came_by_itself(now, now.since(wanted.since));
            if wanted.was_asked {
                self.was_hasty(now);
            }
        }
        if has_arrived && let Some(broken) = wanted.asked.and_then(|link| self.broken.get_mut(&link)) {
            *broken /= 2;
        }
        let asked = if wanted.is_news { AskedFor::News } else { AskedFor::Past };
        let announcers = wanted.announcers.iter().map(|announcer| announcer.link).collect();
        Finished { asked: has_arrived.then_some(asked), announcers }
    }

    fn forget(&mut self, id: ShortId) -> Option<Wanted> {
        self.arrived.remove(&id);
        let wanted = self.wanted.remove(&id)?;
        self.due.remove(&(wanted.due, id));
        for announcer in &wanted.announcers {
            less(&mut self.announced, announcer.link);
        }
        if let Some(link) = wanted.asked {
            less(&mut self.open, link);
        }
        Some(wanted)
    }

    /// News came by themselves so long after they were announced. Where much is waited for, links or this node are behind: what
    /// is announced now has twice that, before it is asked for in vain. Where little is, a neighbour that is late with
    /// everything gains nothing by it: what it brings is asked of others as soon as ever.
    fn came_by_itself(&mut self, now: Instant, after: Duration) {
        let patience = (after * 2).min(FIRST_ASK_MOST);
        if patience > self.first_ask && self.wanted.len() >= MUCH {
            (self.first_ask, self.patient_since) = (patience, now);
        }
    }

    /// It came, and there is no room for it now: nobody else is asked for it.
    pub(super) fn declined(&mut self, id: &EnvelopeId) {
        self.forget(id.into());
    }

    /// Something came by itself although it had been asked for: links are slow or full, and asking makes them fuller.
    pub(super) fn was_hasty(&mut self, now: Instant) {
        // What was asked for before this node knew says nothing new.
        if now.since(self.patient_since) >= self.first_ask {
            self.first_ask = (self.first_ask * 2).min(FIRST_ASK_MOST);
            self.patient_since = now;
        }
    }

    /// How long the tree has to bring what is announced now.
    fn patience(&mut self, now: Instant) -> Duration {
        while self.first_ask > FIRST_ASK && now.since(self.patient_since) >= PATIENCE_LASTS {
            self.first_ask = (self.first_ask / 2).max(FIRST_ASK);
            self.patient_since = self.patient_since + PATIENCE_LASTS;
        }
        self.first_ask
    }

    /// A link is gone. What it announced is noticed when its turn comes.
    pub(super) fn link_closed(&mut self, link: LinkId) {
        self.announced.remove(&link);
        self.open.remove(&link);
        self.broken.remove(&link);
    }

    /// Puts an id's next question off until `due`.
    fn reschedule(&mut self, id: ShortId, due: Instant) {
        if let Some(wanted) = self.wanted.get_mut(&id) {
            self.due.remove(&(wanted.due, id));
            wanted.due = due;
            self.due.insert((due, id));
        }
    }

    /// What to ask for now, each under the name by which it was announced, with whom to ask.
    fn take_due(&mut self, now: Instant, usable: impl Fn(LinkId) -> bool) -> Vec<(LinkId, EnvelopeId)> {
        let next_ask = (self.patience(now) * NEXT_ASK).min(FIRST_ASK_MOST);
        let mut questions = Vec::new();
        while let Some((due, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            let Some(wanted) = self.wanted.get_mut(&id) else {
                self.due.remove(&(due, id));
                continue;
            };
            if let Some(link) = wanted.asked.take() {
                less(&mut self.open, link);
                if usable(link) {
                    let broken = self.broken.entry(link).or_default();
                    *broken = broken.saturating_add(1);
                }
            }
            let (open, broken) = (&self.open, &self.broken);
            let has_room = |link: &LinkId| open.get(link).is_none_or(|count| *count < OPEN_PER_LINK);
            wanted.announcers.retain(|announcer| {
                let keep = usable(announcer.link);
                if !keep {
                    less(&mut self.announced, announcer.link);
                }
                keep
            });
            let free = wanted.announcers.iter().enumerate().filter(|(_, announcer)| has_room(&announcer.link));
            let best = free.min_by_key(|(place, other)| (broken.get(&other.link).copied().unwrap_or(0), *place));
            if let Some((place, _)) = best {
                let Announcer { link, name } = wanted.announcers.remove(place);
                less(&mut self.announced, link);
                *self.open.entry(link).or_default() += 1;
                (wanted.asked, wanted.was_asked) = (Some(link), true);
                questions.push((link, name));
                self.reschedule(id, now + next_ask);
            } else if now.since(wanted.since) >= FORGET || (wanted.announcers.is_empty() && wanted.was_asked) {
                self.forget(id);
            } else {
                self.reschedule(id, now + next_ask);
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
///
/// Ids are remembered by their first 8 bytes: who makes two that agree in them gets both served less often, and no one
/// else's.
#[derive(Debug, Default)]
pub(super) struct Served {
    newer: BTreeMap<u64, u8>,
    older: BTreeMap<u64, u8>,
    began: Instant,
}

impl Served {
    /// Whether `id` may be served once more: twice within one to two minutes, or within the last 16,384 ids that were
    /// served, if these took less.
    fn may(&mut self, now: Instant, id: EnvelopeId) -> bool {
        if now.since(self.began) >= SERVED_WITHIN * 2 {
            self.newer.clear();
        }
        if now.since(self.began) >= SERVED_WITHIN || self.newer.len() >= SERVED_CAPACITY {
            self.older = std::mem::take(&mut self.newer);
            self.began = now;
        }
        let key = id.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let before = self.older.get(&key).copied().unwrap_or(0);
        let count = self.newer.entry(key).or_default();
        let may = count.saturating_add(before) < SERVED_AT_MOST;
        *count += u8::from(may);
        may
    }
}

impl Core {
    /// A neighbour announced ids.
    pub(super) fn have(&mut self, now: Now, from: LinkId, ids: impl Iterator<Item = EnvelopeId>) {
        let Some(link) = self.links.get(&from) else { return };
        let is_fresh = now.instant.since(link.opened) < FRESH;
        let first_ask = if is_fresh { Duration::ZERO } else { self.asking.patience(now.instant) };
        for id in ids {
            if self.knows(&id) {
                self.has_announced(from, &id);
            } else {
                let is_coming = self.repair.fetch.is_wanted(&id);
                let first_ask = if is_coming { FETCHED_FIRST } else { first_ask };
                self.asking.announced(now.instant, from, id, first_ask);
            }
        }
        self.ask_due(now);
    }

    /// A neighbour announced what it heard of just now, by short names. Others hear of it at this moment too, however young
    /// the link is.
    pub(super) fn news(&mut self, now: Now, from: LinkId, ids: impl Iterator<Item = ShortId>) {
        if !self.links.contains_key(&from) {
            return;
        }
        let first_ask = self.asking.patience(now.instant);
        for short in ids {
            match self.index.newest(short) {
                Some(id) => self.has_announced(from, &id),
                None if self.budgets.is_unread(short) => {}
                None => self.asking.announced(now.instant, from, short.padded(), first_ask),
            }
        }
        self.ask_due(now);
    }

    /// A neighbour announced what is known here.
    fn has_announced(&mut self, from: LinkId, id: &EnvelopeId) {
        self.is_known_to(id, from);
        self.holders.note(id, from, Held::Announced);
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
            if self.not_fetched(now, from, &id) {
                continue;
            }
            let id = ShortId::from(&id);
            if self.asking.wanted.get(&id).is_some_and(|wanted| wanted.asked == Some(from)) {
                self.asking.reschedule(id, now.instant);
            }
        }
        self.ask_due(now);
        self.tend_repair(now);
    }

    /// A neighbour asks for contents.
    pub(super) fn want(&mut self, now: Now, from: LinkId, ids: impl Iterator<Item = EnvelopeId>) {
        let mut from_log = Vec::new();
        let mut asked = 0;
        for name in ids {
            asked += 1;
            // A short name that says nothing here stays as it is: it is not held.
            let short = ShortId::from(&name);
            let id = if short.is(&name) { self.index.newest(short).unwrap_or(name) } else { name };
            let Some(link) = self.links.get_mut(&from).filter(|link| !link.closing) else { return };
            // Nothing is remembered of what was made up: that it is not there costs as much as asking for it.
            if self.index.contains(&id) && !link.served.may(now.instant, id) {
                continue;
            }
            self.holders.note(&id, from, Held::Asked);
            match self.in_slot(&id).or_else(|| self.tree.moments.get(&id)).cloned() {
                Some(envelope) => self.output(Output::Relay { envelope, to: vec![from] }),
                None => from_log.push(id),
            }
        }
        if !from_log.is_empty() {
            self.output(Output::Serve { link: from, ids: from_log });
        }
        self.asked_for(now, from, asked);
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
