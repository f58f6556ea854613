//! Some cores, the links between them, and what travels there; counted byte by byte.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::envelope::{Draft, Envelope, EnvelopeId, Lifetime, Open, Scheme, Timestamp, Verified};
use crate::identity::{NetworkHash, NodeId};
use crate::overlay::{
    Core, Direction, Instant, Judged, LinkId, Now, Offer, Opening, Output, PRESENCE_TITLE, Reason, RepairCounts, Seen,
    Settings, Setup,
};
use crate::wire::{Frame, Kind};

/// The wall clock at the start, in seconds.
pub(super) const START: u64 = 1_700_000_000;

/// The other end of links with strangers.
const STRANGER: usize = usize::MAX;

/// A message's bytes.
const MESSAGE: usize = 1_024;

pub(super) struct Net {
    pub(super) nodes: Vec<Node>,
    queue: BTreeMap<(u64, u64), (usize, LinkId, Frame)>,
    /// What nodes said to a stranger that a test plays.
    heard: Vec<(LinkId, Frame)>,
    ends: BTreeMap<(usize, LinkId), (usize, LinkId)>,
    micros: u64,
    latency: u64,
    sequence: u64,
    /// Bytes sent, by kind.
    pub(super) sent: BTreeMap<Kind, u64>,
    /// Ids asked for.
    pub(super) wants: usize,
    /// Links on which broadcasts are lost.
    pub(super) deaf: BTreeSet<(usize, LinkId)>,
}

pub(super) struct Node {
    pub(super) core: RefCell<Core>,
    scheme: Open,
    pub(super) contents: BTreeMap<EnvelopeId, Verified<Envelope>>,
    /// What the application was given, in this order.
    pub(super) delivered: Vec<EnvelopeId>,
    /// What its application or its log says to whatever comes.
    pub(super) taste: Taste,
    links: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taste {
    Takes,
    Refuses,
    HasNoRoom,
}

impl Net {
    pub(super) fn new(nodes: usize) -> Self {
        Net::with(nodes, &Settings { publish_links: false, ..Settings::local() })
    }

    pub(super) fn with(nodes: usize, settings: &Settings) -> Self {
        let mut net = Net {
            nodes: (0..nodes).map(|n| Node::new(n, settings)).collect(),
            queue: BTreeMap::new(),
            heard: Vec::new(),
            ends: BTreeMap::new(),
            micros: 0,
            latency: 5_000,
            sequence: 0,
            sent: BTreeMap::new(),
            wants: 0,
            deaf: BTreeSet::new(),
        };
        for n in 0..nodes {
            net.nodes[n].core.get_mut().start(now(0));
            net.act(n);
        }
        net.run(Duration::from_secs(1));
        net
    }

    pub(super) fn now(&self) -> Now {
        now(self.micros)
    }

    /// Links two nodes; the first one dials.
    pub(super) fn link(&mut self, a: usize, b: usize) -> (LinkId, LinkId) {
        let links = [a, b].map(|n| {
            self.nodes[n].links += 1;
            LinkId(self.nodes[n].links)
        });
        self.ends.insert((a, links[0]), (b, links[1]));
        self.ends.insert((b, links[1]), (a, links[0]));
        let sides = [(a, b, links[0], Direction::Outbound), (b, a, links[1], Direction::Inbound)];
        for (own, peer, link, direction) in sides {
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
                news: false,
                members: true,
                certificate: None,
                epoch: None,
            };
            let now = self.now();
            self.nodes[own].core.get_mut().link_opened(now, opening).unwrap();
        }
        // Both know the link before either says anything.
        self.act(a);
        self.act(b);
        (links[0], links[1])
    }

    /// Links a node with a stranger that the test plays; `dialled`: by the node.
    pub(super) fn stranger(&mut self, n: usize, name: usize, dialled: bool) -> LinkId {
        self.nodes[n].links += 1;
        let link = LinkId(self.nodes[n].links);
        self.ends.insert((n, link), (STRANGER, link));
        let (time, now) = (self.now().wall, self.now());
        let opening = Opening {
            link,
            dial: None,
            peer: id(name),
            direction: if dialled { Direction::Outbound } else { Direction::Inbound },
            remote: SocketAddr::from(([10, 0, 1, name as u8], 7_400)),
            listen: Vec::new(),
            time,
            renew: false,
            reconcile: true,
            tree: true,
            news: false,
            members: true,
            certificate: None,
            epoch: None,
        };
        self.nodes[n].core.get_mut().link_opened(now, opening).unwrap();
        self.act(n);
        link
    }

    /// What a stranger says to a node.
    pub(super) fn say(&mut self, n: usize, link: LinkId, frame: Frame) {
        self.arrive(n, link, frame);
    }

