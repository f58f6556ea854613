//! What lies between two nodes: connections, how long they take, what gets lost on them, and how they end. Whatever makes
//! a network worse than a perfect one belongs here.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::envelope::Envelope;
use crate::overlay::{DialId, Instant, LinkId};
use crate::wire::{Frame, Kind};

use super::events::{Cargo, Event};
use super::node::NodeRef;
use super::uplink::Uplink;
use super::{Conditions, Traffic};

/// What TCP waits before it sends again, besides two round trips.
const RESEND_AFTER: Duration = Duration::from_millis(200);

/// One connection; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(usize);

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

impl End {
    fn last_of_all(&self) -> Instant {
        self.last_arrival.iter().copied().max().unwrap_or_default()
    }
}

/// Control, broadcasts, bulk: as the real link has them.
const LANES: usize = 3;

fn lane(kind: Kind) -> usize {
    match kind {
        Kind::Broadcast => 1,
        Kind::Request | Kind::Response | Kind::Reconcile => 2,
        _ => 0,
    }
}

/// Whether a frame may vanish: those that a full outbox drops, and what is asked again if it does not come.
fn may_vanish(kind: Kind) -> bool {
    matches!(kind, Kind::Broadcast | Kind::Have | Kind::News | Kind::Want | Kind::Absent)
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

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives then.
    Arrives(Instant),
    /// It is lost for good.
    Vanishes,
    /// Nothing goes there any more.
    Nowhere,
}

/// The last cut of the network.
#[derive(Debug)]
struct Cut {
    /// Which part each node is in.
    parts: Vec<usize>,
    /// When it ended, if it did.
    healed: Option<Instant>,
}

impl Cut {
    fn is_between(&self, one: usize, other: usize) -> bool {
        self.parts.get(one) != self.parts.get(other)
    }
}

/// All connections.
#[derive(Debug)]
pub(super) struct Network {
    connections: Vec<Option<Connection>>,
    pub(super) traffic: Traffic,
    conditions: Conditions,
    cut: Option<Cut>,
    /// What waits at the cut.
    held: Vec<(ConnectionId, Side, Event)>,
}

impl Network {
    pub(super) fn new(conditions: Conditions) -> Self {
        Network { connections: Vec::new(), traffic: Traffic::default(), conditions, cut: None, held: Vec::new() }
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(id.0)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(id.0)?.as_mut()
    }

    /// A new connection between two running nodes.
    pub(super) fn connect(
        &mut self,
        (from, to): (NodeRef, NodeRef),
        dial: DialId,
        renew: bool,
        latency: Duration,
    ) -> ConnectionId {
        let id = ConnectionId(self.connections.len());
        let end = |node| End { node, stage: Stage::Pending, last_arrival: [Instant::default(); LANES] };
        let connection = Connection { dial, renew, latency, initiator: end(from), responder: end(to) };
        self.connections.push(Some(connection));
        id
    }

    /// What becomes of `cargo` that is sent now to the side `to`.
    pub(super) fn send(
        &mut self,
        now: Instant,
        id: ConnectionId,
        to: Side,
        cargo: &Cargo,
        uplink: &mut Uplink,
        rng: &mut ChaCha8Rng,
    ) -> Fate {
        let Some(connection) = self.connections.get_mut(id.0).and_then(Option::as_mut) else {
            return Fate::Nowhere;
        };
        let (kind, size) = (cargo.kind(), cargo.len());
        self.traffic.count(cargo, size);
        let mut latency = connection.latency;
        let Some(sent) = uplink.send(now, size, kind == Kind::Broadcast) else {
            self.traffic.vanished += 1;
            return Fate::Vanishes;
        };
        while self.conditions.loss.is_drawn(rng) {
            if may_vanish(kind) {
                self.traffic.vanished += 1;
                return Fate::Vanishes;
            }
            latency += RESEND_AFTER + connection.latency * 2;
        }
        let jitter = self.conditions.jitter.as_nanos() as u64;
        if jitter > 0 {
            latency += Duration::from_nanos(rng.random_range(0..=jitter));
        }
        let end = connection.end_mut(to);
        let last = match kind {
            // The last word comes after everything that was queued.
            Kind::Goodbye => end.last_of_all(),
            _ => end.last_arrival[lane(kind)],
        };
        let at = (sent + latency).max(last);
        end.last_arrival[lane(kind)] = at;
        Fate::Arrives(at)
    }

