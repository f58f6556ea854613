//! The log on disk against files that end early, disks that are full, and crashes.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redb::StorageBackend;

use super::*;
use crate::envelope::{Draft, Lifetime, Open, Scheme};
use crate::log::MemoryLog;

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_micros((1_000_000 + second) * 1_000_000).unwrap()
}

fn network(name: &str) -> NetworkHash {
    NetworkHash::plain(&name.parse().unwrap())
}

fn envelope(sender: u8, second: u64, lifetime: u32, size: usize) -> Verified<Envelope> {
    let scheme = Open::new(network("t"), id(sender));
    let message = Bytes::from(vec![7; size]);
    let (title, lifetime) = ("t".parse().unwrap(), Lifetime::secs(lifetime));
    scheme.publish(&Draft { title, message, time: at(second), lifetime }).unwrap()
}

fn settings(max_bytes: usize) -> Settings {
    Settings { max_bytes, ..Settings::default() }
}

fn opening(settings: &Settings, second: u64) -> Opening<'_> {
    let instance = LogInstance::from_bytes([u8::try_from(second % 251).unwrap(); 8]);
    let (version, network) = (Version::Open, network("t"));
    Opening { version, network, own: id(9), settings, now: at(second), begin: at(second), instance }
}

fn open_at(folder: &Path, second: u64) -> (DiskLog, Vec<Remembered>) {
    let mut remembered = Vec::new();
    let log = DiskLog::open(folder, &opening(&settings(1 << 20), second), |envelope| remembered.push(envelope.clone()));
    (log.unwrap(), remembered)
}

/// Waits for the disk.
fn durable(durable: Durable) -> Result<Position, LogError> {
    runtime().block_on(durable)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn committed(log: &DiskLog, position: u64) {
    let mut ends = log.ends();
    runtime().block_on(ends.wait_for(|end| end.get() >= position)).unwrap();
}

fn all(log: &dyn Log) -> Vec<(u64, EnvelopeId)> {
    let page = log.read(log.start(), usize::MAX).unwrap();
    page.entries.iter().map(|entry| (entry.position.get(), entry.envelope.id())).collect()
}

#[test]
fn what_was_appended_is_there_after_a_restart_under_the_same_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open_at(folder.path(), 0);
    let made: Vec<_> = (0..10).map(|second| envelope(1, second, 600, 100)).collect();
    for envelope in &made {
        assert_eq!(log.append(envelope, at(0)), Ok(None));
        assert_eq!(log.get(&envelope.id()).as_ref(), Some(envelope), "had at once, by whoever asks for it");
    }
    committed(&log, 10);
    assert_eq!(log.append(&made[3], at(0)).unwrap().unwrap().get(), 4, "held once");
    let page = log.read(log.start(), 4).unwrap();
    assert_eq!(page.entries.len(), 4);
    let (instance, before) = (log.instance(), all(&log));
    drop(log);

    let (log, remembered) = open_at(folder.path(), 1);
    assert_eq!(log.instance(), instance);
    assert_eq!(
        remembered.iter().map(|row| row.id).collect::<Vec<_>>(),
        made.iter().map(|e| e.id()).collect::<Vec<_>>()
    );
    assert_eq!(all(&log), before);
    assert!(log.reads_disk_after(page.next));
    let rest = log.read(page.next, 99).unwrap();
    assert_eq!(rest.entries.iter().map(|e| e.envelope.clone()).collect::<Vec<_>>(), made[4..]);
    assert_eq!((rest.missed, rest.next), (0, log.end()));
    assert_eq!(log.get(&made[0].id()).as_ref(), Some(&made[0]));
    let own = envelope(9, 20, 600, 100);
    assert_eq!(durable(log.append_own(&own, at(20)).unwrap()).unwrap().get(), 11);
    assert_eq!(log.usage().envelopes, 11);
}

