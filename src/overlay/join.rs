//! Joining, step by step in the order of the predecessors of this design: connect to a genesis node, ask it for a
//! random member, ask that member for its neighbours, link with several, say good-bye to the genesis node, announce the
//! arrival. Where there is nobody else yet, the link with the genesis node stays.

use std::time::Duration;

use rand::seq::IndexedRandom;

use crate::identity::NodeId;
use crate::wire::{GoodbyeCode, WhichPeers};

use super::core::{Genesis, Timer};
use super::links::Link;
use super::output::{CoreEvent, JoinStep, LinkId, Target};
use super::tree::Push;
use super::{Core, Instant, Now, Reason};

/// How long one step may take before the next is tried without it.
const STEP: Duration = Duration::from_secs(3);
/// How long a new member looks for links before it announces itself with those it has.
const SETTLE: Duration = Duration::from_millis(500);
/// How long a visit at a genesis node lasts.
const VISIT: Duration = Duration::from_secs(2);

/// Links to open with the other part, when a visit finds one.
const STRANGERS: usize = 3;

/// How far joining has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Looking for neighbours of former runs.
    Returning,
    /// No genesis node has answered yet.
    #[default]
    Seeking,
    /// Asked a genesis node for members.
    AskedGenesis,
    /// Dialling the first member that genesis named, or waiting for its answer.
    FirstMember,
    /// Linking with several.
    Settling,
    /// Announced.
    Member,
}

#[derive(Debug, Default)]
pub(super) struct Join {
    pub(super) phase: Phase,
    /// Whether it looked for genesis nodes it does not know of.
    checked_in: bool,
}

impl Join {
    /// Whether this node has announced itself.
    pub(super) fn is_member(&self) -> bool {
        self.phase == Phase::Member
    }

    /// Whether it looks for neighbours of former runs, before it asks anybody else.
    pub(super) fn is_returning(&self) -> bool {
        self.phase == Phase::Returning
    }

    /// Whether it still looks for somebody to begin with.
    pub(super) fn is_seeking(&self) -> bool {
        self.phase == Phase::Seeking
    }

    /// Whether links may be opened freely: the first steps go one by one.
    pub(super) fn may_spread(&self) -> bool {
        matches!(self.phase, Phase::Settling | Phase::Member)
    }
}

impl Core {
    pub(super) fn begin_joining(&mut self, now: Now) {
        if self.has_remembered() {
            self.enter(now, Phase::Returning);
            self.dial_members(now);
        } else {
            self.begin_anew(now);
        }
    }

    /// Begins with a genesis node, or as the first.
    fn begin_anew(&mut self, now: Now) {
        self.join.phase = Phase::Seeking;
        if self.genesis.is_empty() {
            self.event(CoreEvent::Join(JoinStep::First));
            self.settle(now);
        } else {
            self.maintain(now);
        }
    }

    fn enter(&mut self, now: Now, phase: Phase) {
        self.join.phase = phase;
        self.timers.set(Timer::Join, now.instant + STEP);
    }

    pub(super) fn joining_link_opened(&mut self, now: Now, link: LinkId, target: Option<&Target>) {
        match (self.join.phase, target) {
            (Phase::Seeking, Some(Target::Genesis(_))) => {
                self.enter(now, Phase::AskedGenesis);
                self.ask_peers(now, link, WhichPeers::RandomMembers);
                self.event(CoreEvent::Join(JoinStep::AskedGenesis));
            }
            (Phase::Returning | Phase::Seeking | Phase::FirstMember, Some(Target::Member { .. })) => {
                self.enter(now, Phase::FirstMember);
                self.ask_peers(now, link, WhichPeers::YourNeighbours);
                self.event(CoreEvent::Join(JoinStep::AskedMember));
            }
            // Somebody found this node first, while no genesis node answers: that is as good.
            (Phase::Returning | Phase::Seeking, _) => self.settle(now),
            // A check-in.
            (Phase::Member, Some(Target::Genesis(_))) if self.has_links_enough() => {
                self.ask_peers(now, link, WhichPeers::RandomMembers);
                let until = now.instant + VISIT;
                if let Some(link) = self.links.get_mut(&link) {
                    link.visit_until = Some(until);
                }
                // Nobody is to rely on it.
                self.say(now, link, Push::Lazy);
                self.timers.set_earlier(Timer::Maintain, until);
            }
            _ => {}
        }
    }

    pub(super) fn joining_peers_answered(&mut self, now: Now, _from: LinkId) {
        match self.join.phase {
            Phase::AskedGenesis => self.dial_first_member(now),
            Phase::FirstMember => self.settle(now),
            Phase::Returning | Phase::Seeking | Phase::Settling | Phase::Member => {}
        }
    }

    pub(super) fn joining_dial_failed(&mut self, now: Now, target: &Target) {
        match (self.join.phase, target) {
            (Phase::FirstMember, Target::Member { .. }) => self.dial_first_member(now),
            (Phase::Returning, _) => {
                self.dial_members(now);
                if self.own_dials() == 0 {
                    self.begin_anew(now);
                }
            }
            _ => {}
        }
    }

    pub(super) fn joining_link_closed(&mut self, now: Now, link: &Link) {
        match self.join.phase {
            Phase::AskedGenesis if link.genesis => self.join.phase = Phase::Seeking,
            Phase::FirstMember if !link.genesis && link.awaiting_peers > 0 => self.dial_first_member(now),
            _ => {}
        }
    }

