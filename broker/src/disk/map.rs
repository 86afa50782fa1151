//! The only file with `unsafe` code and the only one that knows memory maps. A [`FileMap`] is a shared read-only map of a
//! file; nobody outside ever sees it, only [`Bytes`] that keep it alive. An [`AlignedBuffer`] is anonymous memory whose
//! address suits direct writes.
//!
//! Accepted risk, by design: a page that is evicted after its prefault and cannot be read back raises SIGBUS and ends the
//! process, as does a file that somebody else cuts below a published range.

#![expect(unsafe_code, reason = "memory maps have no safe interface")]

use super::{DiskError, DiskResult};
use bytes::Bytes;
use memmap2::{Advice, Mmap, MmapMut, MmapOptions};
use std::{fs::File, ops::Range, path::Path, sync::Arc};

const PAGE_BYTES: usize = 4096;

/// A shared read-only map of the first bytes of a file. It may reach beyond the file's end; such pages are never touched,
/// because a slice is only given below the file's length.
#[derive(Debug)]
pub(super) struct FileMap {
    map: Mmap,
}

impl FileMap {
    /// Maps `[0, length)` of a file.
    pub(super) fn new(file: &File, path: &Path, length: usize) -> DiskResult<Arc<Self>> {
        // SAFETY: the map is only read below the file's length, and only where the storage engine has published bytes,
        // which it never changes and never cuts off while slices live (the contract of `DiskFile::slice`).
        let map = unsafe { MmapOptions::new().len(length).map(file) };
        let map = map.map_err(|error| DiskError::from_io("map", path, &error))?;
        Ok(Arc::new(Self { map }))
    }

    /// How many bytes of the file the map covers.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// Bytes of a range that lies within the map; `None` beyond it.
    pub(super) fn slice(self: &Arc<Self>, range: Range<usize>) -> Option<Bytes> {
        self.map.get(range.clone())?;
        Some(Bytes::from_owner(MapSlice { map: Arc::clone(self), range }))
    }

    /// Whether every page of the range is in memory.
    pub(super) fn is_resident(&self, range: Range<usize>, path: &Path) -> DiskResult<bool> {
        let start = range.start - range.start % PAGE_BYTES;
        let length = range.end.min(self.map.len()).saturating_sub(start);
        let mut pages = vec![0u8; length.div_ceil(PAGE_BYTES)];
        if pages.is_empty() {
            return Ok(true);
        }
        let address = self.map.as_ptr().wrapping_add(start);
        // SAFETY: `address` is page aligned and `[address, address + length)` lies within the live map; `pages` has one
        // byte for each of its pages, as mincore(2) wants.
        let result = unsafe { libc::mincore(address.cast_mut().cast(), length, pages.as_mut_ptr()) };
        if result != 0 {
            return Err(DiskError::from_io("ask residency of", path, &std::io::Error::last_os_error()));
        }
        Ok(pages.iter().all(|page| page & 1 == 1))
    }

    /// Reads the range into the page cache; a disk error comes back as an error.
    pub(super) fn prefault(&self, range: Range<usize>, path: &Path) -> DiskResult<()> {
        let start = range.start - range.start % PAGE_BYTES;
        let length = range.end.min(self.map.len()).saturating_sub(start);
        if length == 0 {
            return Ok(());
        }
        let populated = self.map.advise_range(Advice::PopulateRead, start, length);
        populated.map_err(|error| DiskError::from_io("read", path, &error))
    }
}

/// Asks for the write-back of a file's range to begin, without waiting for it (`sync_file_range`). It stands here because
/// no safe interface offers the call.
pub(super) fn start_writeback(file: &File, path: &Path, position: u64, length: u64) -> DiskResult<()> {
    use std::os::fd::AsRawFd as _;
    let (Ok(position), Ok(length)) = (i64::try_from(position), i64::try_from(length)) else { return Ok(()) };
    // SAFETY: the descriptor is open for as long as `file` is borrowed; the call takes no memory.
    let result =
        unsafe { libc::sync_file_range(file.as_raw_fd(), position, length, libc::SYNC_FILE_RANGE_WRITE) };
    if result == 0 {
        return Ok(());
    }
    Err(DiskError::from_io("start the write-back of", path, &std::io::Error::last_os_error()))
}

/// What keeps a map alive behind a `Bytes`.
struct MapSlice {
    map: Arc<FileMap>,
    range: Range<usize>,
}

impl AsRef<[u8]> for MapSlice {
    fn as_ref(&self) -> &[u8] {
        self.map.map.get(self.range.clone()).unwrap_or_default()
    }
}

/// Anonymous memory that begins on a page: what direct reads and writes need.
#[derive(Debug)]
pub struct AlignedBuffer {
    map: MmapMut,
}

impl AlignedBuffer {
    /// Zeroed memory of that many bytes, at least one.
    ///
    /// # Errors
    /// The system has none to give.
    pub fn new(bytes: usize) -> DiskResult<Self> {
        let map = MmapMut::map_anon(bytes.max(1));
        let map =
            map.map_err(|error| DiskError::from_io("allocate", Path::new("anonymous memory"), &error))?;
        Ok(Self { map })
    }

    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.map
    }

    /// Its bytes, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.map
    }
}
