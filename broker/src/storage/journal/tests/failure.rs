//! A disk that refuses or fails: a refusal changes nothing, a failure is final.

use super::*;
use crate::disk::{
    Caching, DirectoryEntry, DirectoryLock, Disk, DiskErrorKind, DiskFile, DiskResult, OpenMode,
};

/// What goes wrong next.
#[derive(Default)]
struct Faults {
    on_write: Mutex<Option<DiskErrorKind>>,
    on_sync: Mutex<Option<DiskErrorKind>>,
    on_allocate: Mutex<Option<DiskErrorKind>>,
    writes: std::sync::atomic::AtomicUsize,
    syncs: std::sync::atomic::AtomicUsize,
}

fn fault(kind: &Mutex<Option<DiskErrorKind>>, path: &Path, operation: &'static str) -> DiskResult<()> {
    match kind.lock().take() {
        None => Ok(()),
        Some(kind) => {
            Err(DiskError { kind, operation, path: path.to_path_buf(), detail: "planted".to_string() })
        }
    }
}

struct FaultyDisk(SharedDisk, Arc<Faults>);

struct FaultyFile(Arc<dyn DiskFile>, Arc<Faults>);

impl Disk for FaultyDisk {
    fn create_dir(&self, path: &Path) -> DiskResult<()> {
        self.0.create_dir(path)
    }
    fn read_dir(&self, path: &Path) -> DiskResult<Vec<DirectoryEntry>> {
        self.0.read_dir(path)
    }
    fn exists(&self, path: &Path) -> DiskResult<bool> {
        self.0.exists(path)
    }
    fn open(&self, path: &Path, mode: OpenMode, caching: Caching) -> DiskResult<Arc<dyn DiskFile>> {
        Ok(Arc::new(FaultyFile(self.0.open(path, mode, caching)?, Arc::clone(&self.1))))
    }
    fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        self.0.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> DiskResult<()> {
        self.0.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> DiskResult<()> {
        self.0.remove_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> DiskResult<()> {
        self.0.sync_dir(path)
    }
    fn free_bytes(&self, path: &Path) -> DiskResult<u64> {
        self.0.free_bytes(path)
    }
    fn total_bytes(&self, path: &Path) -> DiskResult<u64> {
        self.0.total_bytes(path)
    }
    fn lock_dir(&self, path: &Path) -> DiskResult<DirectoryLock> {
        self.0.lock_dir(path)
    }
    fn boot_id(&self) -> Option<String> {
        self.0.boot_id()
    }
}

impl DiskFile for FaultyFile {
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn len(&self) -> DiskResult<u64> {
        self.0.len()
    }
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        self.0.read_at(position, buffer)
    }
    fn write_at(&self, position: u64, parts: &[&[u8]]) -> DiskResult<()> {
        self.1.writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        fault(&self.1.on_write, self.path(), "write")?;
        self.0.write_at(position, parts)
    }
    fn allocate(&self, position: u64, length: u64) -> DiskResult<()> {
        fault(&self.1.on_allocate, self.path(), "allocate space in")?;
        self.0.allocate(position, length)
    }
    fn set_len(&self, length: u64) -> DiskResult<()> {
        self.0.set_len(length)
    }
    fn sync_data(&self) -> DiskResult<()> {
        self.1.syncs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        fault(&self.1.on_sync, self.path(), "sync")?;
        self.0.sync_data()
    }
    fn start_writeback(&self, position: u64, length: u64) -> DiskResult<()> {
        self.0.start_writeback(position, length)
    }
    fn block_bytes(&self) -> usize {
        self.0.block_bytes()
    }
    fn slice(&self, position: u64, length: usize) -> DiskResult<Bytes> {
        self.0.slice(position, length)
    }
    fn is_resident(&self, position: u64, length: usize) -> DiskResult<bool> {
        self.0.is_resident(position, length)
    }
    fn prefault(&self, position: u64, length: usize) -> DiskResult<()> {
        self.0.prefault(position, length)
    }
}

fn faulty() -> (Rig, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    (Rig::with_disk(Arc::new(FaultyDisk(OsDisk::shared(), Arc::clone(&faults)))), faults)
}

fn counts(faults: &Faults) -> (usize, usize) {
    let load = |counter: &std::sync::atomic::AtomicUsize| counter.load(std::sync::atomic::Ordering::Relaxed);
    (load(&faults.writes), load(&faults.syncs))
}

#[test]
fn one_write_and_one_sync_for_a_group() {
    let (rig, faults) = faulty();
    let journal = rig.start(0);
    let before = counts(&faults);
    commit(&journal, (0..10).map(|offset| append(1, offset, 100)));
    let after = counts(&faults);
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1));
}