    fn dial_first_member(&mut self, now: Now) {
        match self.choose_member(now) {
            Some(target) => {
                self.enter(now, Phase::FirstMember);
                self.new_dial(target);
            }
            // Nobody else, or nobody who answers: the genesis node is the network.
            None => self.settle(now),
        }
    }

    pub(super) fn join_step_timed_out(&mut self, now: Now) {
        match self.join.phase {
            Phase::Returning => self.begin_anew(now),
            Phase::Seeking | Phase::Member => {}
            Phase::AskedGenesis | Phase::FirstMember => self.settle(now),
            Phase::Settling => self.arrive(now),
        }
    }

    fn settle(&mut self, now: Now) {
        self.join.phase = Phase::Settling;
        self.timers.set(Timer::Join, now.instant + SETTLE);
        self.maintain(now);
    }

    /// Ends the first steps as soon as there is nothing left to wait for. Called by `maintain`.
    pub(super) fn joining_maintained(&mut self, now: Now) {
        if self.join.phase == Phase::Settling && (self.has_links_enough() || self.own_dials() == 0) {
            self.arrive(now);
        }
        if self.join.may_spread() {
            self.leave_genesis(now);
        }
    }

    fn arrive(&mut self, now: Now) {
        self.leave_genesis(now);
        self.timers.clear(Timer::Join);
        self.join.phase = Phase::Member;
        if self.genesis.len() > 1 {
            // Others may have begun with another genesis node at the same time.
            let soon = self.around(now, STEP, 50);
            self.timers.set(Timer::CheckIn, soon);
        }
        self.announce(now);
        self.event(CoreEvent::Join(JoinStep::Announced));
        self.maintain(now);
    }

    /// Says good-bye to genesis nodes when there are links enough without them, and ends visits.
    fn leave_genesis(&mut self, now: Now) {
        let enough = self.has_links_enough();
        let over = |link: &Link| match link.visit_until {
            Some(until) => now.instant >= until,
            None => link.genesis && enough,
        };
        let leaving: Vec<_> =
            self.links.iter().filter(|(_, link)| over(link) && !link.closing).map(|(id, _)| *id).collect();
        for link in leaving {
            if self.join.phase == Phase::Settling {
                self.event(CoreEvent::Join(JoinStep::LeftGenesis));
            }
            self.close(link, Some(GoodbyeCode::VisitDone), Reason::VisitDone);
        }
    }

    /// Whether there are as many links as wanted, those to genesis nodes not counted.
    fn has_links_enough(&self) -> bool {
        self.lasting_links() >= self.settings.target_links
    }

    /// One of the genesis nodes that may be tried now: at random one of those that were never linked with, else the one that was
    /// longest ago. So none can keep this node for itself by staying away from the others.
    pub(super) fn choose_genesis(&mut self, now: Now, wanted: impl Fn(&Genesis) -> bool) -> Option<usize> {
        let linked = |id: Option<NodeId>| id.is_some_and(|id| self.links.values().any(|link| link.peer == id));
        let dialled = |place| self.dials.values().any(|target| *target == Target::Genesis(place));
        let ready = self.genesis.iter().enumerate().filter(|(place, genesis)| {
            let free = !dialled(*place) && !linked(genesis.id);
            free && genesis.not_before <= now.instant && wanted(genesis)
        });
        let ready: Vec<(Option<Instant>, usize)> = ready.map(|(place, genesis)| (genesis.linked, place)).collect();
        let longest_ago = ready.iter().map(|(linked, _)| *linked).min()?;
        let ready: Vec<usize> =
            ready.into_iter().filter(|(linked, _)| *linked == longest_ago).map(|(_, place)| place).collect();
        ready.choose(&mut self.rng).copied()
    }

    pub(super) fn schedule_check_in(&mut self, now: Now) {
        if !self.genesis.is_empty() {
            let crowd = Duration::from_millis(100) * u32::try_from(self.members.count()).unwrap_or(u32::MAX);
            let at = self.around(now, self.settings.check_in_every.max(crowd), 50);
            self.timers.set(Timer::CheckIn, at);
        }
    }

    /// Visits a genesis node, so that parts of the network that formed apart become one. One that can be seen to be present
    /// belongs to this part.
    pub(super) fn check_in(&mut self, now: Now) {
        // Where links are not published everybody looks present until it runs out; soon after joining that is no matter.
        let can_see = self.settings.publish_links || !self.join.checked_in;
        let present =
            |genesis: &&Genesis| can_see && genesis.id.is_some_and(|id| self.members.is_on_time(&id, now.wall));
        let here: Vec<Option<NodeId>> = self.genesis.iter().filter(present).map(|genesis| genesis.id).collect();
        self.join.checked_in = true;
        self.schedule_check_in(now);
        if let Some(place) = self.choose_genesis(now, |genesis| !here.contains(&genesis.id)) {
            self.new_dial(Target::Genesis(place));
        }
    }

    /// Links with some of those whom a visit made known, links enough or not: two parts that only know of each other would
    /// each go on with all the links they want, and no message would pass between them.
    pub(super) fn link_with_strangers(&mut self, now: Now, since: Instant) {
        for _ in 0..STRANGERS {
            let Some(target) = self.choose_newer(now, since) else { return };
            self.new_dial(target);
        }
    }
}
