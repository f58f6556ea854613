//! The state file: the few facts a node must not forget, whatever becomes of its log.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::envelope::Timestamp;
use crate::identity::{NetworkHash, NodeId, encode_hex};

use super::papers;

/// So far ahead of the clock own times are allowed with one writing of the file.
const AHEAD: Duration = Duration::from_secs(10);
/// And at least so far ahead of the last own time, should that lie ahead of the clock itself: enough for ten thousand
/// messages, and too little to let a node that is restarted again and again run away from the clock.
const AHEAD_AT_LEAST: Duration = Duration::from_millis(10);
/// The clock is noted this often while nothing is published.
const NOTED_EVERY: Duration = Duration::from_secs(600);

const FORMAT: u32 = 1;
/// Nobody has that many first-use keys.
const MAX_LEN: u64 = 1 << 20;

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
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
    /// Another node uses the folder.
    #[error("{} is in use by another node; give each node a folder of its own", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It is not what this program wrote.
    #[error(
        "{} is no state file of Sealnet ({why}) and is left alone; bring back a copy, or move it away if this machine's \
         clock is right and the node was stopped more than a minute ago",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is the state of another node or network.
    #[error("{} belongs to another {whose}; name another folder for this node", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// A node, or a network.
        whose: &'static str,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    format: u32,
    network: String,
    /// The identity whose times these are; a plain node has another name at each start.
    node: Option<NodeId>,
    /// Own envelopes up to this time were made before the log began: they are history.
    own_start: u64,
    /// No own envelope is later.
    last_time: u64,
    /// The latest time that this node's clock has shown.
    clock_seen: u64,
    revocation_epoch: u64,
    /// The list with that epoch, in base64.
    #[serde(default)]
    revocations: Option<String>,
    /// Keys that were trusted because they were the first to answer, by address.
    first_use_keys: std::collections::BTreeMap<String, String>,
    /// Neighbours to go back to.
    #[serde(default)]
    peers: Vec<Peer>,
}

/// A neighbour to go back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Peer {
    id: NodeId,
    address: SocketAddr,
}

/// What a node remembers of itself over restarts. One node at a time has the file's folder.
pub struct State {
    path: PathBuf,
    record: Mutex<Record>,
    last_time: AtomicU64,
    clock_seen: AtomicU64,
    /// Locked while the node runs.
    folder: Mutex<Option<File>>,
}

impl State {
    /// The name of the file in the folder of a node.
    pub const FILE: &'static str = "state.json";

