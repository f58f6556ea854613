//! The network as one node sees it, as a graph: `/v1/network`.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::Bfs;
use serde::{Deserialize, Serialize};

use super::facts::{Link, links_of};
use super::refusal::Refusal;
use super::routes::Asked;
use crate::identity::NodeId;
use crate::overlay::{LinkName, Member, MemberState};

/// In larger networks the longest way is not looked for.
const MEASURED: usize = 1000;

/// `GET /v1/network`: members and their links, as the node that was asked knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The members.
    pub nodes: Vec<GraphNode>,
    /// Their links.
    pub edges: Vec<Edge>,
    /// The parts of the network between which no link is known, the largest first; members that are unreachable belong to
    /// none.
    pub parts: Vec<Vec<NodeId>>,
    /// The most steps it takes from one member of the asked node's part to another; `None` where there are more than 1,000.
    pub diameter: Option<usize>,
    /// How many links members have.
    pub degrees: Degrees,
    /// Members that are unreachable, or in another part than the asked node.
    pub missing: Vec<NodeId>,
    /// Present members that do not tell their links: they count to the asked node's part.
    pub silent: Vec<NodeId>,
    /// Whether everything is known: not where members are a sample of a large network, and not where some are silent.
    pub complete: bool,
}

/// A member in the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphNode {
    /// Its name.
    pub id: NodeId,
    /// `present`, `unreachable` or `gone`.
    pub state: String,
    /// Whether the asked node begins at it.
    pub genesis: bool,
    /// Whether it is the asked node.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// What program it runs, where that is known: of the asked node and its neighbours.
    pub version: Option<String>,
}

/// A link in the graph; `a` is less than `b`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// One end.
    pub a: NodeId,
    /// The other end.
    pub b: NodeId,
    /// Which of the two say so.
    pub known_by: Vec<NodeId>,
    /// Whether `a` sends `b` contents unasked; known of the asked node's own links.
    pub eager_ab: Option<bool>,
    /// Whether `b` sends `a` contents unasked.
    pub eager_ba: Option<bool>,
    /// Who opened it.
    pub opened_by: Option<NodeId>,
    /// The last measured round trip.
    pub round_trip_us: Option<u64>,
}

/// How many links the members have that are present and tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degrees {
    /// The fewest.
    pub min: usize,
    /// Half have at most so many.
    pub median: usize,
    /// The most.
    pub max: usize,
}

pub(super) async fn network(asked: Asked) -> Result<Json<Graph>, Refusal> {
    let node = asked.node()?;
    let own = Own { id: node.id(), agent: node.agent().to_owned(), links: links_of(&node) };
    let (members, capacity) = (node.members(), asked.config().overlay().member_capacity);
    let is_genesis = {
        let node = node.clone();
        move |id: &NodeId| node.is_genesis(id)
    };
    // Hundreds of nodes take a moment.
    let graph = tokio::task::spawn_blocking(move || of(&own, &members, capacity, is_genesis));
    let mut graph = graph.await.map_err(|_| Refusal::stopped())?;
    asked.board().fill(&mut graph.edges);
    Ok(Json(graph))
}

/// The asked node.
struct Own {
    id: NodeId,
    agent: String,
    links: Vec<Link>,
}

fn of(own: &Own, members: &[Member], capacity: usize, is_genesis: impl Fn(&NodeId) -> bool) -> Graph {
    let by_name: BTreeMap<LinkName, NodeId> = members.iter().map(|member| ((&member.id).into(), member.id)).collect();
    let mut edges: BTreeMap<(NodeId, NodeId), Edge> = BTreeMap::new();
    for member in members {
        for other in member.presence.links.iter().flatten().filter_map(|name| by_name.get(name)) {
            if *other != member.id && member.id != own.id {
                edge(&mut edges, member.id, *other);
            }
        }
    }
    // Of its own links a node knows what is, not what it announced.
    edges.retain(|(a, b), edge| {
        edge.known_by.retain(|id| *id != own.id);
        let other = if *a == own.id { Some(b) } else { (*b == own.id).then_some(a) };
        other.is_none_or(|other| own.links.iter().any(|link| link.peer == *other))
    });
    for link in &own.links {
        let is_first = own.id < link.peer;
        let edge = edge(&mut edges, own.id, link.peer);
        let (sends, receives) = (Some(link.sends_eager), Some(link.receives_eager));
        (edge.eager_ab, edge.eager_ba) = if is_first { (sends, receives) } else { (receives, sends) };
        edge.opened_by = Some(if link.direction == "out" { own.id } else { link.peer });
        edge.round_trip_us = link.round_trip_us;
    }
    let mut nodes: Vec<GraphNode> = members
        .iter()
        .map(|member| GraphNode {
            id: member.id,
            state: member.state.label().to_owned(),
            genesis: is_genesis(&member.id),
            is_self: member.id == own.id,
            version: version(own, &member.id),
        })
        .collect();
    // A neighbour may not have announced itself yet.
    let strangers = own.links.iter().filter(|link| !members.iter().any(|member| member.id == link.peer));
    nodes.extend(strangers.map(|link| GraphNode {
        id: link.peer,
        state: MemberState::Present.label().to_owned(),
        genesis: is_genesis(&link.peer),
        is_self: false,
        version: Some(link.agent.clone()),
    }));
    let silent: Vec<NodeId> = members
        .iter()
        .filter(|member| member.id != own.id && member.state == MemberState::Present && member.presence.links.is_none())
        .map(|member| member.id)
        .collect();
    let edges: Vec<Edge> = edges.into_values().collect();
    let shape = Shape::of(own.id, &nodes, &edges, &silent);
    Graph {
        complete: silent.is_empty() && members.len() < capacity,
        parts: shape.parts,
        diameter: shape.diameter,
        degrees: shape.degrees,
        missing: shape.missing,
        silent,
        nodes,
        edges,
    }
}

