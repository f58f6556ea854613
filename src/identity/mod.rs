//! Who somebody is: Ed25519 identities, the names of nodes and networks, and the one rule of verification.
//!
//! This is the ground floor: it uses no other room, and every signature made or checked anywhere in the crate passes
//! through [`Identity`] and [`PublicKey`].

mod address;
mod domain;
mod hex;
mod key_cache;
mod keypair;
mod network;
mod node_id;
mod public_key;

pub use address::{AddressError, NodeAddress};
pub use domain::Domain;
pub use key_cache::KeyCache;
pub use keypair::{Identity, RandomnessError};
pub use network::{NetworkHash, NetworkName, NetworkNameError};
pub use node_id::{NodeId, NodeIdError};
pub use public_key::{KeyError, PublicKey, SelfTestError, Signature, SignatureError, self_test};

pub(crate) use hex::{decode_hex, encode_hex};
