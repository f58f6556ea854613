//! What a member may do.

use std::fmt;
use std::ops::BitOr;

/// A set of rights: 16 bits, of which three have a meaning today.
///
/// Bits without a meaning are kept, so that a certificate made by a later version is still the bytes that were signed,
/// and give nothing.
///
/// ```
/// use sealnet::access::Rights;
/// let rights = Rights::LINK | Rights::PUBLISH;
/// assert!(rights.contains(Rights::LINK) && !rights.contains(Rights::SHUTDOWN));
/// assert_eq!(rights.bits(), 3);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u16);

impl Rights {
    /// No right at all.
    pub const NONE: Rights = Rights(0);
    /// Being linked with other members.
    pub const LINK: Rights = Rights(1);
    /// Having one's envelopes accepted.
    pub const PUBLISH: Rights = Rights(2);
    /// Shutting the whole network down.
    pub const SHUTDOWN: Rights = Rights(8);

    /// The rights with these bits, those without a meaning included.
    pub const fn from_bits(bits: u16) -> Self {
        Rights(bits)
    }

    /// All 16 bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether every right of `wanted` is among these.
    pub const fn contains(self, wanted: Rights) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl BitOr for Rights {
    type Output = Rights;

    fn bitor(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}

impl fmt::Display for Rights {
    /// As `link, publish`; bits without a meaning are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(Rights::LINK, "link"), (Rights::PUBLISH, "publish"), (Rights::SHUTDOWN, "shutdown")];
        let held: Vec<_> = names.iter().filter(|(right, _)| self.contains(*right)).map(|(_, name)| *name).collect();
        f.pad(&if held.is_empty() { "none".to_owned() } else { held.join(", ") })
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self}; {:#06x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_bits_are_kept_and_give_nothing() {
        let rights = Rights::from_bits(0xfff4);
        assert_eq!(rights.bits(), 0xfff4);
        for right in [Rights::LINK, Rights::PUBLISH, Rights::SHUTDOWN] {
            assert!(!rights.contains(right));
        }
        assert_eq!(rights.to_string(), "none");
        assert_eq!(Rights::from_bits(0xffff).to_string(), "link, publish, shutdown");
    }
}
