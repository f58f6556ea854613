//! What nodes told of their links: who opened each, and its last round trip. Members announce whom they are linked with and no
//! more than that, so of others' links this is known where their events are.

use std::collections::BTreeMap;

use super::network::Edge;
use crate::identity::NodeId;

/// So many links are followed: more than the largest `devnet` has.
const LINKS: usize = 16_384;

/// Something that a node told of a link of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkNews {
    pub(super) node: NodeId,
    pub(super) peer: NodeId,
    pub(super) what: What,
}

/// What it told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It is open, and the node itself opened it or not.
    Opened { by_itself: bool },
    /// It is over.
    Closed,
    /// A round trip took so many µs.
    RoundTrip(u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    opened_by: Option<NodeId>,
    round_trip_us: Option<u64>,
}

/// What is known of links, by their two ends.
#[derive(Debug, Default)]
pub(super) struct KnownLinks(BTreeMap<(NodeId, NodeId), Known>);

impl KnownLinks {
    pub(super) fn note(&mut self, news: LinkNews) {
        let LinkNews { node, peer, what } = news;
        let ends = (node.min(peer), node.max(peer));
        if what == What::Closed {
            self.0.remove(&ends);
            return;
        }
        if self.0.len() >= LINKS && !self.0.contains_key(&ends) {
            return;
        }
        let known = self.0.entry(ends).or_default();
        match what {
            What::Opened { by_itself } => known.opened_by = Some(if by_itself { node } else { peer }),
            What::RoundTrip(us) => known.round_trip_us = Some(us),
            What::Closed => {}
        }
    }

    /// Fills in what is known of these links and not said yet.
    pub(super) fn fill(&self, edges: &mut [Edge]) {
        for edge in edges {
            let Some(known) = self.0.get(&(edge.a, edge.b)) else { continue };
            edge.opened_by = edge.opened_by.or(known.opened_by);
            edge.round_trip_us = edge.round_trip_us.or(known.round_trip_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn edge(a: u8, b: u8) -> Edge {
        let known_by = Vec::new();
        Edge { a: id(a), b: id(b), known_by, eager_ab: None, eager_ba: None, opened_by: None, round_trip_us: None }
    }

    fn told(links: &KnownLinks, edge: Edge) -> (Option<NodeId>, Option<u64>) {
        let mut edges = [edge];
        links.fill(&mut edges);
        (edges[0].opened_by, edges[0].round_trip_us)
    }

    #[test]
    fn both_ends_tell_of_one_link_and_its_end_is_the_end_of_it() {
        let mut links = KnownLinks::default();
        links.note(LinkNews { node: id(2), peer: id(1), what: What::Opened { by_itself: true } });
        links.note(LinkNews { node: id(1), peer: id(2), what: What::Opened { by_itself: false } });
        links.note(LinkNews { node: id(1), peer: id(2), what: What::RoundTrip(70) });
        assert_eq!(told(&links, edge(1, 2)), (Some(id(2)), Some(70)));
        assert_eq!(
            told(&links, Edge { round_trip_us: Some(9), ..edge(1, 2) }),
            (Some(id(2)), Some(9)),
            "own figures stand"
        );
        assert_eq!(told(&links, edge(1, 3)), (None, None));
        links.note(LinkNews { node: id(1), peer: id(2), what: What::Closed });
        assert_eq!(told(&links, edge(1, 2)), (None, None));
    }

    #[test]
    fn more_links_than_there_can_be_are_not_followed() {
        let mut links = KnownLinks::default();
        for n in 0..LINKS as u64 + 9 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            links.note(LinkNews { node: NodeId::from_bytes(bytes), peer: id(255), what: What::RoundTrip(1) });
        }
        assert_eq!(links.0.len(), LINKS);
    }
}
