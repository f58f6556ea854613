//! What can be wrong with a key file, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A key file could not be read or written: which one, why, and what mends it. It never quotes what is in the file.
#[derive(Debug)]
pub struct KeyFileError {
    path: PathBuf,
    problem: KeyFileProblem,
}

/// What is wrong with a key file. Printed as part of a [`KeyFileError`], which knows the file's name.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileProblem {
    /// There is no such file.
    Missing,
    /// The operating system refused something.
    Io {
        /// What was being done, as in "it could not be …".
        doing: &'static str,
        /// What the operating system said.
        error: io::Error,
    },
    /// The path can be no key file's: it names no file, or ends in `.id`, the name of the public half.
    Name,
    /// A symbolic link, which somebody may point elsewhere between one look and the next.
    SymbolicLink,
    /// A folder, device, socket or pipe.
    NotAFile,
    /// A folder that another program holds: a running node its own one, for instance.
    HeldFolder,
    /// Longer than any key.
    TooLong {
        /// The longest that would have been read, in bytes.
        limit: usize,
    },
    /// The file's group or everybody may read or write it.
    LooseMode {
        /// The file's permission bits.
        mode: u32,
    },
    /// The file belongs to another user.
    OtherOwner {
        /// The number of the user it belongs to.
        owner: u32,
        /// The number of the user this process runs as.
        user: u32,
    },
    /// A file of that name exists and was left as it is.
    Exists,
    /// The folder belongs to this user, but others may write to it.
    FolderWritable {
        /// The folder's permission bits.
        mode: u32,
    },
    /// The folder belongs to another user, or is a shared one like `/tmp`.
    FolderShared {
        /// The number of the user it belongs to.
        owner: u32,
        /// The folder's permission bits.
        mode: u32,
    },
    /// No PEM text begins in the file.
    NotPem,
    /// PEM text begins and does not end.
    CutOff,
    /// PEM text whose contents are no key in PKCS#8.
    Damaged,
    /// PEM text with another label, for example a public key.
    OtherLabel(String),
    /// A private key that is encrypted under a passphrase, and none was given.
    Passphrase,
    /// The passphrase does not open the key. (Or the file is damaged: nobody can tell which.)
    WrongPassphrase,
    /// A private key that is encrypted in a way this version does not know.
    OtherEncryption,
    /// Opening the key would take far more memory or time than any honest one.
    PassphraseCost,
    /// A private key of another kind than Ed25519.
    OtherAlgorithm(String),
    /// A version 2 key whose public half is not that of its private half.
    PublicHalf,
    /// Not 64 lower-case hex digits that are an acceptable public key.
    NotAnId,
    /// A PEM file where the id of a node was expected.
    KeyInsteadOfId,
    /// Not 64 lower-case hex digits, where a network key was expected.
    NotANetworkKey,
    /// This system has no Unix file modes, by which a key file could be kept private.
    UnsupportedSystem,
}

