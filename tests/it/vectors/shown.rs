//! Bytes as they stand in the files.

use data_encoding::HEXLOWER;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// Bytes, written in hex. Where one byte stands many times in a row, they are written as a list of pieces, each of them
/// hex or `{"byte": "00", "times": 131072}`: the largest envelope would otherwise fill a quarter of a megabyte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shown(pub(super) Vec<u8>);

/// From how many equal bytes in a row on they are counted instead of written out.
const LONG: usize = 256;

enum Piece<'a> {
    Hex(&'a [u8]),
    Repeated(u8, usize),
}

impl Shown {
    fn pieces(&self) -> Vec<Piece<'_>> {
        let (mut pieces, mut pending) = (Vec::new(), 0);
        let mut at = 0;
        for run in self.0.chunk_by(|a, b| a == b) {
            if run.len() >= LONG {
                if pending < at {
                    pieces.push(Piece::Hex(&self.0[pending..at]));
                }
                pieces.push(Piece::Repeated(run[0], run.len()));
                pending = at + run.len();
            }
            at += run.len();
        }
        if pending < at {
            pieces.push(Piece::Hex(&self.0[pending..]));
        }
        pieces
    }
}

impl<T: AsRef<[u8]> + ?Sized> From<&T> for Shown {
    fn from(bytes: &T) -> Self {
        Shown(bytes.as_ref().to_vec())
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pieces = self.pieces();
        if !pieces.iter().any(|piece| matches!(piece, Piece::Repeated(..))) {
            return serializer.serialize_str(&HEXLOWER.encode(&self.0));
        }
        let mut list = serializer.serialize_seq(Some(pieces.len()))?;
        pieces.iter().try_for_each(|piece| list.serialize_element(piece))?;
        list.end()
    }
}

impl Serialize for Piece<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Piece::Hex(bytes) => serializer.serialize_str(&HEXLOWER.encode(bytes)),
            Piece::Repeated(byte, times) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("byte", &format!("{byte:02x}"))?;
                map.serialize_entry("times", times)?;
                map.end()
            }
        }
    }
}
