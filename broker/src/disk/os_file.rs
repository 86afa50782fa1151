//! An open file of a Linux machine. An interrupted or partial read or write is continued; what failed is reported once and
//! never repeated, a sync least of all.

use super::{
    Caching, DiskError, DiskErrorKind, DiskFile, DiskResult, check_alignment,
    map::{FileMap, start_writeback},
};
use bytes::Bytes;
use parking_lot::Mutex;
use rustix::{
    fs::{FallocateFlags, OFlags},
    io::{Errno, IoSlice, pwritev, retry_on_intr},
};
use std::{
    fs::File,
    io::ErrorKind,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Direct reads and writes are aligned to at least this.
const BLOCK_BYTES_MIN: usize = 4096;
/// Parts that one vectored write takes (IOV_MAX).
const PARTS_MAX: usize = 1024;
/// Parts that are gathered without an allocation.
const PARTS_FEW: usize = 16;
/// A map of a file that may still grow covers at least this much address space (no memory); it doubles from there, so that
/// a segment of 256 MiB needs at most three maps in its life.
const MAP_BYTES_MIN: u64 = 64 << 20;

/// A file, its present map, and how long it is known to be.
pub(super) struct OsFile {
    file: File,
    path: PathBuf,
    writable: bool,
    caching: Caching,
    /// Whether the kernel has taken `O_DIRECT` so far.
    direct: AtomicBool,
    block_bytes: usize,
    map: Mutex<Option<Arc<FileMap>>>,
    /// The file is at least this long: raised by asking the system, lowered before a cut.
    length_seen: AtomicU64,
}

impl OsFile {
    /// Takes an opened descriptor. `direct` says whether it was opened with `O_DIRECT`.
    pub(super) fn new(file: File, path: &Path, writable: bool, caching: Caching, direct: bool) -> Self {
        Self {
            block_bytes: if direct { direct_block_bytes(&file) } else { BLOCK_BYTES_MIN },
            file,
            path: path.to_path_buf(),
            writable,
            caching,
            direct: AtomicBool::new(direct),
            map: Mutex::new(None),
            length_seen: AtomicU64::new(0),
        }
    }

    fn error(&self, operation: &'static str, error: Errno) -> DiskError {
        DiskError::from_io(operation, &self.path, &error.into())
    }

    fn refused(&self, operation: &'static str, detail: String) -> DiskError {
        DiskError { kind: DiskErrorKind::Failed, operation, path: self.path.clone(), detail }
    }

    /// A map that covers the range, which lies below the file's length. The system is asked for the length only when the
    /// range reaches beyond what is known of it.
    fn map_covering(&self, position: u64, length: usize) -> DiskResult<(Arc<FileMap>, Range<usize>)> {
        if self.caching == Caching::Direct {
            return Err(self.refused("map", "it is open for direct access".into()));
        }
        let end = position.saturating_add(length as u64);
        let mut length_seen = self.length_seen.load(Ordering::Acquire);
        if end > length_seen {
            length_seen = self.len()?;
            self.length_seen.store(length_seen, Ordering::Release);
        }
        if end > length_seen {
            let detail = format!("bytes {position} to {end} are wanted, the file has {length_seen}");
            return Err(self.refused("read", detail));
        }
        let too_far = || self.refused("map", format!("byte {end} lies beyond the address space"));
        let Ok(end_in_memory) = usize::try_from(end) else { return Err(too_far()) };
        let range = end_in_memory - length..end_in_memory;
        let mut slot = self.map.lock();
        if let Some(map) = slot.as_ref().filter(|map| range.end <= map.len()) {
            return Ok((Arc::clone(map), range));
        }
        let covered = map_bytes(length_seen, self.writable);
        let Ok(covered) = usize::try_from(covered) else { return Err(too_far()) };
        let map = FileMap::new(&self.file, &self.path, covered)?;
        *slot = Some(Arc::clone(&map));
        Ok((map, range))
    }

    /// Some file systems take `O_DIRECT` at open and refuse it at the first access. Says whether the access may be made
    /// once more, through the page cache.
    fn gave_up_direct(&self, error: Errno) -> bool {
        if error != Errno::INVAL || !self.direct.swap(false, Ordering::AcqRel) {
            return false;
        }
        let flags = rustix::fs::fcntl_getfl(&self.file);
        flags.and_then(|flags| rustix::fs::fcntl_setfl(&self.file, flags - OFlags::DIRECT)).is_ok()
    }

    /// Writes all parts; they are consumed as the system takes them.
    fn write_all(&self, position: u64, mut rest: &mut [IoSlice<'_>]) -> DiskResult<()> {
        let mut position = position;
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let some = rest.get(..rest.len().min(PARTS_MAX)).unwrap_or_default();
            match pwritev(&self.file, some, position) {
                Ok(0) => {
                    let error = std::io::Error::new(ErrorKind::WriteZero, "the system wrote nothing");
                    return Err(DiskError::from_io("write", &self.path, &error));
                }
                Ok(count) => {
                    position += count as u64;
                    IoSlice::advance_slices(&mut rest, count);
                }
                Err(Errno::INTR) => {}
                Err(error) if self.gave_up_direct(error) => {}
                Err(error) => return Err(self.error("write", error)),
            }
        }
        Ok(())
    }
}

impl DiskFile for OsFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> DiskResult<u64> {
        let status = rustix::fs::fstat(&self.file).map_err(|error| self.error("ask the size of", error))?;
        Ok(u64::try_from(status.st_size).unwrap_or(0))
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        if self.caching == Caching::Direct {
            check_alignment("read", &self.path, self.block_bytes, position, buffer)?;
        }
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(&self.file, rest, position + filled as u64) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    // A direct read that ends within a block has met the end of the file; the next would be unaligned.
                    if self.caching == Caching::Direct && !filled.is_multiple_of(self.block_bytes) {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) if self.gave_up_direct(error) => {}
                Err(error) => return Err(self.error("read", error)),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, position: u64, parts: &[&[u8]]) -> DiskResult<()> {
        if self.caching == Caching::Direct {
            for part in parts {
                check_alignment("write", &self.path, self.block_bytes, position, part)?;
            }
        }
        if parts.len() <= PARTS_FEW {
            let mut slices = [IoSlice::new(&[]); PARTS_FEW];
            for (slice, part) in slices.iter_mut().zip(parts) {
                *slice = IoSlice::new(part);
            }
            return self.write_all(position, &mut slices);
        }
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        self.write_all(position, &mut slices)
    }

    fn allocate(&self, position: u64, length: u64) -> DiskResult<()> {
        if length == 0 {
            return Ok(());
        }
        let before = self.len()?;
        match retry_on_intr(|| rustix::fs::fallocate(&self.file, FallocateFlags::empty(), position, length)) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                let end = position.saturating_add(length);
                if end > before { self.set_len(end) } else { Ok(()) }
            }
            Err(error) => {
                // Some file systems extend step by step: a refusal takes back what it got. Where even that fails the
                // refusal is no less true.
                if self.len().is_ok_and(|length| length > before)
                    && let Err(error) = self.set_len(before)
                {
                    tracing::warn!(%error, "cannot give back a partial allocation");
                }
                Err(self.error("allocate space in", error))
            }
        }
    }

    fn set_len(&self, length: u64) -> DiskResult<()> {
        self.length_seen.fetch_min(length, Ordering::AcqRel);
        retry_on_intr(|| rustix::fs::ftruncate(&self.file, length))
            .map_err(|error| self.error("resize", error))
    }

    fn sync_data(&self) -> DiskResult<()> {
        rustix::fs::fdatasync(&self.file).map_err(|error| self.error("sync", error))
    }

    fn start_writeback(&self, position: u64, length: u64) -> DiskResult<()> {
        start_writeback(&self.file, &self.path, position, length)
    }

    fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    fn slice(&self, position: u64, length: usize) -> DiskResult<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let (map, range) = self.map_covering(position, length)?;
        map.slice(range).ok_or_else(|| self.refused("read", "the range lies beyond its map".into()))
    }

    fn is_resident(&self, position: u64, length: usize) -> DiskResult<bool> {
        if length == 0 {
            return Ok(true);
        }
        let (map, range) = self.map_covering(position, length)?;
        map.is_resident(range, &self.path)
    }

    fn prefault(&self, position: u64, length: usize) -> DiskResult<()> {
        if length == 0 {
            return Ok(());
        }
        let (map, range) = self.map_covering(position, length)?;
        if map.populate(range, &self.path)? {
            return Ok(());
        }
        let mut read = 0;
        let mut buffer = vec![0; length.min(64 << 10)];
        while read < length {
            match self.read_at(position + read as u64, &mut buffer)? {
                0 => break,
                count => read += count,
            }
        }
        Ok(())
    }
}

/// How much a new map covers: what the file has, and for one that may grow a power of two above it.
fn map_bytes(length: u64, may_grow: bool) -> u64 {
    if !may_grow {
        return length;
    }
    length.saturating_add(1).checked_next_power_of_two().unwrap_or(length).max(MAP_BYTES_MIN)
}

/// What the device says of direct access (statx), at least 4 KiB.
fn direct_block_bytes(file: &File) -> usize {
    use rustix::fs::{AtFlags, StatxFlags, statx};
    let said = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN)
        .map_or(0, |status| status.stx_dio_offset_align.max(status.stx_dio_mem_align));
    usize::try_from(said).unwrap_or(0).max(BLOCK_BYTES_MIN)
}
