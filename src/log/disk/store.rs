//! The database file: its tables, and the words for what may be wrong with it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageError,
    TableDefinition, TableError,
};
use sha2::{Digest, Sha256};

use crate::envelope::{Envelope, EnvelopeId, Timestamp, Verified, Version};
use crate::identity::NetworkHash;

use super::super::{LogInstance, Position};
use super::error::OpenLogError;
use super::row::{ROW, Row};

/// What the tables below mean. Another meaning gets another number.
pub(super) const SCHEMA: u32 = 1;

/// Facts about the log as a whole.
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("sealnet log");
/// Position: row. Small, so that a million of them are read at a cold start.
const ROWS: TableDefinition<u64, &[u8; ROW]> = TableDefinition::new("envelopes");
/// Position: check ‖ envelope.
const CONTENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("contents");

/// How every file of the database begins.
const MAGIC: &[u8; 4] = b"redb";
const CHECK: usize = 8;

/// Recently used pages in memory: enough for the trees' upper floors. Newest messages are held by the log itself.
const CACHE: usize = 16 << 20;

/// The facts about a log that never change, and those that do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) instance: LogInstance,
    pub(super) created: Timestamp,
    pub(super) last: u64,
    pub(super) floor: Timestamp,
}

/// What one transaction changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The position before the first of `added`.
    pub(super) after: u64,
    pub(super) added: Vec<Verified<Envelope>>,
    pub(super) dropped: Vec<Dropped>,
    pub(super) floor: Timestamp,
}

/// A content that is not kept any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// The content alone: its id is still to be known.
    Content(u64),
    /// All of it.
    Row(u64),
}

/// Who is told the rows when a log is opened.
pub(super) trait Reader {
    /// So many rows follow.
    fn expect(&mut self, rows: u64);

    /// The row at a position.
    fn row(&mut self, position: u64, row: Row);
}

/// How the database is opened; tests open it in other places than a file.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// The database, which can be closed and opened again behind its users' backs.
pub(super) struct Store {
    path: PathBuf,
    opener: Opener,
    /// Written to only to open or close it; every use reads the lock.
    database: RwLock<Option<Database>>,
}

/// The database cannot be used at the moment.
#[derive(Debug)]
pub(super) struct Unusable(pub(super) String);

impl<E: fmt::Display> From<E> for Unusable {
    fn from(error: E) -> Self {
        Unusable(error.to_string())
    }
}

impl Store {
    /// Opens the log in the file `path`, or makes it there.
    pub(super) fn open(path: &Path, version: Version, network: &NetworkHash, new: &Meta) -> Result<Self, OpenLogError> {
        let file = path.to_owned();
        let opener = move || redb::Builder::new().set_cache_size(CACHE).open(&file);
        let is_missing = match File::open(path) {
            Ok(file) => {
                check_magic(path, file)?;
                false
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(io_error(path, "opened")(error)),
        };
        if is_missing {
            create(path, version, network, new)?;
        } else {
            look(path, version, network)?;
        }
        Self::open_with(path, Box::new(opener))
    }

    /// The database that `opener` opens; `path` is what it is called in words.
    pub(super) fn open_with(path: &Path, opener: Opener) -> Result<Self, OpenLogError> {
        let database = match guarded(|| Ok(opener())) {
            Ok(Ok(database)) => database,
            Ok(Err(error)) => return Err(open_error(path, &error)),
            Err(Unusable(why)) => return Err(damaged(path, &why)),
        };
        Ok(Store { path: path.to_owned(), opener, database: RwLock::new(Some(database)) })
    }

    /// Reads what the log says of itself, and each of its rows in the order of positions.
    pub(super) fn load(
        &self,
        version: Version,
        network: &NetworkHash,
        reader: &mut impl Reader,
    ) -> Result<Meta, OpenLogError> {
        guarded(|| Ok(self.load_all(version, network, reader)))
            .unwrap_or_else(|error| Err(damaged(&self.path, &error.0)))
    }

    fn load_all(
        &self,
        version: Version,
        network: &NetworkHash,
        reader: &mut impl Reader,
    ) -> Result<Meta, OpenLogError> {
        let broken = |error: Unusable| damaged(&self.path, &error.0);
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| damaged(&self.path, "it is closed"))?;
        let read = database.begin_read().map_err(|error| broken(error.into()))?;
        let meta = meta_of(&self.path, &read, version, network)?;
        let rows = read.open_table(ROWS).map_err(|error| broken(error.into()))?;
        reader.expect(rows.len().map_err(|error| broken(error.into()))?);
        for row in rows.range(0..).map_err(|error| broken(error.into()))? {
            let (position, row) = row.map_err(|error| broken(error.into()))?;
            let position = position.value();
            let row = Row::decode(position, row.value());
            let row = row.filter(|_| position <= meta.last);
            reader.row(position, row.ok_or_else(|| damaged(&self.path, "a row is not what was written"))?);
        }
        Ok(meta)
    }

