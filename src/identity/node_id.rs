//! The name of a node.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{decode_hex, encode_hex};

/// The name of a node: 32 bytes, on a secure network its Ed25519 public key.
///
/// Written as 64 lower-case hex digits; `{:#}` writes the short form, the first 8. Bytes that are no valid key may
/// stand in a `NodeId` (it is only a name): what has been checked is a [`PublicKey`](super::PublicKey).
///
/// ```
/// use sealnet::identity::NodeId;
/// let id: NodeId = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29".parse()?;
/// assert_eq!(format!("{id:#}"), "3b6a27bc");
/// # Ok::<(), sealnet::identity::NodeIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 32]);

/// The text is no node id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no node id; a node id is 64 lower-case hex digits, as in the file NAME.id that keygen writes", .0.escape_debug())]
pub struct NodeIdError(String);

impl NodeId {
    /// How many bytes an id has.
    pub const LEN: usize = 32;

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        NodeId(bytes)
    }

    /// The id's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = encode_hex(&self.0);
        f.pad(if f.alternate() { &digits[..8] } else { &digits })
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self:#})")
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        // What is quoted back is bounded: the text may be the whole of a wrong file.
        decode_hex(text).map(NodeId).ok_or_else(|| NodeIdError(text.chars().take(80).collect()))
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_lower_case_digits_are_an_id() {
        let good = "0123456789abcdef".repeat(4);
        assert_eq!(good.parse::<NodeId>().unwrap().to_string(), good);
        for bad in ["", &good[..63], &good.to_uppercase(), &format!("{good}0"), &good.replace('0', " ")] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad}");
        }
    }
}
