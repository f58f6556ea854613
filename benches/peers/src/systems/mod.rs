//! The systems that are compared, each behind the same trait; how each is set stands at the head of its file.

pub(crate) mod gossipsub;
pub(crate) mod iroh_gossip;
pub(crate) mod p2pnetwork;
pub(crate) mod sealnet;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::failure::Outcome;
use crate::graph::Graph;
use crate::tally::Board;

/// What is measured: a system of nodes, or a kind of link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// This repository.
    Sealnet,
    /// rust-libp2p's gossipsub: signed, strict.
    Gossipsub,
    /// iroh-gossip with a signature made and verified above it.
    IrohGossipSigned,
    /// iroh-gossip as it is.
    IrohGossip,
    /// The predecessors' library, in Python, without any cryptography.
    P2pnetwork,
    /// Noise by snow, in a loop of our own, with the algorithms in Rust that it brings.
    Snow,
    /// The same with ring's algorithms.
    SnowRing,
    /// TLS 1.3 by rustls, with the cipher it prefers (AES-256-GCM).
    Rustls,
    /// The same with ChaCha20-Poly1305.
    RustlsChacha,
}

impl Subject {
    /// All of them, in the order in which they are measured and shown.
    pub(crate) const ALL: [Subject; 9] = [
        Subject::Sealnet,
        Subject::Gossipsub,
        Subject::IrohGossipSigned,
        Subject::IrohGossip,
        Subject::P2pnetwork,
        Subject::Snow,
        Subject::SnowRing,
        Subject::RustlsChacha,
        Subject::Rustls,
    ];

    /// Its name above columns and in the JSON object.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Subject::Sealnet => "sealnet",
            Subject::Gossipsub => "gossipsub",
            Subject::IrohGossipSigned => "iroh-gossip-signed",
            Subject::IrohGossip => "iroh-gossip",
            Subject::P2pnetwork => "p2pnetwork",
            Subject::Snow => "snow",
            Subject::SnowRing => "snow-ring",
            Subject::Rustls => "rustls",
            Subject::RustlsChacha => "rustls-chacha",
        }
    }

    /// What it is and what was set for it.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Subject::Sealnet => {
                "preset `local`, verified before relay; opens no links of its own (`target_links = 1`), so that the graph \
                 stays the given one (W5: `target_links = 6`, its own graph); as a link: XX with proof of identity and HELLO"
            }
            Subject::Gossipsub => {
                "libp2p 0.57, TCP + Noise + yamux, signed, `Strict`, mesh defaults (6 of 5 to 12), on the given graph; queues \
                 of 400,000, queue time-outs and idle time-out of 10 minutes, so that nothing is dropped for slowness"
            }
            Subject::IrohGossipSigned => {
                "the same, with an Ed25519 signature made above it and verified strictly, keys decoded once; it relays \
                 before anybody could verify"
            }
            Subject::IrohGossip => {
                "iroh 1.4, QUIC, no relay, no discovery; makes its own graph, `active_view_capacity` 6 in place of 5; \
                 messages of up to 64 KiB, subscriptions of a million events; messages are not signed"
            }
            Subject::P2pnetwork => {
                "PyPI p2pnetwork 1.2, CPython, all nodes in one process; flood with a set of ids, contents as base64 in JSON; \
                 no cryptography; on the given graph"
            }
            Subject::Snow => {
                "Noise_XX_25519_ChaChaPoly_SHA256, its default algorithms; static keys, no identities; messages up to 65,535 B"
            }
            Subject::SnowRing => "the same with ring's ChaCha20-Poly1305 and SHA-256",
            Subject::Rustls => "TLS 1.3, ring, both ends proven by raw Ed25519 keys, TLS13_AES_256_GCM_SHA384",
            Subject::RustlsChacha => "the same, TLS13_CHACHA20_POLY1305_SHA256 alone",
        }
    }

    /// Whether there is anything to measure of it in a case.
    pub(crate) fn does(self, case: Case) -> bool {
        match self {
            Subject::Sealnet => true,
            Subject::Snow | Subject::SnowRing | Subject::Rustls | Subject::RustlsChacha => case.is_link(),
            // A signature above the system changes nothing while it is joined.
            Subject::IrohGossipSigned => !case.is_link() && case != Case::Join,
            Subject::Gossipsub | Subject::IrohGossip | Subject::P2pnetwork => !case.is_link(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Subject::ALL.map(Subject::name).join(", ");
        Subject::ALL.into_iter().find(|subject| subject.name() == text).ok_or(format!("there are {names}"))
    }
}

/// Which nodes to start, and how they are to be linked.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    /// What identities are made of.
    pub(crate) seed: u64,
    pub(crate) graph: Graph,
    /// Nodes are to find each other through the first, as far as the system can do that; the graph is its own then.
    pub(crate) by_itself: bool,
}

impl Plan {
    /// 32 bytes for the identity of the node at a place.
    pub(crate) fn identity(&self, place: usize) -> [u8; 32] {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&self.seed.to_be_bytes());
        bytes[8..16].copy_from_slice(&(place as u64).to_be_bytes());
        bytes
    }
}

/// Nodes in this process that broadcast to each other. Whatever one's application gets goes to the board.
pub(crate) trait System: Send + Sync + Sized + 'static {
    /// Starts the nodes; done when all are linked.
    fn start(plan: &Plan, board: &Arc<Board>) -> impl Future<Output = Outcome<Self>>;

    /// Broadcasts from the node at a place; waits where the system makes its callers wait.
    fn publish(&self, place: usize, content: Bytes) -> impl Future<Output = Outcome<()>> + Send;

    /// How many links each node has.
    fn links(&self) -> impl Future<Output = Vec<usize>>;

    /// Bytes that it says it has sent so far, if it says so.
    fn sent(&self) -> Option<u64> {
        None
    }
}
