//! Sealnet: a secure, authenticated overlay network with a pluggable application layer.
//!
//! The rooms of the house, ground floor first; each uses only rooms above it in this list (`docs/architecture.md`):
//!
//! | room | holds |
//! |---|---|
//! | [`identity`] | Ed25519 identities, names of nodes and networks, key files, the one rule of verification |
//! | [`noise`] | the Noise state machine: objects as in the specification, patterns as data |
//! | [`envelope`] | what is said: envelopes, ids, `Verified` |
//! | [`sealed`] | content for chosen readers (feature `sealed`) |
//! | [`wire`] | what travels on a link: frames, HELLO, limits |
//! | [`access`] | closed networks: certificates of membership, revocations |
//! | [`overlay`] | the core without I/O: members, neighbours, broadcast, repair |
//! | [`log`] | the contents of accepted broadcasts, by position; cursors |
//! | [`link`] | one connection: plain, or Noise bound to an identity; its outbox |
//! | [`config`] | the TOML file: the rooms' settings put together and checked |
//! | [`node`] | the tokio host: [`Node`](node::Node), [`SecureNode`](node::SecureNode), events, subscriptions |
//! | [`app`] | applications: the trait, typed messages, the callback |
//! | [`control`] | the local interface: see and steer a running node (feature `control`) |
//! | [`sim`] | virtual time and a network made of a seed around the core |
//! | [`cli`] | the program `sealnet` (feature `cli`) |
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access;
pub mod app;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
#[cfg(feature = "control")]
pub mod control;
pub mod envelope;
pub mod identity;
pub mod link;
pub mod log;
pub mod node;
pub mod noise;
pub mod overlay;
#[cfg(feature = "sealed")]
pub mod sealed;
pub mod sim;
pub mod wire;

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// So does the code in the page on applications.
#[cfg(all(doctest, feature = "sealed"))]
#[doc = include_str!("../docs/applications.md")]
pub struct Applications;
