//! What a host does for its cores: lets things happen to them, and does what they ask.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::envelope::{Envelope, EnvelopeId, Lifetime};
use crate::log::Log;
use crate::overlay::{
    CoreEvent, DialId, Direction, LinkId, Offence, Opening, Output, PRESENCE_TITLE, Reason, Target, take_in,
};
use crate::wire::{Frame, Goodbye, GoodbyeCode};

use super::Simulation;
use super::events::Event;
use super::network::{ConnectionId, Side, Stage};
use super::node::NodeRef;

/// The port a dialling node has at its own end; nobody listens there.
const DIALLING_PORT: u16 = 50_000;

impl Simulation {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Start(node) => self.start(node),
            Event::Tick(node) => self.tick(node),
            Event::Reach(connection) => self.reach(connection),
            Event::Answer(connection) => self.answer(connection),
            Event::DialFailed(node, dial, reason) => self.dial_failed(node, dial, reason),
            Event::Arrive(connection, side, frame) => self.arrive(connection, side, frame),
            Event::Close(connection, side, reason) => self.close(connection, side, reason),
        }
    }

    fn is_current(&self, node: NodeRef) -> bool {
        self.nodes.get(node.place).is_some_and(|state| state.life == node.life && state.running.is_some())
    }

    fn tick(&mut self, node: NodeRef) {
        let now = self.now_at(node.place);
        if !self.is_current(node) {
            return;
        }
        let state = &mut self.nodes[node.place];
        let Some(running) = state.running.as_mut().filter(|running| running.wake == Some(now.instant)) else { return };
        running.wake = None;
        running.core.get_mut().tick(now);
        state.ticks += 1;
        self.digest.note(self.now, node.place, "tick", &[]);
        self.act(node.place);
    }

    /// The responder decides first.
    fn reach(&mut self, id: ConnectionId) {
        let Some(connection) = self.network.connections.get(&id) else { return };
        let (latency, dial) = (connection.latency, connection.dial);
        let (initiator, responder) = (connection.end(Side::Initiator).node, connection.end(Side::Responder).node);
        let back = self.now + latency;
        if !self.is_current(initiator) {
            self.network.close(id, Side::Responder);
            return;
        }
        if !self.is_current(responder) {
            self.network.close(id, Side::Initiator);
            self.queue.put(back, Event::DialFailed(initiator, dial, Reason::ConnectionLost));
            return;
        }
        let remote = SocketAddr::new(self.nodes[initiator.place].address.ip(), DIALLING_PORT);
        match self.open(id, Side::Responder, None, remote) {
            Ok(()) => self.queue.put(back, Event::Answer(id)),
            Err(goodbye) => {
                self.network.close(id, Side::Initiator);
                let reason = goodbye.map_or(Reason::ConnectionLost, Reason::from);
                self.queue.put(back, Event::DialFailed(initiator, dial, reason));
            }
        }
        // After the answer: whatever the new link is told comes behind the HELLO.
        self.act(responder.place);
    }

    fn answer(&mut self, id: ConnectionId) {
        let Some(connection) = self.network.connections.get(&id) else { return };
        let (latency, dial) = (connection.latency, connection.dial);
        let (initiator, responder) = (connection.end(Side::Initiator).node, connection.end(Side::Responder).node);
        if !self.is_current(initiator) {
            return;
        }
        let remote = self.nodes[responder.place].address;
        if let Err(goodbye) = self.open(id, Side::Initiator, Some(dial), remote) {
            let at = self.now + latency;
            if let Some(code) = goodbye {
                let frame = Frame::Goodbye(Goodbye::new(code, ""));
                self.queue.put(at, Event::Arrive(id, Side::Responder, frame));
            }
            self.queue.put(at, Event::Close(id, Side::Responder, Reason::ConnectionLost));
        }
        self.act(initiator.place);
    }

    /// Presents a connection to the core of one side.
    fn open(
        &mut self,
        id: ConnectionId,
        side: Side,
        dial: Option<DialId>,
        remote: SocketAddr,
    ) -> Result<(), Option<GoodbyeCode>> {
        let Some(connection) = self.network.connections.get(&id) else { return Err(None) };
        let (own, peer) = (connection.end(side).node.place, connection.end(side.other()).node.place);
        let direction = if side == Side::Initiator { Direction::Outbound } else { Direction::Inbound };
        // The initiator's HELLO says so; its own core knows from the dial.
        let renew = connection.renew && side == Side::Responder;
        let (now, time) = (self.now_at(own), self.now_at(peer).wall);
        let (peer_id, listen) = (self.nodes[peer].id, vec![self.nodes[peer].address]);
        let Some(running) = self.nodes[own].running.as_mut() else { return Err(None) };
        let link = running.new_link();
        let opening = Opening { link, dial, peer: peer_id, direction, remote, listen, time, renew };
        let outcome = running.core.get_mut().link_opened(now, opening);
        let what = if outcome.is_ok() { "open" } else { "refuse" };
        self.digest.note(self.now, own, what, peer_id.as_bytes());
        match outcome {
            Ok(()) => {
                running.links.insert(link, (id, side));
                if let Some(connection) = self.network.connections.get_mut(&id) {
                    connection.end_mut(side).stage = Stage::Open(link);
                }
                Ok(())
            }
            Err(refused) => {
                self.network.close(id, side);
                Err(refused.goodbye)
            }
        }
    }

    fn dial_failed(&mut self, node: NodeRef, dial: DialId, reason: Reason) {
        if self.is_current(node) {
            let now = self.now_at(node.place);
            self.digest.note(self.now, node.place, "dial-failed", reason.label().as_bytes());
            if let Some(running) = self.nodes[node.place].running.as_mut() {
                running.core.get_mut().dial_failed(now, dial, reason);
            }
            self.act(node.place);
        }
    }

    fn arrive(&mut self, id: ConnectionId, side: Side, frame: Frame) {
        let Some(end) = self.network.connections.get(&id).map(|connection| *connection.end(side)) else { return };
        let (Stage::Open(link), true) = (end.stage, self.is_current(end.node)) else { return };
        let place = end.node.place;
        self.note_arrival(place, &frame);
        match frame {
            Frame::Broadcast(bytes) => self.receive(place, link, false, [bytes]),
            Frame::Peers(mut row) => {
                let version = self.nodes[place].scheme.version();
                let mut envelopes = Vec::new();
                while !row.is_empty() {
                    match Envelope::split_first(&mut row, version) {
                        Ok(bytes) => envelopes.push(bytes),
                        // What cannot be cut off is judged as it is.
                        Err(_) => envelopes.push(std::mem::take(&mut row)),
                    }
                }
                self.receive(place, link, true, envelopes);
                let now = self.now_at(place);
                if let Some(running) = self.nodes[place].running.as_mut() {
                    running.core.get_mut().peers_answered(now, link);
                }
            }
            frame => {
                let now = self.now_at(place);
                if let Some(running) = self.nodes[place].running.as_mut() {
                    running.core.get_mut().frame(now, link, frame);
                }
            }
        }
        self.act(place);
    }

    fn note_arrival(&mut self, place: usize, frame: &Frame) {
        let name = frame.kind().to_string();
        match frame {
            Frame::Have(ids) | Frame::Want(ids) | Frame::Absent(ids) => {
                self.digest.note(self.now, place, &name, ids.as_bytes());
            }
            Frame::Broadcast(bytes) | Frame::Peers(bytes) => self.digest.note(self.now, place, &name, bytes),
            _ => self.digest.note(self.now, place, &name, &(frame.encoded_len() as u64).to_be_bytes()),
        }
    }

    /// What the reader of a link does: parse, then the way of a broadcast.
    fn receive(&mut self, place: usize, link: LinkId, vouched: bool, bytes: impl IntoIterator<Item = Bytes>) {
        let now = self.now_at(place);
        let node = &mut self.nodes[place];
        let Some(running) = node.running.as_mut() else { return };
        let mut envelopes = Vec::new();
        for bytes in bytes {
            match node.scheme.parse(bytes) {
                Ok(envelope) => envelopes.push(envelope),
                Err(_) => {
                    let core = running.core.get_mut();
                    core.count(Reason::BadEnvelope);
                    core.blame(now, link, Offence::BadEnvelope, Reason::BadEnvelope);
                }
            }
        }
        let append = |envelope: &_| running.log.append(envelope, now.wall).is_ok();
        take_in(&running.core, &*node.scheme, || now, append, link, vouched, envelopes);
    }

    fn close(&mut self, id: ConnectionId, side: Side, reason: Reason) {
        let Some(end) = self.network.connections.get(&id).map(|connection| *connection.end(side)) else { return };
        if end.stage == Stage::Pending {
            // The handshake's own outcome is under way.
            return;
        }
        let link = self.network.close(id, side).filter(|_| self.is_current(end.node));
        let place = end.node.place;
        let now = self.now_at(place);
        if let (Some(link), Some(running)) = (link, self.nodes[place].running.as_mut()) {
            running.links.remove(&link);
            running.core.get_mut().link_closed(now, link, reason);
            self.digest.note(self.now, place, "closed", reason.label().as_bytes());
            self.act(place);
        }
    }

    /// Does what a core asks until it asks nothing more, and sees to it that it is woken in time.
    pub(super) fn act(&mut self, place: usize) {
        loop {
            let running = self.nodes.get_mut(place).and_then(|node| node.running.as_mut());
            let Some(running) = running else { return };
            let outputs = running.core.get_mut().take_outputs();
            if outputs.is_empty() {
                break;
            }
            outputs.into_iter().for_each(|output| self.do_one(place, output));
        }
        let node = &mut self.nodes[place];
        let Some(running) = node.running.as_mut() else { return };
        let wake = running.core.get_mut().next_timer().map(|at| at.max(self.now));
        if wake != running.wake {
            running.wake = wake;
            if let Some(at) = wake {
                self.queue.put(at, Event::Tick(NodeRef { place, life: node.life }));
            }
        }
    }

    fn do_one(&mut self, place: usize, output: Output) {
        match output {
            Output::Send { link, frame } => {
                self.send(place, link, frame);
            }
            Output::Relay { envelope, to } => {
                for link in to {
                    self.send(place, link, Frame::Broadcast(envelope.as_bytes().clone()));
                }
            }
            Output::Serve { link, ids } => self.serve(place, link, &ids),
            Output::Dial { dial, target } => self.dial(place, dial, target),
            Output::Close { link, goodbye, reason } => self.say_goodbye(place, link, goodbye, reason),
            Output::Announce { presence, lifetime } => {
                self.nodes[place].presences += 1;
                let lifetime = Lifetime::secs(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX));
                if let Ok(title) = PRESENCE_TITLE.parse() {
                    self.publish(place, title, presence.encode().into(), lifetime);
                }
            }
            Output::Remember(peers) => self.nodes[place].remembered = peers,
            Output::Event(event) => self.note_event(place, &event),
        }
    }

    fn note_event(&mut self, place: usize, event: &CoreEvent) {
        if matches!(event, CoreEvent::LinkOpened { .. }) {
            self.nodes[place].link_openings += 1;
        }
        if let CoreEvent::Member { id, state } = event {
            self.digest.note(self.now, place, &format!("{state:?}"), id.as_bytes());
        }
    }

    fn serve(&mut self, place: usize, link: LinkId, ids: &[EnvelopeId]) {
        let mut absent = Vec::new();
        for id in ids {
            let running = self.nodes[place].running.as_ref();
            match running.and_then(|running| running.log.get(id)) {
                Some(envelope) => {
                    self.send(place, link, Frame::Broadcast(envelope.as_bytes().clone()));
                }
                None => absent.push(*id),
            }
        }
        if !absent.is_empty() {
            self.send(place, link, Frame::Absent(absent.into_iter().collect()));
        }
    }

    /// A dial takes two round trips: one until the responder answers at all, one for the proofs and HELLOs.
    fn dial(&mut self, place: usize, dial: DialId, target: Target) {
        let node = NodeRef { place, life: self.nodes[place].life };
        let (to, expected) = match target {
            Target::Genesis(number) => (self.genesis_of(place).get(number).copied(), None),
            Target::Member { id, address } | Target::OnDemand { id, address } | Target::Renewal { id, address } => {
                (self.by_address.get(&address).copied(), Some(id))
            }
        };
        let renew = matches!(target, Target::Renewal { .. });
        let latency = self.network.draw_latency(&mut self.rng);
        let round_trip = latency * 2;
        let fail = |sim: &mut Self, after: Duration, reason| {
            sim.queue.put(sim.now + after, Event::DialFailed(node, dial, reason));
        };
        self.digest.note(self.now, place, "dial", &to.map_or(u64::MAX, |to| to as u64).to_be_bytes());
        let Some(to) = to.filter(|to| self.nodes[*to].running.is_some()) else {
            return fail(self, round_trip, Reason::Unreachable);
        };
        if to == place {
            return fail(self, round_trip, Reason::OwnIdentity);
        }
        if expected.is_some_and(|id| id != self.nodes[to].id) {
            return fail(self, round_trip * 2, Reason::WrongIdentity);
        }
        let responder = NodeRef { place: to, life: self.nodes[to].life };
        let id = self.network.connect((node, responder), dial, renew, latency);
        self.queue.put(self.now + round_trip + latency, Event::Reach(id));
    }

    /// Closes a link: what is queued goes out, then the good-bye, then the end.
    fn say_goodbye(&mut self, place: usize, link: LinkId, goodbye: Option<GoodbyeCode>, reason: Reason) {
        let running = self.nodes[place].running.as_ref();
        let Some((id, side)) = running.and_then(|running| running.links.get(&link)).copied() else { return };
        if let Some(code) = goodbye {
            self.send(place, link, Frame::Goodbye(Goodbye::new(code, "")));
        }
        let at = self.network.end_arrives(self.now, id, side.other());
        // With something to say the writer first has to get rid of it; until then frames still come in.
        self.queue.put(if goodbye.is_some() { at } else { self.now }, Event::Close(id, side, reason));
        self.queue.put(at, Event::Close(id, side.other(), Reason::ConnectionLost));
    }
}