#[test]
fn what_was_late_is_late_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let late = |log: &DiskLog| {
        let page = log.read(log.start(), 9).unwrap();
        page.entries.iter().map(|entry| entry.is_late).collect::<Vec<_>>()
    };
    let (log, _) = open_at(folder.path(), 9);
    for (sender, second) in [(1, 5), (2, 1), (1, 3), (1, 6)] {
        log.append(&envelope(sender, second, 600, 10), at(9)).unwrap();
    }
    committed(&log, 4);
    assert_eq!(late(&log), [false, false, true, false]);
    log.close();
    drop(log);
    assert_eq!(late(&open_at(folder.path(), 10).0), [false, false, true, false]);
}

#[test]
fn readers_see_only_what_is_committed_and_are_told_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open_at(folder.path(), 0);
    let mut ends = log.ends();
    let last = (0..100).map(|second| log.append_own(&envelope(9, second, 600, 50), at(0)).unwrap()).last().unwrap();
    let end = runtime().block_on(async {
        let position = last.await.unwrap();
        ends.wait_for(|end| *end >= position).await.unwrap().get()
    });
    assert_eq!((end, all(&log).len()), (100, 100));
}

#[test]
fn it_keeps_and_drops_what_the_log_in_memory_does() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(3000);
    let disk = DiskLog::open(folder.path(), &opening(&settings, 0), |_| {}).unwrap();
    let memory = MemoryLog::new(disk.instance(), id(9), settings.clone());
    let mut position = 0;
    let cases = [(1, 0, 60, 100), (9, 1, 60, 700), (3, 2, 0, 10)];
    let many = (10..40).map(|second| (2, second, 10 + u32::try_from(second).unwrap(), 200));
    for (sender, second, lifetime, size) in cases.into_iter().chain(many) {
        let envelope = envelope(sender, second, lifetime, size);
        disk.append(&envelope, at(second)).unwrap();
        memory.append(&envelope, at(second)).unwrap();
        position += 1;
        committed(&disk, position);
    }
    assert_eq!((all(&disk), disk.usage()), (all(&memory), memory.usage()));
    for second in [45, 61, 70, 200] {
        disk.expire(at(second));
        memory.expire(at(second));
        let (d, m) =
            (disk.read(disk.cursor_for_test(0), 99).unwrap(), memory.read(disk.cursor_for_test(0), 99).unwrap());
        assert_eq!(d, m, "{second}");
    }
    assert_eq!(disk.usage(), Usage::default());
    drop(disk);
    let (disk, remembered) = open_at(folder.path(), 200);
    // Nothing is held, everything is known, and no position is given again.
    assert_eq!(
        (disk.usage(), remembered.len() as u64, disk.end().position().get()),
        (Usage::default(), position, position)
    );
    drop(disk);
    let (disk, remembered) = open_at(folder.path(), 2000);
    assert_eq!((remembered.len(), disk.end().position().get()), (0, position));
}

impl DiskLog {
    fn cursor_for_test(&self, position: u64) -> Cursor {
        self.inner.cursor(position)
    }
}

#[test]
fn live_only_messages_are_delivered_never_written_and_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open_at(folder.path(), 0);
    let live = envelope(1, 0, 0, 10);
    log.append(&live, at(0)).unwrap();
    committed(&log, 1);
    assert_eq!((all(&log).len(), log.get(&live.id())), (1, None));
    drop(log);
    let (log, remembered) = open_at(folder.path(), 1);
    assert_eq!((all(&log).len(), remembered.len()), (0, 1));
}

#[test]
fn what_lies_before_the_floor_is_forgotten_and_the_floor_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open_at(folder.path(), 0);
    for second in 0..200 {
        log.append(&envelope(1, second, 10, 10), at(0)).unwrap();
    }
    committed(&log, 200);
    log.expire(at(300));
    log.forget_before(at(100));
    log.append(&envelope(1, 301, 600, 10), at(301)).unwrap();
    committed(&log, 201);
    drop(log);
    let (log, remembered) = open_at(folder.path(), 302);
    assert_eq!(log.floor(), at(100));
    // Rows go in groups of ten seconds.
    assert_eq!(remembered.len(), 101);
}

