//! When, and with whom, what is compared.

use std::time::Duration;

use rand::seq::IndexedRandom;

use crate::envelope::{Envelope, Timestamp, Verified};
use crate::wire::ReconcileSet;

use super::super::core::Timer;
use super::super::output::{Direction, LinkId};
use super::super::presence::fills_slot;
use super::super::{Core, Instant, Now, TIME_TOLERANCE};
use super::sweep::{Sweep, Task, pace};
use super::{RepairCounts, Side};

/// What is younger than this is still on its way by itself.
const SETTLED: Duration = Duration::from_secs(10);
/// What was repaired and is younger than this is announced: others wait for it as well. Older things are found by the
/// sweeps that follow, at no cost where they are not missing.
const NEWS: Duration = Duration::from_secs(30);
/// How soon other neighbours are compared with, after one had something they may lack.
const SOON: Duration = Duration::from_millis(300);
/// When a neighbour that was busy is tried again, and how often.
const AGAIN: Duration = Duration::from_secs(2);
const TRIES: u32 = 30;

const SETS: [ReconcileSet; 2] = [ReconcileSet::Members, ReconcileSet::Messages];

impl Core {
    /// A link is open. Who dialled it begins: first who there is, then what was said; in a visit, only who there is.
    pub(in super::super) fn repair_link_opened(&mut self, now: Now, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        if !link.reconciles {
            self.tell_what_is_here(id);
            return;
        }
        self.repair.links.insert(id, Side { pace: pace(now.instant), barren_before: 0 });
        self.repair.responders.link_opened(now.instant, id);
        if link.direction == Direction::Outbound {
            self.compare_all(now, id);
        }
    }

    /// Compares everything with a neighbour, the newest included: nothing of that is on its way to it.
    fn compare_all(&mut self, now: Now, id: LinkId) {
        let to = now.wall.plus(TIME_TOLERANCE).as_micros() + 1;
        let task = Task { at: now.instant, from: 0, to, refused: 0 };
        let is_visit = self.links.get(&id).is_some_and(|link| link.visit_until.is_some());
        for set in SETS.into_iter().filter(|set| !is_visit || *set == ReconcileSet::Members) {
            self.schedule_sweep(set, id, task);
        }
        self.tend_repair(now);
    }

    pub(in super::super) fn repair_link_closed(&mut self, now: Now, id: LinkId) {
        let repair = &mut self.repair;
        repair.sweeps.remove(&id);
        repair.links.remove(&id);
        repair.responders.link_closed(id);
        repair.pending.retain(|(_, link), _| *link != id);
        let has_lost = repair.fetch.backlog(id) > 0;
        for (set, span) in repair.fetch.link_closed(id) {
            self.compare_with_others(now, id, set, span);
        }
        if has_lost {
            self.compare_elsewhere(now, id);
        }
        self.tend_repair(now);
    }

    /// The queue of a link had to drop something, and is empty now: what was dropped is found and offered.
    ///
    /// For the host to call when it has dropped broadcasts for a link and the link takes some again.
    pub fn drained(&mut self, now: Now, link: LinkId) {
        self.compare_all(now, link);
    }

    /// What repair has done since the start.
    pub fn repair_counts(&self) -> RepairCounts {
        self.repair.counts
    }

    /// Begins the rounds of comparing with a random neighbour.
    pub(in super::super) fn schedule_repair(&mut self, now: Now) {
        self.repair.periodic = self.around(now, self.settings.reconcile_every, 50);
        self.timers.set_earlier(Timer::Repair, self.repair.periodic);
    }

    fn compare_with_anybody(&mut self, now: Now) {
        let task = Task { at: now.instant, from: 0, to: now.wall.minus(SETTLED).as_micros(), refused: 0 };
        self.compare_at_random(task, None);
    }

    /// What was to come from a neighbour does not: another one may have it.
    fn compare_elsewhere(&mut self, now: Now, but: LinkId) {
        let to = now.wall.plus(TIME_TOLERANCE).as_micros() + 1;
        self.compare_at_random(Task { at: now.instant, from: 0, to, refused: 0 }, Some(but));
    }

    fn compare_at_random(&mut self, task: Task, but: Option<LinkId>) {
        let neighbours: Vec<LinkId> = self.reconcilers().filter(|link| Some(*link) != but).collect();
        if let Some(link) = neighbours.choose(&mut self.rng) {
            SETS.into_iter().for_each(|set| self.schedule_sweep(set, *link, task));
        }
    }

