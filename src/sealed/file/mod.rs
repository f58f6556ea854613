//! Sealed files: for readers, or under a passphrase; of any size, in constant memory (`docs/files.md` has the bytes).
//!
//! The construction is that of sealed messages, with a body in chunks. Files outlive keys that change, so they are sealed
//! to keys that do not: those of identities ([`SealKey::of`]), or any other seal key. Nobody signs a file: it says
//! nothing of who sealed it.

mod chunks;
mod header;

use std::io::{self, BufRead, Write};

use crate::identity::{NodeId, Passphrase, RandomnessError};

use super::{SealKey, SealSecrets};
pub use header::Header;

/// To whom a file is sealed.
#[derive(Clone, Copy, Debug)]
pub enum To<'a> {
    /// To the holders of these keys, 1 to 64; one named twice counts once.
    Readers(&'a [SealKey]),
    /// To whoever knows this passphrase.
    Passphrase(&'a Passphrase),
}

/// What is to open a file.
#[derive(Clone, Copy, Debug)]
pub enum With<'a> {
    /// Any of these keys.
    Secrets(&'a SealSecrets),
    /// This passphrase.
    Passphrase(&'a Passphrase),
}

/// Why a file was not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Reading failed.
    #[error("it could not be read: {0}")]
    Read(io::Error),
    /// Writing failed.
    #[error("it could not be written: {0}")]
    Write(io::Error),
    /// It is to be sealed to nobody, to too many, or to a key that cannot be sealed to.
    #[error(transparent)]
    Seal(#[from] super::SealError),
    /// The identity to seal to is no acceptable key.
    #[error("the node id {0} is no key that anything could be sealed to; check it")]
    Reader(NodeId),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The file does not begin as a sealed file does.
    #[error("it is no sealed file; give one that `sealnet seal` wrote")]
    NotSealed,
    /// It was sealed by a later version.
    #[error("it has version {0} of sealed files, which this program does not know; get a newer one")]
    Version(u8),
    /// Its beginning says something impossible.
    #[error("its beginning is damaged; get the file again from whoever sealed it")]
    Header,
    /// It ends before its end.
    #[error("it is cut off; get the whole file from whoever sealed it")]
    CutOff,
    /// It was sealed under a passphrase, and a key was given.
    #[error("it is sealed under a passphrase, not to a key; give the passphrase")]
    NeedsPassphrase,
    /// It was sealed to keys, and a passphrase was given.
    #[error("it is sealed to keys, not under a passphrase; name the key that it is for")]
    NeedsKey,
    /// It is for other keys.
    #[error("it is sealed to {readers} other keys; name the key that it is for, or ask for it to be sealed to yours")]
    NotForYou {
        /// How many readers it has.
        readers: usize,
    },
    /// The part for this reader was altered.
    #[error("the part of it that is for this key was altered; get the file again from whoever sealed it")]
    Stanza,
    /// The passphrase is another one, or the beginning was altered: nobody can tell which.
    #[error("this passphrase does not open it; try again (Caps Lock?), and if you are sure, get the file again")]
    WrongPassphrase,
    /// The key is not the one that was committed to.
    #[error("its beginning was altered; get the file again from whoever sealed it")]
    Commitment,
    /// Opening it would take more memory or time than any honest file.
    #[error("opening it would take more memory or time than any honest file; do not open it")]
    PassphraseCost,
    /// The contents were altered, exchanged or cut off.
    #[error("its contents were altered or cut off after {good} good bytes; get the file again from whoever sealed it")]
    Altered {
        /// So many bytes before that were as they were sealed.
        good: u64,
    },
}

/// Seals everything in `input` into `output`. Says how many bytes that were. Takes about 128 KiB of memory, whatever the
/// size; under a passphrase 64 MiB for a moment.
///
/// # Errors
/// See [`FileError`]; what has been written until then is to be thrown away.
pub fn seal_file(input: &mut impl BufRead, output: &mut impl Write, to: To<'_>) -> Result<u64, FileError> {
    let (header, key) = Header::make(to)?;
    output.write_all(header.as_bytes()).map_err(FileError::Write)?;
    chunks::seal(&key, input, output)
}

/// Opens the sealed file in `input` into `output`. Says how many bytes came out.
///
/// Every chunk is checked before it is written, but whether the end is the end shows only there: use what was written only
/// when this returns.
///
/// # Errors
/// See [`FileError`]; what has been written until then is to be thrown away.
pub fn open_file(input: &mut impl BufRead, output: &mut impl Write, with: With<'_>) -> Result<u64, FileError> {
    let header = Header::read(input)?;
    header.open(with, input, output)
}

impl Header {
    /// Opens what follows this header in `input` into `output`, as [`open_file`] does.
    ///
    /// # Errors
    /// Those of [`open_file`].
    pub fn open(&self, with: With<'_>, input: &mut impl BufRead, output: &mut impl Write) -> Result<u64, FileError> {
        chunks::open(&self.key(with)?, input, output)
    }
}

#[cfg(test)]
mod tests;
