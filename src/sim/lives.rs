//! How nodes start and end.

use std::collections::BTreeMap;

use rand::RngExt;

use crate::log::{self, MemoryLog};
use crate::overlay::{Core, Reason, Setup};

use super::Simulation;
use super::closed::Papers;
use super::events::{Event, Memory};
use super::network::{ConnectionId, Side};
use super::node::{Node, NodeRef, Running};

/// How many links a genesis node admits.
const GENESIS_LINKS: usize = 256;

impl Simulation {
    /// Starts a life.
    pub(super) fn start(&mut self, node: NodeRef, memory: Memory) {
        let now = self.now_at(node.place);
        let Some(state) = self.nodes.get_mut(node.place).filter(|state| state.life == node.life) else { return };
        if state.running.is_some() {
            return;
        }
        let (id, address) = (state.id, state.address);
        let kept = state.kept.take().filter(|_| memory == Memory::Kept);
        if memory == Memory::Lost {
            state.remembered.clear();
            if let Some(papers) = &mut state.papers {
                papers.revocations = None;
                papers.known.clear();
            }
        }
        state.has_said_who_it_is = false;
        let admission = state.papers.as_ref().map(Papers::admission).unwrap_or_default();
        let mut settings = self.settings.overlay.clone();
        if node.place < self.settings.genesis {
            settings.inbound_links = settings.inbound_links.max(GENESIS_LINKS);
        }
        let genesis = self.genesis_of(node.place);
        let setup = Setup {
            own: id,
            settings,
            genesis: genesis.iter().map(|place| Some(self.nodes[*place].id)).collect(),
            addresses: vec![address],
            features: Vec::new(),
            apps: BTreeMap::new(),
            admission,
            seed: self.rng.random(),
        };
        let log_name = Node::log_name(&mut self.rng);
        let mut core = Core::new(setup, now);
        if let Some(papers) = &self.nodes[node.place].papers {
            core.recall_certificates(now, &papers.known);
        }
        let mut running = match kept {
            Some(kept) => Running::resumed(core, now, kept),
            None => {
                self.nodes[node.place].log += 1;
                Running::new(core, MemoryLog::new(log_name, id, log::Settings::default()), now.wall)
            }
        };
        running.core.get_mut().recall_peers(now, &self.nodes[node.place].remembered);
        running.core.get_mut().start(now);
        let state = &mut self.nodes[node.place];
        (state.running, state.since) = (Some(running), self.now);
        self.digest.note(self.now, node.place, "start", id.as_bytes());
        self.act(node.place);
    }

    /// Ends a life. `told`: the other ends of its connections notice.
    pub(super) fn end(&mut self, place: usize, told: bool) {
        let Some(node) = self.nodes.get_mut(place) else { return };
        let Some(running) = node.running.take() else { return };
        node.kept = Some(running.end());
        node.life += 1;
        for id in std::mem::take(&mut node.connections) {
            let Some(connection) = self.network.get(id) else { continue };
            let is_initiator = connection.end(Side::Initiator).node.place == place;
            let side = if is_initiator { Side::Initiator } else { Side::Responder };
            let at = self.network.end_arrives(self.now, id, side.other());
            self.network.close(id, side);
            if told {
                self.put_across(at, id, side.other(), Event::Close(id, side.other(), Reason::ConnectionLost));
            }
        }
    }

    /// Closes one end of a connection. Gives the link that ended.
    pub(super) fn close_end(&mut self, id: ConnectionId, side: Side) -> Option<crate::overlay::LinkId> {
        let place = self.network.get(id)?.end(side).node.place;
        if let Some(node) = self.nodes.get_mut(place) {
            node.connections.remove(&id);
        }
        self.network.close(id, side)
    }
}
