//! One measurement of one case with one system, made in a process of its own.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::metric::Metric;
use crate::systems::Subject;

/// What a process is to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) subject: Subject,
    pub(crate) case: Case,
    pub(crate) nodes: usize,
    /// Small numbers: to see whether everything works.
    pub(crate) quick: bool,
    /// Which of several rounds; graph and identities are made of it.
    pub(crate) round: u64,
    /// The Python that has `p2pnetwork`.
    pub(crate) python: Option<PathBuf>,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) counts: Counts,
    /// By [`Metric::key`].
    pub(crate) values: BTreeMap<String, f64>,
}

/// Deliveries at the applications of nodes that did not publish the message themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Those there had to be.
    pub(crate) expected: u64,
    /// Those that did not come.
    pub(crate) missing: u64,
    /// Those that came again.
    pub(crate) double: u64,
    /// Contents that nobody published.
    pub(crate) altered: u64,
}

impl Counts {
    /// Whether everything came, once, as it was.
    pub(crate) fn is_exact(&self) -> bool {
        self.missing == 0 && self.double == 0 && self.altered == 0
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.expected += other.expected;
        self.missing += other.missing;
        self.double += other.double;
        self.altered += other.altered;
    }
}

impl Round {
    pub(crate) fn set(&mut self, metric: Metric, value: f64) {
        self.values.insert(metric.key.to_owned(), value);
    }
}
