//! One measurement of one case, made in a process of its own: what one leaves behind in memory is not another's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::case::Case;
use super::metric::Metric;

/// What a process is to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) case: Case,
    pub(super) nodes: usize,
    /// Small numbers: to see whether everything works.
    pub(super) quick: bool,
    /// Which of several rounds; random choices are made of it.
    pub(super) round: u64,
    /// Where files go.
    pub(super) folder: PathBuf,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Round {
    pub(super) counts: Counts,
    /// By [`Metric::key`].
    pub(super) values: BTreeMap<String, f64>,
}

/// Deliveries at applications: each node's, each message's, the publisher's own included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Those there had to be.
    pub(super) expected: u64,
    /// Those that did not come.
    pub(super) missing: u64,
    /// Those that came again.
    pub(super) double: u64,
    /// Contents that nobody published.
    pub(super) altered: u64,
}

impl Counts {
    /// Whether everything came, once, as it was.
    pub(super) fn is_exact(&self) -> bool {
        self.missing == 0 && self.double == 0 && self.altered == 0
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.expected += other.expected;
        self.missing += other.missing;
        self.double += other.double;
        self.altered += other.altered;
    }
}

impl Round {
    pub(super) fn set(&mut self, metric: Metric, value: f64) {
        self.values.insert(metric.key.to_owned(), value);
    }
}
