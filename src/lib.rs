//! Sealnet: a secure, authenticated overlay network with a pluggable application layer.
//!
//! The rooms of the house, ground floor first; each uses only rooms above it in this list (`docs/architecture.md`):
//!
//! | room | holds |
//! |---|---|
//! | [`identity`] | Ed25519 identities, names of nodes and networks, key files, the one rule of verification |
//! | [`noise`] | the Noise state machine: objects as in the specification, patterns as data |
//! | [`envelope`] | what is said: envelopes, ids, `Verified` |
//! | [`wire`] | what travels on a link: frames, HELLO, limits |
//! | [`access`] | closed networks: certificates of membership, revocations |
//! | [`overlay`] | the core without I/O: members, neighbours, broadcast, repair |
//! | [`log`] | the contents of accepted broadcasts, by position; cursors |
//! | [`config`] | the TOML file: the rooms' own settings, composed and checked |
//! | `cli` | the program `sealnet`, one thin file for each subcommand |
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod envelope;
pub mod identity;
pub mod log;
pub mod noise;
pub mod overlay;
pub mod wire;
