//! What one core promises, shown by telling it things and looking at what it asks for. Whole networks: `tests/it/sim.rs`.

mod admission;
mod asking;
mod blame;
mod budgets;
mod eclipse;
mod gathered;
mod holders;
mod links;
mod members;
mod news;
mod on_demand;
mod pace;
mod reasons;
mod records;
mod tickets;
mod tree;
mod verdicts;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::access::Admission;
use crate::envelope::{Draft, Envelope, EnvelopeId, Lifetime, Scheme, Signed, Timestamp, Verified};
use crate::identity::{Identity, NetworkHash, NodeId};
use crate::wire::{Frame, Goodbye, GoodbyeCode};

/// The wall clock at the monotonic clock's zero, in µs.
const BEGINNING: u64 = 1_700_000_000_000_000;

fn signer(n: u8) -> Signed {
    Signed::new(NetworkHash::secure(&"test".parse().unwrap()), Arc::new(Identity::from_seed(&[n; 32])))
}

fn id(n: u8) -> NodeId {
    Identity::from_seed(&[n; 32]).id()
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 7400))
}

fn wall(micros: i64) -> Timestamp {
    Timestamp::from_micros(BEGINNING.checked_add_signed(micros).unwrap()).unwrap()
}

/// An envelope of author `n`, its time given in seconds from the beginning.
fn said(n: u8, title: &str, message: impl Into<Bytes>, second: i64) -> Verified<Envelope> {
    let time = wall(second * 1_000_000);
    let draft = Draft { title: title.parse().unwrap(), message: message.into(), time, lifetime: Lifetime::hours(1) };
    signer(n).publish(&draft).unwrap()
}

fn presence(n: u8, second: i64, addresses: &[SocketAddr]) -> Verified<Envelope> {
    said(n, PRESENCE_TITLE, Presence { addresses: addresses.to_vec(), ..Presence::default() }.encode(), second)
}

/// The same envelope with a signature that is wrong in one bit, chosen by `n`.
fn forged(envelope: &Envelope, n: usize) -> Envelope {
    let mut bytes = envelope.as_bytes().to_vec();
    let last = bytes.len() - 33 - n;
    bytes[last] ^= 1;
    signer(0).parse(bytes.into()).unwrap()
}

/// A core of node 0, a clock, and no network at all.
struct Alone {
    core: Core,
    scheme: Signed,
    millis: u64,
    next_link: u64,
}

impl Alone {
    fn new() -> Self {
        Alone::with(Settings::local())
    }

    fn with(settings: Settings) -> Self {
        Alone::admitting(settings, Admission::Open)
    }

    fn admitting(settings: Settings, admission: Admission) -> Self {
        let setup = Setup {
            own: id(0),
            settings,
            genesis: Vec::new(),
            addresses: vec![address(0)],
            features: Vec::new(),
            apps: BTreeMap::new(),
            admission,
            seed: [7; 32],
        };
        let mut core = Core::new(setup, now(0));
        core.start(now(0));
        let mut node = Alone { core, scheme: signer(0), millis: 0, next_link: 0 };
        node.outputs();
        node
    }

    fn now(&self) -> Now {
        now(self.millis)
    }

    /// Takes an envelope all the way, and asks for what it causes.
    fn brings(&mut self, link: LinkId, envelope: &Envelope) -> Vec<Output> {
        self.take_in(link, envelope);
        self.outputs()
    }

    fn outputs(&mut self) -> Vec<Output> {
        self.core.take_outputs()
    }

    /// Lets time pass; gives what was asked for meanwhile, with when.
    fn wait(&mut self, millis: u64) -> Vec<(u64, Output)> {
        let (start, end) = (self.millis, self.millis + millis);
        let mut all = Vec::new();
        while let Some(at) = self.core.next_timer().filter(|at| at.since_start() <= Duration::from_millis(end)) {
            // Rounded up: never early.
            self.millis = self.millis.max(at.since_start().as_micros().div_ceil(1000) as u64);
            self.core.tick(self.now());
            all.extend(self.outputs().into_iter().map(|output| (self.millis - start, output)));
        }
        self.millis = end;
        all
    }

    fn opening(&mut self, peer: u8, direction: Direction) -> Opening {
        self.next_link += 1;
        Opening {
            link: LinkId(self.next_link),
            dial: None,
            peer: id(peer),
            direction,
            remote: if direction == Direction::Outbound { address(peer) } else { ephemeral(peer) },
            listen: vec![address(peer)],
            time: self.now().wall,
            renew: false,
            reconcile: false,
            tree: true,
            news: false,
            members: true,
            certificate: None,
            epoch: None,
        }
    }