impl KeyFileError {
    pub(in crate::identity) fn new(path: &Path, problem: KeyFileProblem) -> Self {
        KeyFileError { path: path.to_owned(), problem }
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &KeyFileProblem {
        &self.problem
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = ShellWord(&self.path);
        match &self.problem {
            KeyFileProblem::Missing => write!(
                f,
                "{path} does not exist; check the path, or make a key: `sealnet keygen NAME` writes keys/NAME.pem and \
                 keys/NAME.id"
            ),
            KeyFileProblem::Io { doing, error } => write!(f, "{path} could not be {doing}: {error}"),
            KeyFileProblem::Name => {
                write!(f, "{path} can be no key file's name; name a file, and not one that ends in .id")
            }
            KeyFileProblem::SymbolicLink => write!(
                f,
                "{path} is a symbolic link, which is not followed to a key; use the path of the file itself: \
                 `readlink -f {path}`"
            ),
            KeyFileProblem::NotAFile => write!(f, "{path} is no regular file; give the path of a key file"),
            KeyFileProblem::HeldFolder => write!(
                f,
                "the folder {path} is held by another program, a running node perhaps; stop it, or write the key elsewhere"
            ),
            KeyFileProblem::TooLong { limit } => {
                write!(f, "{path} is longer than {limit} bytes, so it is no key file; check the path")
            }
            KeyFileProblem::LooseMode { mode } => write!(
                f,
                "{path} may be accessed by others than its owner (mode {mode:04o}); if nobody else has read it: \
                 `chmod 600 {path}`, otherwise make a new key"
            ),
            KeyFileProblem::OtherOwner { owner, user } => write!(
                f,
                "{path} belongs to user {owner}, but this process runs as user {user}; run it as the owner, or: \
                 `sudo chown {user} {path}`"
            ),
            KeyFileProblem::Exists => write!(
                f,
                "{path} exists already and was left as it is; choose another name, or write a new one with --force, \
                 which keeps the old file aside"
            ),
            KeyFileProblem::FolderWritable { mode } => write!(
                f,
                "others may write to the folder {path} (mode {mode:04o}) and could exchange keys in it: \
                 `chmod go-w {path}`"
            ),
            KeyFileProblem::FolderShared { owner, mode } => write!(
                f,
                "the folder {path} is not this user's own (owner {owner}, mode {mode:04o}), and others could exchange \
                 keys in it; make one for the keys: `mkdir -m 700 ~/sealnet-keys`"
            ),
            KeyFileProblem::NotPem => write!(
                f,
                "{path} holds no private key in PEM (it would begin with -----BEGIN PRIVATE KEY-----); check the path, \
                 or make a key with `sealnet keygen NAME`"
            ),
            KeyFileProblem::CutOff => write!(
                f,
                "{path} is cut off: its -----END line is missing or wrong; put back a copy, or make a new key with \
                 `sealnet keygen NAME`"
            ),
            KeyFileProblem::Damaged => write!(
                f,
                "{path} is damaged: its contents are no private key in PKCS#8; put back a copy, or make a new key with \
                 `sealnet keygen NAME`"
            ),
            KeyFileProblem::OtherLabel(label) => write!(
                f,
                "{path} holds \"{}\", where \"PRIVATE KEY\" (PKCS#8) is expected; check the path, or make a key with \
                 `sealnet keygen NAME`",
                label.escape_debug()
            ),
            KeyFileProblem::Passphrase => write!(
                f,
                "{path} has a passphrase, and nobody is there to be asked for it; run this on a terminal, or hand the \
                 passphrase over in a file descriptor: `--passphrase-fd 3 3<FILE`"
            ),
            KeyFileProblem::WrongPassphrase => write!(
                f,
                "this passphrase does not open {path}; try again (Caps Lock? another key?), and if you are sure, put back \
                 a copy of the file"
            ),
            KeyFileProblem::OtherEncryption => write!(
                f,
                "{path} is encrypted in a way that is not read here, or damaged; encrypt it with scrypt and AES: \
                 `(umask 077; openssl pkcs8 -topk8 -v2 aes-256-cbc -scrypt -in {path} -out {})`",
                ShellWord(&self.path.with_extension("new.pem"))
            ),
            KeyFileProblem::PassphraseCost => write!(
                f,
                "opening {path} would take more memory or time than any honest key; if you made it yourself, make it \
                 cheaper: `(umask 077; openssl pkcs8 -topk8 -v2 aes-256-cbc -scrypt -in {path} -out {})`",
                ShellWord(&self.path.with_extension("new.pem"))
            ),
            KeyFileProblem::OtherAlgorithm(algorithm) => write!(
                f,
                "{path} holds a key of the kind {algorithm}, where Ed25519 is expected; make one with \
                 `sealnet keygen NAME`"
            ),
            KeyFileProblem::PublicHalf => write!(
                f,
                "{path} is damaged: the public key in it is not that of its private key; put back a copy, or make a new \
                 key with `sealnet keygen NAME`"
            ),
            KeyFileProblem::NotAnId => write!(
                f,
                "{path} holds no node id (64 lower-case hex digits that are a public key); name the file NAME.id that \
                 `sealnet keygen NAME` writes beside the key"
            ),
            KeyFileProblem::KeyInsteadOfId => write!(
                f,
                "{path} is a PEM file, where a node id is expected; name the file NAME.id that `sealnet keygen NAME` \
                 writes beside the key"
            ),
            KeyFileProblem::NotANetworkKey => write!(
                f,
                "{path} holds no network key (64 lower-case hex digits); copy the file again from a member of the \
                 network"
            ),
            KeyFileProblem::UnsupportedSystem => write!(
                f,
                "{path} was not touched: this system has no Unix file modes, so a key file could not be kept private; \
                 run Sealnet on Linux or macOS"
            ),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            KeyFileProblem::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// A path as one word of a shell command that may be copied as it stands, and harmless on a terminal.
struct ShellWord<'a>(&'a Path);

impl fmt::Display for ShellWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.as_os_str().as_encoded_bytes();
        let text = std::str::from_utf8(bytes).ok();
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ',' | '@');
        // Neither a control nor a direction character: it looks like what it is.
        let is_visible = |c: char| matches!(c, '\'' | '"' | '\\') || c.escape_debug().len() == 1;
        // A path that begins with '-' would be read as an option.
        let dash = if bytes.starts_with(b"-") { "./" } else { "" };
        match text {
            Some(text) if !text.is_empty() && text.chars().all(is_plain) => write!(f, "{dash}{text}"),
            Some(text) if text.chars().all(is_visible) => write!(f, "'{dash}{}'", text.replace('\'', r"'\''")),
            _ => {
                // The quotes of bash and zsh, in which every byte can be written.
                write!(f, "$'{dash}")?;
                for &byte in bytes {
                    match byte {
                        b'\'' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                        b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                        _ => write!(f, "\\x{byte:02x}")?,
                    }
                }
                f.write_str("'")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_command_is_one_word_and_harmless() {
        for (path, word) in [
            ("keys/peer.pem", "keys/peer.pem"),
            ("/home/jörg/a@b", "/home/jörg/a@b"),
            ("my keys/peer.pem", "'my keys/peer.pem'"),
            ("it's", r"'it'\''s'"),
            ("$(rm -r x)", "'$(rm -r x)'"),
            ("-rf", "./-rf"),
            ("-r f", "'./-r f'"),
            ("", "''"),
            ("a\x1b[2Jb'", r"$'a\x1b[2Jb\''"),
            ("a\u{202e}b", r"$'a\xe2\x80\xaeb'"),
        ] {
            assert_eq!(ShellWord(Path::new(path)).to_string(), word);
        }
    }
}
