//! A network one can start, wait for and disturb.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::ChaCha8Rng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};

use crate::envelope::{Draft, Envelope, EnvelopeId, Lifetime, Timestamp, Title, Verified};
#[cfg(feature = "lab")]
use crate::identity::NetworkHash;
use crate::identity::{NetworkName, NodeId};
use crate::log::Log;
use crate::overlay::{Content, Instant, LEAVE_TITLE, LinkId, Now, TIME_TOLERANCE};
use crate::wire::Frame;

use super::Settings;
use super::digest::Rolling;
use super::events::{Cargo, Event, Memory, Queue};
use super::network::{Fate, Network, Stage};
use super::node::{Node, NodeRef};
use super::statistics::{Arrival, Ledger};

/// Virtual time begins here: 2026-01-01, a moment that no run can confuse with today.
const BEGINNING: Timestamp = match Timestamp::from_micros(1_767_225_600_000_000) {
    Some(beginning) => beginning,
    None => Timestamp::MAX,
};

/// How often [`Simulation::run_until`] looks whether it is so, in virtual time.
const LOOK_EVERY: Duration = Duration::from_millis(10);

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
    pub(super) by_id: BTreeMap<NodeId, usize>,
    pub(super) rng: ChaCha8Rng,
    pub(super) digest: Rolling,
    pub(super) ledger: Ledger,
    /// Presences that were read: the same bytes say the same to every node. Looked up, never iterated.
    pub(super) readings: RefCell<HashMap<EnvelopeId, Content>>,
    pub(super) false_alarms: u64,
}

