//! The core: one value that holds all an overlay node knows and decides, and does nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::access::Admission;
use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified};
use crate::identity::NodeId;
use crate::wire::GoodbyeCode;

use super::addresses::Addresses;
use super::admission::{Waiting, Withheld};
use super::asking::Asking;
use super::budget::SenderBudgets;
use super::holders::Holders;
use super::index::{IdHash, Index};
use super::join::Join;
use super::links::Link;
use super::members::Members;
use super::output::{CoreEvent, DialId, LinkId, Output, Target};
use super::past::FORMER_AHEAD;
use super::reconcile::Repair;
use super::records::Records;
use super::remembered::RememberedPeers;
use super::standing::Standing;
use super::tickets::Tickets;
use super::timers::Timers;
use super::tree::Tree;
use super::{Instant, Member, MemberState, Now, Presence, Reason, ReasonCounts, Settings, TIME_TOLERANCE};

/// What the core is made of at start.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The node's own name.
    pub own: NodeId,
    /// How it keeps itself connected.
    pub settings: Settings,
    /// The genesis nodes in the order of the configuration; the key of each, if it is known. The node's own entry is
    /// left out.
    pub genesis: Vec<Option<NodeId>>,
    /// Where this node can be reached; at most four are announced. May be empty: a node that only dials.
    pub addresses: Vec<SocketAddr>,
    /// What to announce of its abilities.
    pub features: Vec<String>,
    /// What to announce of its applications: title and version.
    pub apps: BTreeMap<String, String>,
    /// Who may take part, and what is known of it at the start.
    pub admission: Admission,
    /// The seed of every random choice. Two cores with equal seeds that are told the same do the same.
    pub seed: [u8; 32],
}

/// The overlay's state and rules, without input, output, clock or randomness of its own.
///
/// A host calls it with the time and what happened, and then acts on [`take_outputs`](Core::take_outputs). Hosts: the
/// tokio node, the simulator, the attack tests.
#[derive(Debug)]
pub struct Core {
    pub(super) own: NodeId,
    pub(super) settings: Settings,
    pub(super) rng: ChaCha8Rng,
    pub(super) index: Index,
    pub(super) tickets: Tickets,
    pub(super) members: Members,
    pub(super) records: Records,
    pub(super) addresses: Addresses,
    pub(super) standing: Standing,
    pub(super) admission: Admission,
    pub(super) waiting: Waiting,
    pub(super) withheld: Withheld,
    pub(super) asking: Asking,
    pub(super) repair: Repair,
    pub(super) tree: Tree,
    pub(super) holders: Holders,
    pub(super) timers: Timers<Timer>,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) dials: BTreeMap<DialId, Target>,
    pub(super) genesis: Vec<Genesis>,
    pub(super) join: Join,
    pub(super) remembered: RememberedPeers,
    pub(super) budgets: SenderBudgets,
    /// Since when this node has had more links than it should.
    pub(super) crowded_since: Option<Instant>,
    pub(super) counts: ReasonCounts,
    pub(super) stopping: bool,
    pub(super) own_addresses: BTreeSet<SocketAddr>,
    pub(super) features: Vec<String>,
    pub(super) apps: BTreeMap<String, String>,
    pub(super) last_announced: Option<Instant>,
    pub(super) presence_lifetime: Duration,
    /// What was announced last, and when it is to be repeated.
    pub(super) announced: Presence,
    pub(super) announce_by: Instant,
    next_dial: u64,
    /// When this life began.
    pub(super) started: Timestamp,
    /// Since when this process knows of every presence it signed, and since when its log knows of everything else.
    pub(super) own_start: Timestamp,
    pub(super) own_log_start: Timestamp,
    pub(super) last_time: Timestamp,
    /// The latest time the clock has shown: it may be set back, and then revives nothing.
    pub(super) clock_seen: Timestamp,
    outputs: Vec<Output>,
}

/// A configured genesis node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Genesis {
    pub(super) id: Option<NodeId>,
    pub(super) failures: u32,
    pub(super) not_before: Instant,
    /// When it was linked with last.
    pub(super) linked: Option<Instant>,
}

/// What can ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Look after links and dials.
    Maintain,
    /// A step of joining took too long.
    Join,
    /// Announce the own presence.
    Announce,
    /// Look after members and the index.
    Review,
    /// Visit a genesis node.
    CheckIn,
    /// Ask for ids that were announced and have not come.
    Ask,
    /// Announce ids that were collected.
    Have,
    /// Pass on presences that were gathered.
    Presences,
    /// Announce the ids of presences.
    PresenceIds,
    /// Carry on comparing with neighbours.
    Repair,
    /// Say EAGER or LAZY where it was put off or a link was lost.
    Tree,
    /// Try one of the pruned links again.
    TryEdge,
    /// Look after what waits for certificates, and after certificates that end.
    Admission,
    /// Is the link alive?
    Ping(LinkId),
    /// The link's keys have served long enough.
    Renew(LinkId),
    /// The older of two links from the same node had its time to answer.
    Contest(LinkId),
}

