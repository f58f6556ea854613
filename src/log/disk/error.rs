//! Why a log on disk cannot be opened.

use std::io;
use std::path::PathBuf;

/// A log on disk was not opened. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenLogError {
    /// The file or its folder cannot be used.
    #[error("{} cannot be {doing}: {error}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was to be done with it.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// Another program has it open.
    #[error("{} is in use by another node; give each node a folder of its own", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is not a log of Sealnet.
    #[error("{} is no log of Sealnet and is left alone; name another folder, or move the file away", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is a log that was cut off or changed from outside.
    #[error(
        "{} is damaged ({why}) and is left as it is; bring back a copy of it, or move it away: the node then begins a new \
         log, and gets from its neighbours what they have kept",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is the log of another network, or of the other kind of the same network.
    #[error(
        "{} is the log of {whose}, and this node is of another one; name another folder for it",
        .path.display()
    )]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// Whose log it is.
        whose: &'static str,
    },
    /// It is a log of a version this program does not know.
    #[error(
        "{} has the log format {found}, and this program knows {known}; use the program that wrote it, or name another \
         folder",
        .path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The one this program writes.
        known: u32,
    },
}