fn version(own: &Own, id: &NodeId) -> Option<String> {
    if *id == own.id {
        return Some(own.agent.clone());
    }
    own.links.iter().find(|link| link.peer == *id).map(|link| link.agent.clone())
}

/// The link between two nodes, which `by` says there is.
fn edge(edges: &mut BTreeMap<(NodeId, NodeId), Edge>, by: NodeId, other: NodeId) -> &mut Edge {
    let (a, b) = (by.min(other), by.max(other));
    let edge = edges.entry((a, b)).or_insert_with(|| Edge {
        a,
        b,
        known_by: Vec::new(),
        eager_ab: None,
        eager_ba: None,
        opened_by: None,
        round_trip_us: None,
    });
    if !edge.known_by.contains(&by) {
        edge.known_by.push(by);
    }
    edge
}

/// How it hangs together.
struct Shape {
    parts: Vec<Vec<NodeId>>,
    diameter: Option<usize>,
    degrees: Degrees,
    missing: Vec<NodeId>,
}

impl Shape {
    fn of(own: NodeId, nodes: &[GraphNode], edges: &[Edge], silent: &[NodeId]) -> Self {
        let present = |node: &&GraphNode| node.state == MemberState::Present.label() || node.is_self;
        let mut graph: UnGraph<NodeId, bool> = UnGraph::new_undirected();
        let places: BTreeMap<NodeId, NodeIndex> =
            nodes.iter().filter(present).map(|node| (node.id, graph.add_node(node.id))).collect();
        for edge in edges {
            if let (Some(a), Some(b)) = (places.get(&edge.a), places.get(&edge.b)) {
                graph.add_edge(*a, *b, true);
            }
        }
        let tells = |id: &NodeId| !silent.contains(id);
        let mut degrees: Vec<usize> =
            places.iter().filter(|(id, _)| tells(id)).map(|(_, place)| graph.edges(*place).count()).collect();
        degrees.sort_unstable();
        let degrees = Degrees {
            min: degrees.first().copied().unwrap_or(0),
            median: degrees.get(degrees.len().saturating_sub(1) / 2).copied().unwrap_or(0),
            max: degrees.last().copied().unwrap_or(0),
        };
        let diameter = (graph.node_count() <= MEASURED)
            .then(|| places.get(&own).map(|place| longest_way(&graph, *place)))
            .flatten();
        // What a present member says has come here, so there is a way, whether it is told or not.
        if let Some(here) = places.get(&own) {
            for place in silent.iter().filter_map(|id| places.get(id)) {
                graph.add_edge(*here, *place, false);
            }
        }
        let mut parts = parts(&graph);
        let is_own = |part: &Vec<NodeId>| part.contains(&own);
        parts.sort_by_key(|part| (std::cmp::Reverse(part.len()), !is_own(part)));
        let here: BTreeSet<NodeId> = parts.iter().find(|part| is_own(part)).into_iter().flatten().copied().collect();
        let missing = nodes.iter().map(|node| node.id).filter(|id| !here.contains(id)).collect();
        Shape { parts, diameter, degrees, missing }
    }
}

/// The steps from `from` to each node, in the order of their numbers; `None` for those that cannot be reached.
fn steps(graph: &UnGraph<NodeId, bool>, from: NodeIndex) -> Vec<Option<usize>> {
    let mut steps = vec![None; graph.node_count()];
    let mut set = |node: NodeIndex, count: usize| {
        if let Some(known @ None) = steps.get_mut(node.index()) {
            *known = Some(count);
        }
        steps.get(node.index()).copied().flatten().unwrap_or(count)
    };
    set(from, 0);
    let mut search = Bfs::new(graph, from);
    while let Some(at) = search.next(graph) {
        let here = set(at, 0);
        for next in graph.neighbors(at) {
            set(next, here + 1);
        }
    }
    steps
}

