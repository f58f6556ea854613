//! The folder that keys are written to, held open so that nobody can exchange it meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::super::{KeyFileError, KeyFileProblem};

/// So often, and after such pauses, is looked whether a folder is free.
const LOOKS: u32 = 40;
const LOOK: Duration = Duration::from_millis(50);

/// A folder that nobody but its owner may write to; every name below is looked up in this very folder.
pub(super) struct Folder {
    path: PathBuf,
    file: File,
}

impl Folder {
    /// Opens the folder that `file` is to be in, and makes it (mode 0700) if it is missing. Waits until nobody else writes
    /// there, but not for a node, which holds its folder as long as it runs.
    pub(super) fn of(file: &Path) -> Result<Self, KeyFileError> {
        let folder = Self::shared(file)?;
        // Two programs that write here take turns, so that neither replaces what the other has just written. It is a
        // courtesy among our own: some network file systems know no locks on folders, and then there is none.
        for attempt in 0..LOOKS {
            match folder.file.try_lock() {
                Err(TryLockError::WouldBlock) if attempt + 1 < LOOKS => std::thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => {
                    return Err(KeyFileError::new(&folder.path, KeyFileProblem::HeldFolder));
                }
                Ok(()) | Err(TryLockError::Error(_)) => break,
            }
        }
        Ok(folder)
    }

    /// The same without waiting, for what is one step anyway: a running node holds the lock of its own folder.
    pub(super) fn shared(file: &Path) -> Result<Self, KeyFileError> {
        let path = match file.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let fail = |doing| move |error| KeyFileError::new(path, KeyFileProblem::Io { doing, error });
        make(path).map_err(fail("made"))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(CWD, path, flags, Mode::empty());
        let opened = File::from(opened.map_err(|error| fail("opened")(error.into()))?);
        let metadata = opened.metadata().map_err(fail("examined"))?;
        judge(metadata.mode(), metadata.uid(), metadata.gid(), rustix::process::geteuid().as_raw())
            .map_err(|problem| KeyFileError::new(path, problem))?;
        Ok(Folder { path: path.to_owned(), file: opened })
    }

    fn fail(&self, name: &OsStr, doing: &'static str, error: impl Into<io::Error>) -> KeyFileError {
        KeyFileError::new(&self.path_of(name), KeyFileProblem::Io { doing, error: error.into() })
    }

    /// The path of what is called `name` here.
    pub(super) fn path_of(&self, name: &OsStr) -> PathBuf {
        if self.path == Path::new(".") { PathBuf::from(name) } else { self.path.join(name) }
    }

    /// Whether there is a file called `name`. Anything but a regular file is an error.
    pub(super) fn has_file(&self, name: &OsStr) -> Result<bool, KeyFileError> {
        match rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.fail(name, "examined", error)),
            Ok(found) => match FileType::from_raw_mode(found.st_mode) {
                FileType::RegularFile => Ok(true),
                FileType::Symlink => Err(KeyFileError::new(&self.path_of(name), KeyFileProblem::SymbolicLink)),
                _ => Err(KeyFileError::new(&self.path_of(name), KeyFileProblem::NotAFile)),
            },
        }
    }

    /// Whether anything is called `name`.
    pub(super) fn is_taken(&self, name: &OsStr) -> Result<bool, KeyFileError> {
        match rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(false),
            Ok(_) => Ok(true),
            Err(error) => Err(self.fail(name, "examined", error)),
        }
    }

    /// Whether the regular file `name` holds exactly `contents`.
    pub(super) fn holds(&self, name: &OsStr, contents: &[u8]) -> Result<bool, KeyFileError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::openat(&self.file, name, flags, Mode::empty());
        let file = File::from(file.map_err(|error| self.fail(name, "opened", error))?);
        let len = file.metadata().map_err(|error| self.fail(name, "examined", error))?.len();
        match super::read::read_opened(file, len, contents.len()) {
            Ok(found) => Ok(*found == contents),
            Err(KeyFileProblem::TooLong { .. }) => Ok(false),
            Err(problem) => Err(KeyFileError::new(&self.path_of(name), problem)),
        }
    }

    /// Writes a file that is to be called `name` later, under a name of its own, complete and on disk.
    pub(super) fn write_temporary(
        &self,
        name: &OsStr,
        contents: &[u8],
        mode: u32,
    ) -> Result<Temporary<'_>, KeyFileError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for n in 1_u32.. {
            // Names that a crash left behind are passed over, not reused: another program may be writing there.
            let mut temporary = OsString::from(".");
            temporary.push(name);
            temporary.push(format!(".new-{n}"));
            // Private from the first moment: a umask can only take bits away from 0600.
            let mut file = match rustix::fs::openat(&self.file, &temporary, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => File::from(file),
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(self.fail(name, "written", error)),
            };
            let temporary = Temporary { folder: self, name: temporary, moved: false };
            file.set_permissions(Permissions::from_mode(mode))
                .and_then(|()| file.write_all(contents))
                .and_then(|()| file.sync_all())
                .map_err(|error| self.fail(name, "written", error))?;
            return Ok(temporary);
        }
        Err(self.fail(name, "written", io::Error::other("too many unfinished files lie beside it")))
    }

    /// Gives the file `name` the further name `other`, which must be free.
    pub(super) fn link(&self, name: &OsStr, other: &OsStr) -> Result<(), KeyFileError> {
        match rustix::fs::linkat(&self.file, name, &self.file, other, AtFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(KeyFileError::new(&self.path_of(other), KeyFileProblem::Exists)),
            Err(error) => Err(self.fail(other, "written", error)),
        }
    }

    /// Takes the name `name` away.
    pub(super) fn unlink(&self, name: &OsStr) -> Result<(), KeyFileError> {
        rustix::fs::unlinkat(&self.file, name, AtFlags::empty()).map_err(|error| self.fail(name, "replaced", error))
    }

    /// Brings all changes of names to the disk.
    pub(super) fn sync(&self) -> Result<(), KeyFileError> {
        sync(&self.file)
            .map_err(|error| KeyFileError::new(&self.path, KeyFileProblem::Io { doing: "brought to disk", error }))
    }
}

