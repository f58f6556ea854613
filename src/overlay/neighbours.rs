//! Whom to be linked with: dial below the target, shed above the limit, announce what changed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::seq::IteratorRandom;

use crate::access::{Admission, Admittance, Rights};
use crate::identity::NodeId;
use crate::wire::{GoodbyeCode, WhichPeers};

use super::addresses::{Addresses, Trust, Wanted};
use super::admission::second;
use super::core::Timer;
use super::members::Members;
use super::output::{Direction, LinkId, Output, Target};
use super::presence::LinkName;
use super::ranges::{Range, is_countable, is_dialable, is_public};
use super::standing::Standing;
use super::{Core, Instant, Now, Presence, Reason, Settings};

/// The shortest period of announcements, and how much longer it is in a large network.
const PERIOD: Duration = Duration::from_secs(200);
const MEMBERS_PER_SECOND: usize = 10;
/// The longest a presence lives.
const PRESENCE_MOST: Duration = Duration::from_secs(6 * 3600);
/// A link younger than this is not shed: the other node may still be joining.
const SHED_AFTER: Duration = Duration::from_secs(5);
/// So long there have to be too many links before one is closed.
const CROWDED_FOR: Duration = Duration::from_secs(1);
/// Members dialled at a time. When many join at once, each is dialled while it dials: who dials all it wants at once ends
/// up with twice as many links. So a dial counts as so many links while it is under way.
const DIALS_AT_ONCE: usize = 3;
const LINKS_OF_A_DIAL: usize = 2;
/// Links a neighbour must have besides this one before it can do without it.
const LINKS_WITHOUT: usize = 2;

/// Whom this node would dial.
struct Candidates<'a> {
    own: &'a NodeId,
    busy: BTreeSet<NodeId>,
    is_alone: bool,
    settings: &'a Settings,
    members: &'a Members,
    /// Ranges that are being dialled, where ranges are limited.
    dialled: BTreeSet<Range>,
    standing: &'a Standing,
    admission: &'a Admission,
    /// What the clock says, in seconds.
    second: u64,
    /// Whether this node is out where only public addresses lead anywhere.
    is_out_there: bool,
    since: Instant,
    now: Instant,
}

impl Wanted for Candidates<'_> {
    fn claims(&self) -> impl Iterator<Item = (&NodeId, &[SocketAddr])> {
        self.members.claims()
    }

    fn is_worth_hearing(&self, address: &SocketAddr) -> bool {
        is_worth_hearing(address, self.is_out_there)
    }

    fn may_be_dialled(&self, member: &NodeId) -> bool {
        let known = self.members.known_before(member, self.since);
        member != self.own
            && !known
            && !self.busy.contains(member)
            && !self.standing.is_barred(member, self.now)
            && self.is_admitted(member)
    }

    fn may_be_dialled_at(&self, address: &SocketAddr) -> bool {
        !is_countable(address) || !self.dialled.contains(&Range::of(address))
    }

    fn links(&self, member: &NodeId) -> usize {
        // Who does not say counts as one who has what it wants.
        self.members.published_links(member).unwrap_or(self.settings.target_links)
    }

    fn is_full(&self, member: &NodeId) -> bool {
        self.members.published_links(member).is_some_and(|links| links >= self.settings.max_links)
    }

    fn is_alone(&self) -> bool {
        self.is_alone
    }
}

impl Candidates<'_> {
    /// Whether somebody may be a member, as far as that is known without asking.
    fn is_admitted(&self, member: &NodeId) -> bool {
        let judged = self.admission.judge(member, self.second, Rights::LINK);
        matches!(judged, Admittance::Admitted | Admittance::Unknown)
    }
}

/// Whether it makes sense to be told an address by somebody else. Seen from out there, one that is not public is some other
/// machine, or this one.
fn is_worth_hearing(address: &SocketAddr, is_out_there: bool) -> bool {
    if is_out_there { is_public(address) } else { is_dialable(address) }
}

impl Core {
    /// Looks after links and dials; called whenever something changed.
    pub(super) fn maintain(&mut self, now: Now) {
        if self.stopping {
            return;
        }
        if self.join.may_spread() {
            self.keep_on_demand();
            self.dial_members(now);
            self.shed(now);
        } else if self.seeks_in_vain() {
            self.dial_members(now);
        }
        if self.needs_genesis()
            && let Some(place) = self.choose_genesis(now, |_| true)
        {
            self.new_dial(Target::Genesis(place));
        }
        self.joining_maintained(now);
        self.schedule_maintenance(now);
    }

    fn needs_genesis(&self) -> bool {
        let dialling = self.dials.values().any(|target| matches!(target, Target::Genesis(_)));
        !dialling && self.is_alone() && !self.join.is_returning()
    }

