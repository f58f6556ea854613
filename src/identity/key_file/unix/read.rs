//! Reading: first the file is opened, then what was opened is judged, then it is read.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::super::{KeyFileError, KeyFileProblem};

/// See [`read_secret_file`](crate::identity::read_secret_file).
pub(in super::super) fn read_secret_file(path: &Path, max_len: usize) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let read = || {
        let (file, metadata) = open(path, OFlags::NOFOLLOW)?;
        judge_secret(metadata.mode(), metadata.uid(), rustix::process::geteuid().as_raw())?;
        read_opened(file, metadata.len(), max_len)
    };
    read().map_err(|problem| KeyFileError::new(path, problem))
}

/// The contents of a file that is no secret: regular, at most `max_len` bytes. Links are followed.
pub(in super::super) fn read_public_file(path: &Path, max_len: usize) -> Result<Vec<u8>, KeyFileError> {
    let read = || {
        let (file, metadata) = open(path, OFlags::empty())?;
        read_opened(file, metadata.len(), max_len)
    };
    read().map(|mut bytes| std::mem::take(&mut *bytes)).map_err(|problem| KeyFileError::new(path, problem))
}

/// Opens a regular file.
fn open(path: &Path, flags: OFlags) -> Result<(File, Metadata), KeyFileProblem> {
    // Without NONBLOCK, opening a named pipe would wait for somebody to write to it.
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Err(KeyFileProblem::Missing),
        // With NOFOLLOW, Linux and macOS say LOOP and some BSDs say MLINK for a link.
        Err(Errno::LOOP | Errno::MLINK) => return Err(KeyFileProblem::SymbolicLink),
        // A socket, or a device without a driver.
        Err(Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP) => return Err(KeyFileProblem::NotAFile),
        Err(error) => return Err(KeyFileProblem::Io { doing: "opened", error: error.into() }),
    };
    let metadata = file.metadata().map_err(|error| KeyFileProblem::Io { doing: "examined", error })?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(KeyFileProblem::NotAFile) }
}

/// Whether a file of this mode and owner can hold a secret of `user`.
fn judge_secret(mode: u32, owner: u32, user: u32) -> Result<(), KeyFileProblem> {
    if owner != user {
        return Err(KeyFileProblem::OtherOwner { owner, user });
    }
    // Where an access control list lets somebody in, the group's bits are the list's mask and not zero either.
    if mode & 0o077 != 0 {
        return Err(KeyFileProblem::LooseMode { mode: mode & 0o7777 });
    }
    Ok(())
}

/// Reads the whole file into a buffer that is never enlarged, because enlarging would leave a copy behind.
pub(super) fn read_opened(mut file: File, len: u64, max_len: usize) -> Result<Zeroizing<Vec<u8>>, KeyFileProblem> {
    let doing = "read";
    let len = usize::try_from(len).ok().filter(|len| *len <= max_len);
    let len = len.ok_or(KeyFileProblem::TooLong { limit: max_len })?;
    let mut bytes = Zeroizing::new(vec![0; len.saturating_add(1)]);
    let mut filled = 0;
    loop {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(KeyFileProblem::Io { doing, error }),
        }
    }
    if filled > len {
        return Err(KeyFileProblem::Io { doing, error: io::Error::other("it grew while it was read; try again") });
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_have_access_to_a_secret() {
        for mode in [0o100_600, 0o100_400, 0o100_700] {
            assert!(judge_secret(mode, 1000, 1000).is_ok());
        }
        for bit in [0o001, 0o002, 0o004, 0o010, 0o020, 0o040] {
            let refused = judge_secret(0o100_600 | bit, 1000, 1000);
            assert!(matches!(refused, Err(KeyFileProblem::LooseMode { mode }) if mode == 0o600 | bit));
        }
    }

    #[test]
    fn a_file_of_another_user_is_refused_even_by_root_and_even_if_it_is_roots() {
        for (owner, user) in [(1000, 1001), (1000, 0), (0, 1000)] {
            assert!(matches!(judge_secret(0o100_600, owner, user), Err(KeyFileProblem::OtherOwner { .. })));
        }
    }
}
