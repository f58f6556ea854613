//! PEERS: members for those who ask, and asking for members.

use std::net::SocketAddr;

use bytes::Bytes;
use rand::seq::IndexedRandom;

use crate::identity::NodeId;
use crate::wire::{Frame, PeersWanted, WhichPeers};

use super::output::LinkId;
use super::standing::Offence;
use super::{Core, Now, Reason};

impl Core {
    /// Members for a neighbour that asks, within its allowance: only such as this node shook hands with lately.
    pub(super) fn answer_peers(&mut self, now: Now, from: LinkId, wanted: PeersWanted) {
        let Some(link) = self.links.get_mut(&from) else { return };
        let asker = link.peer;
        if link.closing {
            return;
        }
        if !link.peers_answers.take(now.instant) {
            // An empty answer is an answer: the asker need not wait.
            self.send(from, Frame::Peers(Bytes::new()));
            return;
        }
        let vouched = |id: &NodeId| {
            let presence = self.members.presence(id).map(|(presence, _)| &presence.addresses);
            let announced = |address: &SocketAddr| presence.is_some_and(|addresses| addresses.contains(address));
            *id != asker && *id != self.own && self.addresses.proven(id, now.instant).any(|address| announced(&address))
        };
        let candidates: Vec<NodeId> = match wanted.which() {
            WhichPeers::YourNeighbours => self.links.values().map(|link| link.peer).filter(vouched).collect(),
            WhichPeers::RandomMembers => self.members.ids().filter(vouched).collect(),
        };
        let chosen: Vec<NodeId> = candidates.sample(&mut self.rng, wanted.count().into()).copied().collect();
        // Where certificates are needed, each presence comes behind the record that says whose it is.
        let is_certified = self.authority().is_some();
        let both = chosen.into_iter().flat_map(|id| {
            let record = if is_certified { self.records.bytes(&id) } else { None };
            record.into_iter().chain(self.members.presences([id]))
        });
        let envelopes: Vec<Bytes> = both.collect();
        // One answer to one question: sixteen presences of the largest size fit into one frame.
        let answer = Frame::peers(envelopes).unwrap_or_default().into_iter().next();
        self.send(from, answer.unwrap_or(Frame::Peers(Bytes::new())));
    }

    /// A PEERS frame was read completely, its envelopes were offered. One that answers no question breaks the grammar.
    pub fn peers_answered(&mut self, now: Now, from: LinkId) {
        self.heard(now, from);
        let Some(link) = self.links.get_mut(&from) else { return };
        if link.awaiting_peers == 0 {
            self.blame(now, from, Offence::BadFrame, Reason::BadFrame);
            return;
        }
        link.awaiting_peers -= 1;
        let visit_since = link.visit_until.map(|_| link.opened);
        self.joining_peers_answered(now, from);
        if let Some(since) = visit_since {
            self.link_with_strangers(now, since);
        }
        self.maintain(now);
    }

    /// Asks a neighbour for members.
    pub(super) fn ask_peers(&mut self, now: Now, of: LinkId, which: WhichPeers) {
        if let Some(link) = self.links.get_mut(&of) {
            (link.asked, link.awaiting_peers) = (Some(now.instant), link.awaiting_peers.saturating_add(1));
        }
        self.send(of, Frame::PeersWanted(PeersWanted::new(which, PeersWanted::MAX_COUNT)));
    }
}
