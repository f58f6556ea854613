//! What nodes told of their links: who opened each, and its last round trip. Members announce whom they are linked with and no
//! more than that, so of others' links this is known where their events are.

use std::collections::{BTreeMap, VecDeque};

use super::network::Edge;
use crate::identity::NodeId;

/// So many links are followed: more than the largest `devnet` has.
const LINKS: usize = 16_384;

/// So many links between two nodes are told apart.
const AT_ONCE: usize = 4;

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
    Closed { by_itself: bool },
    /// A round trip took so many µs.
    RoundTrip(u64),
}

/// What two nodes told of the links between them. For a moment there may be two: both dialled at once, or one is renewed.
#[derive(Debug, Default)]
struct Known {
    /// Of the links that are open by the word of the first and of the second of them, which the teller had opened itself.
    open: [VecDeque<bool>; 2],
    /// Which of the two told last.
    last: usize,
    round_trip_us: Option<u64>,
}

impl Known {
    fn opened_by(&self, ends: (NodeId, NodeId)) -> Option<NodeId> {
        let ends = [ends.0, ends.1];
        [self.last, 1 - self.last].into_iter().find_map(|teller| {
            let by_itself = *self.open[teller].back()?;
            Some(ends[if by_itself { teller } else { 1 - teller }])
        })
    }
}

/// What is known of links, by their two ends.
#[derive(Debug, Default)]
pub(super) struct KnownLinks(BTreeMap<(NodeId, NodeId), Known>);

impl KnownLinks {
    pub(super) fn note(&mut self, news: LinkNews) {
        let LinkNews { node, peer, what } = news;
        let ends = (node.min(peer), node.max(peer));
        if self.0.len() >= LINKS && !self.0.contains_key(&ends) {
            return;
        }
        let known = self.0.entry(ends).or_default();
        known.last = usize::from(node != ends.0);
        let open = &mut known.open[known.last];
        match what {
            What::Opened { by_itself } => {
                open.push_back(by_itself);
                if open.len() > AT_ONCE {
                    open.pop_front();
                }
            }
            What::Closed { by_itself } => {
                if let Some(place) = open.iter().position(|opened| *opened == by_itself) {
                    open.remove(place);
                }
                if known.open.iter().all(VecDeque::is_empty) {
                    self.0.remove(&ends);
                }
            }
            What::RoundTrip(us) => known.round_trip_us = Some(us),
        }
    }

    /// Fills in what is known of these links and not said yet.
    pub(super) fn fill(&self, edges: &mut [Edge]) {
        for edge in edges {
            let Some(known) = self.0.get(&(edge.a, edge.b)) else { continue };
            edge.opened_by = edge.opened_by.or_else(|| known.opened_by((edge.a, edge.b)));
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
        links.note(LinkNews { node: id(1), peer: id(2), what: What::Closed { by_itself: false } });
        assert_eq!(told(&links, edge(1, 2)), (Some(id(2)), Some(70)), "one end alone may be late, or gone");
        links.note(LinkNews { node: id(2), peer: id(1), what: What::Closed { by_itself: true } });
        assert_eq!(told(&links, edge(1, 2)), (None, None));
    }

    #[test]
    fn of_two_links_between_two_nodes_the_one_that_stays_is_known() {
        let mut links = KnownLinks::default();
        let mut tell = |node, peer, what| links.note(LinkNews { node: id(node), peer: id(peer), what });
        // Both dial at once; the link that node 2 opened gives way.
        tell(1, 2, What::Opened { by_itself: true });
        tell(2, 1, What::Opened { by_itself: true });
        tell(1, 2, What::Opened { by_itself: false });
        tell(2, 1, What::Opened { by_itself: false });
        tell(1, 2, What::Closed { by_itself: false });
        tell(2, 1, What::Closed { by_itself: true });
        assert_eq!(told(&links, edge(1, 2)).0, Some(id(1)));
    }

    #[test]
    fn many_links_between_two_nodes_are_not_remembered() {
        let mut links = KnownLinks::default();
        let news = LinkNews { node: id(1), peer: id(2), what: What::Opened { by_itself: true } };
        (0..100).for_each(|_| links.note(news));
        assert_eq!(links.0.values().map(|known| known.open[0].len()).sum::<usize>(), AT_ONCE);
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
