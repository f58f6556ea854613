//! Content for chosen readers: sealed to up to 64 keys, carried and kept by everybody, opened by the readers alone
//! (protocol, section 11; feature `sealed`).
//!
//! [`seal`] makes the message of an envelope, [`open`] takes an envelope that was verified. A reader that comes later is
//! given the key of one message by a [`Grant`]. Readers' keys are X25519 keys apart from the identity, changed now and
//! then ([`SealSecrets`]); members publish theirs in `sealnet/member`.
//!
//! ```
//! use std::sync::Arc;
//! use sealnet::envelope::{Draft, Lifetime, Scheme, Signed, Timestamp};
//! use sealnet::identity::{Identity, NetworkHash};
//! use sealnet::sealed::{SealSecret, SealSecrets, open, seal};
//! let network = NetworkHash::secure(&"demo".parse()?);
//! let alice = Signed::new(network, Arc::new(Identity::generate()?));
//! let bob = SealSecret::generate()?;
//!
//! let sealed = seal(&network, &alice.own_id(), &[*bob.key()], b"for Bob alone")?;
//! let draft = Draft {
//!     title: "notes".parse()?,
//!     message: sealed.into_message(),
//!     time: Timestamp::now(),
//!     lifetime: Lifetime::DEFAULT,
//! };
//! let envelope = alice.publish(&draft)?;
//!
//! let opened = open(&network, &envelope, &SealSecrets::from(bob))?;
//! assert_eq!(opened.text(), Some("for Bob alone"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **What it is not.** There is no forward secrecy within a key's time: whoever takes a reader's keys reads what was sealed
//! to them, until they are deleted. There is no deniability: the sender signs what it sent. Who sent something, when, to how
//! many readers, in which class of size, is there for everybody to see; whoever knows a reader's key sees that it is one of
//! them.

mod content;
mod content_key;
pub mod file;
mod grant;
mod key;
mod padding;
mod secrets;
mod stanza;

pub use content::{MAX_DATA, MAX_READERS, OpenError, Opened, SealError, Sealed, is_sealed, open, open_with, seal};
pub use content_key::ContentKey;
pub use grant::{Grant, GrantError, grant};
pub use key::{SealKey, SealKeyError, SealSecret};
pub use secrets::{Rotation, SealSecrets, SealSecretsError};
