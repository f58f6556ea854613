//! What can be measured, and in which sizes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A workload, or one form of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Case {
    /// W1: what one message at a time takes.
    Latency,
    /// W1 with every node's log on disk.
    LatencyDisk,
    /// W2 in a closed loop.
    FloodClosed,
    /// W2 as fast as it is taken.
    FloodOpen,
    /// W2 in a closed loop, with an application at every node that judges each message before it is relayed.
    FloodJudged,
    /// W3: everybody publishes.
    Senders,
    /// W4: larger messages.
    Medium,
    /// W5: many join at once.
    Join,
    /// W6: the most recent are missing.
    RepairRecent,
    /// W6: some at random are missing.
    RepairScattered,
    /// W7: something large fetched from a neighbour, and many small questions.
    Requests,
    /// W8: the log on disk.
    Log,
    /// A part of W8: a start with a log that is there.
    LogStart,
    /// W9: more nodes than a machine can hold, simulated.
    Scale,
    /// W10: what one message at a time takes while others forge.
    Forged,
}

/// How large a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Messages in all.
    pub(super) messages: usize,
    /// Bytes of each.
    pub(super) bytes: usize,
}

impl Case {
    /// Everything that can be asked for, in the order in which it is measured.
    pub(super) const ALL: [Case; 14] = [
        Case::Latency,
        Case::LatencyDisk,
        Case::FloodClosed,
        Case::FloodOpen,
        Case::FloodJudged,
        Case::Senders,
        Case::Medium,
        Case::Join,
        Case::RepairRecent,
        Case::RepairScattered,
        Case::Requests,
        Case::Log,
        Case::Scale,
        Case::Forged,
    ];

    /// The workload's name, by which it is asked for.
    pub(super) fn workload(self) -> &'static str {
        match self {
            Case::Latency | Case::LatencyDisk => "W1",
            Case::FloodClosed | Case::FloodOpen | Case::FloodJudged => "W2",
            Case::Senders => "W3",
            Case::Medium => "W4",
            Case::Join => "W5",
            Case::RepairRecent | Case::RepairScattered => "W6",
            Case::Requests => "W7",
            Case::Log | Case::LogStart => "W8",
            Case::Scale => "W9",
            Case::Forged => "W10",
        }
    }

    /// The workload's name and which form of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Case::LatencyDisk => "W1 disk",
            Case::FloodClosed => "W2 closed",
            Case::FloodOpen => "W2 open",
            Case::FloodJudged => "W2 judged",
            Case::RepairRecent => "W6 recent",
            Case::RepairScattered => "W6 scattered",
            other => other.workload(),
        }
    }

    /// What it is, in words.
    pub(super) fn about(self) -> &'static str {
        match self {
            Case::Latency => "latency: one publisher, 20 messages of 1 KiB a second",
            Case::LatencyDisk => "the same with every node's log on disk",
            Case::FloodClosed => "small flood: one publisher, 256 B, at most 64 not yet everywhere",
            Case::FloodOpen => "small flood: one publisher, 256 B, as fast as it is taken",
            Case::FloodJudged => "the closed loop, judged by an application at every node",
            Case::Senders => "many senders: all publish, 256 B, at most 64 in all not yet everywhere",
            Case::Medium => "medium: one publisher, 16 KiB, at most 64 not yet everywhere",
            Case::Join => "join: all at once through one genesis node",
            Case::RepairRecent => "repair: a node comes back without the most recent tenth",
            Case::RepairScattered => "repair: a node comes back without a tenth, at random",
            Case::Requests => "requests: 10 MB fetched from a neighbour; small questions, 64 at a time",
            Case::Log | Case::LogStart => "log: messages of 256 B of 16 senders, on disk",
            Case::Forged => "forgers: W1 without and with 32 peers that send its sender bad signatures at full speed",
            Case::Scale => {
                "scale: simulated, one publisher, 2 % of all frames lost, 10 crashes; latencies in virtual time"
            }
        }
    }

    /// The numbers of nodes, if nothing is said.
    pub(super) fn nodes(self, quick: bool) -> &'static [usize] {
        match (self, quick) {
            (Case::Log | Case::LogStart, _) => &[1],
            (Case::Requests, _) => &[2],
            (Case::Scale, true) => &[50],
            (Case::Scale, false) => &[1_000, 10_000],
            (Case::RepairRecent | Case::RepairScattered, true) => &[3],
            (Case::RepairRecent | Case::RepairScattered, false) => &[4],
            (Case::Join, true) => &[2, 6],
            (_, true) => &[4],
            (Case::LatencyDisk, false) => &[8],
            (Case::Medium | Case::Forged, false) => &[16],
            (Case::Join, false) => &[2, 100],
            (_, false) => &[8, 16, 32, 64],
        }
    }

    /// Whether other numbers of nodes may be chosen.
    pub(super) fn has_choice(self) -> bool {
        !matches!(self, Case::Requests | Case::Log | Case::LogStart | Case::Scale)
    }

    /// How often it is measured, if that is to be `rounds` times. What is simulated takes long, and another round shows
    /// another network, not another measurement.
    pub(super) fn rounds(self, rounds: u64) -> u64 {
        if self == Case::Scale { 1 } else { rounds }
    }

    /// How many messages, and how large.
    pub(super) fn size(self, quick: bool) -> Size {
        let (bytes, messages, few) = match self {
            Case::Latency | Case::LatencyDisk | Case::Forged => (1024, 200, 20),
            Case::FloodClosed | Case::FloodOpen | Case::FloodJudged | Case::Senders => (256, 5_000, 200),
            Case::Medium => (16 << 10, 2_000, 50),
            Case::Join => (0, 0, 0),
            Case::RepairRecent | Case::RepairScattered => (1024, 100_000, 2_000),
            Case::Requests => (10_000_000, 100_000, 1_000),
            Case::Log | Case::LogStart => (256, 1_000_000, 5_000),
            Case::Scale => (256, 100, 20),
        };
        Size { messages: if quick { few } else { messages }, bytes }
    }
}

/// What somebody asks for: a workload with all its forms, or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted(pub(super) Vec<Case>);

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = text.eq_ignore_ascii_case("all");
        let cases = Case::ALL.into_iter().filter(|case| all || case.workload().eq_ignore_ascii_case(text)).collect();
        match cases {
            Wanted(cases) if cases.is_empty() => {
                let mut names: Vec<_> = Case::ALL.map(Case::workload).into();
                names.dedup();
                Err(format!("there are the workloads {}, and `all`", names.join(", ")))
            }
            wanted => Ok(wanted),
        }
    }
}

impl FromIterator<Case> for Wanted {
    fn from_iter<T: IntoIterator<Item = Case>>(cases: T) -> Self {
        Wanted(cases.into_iter().collect())
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_asked_for_with_all_its_forms() {
        let wanted = |text: &str| text.parse().map(|Wanted(cases)| cases);
        assert_eq!(wanted("W2"), Ok(vec![Case::FloodClosed, Case::FloodOpen, Case::FloodJudged]));
        assert_eq!(wanted("w3"), Ok(vec![Case::Senders]));
        assert_eq!(wanted("all"), Ok(Case::ALL.to_vec()));
        assert!(wanted("W11").unwrap_err().contains("W1, W2, W3"));
    }
}