    /// No genesis node answers, but there are neighbours of former runs: both are tried for ever.
    fn seeks_in_vain(&self) -> bool {
        self.join.is_seeking() && self.has_remembered()
    }

    pub(super) fn dial_members(&mut self, now: Now) {
        while self.may_dial_more() {
            let Some(target) = self.choose_member(now) else {
                self.ask_for_members(now);
                return;
            };
            self.new_dial(target);
        }
    }

    /// Whether more links are wanted than there are and may come of the dials under way.
    pub(super) fn lacks_links(&self) -> bool {
        self.lasting_links() + self.own_dials() < self.settings.target_links
    }

    /// Whether this node dials another member now, for want of links.
    fn may_dial_more(&self) -> bool {
        let dials = self.own_dials();
        dials < DIALS_AT_ONCE && self.lasting_links() + dials * LINKS_OF_A_DIAL < self.settings.target_links
    }

    /// Links that count towards the target: not those to genesis nodes that were opened only to join, nor those that were
    /// opened for requests.
    pub(super) fn lasting_links(&self) -> usize {
        self.links.values().filter(|link| link.counts() && !link.genesis).count()
    }

    /// A member to dial: at random among those whose address is believed most.
    pub(super) fn choose_member(&mut self, now: Now) -> Option<Target> {
        self.choose_newer(now, Instant::default())
    }

