//! What can happen to a network.

use std::time::Duration;

use crate::sim::Simulation;

/// Something that happens at a moment, counted from the first measured message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Disturbance {
    pub(super) after: Duration,
    pub(super) deed: Deed,
}

/// What happens, and to which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Its process is killed.
    Kill(usize),
    /// It loses its power.
    Vanish(usize),
    /// It leaves.
    Leave(usize),
    /// It starts again with its log.
    Restart(usize),
    /// It starts with nothing but its key.
    RestartEmpty(usize),
    /// The network is cut in two.
    Cut,
    /// The network is whole again.
    Heal,
}

impl Deed {
    pub(super) fn befall(self, sim: &mut Simulation) {
        match self {
            Deed::Kill(node) => sim.kill(node),
            Deed::Vanish(node) => sim.vanish(node),
            Deed::Leave(node) => sim.stop(node),
            Deed::Restart(node) => sim.restart_with_log(node),
            Deed::RestartEmpty(node) => sim.restart(node),
            Deed::Cut => sim.cut(|node| node % 2),
            Deed::Heal => sim.heal(),
        }
    }
}
