//! `sealnet graph`: a picture of the network.

mod layout;
mod svg;

use std::fmt::Write;

use clap::{Args, ValueEnum};

use super::super::Failure;
use super::super::output::Out;
use super::Which;
use crate::control::{Graph, GraphNode};

/// Draw the network, as a running node knows it.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Draw {
    #[command(flatten)]
    which: Which,

    /// What kind of picture
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  sealnet graph --config config/peer.toml > network.svg
  sealnet graph --config config/peer.toml --format dot | neato -Tpng > n.png
  sealnet graph --config config/peer.toml --format mermaid
  sealnet graph --config config/peer.toml --format json | jq .edges

The genesis node is marked, unreachable members are pale; an arrow begins at
the node that opened the link, where that is known.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For Graphviz
    Dot,
    /// For a browser or a document
    Svg,
    /// The facts, for a program
    Json,
    /// For Markdown
    Mermaid,
}

impl Draw {
    pub(in crate::cli) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Draw { which, format } = self;
        which.ask(async |client| {
            let graph: Graph = client.get("/v1/network").await?;
            match format {
                Format::Json => out.json(&graph),
                Format::Dot => out.line(dot(&graph).trim_end()),
                Format::Mermaid => out.line(mermaid(&graph).trim_end()),
                Format::Svg => out.line(svg::draw(&graph).trim_end()),
            }
        })
    }
}

/// The short name of a node. Nothing in these pictures is of other people's making but hex digits.
fn name(node: &GraphNode) -> String {
    format!("{:#}", node.id)
}

fn is_present(node: &GraphNode) -> bool {
    node.state == "present"
}

fn dot(graph: &Graph) -> String {
    let mut text = String::from("digraph sealnet {\n    node [shape=ellipse, fontname=\"monospace\"];\n");
    for node in &graph.nodes {
        let mut traits = vec![format!("label=\"{}{}\"", name(node), if node.genesis { "\\ngenesis" } else { "" })];
        traits.extend(node.genesis.then(|| "shape=doublecircle".to_owned()));
        traits.extend(node.is_self.then(|| "penwidth=2".to_owned()));
        traits.extend((!is_present(node)).then(|| "style=dashed, color=gray, fontcolor=gray".to_owned()));
        let _ = writeln!(text, "    \"{}\" [{}];", node.id, traits.join(", "));
    }
    for edge in &graph.edges {
        let (from, to) = if edge.opened_by == Some(edge.b) { (edge.b, edge.a) } else { (edge.a, edge.b) };
        let mut traits = Vec::new();
        traits.extend(edge.opened_by.is_none().then(|| "dir=none".to_owned()));
        traits.extend(edge.round_trip_us.map(|micros| format!("label=\"{}\"", super::links::round_trip(micros))));
        let _ = writeln!(text, "    \"{from}\" -> \"{to}\" [{}];", traits.join(", "));
    }
    text + "}\n"
}

fn mermaid(graph: &Graph) -> String {
    let mut text = String::from("graph LR\n");
    for node in &graph.nodes {
        let name = name(node);
        let shape = match (node.genesis, is_present(node)) {
            (true, _) => format!("(({name} genesis))"),
            (false, true) => format!("({name})"),
            (false, false) => format!("[{name} {}]", node.state),
        };
        let _ = writeln!(text, "    n{}{shape}", node.id);
    }
    for edge in &graph.edges {
        let (from, to) = if edge.opened_by == Some(edge.b) { (edge.b, edge.a) } else { (edge.a, edge.b) };
        let line = if edge.opened_by.is_some() { "-->" } else { "---" };
        let _ = writeln!(text, "    n{from} {line} n{to}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Degrees, Edge};
    use crate::identity::NodeId;

    pub(super) fn three() -> Graph {
        let id = |n| NodeId::from_bytes([n; 32]);
        let node = |n: u8, state: &str| GraphNode {
            id: id(n),
            state: state.to_owned(),
            genesis: n == 1,
            is_self: n == 2,
            version: None,
        };
        let edge = |a, b, opened_by: Option<u8>| Edge {
            a: id(a),
            b: id(b),
            known_by: vec![id(a)],
            eager_ab: Some(true),
            eager_ba: Some(false),
            opened_by: opened_by.map(id),
            round_trip_us: opened_by.map(|_| 1500),
        };
        Graph {
            nodes: vec![node(1, "present"), node(2, "present"), node(3, "unreachable")],
            edges: vec![edge(1, 2, Some(2)), edge(1, 3, None)],
            parts: vec![vec![id(1), id(2)]],
            diameter: Some(1),
            degrees: Degrees::default(),
            missing: vec![id(3)],
            silent: Vec::new(),
            complete: true,
        }
    }

    #[test]
    fn every_node_and_link_is_in_the_picture_and_arrows_begin_where_links_were_opened() {
        let (one, two, three_) = ("01".repeat(32), "02".repeat(32), "03".repeat(32));
        let dot = dot(&three());
        assert!(dot.contains(&format!("\"{two}\" -> \"{one}\" [label=\"1.5ms\"];")), "{dot}");
        assert!(dot.contains(&format!("\"{one}\" -> \"{three_}\" [dir=none];")), "{dot}");
        assert!(dot.contains("label=\"01010101\\ngenesis\", shape=doublecircle"), "{dot}");
        let mermaid = mermaid(&three());
        assert!(mermaid.contains(&format!("n{two} --> n{one}")) && mermaid.contains(&format!("n{one} --- n{three_}")));
        assert!(mermaid.contains("[03030303 unreachable]"), "{mermaid}");
    }
}
