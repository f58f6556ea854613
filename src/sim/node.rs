//! One simulated node: what stays while it is down, and what lives while it runs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::envelope::{Open, Scheme, Signed, Timestamp};
use crate::identity::{Identity, NetworkHash, NetworkName, NodeId};
use crate::log::{Log, LogInstance, MemoryLog};
use crate::overlay::{Core, Instant, LinkId, Past, PastLog, RememberedPeer, Seen};

use super::closed::Papers;
use super::network::{ConnectionId, Side};
use super::regions::Location;
use super::uplink::Uplink;
use super::{SchemeKind, Settings};

/// What a slow node takes for each frame.
const SLOW_FRAME: Duration = Duration::from_millis(2);
/// A slow node has this part of the others' bandwidth.
const SLOW_BANDWIDTH: u64 = 10;

/// One life of a node: what was meant for an earlier one reaches nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeRef {
    pub(super) place: usize,
    pub(super) life: u32,
}

/// What a node keeps over its lives, and what is counted about it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) address: SocketAddr,
    pub(super) scheme: Box<dyn Scheme>,
    pub(super) location: Location,
    pub(super) uplink: Uplink,
    clock: Clock,
    /// Until when it is busy with frames, if it is slow.
    busy_until: Option<Instant>,
    pub(super) life: u32,
    /// When this life began.
    pub(super) since: Instant,
    /// The number of its log, from 1 on.
    pub(super) log: u16,
    pub(super) running: Option<Running>,
    /// What is left of its last life while it is down.
    pub(super) kept: Option<Kept>,
    /// Connections it is an end of.
    pub(super) connections: BTreeSet<ConnectionId>,
    /// Its certificate, in a closed network, and whether it has published it in this life.
    pub(super) papers: Option<Papers>,
    pub(super) has_said_who_it_is: bool,
    /// Whom it would go back to, as the state file of a real node says.
    pub(super) remembered: Vec<RememberedPeer>,
    pub(super) ticks: u64,
    pub(super) link_openings: u64,
    pub(super) presences: u64,
    /// How often somebody dialled its address.
    pub(super) dials_at: u64,
    /// If it is evil and withholds what others say: the presences it names to those who ask.
    pub(super) friends: Option<Vec<Bytes>>,
}

/// How far a node's clock is off.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Ahead(Duration),
    Behind(Duration),
}

/// What a node has while it runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) core: RefCell<Core>,
    pub(super) log: MemoryLog,
    log_began: Timestamp,
    pub(super) links: BTreeMap<LinkId, (ConnectionId, Side)>,
    /// The earliest moment at which it is going to be woken.
    pub(super) wake: Option<Instant>,
    next_link: u64,
}

/// What is left of a life.
#[derive(Debug)]
pub(super) struct Kept {
    log: MemoryLog,
    past: Past,
    log_began: Timestamp,
}

impl Node {
    /// The node at `place`, with a name made of the seed.
    pub(super) fn new(place: usize, settings: &Settings, network: &NetworkName, rng: &mut ChaCha8Rng) -> Self {
        let secret: [u8; 32] = rng.random();
        let scheme: Box<dyn Scheme> = match settings.scheme {
            SchemeKind::Open => Box::new(Open::new(NetworkHash::plain(network), NodeId::from_bytes(secret))),
            SchemeKind::Signed => {
                let identity = Arc::new(Identity::from_seed(&secret));
                Box::new(Signed::new(NetworkHash::secure(network), identity))
            }
        };
        Node {
            id: scheme.own_id(),
            address: SocketAddr::new(ip_of(place), 7400),
            scheme,
            location: Location::draw(settings.conditions.regions, rng),
            uplink: Uplink::new(settings.conditions.bandwidth),
            clock: Clock::draw(settings.conditions.clock_skew, rng),
            busy_until: None,
            life: 0,
            since: Instant::default(),
            log: 0,
            running: None,
            kept: None,
            connections: BTreeSet::new(),
            papers: None,
            has_said_who_it_is: false,
            remembered: Vec::new(),
            ticks: 0,
            link_openings: 0,
            presences: 0,
            dials_at: 0,
            friends: None,
        }
    }

    /// Makes it a slow one.
    pub(super) fn slow_down(&mut self) {
        self.busy_until = Some(Instant::default());
        self.uplink.divide(SLOW_BANDWIDTH);
    }

    /// What its clock says at the true time `now`.
    pub(super) fn clock(&self, now: Timestamp) -> Timestamp {
        match self.clock {
            Clock::Ahead(by) => now.plus(by),
            Clock::Behind(by) => now.minus(by),
        }
    }

    /// When it is done with a frame that arrives now; `None` if at once.
    pub(super) fn handles_frame_at(&mut self, now: Instant) -> Option<Instant> {
        let busy_until = self.busy_until.as_mut()?;
        *busy_until = (*busy_until).max(now) + SLOW_FRAME;
        Some(*busy_until)
    }

    /// Until when it is busy with frames that arrived before now, if it is.
    pub(super) fn is_busy_until(&self, now: Instant) -> Option<Instant> {
        self.busy_until.filter(|until| *until > now)
    }

    pub(super) fn log_name(rng: &mut ChaCha8Rng) -> LogInstance {
        LogInstance::from_bytes(rng.random())
    }
}

impl Clock {
    fn draw(most: Duration, rng: &mut ChaCha8Rng) -> Self {
        if most.is_zero() {
            return Clock::Ahead(Duration::ZERO);
        }
        let by = Duration::from_micros(rng.random_range(0..=most.as_micros() as u64));
        if rng.random() { Clock::Ahead(by) } else { Clock::Behind(by) }
    }
}

impl Running {
    /// A life with an empty log.
    pub(super) fn new(core: Core, log: MemoryLog, log_began: Timestamp) -> Self {
        let (core, links) = (RefCell::new(core), BTreeMap::new());
        Running { core, log, log_began, links, wake: None, next_link: 0 }
    }

    /// A life that goes on from another: the core knows what was taken before, and the log has it.
    pub(super) fn resumed(mut core: Core, now: crate::overlay::Now, kept: Kept) -> Self {
        core.recall(now, &kept.past);
        if let Ok(page) = kept.log.read(kept.log.start(), usize::MAX) {
            for entry in page.entries {
                let of = &entry.envelope;
                core.remember(&Seen { id: of.id(), sender: of.sender(), time: of.time(), lifetime: of.lifetime() });
            }
        }
        core.recall_departures();
        Running::new(core, kept.log, kept.log_began)
    }

    /// What is left of this life: the log, and what the state file says.
    pub(super) fn end(self) -> Kept {
        let core = self.core.into_inner();
        let log = PastLog { began: self.log_began, floor: core.floor() };
        let past = Past { last_time: core.last_time(), clock_seen: core.clock_seen(), log: Some(log) };
        Kept { log: self.log, past, log_began: self.log_began }
    }

    /// A number for a new link; it counts only once the link is entered in `links`.
    pub(super) fn new_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link)
    }
}

/// Every node has an address of its own in 10.0.0.0/8, as on a private site; neighbours in number are no neighbours in
/// range.
fn ip_of(place: usize) -> IpAddr {
    let [_, a, b, c] = (place as u32 + 1).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, c, b, a))
}
