//! One number for a whole run.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::identity::encode_hex;
use crate::overlay::Instant;

/// SHA-256 over every event of a run in order: when, at which node, what, about which ids. Two runs with equal digests
/// did the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunDigest([u8; 32]);

impl fmt::Display for RunDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&encode_hex(&self.0))
    }
}

impl fmt::Debug for RunDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunDigest({})", &encode_hex(&self.0)[..8])
    }
}

/// How many bytes are collected before they are hashed.
const COLLECT: usize = 8 << 10;

/// The digest of a run that goes on.
#[derive(Debug, Default)]
pub(super) struct Rolling {
    hash: Sha256,
    collected: Vec<u8>,
}

impl Rolling {
    /// Notes that something happened. Both texts are preceded by their lengths, so that no two histories read the same.
    pub(super) fn note(&mut self, at: Instant, node: usize, what: &str, about: &[u8]) {
        let collected = &mut self.collected;
        // Nanoseconds in 64 bits are 584 years.
        collected.extend_from_slice(&(at.since_start().as_nanos() as u64).to_be_bytes());
        collected.extend_from_slice(&(node as u32).to_be_bytes());
        for part in [what.as_bytes(), about] {
            collected.extend_from_slice(&(part.len() as u32).to_be_bytes());
            collected.extend_from_slice(part);
        }
        if collected.len() >= COLLECT {
            self.hash.update(&*collected);
            collected.clear();
        }
    }

    /// The digest so far.
    pub(super) fn so_far(&self) -> RunDigest {
        RunDigest(self.hash.clone().chain_update(&self.collected).finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_that_differ_anywhere_have_different_digests() {
        let digest = |events: &[(u64, usize, &str, &[u8])]| {
            let mut rolling = Rolling::default();
            for (at, node, what, about) in events {
                rolling.note(Instant::at(std::time::Duration::from_secs(*at)), *node, what, about);
            }
            rolling.so_far().to_string()
        };
        let mut all = vec![
            digest(&[]),
            digest(&[(1, 1, "a", b"b")]),
            digest(&[(2, 1, "a", b"b")]),
            digest(&[(1, 2, "a", b"b")]),
            digest(&[(1, 1, "ab", b"")]),
            digest(&[(1, 1, "a", b"c")]),
            digest(&[(1, 1, "a", b"b"), (1, 1, "a", b"b")]),
        ];
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 7);
    }
}