    /// Writes everything that changed, and brings it to the disk.
    pub(super) fn commit(&self, changes: &Changes) -> Result<(), Unusable> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or("the log is not open")?;
        guarded(|| write(database, changes))
    }

    /// The envelopes at these positions, as far as they are there and are what was written.
    pub(super) fn contents(
        &self,
        wanted: &[(u64, EnvelopeId)],
        version: Version,
        network: &NetworkHash,
    ) -> Result<Vec<Option<Verified<Envelope>>>, Unusable> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or("the log is not open")?;
        guarded(|| {
            let contents = database.begin_read()?.open_table(CONTENTS)?;
            let mut found = Vec::with_capacity(wanted.len());
            for (position, id) in wanted {
                let envelope = contents.get(position)?.and_then(|content| {
                    let (check, envelope) = content.value().split_first_chunk::<CHECK>()?;
                    let envelope = Bytes::copy_from_slice(envelope);
                    let is_sound = *check == check_of(&envelope);
                    is_sound.then(|| Verified::from_own_log(envelope, version, network, id)).flatten()
                });
                found.push(envelope);
            }
            Ok(found)
        })
    }

    /// Closes the database and opens it again: after an error it takes nothing more before that.
    pub(super) fn reopen(&self) -> Result<(), Unusable> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let_go(database.take());
        *database = Some(guarded(|| Ok((self.opener)()?))?);
        Ok(())
    }

    pub(super) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let_go(database);
    }
}

/// Closes a database, which writes what makes the next opening quick.
fn let_go(database: Option<Database>) {
    if let Err(Unusable(why)) = guarded(move || {
        drop(database);
        Ok(())
    }) {
        tracing::warn!(why, "the log was not closed well; it is checked when it is opened next");
    }
}

/// The database has an error for most of what may be wrong with a file, and panics on the rest: on pages that contradict
/// each other, because somebody cut the file off or wrote over it.
fn guarded<T>(act: impl FnOnce() -> Result<T, Unusable>) -> Result<T, Unusable> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err(Unusable("its pages contradict each other".to_owned())))
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What the log says of itself, if it is this network's.
fn meta_of(path: &Path, read: &ReadTransaction, version: Version, network: &NetworkHash) -> Result<Meta, OpenLogError> {
    match read.open_table(META) {
        Ok(meta) => check_meta(path, &meta, version, network),
        Err(TableError::Storage(error)) => Err(damaged(path, &error.to_string())),
        Err(_) => Err(OpenLogError::Foreign { path: path.to_owned() }),
    }
}

/// Looks into the file without changing a byte of it: opening a database for writing does. After a crash that is not
/// possible before it is repaired.
fn look(path: &Path, version: Version, network: &NetworkHash) -> Result<(), OpenLogError> {
    let looked = guarded(|| {
        let database = match redb::Builder::new().set_cache_size(CACHE).open_read_only(path) {
            Ok(database) => database,
            Err(DatabaseError::RepairAborted) => return Ok(Ok(())),
            Err(error) => return Ok(Err(open_error(path, &error))),
        };
        let read = database.begin_read()?;
        Ok(meta_of(path, &read, version, network).map(drop))
    });
    looked.unwrap_or_else(|Unusable(why)| Err(damaged(path, &why)))
}

fn check_meta(
    path: &Path,
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    version: Version,
    network: &NetworkHash,
) -> Result<Meta, OpenLogError> {
    let number = |name| fact::<8>(path, meta, name).map(u64::from_be_bytes);
    let found = u32::from_be_bytes(fact(path, meta, "schema")?);
    if found != SCHEMA {
        return Err(OpenLogError::Schema { path: path.to_owned(), found, known: SCHEMA });
    }
    let other = |whose| OpenLogError::OtherNetwork { path: path.to_owned(), whose };
    match (fact(path, meta, "version")?, version) {
        ([0], Version::Signed) => return Err(other("a plain network")),
        ([1], Version::Open) => return Err(other("a secure network")),
        _ => {}
    }
    if fact(path, meta, "network")? != *network.as_bytes() {
        return Err(other("another network"));
    }
    Ok(Meta {
        instance: LogInstance::from_bytes(fact(path, meta, "instance")?),
        created: Timestamp::from_micros(number("created")?).unwrap_or_default(),
        last: number("last")?,
        floor: Timestamp::from_micros(number("floor")?).unwrap_or_default(),
    })
}

