//! Disks with a bug between the store and the honest disk: each stands for a bug of the store that would look the same from
//! below. The checker must find every one of them.

#[path = "stale_frames.rs"]
mod stale_frames;

use bytes::Bytes;
use cairn_broker::disk::{
    AlignedBuffer, Caching, DirectoryEntry, DirectoryLock, Disk, DiskFile, DiskResult, OpenMode, SharedDisk,
};
use std::{path::Path, sync::Arc};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskPlant {
    /// Files whose name ends so are never synced, and the sync is reported as done.
    SkipSync(&'static str),
    /// The names in directories whose path holds this are never synced.
    SkipSyncDir(&'static str),
    /// Before the journal writes a block, it writes the one in front of it again, in two steps.
    RewriteBlock,
    /// Frames that an older lap left in a journal file read as if they followed the newest one.
    AgelessFrames,
}

impl DiskPlant {
    /// A disk with this bug over an honest one.
    pub fn over(self, inner: SharedDisk) -> SharedDisk {
        Arc::new(Planted { inner, plant: self })
    }
}

struct Planted {
    inner: SharedDisk,
    plant: DiskPlant,
}

impl Disk for Planted {
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
        Ok(Arc::new(PlantedFile { inner, plant: self.plant }))
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
        match self.plant {
            DiskPlant::SkipSyncDir(part) if path.to_string_lossy().contains(part) => Ok(()),
            _ => self.inner.sync_dir(path),
        }
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
    plant: DiskPlant,
}

impl PlantedFile {
    fn ends_with(&self, suffix: &str) -> bool {
        self.inner.path().to_string_lossy().ends_with(suffix)
    }

    /// The block in front of `position` is emptied and filled again.
    fn rewrite_block_before(&self, position: u64) -> DiskResult<()> {
        let block_bytes = self.inner.block_bytes();
        let Some(before) = position.checked_sub(block_bytes as u64).filter(|before| *before > 0) else {
            return Ok(());
        };
        let empty = AlignedBuffer::new(block_bytes)?;
        let mut block = AlignedBuffer::new(block_bytes)?;
        self.inner.read_at(before, block.as_mut_slice())?;
        self.inner.write_at(before, &[empty.as_slice()])?;
        self.inner.write_at(before, &[block.as_slice()])
    }
}

impl DiskFile for PlantedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }
    fn len(&self) -> DiskResult<u64> {
        self.inner.len()
    }
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        let read = self.inner.read_at(position, buffer)?;
        if self.plant == DiskPlant::AgelessFrames && self.ends_with(".journal") {
            let bytes = usize::try_from(self.inner.len()?).unwrap_or(0);
            let mut whole = AlignedBuffer::new(bytes)?;
            self.inner.read_at(0, whole.as_mut_slice())?;
            stale_frames::rejuvenate(whole.as_mut_slice());
            let from = usize::try_from(position).unwrap_or(usize::MAX);
            for (to, from) in buffer.iter_mut().take(read).zip(whole.as_slice().iter().skip(from)) {
                *to = *from;
            }
        }
        Ok(read)
    }
    fn write_at(&self, position: u64, parts: &[&[u8]]) -> DiskResult<()> {
        if self.plant == DiskPlant::RewriteBlock && self.ends_with(".journal") {
            self.rewrite_block_before(position)?;
        }
        self.inner.write_at(position, parts)
    }
    fn allocate(&self, position: u64, length: u64) -> DiskResult<()> {
        self.inner.allocate(position, length)
    }
    fn set_len(&self, length: u64) -> DiskResult<()> {
        self.inner.set_len(length)
    }
    fn sync_data(&self) -> DiskResult<()> {
        match self.plant {
            DiskPlant::SkipSync(suffix) if self.ends_with(suffix) => Ok(()),
            _ => self.inner.sync_data(),
        }
    }
    fn start_writeback(&self, position: u64, length: u64) -> DiskResult<()> {
        self.inner.start_writeback(position, length)
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