    /// When whatever was sent to the side `to` so far has arrived there, and the end of the connection with it.
    pub(super) fn end_arrives(&self, now: Instant, id: ConnectionId, to: Side) -> Instant {
        let Some(connection) = self.get(id) else { return now };
        (now + connection.latency).max(connection.end(to).last_of_all())
    }

    /// Closes one end; forgets the connection when both are closed. Gives the link that ended.
    pub(super) fn close(&mut self, id: ConnectionId, side: Side) -> Option<LinkId> {
        let connection = self.get_mut(id)?;
        let was = std::mem::replace(&mut connection.end_mut(side).stage, Stage::Closed);
        if connection.end(side.other()).stage == Stage::Closed {
            self.connections[id.0] = None;
        }
        match was {
            Stage::Open(link) => Some(link),
            Stage::Pending | Stage::Closed => None,
        }
    }

    /// Cuts the network: nothing passes between nodes of different parts. `parts` has one number for each node.
    pub(super) fn cut(&mut self, parts: Vec<usize>) {
        self.cut = Some(Cut { parts, healed: None });
    }

    /// Ends the cut. Gives what waited there, each with when it goes on from now: TCP tries again, and connections that
    /// nobody has given up meanwhile live on.
    pub(super) fn heal(&mut self, now: Instant) -> Vec<(Instant, Event)> {
        if let Some(cut) = &mut self.cut {
            cut.healed.get_or_insert(now);
        }
        let mut events = Vec::new();
        for (id, to, event) in std::mem::take(&mut self.held) {
            let Some(connection) = self.get_mut(id) else { continue };
            let at = now + connection.latency;
            let end = connection.end_mut(to);
            end.last_arrival = end.last_arrival.map(|last| last.max(at));
            events.push((at, event));
        }
        events
    }

    /// Whether nothing passes between two nodes.
    pub(super) fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut.healed.is_none() && cut.is_between(one, other))
    }

    /// Since when what one node sends can come to another: from the start, if they were never cut off from each other.
    pub(super) fn reached_since(&self, one: usize, other: usize) -> Instant {
        let cut = self.cut.as_ref().filter(|cut| cut.is_between(one, other));
        cut.map_or(Instant::default(), |cut| cut.healed.unwrap_or(Instant::at(Duration::MAX)))
    }

    /// Lets an event wait that would have to pass the cut; gives it back if there is none between the two ends.
    pub(super) fn hold(&mut self, id: ConnectionId, to: Side, event: Event) -> Option<Event> {
        let ends = self.get(id).map(|connection| (connection.initiator.node.place, connection.responder.node.place));
        if ends.is_some_and(|(one, other)| self.is_cut(one, other)) {
            self.held.push((id, to, event));
            return None;
        }
        Some(event)
    }
}

impl Cargo {
    /// The kind of its frames.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Cargo::Frame(frame) => frame.kind(),
            Cargo::Envelope { .. } | Cargo::Record(_) => Kind::Broadcast,
        }
    }

    /// How many bytes it has, the heads of frames included.
    pub(super) fn len(&self) -> usize {
        let frame_len = |envelope: &Envelope| Frame::HEAD_LEN + envelope.size();
        match self {
            Cargo::Frame(frame) => frame.encoded_len(),
            Cargo::Envelope { envelope, .. } => frame_len(envelope),
            Cargo::Record(envelopes) => envelopes.iter().map(frame_len).sum(),
        }
    }
}
