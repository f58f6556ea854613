//! Sealnet: a secure, authenticated overlay network with a pluggable application layer.
//!
//! The rooms of the house, ground floor first; each uses only rooms above it in this list (`docs/architecture.md`):
//!
//! | room | holds |
//! |---|---|
//! | [`identity`] | Ed25519 identities, names of nodes and networks, the one rule of verification |
//! | [`noise`] | the Noise state machine, patterns as data |
//! | [`envelope`] | what is said: envelopes, ids, `Verified` |
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod envelope;
pub mod identity;
pub mod noise;
