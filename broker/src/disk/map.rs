//! The only file with `unsafe` code and the only one that knows memory maps. A [`FileMap`] is a shared read-only map of a
//! file; nobody outside ever sees it, only [`Bytes`] that keep it alive. An [`AlignedBuffer`] is anonymous memory whose
//! address suits direct writes.
//!
//! A map may reach beyond the file's end. No reference to such a page is ever made: a slice is given only below a file
//! length that the caller has seen, and the contract of `DiskFile::slice` forbids cutting or changing those bytes.
//!
//! Accepted risk, by design: a page that is evicted after its prefault and cannot be read back raises SIGBUS and ends the
//! process, as does a file that somebody else cuts below a published range.

#![expect(unsafe_code, reason = "memory maps, mincore and sync_file_range have no safe interface")]

use super::{DiskError, DiskResult};
use bytes::Bytes;
use memmap2::{Advice, MmapMut, MmapOptions, MmapRaw};
use std::{fs::File, ops::Range, path::Path, sync::Arc};

/// Pages whose residency is asked with one call: 4 MiB where a page has 4 KiB.
const PAGES_PER_CALL: usize = 1024;

/// Buffers from this size on are backed by pages of this size, where the kernel has such.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// A shared read-only map of the first bytes of a file.
#[derive(Debug)]
pub(super) struct FileMap {
    map: MmapRaw,
}

impl FileMap {
    /// Maps `[0, length)` of a file, which may be shorter.
    pub(super) fn new(file: &File, path: &Path, length: usize) -> DiskResult<Arc<Self>> {
        let map = MmapOptions::new().len(length).map_raw_read_only(file);
        let map = map.map_err(|error| DiskError::from_io("map", path, &error))?;
        Ok(Arc::new(Self { map }))
    }

    /// How many bytes the map covers.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// Bytes of a range that lies within the map, `None` beyond it. The caller has seen that the file is at least as long
    /// as the range's end, and answers for what the contract of `DiskFile::slice` asks of the range.
    pub(super) fn slice(self: &Arc<Self>, range: Range<usize>) -> Option<Bytes> {
        if range.start > range.end || range.end > self.map.len() {
            return None;
        }
        Some(Bytes::from_owner(MapSlice { map: Arc::clone(self), range }))
    }

    /// Whether every page of the range is in memory.
    pub(super) fn is_resident(&self, range: Range<usize>, path: &Path) -> DiskResult<bool> {
        let page_bytes = rustix::param::page_size();
        let end = range.end.min(self.map.len());
        let mut start = range.start - range.start % page_bytes;
        let mut pages = [0_u8; PAGES_PER_CALL];
        while start < end {
            let length = (end - start).min(PAGES_PER_CALL * page_bytes);
            let address = self.map.as_ptr().wrapping_add(start).cast_mut();
            // SAFETY: `start` is a multiple of the page size and the map begins on a page, so `address` is page aligned;
            // `start + length <= end <= map.len()`, so the pages belong to the live map; `pages` has one byte for each of
            // the at most PAGES_PER_CALL pages that mincore(2) answers for. It reads no page.
            let result = unsafe { libc::mincore(address.cast(), length, pages.as_mut_ptr()) };
            if result != 0 {
                return Err(DiskError::from_io("ask residency of", path, &std::io::Error::last_os_error()));
            }
            if pages.iter().take(length.div_ceil(page_bytes)).any(|page| page & 1 == 0) {
                return Ok(false);
            }
            start += length;
        }
        Ok(true)
    }

    /// Reads the range into the page cache; a disk error comes back as an error. `false` where the kernel does not know
    /// how (before Linux 5.14).
    pub(super) fn populate(&self, range: Range<usize>, path: &Path) -> DiskResult<bool> {
        let start = range.start.min(self.map.len());
        let length = range.end.min(self.map.len()).saturating_sub(start);
        loop {
            match self.map.advise_range(Advice::PopulateRead, start, length) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(false),
                Err(error) => return Err(DiskError::from_io("read", path, &error)),
            }
        }
    }
}

/// Asks for the write-back of a file's range to begin, without waiting for it (`sync_file_range`). It stands here because
/// no safe interface offers the call. A file system that does not know it is left alone.
pub(super) fn start_writeback(file: &File, path: &Path, position: u64, length: u64) -> DiskResult<()> {
    use std::os::fd::AsRawFd as _;
    let (Ok(position), Ok(length)) = (i64::try_from(position), i64::try_from(length)) else { return Ok(()) };
    // SAFETY: the descriptor is open for as long as `file` is borrowed; the call takes no memory.
    let result =
        unsafe { libc::sync_file_range(file.as_raw_fd(), position, length, libc::SYNC_FILE_RANGE_WRITE) };
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EOPNOTSUPP | libc::ESPIPE | libc::EINTR) => Ok(()),
        _ => Err(DiskError::from_io("start the write-back of", path, &error)),
    }
}

/// A range of a map, and what keeps the map alive behind a `Bytes`.
struct MapSlice {
    map: Arc<FileMap>,
    range: Range<usize>,
}

impl AsRef<[u8]> for MapSlice {
    fn as_ref(&self) -> &[u8] {
        let start = self.map.map.as_ptr().wrapping_add(self.range.start);
        // SAFETY: `FileMap::slice` checked that the range lies within the map, which `self.map` keeps alive as long as the
        // reference; a map's address is not null and bytes need no alignment. The range lies below the file's length, and
        // its bytes neither change nor are cut off while the slice lives (the contract of `DiskFile::slice`).
        unsafe { std::slice::from_raw_parts(start, self.range.len()) }
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
        if bytes >= HUGE_PAGE_BYTES {
            // A direct write pins each page: few large ones cost a fraction. A kernel without them works as well.
            let _ = map.advise(Advice::HugePage);
        }
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