/// This node's clock is so far behind what it signed before that it cannot sign anything sensible now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine's clock went back: it says {now}, but this identity signed messages up to {last}; set the clock right, \
     or wait until it has caught up"
)]
pub struct ClockWentBack {
    /// What the clock says.
    pub now: Timestamp,
    /// The latest time this identity signed.
    pub last: Timestamp,
}

/// How far ahead of the clock this node's own times may run.
const OWN_TIME_AHEAD: Duration = Duration::from_secs(60);

impl Core {
    /// A core that starts now. Nothing happens before [`start`](Core::start).
    pub fn new(setup: Setup, now: Now) -> Self {
        let mut rng = ChaCha8Rng::from_seed(setup.seed);
        let floor = if setup.settings.history { setup.settings.keep } else { TIME_TOLERANCE };
        let hash_key = [rng.random(), rng.random()];
        let lots = IdHash::new([rng.random(), rng.random()]);
        let genesis = setup.genesis.into_iter();
        Core {
            own: setup.own,
            index: Index::new(setup.settings.index_capacity, now.wall.minus(floor), hash_key),
            tickets: Tickets::new(setup.admission.certified().map(|certified| certified.authority().clone())),
            admission: setup.admission,
            waiting: Waiting::default(),
            withheld: Withheld::default(),
            started: now.wall,
            members: Members::new(setup.settings.member_capacity, setup.own, lots),
            records: Records::new(setup.settings.member_capacity),
            addresses: Addresses::default(),
            standing: Standing::default(),
            asking: Asking::default(),
            repair: Repair::default(),
            tree: Tree::new(now.instant, IdHash::new(hash_key)),
            holders: Holders::new(IdHash::new(hash_key)),
            timers: Timers::default(),
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            genesis: genesis.map(|id| Genesis { id, failures: 0, not_before: now.instant, linked: None }).collect(),
            join: Join::default(),
            remembered: RememberedPeers::default(),
            budgets: SenderBudgets::new(IdHash::new(hash_key)),
            crowded_since: None,
            counts: ReasonCounts::default(),
            stopping: false,
            own_addresses: setup.addresses.into_iter().collect(),
            features: setup.features,
            apps: setup.apps,
            last_announced: None,
            presence_lifetime: Duration::ZERO,
            announced: Presence::default(),
            announce_by: now.instant,
            next_dial: 0,
            own_start: now.wall.plus(FORMER_AHEAD),
            own_log_start: now.wall.plus(FORMER_AHEAD),
            last_time: Timestamp::default(),
            clock_seen: now.wall,
            outputs: Vec::new(),
            settings: setup.settings,
            rng,
        }
    }

    /// Begins to join, or to be the first.
    pub fn start(&mut self, now: Now) {
        self.timers.set(Timer::Review, now.instant + self.review_every());
        self.schedule_check_in(now);
        self.schedule_repair(now);
        self.schedule_trial(now);
        self.begin_joining(now);
    }

    /// Begins to leave: every link is told good-bye. The host has published the leave before.
    pub fn stop(&mut self, now: Now) {
        self.end(now, GoodbyeCode::Leaving, Reason::Stopping);
    }

    /// The same, because the whole network is shut down.
    pub fn stop_with_network(&mut self, now: Now) {
        self.end(now, GoodbyeCode::NetworkShutdown, Reason::NetworkShutDown);
    }