    /// Asks the addresses something about those members that may be dialled.
    fn among_members<T>(
        &mut self,
        now: Now,
        since: Instant,
        ask: impl FnOnce(&mut Addresses, &mut ChaCha8Rng, &Candidates<'_>) -> T,
    ) -> T {
        let (busy, dialled, is_alone) = (self.busy(), self.dialled_ranges(), self.is_alone());
        let (is_out_there, second, now) = (self.is_out_there(), second(now.wall), now.instant);
        let Core { own, settings, members, standing, admission, addresses, rng, .. } = self;
        let wanted = Candidates {
            own,
            busy,
            dialled,
            is_alone,
            settings,
            members,
            standing,
            admission,
            second,
            is_out_there,
            since,
            now,
        };
        ask(addresses, rng, &wanted)
    }

    /// The same among those of whom this node first heard at `since` or later.
    pub(super) fn choose_newer(&mut self, now: Now, since: Instant) -> Option<Target> {
        let chosen = self.among_members(now, since, |addresses, rng, wanted| {
            addresses.choose(now.instant, wanted.settings, rng, wanted)
        });
        chosen.map(|(id, address)| Target::Member { id, address })
    }

    fn is_alone(&self) -> bool {
        self.links.values().all(|link| link.closing)
    }

    /// The ranges of addresses that are being dialled, where that matters.
    fn dialled_ranges(&self) -> BTreeSet<Range> {
        let dialled = self.dials.values().filter(|_| self.settings.limit_ranges);
        let members = dialled.filter_map(|target| match target {
            Target::Member { address, .. } | Target::OnDemand { address, .. } => Some(Range::of(address)),
            Target::Renewal { .. } | Target::Genesis(_) => None,
        });
        members.collect()
    }

    /// Who is linked already, or being dialled.
    fn busy(&self) -> BTreeSet<NodeId> {
        let dialled = self.dials.values().filter_map(|target| match target {
            Target::Member { id, .. } | Target::OnDemand { id, .. } | Target::Renewal { id, .. } => Some(*id),
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

    /// Closes a link that nobody needs when there are too many: one that is not in the tree, or else all links would take its
    /// place; of these one to a neighbour that has too many itself, of these one that never brought anything, of these the
    /// newest.
    fn shed(&mut self, now: Now) {
        let open = self.links.iter().filter(|(_, link)| link.counts());
        let open: Vec<LinkId> = open.map(|(id, _)| *id).collect();
        if open.len() <= self.settings.max_links {
            self.crowded_since = None;
            return;
        }
        // Whoever goes again at once, or is sent away, pushes out nobody.
        let since = *self.crowded_since.get_or_insert(now.instant);
        if now.instant.since(since) < CROWDED_FOR {
            return;
        }
        let rank = |id| Some((!self.is_eager(id), self.surplus(now, id)?, self.brings_nothing(id), id));
        let unneeded = open.into_iter().filter_map(rank).max();
        if let Some((.., unneeded)) = unneeded {
            self.close(unneeded, Some(GoodbyeCode::Full), Reason::Full);
        }
    }

    /// Whether nothing that others made ever came over it first.
    fn brings_nothing(&self, id: LinkId) -> bool {
        self.links.get(&id).is_none_or(|link| link.news == 0)
    }

    /// How many links the neighbour has above its target, as far as it says; `None` if it cannot do without this one.
    fn surplus(&self, now: Now, id: LinkId) -> Option<usize> {
        let link = self.links.get(&id)?;
        let is_young = now.instant.since(link.opened) < SHED_AFTER;
        if link.direction != Direction::Inbound || is_young || self.was_used(now, id) {
            return None;
        }
        let links = self.members.published_links(&link.peer).unwrap_or(self.settings.target_links);
        (links > LINKS_WITHOUT).then(|| links.saturating_sub(self.settings.target_links))
    }

    fn schedule_maintenance(&mut self, now: Now) {
        let mut next = None;
        let mut at_latest = |at| next = Some(next.map_or(at, |next: Instant| next.min(at)));
        if self.needs_genesis() {
            self.genesis.iter().map(|genesis| genesis.not_before).min().map(&mut at_latest);
        }
        if (self.join.may_spread() || self.seeks_in_vain()) && self.may_dial_more() {
            let next_try = self.among_members(now, Instant::default(), |addresses, _, wanted| {
                addresses.next_try(now.instant, wanted.settings, wanted)
            });
            next_try.map(&mut at_latest);
        }
        let ripe = self.crowded_since.map(|since| since + CROWDED_FOR);
        ripe.filter(|ripe| *ripe > now.instant).map(&mut at_latest);
        if let Some(next) = next {
            // Never at once: whatever is due now was tried just before.
            let soonest = now.instant + Duration::from_millis(20);
            self.timers.set_earlier(Timer::Maintain, next.max(soonest));
        }
    }

    /// Announces this node soon, because its links changed; where links are not published that is no news.
    pub(super) fn announce_links(&mut self, now: Now) {
        if self.settings.publish_links {
            self.announce_soon(now);
        }
    }

    /// Announces this node soon, because something about it changed.
    pub(super) fn announce_soon(&mut self, now: Now) {
        if !self.join.is_member() {
            return;
        }
        let within = self.around(now, self.settings.announce_within / 2, 50);
        let earliest = self.last_announced.map_or(now.instant, |last| last + self.settings.announce_every);
        self.timers.set_earlier(Timer::Announce, within.max(earliest));
    }

    /// Rings when the next announcement is due, or something about this node may have changed.
    pub(super) fn announce_due(&mut self, now: Now) {
        let news = self.announced.addresses != self.own_addresses() || self.announced.links != self.published_links();
        if news || now.instant >= self.announce_by {
            self.announce(now);
        } else {
            self.timers.set(Timer::Announce, self.announce_by);
        }
    }

    /// Whom this node is linked with, if it says.
    fn published_links(&self) -> Option<Vec<LinkName>> {
        let lasts = |link: &&super::links::Link| link.counts() && link.visit_until.is_none();
        let open = self.links.values().filter(lasts);
        let names: BTreeSet<LinkName> = open.map(|link| LinkName::from(&link.peer)).collect();
        self.settings.publish_links.then(|| names.into_iter().take(40).collect())
    }

    /// Announces this node now.
    pub(super) fn announce(&mut self, now: Now) {
        if self.stopping {
            return;
        }
        let crowd = Duration::from_secs((self.members.count() / MEMBERS_PER_SECOND) as u64);
        let period = PERIOD.max(crowd);
        let presence = Presence {
            addresses: self.own_addresses(),
            links: self.published_links(),
            features: self.features.clone(),
            apps: self.apps.clone(),
            epoch: self.admission.epoch().unwrap_or(0),
            period,
        };
        self.last_announced = Some(now.instant);
        self.announce_by = self.around(now, period, 20);
        self.timers.set(Timer::Announce, self.announce_by);
        self.announced = presence.clone();
        self.presence_lifetime = (period * 3).min(PRESENCE_MOST);
        self.output(Output::Announce { presence, lifetime: self.presence_lifetime });
    }

    /// Whether this node is reached at a public address.
    fn is_out_there(&self) -> bool {
        self.own_addresses.iter().any(is_public)
    }

    /// Where a member claims to be, as far as that makes sense from here.
    pub(super) fn claims(&self, member: &NodeId) -> impl Iterator<Item = SocketAddr> + '_ {
        let is_out_there = self.is_out_there();
        let claimed = self.members.presence(member).into_iter().flat_map(|(presence, _)| presence.addresses.iter());
        claimed.copied().filter(move |address| is_worth_hearing(address, is_out_there))
    }

    /// Learns where a member says it is. `vouched`: a neighbour stands for it.
    pub(super) fn learn_addresses(&mut self, now: Now, member: NodeId, presence: &Presence, vouched: bool) {
        let trust = if vouched { Trust::Vouched } else { Trust::Hint };
        let is_out_there = self.is_out_there();
        for address in presence.addresses.iter().filter(|address| is_worth_hearing(address, is_out_there)) {
            self.addresses.learn(member, *address, trust, now.instant);
        }
    }
}
