//! Key files: how identities and network keys lie on disk.
//!
//! A secret is in a file that nobody but its owner may read, in a folder that nobody else may write to; a file that is
//! laxer than that is refused with the command that mends it, never read and complained about afterwards. An identity
//! is PKCS#8 version 1 in PEM (RFC 5958, RFC 8410), so `openssl pkey -in FILE -noout -text` shows it. Its public half
//! lies beside it: `keys/peer.pem` and `keys/peer.id`, the latter 64 hex digits and a line feed. It may be encrypted under
//! a passphrase (PBES2, RFC 8018).
//!
//! What is checked is the file and the folder it is in. Folders further up are not: who may rename those can hide the
//! keys, but cannot read them.

mod error;
mod passphrase;
mod pem;

#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(not(unix), path = "elsewhere.rs")]
mod system;

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Identity, NodeId, PublicKey};

pub use error::{KeyFileError, KeyFileProblem};
pub use passphrase::{Passphrase, PassphraseError};
pub(super) use system::save;

/// The longest file that is read as a key, in bytes. An RSA key of 4,096 bits fits, so that it can be named as what it
/// is.
pub(super) const MAX_LEN: usize = 4096;

/// What happens to a file that is in the way of a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Nothing is written, and the error says what is in the way.
    Refuse,
    /// It is kept as `NAME.old-1`, `NAME.old-2` and so on: the first number that is free, never one that is taken.
    KeepAside,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// The file that was asked for.
    pub path: PathBuf,
    /// The file with the public half, if there is a public half.
    pub id_path: Option<PathBuf>,
    /// Where files that were in the way are now.
    pub kept_aside: Vec<PathBuf>,
}

/// One file that is to be written.
#[cfg_attr(not(unix), allow(dead_code, reason = "nothing is written there"))]
pub(super) struct NewFile<'a> {
    pub(super) path: PathBuf,
    pub(super) contents: &'a [u8],
    pub(super) is_secret: bool,
}

impl Identity {
    /// Writes this identity to `path` (mode 0600) and its id beside it (mode 0644), whatever the process's umask is.
    ///
    /// The id's file is called like `path` with `.id` in place of `.pem`. A missing folder is made with mode 0700; a
    /// folder that others may write to is refused. Both files are on disk when this returns. A crash at any moment
    /// leaves either the old key whole or the new key whole under `path`, and never the id of another key beside it;
    /// only the id may be missing, and [`write_id_file`] brings it back.
    ///
    /// ```
    /// # #[cfg(unix)] fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sealnet::identity::{Identity, Overwrite, read_id_file};
    /// # let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("keys/peer.pem");
    /// let identity = Identity::generate()?;
    /// let saved = identity.save(&path, Overwrite::Refuse)?;
    /// assert_eq!(Identity::load(&path)?.id(), identity.id());
    /// assert_eq!(read_id_file(&saved.id_path.unwrap())?, identity.id());
    /// # Ok(()) }
    /// # #[cfg(unix)] example().unwrap();
    /// ```
    ///
    /// # Errors
    /// If something is in the way, the folder is not safe, or writing fails; the error names the file and the remedy.
    /// Except for a failing disk, nothing has been changed then.
    pub fn save(&self, path: &Path, overwrite: Overwrite) -> Result<Saved, KeyFileError> {
        self.write(path, overwrite, None)
    }

    /// Like [`save`](Self::save), encrypted under a passphrase: PBES2 with scrypt and AES-256-CBC, which OpenSSL opens
    /// (`openssl pkey -in FILE`). Takes some tenths of a second, on purpose.
    ///
    /// ```
    /// # #[cfg(unix)] fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sealnet::identity::{Identity, Overwrite, Passphrase};
    /// # let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("keys/peer.pem");
    /// // A program reads it from a terminal or a file descriptor, never from its arguments.
    /// let passphrase = Passphrase::new(b"correct horse battery staple".to_vec())?;
    /// let identity = Identity::generate()?;
    /// identity.save_with(&path, Overwrite::Refuse, &passphrase)?;
    /// assert_eq!(Identity::load_with(&path, &passphrase)?.id(), identity.id());
    /// # Ok(()) }
    /// # #[cfg(unix)] example().unwrap();
    /// ```
    ///
    /// # Errors
    /// Those of [`save`](Self::save).
    pub fn save_with(&self, path: &Path, overwrite: Overwrite, passphrase: &Passphrase) -> Result<Saved, KeyFileError> {
        self.write(path, overwrite, Some(passphrase))
    }

    fn write(&self, path: &Path, overwrite: Overwrite, passphrase: Option<&Passphrase>) -> Result<Saved, KeyFileError> {
        let id_path = id_path(path)?;
        let text = pem::encode(self, passphrase).map_err(|problem| KeyFileError::new(path, problem))?;
        let id = format!("{}\n", self.id());
        let files = [
            NewFile { path: path.to_owned(), contents: text.as_bytes(), is_secret: true },
            NewFile { path: id_path.clone(), contents: id.as_bytes(), is_secret: false },
        ];
        let kept_aside = save(&files, overwrite)?;
        Ok(Saved { path: path.to_owned(), id_path: Some(id_path), kept_aside })
    }

