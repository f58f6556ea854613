//! Whom to be linked with: dial below the target, shed above the limit, announce what changed.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::seq::IteratorRandom;

use crate::identity::NodeId;
use crate::wire::{GoodbyeCode, WhichPeers};

use super::addresses::Trust;
use super::core::Timer;
use super::output::{Direction, LinkId, Output, Target};
use super::presence::LinkName;
use super::{Core, Now, Presence, Reason};

/// The shortest period of announcements, and how much longer it is in a large network.
const PERIOD: Duration = Duration::from_secs(200);
const MEMBERS_PER_SECOND: usize = 10;
/// The longest a presence lives.
const PRESENCE_MOST: Duration = Duration::from_secs(6 * 3600);
/// A link younger than this is not shed: the other node may still be joining.
const SHED_AFTER: Duration = Duration::from_secs(5);
/// Links a neighbour must have besides this one before it can do without it.
const LINKS_WITHOUT: usize = 2;

impl Core {
    /// Looks after links and dials; called whenever something changed.
    pub(super) fn maintain(&mut self, now: Now) {
        if self.stopping {
            return;
        }
        if self.join.may_spread() {
            self.dial_members(now);
            self.shed(now);
        }
        if self.needs_genesis()
            && let Some(place) = self.choose_genesis(now)
        {
            self.new_dial(Target::Genesis(place));
        }
        self.joining_maintained(now);
        self.schedule_maintenance(now);
    }

    fn needs_genesis(&self) -> bool {
        let dialling = self.dials.values().any(|target| matches!(target, Target::Genesis(_)));
        !dialling && self.links.values().all(|link| link.closing)
    }

    fn dial_members(&mut self, now: Now) {
        while self.lasting_links() + self.dials.len() < self.settings.target_links {
            let Some(target) = self.choose_member(now) else {
                self.ask_for_members(now);
                return;
            };
            self.new_dial(target);
        }
    }

    /// Links that count towards the target: not those to genesis nodes that were opened only to join.
    fn lasting_links(&self) -> usize {
        self.links.values().filter(|link| !link.genesis && !link.closing).count()
    }

    /// A member to dial: at random among those whose address is believed most.
    pub(super) fn choose_member(&mut self, now: Now) -> Option<Target> {
        let busy = self.busy();
        let (standing, own) = (&self.standing, self.own);
        let eligible = |id: &NodeId| *id != own && !busy.contains(id) && !standing.is_barred(id, now.instant);
        let chosen = self.addresses.choose(now.instant, &self.settings, &mut self.rng, eligible);
        chosen.map(|(id, address)| Target::Member { id, address })
    }

    /// Who is linked already, or being dialled.
    fn busy(&self) -> BTreeSet<NodeId> {
        let dialled = self.dials.values().filter_map(|target| match target {
            Target::Member { id, .. } => Some(*id),
            Target::Genesis(place) => self.genesis.get(*place).and_then(|genesis| genesis.id),
        });
        self.links.values().map(|link| link.peer).chain(dialled).collect()
    }

    /// Nobody is left to dial: asks a neighbour, if there are members this node is not linked with.
    fn ask_for_members(&mut self, now: Now) {
        if self.members.count() <= self.busy().len() + 1 {
            return;
        }
        let since =
            |link: &super::links::Link| link.asked.is_none_or(|at| now.instant.since(at) >= self.settings.ask_every);
        let able = self.links.iter().filter(|(_, link)| !link.closing && since(link)).map(|(id, _)| *id);
        if let Some(link) = able.choose_stable(&mut self.rng) {
            self.ask_peers(now, link, WhichPeers::RandomMembers);
        }
    }

    /// Closes the newest link that nobody needs when there are too many.
    fn shed(&mut self, now: Now) {
        let open: Vec<LinkId> = self.links.iter().filter(|(_, link)| !link.closing).map(|(id, _)| *id).collect();
        if open.len() <= self.settings.max_links {
            return;
        }
        if let Some(unneeded) = open.into_iter().rev().find(|id| self.can_do_without(now, *id)) {
            self.close(unneeded, Some(GoodbyeCode::Full), Reason::Full);
        }
    }

    fn can_do_without(&self, now: Now, id: LinkId) -> bool {
        let Some(link) = self.links.get(&id) else { return false };
        let others = self.members.presence(&link.peer).and_then(|(presence, _)| presence.links.as_ref());
        let enough = others.is_none_or(|links| links.len() > LINKS_WITHOUT);
        link.direction == Direction::Inbound && enough && now.instant.since(link.opened) >= SHED_AFTER
    }

    fn schedule_maintenance(&mut self, now: Now) {
        let mut next = None;
        let mut at_latest = |at| next = Some(next.map_or(at, |next: super::Instant| next.min(at)));
        let dialled = |place| self.dials.values().any(|target| *target == Target::Genesis(place));
        if self.links.is_empty() {
            let waiting = self.genesis.iter().enumerate().filter(|(place, _)| !dialled(*place));
            waiting.map(|(_, genesis)| genesis.not_before).min().map(&mut at_latest);
        }
        if self.join.may_spread() && self.lasting_links() + self.dials.len() < self.settings.target_links {
            let busy = self.busy();
            self.addresses.next_try(now.instant, |id| *id != self.own && !busy.contains(id)).map(&mut at_latest);
        }
        if let Some(next) = next {
            // Never at once: whatever is due now was tried just before.
            let soonest = now.instant + Duration::from_millis(20);
            self.timers.set_earlier(Timer::Maintain, next.max(soonest));
        }
    }

    /// Announces this node soon, because its links changed.
    pub(super) fn announce_soon(&mut self, now: Now) {
        if !self.join.is_member() {
            return;
        }
        let within = self.around(now, self.settings.announce_within / 2, 50);
        let earliest = self.last_announced.map_or(now.instant, |last| last + self.settings.announce_every);
        self.timers.set_earlier(Timer::Announce, within.max(earliest));
    }

    /// Announces this node now.
    pub(super) fn announce(&mut self, now: Now) {
        if self.stopping {
            return;
        }
        let crowd = Duration::from_secs((self.members.count() / MEMBERS_PER_SECOND) as u64);
        let period = PERIOD.max(crowd);
        let links = self.settings.publish_links.then(|| {
            let open = self.links.values().filter(|link| !link.closing);
            open.map(|link| LinkName::from(&link.peer)).take(40).collect()
        });
        let presence = Presence {
            addresses: self.own_addresses(),
            links,
            features: self.features.clone(),
            apps: self.apps.clone(),
            epoch: 0,
            period,
        };
        self.last_announced = Some(now.instant);
        let next = self.around(now, period, 20);
        self.timers.set(Timer::Announce, next);
        self.presence_lifetime = (period * 3).min(PRESENCE_MOST);
        self.output(Output::Announce { presence, lifetime: self.presence_lifetime });
    }

    /// Learns where a member says it is. `vouched`: a neighbour stands for it.
    pub(super) fn learn_addresses(&mut self, now: Now, member: NodeId, presence: &Presence, vouched: bool) {
        let trust = if vouched { Trust::Vouched } else { Trust::Hint };
        for address in &presence.addresses {
            self.addresses.learn(member, *address, trust, now.instant);
        }
    }
}
