//! Some cores, the wires between them, and nothing that moves by itself: each frame waits until it is let through.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use sealnet::access::Admission;
use sealnet::envelope::{Draft, Envelope, EnvelopeId, Lifetime, Open, Scheme, Timestamp, Verified};
use sealnet::identity::{NetworkHash, NodeId};
use sealnet::overlay::{
    Broadcast, Core, Direction, Instant, LinkId, Now, Opening, Output, Reason, Settings, Setup, take_in,
};
use sealnet::wire::Frame;

/// The wall clock at the start, in µs.
const START: u64 = 1_700_000_000_000_000;

/// One direction between two nodes.
pub(crate) type Wire = (usize, usize);

pub(crate) struct World {
    nodes: Vec<Node>,
    wires: BTreeMap<Wire, VecDeque<Frame>>,
    links: BTreeMap<Wire, LinkId>,
    next_link: u64,
    micros: u64,
    /// What was broadcast, in its order.
    pub(crate) said: Vec<EnvelopeId>,
    /// How often each envelope was put on each wire.
    pub(crate) copies: BTreeMap<(EnvelopeId, Wire), u32>,
}

struct Node {
    core: RefCell<Core>,
    scheme: Open,
    log: BTreeMap<EnvelopeId, Verified<Envelope>>,
    /// What the application was given.
    delivered: Vec<EnvelopeId>,
}

impl World {
    /// Nodes linked as `edges` say, each edge's first node having dialled; as they are some seconds later.
    pub(crate) fn new(nodes: usize, edges: &[Wire], broadcast: Broadcast) -> Self {
        let settings = Settings {
            // They are linked by the model alone.
            target_links: 1,
            publish_links: false,
            broadcast,
            ..Settings::local()
        };
        let mut world = World {
            nodes: (0..nodes).map(|n| Node::new(n, &settings)).collect(),
            wires: BTreeMap::new(),
            links: BTreeMap::new(),
            next_link: 0,
            micros: 0,
            said: Vec::new(),
            copies: BTreeMap::new(),
        };
        for n in 0..nodes {
            world.nodes[n].core.get_mut().start(now(0));
            world.act(n);
        }
        for (a, b) in edges {
            world.link(*a, *b);
        }
        world.run_fairly(|world| world.micros >= 2_500_000);
        world
    }

    pub(crate) fn link(&mut self, a: usize, b: usize) {
        for (own, peer, direction) in [(a, b, Direction::Outbound), (b, a, Direction::Inbound)] {
            self.next_link += 1;
            let link = LinkId(self.next_link);
            self.links.insert((own, peer), link);
            let opening = Opening {
                link,
                dial: None,
                peer: id(peer),
                direction,
                remote: SocketAddr::from(([10, 0, 0, peer as u8], 7_400)),
                listen: Vec::new(),
                time: self.now().wall,
                renew: false,
                reconcile: true,
                tree: true,
                news: true,
                members: false,
                certificate: None,
                epoch: None,
            };
            let now = self.now();
            self.nodes[own].core.get_mut().link_opened(now, opening).expect("nothing is against it");
        }
        self.act(a);
        self.act(b);
    }

    pub(crate) fn is_linked(&self, a: usize, b: usize) -> bool {
        self.links.contains_key(&(a, b))
    }

