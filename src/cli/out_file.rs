//! A file that is written whole or not at all, readable by its owner alone.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Failure, escape};

/// A file under a passing name beside the one it is to get; dropped before it got that, it is removed.
pub(super) struct OutFile {
    path: PathBuf,
    temporary: PathBuf,
    writer: BufWriter<File>,
    may_replace: bool,
    placed: bool,
}

impl OutFile {
    /// Whether `path` may be written: what is there already is in the way unless it may be replaced.
    pub(super) fn check(path: &Path, may_replace: bool) -> Result<(), Failure> {
        match fs::symlink_metadata(path) {
            Ok(_) if !may_replace => Err(exists(path)),
            Ok(found) if !found.is_file() => {
                Err(Failure::said(format!("{} is no regular file and is left alone", shown(path))))
            }
            _ => Ok(()),
        }
    }

    /// Begins to write `path`, mode 0600.
    pub(super) fn begin(path: &Path, may_replace: bool) -> Result<Self, Failure> {
        Self::check(path, may_replace)?;
        let name = path.file_name().ok_or_else(|| Failure::said(format!("{} names no file", shown(path))))?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| not_written(path, &std::io::Error::other(error)))?;
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{:016x}", u64::from_be_bytes(random)));
        let temporary = path.with_file_name(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(&temporary).map_err(|error| not_written(path, &error))?;
        Ok(OutFile { path: path.to_owned(), temporary, writer: BufWriter::new(file), may_replace, placed: false })
    }

    /// Gives the file its name, complete and on disk.
    pub(super) fn place(mut self) -> Result<(), Failure> {
        let written = self.writer.flush().and_then(|()| self.writer.get_ref().sync_all());
        written.map_err(|error| not_written(&self.path, &error))?;
        if self.may_replace {
            fs::rename(&self.temporary, &self.path).map_err(|error| not_written(&self.path, &error))?;
            self.placed = true;
            return Ok(());
        }
        // Unlike renaming, linking fails where something has come in the way meanwhile. The first name goes with `self`.
        match fs::hard_link(&self.temporary, &self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(&self.path)),
            Err(error) => Err(not_written(&self.path, &error)),
        }
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// A path as it may be shown on a terminal.
pub(super) fn shown(path: &Path) -> String {
    escape(&path.display().to_string()).to_string()
}

fn exists(path: &Path) -> Failure {
    Failure::said(format!(
        "{} exists already and was left as it is; name another file with --out, or replace it with --force",
        shown(path)
    ))
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::said(format!("{} could not be written: {error}", shown(path)))
}