/// A complete file under a passing name; dropped before it got its own, it is removed.
pub(super) struct Temporary<'a> {
    folder: &'a Folder,
    name: OsString,
    moved: bool,
}

impl Temporary<'_> {
    /// Gives it its name, which must be free.
    pub(super) fn place(self, name: &OsStr) -> Result<(), KeyFileError> {
        // A second name, after which the first goes: unlike renaming, linking fails where something is in the way.
        self.folder.link(&self.name, name)
    }

    /// Gives it its name in place of the file that has it: at every moment, the name means one of the two.
    pub(super) fn replace(mut self, name: &OsStr) -> Result<(), KeyFileError> {
        let folder = &self.folder.file;
        rustix::fs::renameat(folder, &self.name, folder, name)
            .map_err(|error| self.folder.fail(name, "replaced", error))?;
        self.moved = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.moved {
            // Should it stay, it is as private as the key and in nobody's way.
            let _ = self.folder.unlink(&self.name);
        }
    }
}

/// Makes the folder `path` and those above it that are missing, each private.
fn make(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = path.parent().filter(|above| *above != Path::new("")).ok_or(error)?;
            make(above)?;
            match DirBuilder::new().mode(0o700).create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Err(error) => return Err(error),
    }
    let above = path.parent().filter(|above| *above != Path::new("")).unwrap_or(Path::new("."));
    sync(&File::open(above)?)
}

fn sync(folder: &File) -> io::Result<()> {
    match folder.sync_all() {
        // A file system that cannot do it for folders.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// Whether keys of `user` may be written to a folder of this mode, owner and group.
fn judge(mode: u32, owner: u32, group: u32, user: u32) -> Result<(), KeyFileProblem> {
    const STICKY: u32 = 0o1000;
    // Many systems give each user a group of the same number that has no other member, and let files be writable by
    // it by default: a fresh checkout is then. What such a group may, its user may.
    let private_group = group == user && user != 0;
    let by_others = if private_group { 0o002 } else { 0o022 };
    let mode = mode & 0o7777;
    // Root may write anywhere, so a folder of root's adds nobody.
    if owner != user && owner != 0 || mode & by_others != 0 && (owner != user || mode & STICKY != 0) {
        return Err(KeyFileProblem::FolderShared { owner, mode });
    }
    if mode & by_others != 0 { Err(KeyFileProblem::FolderWritable { mode }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        for (mode, owner, group, user) in [
            (0o40_700, 1000, 1000, 1000),
            (0o40_755, 1000, 100, 1000),
            (0o40_775, 1000, 1000, 1000), // writable by the user's own group
            (0o42_755, 1000, 100, 1000),
            (0o40_755, 0, 0, 0),
            (0o40_750, 0, 1000, 1000), // made for the user by root
        ] {
            assert!(judge(mode, owner, group, user).is_ok(), "{mode:o} {owner} {group} {user}");
        }
        for (mode, owner, group, user) in [
            (0o40_777, 1000, 1000, 1000),
            (0o40_702, 1000, 1000, 1000),
            (0o40_775, 1000, 100, 1000),
            (0o40_720, 1000, 100, 1000),
            (0o40_775, 0, 0, 0),
        ] {
            let refused = judge(mode, owner, group, user);
            assert!(matches!(refused, Err(KeyFileProblem::FolderWritable { .. })), "{mode:o} {owner} {group} {user}");
        }
    }

    #[test]
    fn a_folder_that_a_running_node_holds_is_refused_in_words_instead_of_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let held = File::open(folder.path()).unwrap();
        held.lock().unwrap();
        let refused = Folder::of(&folder.path().join("node.pem")).map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("held by another program"), "{refused}");
        drop(held);
        assert!(Folder::of(&folder.path().join("node.pem")).is_ok());
    }

    #[test]
    fn a_shared_or_foreign_folder_is_refused_without_advice_to_change_it() {
        for (mode, owner, group, user) in [
            (0o41_777, 0, 0, 1000),    // /tmp
            (0o41_777, 0, 0, 0),       // /tmp, for root
            (0o41_777, 1000, 0, 1000), // one's own /tmp
            (0o40_775, 0, 100, 1000),
            (0o40_755, 1001, 1001, 1000),
            (0o40_700, 1000, 1000, 0),
        ] {
            let refused = judge(mode, owner, group, user);
            assert!(matches!(refused, Err(KeyFileProblem::FolderShared { .. })), "{mode:o} {owner} {group} {user}");
        }
    }
}
