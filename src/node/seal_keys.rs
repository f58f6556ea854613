//! A node's seal keys: kept, changed in time, and published, so that others can seal to this node also while it is away.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::envelope::Timestamp;
use crate::identity::KeyFileProblem;
use crate::overlay::MemberRecord;
use crate::sealed::{Rotation, SealSecrets, SealSecretsError};

/// The name of the file in a node's own folder.
const FILE: &str = "seal.keys";

/// Where a node has its seal keys from.
#[derive(Debug)]
pub(super) enum SealPlace {
    /// They were given to it, and end with it.
    Memory(SealSecrets),
    /// This file, which is made if it is missing.
    File(PathBuf),
    /// This file if it can be written; otherwise nothing is sealed to this node.
    FileIfPossible(PathBuf),
}

impl SealPlace {
    /// In a node's own folder, or beside its key, as it is configured.
    pub(super) fn configured(folder: Option<&Path>, identity: &Path) -> Self {
        SealPlace::FileIfPossible(folder.map_or_else(|| identity.with_extension("seal"), |folder| folder.join(FILE)))
    }
}

#[derive(Debug)]
struct Kept {
    secrets: SealSecrets,
    /// They differ from those in the file.
    is_new: bool,
}

/// The seal keys of a running node.
#[derive(Debug)]
pub(super) struct SealKeys {
    kept: RwLock<Kept>,
    path: Option<PathBuf>,
    rotation: Rotation,
}

impl SealKeys {
    /// Reads or makes the keys. Reads and writes files. `None`: this node has none.
    pub(super) fn open(place: SealPlace, now: Timestamp, keep: Duration) -> Result<Option<Self>, SealSecretsError> {
        let default = Rotation::default();
        // What is kept for long may be opened for as long.
        let rotation = Rotation { keep: default.keep.max(keep), ..default };
        let (secrets, path) = match place {
            SealPlace::Memory(secrets) => (secrets, None),
            SealPlace::File(path) => (SealSecrets::load_or_make(&path, now, &rotation)?, Some(path)),
            SealPlace::FileIfPossible(path) => match SealSecrets::load_or_make(&path, now, &rotation) {
                Ok(secrets) => (secrets, Some(path)),
                Err(error) if is_about_place(&error) => {
                    tracing::warn!(%error, "this node has no place for seal keys: nothing can be sealed to it");
                    return Ok(None);
                }
                Err(error) => return Err(error),
            },
        };
        Ok(Some(SealKeys { kept: RwLock::new(Kept { secrets, is_new: false }), path, rotation }))
    }

    /// Does something with the keys as they are now.
    pub(super) fn with<T>(&self, act: impl FnOnce(&SealSecrets) -> T) -> T {
        act(&self.kept.read().unwrap_or_else(PoisonError::into_inner).secrets)
    }

    /// Changes the keys if it is time, and writes them down before anybody hears of a new one. Waits for the disk.
    pub(super) fn keep_up(&self, now: Timestamp) -> Result<(), SealSecretsError> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.is_new |= kept.secrets.keep_up(now, &self.rotation)?;
        if let (true, Some(path)) = (kept.is_new, &self.path) {
            kept.secrets.save(path)?;
        }
        kept.is_new = false;
        Ok(())
    }

    /// The part of this node's record that others need for sealing.
    pub(super) fn record(&self) -> MemberRecord {
        self.with(|secrets| MemberRecord {
            seal_key: Some(*secrets.key().as_bytes()),
            seal_until: secrets.until(),
            ..MemberRecord::default()
        })
    }
}

/// Whether the file is not at fault, but where it should be.
fn is_about_place(error: &SealSecretsError) -> bool {
    let SealSecretsError::File(error) = error else { return false };
    matches!(
        error.problem(),
        KeyFileProblem::Io { .. } | KeyFileProblem::FolderWritable { .. } | KeyFileProblem::FolderShared { .. }
    )
}
