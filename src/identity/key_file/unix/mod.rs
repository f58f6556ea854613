//! Key files where files have owners and modes.

mod folder;
mod read;
mod write;

pub(super) use read::{read_public_file, read_secret_file};
#[cfg(any(feature = "sealed", feature = "control"))]
pub(in super::super) use write::replace;
pub(in super::super) use write::save;
