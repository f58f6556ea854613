//! What is offered: a name to show, and hashes, by which anybody can tell whether what he was given is it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// So many pieces at most: their hashes are to fit into one broadcast.
const MOST_PIECES: u64 = 1024;
const SMALLEST_PIECE: u64 = 256 << 10;
const LARGEST_PIECE: u64 = 4 << 20;
/// The largest file, in bytes: 4 GiB.
pub(crate) const LARGEST_FILE: u64 = MOST_PIECES * LARGEST_PIECE;

/// A SHA-256, written as 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }
}

impl From<Sha256> for Digest {
    fn from(hash: Sha256) -> Digest {
        Digest(hash.finalize().into())
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Digest).ok_or("a hash is 64 digits of 0-9 and a-f")
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// A file that somebody offers. There is none whose name is a path, or whose pieces do not make up its size: what comes
/// from others is read by [`Offer::read`], and that refuses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Said")]
pub(crate) struct Offer {
    name: String,
    size: u64,
    /// Of the whole: what the file is asked for by.
    sha256: Digest,
    /// Of each piece. All are equally long, but the last.
    pieces: Vec<Digest>,
}

/// An offer as somebody said it.
#[derive(Deserialize)]
struct Said {
    name: String,
    size: u64,
    sha256: Digest,
    pieces: Vec<Digest>,
}

impl TryFrom<Said> for Offer {
    type Error = String;

    fn try_from(Said { name, size, sha256, pieces }: Said) -> Result<Self, String> {
        check_name(&name)?;
        if size > LARGEST_FILE {
            return Err(format!("a file has at most {LARGEST_FILE} bytes"));
        }
        if pieces.len() as u64 != size.div_ceil(piece_size(size)) {
            return Err("these are not as many pieces as a file of that size has".to_owned());
        }
        Ok(Offer { name, size, sha256, pieces })
    }
}

/// The name becomes that of a file in whatever folder the receiver chose, and is shown on his terminal: nothing in it may
/// lead out of the one or deceive on the other.
fn check_name(name: &str) -> Result<(), String> {
    let deceives = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns || matches!(c, '/' | '\\' | ':')
    };
    match name {
        "" => Err("a file needs a name".to_owned()),
        _ if name.len() > 255 => Err("a file's name has at most 255 bytes".to_owned()),
        _ if name.starts_with('.') => Err(format!("{name:?} begins with a dot; offer it under another name")),
        _ if name.contains(deceives) => Err(format!("{name:?} is no plain name of a file; offer it under another one")),
        _ => Ok(()),
    }
}

/// How long the pieces of a file of that size are. Two who offer the same file mean the same pieces.
fn piece_size(size: u64) -> u64 {
    let mut piece = SMALLEST_PIECE;
    while piece < LARGEST_PIECE && piece * MOST_PIECES < size {
        piece *= 2;
    }
    piece
}

impl Offer {
    /// Reads a file to offer it. This takes a while: call it where that delays nobody.
    pub(crate) fn of_file(path: &Path) -> io::Result<Offer> {
        let unfit = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| unfit("its name is no text; offer it under another one".to_owned()))?.to_owned();
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        if !file.metadata()?.is_file() || size > LARGEST_FILE {
            return Err(unfit(format!("it is no file of at most {LARGEST_FILE} bytes")));
        }
        let (mut whole, mut pieces, mut left) = (Sha256::new(), Vec::new(), size);
        let mut buffer = vec![0; piece_size(size).min(size) as usize];
        while left > 0 {
            buffer.truncate(left.min(buffer.len() as u64) as usize);
            (&file).read_exact(&mut buffer)?;
            whole.update(&buffer);
            pieces.push(Digest::of(&buffer));
            left -= buffer.len() as u64;
        }
        Said { name, size, sha256: whole.into(), pieces }.try_into().map_err(unfit)
    }

    /// What somebody offers.
    pub(crate) fn read(message: &[u8]) -> Result<Offer, String> {
        serde_json::from_slice(message).map_err(|error| error.to_string())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn sha256(&self) -> Digest {
        self.sha256
    }

    pub(crate) fn pieces(&self) -> &[Digest] {
        &self.pieces
    }

    /// What pieces are asked for by. Anybody can offer wrong pieces under the right hash of the whole: whoever has the right
    /// ones has none of these, and cannot be taken for a liar.
    pub(crate) fn id(&self) -> Digest {
        let mut hash = Sha256::new().chain_update(self.size.to_be_bytes()).chain_update(self.sha256.0);
        self.pieces.iter().for_each(|piece| hash.update(piece.0));
        hash.into()
    }

    /// Where a piece begins, and how long it is, in bytes.
    pub(crate) fn place(&self, piece: u32) -> (u64, usize) {
        let length = piece_size(self.size);
        let start = (u64::from(piece) * length).min(self.size);
        (start, (self.size - start).min(length) as usize)
    }

    /// Whether these bytes are that piece.
    pub(crate) fn is_piece(&self, piece: u32, bytes: &[u8]) -> bool {
        self.pieces.get(piece as usize).is_some_and(|hash| *hash == Digest::of(bytes))
    }
}