#[test]
fn another_network_mode_or_file_is_refused_by_name_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open_at(folder.path(), 0));
    let file = folder.path().join(DiskLog::FILE);
    let settings = settings(1 << 20);
    let refused = |opening: &Opening<'_>| {
        let before = std::fs::read(&file).unwrap();
        let error = DiskLog::open(folder.path(), opening, |_| {}).unwrap_err();
        assert!(std::fs::read(&file).unwrap() == before, "not a byte is changed");
        error.to_string()
    };
    let ours = opening(&settings, 0);
    assert!(refused(&Opening { network: network("other"), ..ours.clone() }).contains("the log of another network"));
    assert!(refused(&Opening { version: Version::Signed, ..ours.clone() }).contains("the log of a plain network"));
    let held = open_at(folder.path(), 1);
    assert!(refused(&ours).contains("in use by another node"));
    drop(held);

    for foreign in [&b"not a log"[..], b"", b"re", &[0; 100_000]] {
        std::fs::write(&file, foreign).unwrap();
        assert!(refused(&ours).contains("is no log of Sealnet"), "{}", foreign.len());
        assert_eq!(std::fs::read(&file).unwrap(), foreign);
    }
    std::fs::remove_file(&file).unwrap();
    let database = redb::Database::create(&file).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(redb::TableDefinition::<u64, u64>::new("somebody's")).unwrap();
    write.commit().unwrap();
    drop(database);
    assert!(refused(&ours).contains("is no log of Sealnet"));
}

#[test]
fn a_file_that_was_cut_off_or_changed_is_refused_or_whole_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open_at(folder.path(), 0);
    let made: Vec<_> = (0..200).map(|second| envelope(1, second, 6000, 500)).collect();
    made.iter().for_each(|envelope| drop(log.append(envelope, at(0))));
    committed(&log, 200);
    drop(log);
    let file = folder.path().join(DiskLog::FILE);
    let good = std::fs::read(&file).unwrap();
    let settings = settings(1 << 20);
    for part in 1..16 {
        let cut = &good[..good.len() * part / 16];
        std::fs::write(&file, cut).unwrap();
        let error = DiskLog::open(folder.path(), &opening(&settings, 1), |_| {}).unwrap_err();
        assert!(error.to_string().contains("left"), "{error}");
        assert!(std::fs::read(&file).unwrap() == cut, "{part} of 16");
    }
    // A changed byte is refused, or costs one message, or nothing; it is never taken for something else.
    for at_byte in (0..good.len()).step_by(good.len() / 97) {
        let mut changed = good.clone();
        changed[at_byte] ^= 0x10;
        std::fs::write(&file, &changed).unwrap();
        if let Ok(log) = DiskLog::open(folder.path(), &opening(&settings, 1), |_| {}) {
            let page = log.read(log.start(), 999).unwrap();
            for entry in page.entries {
                assert!(made.contains(&entry.envelope));
            }
        }
    }
}

/// A disk in memory with only so much room; it is there for whoever opens it next.
#[derive(Clone, Debug)]
struct SmallDisk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: Arc<AtomicUsize>,
}

impl SmallDisk {
    fn new(room: usize) -> Self {
        SmallDisk { bytes: Arc::default(), room: Arc::new(AtomicUsize::new(room)) }
    }

    fn log(&self, settings: &Settings) -> DiskLog {
        let disk = self.clone();
        if disk.bytes.lock().unwrap().is_empty() {
            let database = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
            let new = Meta::new(LogInstance::from_bytes([3; 8]), at(0));
            store::initialise(&database, Version::Open, &network("t"), &new).unwrap();
        }
        let opener = Box::new(move || redb::Database::builder().create_with_backend(disk.clone()));
        let store = Store::open_with(Path::new("a small disk"), opener).unwrap();
        DiskLog::start(store, &opening(settings, 0), |_| {}).unwrap()
    }
}

