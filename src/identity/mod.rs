//! Who somebody is: Ed25519 identities, the names of nodes and networks, key files, and the one rule of
//! verification.
//!
//! This is the ground floor: it uses no other room, and every signature made or checked anywhere in the crate passes
//! through [`Identity`] and [`PublicKey`].

mod address;
mod domain;
mod frequent;
mod hex;
mod key_cache;
mod key_file;
mod keypair;
mod network;
mod network_key;
mod node_id;
mod public_key;
mod signatures;

pub use address::{AddressError, NodeAddress};
pub use domain::Domain;
pub use key_cache::KeyCache;
pub use key_file::{
    KeyFileError, KeyFileProblem, Overwrite, Passphrase, PassphraseError, Saved, read_id_file, read_secret_file,
    write_id_file,
};
pub use keypair::{Identity, RandomnessError};
pub use network::{NetworkHash, NetworkName, NetworkNameError};
pub use network_key::NetworkKey;
pub use node_id::{NodeId, NodeIdError};
pub use public_key::{KeyError, PublicKey, SelfTestError, Signature, SignatureError, self_test};

pub(crate) use hex::{decode_hex, encode_hex};
#[cfg(any(feature = "sealed", feature = "control"))]
pub(crate) use key_file::replace_secret_file;
pub(crate) use signatures::Signatures;
