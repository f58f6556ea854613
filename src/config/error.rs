//! What can be wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::identity::KeyFileError;

/// A configuration was refused. Printed as `config/peer.toml:4:1: unknown setting "listne"; did you mean "listen"?`
///
/// It never quotes a line of the file: somebody may have written a secret there, or named a key file by mistake.
#[derive(Debug)]
pub struct ConfigError {
    path: Option<PathBuf>,
    position: Option<(usize, usize)>,
    problem: ConfigProblem,
}

/// What is wrong with a configuration. Printed as part of a [`ConfigError`], which knows the place.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// There is no such file.
    Missing,
    /// The file could not be read.
    Io(io::Error),
    /// The file is longer than [`Config::MAX_LEN`](super::Config::MAX_LEN).
    TooLong,
    /// The file is not UTF-8.
    NotText,
    /// It is not TOML.
    Syntax(String),
    /// A setting that there is not.
    UnknownSetting {
        /// As it is written in the file.
        name: String,
        /// What to do about it.
        remedy: String,
    },
    /// A setting that has no default is not there.
    MissingSetting {
        /// Its name.
        name: &'static str,
        /// What to write.
        remedy: String,
    },
    /// A setting has a value that means nothing.
    InvalidValue {
        /// The setting's name.
        name: &'static str,
        /// What is wrong with the value and what to write, as the rest of the sentence.
        why: String,
    },
    /// Two settings do not go together; says which and which to change.
    Contradiction(String),
    /// Something that this version does not do yet; says what to do instead.
    NotYet(String),
    /// The file that is to say which key a genesis node has is not there.
    NoIdFile {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file with the id of a genesis node is not as it should be.
    IdFile(KeyFileError),
}

impl ConfigError {
    pub(super) fn new(path: Option<&Path>, position: Option<(usize, usize)>, problem: ConfigProblem) -> Self {
        ConfigError { path: path.map(Path::to_owned), position, problem }
    }

    /// The file; `None` if the text came from elsewhere.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Line and column of the setting, both counted from 1, the column in characters; `None` if it is about the file as
    /// a whole.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.position
    }

    /// What is wrong.
    pub fn problem(&self) -> &ConfigProblem {
        &self.problem
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}", path.display())?,
            None => f.write_str("configuration")?,
        }
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigProblem::Missing => {
                f.write_str("there is no such file; check the path, or make a network with `sealnet init FOLDER`")
            }
            ConfigProblem::Io(error) => write!(f, "could not be read ({error}); name a file this user may read"),
            ConfigProblem::TooLong => {
                write!(f, "longer than {} bytes, so it is no configuration; check the path", super::Config::MAX_LEN)
            }
            ConfigProblem::NotText => f.write_str("not UTF-8, so it is no configuration; check the path"),
            ConfigProblem::Syntax(what) => {
                write!(f, "this is not TOML: {what}; a setting is written: name = \"value\"")
            }
            ConfigProblem::UnknownSetting { name, remedy } => {
                write!(f, "unknown setting \"{}\"; {remedy}", name.escape_debug())
            }
            ConfigProblem::MissingSetting { name, remedy } => {
                write!(f, "the setting \"{name}\" is missing and has no default; {remedy}")
            }
            ConfigProblem::InvalidValue { name, why } => write!(f, "\"{name}\" {why}"),
            ConfigProblem::Contradiction(what) | ConfigProblem::NotYet(what) => f.write_str(what),
            ConfigProblem::NoIdFile { path } => {
                write!(f, "{} does not exist; ", path.display())?;
                match path.file_stem().and_then(|stem| stem.to_str()) {
                    Some(name) if path.parent().is_some_and(|folder| folder.ends_with("keys")) => write!(
                        f,
                        "run `sealnet keygen {}` if that node is to run on this machine, otherwise copy the file from it",
                        name.escape_debug()
                    ),
                    _ => f.write_str("copy the file from the genesis node; `sealnet keygen` wrote it beside its key"),
                }
            }
            ConfigProblem::IdFile(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            ConfigProblem::Io(error) => Some(error),
            ConfigProblem::IdFile(error) => Some(error),
            _ => None,
        }
    }
}
