//! The name of a network and the hash that binds everything to it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::encode_hex;

/// The name of a network: 1 to 64 bytes of `[a-z0-9._-]`. There is no default, so that two networks never meet by
/// accident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkName(String);

/// The text is no network name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no network name; use 1 to 64 of the characters a-z, 0-9, '.', '_' and '-'", .0.escape_debug())]
pub struct NetworkNameError(String);

impl NetworkName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for NetworkName {
    type Err = NetworkNameError;

    fn from_str(text: &str) -> Result<Self, NetworkNameError> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(good) {
            Ok(NetworkName(text.to_owned()))
        } else {
            Err(NetworkNameError(text.chars().take(80).collect()))
        }
    }
}

impl Serialize for NetworkName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NetworkName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// `NH` of the protocol page: SHA-256 over a prefix and the network's name.
///
/// It stands in the handshake's prologue and in every signature, so nothing of one network means anything in another.
/// The plain (unsecured) network of a name has another hash than the secure one: the two never mix.
///
/// ```
/// use sealnet::identity::{NetworkHash, NetworkName};
/// let name: NetworkName = "lab-1".parse()?;
/// assert_ne!(NetworkHash::secure(&name), NetworkHash::plain(&name));
/// # Ok::<(), sealnet::identity::NetworkNameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkHash([u8; 32]);

impl NetworkHash {
    /// The hash of the secure network called `name`.
    pub fn secure(name: &NetworkName) -> Self {
        Self::new(b"sealnet/1 network\0", name)
    }

    /// The hash of the plain network called `name`, where nothing is encrypted or signed.
    pub fn plain(name: &NetworkName) -> Self {
        Self::new(b"sealnet/1 plain network\0", name)
    }

    fn new(prefix: &[u8], name: &NetworkName) -> Self {
        NetworkHash(Sha256::new().chain_update(prefix).chain_update(name.as_str()).finalize().into())
    }

    /// The hash's 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for NetworkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&encode_hex(&self.0))
    }
}

impl fmt::Debug for NetworkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkHash({})", &encode_hex(&self.0)[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_the_alphabet_or_length_are_refused() {
        for good in ["a", "demo", "a.b_c-9", &"x".repeat(64)] {
            assert!(good.parse::<NetworkName>().is_ok(), "{good}");
        }
        for bad in ["", "Demo", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(bad.parse::<NetworkName>().is_err(), "{bad}");
        }
    }
}
