//! The Noise state machine (the Noise Protocol Framework, revision 34), cipher suite `25519_ChaChaPoly_SHA256`.
//!
//! The objects carry the names of the specification and do what it says there: [`CipherState`] (section 5.1), the
//! symmetric state (5.2, internal), [`HandshakeState`] (5.3). Patterns are data ([`HandshakePattern`]). Nothing here
//! reads a clock or a socket; the only thing taken from outside is the randomness of ephemeral keys. It uses no other
//! room.
//!
//! ```
//! use std::sync::Arc;
//! use sealnet::noise::{Builder, HandshakePattern, Keypair, NoiseError, TransportState};
//!
//! let begin = || Builder::new(HandshakePattern::XX).prologue(b"example, version 1");
//! let mut dialler = begin()?.local_static(Keypair::generate()?)?.initiator()?;
//! let mut listener = begin()?.local_static(Arc::new(Keypair::generate()?))?.responder()?;
//!
//! let (mut message, mut payload) = (Vec::new(), Vec::new());
//! dialler.write_message(b"", &mut message)?; // -> e
//! listener.read_message(&message, &mut payload)?;
//!
//! message.clear();
//! listener.write_message(b"who I am", &mut message)?; // <- e, ee, s, es
//! dialler.read_message(&message, &mut payload)?;
//! assert_eq!(payload, b"who I am");
//!
//! message.clear();
//! dialler.write_message(b"", &mut message)?; // -> s, se
//! listener.read_message(&message, &mut payload)?;
//!
//! let TransportState { sender, receiver, .. } = dialler.into_transport()?;
//! # let _ = (sender, receiver);
//! # Ok::<(), NoiseError>(())
//! ```
//!
//! | provided | not provided |
//! |---|---|
//! | secret state wiped when dropped, at the first error too; never printed | wiping of what the compiler spills to the stack |
//! | all-zero Diffie-Hellman results and second spellings of keys refused | when to renew keys: the caller counts and calls [`CipherState::rekey`] |
//! | the 65,535-byte limit and the reserved counter kept | cutting streams into messages, padding |
//! | the handshake hash at every point, for signatures over the session | whose key a static key is: the caller's signature says it |

mod builder;
mod cipher_state;
mod dh;
mod error;
mod handshake_state;
mod pattern;
mod psk;
mod symmetric_state;
mod transport_state;

pub use builder::Builder;
pub use cipher_state::CipherState;
pub use dh::{DH_LEN, Keypair, PublicKey};
pub use error::{NoiseError, Role, Setting};
pub use handshake_state::HandshakeState;
pub use pattern::{HandshakePattern, PatternError};
pub use psk::PresharedKey;
pub use transport_state::TransportState;

/// The longest Noise message in bytes, tags included (section 3).
pub const MAX_MESSAGE: usize = 65_535;
/// How many bytes the authentication tag adds to what is encrypted (section 4.2).
pub const TAG_LEN: usize = 16;
/// How many bytes the handshake hash has: `HASHLEN` of SHA-256.
pub const HASH_LEN: usize = 32;
