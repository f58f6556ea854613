//! The graph that every system gets that can be told one: random, connected, of degree six.

/// Links of each node, where there are enough nodes.
pub(crate) const DEGREE: usize = 6;

/// Which nodes are linked, each pair once, the lower place first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Graph {
    nodes: usize,
    edges: Vec<(usize, usize)>,
}

impl Graph {
    /// A random connected graph; equal seeds give equal graphs. Up to seven nodes are linked each with each.
    pub(crate) fn new(nodes: usize, seed: u64) -> Graph {
        let degree = DEGREE.min(nodes.saturating_sub(1));
        let mut dice = Dice(seed);
        // A ring of every distance up to half the degree has the right degree; exchanging ends of pairs of links at random
        // keeps that, and makes of it a random graph.
        let mut edges: Vec<(usize, usize)> =
            (1..=degree / 2).flat_map(|step| (0..nodes).map(move |at| ordered(at, (at + step) % nodes))).collect();
        if degree < DEGREE {
            edges = (0..nodes).flat_map(|one| (one + 1..nodes).map(move |other| (one, other))).collect();
        }
        edges.sort_unstable();
        edges.dedup();
        let mut graph = Graph { nodes, edges };
        for _ in 0..graph.edges.len() * 10 {
            graph.exchange(&mut dice);
        }
        while !graph.is_connected() {
            graph.exchange(&mut dice);
        }
        graph
    }

    /// Makes of two links (a, b) and (c, d) the links (a, d) and (c, b), unless one of them is there or leads nowhere.
    fn exchange(&mut self, dice: &mut Dice) {
        let (one, other) = (dice.below(self.edges.len()), dice.below(self.edges.len()));
        let (Some(&(a, b)), Some(&(c, d))) = (self.edges.get(one), self.edges.get(other)) else { return };
        let (c, d) = if dice.below(2) == 0 { (c, d) } else { (d, c) };
        let (first, second) = (ordered(a, d), ordered(c, b));
        if a == d || c == b || self.edges.contains(&first) || self.edges.contains(&second) {
            return;
        }
        self.edges[one] = first;
        self.edges[other] = second;
    }

    fn is_connected(&self) -> bool {
        let mut reached = vec![false; self.nodes];
        let mut waiting = vec![0];
        while let Some(at) = waiting.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                waiting.extend(self.neighbours(at));
            }
        }
        reached.into_iter().all(|is_reached| is_reached)
    }

    /// Every link once.
    pub(crate) fn edges(&self) -> &[(usize, usize)] {
        &self.edges
    }

    /// Who is linked with a node.
    pub(crate) fn neighbours(&self, at: usize) -> impl Iterator<Item = usize> {
        self.edges.iter().filter_map(move |&(one, other)| match at {
            at if at == one => Some(other),
            at if at == other => Some(one),
            _ => None,
        })
    }

    /// How many links a node has.
    pub(crate) fn degree(&self, at: usize) -> usize {
        self.neighbours(at).count()
    }
}

fn ordered(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

/// SplitMix64: enough for graphs, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_six_links_or_as_many_as_there_are_others() {
        for nodes in [2, 3, 7, 8, 9, 16, 64] {
            let graph = Graph::new(nodes, 1);
            assert!((0..nodes).all(|at| graph.degree(at) == DEGREE.min(nodes - 1)), "{nodes}: {graph:?}");
            assert!(graph.is_connected());
            let mut edges = graph.edges.clone();
            edges.sort_unstable();
            edges.dedup();
            assert_eq!(edges.len(), graph.edges.len());
            assert!(edges.iter().all(|(one, other)| one < other));
        }
    }

    #[test]
    fn equal_seeds_give_equal_graphs_and_others_others() {
        assert_eq!(Graph::new(16, 1), Graph::new(16, 1));
        assert_ne!(Graph::new(16, 1), Graph::new(16, 2));
    }
}
