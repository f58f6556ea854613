//! A network one can start, wait for, disturb and ask.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::envelope::{Draft, Envelope, EnvelopeId, Lifetime, Timestamp, Title, Verified};
use crate::identity::{NetworkName, NodeId};
use crate::log::{self, Log, MemoryLog};
use crate::overlay::{
    Core, Instant, LEAVE_TITLE, LinkId, LinkInfo, Member, MemberState, Now, Reason, ReasonCounts, Setup,
};
use crate::wire::Frame;

use super::digest::Rolling;
use super::events::{Event, Queue};
use super::network::{Network, Side, Stage};
use super::node::{Node, NodeRef, Running};
use super::{RunDigest, Settings, Traffic};

/// Virtual time begins here: 2026-01-01, a moment that no run can confuse with today.
const BEGINNING: Timestamp = match Timestamp::from_micros(1_767_225_600_000_000) {
    Some(beginning) => beginning,
    None => Timestamp::MAX,
};

/// How often [`Simulation::run_until`] looks whether it is so, in virtual time.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How many links a genesis node admits.
const GENESIS_LINKS: usize = 256;

/// A network of nodes in virtual time. Nodes are named by their place, from 0 on.
///
/// ```
/// use std::time::Duration;
/// use sealnet::sim::{Settings, Simulation};
///
/// let mut sim = Simulation::new(Settings { nodes: 5, seed: 7, ..Settings::default() });
/// assert!(sim.run_until(|sim| sim.all_know_all(), Duration::from_secs(10)));
/// sim.broadcast(2, "chat".parse()?, "hello").unwrap();
/// sim.run_for(Duration::from_secs(1));
/// assert!((0..5).all(|node| sim.delivered(node).len() == 1));
/// # Ok::<(), sealnet::envelope::TitleError>(())
/// ```
#[derive(Debug)]
pub struct Simulation {
    pub(super) settings: Settings,
    pub(super) now: Instant,
    pub(super) queue: Queue,
    pub(super) network: Network,
    pub(super) nodes: Vec<Node>,
    pub(super) by_address: BTreeMap<SocketAddr, usize>,
    pub(super) rng: ChaCha8Rng,
    pub(super) digest: Rolling,
}

