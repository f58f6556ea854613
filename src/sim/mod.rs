//! The overlay in virtual time: the same core, log and envelopes as the real node, on a network made of a seed.
//!
//! A [`Simulation`] is a queue of events in the order (time, number). Nothing in it depends on the wall clock, on
//! addresses in memory or on the order of a hash table, so equal [`Settings`] give equal runs, down to the [`RunDigest`]
//! over every event. A second of a quiet network costs next to nothing, an hour not much more.
//!
//! A [`Scenario`] is a whole study with such a network: nodes join, say something, some of them crash meanwhile, and the
//! [`Report`] accounts for every message at every node.
//!
//! # The network
//! What lies between two nodes is decided in one place, `network`, from the [`Conditions`].
//!
//! - **Latency** is drawn for each link, or follows from where the nodes are: regions on a circle of 40,000 km, placed by a
//!   formula; half a millisecond and 7.5 µs a kilometre, and up to 8 ms for the way from each node's door. Jitter comes on
//!   top, frame by frame. Frames of one lane (control, broadcasts, bulk) never overtake each other, as on a real link.
//! - **Loss** is harsher than TCP's. A link loses no control frame: what is lost is sent again and comes later, by 200 ms
//!   and a round trip. But a full outbox drops frames that can be had again; so a lost BROADCAST, HAVE, WANT or ABSENT
//!   vanishes for good.
//! - **Bandwidth**: what a node sends leaves one byte after another, to whomever it goes. A BROADCAST that would wait behind
//!   4 MiB vanishes.
//! - **A cut** parts the network in silence. Whatever is sent across waits; if the cut heals before both ends have given
//!   their connection up, it arrives then. New dials run into their time-out.
//! - **Nodes** may be slow, have a clock that is off, be killed (their connections are reset), lose their power (nobody is
//!   told), leave, and start again with their log or without.

mod acts;
mod arrivals;
mod conditions;
mod digest;
mod events;
mod host;
#[cfg(feature = "lab")]
pub mod lab;
mod lives;
mod network;
mod node;
mod questions;
mod regions;
mod scenario;
mod settings;
mod simulation;
pub(crate) mod statistics;
mod traffic;
mod uplink;

pub use conditions::{Conditions, Share, ShareError};
pub use digest::RunDigest;
pub use scenario::{Partition, Phase, Progress, Report, Scenario, Senders};
pub use settings::{SchemeKind, Settings};
pub use simulation::Simulation;
pub use statistics::{Account, Explanation, Latencies, Spread};
pub use traffic::Traffic;
