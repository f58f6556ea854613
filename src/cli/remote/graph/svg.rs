//! The picture as SVG, readable on light and on dark ground.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::layout::place;
use super::{is_present, name};
use crate::control::Graph;

/// Width and height of the picture, and what is left free around it.
const SIZE: f64 = 900.0;
const MARGIN: f64 = 60.0;

/// So many nodes at most have their names beside them.
const NAMED: usize = 80;

const HEAD: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 900" font-family="monospace" font-size="12">
<style>
  :root { color-scheme: light dark; }
  svg { background: Canvas; color: CanvasText; }
  line { stroke: currentColor; stroke-opacity: .35; }
  circle { fill: #3b82c4; stroke: Canvas; stroke-width: 2; }
  .genesis { fill: #d9822b; }
  .self { stroke: currentColor; }
  .away { fill: none; stroke: currentColor; stroke-opacity: .5; stroke-dasharray: 3; }
  text { fill: currentColor; text-anchor: middle; }
</style>
"##;

pub(super) fn draw(graph: &Graph) -> String {
    let index: BTreeMap<_, _> = graph.nodes.iter().enumerate().map(|(n, node)| (node.id, n)).collect();
    let ends = graph.edges.iter().filter_map(|edge| Some((*index.get(&edge.a)?, *index.get(&edge.b)?)));
    let links: Vec<_> = ends.collect();
    let at = |(x, y): (f64, f64)| (MARGIN + x * (SIZE - 2.0 * MARGIN), MARGIN + y * (SIZE - 2.0 * MARGIN));
    let places: Vec<_> = place(graph.nodes.len(), &links).into_iter().map(at).collect();
    let mut text = HEAD.to_owned();
    let (nodes, edges) = (graph.nodes.len(), links.len());
    let _ = writeln!(text, "<title>{nodes} nodes, {edges} links, {} parts</title>", graph.parts.len());
    for (a, b) in &links {
        let ((x1, y1), (x2, y2)) = (places[*a], places[*b]);
        let _ = writeln!(text, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
    }
    let radius = if nodes <= NAMED { 9 } else { 5 };
    for (node, (x, y)) in graph.nodes.iter().zip(&places) {
        let mut classes = Vec::new();
        classes.extend(node.genesis.then_some("genesis"));
        classes.extend(node.is_self.then_some("self"));
        classes.extend((!is_present(node)).then_some("away"));
        let (class, id, state) = (classes.join(" "), node.id, &node.state);
        let _ = writeln!(
            text,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" class=\"{class}\"><title>{id} {state}</title></circle>"
        );
        if nodes <= NAMED {
            let _ = writeln!(text, "<text x=\"{x:.1}\" y=\"{:.1}\">{}</text>", y + 24.0, name(node));
        }
    }
    text + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_and_link_is_drawn_and_what_is_special_is_marked() {
        let svg = draw(&super::super::tests::three());
        assert_eq!((svg.matches("<circle").count(), svg.matches("<line").count()), (3, 2));
        assert!(svg.contains("class=\"genesis\"") && svg.contains("class=\"self\"") && svg.contains("class=\"away\""));
        assert!(svg.contains(">01010101</text>") && svg.contains("3 nodes, 2 links, 1 parts"));
    }
}
