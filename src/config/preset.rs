//! Three kinds of networks, and what each of them sets.

use std::fmt;

use crate::overlay;

/// What kind of network a node is in. It sets some twenty numbers at once; hardly anybody needs to touch a single one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Preset {
    /// All nodes on one machine, to learn and to test: quick to notice and to retry.
    Local,
    /// One site with a quick and trusted wire: an office, a laboratory, a classroom.
    Lan,
    /// Nodes anywhere. The only one that counts how many links come from one range of addresses, because only there
    /// a range stands for one party.
    #[default]
    Wan,
}

impl Preset {
    /// All of them.
    pub const ALL: [Preset; 3] = [Preset::Local, Preset::Lan, Preset::Wan];

    /// How it is written: `local`, `lan` or `wan`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Preset::Local => "local",
            Preset::Lan => "lan",
            Preset::Wan => "wan",
        }
    }

    /// The preset that is written like this.
    pub fn from_name(name: &str) -> Option<Self> {
        Preset::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// What it sets about the overlay.
    pub fn overlay(self) -> overlay::Settings {
        match self {
            Preset::Local => overlay::Settings::local(),
            Preset::Lan => overlay::Settings::lan(),
            Preset::Wan => overlay::Settings::wan(),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
