//! Places in a log.

use std::fmt;
use std::str::FromStr;

use crate::identity::{decode_hex, encode_hex};

/// Names one log: 8 random bytes from its creation. A log that was lost and begun anew is another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogInstance([u8; 8]);

impl LogInstance {
    /// The log with these bytes as its name.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        LogInstance(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for LogInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&encode_hex(&self.0))
    }
}

impl fmt::Debug for LogInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogInstance({self})")
    }
}

/// A place in a log: given in the order of arrival from 1, without gaps, never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    pub(super) const fn new(position: u64) -> Self {
        Position(position)
    }

    /// The position as a number, from 1; 0 is before all of them.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// How far somebody has read one log. Written as `INSTANCE:POSITION`, to be stored between runs.
///
/// ```
/// use sealnet::log::Cursor;
/// let cursor: Cursor = "00112233445566ff:17".parse()?;
/// assert_eq!((cursor.position().get(), cursor.to_string().as_str()), (17, "00112233445566ff:17"));
/// # Ok::<(), sealnet::log::CursorError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    instance: LogInstance,
    position: Position,
}

/// Why a cursor cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// It was made by another log.
    #[error("the cursor belongs to the log {cursor} and this is the log {log}; read this one from its start")]
    OtherLog {
        /// The log that made it.
        cursor: LogInstance,
        /// The log that was asked.
        log: LogInstance,
    },
    /// The text is no cursor.
    #[error("\"{}\" is no cursor; a cursor is 16 hex digits, a colon and a number", .0.escape_debug())]
    Text(String),
}

impl Cursor {
    pub(crate) const fn new(instance: LogInstance, position: Position) -> Self {
        Cursor { instance, position }
    }

    /// The log it belongs to.
    pub const fn instance(&self) -> LogInstance {
        self.instance
    }

    /// The last position that was read.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The place after the first `position` positions of the same log.
    #[cfg(feature = "control")]
    pub(crate) const fn at(&self, position: u64) -> Cursor {
        Cursor { instance: self.instance, position: Position(position) }
    }

    /// The position, if the cursor belongs to `log`.
    pub(super) fn within(&self, log: LogInstance) -> Result<Position, CursorError> {
        if self.instance == log { Ok(self.position) } else { Err(CursorError::OtherLog { cursor: self.instance, log }) }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.instance, self.position.0)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let parts = text.split_once(':');
        let cursor = parts.and_then(|(instance, position)| {
            let instance = LogInstance(decode_hex(instance)?);
            Some(Cursor { instance, position: Position(position.parse().ok()?) })
        });
        // Written in one way only: `+7` and `007` are numbers to Rust too.
        let cursor = cursor.filter(|cursor| cursor.to_string() == text);
        cursor.ok_or_else(|| CursorError::Text(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_in_no_other_way() {
        for good in ["00112233445566ff:0", "00112233445566ff:17", "ffffffffffffffff:18446744073709551615"] {
            assert_eq!(good.parse::<Cursor>().unwrap().to_string(), good);
        }
        for bad in ["", ":", "00112233445566ff", "00112233445566ff:", "00112233445566FF:1", "0112233445566ff:1"]
            .into_iter()
            .chain(["00112233445566ff:+1", "00112233445566ff:01", "00112233445566ff:-1", "00112233445566ff:1 "])
            .chain(["00112233445566ff:18446744073709551616", "00112233445566ff:1:1"])
        {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