impl StorageBackend for SmallDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (bytes, offset) = (self.bytes.lock().unwrap(), usize::try_from(offset).unwrap());
        let there = bytes.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(there);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        let mut bytes = self.bytes.lock().unwrap();
        if len > self.room.load(Ordering::Relaxed).max(bytes.len()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        bytes.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut bytes, offset) = (self.bytes.lock().unwrap(), usize::try_from(offset).unwrap());
        bytes.get_mut(offset..offset + data.len()).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }
}

#[test]
fn a_full_disk_refuses_what_is_new_serves_what_is_held_and_is_written_again_when_there_is_room() {
    let disk = SmallDisk::new(2 << 20);
    let settings = settings(64 << 20);
    let log = disk.log(&settings);
    let trouble = log.trouble().unwrap();
    let mut kept = Vec::new();
    let refused = loop {
        let envelope = envelope(9, kept.len() as u64, 6000, 60_000);
        match log.append_own(&envelope, at(0)).and_then(durable) {
            Ok(_) => kept.push(envelope),
            Err(error) => break (envelope, error),
        }
        assert!(kept.len() < 1000, "the disk never got full");
    };
    assert!(matches!(refused.1, LogError::Disk { .. }), "{:?}", refused.1);
    assert!(!kept.is_empty() && trouble.borrow().is_some());
    assert_eq!(log.get(&refused.0.id()), None, "what was refused is not kept either");
    // What others send waits, and can be had.
    let received = envelope(1, 5000, 6000, 100);
    assert_eq!(log.append(&received, at(0)), Ok(None));
    assert_eq!(log.get(&received.id()).as_ref(), Some(&received));
    for envelope in &kept {
        assert_eq!(log.get(&envelope.id()).as_ref(), Some(envelope));
    }
    assert_eq!(all(&log).len(), kept.len());

    disk.room.store(64 << 20, Ordering::Relaxed);
    committed(&log, kept.len() as u64 + 1);
    runtime().block_on(async {
        log.trouble().unwrap().wait_for(Option::is_none).await.unwrap();
    });
    let again = envelope(9, 6000, 6000, 60_000);
    assert_eq!(durable(log.append_own(&again, at(0)).unwrap()).unwrap().get(), kept.len() as u64 + 2);
    drop(log);
    let log = disk.log(&settings);
    let mut expected: Vec<_> = kept.iter().chain([&received, &again]).map(|envelope| envelope.id()).collect();
    let mut found: Vec<_> = all(&log).into_iter().map(|(_, id)| id).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_disk_that_takes_nothing_does_not_fill_the_memory() {
    let disk = SmallDisk::new(2 << 20);
    let settings = settings(256 << 20);
    let log = disk.log(&settings);
    let outcome = (0..2000).map(|second| log.append(&envelope(1, second, 6000, 60_000), at(0)));
    let refused = outcome.filter_map(Result::err).next();
    assert!(matches!(refused, Some(LogError::Behind { .. })), "{refused:?}");
}

#[test]
fn many_messages_are_known_again_soon() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { max_bytes: 256 << 20, keep: Duration::from_secs(24 * 3600) };
    let count = 100_000;
    let log = DiskLog::open(folder.path(), &opening(&settings, 0), |_| {}).unwrap();
    let mut last = None;
    for n in 0..count {
        let second = u64::from(n) / 100;
        let envelope = envelope(u8::try_from(n % 7).unwrap(), second, 6000 + n, 100);
        while log.append(&envelope, at(second)).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        last = Some(envelope);
    }
    committed(&log, u64::from(count));
    drop(log);
    let mut remembered = 0;
    let log = DiskLog::open(folder.path(), &opening(&settings, 1), |_| remembered += 1).unwrap();
    assert_eq!((remembered, log.usage().envelopes), (count, 100_000));
    let last = last.unwrap();
    assert_eq!(log.get(&last.id()), Some(last));
}
