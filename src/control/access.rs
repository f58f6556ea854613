//! How a running node's interface is reached: the file that only its owner can read.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::config::{Config, ConfigError};
use crate::identity::{
    KeyFileError, KeyFileProblem, NodeId, RandomnessError, encode_hex, read_secret_file, replace_secret_file,
};

/// The longest control file that is read, in bytes.
const MAX_LEN: usize = 4096;

/// How a program reaches a running node's control interface: what the node's control file says. `Debug` shows no token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Access {
    /// `http://127.0.0.1:PORT`, or `unix:` and the path of a socket.
    pub address: String,
    token: Token,
    /// The process of the node.
    pub pid: u32,
    /// The node.
    pub id: NodeId,
}

/// What proves that a request comes from somebody who can read the control file: 64 hex digits.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub(super) struct Token(String);

/// Why a node's control interface cannot be reached from a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The configuration itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It has no control interface.
    #[error(
        "{config} has no control interface; add the section [control] with listen = \"127.0.0.1:0\" to it, and start the \
         node again", config = .config.display()
    )]
    Off {
        /// The configuration.
        config: PathBuf,
    },
    /// The node does not run.
    #[error(
        "no node runs with {config} (there is no {file}); start it: sealnet run --config {config}",
        config = .config.display(), file = .file.display()
    )]
    NotRunning {
        /// The configuration.
        config: PathBuf,
        /// Where its control file would be.
        file: PathBuf,
    },
    /// The file is there and cannot be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It holds something else.
    #[error("{file} is no control file of a node; stop the node, remove the file, and start the node again", file = .0.display())]
    Damaged(PathBuf),
}

impl Access {
    /// A new token for the node `id` of this process, which is reached at `address`.
    pub(super) fn new(address: String, id: NodeId) -> Result<Self, RandomnessError> {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut())?;
        Ok(Access { address, token: Token(encode_hex(bytes.as_ref())), pid: std::process::id(), id })
    }

    /// What the node that runs with the configuration `path` wrote down.
    ///
    /// # Errors
    /// If it has no control interface, does not run, or its file is not as it should be.
    pub fn load(path: &Path) -> Result<Self, AccessError> {
        let config = Config::load(path)?;
        let Some(file) = config.control_file() else {
            return Err(AccessError::Off { config: path.to_owned() });
        };
        match Self::read(&file) {
            Err(AccessError::File(error)) if matches!(error.problem(), KeyFileProblem::Missing) => {
                Err(AccessError::NotRunning { config: path.to_owned(), file })
            }
            outcome => outcome,
        }
    }

    /// What the control file `file` says.
    ///
    /// # Errors
    /// If it cannot be read, others may read it, or it holds something else.
    pub fn read(file: &Path) -> Result<Self, AccessError> {
        let text = read_secret_file(file, MAX_LEN)?;
        serde_json::from_slice(&text).map_err(|_| AccessError::Damaged(file.to_owned()))
    }

    /// Writes it, mode 0600 and in one step.
    pub(super) fn write(&self, file: &Path) -> Result<(), KeyFileError> {
        // Text, numbers and fixed keys always serialize.
        let mut text = zeroize::Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        text.push(b'\n');
        replace_secret_file(file, &text)
    }

    /// Takes the file away, unless another node has written its own there since.
    pub(super) fn remove(&self, file: &Path) {
        if Self::read(file).is_ok_and(|theirs| theirs.token.is(self.token.0.as_bytes())) {
            let _ = std::fs::remove_file(file);
        }
    }

    /// The value of the header `Authorization`.
    pub(super) fn bearer(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(format!("Bearer {}", self.token.0))
    }

    /// Where the page is, token included, where a browser can reach it: not behind a socket. The part after the `#` never
    /// leaves the browser.
    pub fn page(&self) -> Option<String> {
        self.address.starts_with("http://").then(|| format!("{}/#token={}", self.address, self.token.0))
    }

    pub(super) fn token(&self) -> Token {
        self.token.clone()
    }
}

impl Token {
    /// Whether `presented` is it. Takes as long for a guess that is nearly right as for one that is not.
    pub(super) fn is(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("address", &self.address).field("token", &"[redacted]").finish_non_exhaustive()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_whole_token_is_taken_and_nothing_shows_it() {
        let access = Access::new("http://127.0.0.1:1".into(), NodeId::from_bytes([1; 32])).unwrap();
        let (token, text) = (access.token(), access.token.0.clone());
        assert_eq!(text.len(), 64);
        assert!(token.is(text.as_bytes()));
        for wrong in ["", &text[..63], &format!("{text}0"), &text.to_uppercase(), &"0".repeat(64)] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
        assert!(!format!("{access:?}{token:?}").contains(&text));
    }

    #[test]
    fn the_file_is_its_owners_alone_is_replaced_whole_and_goes_only_with_its_node() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("peer.control");
        let [first, second] =
            [1, 2].map(|n| Access::new(format!("http://127.0.0.1:{n}"), NodeId::from_bytes([n; 32])).unwrap());
        first.write(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        second.write(&file).unwrap();
        assert_eq!(Access::read(&file).unwrap().address, "http://127.0.0.1:2");
        first.remove(&file);
        assert!(file.exists(), "it is the second one's");
        second.remove(&file);
        assert!(!file.exists());
        second.write(&file).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Access::read(&file).unwrap_err().to_string().contains("chmod"));
    }
}