/// The most steps between two nodes of the part that `within` is in.
fn longest_way(graph: &UnGraph<NodeId, bool>, within: NodeIndex) -> usize {
    let part = steps(graph, within);
    let here = graph.node_indices().filter(|node| part.get(node.index()).is_some_and(Option::is_some));
    here.filter_map(|from| steps(graph, from).into_iter().flatten().max()).max().unwrap_or(0)
}

fn parts(graph: &UnGraph<NodeId, bool>) -> Vec<Vec<NodeId>> {
    let (mut parts, mut seen) = (Vec::new(), BTreeSet::new());
    for node in graph.node_indices() {
        if !seen.contains(&node) {
            let reached = steps(graph, node);
            let part = graph.node_indices().filter(|node| reached.get(node.index()).is_some_and(Option::is_some));
            let part: Vec<NodeIndex> = part.collect();
            seen.extend(part.iter().copied());
            parts.push(part.iter().filter_map(|node| graph.node_weight(*node)).copied().collect());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Timestamp;
    use crate::overlay::Presence;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn member(n: u8, state: MemberState, links: Option<&[u8]>) -> Member {
        let links = links.map(|links| links.iter().map(|n| (&id(*n)).into()).collect());
        let presence = Presence { links, ..Presence::default() };
        Member { id: id(n), state, announced: Timestamp::default(), presence }
    }

    fn link(peer: u8) -> Link {
        Link {
            peer: id(peer),
            agent: "sealnet/9".into(),
            direction: "out".into(),
            remote: "127.0.0.1:1".parse().unwrap(),
            round_trip_us: Some(7),
            sends_eager: true,
            receives_eager: false,
            news: 0,
            sent_bytes: 0,
            received_bytes: 0,
            queued_bytes: 0,
            open_seconds: 0,
        }
    }

    fn graph(links: &[u8], members: &[Member], capacity: usize) -> Graph {
        let own = Own { id: id(1), agent: "sealnet/8".into(), links: links.iter().map(|n| link(*n)).collect() };
        of(&own, members, capacity, |node| *node == id(2))
    }

    #[test]
    fn a_line_is_one_part_as_long_as_it_is_and_own_links_are_known_best() {
        let present = MemberState::Present;
        let members = [
            member(1, present, Some(&[2, 4])), // a link that is no more, and was announced
            member(2, present, Some(&[1, 3])),
            member(3, present, Some(&[2, 4])),
            member(4, present, Some(&[3])),
        ];
        let graph = graph(&[2], &members, 100);
        assert_eq!((graph.edges.len(), graph.parts.len(), graph.diameter), (3, 1, Some(3)));
        assert_eq!((graph.degrees.min, graph.degrees.median, graph.degrees.max), (1, 1, 2));
        let own = &graph.edges[0];
        assert_eq!((own.a, own.b, own.eager_ab, own.eager_ba), (id(1), id(2), Some(true), Some(false)));
        assert_eq!((own.opened_by, own.round_trip_us, own.known_by.len()), (Some(id(1)), Some(7), 2));
        let versions: Vec<_> = graph.nodes.iter().map(|node| node.version.as_deref()).collect();
        assert_eq!(versions, [Some("sealnet/8"), Some("sealnet/9"), None, None]);
        assert!(graph.complete && graph.missing.is_empty() && graph.nodes[1].genesis && graph.nodes[0].is_self);
    }

    #[test]
    fn a_split_network_has_parts_and_who_is_away_is_missing() {
        let present = MemberState::Present;
        let members = [
            member(1, present, Some(&[2])),
            member(2, present, Some(&[1])),
            member(3, present, Some(&[4])),
            member(4, present, Some(&[3])),
            member(5, MemberState::Unreachable, Some(&[1])),
        ];
        let graph = graph(&[2], &members, 100);
        assert_eq!(graph.parts, [vec![id(1), id(2)], vec![id(3), id(4)]]);
        assert_eq!(graph.missing, [id(3), id(4), id(5)]);
        assert_eq!(graph.diameter, Some(1));
    }

    #[test]
    fn who_does_not_tell_its_links_is_not_taken_for_lost() {
        let members = [member(1, MemberState::Present, None), member(2, MemberState::Present, None)];
        let graph = graph(&[], &members, 100);
        assert_eq!((graph.parts.len(), graph.silent, graph.missing.len()), (1, vec![id(2)], 0));
        assert!(!graph.complete, "there are links that nobody tells of");
        assert!(!self::graph(&[], &members[..1], 1).complete, "there is no room for more members");
        assert!(self::graph(&[], &members[..1], 2).complete);
    }
}
