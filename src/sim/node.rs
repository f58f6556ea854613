//! One simulated node: what stays while it is down, and what lives while it runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::envelope::{Open, Scheme, Signed};
use crate::identity::{Identity, NetworkHash, NetworkName, NodeId};
use crate::log::{LogInstance, MemoryLog};
use crate::overlay::{Core, Instant, LinkId, RememberedPeer};

use super::SchemeKind;
use super::network::{ConnectionId, Side};

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
    pub(super) life: u32,
    pub(super) running: Option<Running>,
    /// Whom it would go back to, as the state file of a real node says.
    pub(super) remembered: Vec<RememberedPeer>,
    pub(super) ticks: u64,
    pub(super) link_openings: u64,
    pub(super) presences: u64,
}

/// What a node has while it runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) core: RefCell<Core>,
    pub(super) log: MemoryLog,
    pub(super) links: BTreeMap<LinkId, (ConnectionId, Side)>,
    /// When it is to be woken.
    pub(super) wake: Option<Instant>,
    next_link: u64,
}

impl Node {
    /// The node at `place`, with a name made of the seed.
    pub(super) fn new(place: usize, kind: SchemeKind, network: &NetworkName, rng: &mut ChaCha8Rng) -> Self {
        let secret: [u8; 32] = rng.random();
        let scheme: Box<dyn Scheme> = match kind {
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
            life: 0,
            running: None,
            remembered: Vec::new(),
            ticks: 0,
            link_openings: 0,
            presences: 0,
        }
    }

    pub(super) fn log_name(rng: &mut ChaCha8Rng) -> LogInstance {
        LogInstance::from_bytes(rng.random())
    }
}

impl Running {
    pub(super) fn new(core: Core, log: MemoryLog) -> Self {
        Running { core: RefCell::new(core), log, links: BTreeMap::new(), wake: None, next_link: 0 }
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