    /// Takes `folder` for this node, making it (mode 0700) if it is missing, and reads the state in it.
    ///
    /// # Errors
    /// If another node uses the folder, or the file in it is damaged, another node's or another network's.
    pub fn open(folder: &Path, network: &NetworkHash, node: Option<NodeId>) -> Result<Self, StateError> {
        let fail = |doing| move |error| StateError::Io { path: folder.to_owned(), doing, error };
        make(folder).map_err(fail("made"))?;
        let lock = File::open(folder).map_err(fail("opened"))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse { path: folder.to_owned() }),
            // Some network file systems know no locks on folders; the log's own file is locked besides.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let path = folder.join(Self::FILE);
        let network = encode_hex(network.as_bytes());
        let record = match read(&path)? {
            Some(record) => {
                let other = |whose| StateError::Other { path: path.clone(), whose };
                if record.network != network {
                    return Err(other("network"));
                }
                if node.is_some() && record.node != node {
                    return Err(other("node"));
                }
                record
            }
            None => Record {
                format: FORMAT,
                network,
                node,
                own_start: 0,
                last_time: 0,
                clock_seen: 0,
                revocation_epoch: 0,
                revocations: None,
                first_use_keys: std::collections::BTreeMap::new(),
                peers: Vec::new(),
            },
        };
        Ok(State {
            path,
            last_time: AtomicU64::new(record.last_time),
            clock_seen: AtomicU64::new(record.clock_seen),
            record: Mutex::new(record),
            folder: Mutex::new(Some(lock)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder it is in.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// No own envelope is later than this.
    pub fn last_time(&self) -> Timestamp {
        time(self.last_time.load(Ordering::Relaxed))
    }

    /// The latest time that was noted of this node's clock.
    pub fn clock_seen(&self) -> Timestamp {
        time(self.clock_seen.load(Ordering::Relaxed))
    }

    /// Own envelopes up to this time were made before the log began.
    pub fn own_start(&self) -> Timestamp {
        time(self.lock().own_start)
    }

    /// Whether an envelope of this time may be made without writing the file first.
    pub fn allows(&self, time: Timestamp) -> bool {
        time <= self.last_time()
    }

    /// Whether the clock is to be noted again.
    pub fn is_behind(&self, now: Timestamp) -> bool {
        now > self.clock_seen().plus(NOTED_EVERY)
    }

    /// Allows own times up to some seconds after `time`, which the next start will begin after. Waits for the disk.
    ///
    /// # Errors
    /// If the file cannot be written; no more is allowed then than before.
    pub fn write_ahead(&self, time: Timestamp, now: Timestamp) -> Result<(), StateError> {
        self.write(now, |record| {
            let ahead = now.plus(AHEAD).max(time.plus(AHEAD_AT_LEAST));
            record.last_time = record.last_time.max(ahead.as_micros());
        })
    }

    /// Notes the clock, and when a log was begun anew. Waits for the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn note(&self, now: Timestamp, own_start: Option<Timestamp>) -> Result<(), StateError> {
        self.write(now, |record| {
            if let Some(own_start) = own_start {
                record.own_start = own_start.as_micros();
            }
        })
    }

    /// The bytes of the list of revocations that was written down last.
    pub fn revocations(&self) -> Option<Vec<u8>> {
        data_encoding::BASE64.decode(self.lock().revocations.as_ref()?.as_bytes()).ok()
    }

    /// Writes down a list of revocations, unless one with as high an epoch is there. It is kept whatever becomes of other
    /// files, so that a node that was put back to an older state of them admits nobody anew. Waits for the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_revocations(&self, epoch: u64, list: &[u8]) -> Result<(), StateError> {
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if folder.is_none() || self.lock().revocation_epoch >= epoch {
            return Ok(());
        }
        let clock_seen = self.clock_seen();
        self.write(clock_seen, |record| {
            record.revocation_epoch = epoch;
            record.revocations = Some(data_encoding::BASE64.encode(list));
        })
    }

    /// The certificates of members that former runs wrote down. Waits for the disk.
    ///
    /// # Errors
    /// If their file cannot be read.
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, StateError> {
        papers::read(self.folder()).map_err(|error| self.failed("read", error))
    }

    /// Writes down these certificates, in the place of all that were. Waits for the disk.
    ///
    /// # Errors
    /// If their file cannot be written.
    pub fn replace_certificates(&self, certificates: &[Vec<u8>]) -> Result<(), StateError> {
        papers::replace(self.folder(), certificates).map_err(|error| self.failed("written", error))
    }

    /// Writes down one certificate more, unless the node has stopped. It may be lost with the machine's power.
    ///
    /// # Errors
    /// If their file cannot be written.
    pub fn keep_certificate(&self, certificate: &[u8]) -> Result<(), StateError> {
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if folder.is_none() {
            return Ok(());
        }
        papers::append(self.folder(), certificate).map_err(|error| self.failed("written", error))
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> StateError {
        StateError::Io { path: self.folder().to_owned(), doing, error }
    }

    /// The neighbours that were written down last.
    pub fn peers(&self) -> Vec<(NodeId, SocketAddr)> {
        self.lock().peers.iter().map(|peer| (peer.id, peer.address)).collect()
    }

    /// Writes down the neighbours to go back to after a restart, unless nothing changed or the node has stopped. Waits for
    /// the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn remember_peers(&self, peers: &[(NodeId, SocketAddr)]) -> Result<(), StateError> {
        let peers: Vec<Peer> = peers.iter().map(|(id, address)| Peer { id: *id, address: *address }).collect();
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if folder.is_none() || self.lock().peers == peers {
            return Ok(());
        }
        let clock_seen = self.clock_seen();
        self.write(clock_seen, |record| record.peers = peers)
    }

    /// The node stops: nothing was made after `last_time`. Lets go of the folder.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn close(&self, now: Timestamp, last_time: Timestamp) -> Result<(), StateError> {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if folder.is_none() {
            return Ok(());
        }
        let written = self.write(now, |record| record.last_time = record.last_time.min(last_time.as_micros()));
        if let Some(folder) = folder.take() {
            // Said, not left to the closing of the file: a program that is just being started by this one has it open too.
            let _ = folder.unlock();
        }
        written
    }

    fn write(&self, now: Timestamp, change: impl FnOnce(&mut Record)) -> Result<(), StateError> {
        let mut record = self.lock();
        let mut changed = record.clone();
        change(&mut changed);
        changed.clock_seen = changed.clock_seen.max(now.as_micros());
        write(&self.path, &changed)?;
        self.last_time.store(changed.last_time, Ordering::Relaxed);
        self.clock_seen.store(changed.clock_seen, Ordering::Relaxed);
        *record = changed;
        Ok(())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("path", &self.path).field("last_time", &self.last_time()).finish_non_exhaustive()
    }
}

fn time(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn read(path: &Path) -> Result<Option<Record>, StateError> {
    let damaged = |why: String| StateError::Damaged { path: path.to_owned(), why };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::Io { path: path.to_owned(), doing: "opened", error }),
    };
    let mut text = Vec::new();
    let read = file.take(MAX_LEN).read_to_end(&mut text);
    read.map_err(|error| StateError::Io { path: path.to_owned(), doing: "read", error })?;
    let record: Record = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if record.format != FORMAT {
        return Err(damaged(format!("it has format {}, and this program knows {FORMAT}", record.format)));
    }
    Ok(Some(record))
}

