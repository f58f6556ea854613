//!
//! The rooms of the house, ground floor first; each uses only rooms above it in this list (`docs/architecture.md`):
//!
//! | room | holds |
//! |---|---|
//! | [`identity`] | Ed25519 identities, names of nodes and networks, key files, the one rule of verification |
//! | [`envelope`] | what is said: envelopes, ids, `Verified` |
//! | [`wire`] | what travels on a link: frames, HELLO, limits |
//! | [`access`] | closed networks: certificates of membership, revocations |
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access;
pub mod envelope;
pub mod identity;
pub mod wire;
