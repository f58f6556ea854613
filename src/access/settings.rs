//! How a network decides who may take part.

use serde::{Deserialize, Serialize};

/// The part of the configuration that says who may take part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// Who may take part. All nodes of a network say the same here. Choose `open` where everybody who knows the
    /// network's name is welcome; `allow-list` for a handful of nodes that hardly change; `certificate` where members
    /// come and go, so that no node's configuration has to change for it.
    pub mode: Mode,
}

/// Who may take part in a network. Written `open`, `allow-list`, `certificate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Mode {
    /// Everybody.
    #[default]
    Open,
    /// The identities that are listed in every node's configuration.
    AllowList,
    /// Who holds a [`Certificate`](super::Certificate) of the authority that is not revoked.
    Certificate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_in_kebab_case_and_open_is_the_default() {
        let parse = |text: &str| toml::from_str::<Settings>(text).map(|settings| settings.mode);
        for (text, mode) in [
            ("", Mode::Open),
            ("mode = \"open\"", Mode::Open),
            ("mode = \"allow-list\"", Mode::AllowList),
            ("mode = \"certificate\"", Mode::Certificate),
        ] {
            assert_eq!(parse(text), Ok(mode));
            let settings = Settings { mode };
            assert_eq!(toml::from_str::<Settings>(&toml::to_string(&settings).unwrap()), Ok(settings));
        }
        for bad in ["mode = \"Open\"", "mode = \"allow_list\"", "mode = 0", "mode = \"\""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        assert!(toml::from_str::<Settings>("mod = \"certificate\"").is_err());
    }
}
