//! What happens to connections, and what a host does then: it tells its core.

use std::net::SocketAddr;
use std::time::Duration;

use crate::overlay::{DialId, Direction, Opening, Reason};
use crate::wire::{Frame, Goodbye, GoodbyeCode};

use super::Simulation;
use super::events::{Cargo, Event};
use super::network::{ConnectionId, Side, Stage};
use super::node::NodeRef;

/// The port a dialling node has at its own end; nobody listens there.
const DIALLING_PORT: u16 = 50_000;

/// After this time a connection that cannot be set up is given up: as long as a real handshake may take.
pub(super) const SET_UP_WITHIN: Duration = Duration::from_secs(5);

impl Simulation {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Start(node, memory) => self.start(node, memory),
            Event::End(node) if self.is_current(node) => self.end(node.place, true),
            Event::End(_) => {}
            Event::Tick(node) => self.tick(node),
            Event::Reach(connection) => self.reach(connection),
            Event::Answer(connection) => self.answer(connection),
            Event::DialFailed(node, dial, reason) => self.dial_failed(node, dial, reason),
            Event::Arrive(connection, side, cargo) => {
                // A slow node takes its time, and everything in its order.
                let place = self.receiver(connection, side);
                match place.map(|place| self.nodes[place].handles_frame_at(self.now)) {
                    Some(Some(at)) => self.queue.put(at, Event::Handle(connection, side, cargo)),
                    Some(None) => self.arrive(connection, side, cargo),
                    None => {}
                }
            }
            Event::Handle(connection, side, cargo) => self.arrive(connection, side, cargo),
            Event::Close(connection, side, reason) => {
                let place = self.receiver(connection, side);
                match place.and_then(|place| self.nodes[place].is_busy_until(self.now)) {
                    Some(at) => self.queue.put(at, Event::Closed(connection, side, reason)),
                    None => self.close(connection, side, reason),
                }
            }
            Event::Closed(connection, side, reason) => self.close(connection, side, reason),
        }
    }

    pub(super) fn is_current(&self, node: NodeRef) -> bool {
        self.nodes.get(node.place).is_some_and(|state| state.life == node.life && state.running.is_some())
    }

    /// Who is at one end of a connection.
    fn receiver(&self, id: ConnectionId, side: Side) -> Option<usize> {
        Some(self.network.get(id)?.end(side).node.place)
    }

    /// Lets something happen at the other end of a connection, or wait there if the network is cut between the two.
    pub(super) fn put_across(&mut self, at: crate::overlay::Instant, id: ConnectionId, to: Side, event: Event) {
        if let Some(event) = self.network.hold(id, to, event) {
            self.queue.put(at, event);
        }
    }

    fn tick(&mut self, node: NodeRef) {
        if !self.is_current(node) {
            return;
        }
        let now = self.now_at(node.place);
        let state = &mut self.nodes[node.place];
        let Some(running) = state.running.as_mut().filter(|running| running.wake == Some(now.instant)) else { return };
        running.wake = None;
        let core = running.core.get_mut();
        if core.next_timer().is_some_and(|at| at <= now.instant) {
            core.tick(now);
            state.ticks += 1;
            self.digest.note(self.now, node.place, "tick", &[]);
        }
        self.act(node.place);
    }

    /// The responder decides first.
    fn reach(&mut self, id: ConnectionId) {
        let Some(connection) = self.network.get(id) else { return };
        let (latency, dial) = (connection.latency, connection.dial);
        let (initiator, responder) = (connection.end(Side::Initiator).node, connection.end(Side::Responder).node);
        let back = self.now + latency;
        if !self.is_current(initiator) {
            self.close_end(id, Side::Responder);
            return;
        }
        if !self.is_current(responder) || self.network.is_cut(initiator.place, responder.place) {
            self.close_end(id, Side::Initiator);
            self.close_end(id, Side::Responder);
            self.queue.put(back, Event::DialFailed(initiator, dial, Reason::ConnectionLost));
            return;
        }
        let remote = SocketAddr::new(self.nodes[initiator.place].address.ip(), DIALLING_PORT);
        match self.open(id, Side::Responder, None, remote) {
            Ok(()) => self.queue.put(back, Event::Answer(id)),
            Err(goodbye) => {
                self.close_end(id, Side::Initiator);
                let reason = goodbye.map_or(Reason::ConnectionLost, Reason::from);
                self.queue.put(back, Event::DialFailed(initiator, dial, reason));
            }
        }
        // After the answer: whatever the new link is told comes behind the HELLO.
        self.act(responder.place);
    }

    fn answer(&mut self, id: ConnectionId) {
        let Some(connection) = self.network.get(id) else { return };
        let (latency, dial) = (connection.latency, connection.dial);
        let (initiator, responder) = (connection.end(Side::Initiator).node, connection.end(Side::Responder).node);
        if !self.is_current(initiator) {
            return;
        }
        if self.network.is_cut(initiator.place, responder.place) {
            // Neither hears any more of the other.
            self.close_end(id, Side::Initiator);
            let given_up = self.now + SET_UP_WITHIN;
            self.queue.put(given_up, Event::DialFailed(initiator, dial, Reason::HandshakeTimeout));
            self.queue.put(given_up, Event::Close(id, Side::Responder, Reason::HandshakeTimeout));
            return;
        }
        let remote = self.nodes[responder.place].address;
        if let Err(goodbye) = self.open(id, Side::Initiator, Some(dial), remote) {
            let at = self.now + latency;
            if let Some(code) = goodbye {
                let cargo = Cargo::Frame(Frame::Goodbye(Goodbye::new(code, "")));
                self.put_across(at, id, Side::Responder, Event::Arrive(id, Side::Responder, cargo));
            }
            let close = Event::Close(id, Side::Responder, Reason::ConnectionLost);
            self.put_across(at, id, Side::Responder, close);
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
        let Some(connection) = self.network.get(id) else { return Err(None) };
        let (own, peer) = (connection.end(side).node.place, connection.end(side.other()).node.place);
        let direction = if side == Side::Initiator { Direction::Outbound } else { Direction::Inbound };
        // The initiator's HELLO says so; its own core knows from the dial.
        let renew = connection.renew && side == Side::Responder;
        let (now, time) = (self.now_at(own), self.now_at(peer).wall);
        let (peer_id, listen) = (self.nodes[peer].id, vec![self.nodes[peer].address]);
        let Some(running) = self.nodes[own].running.as_mut() else { return Err(None) };
        let link = running.new_link();
        let (reconcile, tree, news) = (true, true, true);
        let papers = self.nodes[peer].papers.as_ref();
        let certificate = papers.map(|papers| papers.certificate.clone());
        let epoch = papers.map(|papers| papers.revocations.as_ref().map_or(0, |list| list.epoch()));
        let members = papers.is_some();
        let Some(running) = self.nodes[own].running.as_mut() else { return Err(None) };
        let opening = Opening {
            link,
            dial,
            peer: peer_id,
            direction,
            remote,
            listen,
            time,
            renew,
            reconcile,
            tree,
            news,
            members,
            certificate,
            epoch,
        };
        let outcome = running.core.get_mut().link_opened(now, opening);
        let what = if outcome.is_ok() { "open" } else { "refuse" };
        self.digest.note(self.now, own, what, peer_id.as_bytes());
        match outcome {
            Ok(()) => {
                running.links.insert(link, (id, side));
                if let Some(connection) = self.network.get_mut(id) {
                    connection.end_mut(side).stage = Stage::Open(link);
                }
                Ok(())
            }
            Err(refused) => {
                self.close_end(id, side);
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

    fn close(&mut self, id: ConnectionId, side: Side, reason: Reason) {
        let Some(end) = self.network.get(id).map(|connection| *connection.end(side)) else { return };
        if end.stage == Stage::Pending {
            // The handshake's own outcome is under way.
            return;
        }
        let link = self.close_end(id, side).filter(|_| self.is_current(end.node));
        let place = end.node.place;
        let now = self.now_at(place);
        if let (Some(link), Some(running)) = (link, self.nodes[place].running.as_mut()) {
            running.links.remove(&link);
            running.core.get_mut().link_closed(now, link, reason);
            self.digest.note(self.now, place, "closed", reason.label().as_bytes());
            self.act(place);
        }
    }
}