impl Simulation {
    /// A network whose nodes begin to start now.
    pub fn new(settings: Settings) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        let name: NetworkName = "simulation".parse().unwrap_or_else(|_| unreachable!("a network name by the rule"));
        let mut nodes: Vec<Node> =
            (0..settings.nodes).map(|place| Node::new(place, &settings, &name, &mut rng)).collect();
        for slow in (settings.genesis..nodes.len()).sample(&mut rng, settings.conditions.slow) {
            nodes[slow].slow_down();
        }
        let mut sim = Simulation {
            now: Instant::default(),
            queue: Queue::default(),
            network: Network::new(settings.conditions.clone()),
            by_address: nodes.iter().enumerate().map(|(place, node)| (node.address, place)).collect(),
            by_id: nodes.iter().enumerate().map(|(place, node)| (node.id, place)).collect(),
            ledger: Ledger::new(nodes.len()),
            nodes,
            rng,
            digest: Rolling::default(),
            readings: RefCell::default(),
            false_alarms: 0,
            settings,
        };
        for place in 0..sim.nodes.len().saturating_sub(sim.settings.later) {
            let spread = sim.settings.start_spread.as_nanos() as u64;
            let at = sim.now + Duration::from_nanos(sim.rng.random_range(0..=spread));
            sim.queue.put(at, Event::Start(NodeRef { place, life: 0 }, Memory::Lost));
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

    /// Publishes a message that is counted; `None` if the node is down or may not.
    pub(super) fn broadcast_counted(
        &mut self,
        node: usize,
        title: Title,
        message: Bytes,
        lifetime: Lifetime,
        is_warm_up: bool,
    ) -> Option<EnvelopeId> {
        let id = self.publish(node, title, message, lifetime)?;
        let state = &self.nodes[node];
        let own = Arrival { place: node, log: state.log, hops: 0, at: self.now, since: state.since };
        let lives = Duration::from(lifetime).min(self.settings.overlay.keep).max(TIME_TOLERANCE);
        self.ledger.published(id, own, lives, is_warm_up);
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
        self.start_soon(node, Memory::Lost);
    }

    /// Starts a node that is down and still has its state file: it knows whom it was linked with. Its log is empty.
    pub fn restart_remembering(&mut self, node: usize) {
        self.start_soon(node, Memory::State);
    }

    /// Starts a node that is down and whose disk outlived it: with the log and the state it had.
    pub fn restart_with_log(&mut self, node: usize) {
        self.start_soon(node, Memory::Kept);
    }

    fn start_soon(&mut self, place: usize, memory: Memory) {
        if let Some(node) = self.nodes.get(place).filter(|node| node.running.is_none()) {
            self.queue.put(self.now, Event::Start(NodeRef { place, life: node.life }, memory));
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

    /// Cuts the network: between nodes to which `part` gives different numbers nothing passes any more. Nobody is told:
    /// connections fall silent, and dials run into their time-out.
    pub fn cut(&mut self, part: impl Fn(usize) -> usize) {
        self.digest.note(self.now, 0, "cut", &[]);
        self.network.cut((0..self.nodes.len()).map(part).collect());
    }

    /// Ends the cut. What was sent meanwhile over connections that nobody has given up arrives now.
    pub fn heal(&mut self) {
        self.digest.note(self.now, 0, "heal", &[]);
        for (at, event) in self.network.heal(self.now) {
            self.queue.put(at, event);
        }
    }

    /// Puts a frame of `from`'s making on its link with `to`, whatever `from`'s core thinks of it: what a dishonest member
    /// can do. Says whether there is such a link.
    pub fn inject(&mut self, from: usize, to: usize, frame: Frame) -> bool {
        let Some(target) = self.nodes.get(to).map(|node| node.id) else { return false };
        let link = self.core(from, |core| core.link_with(&target)).flatten();
        link.is_some_and(|link| self.send(from, link, Cargo::Frame(frame)))
    }

    /// Makes nodes pass on nothing but their own words from now on, answer no WANT, and name only `friends` (presences) to
    /// those who ask for members.
    #[cfg(feature = "lab")]
    pub(super) fn withhold(&mut self, nodes: &[usize], friends: &[Bytes]) {
        for node in nodes {
            if let Some(node) = self.nodes.get_mut(*node) {
                node.friends = Some(friends.to_vec());
            }
        }
    }

    /// The network of the nodes' envelopes.
    #[cfg(feature = "lab")]
    pub(super) fn network_hash(&self) -> NetworkHash {
        let hash = self.nodes.first().map(|node| *node.scheme.network());
        hash.unwrap_or_else(|| unreachable!("a network without nodes"))
    }

    /// An envelope of `node`'s own that is not published: for [`inject`](Self::inject).
    pub fn draft(&mut self, node: usize, title: Title, message: impl Into<Bytes>) -> Option<Verified<Envelope>> {
        let now = self.now_at(node);
        let state = self.nodes.get_mut(node)?;
        let time = state.running.as_mut()?.core.get_mut().draw_time(now).ok()?;
        let draft = Draft { title, message: message.into(), time, lifetime: Lifetime::DEFAULT };
        state.scheme.publish(&draft).ok()
    }

    /// Both clocks of a node.
    pub(super) fn now_at(&self, node: usize) -> Now {
        let wall = BEGINNING.plus(self.now.since_start());
        Now { instant: self.now, wall: self.nodes.get(node).map_or(wall, |node| node.clock(wall)) }
    }

    /// The genesis nodes that a node's configuration names, in their order.
    pub(super) fn genesis_of(&self, place: usize) -> Vec<usize> {
        (0..self.settings.genesis.min(self.nodes.len())).filter(|genesis| *genesis != place).collect()
    }

    /// Sends something over a link of a node, if it is still there. Says whether it left.
    pub(super) fn send(&mut self, from: usize, link: LinkId, cargo: Cargo) -> bool {
        let Some(node) = self.nodes.get_mut(from) else { return false };
        let running = node.running.as_ref();
        let Some((id, side)) = running.and_then(|running| running.links.get(&link)).copied() else { return false };
        let to = side.other();
        let there = self.network.get(id).map(|connection| connection.end(to).stage);
        if there.is_none_or(|stage| stage == Stage::Closed) {
            return false;
        }
        match self.network.send(self.now, id, to, &cargo, &mut node.uplink, &mut self.rng) {
            Fate::Arrives(at) => self.put_across(at, id, to, Event::Arrive(id, to, cargo)),
            Fate::Vanishes => {}
            Fate::Nowhere => return false,
        }
        true
    }
}