impl Simulation {
    /// A network whose nodes begin to start now.
    pub fn new(settings: Settings) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        let name: NetworkName = "simulation".parse().unwrap_or_else(|_| unreachable!("a network name by the rule"));
        let nodes: Vec<Node> =
            (0..settings.nodes).map(|place| Node::new(place, settings.scheme, &name, &mut rng)).collect();
        let by_address = nodes.iter().enumerate().map(|(place, node)| (node.address, place)).collect();
        let mut sim = Simulation {
            now: Instant::default(),
            queue: Queue::default(),
            network: Network::new(settings.latency),
            nodes,
            by_address,
            rng,
            digest: Rolling::default(),
            settings,
        };
        for place in 0..sim.nodes.len() {
            let spread = sim.settings.start_spread.as_nanos() as u64;
            let at = sim.now + Duration::from_nanos(sim.rng.random_range(0..=spread));
            sim.queue.put(at, Event::Start(NodeRef { place, life: 0 }));
        }
        sim
    }

    /// Lets `span` of virtual time pass.
    pub fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some((at, event)) = self.queue.take(until) {
            self.now = at;
            self.happen(event);
        }
        self.now = until;
    }

    /// Lets time pass until `so` holds; says whether it did within `limit`.
    pub fn run_until(&mut self, mut so: impl FnMut(&Simulation) -> bool, limit: Duration) -> bool {
        let end = self.now + limit;
        while !so(self) {
            if self.now >= end {
                return false;
            }
            self.run_for(LOOK_EVERY.min(end.since(self.now)));
        }
        true
    }

    /// How much virtual time has passed.
    pub fn elapsed(&self) -> Duration {
        self.now.since_start()
    }

    /// How many nodes there are, down or up.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A digest over everything that has happened.
    pub fn digest(&self) -> RunDigest {
        self.digest.so_far()
    }

    /// What all nodes sent so far.
    pub fn traffic(&self) -> Traffic {
        self.network.traffic
    }

    /// Publishes a message of `node`; `None` if the node is down or may not.
    pub fn broadcast(&mut self, node: usize, title: Title, message: impl Into<Bytes>) -> Option<EnvelopeId> {
        self.broadcast_for(node, title, message, Lifetime::DEFAULT)
    }

    /// Publishes a message of `node` with another lifetime than a day; `None` if the node is down or may not.
    pub fn broadcast_for(
        &mut self,
        node: usize,
        title: Title,
        message: impl Into<Bytes>,
        lifetime: Lifetime,
    ) -> Option<EnvelopeId> {
        let id = self.publish(node, title, message.into(), lifetime)?;
        self.act(node);
        Some(id)
    }

    /// Draws the time, makes the envelope, appends it where it belongs, relays it.
    pub(super) fn publish(
        &mut self,
        place: usize,
        title: Title,
        message: Bytes,
        lifetime: Lifetime,
    ) -> Option<EnvelopeId> {
        let now = self.now_at(place);
        let node = self.nodes.get_mut(place)?;
        let running = node.running.as_mut()?;
        let core = running.core.get_mut();
        let time = core.draw_time(now).ok()?;
        let is_logged = !title.is_protocol();
        let envelope = node.scheme.publish(&Draft { title, message, time, lifetime }).ok()?;
        if is_logged {
            running.log.append(&envelope, now.wall).ok()?;
        }
        let id = envelope.id();
        core.publish(now, envelope);
        self.digest.note(self.now, place, "publish", id.as_bytes());
        Some(id)
    }

    /// Starts a node that is down: a new core and an empty log, the same identity and address; all else is forgotten.
    pub fn restart(&mut self, node: usize) {
        if let Some(state) = self.nodes.get_mut(node).filter(|state| state.running.is_none()) {
            state.remembered.clear();
        }
        self.restart_remembering(node);
    }

    /// Starts a node that is down and still has its state file: it knows whom it was linked with.
    pub fn restart_remembering(&mut self, node: usize) {
        if let Some(state) = self.nodes.get(node).filter(|state| state.running.is_none()) {
            self.queue.put(self.now, Event::Start(NodeRef { place: node, life: state.life }));
        }
    }

    /// Ends a node as a kill of its process does: no good-bye, but its connections are reset.
    pub fn kill(&mut self, node: usize) {
        self.digest.note(self.now, node, "kill", &[]);
        self.end(node, true);
    }

    /// Ends a node as pulling its plug does: nobody is told anything.
    pub fn vanish(&mut self, node: usize) {
        self.digest.note(self.now, node, "vanish", &[]);
        self.end(node, false);
    }

    /// Ends a node as it wants to be ended: it publishes its leave and says good-bye.
    pub fn stop(&mut self, node: usize) {
        self.digest.note(self.now, node, "stop", &[]);
        let Some(running) = self.nodes.get_mut(node).and_then(|node| node.running.as_mut()) else { return };
        let lifetime = running.core.get_mut().leave_lifetime();
        let lifetime = Lifetime::secs(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX));
        if let Ok(title) = LEAVE_TITLE.parse() {
            self.publish(node, title, Bytes::new(), lifetime);
        }
        let now = self.now_at(node);
        if let Some(running) = self.nodes.get_mut(node).and_then(|node| node.running.as_mut()) {
            running.core.get_mut().stop(now);
        }
        self.act(node);
        self.end(node, true);
    }

    /// Puts a frame of `from`'s making on its link with `to`, whatever `from`'s core thinks of it: what a dishonest member
    /// can do. Says whether there is such a link.
    pub fn inject(&mut self, from: usize, to: usize, frame: Frame) -> bool {
        let Some(target) = self.nodes.get(to).map(|node| node.id) else { return false };
        let link = self.core(from, |core| core.link_with(&target)).flatten();
        link.is_some_and(|link| self.send(from, link, frame))
    }

    /// An envelope of `node`'s own that is not published: for [`inject`](Self::inject).
    pub fn draft(&mut self, node: usize, title: Title, message: impl Into<Bytes>) -> Option<Verified<Envelope>> {
        let now = self.now_at(node);
        let state = self.nodes.get_mut(node)?;
        let time = state.running.as_mut()?.core.get_mut().draw_time(now).ok()?;
        let draft = Draft { title, message: message.into(), time, lifetime: Lifetime::DEFAULT };
        state.scheme.publish(&draft).ok()
    }

    /// The node's name.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn id(&self, node: usize) -> NodeId {
        self.nodes[node].id
    }

    /// Whether the node is up.
    pub fn is_running(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| node.running.is_some())
    }

    /// The members the node knows, itself included; none while it is down.
    pub fn members(&self, node: usize) -> Vec<Member> {
        self.core(node, Core::members).unwrap_or_default()
    }

    /// How many members the node knows, itself included.
    pub fn member_count(&self, node: usize) -> usize {
        self.core(node, Core::member_count).unwrap_or(0)
    }

    /// What `node` knows of the whereabouts of `of`.
    pub fn member_state(&self, node: usize, of: usize) -> Option<MemberState> {
        let id = self.nodes.get(of)?.id;
        self.core(node, |core| core.member_state(&id)).flatten()
    }

    /// The node's open links.
    pub fn links(&self, node: usize) -> Vec<LinkInfo> {
        self.core(node, Core::links).unwrap_or_default()
    }

    /// Whom the node is linked with, by place, once for each link.
    pub fn neighbours(&self, node: usize) -> Vec<usize> {
        let place = |peer: &NodeId| self.nodes.iter().position(|node| node.id == *peer);
        self.links(node).iter().filter_map(|link| place(&link.peer)).collect()
    }

    /// How often each reason came up at the node.
    pub fn counts(&self, node: usize) -> Option<ReasonCounts> {
        self.core(node, |core| core.counts().clone())
    }

    /// The messages in the node's log in the order of their arrival, its own among them.
    pub fn delivered(&self, node: usize) -> Vec<Verified<Envelope>> {
        let Some(running) = self.nodes.get(node).and_then(|node| node.running.as_ref()) else { return Vec::new() };
        let page = running.log.read(running.log.start(), usize::MAX);
        page.map(|page| page.entries.into_iter().map(|entry| entry.envelope).collect()).unwrap_or_default()
    }

    /// How many positions the node's log has given: what was delivered there, each delivery counted.
    pub fn delivery_count(&self, node: usize) -> u64 {
        let running = self.nodes.get(node).and_then(|node| node.running.as_ref());
        running.map_or(0, |running| running.log.end().position().get())
    }

    /// How many signatures the node verified in all its lives.
    pub fn verifications(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.scheme.verifications())
    }

    /// How often the node's core was woken by a timer.
    pub fn ticks(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.ticks)
    }

    /// How many links were opened at the node.
    pub fn link_openings(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.link_openings)
    }

    /// How often the node announced its presence.
    pub fn presences(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.presences)
    }

    /// Whether every running node knows exactly the running nodes as members.
    pub fn all_know_all(&self) -> bool {
        let up: Vec<usize> = (0..self.len()).filter(|node| self.is_running(*node)).collect();
        let knows = |node: &usize| {
            self.member_count(*node) == up.len()
                && up.iter().all(|other| self.member_state(*node, *other) == Some(MemberState::Present))
        };
        !up.is_empty() && up.iter().all(knows)
    }

    /// Whether every running node can reach every other over open links.
    pub fn is_connected(&self) -> bool {
        let up: Vec<usize> = (0..self.len()).filter(|node| self.is_running(*node)).collect();
        let mut seen = vec![false; self.len()];
        let mut to_visit: Vec<usize> = up.first().copied().into_iter().collect();
        while let Some(node) = to_visit.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                to_visit.extend(self.neighbours(node));
            }
        }
        up.iter().all(|node| seen[*node])
    }

    fn core<T>(&self, node: usize, ask: impl FnOnce(&Core) -> T) -> Option<T> {
        let running = self.nodes.get(node)?.running.as_ref()?;
        Some(ask(&running.core.borrow()))
    }

    /// Both clocks of a node.
    pub(super) fn now_at(&self, _node: usize) -> Now {
        Now { instant: self.now, wall: BEGINNING.plus(self.now.since_start()) }
    }

    /// Starts a life.
    pub(super) fn start(&mut self, node: NodeRef) {
        let now = self.now_at(node.place);
        let Some(state) = self.nodes.get(node.place).filter(|state| state.life == node.life) else { return };
        if state.running.is_some() {
            return;
        }
        let (id, address) = (state.id, state.address);
        let mut settings = self.settings.overlay.clone();
        if node.place < self.settings.genesis {
            settings.inbound_links = settings.inbound_links.max(GENESIS_LINKS);
        }
        let genesis = self.genesis_of(node.place);
        let setup = Setup {
            own: id,
            settings,
            genesis: genesis.iter().map(|place| Some(self.nodes[*place].id)).collect(),
            addresses: vec![address],
            features: Vec::new(),
            apps: BTreeMap::new(),
            seed: self.rng.random(),
        };
        let log = MemoryLog::new(Node::log_name(&mut self.rng), id, log::Settings::default());
        let mut core = Core::new(setup, now);
        core.recall_peers(now, &self.nodes[node.place].remembered);
        core.start(now);
        self.nodes[node.place].running = Some(Running::new(core, log));
        self.digest.note(self.now, node.place, "start", id.as_bytes());
        self.act(node.place);
    }

    /// The genesis nodes that a node's configuration names, in their order.
    pub(super) fn genesis_of(&self, place: usize) -> Vec<usize> {
        (0..self.settings.genesis.min(self.nodes.len())).filter(|genesis| *genesis != place).collect()
    }

    /// Ends a life. `told`: the other ends of its connections notice.
    fn end(&mut self, place: usize, told: bool) {
        let Some(node) = self.nodes.get_mut(place).filter(|node| node.running.is_some()) else { return };
        let ended = NodeRef { place, life: node.life };
        node.running = None;
        node.life += 1;
        let theirs = self.network.connections.iter().flat_map(|(id, connection)| {
            let sides = [Side::Initiator, Side::Responder].into_iter();
            sides.filter(move |side| connection.end(*side).node == ended).map(|side| (*id, side))
        });
        for (id, side) in theirs.collect::<Vec<_>>() {
            let at = self.network.end_arrives(self.now, id, side.other());
            self.network.close(id, side);
            if told {
                self.queue.put(at, Event::Close(id, side.other(), Reason::ConnectionLost));
            }
        }
    }

    /// Sends a frame over a link of a node, if it is still there.
    pub(super) fn send(&mut self, from: usize, link: LinkId, frame: Frame) -> bool {
        let running = self.nodes.get(from).and_then(|node| node.running.as_ref());
        let Some((id, side)) = running.and_then(|running| running.links.get(&link)).copied() else { return false };
        let to = side.other();
        let there = self.network.connections.get(&id).map(|connection| connection.end(to).stage);
        if there.is_none_or(|stage| stage == Stage::Closed) {
            return false;
        }
        match self.network.send(self.now, id, to, &frame) {
            Some(at) => self.queue.put(at, Event::Arrive(id, to, frame)),
            None => return false,
        }
        true
    }
}