    fn end(&mut self, now: Now, goodbye: GoodbyeCode, reason: Reason) {
        self.announce_ids(now);
        self.relay_gathered();
        self.announce_gathered();
        self.stopping = true;
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            self.close(link, Some(goodbye), reason);
        }
        self.remember_peers();
        self.dials.clear();
        self.timers = Timers::default();
    }

    /// What the host is to do, in order; empty afterwards.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// When [`tick`](Core::tick) is to be called next, at the latest.
    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Now) {
        self.clock_seen = self.clock_seen.max(now.wall);
        while let Some(timer) = self.timers.pop_due(now.instant) {
            match timer {
                Timer::Maintain => self.maintain(now),
                Timer::Join => self.join_step_timed_out(now),
                Timer::Announce => self.announce_due(now),
                Timer::Review => self.review(now),
                Timer::CheckIn => self.check_in(now),
                Timer::Ask => self.ask_due(now),
                Timer::Have => self.announce_ids(now),
                Timer::Presences => self.relay_gathered(),
                Timer::PresenceIds => self.announce_gathered(),
                Timer::Repair => self.tend_repair(now),
                Timer::Tree => self.tend_tree(now),
                Timer::TryEdge => self.try_another_edge(now),
                Timer::Admission => self.tend_admission(now),
                Timer::Ping(link) => self.look_alive(now, link),
                Timer::Renew(link) => self.renew(now, link),
                Timer::Contest(old) => self.decide_contest(old),
            }
        }
    }

    /// The time of the node's next envelope: later than every one before.
    ///
    /// # Errors
    /// If the clock went back more than a minute behind what was signed.
    pub fn draw_time(&mut self, now: Now) -> Result<Timestamp, ClockWentBack> {
        let next = now.wall.max(self.last_time.plus(Duration::from_micros(1)));
        if next > now.wall.plus(OWN_TIME_AHEAD) {
            return Err(ClockWentBack { now: now.wall, last: self.last_time });
        }
        self.last_time = next;
        Ok(next)
    }

    /// How long a leave is to live: as long as the presence it ends.
    pub fn leave_lifetime(&self) -> Duration {
        self.presence_lifetime
    }

    /// The node's own name.
    pub fn own_id(&self) -> NodeId {
        self.own
    }

    /// Everybody who announced itself and is not gone, this node included, in the order of their names.
    pub fn members(&self) -> Vec<Member> {
        self.members.iter().collect()
    }

    /// How many members are known, this node included.
    pub fn member_count(&self) -> usize {
        self.members.count()
    }

    /// What is known of a member's whereabouts.
    pub fn member_state(&self, id: &NodeId) -> Option<MemberState> {
        self.members.state(id)
    }

    /// How often each reason came up.
    pub fn counts(&self) -> &ReasonCounts {
        &self.counts
    }

    /// How many envelopes are remembered.
    pub fn index_len(&self) -> usize {
        self.index.len()
    }

    /// Whether an envelope with this id was accepted; of what has a slot, whether it is its member's newest.
    pub fn has_accepted(&self, id: &EnvelopeId) -> bool {
        self.index.accepted(id) || self.in_slot(id).is_some()
    }

    /// The envelope with this id, if it is a member's newest presence, leave or record.
    pub(super) fn in_slot(&self, id: &EnvelopeId) -> Option<&Verified<Envelope>> {
        self.members.by_id(id).or_else(|| self.records.by_id(id))
    }

    /// Where this node announces that it can be reached.
    pub fn own_addresses(&self) -> Vec<SocketAddr> {
        self.own_addresses.iter().copied().take(4).collect()
    }

    /// Another address at which this node can be reached; announced with the next presence. At most four count.
    pub fn add_own_address(&mut self, now: Now, address: SocketAddr) {
        if self.own_addresses.len() < 4 && self.own_addresses.insert(address) && self.join.is_member() {
            self.announce_soon(now);
        }
    }

    /// Counts a refusal that the host met before it could ask the core: a failed handshake, a frame that does not parse.
    pub fn count(&mut self, reason: Reason) {
        self.counts.count(reason);
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push(output);
    }

    pub(super) fn event(&mut self, event: CoreEvent) {
        self.outputs.push(Output::Event(event));
    }

    pub(super) fn new_dial(&mut self, target: Target) {
        let dial = self.enter_dial(target.clone());
        self.outputs.push(Output::Dial { dial, target });
    }

    pub(super) fn enter_dial(&mut self, target: Target) -> DialId {
        let dial = DialId(self.next_dial);
        self.next_dial += 1;
        self.dials.insert(dial, target);
        dial
    }

    fn review_every(&self) -> Duration {
        self.settings.unreachable_after / 3
    }

    /// Looks after what changes by itself: members that ran out or fell silent, ids that may be forgotten.
    fn review(&mut self, now: Now) {
        self.timers.set(Timer::Review, now.instant + self.review_every());
        self.index.expire(self.clock_seen.max(now.wall), self.settings.keep);
        let linked: BTreeSet<NodeId> = self.links.values().map(|link| link.peer).chain([self.own]).collect();
        // Where only some members are known, those who name a link to one of them may all be unknown.
        let can_tell = self.settings.publish_links && !self.members.is_full();
        let unreachable_after = can_tell.then_some(self.settings.unreachable_after);
        for (id, state) in self.members.review(now, unreachable_after, |id| linked.contains(id)) {
            if state == MemberState::Gone {
                self.addresses.forget(&id);
            }
            self.event(CoreEvent::Member { id, state });
        }
        self.records.expire(self.clock_seen.max(now.wall));
        self.remember_peers();
        self.review_budgets(now);
        self.maintain(now);
    }

    /// A moment within ± `percent` % of `span` from now, so that many nodes do not act at once.
    pub(super) fn around(&mut self, now: Now, span: Duration, percent: u32) -> Instant {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let spread = micros / 100 * u64::from(percent);
        now.instant + Duration::from_micros(self.rng.random_range(micros - spread..=micros.saturating_add(spread)))
    }
}
