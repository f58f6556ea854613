//! How a network decides who may take part.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::identity::PublicKey;

/// Who may take part, and where that is written. All nodes of a network say the same of it, each with a certificate of
/// its own. Choose [`Open`](Settings::Open) where everybody who knows the network's name is welcome;
/// [`AllowList`](Settings::AllowList) for a handful of nodes that hardly change; [`Certificate`](Settings::Certificate)
/// where members come and go, so that no node's configuration has to change for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settings {
    /// Everybody.
    #[default]
    Open,
    /// The identities in a list that all nodes have.
    AllowList {
        /// The file of the list ([`read_members`](super::read_members)).
        members: PathBuf,
    },
    /// Who holds a [`Certificate`](super::Certificate) of the authority that is not revoked.
    Certificate {
        /// The key of the authority.
        authority: Box<PublicKey>,
        /// The file of this node's own certificate.
        certificate: PathBuf,
        /// The file of a list of revocations, for a node that brings it to the others.
        revocations: Option<PathBuf>,
    },
}

impl Settings {
    /// Which of the three it is.
    pub fn mode(&self) -> Mode {
        match self {
            Settings::Open => Mode::Open,
            Settings::AllowList { .. } => Mode::AllowList,
            Settings::Certificate { .. } => Mode::Certificate,
        }
    }
}

/// How it is decided who may take part. Written `open`, `allow-list`, `certificate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Mode {
    /// Everybody is admitted.
    #[default]
    Open,
    /// A list says who is.
    AllowList,
    /// A certificate says so.
    Certificate,
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 3] = [Mode::Open, Mode::AllowList, Mode::Certificate];

    /// How it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Open => "open",
            Mode::AllowList => "allow-list",
            Mode::Certificate => "certificate",
        }
    }

    /// The mode that is written like this.
    pub fn from_name(name: &str) -> Option<Self> {
        Mode::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_in_kebab_case_and_open_is_the_default() {
        for mode in Mode::ALL {
            assert_eq!(Mode::from_name(mode.as_str()), Some(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
        assert_eq!((Mode::default(), Settings::default().mode()), (Mode::Open, Mode::Open));
        for bad in ["Open", "allow_list", "", "certificates"] {
            assert_eq!(Mode::from_name(bad), None, "{bad}");
        }
    }
}
