//! The first bytes of a connection (protocol, sections 2 and 3).

use std::fmt;

use crate::identity::NetworkHash;

/// How a link is secured. Configuration decides; nothing is negotiated and nothing falls back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// 00: Noise XX.
    Xx,
    /// 01: Noise XX with the network's key mixed in first (`XXpsk0`).
    XxPsk0,
    /// FF: the base node's; nothing is encrypted or signed.
    Plain,
}

/// The eight bytes that the initiator sends once, in clear; in plain mode both sides do, followed by the network's
/// hash: `"SEALN" ‖ version 01 ‖ mode ‖ 00`.
///
/// ```
/// use sealnet::wire::{Mode, Preamble};
/// assert_eq!(Preamble::new(Mode::XxPsk0).as_bytes(), b"SEALN\x01\x01\x00");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Preamble([u8; Preamble::LEN]);

/// What differs between a received preamble and this node's own: for this node's log. The peer is told nothing, the
/// connection closes without a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreambleError {
    /// It is another protocol's first bytes.
    #[error("what connected does not speak Sealnet")]
    NotSealnet,
    /// Another version of the protocol.
    #[error("the peer speaks version {0} of the protocol, this node version {own}", own = Preamble::VERSION)]
    Version(u8),
    /// Another way of securing links.
    #[error("the peer's mode is {0:#04x}; make security and network key alike in both configurations")]
    Mode(u8),
    /// The last byte is not zero.
    #[error("the preamble's reserved byte is {0:#04x}")]
    Reserved(u8),
}

impl Mode {
    /// The byte on the wire.
    pub const fn as_byte(self) -> u8 {
        match self {
            Mode::Xx => 0x00,
            Mode::XxPsk0 => 0x01,
            Mode::Plain => 0xFF,
        }
    }
}

impl Preamble {
    /// How many bytes a preamble has.
    pub const LEN: usize = 8;

    /// The version of the protocol.
    pub const VERSION: u8 = 1;

    /// How many bytes a prologue has: preamble and network hash.
    pub const PROLOGUE_LEN: usize = Self::LEN + 32;

    const MAGIC: [u8; 5] = *b"SEALN";

    /// The preamble of this version in `mode`.
    pub const fn new(mode: Mode) -> Self {
        let [s, e, a, l, n] = Self::MAGIC;
        Preamble([s, e, a, l, n, Self::VERSION, mode.as_byte(), 0])
    }

    /// The bytes on the wire.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Compares what a peer sent with this preamble: all eight bytes must agree.
    ///
    /// # Errors
    /// A [`PreambleError`] naming the first difference.
    pub fn check(&self, received: &[u8; Self::LEN]) -> Result<(), PreambleError> {
        if self.0 == *received {
            return Ok(());
        }
        let [magic @ .., version, mode, reserved] = *received;
        if magic != Self::MAGIC {
            Err(PreambleError::NotSealnet)
        } else if version != Self::VERSION {
            Err(PreambleError::Version(version))
        } else if reserved != 0 {
            Err(PreambleError::Reserved(reserved))
        } else {
            Err(PreambleError::Mode(mode))
        }
    }

    /// Preamble ‖ network hash: what both sides mix into the handshake first, and what a plain link begins with.
    pub fn prologue(&self, network: &NetworkHash) -> [u8; Self::PROLOGUE_LEN] {
        let mut prologue = [0; Self::PROLOGUE_LEN];
        let (preamble, hash) = prologue.split_at_mut(Self::LEN);
        preamble.copy_from_slice(&self.0);
        hash.copy_from_slice(network.as_bytes());
        prologue
    }
}

impl fmt::Debug for Preamble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Preamble({})", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [Mode; 3] = [Mode::Xx, Mode::XxPsk0, Mode::Plain];

    #[test]
    fn preambles_are_those_of_the_protocol_page() {
        for (mode, byte) in MODES.into_iter().zip([0x00, 0x01, 0xFF]) {
            assert_eq!(*Preamble::new(mode).as_bytes(), [0x53, 0x45, 0x41, 0x4C, 0x4E, 0x01, byte, 0x00]);
        }
    }

    #[test]
    fn any_flipped_bit_and_any_other_mode_is_refused() {
        for mode in MODES {
            let own = Preamble::new(mode);
            for other in MODES {
                assert_eq!(own.check(Preamble::new(other).as_bytes()).is_ok(), mode == other);
            }
            for bit in 0..64 {
                let mut flipped = *own.as_bytes();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(own.check(&flipped).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        let own = Preamble::new(Mode::Xx);
        assert_eq!(own.check(b"GET / HT"), Err(PreambleError::NotSealnet));
        assert_eq!(own.check(b"SEALN\x02\x07\x01"), Err(PreambleError::Version(2)));
        assert_eq!(own.check(b"SEALN\x01\x07\x01"), Err(PreambleError::Reserved(1)));
        assert_eq!(own.check(b"SEALN\x01\xFF\x00"), Err(PreambleError::Mode(0xFF)));
    }

    #[test]
    fn the_prologue_is_preamble_and_network() {
        let network = NetworkHash::secure(&"lab".parse().unwrap());
        let prologue = Preamble::new(Mode::Xx).prologue(&network);
        assert_eq!(prologue[..], [b"SEALN\x01\x00\x00", &network.as_bytes()[..]].concat());
    }
}