    /// The connection breaks; what is on it is lost.
    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        for wire in [(a, b), (b, a)] {
            self.wires.remove(&wire);
            if let Some(link) = self.links.remove(&wire) {
                let now = self.now();
                self.nodes[wire.0].core.get_mut().link_closed(now, link, Reason::ConnectionLost);
                self.act(wire.0);
            }
        }
    }

    /// Whether the next frame on a wire is a broadcast.
    pub(crate) fn brings_broadcast(&self, wire: Wire) -> bool {
        matches!(self.wires.get(&wire).and_then(VecDeque::front), Some(Frame::Broadcast(_)))
    }

    /// A full queue: its host drops the next broadcast, and says so when there is room again.
    pub(crate) fn drop_broadcast(&mut self, wire: Wire) {
        self.wires.get_mut(&wire).and_then(VecDeque::pop_front);
        let (link, now) = (self.links[&wire], self.now());
        self.nodes[wire.0].core.get_mut().drained(now, link);
        self.act(wire.0);
    }

    pub(crate) fn broadcast(&mut self, from: usize) {
        let now = self.now();
        let node = &mut self.nodes[from];
        let time = node.core.get_mut().draw_time(now).unwrap();
        let title = "t".parse().unwrap();
        let draft = Draft { title, message: vec![from as u8].into(), time, lifetime: Lifetime::hours(1) };
        let envelope = node.scheme.publish(&draft).unwrap();
        self.said.push(envelope.id());
        node.log.insert(envelope.id(), envelope.clone());
        node.delivered.push(envelope.id());
        node.core.get_mut().publish(now, envelope);
        self.act(from);
    }

    /// A node wants ids from its neighbour from now on, and not contents.
    pub(crate) fn ask_for_ids(&mut self, (from, to): Wire) {
        self.send(from, self.links[&(from, to)], Frame::Lazy);
    }

    /// The wires on which something waits.
    pub(crate) fn busy(&self) -> impl Iterator<Item = Wire> {
        self.wires.iter().filter(|(_, frames)| !frames.is_empty()).map(|(wire, _)| *wire)
    }

    /// Lets one frame through.
    pub(crate) fn deliver(&mut self, wire: Wire) {
        let frame = self.wires.get_mut(&wire).and_then(VecDeque::pop_front).expect("something waits there");
        let (own, link, now) = (wire.1, self.links[&(wire.1, wire.0)], self.now());
        let Node { core, scheme, log, delivered } = &mut self.nodes[own];
        match frame {
            Frame::Broadcast(bytes) => {
                let envelope = scheme.parse(bytes).expect("nobody changed it");
                let keep = |envelope: &Verified<Envelope>| {
                    delivered.push(envelope.id());
                    log.insert(envelope.id(), envelope.clone());
                    true
                };
                take_in(core, scheme, || now, keep, link, false, vec![envelope]);
            }
            Frame::Peers(_) => core.get_mut().peers_answered(now, link),
            frame => core.get_mut().frame(now, link, frame),
        }
        self.act(own);
    }

    /// How long until a core wants to be woken.
    pub(crate) fn next_timer(&self) -> Duration {
        let at = self.nodes.iter().filter_map(|node| node.core.borrow().next_timer()).min();
        at.map_or(Duration::MAX, |at| at.since(self.now().instant))
    }

    /// Lets time pass until a core wants to be woken, and wakes all that do.
    pub(crate) fn pass_time(&mut self) {
        let next = u64::try_from(self.next_timer().as_micros()).expect("somebody waits for something");
        self.micros += next;
        let now = self.now();
        for n in 0..self.nodes.len() {
            if self.nodes[n].core.get_mut().next_timer().is_some_and(|at| at <= now.instant) {
                self.nodes[n].core.get_mut().tick(now);
                self.act(n);
            }
        }
    }

    /// Lets everything through in its order, and time pass when nothing waits, until it is `enough`.
    pub(crate) fn run_fairly(&mut self, enough: impl Fn(&World) -> bool) {
        loop {
            loop {
                // On its own line: the world is borrowed no longer than it takes to look.
                let next = self.busy().next();
                let Some(wire) = next else { break };
                self.deliver(wire);
            }
            if enough(self) {
                return;
            }
            self.pass_time();
        }
    }

    /// The virtual time since the start.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_micros(self.micros)
    }

    /// Whether everybody was given everything.
    pub(crate) fn all_have_all(&self) -> bool {
        let has = |node: &Node| self.said.iter().all(|id| node.delivered.contains(id));
        self.nodes.iter().all(has)
    }

    /// Asserts that nobody was given anything twice, or anything that was not said.
    pub(crate) fn assert_delivered_once(&self) {
        for node in &self.nodes {
            for (place, id) in node.delivered.iter().enumerate() {
                assert!(self.said.contains(id), "nobody said {id}");
                assert!(!node.delivered[..place].contains(id), "{id} was delivered twice");
            }
        }
    }

    fn now(&self) -> Now {
        now(self.micros)
    }

    fn send(&mut self, from: usize, link: LinkId, frame: Frame) {
        let Some((wire, _)) = self.links.iter().find(|((own, _), own_link)| *own == from && **own_link == link) else {
            return;
        };
        if let Frame::Broadcast(bytes) = &frame
            && let Ok(envelope) = self.nodes[from].scheme.parse(bytes.clone())
        {
            *self.copies.entry((envelope.id(), *wire)).or_default() += 1;
        }
        self.wires.entry(*wire).or_default().push_back(frame);
    }

    /// What a host does with what its core asks for.
    fn act(&mut self, n: usize) {
        for output in self.nodes[n].core.get_mut().take_outputs() {
            match output {
                Output::Send { link, frame } => self.send(n, link, frame),
                Output::Relay { envelope, to } => {
                    for link in to {
                        self.send(n, link, Frame::Broadcast(envelope.as_bytes().clone()));
                    }
                }
                Output::Serve { link, ids } => {
                    let mut absent = Vec::new();
                    for id in ids {
                        match self.nodes[n].log.get(&id).map(|envelope| envelope.as_bytes().clone()) {
                            Some(bytes) => self.send(n, link, Frame::Broadcast(bytes)),
                            None => absent.push(id),
                        }
                    }
                    if !absent.is_empty() {
                        self.send(n, link, Frame::Absent(absent.into_iter().collect()));
                    }
                }
                Output::Close { reason, .. } => panic!("node {n} closes a link: {reason:?}"),
                // Presences are other broadcasts: here they would only be in the way.
                Output::Announce { .. } | Output::Dial { .. } | Output::Remember(_) | Output::Event(_) => {}
                Output::Claimed(_) | Output::Withdraw(_) | Output::KeepRevocations(_) | Output::KeepCertificate(_) => {
                    panic!("access is open")
                }
            }
        }
    }
}

impl Node {
    fn new(n: usize, settings: &Settings) -> Self {
        let setup = Setup {
            own: id(n),
            settings: settings.clone(),
            genesis: Vec::new(),
            addresses: Vec::new(),
            features: Vec::new(),
            apps: BTreeMap::new(),
            seed: [n as u8; 32],
            admission: Admission::default(),
        };
        let scheme = Open::new(NetworkHash::plain(&"models".parse().unwrap()), id(n));
        Node { core: RefCell::new(Core::new(setup, now(0))), scheme, log: BTreeMap::new(), delivered: Vec::new() }
    }
}

fn id(n: usize) -> NodeId {
    NodeId::from_bytes([n as u8 + 1; 32])
}

fn now(micros: u64) -> Now {
    let wall = Timestamp::from_micros(START + micros).unwrap();
    Now { instant: Instant::at(Duration::from_micros(micros)), wall }
}
