//! The overlay in virtual time: the same core, log and envelopes as the real node, on a network made of a seed.
//!
//! A [`Simulation`] is a queue of events in the order (time, number). Nothing in it depends on the wall clock, on
//! addresses in memory or on the order of a hash table, so equal [`Settings`] give equal runs, down to the [`RunDigest`]
//! over every event. A second of a quiet network costs next to nothing, an hour not much more.
//!
//! What lies between two nodes is decided in one place, `network`; today links are perfect but for their latency.

mod digest;
mod events;
mod host;
mod network;
mod node;
mod settings;
mod simulation;

pub use digest::RunDigest;
pub use network::Traffic;
pub use settings::{SchemeKind, Settings};
pub use simulation::Simulation;
