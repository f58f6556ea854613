//! Neighbours to go back to: whom this node was linked with, and where, for the time after a restart.

use std::net::SocketAddr;

use crate::identity::NodeId;

use super::addresses::Trust;
use super::output::Output;
use super::{Core, Now};

/// Neighbours remembered; the latest first.
const CAPACITY: usize = 64;

/// A node this one was linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RememberedPeer {
    /// Who.
    pub id: NodeId,
    /// Where it could be reached.
    pub address: SocketAddr,
}

/// The neighbours that are to be found again after a restart.
#[derive(Debug, Default)]
pub(super) struct RememberedPeers {
    /// The latest first.
    peers: Vec<RememberedPeer>,
    is_changed: bool,
}

impl RememberedPeers {
    /// A link with a node was opened, at an address where it can be reached again.
    pub(super) fn linked(&mut self, id: NodeId, address: SocketAddr) {
        let peer = RememberedPeer { id, address };
        if self.peers.contains(&peer) {
            return;
        }
        self.peers.retain(|known| known.id != id);
        self.peers.insert(0, peer);
        self.peers.truncate(CAPACITY);
        self.is_changed = true;
    }

    /// Somebody else answers there.
    pub(super) fn disproved(&mut self, id: &NodeId, address: SocketAddr) {
        let before = self.peers.len();
        self.peers.retain(|known| !(known.id == *id && known.address == address));
        self.is_changed |= self.peers.len() != before;
    }

    /// Nobody is to go back to this node.
    pub(super) fn forget(&mut self, id: &NodeId) {
        let before = self.peers.len();
        self.peers.retain(|known| known.id != *id);
        self.is_changed |= self.peers.len() != before;
    }

    /// The list, if it changed since it was last asked for.
    fn take_changed(&mut self) -> Option<Vec<RememberedPeer>> {
        std::mem::take(&mut self.is_changed).then(|| self.peers.clone())
    }
}

impl Core {
    /// Goes back to neighbours of former runs: they are tried before any genesis node, and again whenever this node is
    /// alone. At most 64 count. Called before [`start`](Core::start).
    pub fn recall_peers(&mut self, now: Now, peers: &[RememberedPeer]) {
        for peer in peers.iter().filter(|peer| peer.id != self.own).take(CAPACITY) {
            self.addresses.learn(peer.id, peer.address, Trust::Vouched, now.instant);
            self.remembered.peers.push(*peer);
        }
    }

    /// Whether there are neighbours of former runs to go back to.
    pub(super) fn has_remembered(&self) -> bool {
        !self.remembered.peers.is_empty()
    }

    /// Has the host write down what changed.
    pub(super) fn remember_peers(&mut self) {
        if let Some(peers) = self.remembered.take_changed() {
            self.output(Output::Remember(peers));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn the_latest_neighbours_are_remembered_each_once() {
        let mut peers = RememberedPeers::default();
        for n in 0..=255 {
            peers.linked(id(n), at(n.into()));
        }
        assert_eq!(peers.take_changed().map(|peers| (peers.len(), peers[0].id)), Some((CAPACITY, id(255))));
        peers.linked(id(250), at(250));
        assert_eq!(peers.take_changed(), None, "nothing to write");
        peers.linked(id(250), at(9));
        assert_eq!(peers.take_changed().map(|peers| (peers.len(), peers[0].address)), Some((CAPACITY, at(9))));
        peers.disproved(&id(250), at(250));
        assert_eq!(peers.take_changed(), None);
        peers.disproved(&id(250), at(9));
        assert_eq!(peers.take_changed().map(|peers| peers.len()), Some(CAPACITY - 1));
    }
}
