//! What is measured, and in which sizes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A workload, or one form of it; the same names as in `sealnet bench`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Case {
    /// W1: what one message at a time takes.
    Latency,
    /// W2 in a closed loop.
    FloodClosed,
    /// W2 as fast as it is taken.
    FloodOpen,
    /// W3: everybody publishes.
    Senders,
    /// W4: larger messages.
    Medium,
    /// W5: all start at once.
    Join,
    /// W7: as much as one link takes.
    LinkBulk,
    /// W7: small requests, several under way.
    LinkSmall,
    /// W7: links opened one after the other.
    LinkHandshake,
}

/// How large a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Messages, requests or handshakes at most.
    pub(crate) messages: usize,
    /// Bytes of each.
    pub(crate) bytes: usize,
    /// Messages not yet everywhere, at most.
    pub(crate) window: usize,
    /// Time from one message to the next, where that is given.
    pub(crate) pace: Option<Duration>,
    /// After so long nothing more is published: slow systems get fewer messages, not more time.
    pub(crate) cap: Duration,
}

/// Messages not yet everywhere, in a closed loop; requests under way on a link.
pub(crate) const WINDOW: usize = 64;

impl Case {
    /// All of them, in the order in which they are measured.
    pub(crate) const ALL: [Case; 9] = [
        Case::Latency,
        Case::FloodClosed,
        Case::FloodOpen,
        Case::Senders,
        Case::Medium,
        Case::Join,
        Case::LinkBulk,
        Case::LinkSmall,
        Case::LinkHandshake,
    ];

    /// The workload's name, by which it is asked for.
    pub(crate) fn workload(self) -> &'static str {
        match self {
            Case::Latency => "W1",
            Case::FloodClosed | Case::FloodOpen => "W2",
            Case::Senders => "W3",
            Case::Medium => "W4",
            Case::Join => "W5",
            Case::LinkBulk | Case::LinkSmall | Case::LinkHandshake => "W7",
        }
    }

    /// The workload's name and which form of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Case::FloodClosed => "W2 closed",
            Case::FloodOpen => "W2 open",
            Case::LinkBulk => "W7 bulk",
            Case::LinkSmall => "W7 small",
            Case::LinkHandshake => "W7 handshake",
            other => other.workload(),
        }
    }

    /// What it is, in words.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Case::Latency => "latency: one publisher, 20 messages of 1 KiB a second",
            Case::FloodClosed => "small flood: one publisher, 256 B, at most 64 not yet everywhere",
            Case::FloodOpen => "small flood: one publisher, 256 B, as fast as it is taken",
            Case::Senders => "many senders: all publish, 256 B, at most 64 in all not yet everywhere",
            Case::Medium => "medium: one publisher, 16 KiB, at most 64 not yet everywhere",
            Case::Join => "join: all start at once",
            Case::LinkBulk => "one link: pieces of 65,519 B one way, as fast as it goes",
            Case::LinkSmall => "one link: questions of 64 B and answers of 64 B, 64 under way",
            Case::LinkHandshake => "one link after the other: TCP, handshake, both ends proven, closed",
        }
    }

    /// Whether it is about one link, not about a network.
    pub(crate) fn is_link(self) -> bool {
        self.workload() == "W7"
    }

    /// The numbers of nodes, if nothing is said.
    pub(crate) fn nodes(self, quick: bool) -> &'static [usize] {
        match (self, quick) {
            (Case::LinkBulk | Case::LinkSmall | Case::LinkHandshake, _) => &[2],
            (_, true) => &[4],
            (Case::FloodClosed, false) => &[8, 16, 32],
            (Case::FloodOpen | Case::Senders | Case::Medium, false) => &[16],
            (Case::Latency | Case::Join, false) => &[32],
        }
    }

    /// How many messages, how large, how fast.
    pub(crate) fn size(self, quick: bool) -> Size {
        let (bytes, messages, few) = match self {
            Case::Latency => (1024, 200, 15),
            Case::FloodClosed | Case::Senders => (256, 5_000, 300),
            // Slow systems take what they cannot deliver soon, and none may be stopped half-way.
            Case::FloodOpen => (256, 1_000, 60),
            Case::Medium => (16 << 10, 2_000, 30),
            Case::Join => (0, 0, 0),
            Case::LinkBulk => (65_519, 16_384, 1_024),
            Case::LinkSmall => (64, 400_000, 20_000),
            Case::LinkHandshake => (0, 2_000, 100),
        };
        let messages = if quick { few } else { messages };
        Size {
            messages,
            bytes,
            window: if matches!(self, Case::Latency | Case::FloodOpen) { messages } else { WINDOW },
            pace: (self == Case::Latency).then_some(Duration::from_millis(50)),
            cap: match self {
                Case::Latency => Duration::from_secs(60),
                _ if quick => Duration::from_secs(1),
                _ => Duration::from_secs(3),
            },
        }
    }

    /// How many of `nodes` publish.
    pub(crate) fn senders(self, nodes: usize) -> usize {
        if self == Case::Senders { nodes } else { 1 }
    }
}

/// What somebody asks for: a workload with all its forms, or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted(pub(crate) Vec<Case>);

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = text.eq_ignore_ascii_case("all");
        let cases = Case::ALL.into_iter().filter(|case| all || case.workload().eq_ignore_ascii_case(text)).collect();
        match cases {
            Wanted(cases) if cases.is_empty() => Err("there are W1, W2, W3, W4, W5, W7, and `all`".to_owned()),
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
