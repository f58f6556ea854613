//! Names of keys on the command line: `peer` means `keys/peer.pem` and `keys/peer.id`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The folder that keys lie in.
const FOLDER: &str = "keys";

/// The name of a key: 1 to 64 of `[A-Za-z0-9._-]`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyName(String);

/// The text is no name of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyNameError {
    /// It is a path or has characters that make trouble in file names.
    #[error("a name has 1 to 64 of the characters A-Z, a-z, 0-9, '.', '_', '-'; for a file elsewhere use --out FILE")]
    Characters,
    /// It ends as the files do.
    #[error("leave the ending out: the name alone, like peer for keys/peer.pem")]
    Ending,
}

impl KeyName {
    /// The file with the secret key in the folder `keys` of `root`.
    pub(super) fn secret(&self, root: &Path) -> PathBuf {
        self.file(root, "pem")
    }

    /// The file with the public id.
    pub(super) fn id(&self, root: &Path) -> PathBuf {
        self.file(root, "id")
    }

    /// The file with a network key of this name.
    pub(super) fn network_key(&self, root: &Path) -> PathBuf {
        self.file(root, "key")
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn file(&self, root: &Path, ending: &str) -> PathBuf {
        root.join(FOLDER).join(format!("{}.{ending}", self.0))
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !(begins_well && text.len() <= 64 && text.bytes().all(good)) {
            return Err(KeyNameError::Characters);
        }
        if [".pem", ".id", ".key"].iter().any(|ending| text.ends_with(ending)) {
            return Err(KeyNameError::Ending);
        }
        Ok(KeyName(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_the_folder_of_keys() {
        for good in ["peer", "a", "node-1.site_2", "7"] {
            assert_eq!(
                good.parse::<KeyName>().unwrap().secret(Path::new("")),
                Path::new("keys").join(good.to_owned() + ".pem")
            );
        }
        for bad in ["", ".", "..", "../peer", "a/b", "-force", ".hidden", "a b", "a\n", "é", &"a".repeat(65)] {
            assert_eq!(bad.parse::<KeyName>(), Err(KeyNameError::Characters), "{bad}");
        }
        for bad in ["peer.pem", "peer.id", "network.key"] {
            assert_eq!(bad.parse::<KeyName>(), Err(KeyNameError::Ending), "{bad}");
        }
    }
}