    /// Reads the identity in the file `path`: PKCS#8 in PEM, version 1 or 2, Ed25519, without a passphrase.
    ///
    /// # Errors
    /// As [`read_secret_file`], and if the file holds anything else; [`KeyFileProblem::Passphrase`] if it takes
    /// [`load_with`](Self::load_with) to open it.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        Self::read(path, None)
    }

    /// Like [`load`](Self::load); if the key has a passphrase, it is opened with this one. Reads PBES2 with scrypt or
    /// PBKDF2 and AES, which is what Sealnet and OpenSSL write. However the file was made, opening it takes at most 128
    /// MiB of memory and some seconds.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and if the passphrase is wrong.
    pub fn load_with(path: &Path, passphrase: &Passphrase) -> Result<Self, KeyFileError> {
        Self::read(path, Some(passphrase))
    }

    fn read(path: &Path, passphrase: Option<&Passphrase>) -> Result<Self, KeyFileError> {
        let text = read_secret_file(path, MAX_LEN)?;
        pem::decode(&text, passphrase).map_err(|problem| KeyFileError::new(path, problem))
    }
}

/// Reads a file that holds a secret: at most `max_len` bytes.
///
/// All checks are made on the opened file, so it cannot be exchanged between check and reading. What is returned is
/// wiped when it is dropped.
///
/// # Errors
/// If the file is a symbolic link or no regular file, belongs to another user than this process runs as, may be
/// accessed by its group or by others (an access control list shows as its group's rights), or is longer than
/// `max_len`; the error names the file and the command that mends it. On systems without Unix file modes: always.
pub fn read_secret_file(path: &Path, max_len: usize) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    system::read_secret_file(path, max_len)
}

/// Writes a secret to `path`, mode 0600, in one step in place of what is there: at every moment the name means the old
/// contents or the new ones, complete. Unlike [`Identity::save`] it keeps nothing of the old ones.
///
/// # Errors
/// If the folder is not safe, something other than a regular file is in the way, or writing fails; then the old file is as
/// it was.
#[cfg(any(feature = "sealed", feature = "control"))]
pub(crate) fn replace_secret_file(path: &Path, contents: &[u8]) -> Result<(), KeyFileError> {
    system::replace(path, contents)
}

/// Reads the id of a node from a file like the `NAME.id` that [`Identity::save`] writes: 64 lower-case hex digits and
/// at most one end of line.
///
/// # Errors
/// If the file cannot be read or does not hold the id of an acceptable key. The contents are never quoted: the file
/// may be a secret one, named by mistake.
pub fn read_id_file(path: &Path) -> Result<NodeId, KeyFileError> {
    let bytes = Zeroizing::new(system::read_public_file(path, MAX_LEN)?);
    let line = trim_end_of_line(&bytes);
    if pem::is_pem(line) {
        return Err(KeyFileError::new(path, KeyFileProblem::KeyInsteadOfId));
    }
    std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.parse::<NodeId>().ok())
        .filter(|id| PublicKey::decode(id).is_ok())
        .ok_or_else(|| KeyFileError::new(path, KeyFileProblem::NotAnId))
}

/// Writes `id` to `path` as [`Identity::save`] does for the file beside the key: mode 0644, 64 hex digits, a line feed.
///
/// A file that says the same already is left as it is, whatever `overwrite` says.
///
/// # Errors
/// Those of [`Identity::save`].
pub fn write_id_file(path: &Path, id: NodeId, overwrite: Overwrite) -> Result<Saved, KeyFileError> {
    let text = format!("{id}\n");
    let file = NewFile { path: path.to_owned(), contents: text.as_bytes(), is_secret: false };
    let kept_aside = save(&[file], overwrite)?;
    Ok(Saved { path: path.to_owned(), id_path: Some(path.to_owned()), kept_aside })
}

/// The file with the public half of the key in `key_path`.
fn id_path(key_path: &Path) -> Result<PathBuf, KeyFileError> {
    let is = |extension: &str| key_path.extension().is_some_and(|found| found == extension);
    let Some(name) = key_path.file_name().filter(|_| !is("id")) else {
        return Err(KeyFileError::new(key_path, KeyFileProblem::Name));
    };
    if is("pem") {
        return Ok(key_path.with_extension("id"));
    }
    // `node.v1` and `node.v2` are two keys and need two ids: nothing is cut off but `.pem`.
    let mut name = name.to_owned();
    name.push(".id");
    Ok(key_path.with_file_name(name))
}

/// `bytes` without one end of line, in the style of Unix or Windows.
pub(super) fn trim_end_of_line(bytes: &[u8]) -> &[u8] {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_lies_beside_the_key_and_never_on_it() {
        for (key, id) in [
            ("keys/peer.pem", "keys/peer.id"),
            ("peer.pem", "peer.id"),
            ("peer", "peer.id"),
            ("/a/node.v1", "/a/node.v1.id"),
            (".pem", ".pem.id"),
        ] {
            assert_eq!(id_path(Path::new(key)).unwrap(), Path::new(id));
        }
        for bad in ["", "..", "/", "keys/peer.id"] {
            assert!(matches!(id_path(Path::new(bad)).unwrap_err().problem(), KeyFileProblem::Name), "{bad}");
        }
    }

    #[test]
    fn one_end_of_line_is_cut_off() {
        for (text, line) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("", ""), ("\n", "")] {
            assert_eq!(trim_end_of_line(text.as_bytes()), line.as_bytes());
        }
    }
}
