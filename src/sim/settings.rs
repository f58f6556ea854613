//! What a simulated network is made of.

use std::time::Duration;

use crate::overlay;

use super::Conditions;

/// What a simulation begins with. Equal settings give equal runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many nodes there are; they are called 0, 1, 2, …
    pub nodes: usize,
    /// How many of them, from 0 on, are genesis nodes: known to every node from the start, and open to 256 links.
    pub genesis: usize,
    /// How many of them, from the last on, are not there yet: they start with [`restart`](super::Simulation::restart).
    pub later: usize,
    /// What everything random comes from: identities, latencies, the cores' choices.
    pub seed: u64,
    /// How envelopes are made and judged. Signatures cost real time; beyond some hundreds of nodes choose `Open`.
    pub scheme: SchemeKind,
    /// Whether members need certificates. Each node has one, of an authority made of the seed, and publishes it before its
    /// first presence.
    pub closed: bool,
    /// Who can reach whom, if not everybody everybody: pairs of nodes, in either direction.
    pub wires: Option<Vec<(usize, usize)>>,
    /// What every node's overlay is set to.
    pub overlay: overlay::Settings,
    /// Nodes start at random moments within this time. Zero: all at once.
    pub start_spread: Duration,
    /// The shortest and the longest time a frame takes over a link; each link draws its own once.
    pub latency: (Duration, Duration),
    /// What is wrong with the network; by default nothing.
    pub conditions: Conditions,
}

/// Which of the two schemes the nodes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeKind {
    /// A plain network: no signatures.
    Open,
    /// A secure network's envelopes: each signed and verified.
    Signed,
}

impl Default for Settings {
    /// Ten nodes of preset `local` on one site, the first a genesis node, starting at once without signatures.
    fn default() -> Self {
        Settings {
            nodes: 10,
            genesis: 1,
            later: 0,
            seed: 0,
            scheme: SchemeKind::Open,
            closed: false,
            wires: None,
            overlay: overlay::Settings::local(),
            start_spread: Duration::ZERO,
            latency: (Duration::from_millis(1), Duration::from_millis(20)),
            conditions: Conditions::default(),
        }
    }
}
