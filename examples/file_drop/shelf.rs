//! What is here of which file: whole ones, and those that are still coming. Everything in here waits for the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::offer::{Digest, Offer};

/// A file, or as much of it as is here.
pub(crate) struct Held {
    offer: Offer,
    file: File,
    has: Mutex<BTreeSet<u32>>,
}

impl Held {
    /// A file that is here as a whole.
    pub(crate) fn whole(path: &Path) -> io::Result<Held> {
        let offer = Offer::of_file(path)?;
        let has = Mutex::new((0..offer.pieces().len() as u32).collect());
        Ok(Held { offer, file: File::open(path)?, has })
    }

    /// A file that begins to come, or goes on coming. What `part` says is believed only where the hashes say so too: after
    /// whatever break, and whoever wrote it, what is here is what is right.
    pub(crate) fn resume(part: &Path, offer: Offer) -> io::Result<Held> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(part)?;
        let before = file.metadata()?.len();
        file.set_len(offer.size())?;
        let held = Held { offer, file, has: Mutex::default() };
        for piece in 0..held.offer.pieces().len() as u32 {
            if held.offer.place(piece).0 < before && held.read_and_check(piece)?.is_some() {
                held.has().insert(piece);
            }
        }
        Ok(held)
    }

    fn has(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.has.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn offer(&self) -> &Offer {
        &self.offer
    }

    /// The pieces that are here.
    pub(crate) fn pieces(&self) -> BTreeSet<u32> {
        self.has().clone()
    }

    /// Keeps a piece, if it is what it is to be. Says whether it is.
    pub(crate) fn put(&self, piece: u32, bytes: &[u8]) -> io::Result<bool> {
        if !self.offer.is_piece(piece, bytes) {
            return Ok(false);
        }
        self.file.write_all_at(bytes, self.offer.place(piece).0)?;
        self.has().insert(piece);
        Ok(true)
    }

    /// A piece to give away, if it is here. The file may have been changed meanwhile: what is wrong is not passed on.
    pub(crate) fn read(&self, piece: u32) -> io::Result<Option<Vec<u8>>> {
        if !self.has().contains(&piece) {
            return Ok(None);
        }
        let bytes = self.read_and_check(piece)?;
        if bytes.is_none() {
            self.has().remove(&piece);
        }
        Ok(bytes)
    }

    fn read_and_check(&self, piece: u32) -> io::Result<Option<Vec<u8>>> {
        let (start, length) = self.offer.place(piece);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(Some(bytes).filter(|bytes| self.offer.is_piece(piece, bytes)))
    }

    /// Whether the whole is what was offered, now that all its pieces are. It is on the disk then.
    pub(crate) fn is_right(&self) -> io::Result<bool> {
        self.file.sync_all()?;
        let mut file = &self.file;
        file.rewind()?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(Digest::from(hash) == self.offer.sha256());
            }
            hash.update(&buffer[..count]);
        }
    }
}

/// What this node has to give, by the ids of offers. All clones are one shelf.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<BTreeMap<Digest, Arc<Held>>>>);

impl Shelf {
    fn files(&self) -> MutexGuard<'_, BTreeMap<Digest, Arc<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hold(&self, held: Arc<Held>) {
        self.files().insert(held.offer().id(), held);
    }

    pub(crate) fn take_off(&self, offer: &Digest) {
        self.files().remove(offer);
    }

    pub(crate) fn find(&self, offer: &Digest) -> Option<Arc<Held>> {
        self.files().get(offer).cloned()
    }
}