    /// What nodes said to strangers since the last time.
    pub(super) fn heard(&mut self) -> Vec<(LinkId, Frame)> {
        std::mem::take(&mut self.heard)
    }

    /// Whether a neighbour said that it does not hold what it had listed.
    pub(super) fn was_absent(&mut self, n: usize, neighbour: usize, id: EnvelopeId) -> bool {
        let now = self.now();
        self.nodes[n].core.get_mut().repair.fetch.was_absent(now.instant, self::id(neighbour), id)
    }

    /// How many ids a node still fetches, and how many it holds for sessions of others.
    pub(super) fn held(&mut self, n: usize) -> (usize, usize) {
        let repair = &self.nodes[n].core.get_mut().repair;
        (repair.fetch.len(), repair.responders.held())
    }

    pub(super) fn unlink(&mut self, a: usize, b: usize) {
        let between = self.ends.iter().filter(|((own, _), (peer, _))| [(a, b), (b, a)].contains(&(*own, *peer)));
        for (own, link) in between.map(|(end, _)| *end).collect::<Vec<_>>() {
            self.ends.remove(&(own, link));
            let now = self.now();
            self.nodes[own].core.get_mut().link_closed(now, link, Reason::ConnectionLost);
            self.act(own);
        }
    }

    pub(super) fn broadcast(&mut self, from: usize, text: &str) -> EnvelopeId {
        let now = self.now();
        let node = &mut self.nodes[from];
        let time = node.core.get_mut().draw_time(now).unwrap();
        let envelope = said(from, time, text);
        node.contents.insert(envelope.id(), envelope.clone());
        node.delivered.push(envelope.id());
        let id = envelope.id();
        node.core.get_mut().publish(now, envelope);
        self.act(from);
        id
    }

    /// Gives a node what it is to have from before.
    pub(super) fn knows(&mut self, n: usize, envelopes: impl IntoIterator<Item = Verified<Envelope>>) {
        let node = &mut self.nodes[n];
        for envelope in envelopes {
            let (id, sender, time, lifetime) = (envelope.id(), envelope.sender(), envelope.time(), envelope.lifetime());
            node.core.get_mut().remember(&Seen { id, sender, time, lifetime });
            node.contents.insert(id, envelope);
        }
    }

    pub(super) fn run(&mut self, span: Duration) {
        let until = self.micros + span.as_micros() as u64;
        loop {
            let timer =
                |node: &mut Node| node.core.get_mut().next_timer().map(|at| at.since_start().as_micros() as u64);
            let timers: Vec<Option<u64>> = self.nodes.iter_mut().map(timer).collect();
            let tick = timers.iter().enumerate().filter_map(|(n, at)| Some(((*at)?, n))).min();
            let frame = self.queue.first_key_value().map(|((at, _), _)| *at);
            match (tick, frame) {
                (Some((at, n)), frame) if at <= until && frame.is_none_or(|frame| at < frame) => {
                    self.micros = self.micros.max(at);
                    let now = now(self.micros);
                    self.nodes[n].core.get_mut().tick(now);
                    self.act(n);
                }
                (_, Some(at)) if at <= until => {
                    self.micros = self.micros.max(at);
                    if let Some((_, (n, link, frame))) = self.queue.pop_first() {
                        self.arrive(n, link, frame);
                    }
                }
                _ => break,
            }
        }
        self.micros = until;
    }

    fn arrive(&mut self, n: usize, link: LinkId, frame: Frame) {
        if !self.ends.contains_key(&(n, link)) {
            return;
        }
        let now = self.now();
        let node = &mut self.nodes[n];
        match frame {
            Frame::Broadcast(bytes) => node.take_in(now, link, node.scheme.parse(bytes).unwrap()),
            frame => node.core.get_mut().frame(now, link, frame),
        }
        self.act(n);
    }

    fn send(&mut self, from: usize, link: LinkId, frame: Frame) {
        let Some((to, other)) = self.ends.get(&(from, link)).copied() else { return };
        *self.sent.entry(frame.kind()).or_default() += frame.encoded_len() as u64;
        if let Frame::Want(ids) = &frame {
            self.wants += ids.len();
        }
        if frame.kind() == Kind::Broadcast && self.deaf.contains(&(from, link)) {
            return;
        }
        if to == STRANGER {
            self.heard.push((other, frame));
            return;
        }
        self.sequence += 1;
        self.queue.insert((self.micros + self.latency, self.sequence), (to, other, frame));
    }

