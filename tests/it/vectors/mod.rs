//! The project's own test vectors, which lie in `tests/vectors/` for every other implementation (its README says what
//! the fields mean).
//!
//! Each file is made here from fixed keys, every case is tried on the crate itself, and what was made is compared with
//! the file byte for byte. After a deliberate change `SEALNET_WRITE_VECTORS=1 cargo test --test it vectors::` writes
//! the files anew; `tests/vectors/check.py`, which shares no code with the crate, then says whether they are right.

mod certificates;
mod envelopes;
mod forger;
mod frames;
mod handshakes;
mod hello;
mod json_form;
mod keys;
mod member;
mod names;
mod presence;
mod proofs;
mod raw_envelope;
mod reconcile;
mod records;
mod revocations;
mod sealed;
#[allow(dead_code, reason = "the tests in tests/attacks use the rest of it")]
#[cfg(feature = "sealed")]
mod sealer;
mod shown;

use std::fs;
use std::path::Path;

use sealnet::identity::{Identity, KeyError, NetworkHash, NodeId};
use serde::Serialize;

/// The network of all vectors that are not about networks.
const NETWORK: &str = "example-net";

/// Seeds of the identities: A, B, and the authority of closed networks. Public and worthless.
const A: [u8; 32] = [1; 32];
const B: [u8; 32] = [2; 32];
const AUTHORITY: [u8; 32] = [4; 32];

fn id(seed: &[u8; 32]) -> NodeId {
    Identity::from_seed(seed).id()
}

fn secure(network: &str) -> NetworkHash {
    NetworkHash::secure(&network.parse().unwrap())
}

/// What the vectors call the reason for which a key is refused.
fn key_reason(error: KeyError) -> &'static str {
    match error {
        KeyError::NotAPoint => "not-a-point",
        KeyError::NotCanonical => "not-canonical",
        KeyError::Weak => "low-order",
        KeyError::Torsion => "torsion",
        other => panic!("a reason without a name: {other}"),
    }
}

/// Holds `contents` against the file `name` of the published vectors, or writes it where that is asked for.
#[track_caller]
fn published(name: &str, contents: &impl Serialize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    let made = serde_json::to_string_pretty(contents).unwrap() + "\n";
    if std::env::var_os("SEALNET_WRITE_VECTORS").is_some_and(|value| value == "1") {
        fs::write(&path, made).unwrap();
        return;
    }
    let published = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (line, (published, made)) in (1..).zip(published.lines().zip(made.lines())) {
        assert_eq!(published, made, "tests/vectors/{name}, line {line}");
    }
    assert!(published == made, "tests/vectors/{name}: one is longer than the other");
}