/// Replaces the file: at every moment its name means the old state or the new one, complete.
fn write(path: &Path, record: &Record) -> Result<(), StateError> {
    let fail = |doing| move |error| StateError::Io { path: path.to_owned(), doing, error };
    let mut text = serde_json::to_vec_pretty(record).map_err(|error| fail("written")(error.into()))?;
    text.push(b'\n');
    let temporary = path.with_extension("json.new");
    let mut options = OpenOptions::new();
    // What a crash left under this name is of no use: the folder is this node's alone.
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary).map_err(fail("written"))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(fail("written"))?;
    std::fs::rename(&temporary, path).map_err(fail("replaced"))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail("brought to disk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000).unwrap()
    }

    fn network(name: &str) -> NetworkHash {
        NetworkHash::secure(&name.parse().unwrap())
    }

    fn open(folder: &Path) -> State {
        State::open(folder, &network("a"), Some(NodeId::from_bytes([1; 32]))).unwrap()
    }

    #[test]
    fn times_are_written_ahead_and_exact_after_a_good_end() {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path());
        assert!(!state.allows(at(100)));
        state.write_ahead(at(100), at(100)).unwrap();
        assert!(state.allows(at(110)) && !state.allows(at(111)));
        drop(state);
        let state = open(folder.path());
        assert_eq!((state.last_time(), state.clock_seen()), (at(110), at(100)));
        state.close(at(105), at(104)).unwrap();
        let state = open(folder.path());
        assert_eq!((state.last_time(), state.clock_seen()), (at(104), at(105)));
        // Whoever is killed again and again right after the first message does not run away from the clock.
        drop(state);
        for _ in 0..50 {
            let state = open(folder.path());
            state.write_ahead(state.last_time().max(at(106)), at(106)).unwrap();
        }
        assert!(open(folder.path()).last_time() <= at(117));
    }

    #[test]
    fn a_folder_has_one_node_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path());
        let second = State::open(folder.path(), &network("a"), None);
        assert!(matches!(second, Err(StateError::InUse { .. })));
        state.close(at(1), at(1)).unwrap();
        open(folder.path());
    }

    #[test]
    fn a_foreign_or_damaged_file_is_refused_in_words_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).note(at(5), Some(at(5))).unwrap();
        let file = folder.path().join(State::FILE);
        let good = std::fs::read(&file).unwrap();
        let refused = State::open(folder.path(), &network("b"), None).unwrap_err();
        assert!(refused.to_string().contains("another network"), "{refused}");
        let refused = State::open(folder.path(), &network("a"), Some(NodeId::from_bytes([2; 32]))).unwrap_err();
        assert!(refused.to_string().contains("another node"), "{refused}");
        for bad in [&good[..good.len() / 2], b"", b"{}", b"\xFF\xFE"] {
            std::fs::write(&file, bad).unwrap();
            let refused = State::open(folder.path(), &network("a"), None).unwrap_err();
            assert!(matches!(refused, StateError::Damaged { .. }), "{refused}");
            assert_eq!(std::fs::read(&file).unwrap(), bad);
        }
        std::fs::write(&file, &good).unwrap();
        assert_eq!(open(folder.path()).own_start(), at(5));
    }

    #[test]
    fn neighbours_are_remembered_and_files_from_before_that_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path());
        let peer = |n: u8| (NodeId::from_bytes([n; 32]), SocketAddr::from(([127, 0, 0, 1], n.into())));
        state.remember_peers(&[peer(1), peer(2)]).unwrap();
        state.close(at(1), at(1)).unwrap();
        state.remember_peers(&[peer(3)]).unwrap();
        assert_eq!(open(folder.path()).peers(), [peer(1), peer(2)], "a stopped node writes nothing more");
        let file = folder.path().join(State::FILE);
        let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        record.as_object_mut().unwrap().remove("peers");
        std::fs::write(&file, record.to_string()).unwrap();
        assert_eq!(open(folder.path()).peers(), []);
    }

    #[test]
    fn of_lists_of_revocations_the_latest_is_kept_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path());
        assert_eq!(state.revocations(), None);
        state.keep_revocations(3, b"three").unwrap();
        state.keep_revocations(2, b"two").unwrap();
        state.keep_revocations(3, b"other").unwrap();
        assert_eq!(state.revocations().as_deref(), Some(&b"three"[..]));
        drop(state);
        let state = open(folder.path());
        assert_eq!(state.revocations().as_deref(), Some(&b"three"[..]));
        state.keep_revocations(4, b"four").unwrap();
        assert_eq!(open_again(state, folder.path()).revocations().as_deref(), Some(&b"four"[..]));
    }

    fn open_again(state: State, folder: &Path) -> State {
        drop(state);
        open(folder)
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).note(at(5), None).unwrap();
        let mode = std::fs::metadata(folder.path().join(State::FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