    /// A link that node `peer` opened.
    fn linked(&mut self, peer: u8) -> LinkId {
        let opening = self.opening(peer, Direction::Inbound);
        let link = opening.link;
        self.core.link_opened(self.now(), opening).unwrap();
        self.outputs();
        link
    }

    fn offer(&mut self, link: LinkId, envelope: &Envelope) -> Offer {
        self.core.offer(self.now(), link, false, vec![envelope.clone()]).remove(0)
    }

    /// Offers an envelope that is new, and verifies it.
    fn claim(&mut self, link: LinkId, envelope: &Envelope) -> Verdicts {
        let offer = self.offer(link, envelope);
        let Some((ticket, envelope)) = offer.into_ticket() else { panic!("not new") };
        self.core.verified(self.now(), vec![Judged::by(&self.scheme, ticket, envelope)])
    }

    /// Takes an envelope all the way.
    fn take_in(&mut self, link: LinkId, envelope: &Envelope) {
        let verdicts = self.claim(link, envelope);
        self.core.accept(self.now(), verdicts.claimed);
    }

    fn frame(&mut self, link: LinkId, frame: Frame) -> Vec<Output> {
        self.core.frame(self.now(), link, frame);
        self.outputs()
    }

    fn why(&mut self, link: LinkId, envelope: &Envelope) -> Option<Reason> {
        match self.offer(link, envelope) {
            Offer::Drop(reason) => Some(reason),
            Offer::Verify(..) | Offer::Parked => None,
        }
    }

    fn counted(&self, reason: Reason) -> u64 {
        self.core.counts().get(reason)
    }
}

fn now(millis: u64) -> Now {
    Now { instant: Instant::at(Duration::from_millis(millis)), wall: wall(millis as i64 * 1000) }
}

fn ephemeral(n: u8) -> SocketAddr {
    SocketAddr::new(address(n).ip(), 50_000)
}

fn closed(outputs: &[Output]) -> Vec<(LinkId, Option<GoodbyeCode>, Reason)> {
    let close = |output: &Output| match output {
        Output::Close { link, goodbye, reason } => Some((*link, *goodbye, *reason)),
        _ => None,
    };
    outputs.iter().filter_map(close).collect()
}

/// Which ids were asked for, and of whom.
fn wants(outputs: &[Output]) -> Vec<(LinkId, Vec<EnvelopeId>)> {
    let want = |output: &Output| match output {
        Output::Send { link, frame: Frame::Want(ids) } => Some((*link, ids.iter().collect())),
        _ => None,
    };
    outputs.iter().filter_map(want).collect()
}

fn relayed(outputs: &[Output]) -> Vec<(EnvelopeId, Vec<LinkId>)> {
    let relay = |output: &Output| match output {
        Output::Relay { envelope, to } => Some((envelope.id(), to.clone())),
        _ => None,
    };
    outputs.iter().filter_map(relay).collect()
}

/// Which links were told EAGER or LAZY.
fn pushes(outputs: &[Output]) -> Vec<(LinkId, Push)> {
    let push = |output: &Output| match output {
        Output::Send { link, frame: Frame::Eager } => Some((*link, Push::Eager)),
        Output::Send { link, frame: Frame::Lazy } => Some((*link, Push::Lazy)),
        _ => None,
    };
    outputs.iter().filter_map(push).collect()
}

/// Which ids were announced, and to whom.
fn haves(outputs: &[Output]) -> Vec<(LinkId, Vec<EnvelopeId>)> {
    let have = |output: &Output| match output {
        Output::Send { link, frame: Frame::Have(ids) } => Some((*link, ids.iter().collect())),
        _ => None,
    };
    outputs.iter().filter_map(have).collect()
}

fn have(ids: &[EnvelopeId]) -> Frame {
    Frame::Have(ids.iter().copied().collect())
}

fn want(ids: &[EnvelopeId]) -> Frame {
    Frame::Want(ids.iter().copied().collect())
}

fn some_id(n: u32) -> EnvelopeId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    EnvelopeId::from_bytes(bytes)
}

/// Links that are no longer fresh: they do not tell what they had before any more.
fn settled(node: &mut Alone, peers: std::ops::RangeInclusive<u8>) -> Vec<LinkId> {
    let links = peers.map(|peer| node.linked(peer)).collect();
    node.wait(2_100);
    links
}

fn events(outputs: Vec<Output>) -> Vec<CoreEvent> {
    let event = |output| match output {
        Output::Event(event) => Some(event),
        _ => None,
    };
    outputs.into_iter().filter_map(event).collect()
}

fn goodbye(code: GoodbyeCode) -> Frame {
    Frame::Goodbye(Goodbye::new(code, ""))
}
