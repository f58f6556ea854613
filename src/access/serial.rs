//! The number of a certificate.

use std::fmt;
use std::str::FromStr;

use crate::identity::{RandomnessError, decode_hex, encode_hex};

/// What a certificate is revoked by: 16 random bytes. Written as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 16]);

/// The text is no serial number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no serial number of a certificate; it is 32 lower-case hex digits", .0.escape_debug())]
pub struct SerialError(String);

impl Serial {
    /// How many bytes a serial number has.
    pub const LEN: usize = 16;

    /// A new number from the operating system's randomness: no two certificates ever share one, even if several people
    /// issue them without knowing of each other.
    ///
    /// # Errors
    /// If the operating system cannot give random bytes.
    pub fn generate() -> Result<Self, RandomnessError> {
        let mut bytes = [0; Self::LEN];
        getrandom::fill(&mut bytes)?;
        Ok(Serial(bytes))
    }

    /// The number with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Serial(bytes)
    }

    /// The number's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&encode_hex(&self.0))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

impl FromStr for Serial {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        decode_hex(text).map(Serial).ok_or_else(|| SerialError(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_read_as_it_is_written() {
        let serial = Serial::generate().unwrap();
        assert_eq!(serial.to_string().parse(), Ok(serial));
        assert_ne!(Serial::generate().unwrap(), serial);
        for bad in ["", "00", &"0".repeat(31), &"0".repeat(33), &"A".repeat(32)] {
            assert!(bad.parse::<Serial>().is_err(), "{bad}");
        }
    }
}
