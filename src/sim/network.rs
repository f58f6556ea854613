//! What lies between two nodes: connections, how long they take, and how they end. Whatever makes a network worse than a
//! perfect one (loss, bandwidth, partitions) belongs here.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::overlay::{DialId, Instant, LinkId};
use crate::wire::{Frame, Kind};

use super::node::NodeRef;

/// One connection; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(pub(super) u64);

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Who dialled.
    Initiator,
    /// Who was dialled.
    Responder,
}

impl Side {
    pub(super) fn other(self) -> Side {
        match self {
            Side::Initiator => Side::Responder,
            Side::Responder => Side::Initiator,
        }
    }
}

/// How far one end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The handshake is under way.
    Pending,
    /// The core there took it as this link.
    Open(LinkId),
    /// It is over.
    Closed,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) node: NodeRef,
    pub(super) stage: Stage,
    /// When the last frame of each lane arrives here: frames of a lane do not overtake each other.
    last_arrival: [Instant; LANES],
}

/// Control, broadcasts, bulk: as the real link has them.
const LANES: usize = 3;

fn lane(frame: &Frame) -> usize {
    match frame.kind() {
        Kind::Broadcast => 1,
        Kind::Request | Kind::Response | Kind::Reconcile => 2,
        _ => 0,
    }
}

/// A connection from the first packet until both ends are closed.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) dial: DialId,
    /// It is to take an older link's place.
    pub(super) renew: bool,
    pub(super) latency: Duration,
    initiator: End,
    responder: End,
}

impl Connection {
    pub(super) fn end(&self, side: Side) -> &End {
        match side {
            Side::Initiator => &self.initiator,
            Side::Responder => &self.responder,
        }
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Initiator => &mut self.initiator,
            Side::Responder => &mut self.responder,
        }
    }
}

/// What was sent, as bytes of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Their bytes, heads included.
    pub bytes: u64,
    /// Those of the frames that carried an envelope.
    pub broadcasts: u64,
}

/// All connections.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) traffic: Traffic,
    latency: (Duration, Duration),
    next: u64,
}

impl Network {
    pub(super) fn new(latency: (Duration, Duration)) -> Self {
        Network { connections: BTreeMap::new(), traffic: Traffic::default(), latency, next: 0 }
    }

    /// How long packets between two nodes take.
    pub(super) fn draw_latency(&self, rng: &mut ChaCha8Rng) -> Duration {
        let (least, most) = (self.latency.0.as_nanos() as u64, self.latency.1.as_nanos() as u64);
        Duration::from_nanos(rng.random_range(least..=most.max(least)))
    }

    /// A new connection between two running nodes.
    pub(super) fn connect(
        &mut self,
        (from, to): (NodeRef, NodeRef),
        dial: DialId,
        renew: bool,
        latency: Duration,
    ) -> ConnectionId {
        let id = ConnectionId(self.next);
        self.next += 1;
        let end = |node| End { node, stage: Stage::Pending, last_arrival: [Instant::default(); LANES] };
        self.connections.insert(id, Connection { dial, renew, latency, initiator: end(from), responder: end(to) });
        id
    }

    /// When a frame that is sent now arrives at the side `to`; `None` if nothing goes there any more.
    pub(super) fn send(&mut self, now: Instant, id: ConnectionId, to: Side, frame: &Frame) -> Option<Instant> {
        let connection = self.connections.get_mut(&id)?;
        let at = now + connection.latency;
        self.traffic.frames += 1;
        self.traffic.bytes += frame.encoded_len() as u64;
        self.traffic.broadcasts += u64::from(frame.kind() == Kind::Broadcast);
        let last_arrival = &mut connection.end_mut(to).last_arrival;
        let last = match frame.kind() {
            // The last word comes after everything that was queued.
            Kind::Goodbye => last_arrival.iter().copied().max().unwrap_or_default(),
            _ => last_arrival[lane(frame)],
        };
        let at = at.max(last);
        last_arrival[lane(frame)] = at;
        Some(at)
    }

    /// When whatever was sent to the side `to` so far has arrived there, and the end of the connection with it.
    pub(super) fn end_arrives(&self, now: Instant, id: ConnectionId, to: Side) -> Instant {
        let Some(connection) = self.connections.get(&id) else { return now };
        let last = connection.end(to).last_arrival.iter().copied().max().unwrap_or_default();
        (now + connection.latency).max(last)
    }

    /// Closes one end; forgets the connection when both are closed. Gives the link that ended.
    pub(super) fn close(&mut self, id: ConnectionId, side: Side) -> Option<LinkId> {
        let connection = self.connections.get_mut(&id)?;
        let was = std::mem::replace(&mut connection.end_mut(side).stage, Stage::Closed);
        if connection.end(side.other()).stage == Stage::Closed {
            self.connections.remove(&id);
        }
        match was {
            Stage::Open(link) => Some(link),
            Stage::Pending | Stage::Closed => None,
        }
    }
}
