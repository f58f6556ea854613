//! Key files on systems without Unix file modes: refused, because they could not be kept private.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{KeyFileError, KeyFileProblem, NewFile, Overwrite};

fn refuse<T>(path: &Path) -> Result<T, KeyFileError> {
    Err(KeyFileError::new(path, KeyFileProblem::UnsupportedSystem))
}

pub(super) fn read_secret_file(path: &Path, _max_len: usize) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    refuse(path)
}

pub(super) fn read_public_file(path: &Path, _max_len: usize) -> Result<Vec<u8>, KeyFileError> {
    refuse(path)
}

pub(in super::super) fn save(files: &[NewFile<'_>], _overwrite: Overwrite) -> Result<Vec<PathBuf>, KeyFileError> {
    refuse(files.first().map_or(Path::new("the key file"), |file| &file.path))
}

#[cfg(any(feature = "sealed", feature = "control"))]
pub(in super::super) fn replace(path: &Path, _contents: &[u8]) -> Result<(), KeyFileError> {
    refuse(path)
}
