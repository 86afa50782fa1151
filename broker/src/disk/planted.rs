//! Wrong on purpose, and only in builds with the feature `planted-bugs`: a disk that skips syncs, for showing that the
//! checkers notice, and one that discards the journal's bytes, for measuring what the disk costs. Never in a release.

use super::{Caching, DirectoryEntry, DirectoryLock, Disk, DiskFile, DiskResult, OpenMode, SharedDisk};
use bytes::Bytes;
use std::{path::Path, sync::Arc};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// `sync_data` reports success without a sync.
    SkipSync,
    /// Neither journal writes nor any sync reach the disk: the broker at the speed of its processor. Recovery finds nothing.
    DiscardJournal,
}

impl Plant {
    /// As named in the environment variable `CAIRN_PLANTED_BUG`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "skip-sync" => Some(Self::SkipSync),
            "discard-journal" => Some(Self::DiscardJournal),
            _ => None,
        }
    }
}

/// A disk with a bug.
pub struct PlantedDisk {
    inner: SharedDisk,
    plant: Plant,
}

impl PlantedDisk {
    /// Wraps a disk.
    pub fn shared(inner: SharedDisk, plant: Plant) -> SharedDisk {
        Arc::new(Self { inner, plant })
    }
}

impl Disk for PlantedDisk {
    fn create_dir(&self, path: &Path) -> DiskResult<()> {
        self.inner.create_dir(path)
    }
    fn read_dir(&self, path: &Path) -> DiskResult<Vec<DirectoryEntry>> {
        self.inner.read_dir(path)
    }
    fn exists(&self, path: &Path) -> DiskResult<bool> {
        self.inner.exists(path)
    }
    fn open(&self, path: &Path, mode: OpenMode, caching: Caching) -> DiskResult<Arc<dyn DiskFile>> {
        let inner = self.inner.open(path, mode, caching)?;
        let journal = path.extension().is_some_and(|extension| extension == "journal");
        Ok(Arc::new(PlantedFile { inner, discard_writes: journal && self.plant == Plant::DiscardJournal }))
    }
    fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        self.inner.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> DiskResult<()> {
        self.inner.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> DiskResult<()> {
        self.inner.remove_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> DiskResult<()> {
        self.inner.sync_dir(path)
    }
    fn free_bytes(&self, path: &Path) -> DiskResult<u64> {
        self.inner.free_bytes(path)
    }
    fn total_bytes(&self, path: &Path) -> DiskResult<u64> {
        self.inner.total_bytes(path)
    }
    fn lock_dir(&self, path: &Path) -> DiskResult<DirectoryLock> {
        self.inner.lock_dir(path)
    }
    fn boot_id(&self) -> Option<String> {
        self.inner.boot_id()
    }
}

struct PlantedFile {
    inner: Arc<dyn DiskFile>,
    discard_writes: bool,
}

impl DiskFile for PlantedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }
    fn len(&self) -> DiskResult<u64> {
        self.inner.len()
    }
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        self.inner.read_at(position, buffer)
    }
    fn write_at(&self, position: u64, parts: &[&[u8]]) -> DiskResult<()> {
        if self.discard_writes { Ok(()) } else { self.inner.write_at(position, parts) }
    }
    fn allocate(&self, position: u64, length: u64) -> DiskResult<()> {
        self.inner.allocate(position, length)
    }
    fn set_len(&self, length: u64) -> DiskResult<()> {
        self.inner.set_len(length)
    }
    fn sync_data(&self) -> DiskResult<()> {
        Ok(())
    }
    fn start_writeback(&self, _position: u64, _length: u64) -> DiskResult<()> {
        Ok(())
    }
    fn block_bytes(&self) -> usize {
        self.inner.block_bytes()
    }
    fn slice(&self, position: u64, length: usize) -> DiskResult<Bytes> {
        self.inner.slice(position, length)
    }
    fn is_resident(&self, position: u64, length: usize) -> DiskResult<bool> {
        self.inner.is_resident(position, length)
    }
    fn prefault(&self, position: u64, length: usize) -> DiskResult<()> {
        self.inner.prefault(position, length)
    }
}
