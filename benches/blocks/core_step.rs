//! What one broadcast that comes over a link and one of its own cost a node that keeps many already, without signature,
//! network and timers. `benches/blocks/core_step.sh` compares few kept with many.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sealnet::access::Admission;
use sealnet::envelope::{Draft, Envelope, Lifetime, Open, Scheme, Timestamp, Verified};
use sealnet::identity::{NetworkHash, NodeId};
use sealnet::log::{Cursor, Log, LogInstance, MemoryLog, Settings as LogSettings};
use sealnet::overlay::{Core, Direction, Instant, LinkId, Now, Opening, Settings, Setup, take_in};

use super::{Failure, Step};

const MESSAGE: usize = 256;
const SENDERS: usize = 16;
const LINKS: u8 = 8;
/// Between one message and the next.
const APART: Duration = Duration::from_micros(100);
/// By the wall clock.
const BEGIN: u64 = 1_700_000_000_000_000;

struct Node {
    core: RefCell<Core>,
    log: MemoryLog,
    scheme: Open,
    reader: Cursor,
    now: Now,
}

pub(super) fn received_and_published(kept: u32) -> Result<Step, Failure> {
    let network = NetworkHash::plain(&"bench".parse()?);
    let schemes: Vec<Open> = (1..=SENDERS as u8).map(|n| Open::new(network, NodeId::from_bytes([n; 32]))).collect();
    let mut node = node(network)?;
    for n in 0..kept {
        node.now = at(n)?;
        let received = made(&schemes[n as usize % SENDERS], node.now.wall)?.as_bytes().clone();
        fill(&mut node, received);
    }
    let mut number = kept;
    Ok(Box::new(move || {
        if let Err(error) = step(&mut node, &schemes, number) {
            unreachable!("{error}");
        }
        number += 1;
        assert_eq!(node.log.usage().envelopes, (2 * number - kept) as usize, "not everything was kept");
    }))
}

fn step(node: &mut Node, schemes: &[Open], number: u32) -> Result<(), Failure> {
    node.now = at(number)?;
    let received = made(&schemes[number as usize % SENDERS], node.now.wall)?.as_bytes().clone();
    let time = node.core.get_mut().draw_time(node.now)?;
    let own = made(&node.scheme, time)?;
    receive_and_publish(node, received, own);
    Ok(())
}

fn at(n: u32) -> Result<Now, Failure> {
    let (begin, since) = (Timestamp::from_micros(BEGIN).ok_or("no time")?, APART * n);
    Ok(Now { instant: Instant::at(since), wall: begin.plus(since) })
}

fn made(scheme: &Open, time: Timestamp) -> Result<Verified<Envelope>, Failure> {
    let (title, message) = ("bench".parse()?, Bytes::from(vec![7; MESSAGE]));
    Ok(scheme.publish(&Draft { title, message, time, lifetime: Lifetime::DEFAULT })?)
}

fn node(network: NetworkHash) -> Result<Node, Failure> {
    let (own, now) = (NodeId::from_bytes([0; 32]), at(0)?);
    let setup = Setup {
        own,
        settings: Settings { index_capacity: 4_000_000, ..Settings::local() },
        genesis: Vec::new(),
        addresses: Vec::new(),
        features: Vec::new(),
        apps: BTreeMap::new(),
        admission: Admission::Open,
        seed: [1; 32],
    };
    let mut core = Core::new(setup, now);
    core.start(now);
    for n in 1..=LINKS {
        let remote = SocketAddr::from(([10, 0, 0, n], 7400));
        let opening = Opening {
            link: LinkId(n.into()),
            dial: None,
            peer: NodeId::from_bytes([100 + n; 32]),
            direction: Direction::Inbound,
            remote,
            listen: vec![remote],
            time: now.wall,
            renew: false,
            reconcile: false,
            tree: false,
            news: false,
            members: false,
            certificate: None,
            epoch: None,
        };
        core.link_opened(now, opening).map_err(|refused| format!("{refused:?}"))?;
    }
    core.take_outputs();
    let settings = LogSettings { max_bytes: 4 << 30, ..LogSettings::default() };
    let log = MemoryLog::new(LogInstance::from_bytes([1; 8]), own, settings);
    let reader = log.end();
    Ok(Node { core: RefCell::new(core), log, scheme: Open::new(network, own), reader, now })
}

/// One broadcast that comes over a link and one of this node's own: taken, appended, relayed to the links, read.
fn receive_and_publish(node: &mut Node, received: Bytes, own: Verified<Envelope>) {
    receive(node, received);
    if node.log.append_own(&own, node.now.wall).is_ok() {
        black_box(node.core.get_mut().publish(node.now, own));
    }
    black_box(node.core.get_mut().take_outputs());
    if let Ok(page) = node.log.read(node.reader, 256) {
        node.reader = page.next;
        black_box(page);
    }
}

/// What is kept before: the same, not measured.
fn fill(node: &mut Node, received: Bytes) {
    receive(node, received);
    node.core.get_mut().take_outputs();
    node.reader = node.log.end();
}

fn receive(node: &mut Node, received: Bytes) {
    let Ok(envelope) = node.scheme.parse(received) else { return };
    let (log, now) = (&node.log, node.now);
    let append = |envelope: &Verified<Envelope>| log.append(envelope, now.wall).is_ok();
    take_in(&node.core, &node.scheme, || now, append, LinkId(1), false, vec![envelope]);
}