fn fact<const N: usize>(
    path: &Path,
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &'static str,
) -> Result<[u8; N], OpenLogError> {
    let found = meta.get(name).map_err(|error| damaged(path, &error.to_string()))?;
    let fact = found.and_then(|bytes| bytes.value().try_into().ok());
    fact.ok_or_else(|| damaged(path, &format!("its `{name}` is missing")))
}

/// Makes the log under another name, complete, and then gives it its own: whatever happens meanwhile, no half a log is
/// ever found under its name.
fn create(path: &Path, version: Version, network: &NetworkHash, new: &Meta) -> Result<(), OpenLogError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = PathBuf::from(name);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&temporary, "removed")(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&temporary).map_err(io_error(&temporary, "made"))?;
    let made = redb::Builder::new()
        .set_cache_size(CACHE)
        .create_file(file)
        .map_err(Unusable::from)
        .and_then(|database| initialise(&database, version, network, new));
    made.map_err(|error| io_error(&temporary, "written")(io::Error::other(error.0)))?;
    std::fs::rename(&temporary, path).map_err(io_error(path, "made"))?;
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder, "brought to disk"))
}

/// Writes the facts of a new log, and its empty tables.
pub(super) fn initialise(
    database: &Database,
    version: Version,
    network: &NetworkHash,
    new: &Meta,
) -> Result<(), Unusable> {
    let write = database.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        meta.insert("schema", &SCHEMA.to_be_bytes()[..])?;
        meta.insert("version", &[version.as_byte()][..])?;
        meta.insert("network", &network.as_bytes()[..])?;
        meta.insert("instance", &new.instance.as_bytes()[..])?;
        meta.insert("created", &new.created.as_micros().to_be_bytes()[..])?;
        meta.insert("last", &new.last.to_be_bytes()[..])?;
        meta.insert("floor", &new.floor.as_micros().to_be_bytes()[..])?;
        write.open_table(ROWS)?;
        write.open_table(CONTENTS)?;
    }
    write.commit()?;
    Ok(())
}

fn write(database: &Database, changes: &Changes) -> Result<(), Unusable> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let mut rows = transaction.open_table(ROWS)?;
        let mut contents = transaction.open_table(CONTENTS)?;
        let mut position = changes.after;
        let mut content = Vec::new();
        for envelope in &changes.added {
            position += 1;
            let is_held = !envelope.lifetime().is_live_only();
            rows.insert(position, &Row::of(envelope, is_held).encode(position))?;
            if is_held {
                content.clear();
                content.extend_from_slice(&check_of(envelope.as_bytes()));
                content.extend_from_slice(envelope.as_bytes());
                contents.insert(position, &content[..])?;
            }
        }
        for dropped in &changes.dropped {
            match *dropped {
                Dropped::Row(position) => {
                    rows.remove(position)?;
                    contents.remove(position)?;
                }
                Dropped::Content(position) => {
                    contents.remove(position)?;
                    let row = rows.get(position)?.and_then(|row| Row::decode(position, row.value()));
                    if let Some(row) = row {
                        rows.insert(position, &Row { is_held: false, ..row }.encode(position))?;
                    }
                }
            }
        }
        meta.insert("last", &position.to_be_bytes()[..])?;
        meta.insert("floor", &changes.floor.as_micros().to_be_bytes()[..])?;
    }
    transaction.commit()?;
    Ok(())
}

/// What notices that bytes on the disk are not those that were written. The id says nothing about the signature, and
/// neighbours would hold a broken one against this node.
fn check_of(envelope: &[u8]) -> [u8; CHECK] {
    let digest: [u8; 32] = Sha256::digest(envelope).into();
    let mut check = [0; CHECK];
    check.copy_from_slice(&digest[..CHECK]);
    check
}

fn check_magic(path: &Path, file: File) -> Result<(), OpenLogError> {
    let mut begin = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut begin).map_err(io_error(path, "read"))?;
    if begin == MAGIC { Ok(()) } else { Err(OpenLogError::Foreign { path: path.to_owned() }) }
}

fn io_error(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> OpenLogError {
    let path = path.to_owned();
    move |error| OpenLogError::Io { path: path.clone(), doing, error }
}

fn damaged(path: &Path, why: &str) -> OpenLogError {
    OpenLogError::Damaged { path: path.to_owned(), why: why.to_owned() }
}

fn open_error(path: &Path, error: &DatabaseError) -> OpenLogError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenLogError::InUse { path: path.to_owned() },
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            io_error(path, "opened")(error.kind().into())
        }
        error => damaged(path, &error.to_string()),
    }
}

impl Meta {
    /// The facts of a log that begins now.
    pub(super) fn new(instance: LogInstance, created: Timestamp) -> Self {
        Meta { instance, created, last: Position::default().get(), floor: Timestamp::default() }
    }
}