    fn act(&mut self, n: usize) {
        loop {
            let outputs = self.nodes[n].core.get_mut().take_outputs();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                match output {
                    Output::Send { link, frame } => self.send(n, link, frame),
                    Output::Relay { envelope, to } => {
                        for link in to {
                            self.send(n, link, Frame::Broadcast(envelope.as_bytes().clone()));
                        }
                    }
                    Output::Serve { link, ids } => {
                        let (here, absent): (Vec<_>, Vec<_>) =
                            ids.into_iter().partition(|id| self.nodes[n].contents.contains_key(id));
                        for id in here {
                            let bytes = self.nodes[n].contents[&id].as_bytes().clone();
                            self.send(n, link, Frame::Broadcast(bytes));
                        }
                        if !absent.is_empty() {
                            self.send(n, link, Frame::Absent(absent.into_iter().collect()));
                        }
                    }
                    Output::Announce { presence, lifetime } => {
                        let now = self.now();
                        let node = &mut self.nodes[n];
                        let time = node.core.get_mut().draw_time(now).unwrap();
                        let lifetime = Lifetime::secs(lifetime.as_secs() as u32);
                        let title = PRESENCE_TITLE.parse().unwrap();
                        let draft = Draft { title, message: presence.encode().into(), time, lifetime };
                        let envelope = node.scheme.publish(&draft).unwrap();
                        node.core.get_mut().publish(now, envelope);
                    }
                    Output::Close { link, .. } => {
                        if let Some((peer, _)) =
                            self.ends.get(&(n, link)).copied().filter(|(peer, _)| *peer != STRANGER)
                        {
                            self.unlink(n, peer);
                        }
                    }
                    Output::Dial { .. }
                    | Output::Remember(_)
                    | Output::Claimed(_)
                    | Output::Withdraw(_)
                    | Output::KeepRevocations(_)
                    | Output::KeepCertificate(_)
                    | Output::Event(_) => {}
                }
            }
        }
    }

    /// All bytes sent so far.
    pub(super) fn bytes(&self) -> u64 {
        self.sent.values().sum()
    }

    pub(super) fn counts(&mut self, n: usize) -> RepairCounts {
        self.nodes[n].core.get_mut().repair_counts()
    }

    /// Lets a link's two ends compare everything now.
    pub(super) fn compare(&mut self, n: usize, link: LinkId) {
        let now = self.now();
        self.nodes[n].core.get_mut().drained(now, link);
        self.act(n);
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
            admission: crate::access::Admission::Open,
            seed: [n as u8; 32],
        };
        Node {
            core: RefCell::new(Core::new(setup, now(0))),
            scheme: scheme(n),
            contents: BTreeMap::new(),
            delivered: Vec::new(),
            taste: Taste::Takes,
            links: 0,
        }
    }

    fn take_in(&mut self, now: Now, link: LinkId, envelope: Envelope) {
        let core = self.core.get_mut();
        let offers = core.offer(now, link, false, vec![envelope]);
        let tickets = offers.into_iter().filter_map(Offer::into_ticket);
        let judged = tickets.map(|(ticket, envelope)| Judged::by(&self.scheme, ticket, envelope)).collect();
        for claimed in core.verified(now, judged).claimed {
            let is_logged = claimed.content().is_logged();
            match self.taste {
                Taste::Refuses if is_logged => core.refuse(claimed, Reason::BadContent),
                Taste::HasNoRoom if is_logged => core.unremember(now, &claimed, Reason::LogFull),
                _ => {
                    if is_logged {
                        let envelope = claimed.envelope().clone();
                        self.delivered.push(envelope.id());
                        self.contents.insert(envelope.id(), envelope);
                    }
                    core.accept(now, vec![claimed]);
                }
            }
        }
    }
}

pub(super) fn id(n: usize) -> NodeId {
    NodeId::from_bytes([n as u8 + 1; 32])
}

fn scheme(n: usize) -> Open {
    Open::new(NetworkHash::plain(&"t".parse().unwrap()), id(n))
}

fn now(micros: u64) -> Now {
    let wall = Timestamp::from_micros(START * 1_000_000 + micros).unwrap();
    Now { instant: Instant::at(Duration::from_micros(micros)), wall }
}

/// A kilobyte that begins with `text`.
pub(super) fn said(sender: usize, time: Timestamp, text: &str) -> Verified<Envelope> {
    let mut message = text.as_bytes().to_vec();
    message.resize(MESSAGE, b' ');
    let title = "t".parse().unwrap();
    let draft = Draft { title, message: Bytes::from(message), time, lifetime: Lifetime::hours(24) };
    scheme(sender).publish(&draft).unwrap()
}

/// `count` messages of many senders, the last of them a minute before the start, ten a second.
pub(super) fn history(count: usize) -> Vec<Verified<Envelope>> {
    let first = (START - 60) * 1_000_000 - count as u64 * 100_000;
    let at = |n: usize| Timestamp::from_micros(first + n as u64 * 100_000).unwrap();
    (0..count).map(|n| said(100 + n % 50, at(n), &n.to_string())).collect()
}