    /// Neighbours to compare with.
    fn reconcilers(&self) -> impl Iterator<Item = LinkId> + '_ {
        let open = self.links.iter().filter(|(_, link)| link.reconciles && !link.closing && link.visit_until.is_none());
        open.map(|(id, _)| *id)
    }

    fn schedule_sweep(&mut self, set: ReconcileSet, link: LinkId, task: Task) {
        // Where there are more members than places, every two nodes keep others, and what is missing has no place here.
        if set == ReconcileSet::Members && self.members.is_full() {
            return;
        }
        if self.repair.links.contains_key(&link) {
            let merged = self.repair.pending.entry((set, link)).or_insert(task);
            (merged.from, merged.to) = (merged.from.min(task.from), merged.to.max(task.to));
            merged.at = merged.at.min(task.at);
        }
    }

    /// A neighbour has no time for it now.
    pub(super) fn try_again(&mut self, now: Now, set: ReconcileSet, link: LinkId, mut task: Task) {
        self.repair.counts.busy += 1;
        task.refused += 1;
        if task.refused <= TRIES {
            task.at = self.around(now, AGAIN, 50);
            self.schedule_sweep(set, link, task);
        }
    }

    /// Something that was missing came from `link`. Says whether others are to be told of it: not if it is so old that
    /// nobody waits for it.
    pub(in super::super) fn repaired(&mut self, now: Now, link: LinkId, envelope: &Verified<Envelope>) -> bool {
        if envelope.time() >= now.wall.minus(NEWS) {
            return true;
        }
        let is_slot = fills_slot(envelope.title());
        let set = if is_slot { ReconcileSet::Members } else { ReconcileSet::Messages };
        self.repair.fetch.gained(link, set, envelope.time().as_micros());
        false
    }

    fn compare_with_others(&mut self, now: Now, but: LinkId, set: ReconcileSet, (oldest, newest): (u64, u64)) {
        let to = newest.saturating_add(1).min(Timestamp::MAX.as_micros());
        for link in self.reconcilers().filter(|link| *link != but).collect::<Vec<_>>() {
            let at = self.around(now, SOON, 50);
            self.schedule_sweep(set, link, Task { at, from: oldest, to, refused: 0 });
        }
    }

    /// Carries on with whatever can be carried on with, and sets when to look again.
    pub(in super::super) fn tend_repair(&mut self, now: Now) {
        if self.stopping {
            return;
        }
        for link in self.repair.fetch.give_up(now.instant) {
            self.compare_elsewhere(now, link);
        }
        self.repair.responders.expire(now.instant);
        if now.instant >= self.repair.periodic {
            self.compare_with_anybody(now);
            self.schedule_repair(now);
        }
        for (link, set, span) in self.repair.fetch.take_gained() {
            self.compare_with_others(now, link, set, span);
        }
        for link in self.repair.sweeps.keys().copied().collect::<Vec<_>>() {
            self.carry_on(now, link);
        }
        while let Some((set, link)) = self.next_sweep(now) {
            self.begin_sweep(now, set, link);
        }
        if let Some(at) = self.next_look(now) {
            self.timers.set(Timer::Repair, at.max(now.instant + Duration::from_millis(1)));
        }
    }

    /// The comparison to begin now: one a set at a time, and none while much is on its way anyway.
    fn next_sweep(&self, now: Now) -> Option<(ReconcileSet, LinkId)> {
        let repair = &self.repair;
        let holds = |set| {
            let moved = |link| repair.fetch.moved(link);
            repair.sweeps.iter().any(|(link, sweep)| sweep.set == set && sweep.holds(now.instant, moved(*link)))
        };
        SETS.into_iter().filter(|set| !holds(*set)).find_map(|set| {
            if set == ReconcileSet::Messages && repair.fetch.is_busy(now.instant) {
                return None;
            }
            let ready = repair
                .pending
                .iter()
                .filter(|((of, link), task)| *of == set && task.at <= now.instant && !repair.sweeps.contains_key(link));
            ready.min_by_key(|((_, link), task)| (task.at, *link)).map(|(key, _)| *key)
        })
    }

    fn begin_sweep(&mut self, now: Now, set: ReconcileSet, link: LinkId) {
        let Some(mut task) = self.repair.pending.remove(&(set, link)) else { return };
        task.from = task.from.max(self.worth_from(set, link));
        if task.from < task.to {
            let sweep = Sweep::new(now.instant, set, now.wall.as_micros(), task);
            self.repair.sweeps.insert(link, sweep);
            self.carry_on(now, link);
        }
    }

    /// The time, in µs, from which on this node can say what it has, and a neighbour has more than ids of what was before.
    /// Nodes that keep for different times agree about what lives for two more minutes from there on.
    pub(super) fn worth_from(&self, set: ReconcileSet, link: LinkId) -> u64 {
        match set {
            ReconcileSet::Members => 0,
            ReconcileSet::Messages => {
                let kept = self.clock_seen.minus(self.settings.keep).plus(TIME_TOLERANCE);
                let barren = self.repair.links.get(&link).map_or(0, |side| side.barren_before);
                self.index.floor().max(kept).as_micros().max(barren)
            }
        }
    }

    fn next_look(&self, now: Now) -> Option<Instant> {
        let repair = &self.repair;
        let sweeps = repair.sweeps.values().map(|sweep| sweep.next(now.instant));
        // What is due and waits for another one is looked at whenever that one moves, and now and then.
        let pending = repair.pending.values().map(|task| task.at.max(now.instant + Duration::from_millis(500)));
        let others = [repair.fetch.next(), repair.responders.next(), Some(repair.periodic)];
        sweeps.chain(pending).chain(others.into_iter().flatten()).min()
    }
}