#[test]
fn a_failed_write_or_sync_is_final_and_the_first_cause_wins() {
    for kind in [DiskErrorKind::Failed, DiskErrorKind::NoSpace] {
        for on_sync in [false, true] {
            let (rig, faults) = faulty();
            let journal = rig.start(0);
            commit(&journal, [append(1, 0, 10)]);
            let fault = if on_sync { &faults.on_sync } else { &faults.on_write };
            *fault.lock() = Some(kind);
            let sequence = journal.enqueue(append(1, 1, 10)).unwrap();
            assert!(!journal.step());
            let counted = counts(&faults);
            assert!(!journal.step(), "nothing is written after a failure");
            assert_eq!(journal.synced(), 1);
            assert!(journal.enqueue(append(1, 2, 10)).is_err());
            assert!(journal.wait_for_room().is_err());
            assert!(journal.wait_synced(sequence + 1).is_err());
            assert!(journal.prepare().is_err());
            assert!(journal.close().is_err());
            assert_eq!(counts(&faults), counted, "a sync or a write was repeated");
            let other = DiskError { kind, operation: "read", path: rig.directory(), detail: "later".into() };
            assert_eq!(journal.fail(other).cause.detail, "planted");
            let told = rig.recorder.failed.lock().len();
            assert_eq!(told, 1);
            assert_eq!(rig.recorder.synced.lock().len(), 1);
        }
    }
}

#[test]
fn a_waiting_thread_learns_of_the_failure() {
    let (rig, faults) = faulty();
    let clock = crate::clock::SystemClock::shared();
    let journal = Journal::open(JournalSetup { clock, ..rig.setup() }, &rig.scan(0)).unwrap();
    journal.start_thread(Arc::clone(&rig.recorder) as Arc<dyn CommitListener>).unwrap();
    *faults.on_sync.lock() = Some(DiskErrorKind::Failed);
    let sequence = journal.enqueue(append(1, 0, 10)).unwrap();
    assert!(journal.wait_synced(sequence + 1).is_err());
    assert!(journal.failure().is_some());
    assert!(journal.close().is_err());
}

#[test]
fn no_space_for_the_next_file_is_a_refusal_that_ends_when_there_is_space() {
    let (rig, faults) = faulty();
    let journal = rig.start(0);
    *faults.on_allocate.lock() = Some(DiskErrorKind::NoSpace);
    assert!(!journal.prepare().unwrap());
    assert!(journal.failure().is_none() && journal.wants_prepare());
    assert_eq!(rig.disk.read_dir(&rig.directory()).unwrap().len(), 1, "the space was given back");
    assert!(journal.prepare().unwrap());
    *faults.on_write.lock() = Some(DiskErrorKind::NoSpace);
    assert!(!journal.prepare().unwrap(), "a file system that does not allocate refuses at the write");
    assert!(journal.failure().is_none());
    while journal.prepare().unwrap() {}
    assert!(!journal.wants_prepare());
    commit(&journal, [append(1, 0, 10)]);
}

#[test]
fn a_failed_write_of_the_next_file_fences() {
    let (rig, faults) = faulty();
    let journal = rig.start(0);
    assert!(journal.prepare().unwrap());
    *faults.on_write.lock() = Some(DiskErrorKind::Failed);
    assert!(journal.prepare().is_err());
    assert!(journal.failure().is_some());
}

#[test]
fn no_space_at_a_start_is_said_and_a_later_start_succeeds() {
    let (rig, faults) = faulty();
    *faults.on_allocate.lock() = Some(DiskErrorKind::NoSpace);
    let found = rig.scan(0);
    let refused = Journal::open(rig.setup(), &found).map(|_| ()).unwrap_err();
    assert_eq!(refused.kind, DiskErrorKind::NoSpace, "{refused}");
    assert!(Journal::open(rig.setup(), &found).is_ok());
}
