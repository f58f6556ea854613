//! Reading a log that is there: rows into the shelf on one thread, and into whatever else is to know them on another.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::envelope::Timestamp;

use super::error::OpenLogError;
use super::row::{Remembered, Row};
use super::shelf::Shelf;
use super::store::{Meta, Reader, Store};
use super::{DiskLog, Opening};

/// Rows that go from one thread to the other together.
const CHUNK: usize = 4096;

/// Chunks that may wait for the other thread.
const WAITING: usize = 8;

/// No room is made for more rows than this before they are there.
const EXPECTED: usize = 2_000_000;

/// What is read, on its way.
struct Loading {
    shelf: Shelf,
    now: Timestamp,
    chunk: Vec<Remembered>,
    chunks: SyncSender<Vec<Remembered>>,
}

impl Loading {
    fn pass_on(&mut self) {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        // The other thread ends only after this one, unless it panicked, which the scope then reports.
        let _ = self.chunks.send(chunk);
    }
}

impl Reader for Loading {
    fn expect(&mut self, rows: u64) {
        // What a file says of itself is no reason to take any amount of memory at once.
        self.shelf.expect(usize::try_from(rows).unwrap_or(0).min(EXPECTED));
    }

    fn row(&mut self, position: u64, row: Row) {
        if self.shelf.put_back(position, &row, self.now) {
            self.chunk.push(row.envelope);
            if self.chunk.len() == CHUNK {
                self.pass_on();
            }
        }
    }
}

/// Fills a shelf from the rows, while `remember` is told what could still come back.
pub(super) fn load(
    store: &Store,
    opening: &Opening<'_>,
    mut remember: impl FnMut(&Remembered) + Send,
) -> Result<(Shelf, Meta), OpenLogError> {
    let (sender, chunks) = sync_channel::<Vec<Remembered>>(WAITING);
    std::thread::scope(|scope| {
        let remembering = std::thread::Builder::new().name("sealnet-load".to_owned());
        let remembering = remembering.spawn_scoped(scope, move || {
            chunks.into_iter().for_each(|chunk| chunk.iter().for_each(&mut remember));
        });
        let path = Path::new(DiskLog::FILE).to_owned();
        remembering.map_err(|error| OpenLogError::Io { path, doing: "read by a thread", error })?;
        let shelf = Shelf::new(opening.own, opening.settings);
        let mut loading = Loading { shelf, now: opening.now, chunk: Vec::with_capacity(CHUNK), chunks: sender };
        let meta = store.load(opening.version, &opening.network, &mut loading)?;
        loading.pass_on();
        Ok((loading.shelf, meta))
    })
}
