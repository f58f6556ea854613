//! A whole study: a network joins, talks, suffers, recovers, and is accounted for.

mod disturbance;
mod plan;
mod report;
mod run;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::envelope::Lifetime;
use crate::overlay;

use super::{Conditions, SchemeKind};

pub use report::Report;
pub use run::{Phase, Progress};

/// Up to this many nodes a scenario signs and verifies; beyond that it would take too long.
const SIGNED_UP_TO: usize = 300;

/// What happens to a simulated network. Equal scenarios give equal reports.
///
/// ```
/// use sealnet::sim::{Scenario, Share};
///
/// let mut scenario = Scenario { nodes: 12, messages: 5, crashes: 2, ..Scenario::default() };
/// scenario.conditions.regions = 2;
/// let report = scenario.run(&mut |_| {});
/// assert_eq!((report.living, report.account.unexplained, report.account.duplicates), (10, 0, 0));
/// assert_eq!(report.digest, scenario.run(&mut |_| {}).digest);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// How many nodes there are from the start; the first is the genesis node, which nothing happens to.
    pub nodes: usize,
    /// What everything random comes from.
    pub seed: u64,
    /// What every node's overlay is set to.
    pub overlay: overlay::Settings,
    /// Whether messages are signed. By default up to 300 nodes.
    pub scheme: Option<SchemeKind>,
    /// What is wrong with the network.
    pub conditions: Conditions,
    /// Nodes start at random moments within this time.
    pub start_spread: Duration,
    /// Who publishes.
    pub senders: Senders,
    /// How many messages are published after the warm-up, by the senders in turn.
    pub messages: usize,
    /// Bytes of each.
    pub size: usize,
    /// How many are published in a second.
    pub rate: NonZeroU32,
    /// How long each is kept.
    pub lifetime: Lifetime,
    /// For how long messages are published before those that are measured: the paths of broadcasts are learned from them.
    pub warm_up: Duration,
    /// Nodes that crash while messages are published, and stay down. Of half of them the connections are reset, the others
    /// fall silent; so with all that crash.
    pub crashes: usize,
    /// Nodes that crash and come back after ten seconds with their log.
    pub restarts: usize,
    /// Nodes that crash and come back after ten seconds with nothing but their key.
    pub lost_logs: usize,
    /// Nodes that crash again and again for some seconds, and come back with their log.
    pub flapping: usize,
    /// Nodes that leave while messages are published. As many others, that were never there before, arrive.
    pub churn: usize,
    /// Whether the network is cut in two for a while.
    pub partition: Option<Partition>,
    /// How long it may take after that until everybody has everything.
    pub settle: Duration,
}

/// A cut of the network into two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// How long after the first measured message it begins.
    pub after: Duration,
    /// How long it lasts.
    pub lasts: Duration,
}

/// Who publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Senders {
    /// All nodes.
    All,
    /// So many, chosen at random.
    Some(usize),
}

impl Default for Scenario {
    /// A hundred nodes anywhere, one of which says a hundred things; nothing goes wrong.
    fn default() -> Self {
        Scenario {
            nodes: 100,
            seed: 0,
            overlay: overlay::Settings::wan(),
            scheme: None,
            conditions: Conditions { regions: 6, ..Conditions::default() },
            start_spread: Duration::from_secs(1),
            senders: Senders::Some(1),
            messages: 100,
            size: 256,
            rate: NonZeroU32::MIN.saturating_add(9),
            lifetime: Lifetime::hours(1),
            warm_up: Duration::from_secs(10),
            crashes: 0,
            restarts: 0,
            lost_logs: 0,
            flapping: 0,
            churn: 0,
            partition: None,
            settle: Duration::from_secs(600),
        }
    }
}

impl Scenario {
    /// Which scheme is used.
    pub fn scheme(&self) -> SchemeKind {
        let signed = if self.nodes <= SIGNED_UP_TO { SchemeKind::Signed } else { SchemeKind::Open };
        self.scheme.unwrap_or(signed)
    }
}
