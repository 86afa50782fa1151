//! The one door to the file system, and what a crash may do behind it.
//!
//! # The crash contract
//!
//! After a power cut, and as far as nothing below says otherwise, each of these is kept or lost **independently**:
//!
//! 1. Every 4 KiB page written since the last successful [`DiskFile::sync_data`] of that file: an old page, a new page,
//!    never a mixture. A write of several pages may persist any subset of them, in any order.
//! 2. Every change of a file's size and allocation ([`DiskFile::allocate`], [`DiskFile::set_len`], a write beyond the end)
//!    since its last successful sync. Bytes of an allocated range that were never written read as zero.
//! 3. Every creation, rename and removal of a name since the last successful [`Disk::sync_dir`] of the directory that
//!    holds the name. A rename is atomic: the target name leads to the old or to the new file, never to neither.
//!
//! `sync_data` makes the file's bytes, size and allocation durable, **not** its name. `sync_dir` makes the names in one
//! directory durable, **not** the bytes behind them. A successful sync covers what was written before it was called.
//!
//! A *failed* sync is final: pages written since the last success may be dropped while reads still show them, and a
//! second sync would report success without them. The caller never retries (design: failure or refusal).
//!
//! A process crash (`kill -9`) without a power cut loses nothing that a call reported as done.
//!
//! # What always holds
//!
//! No call here is made on an async worker. No map ever leaves: readers get [`Bytes`] that keep theirs alive.

pub mod dir;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod map;
mod os;
mod os_file;
#[cfg(feature = "planted-bugs")]
pub mod planted;
mod sealed_text;

pub use dir::{CleanShutdown, DataDirectory, DirectoryError, DirectoryMeta, LastShutdown};
pub use error::{DiskError, DiskErrorKind, DiskResult};
pub use map::AlignedBuffer;
pub use os::OsDisk;

use bytes::Bytes;
use std::{path::Path, sync::Arc};

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    ReadWrite,
    /// A new file, for reading and writing; an existing one is an error.
    CreateNew,
    /// For reading and writing; created, or emptied if it exists.
    CreateOrTruncate,
}

/// Whether a file's reads and writes bypass the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Through the page cache.
    Buffered,
    /// `O_DIRECT` where the file system takes it, else buffered. Offsets, lengths and memory must be multiples of
    /// [`DiskFile::block_bytes`]. Never mixed with buffered access to the same file.
    Direct,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectoryEntry {
    /// The name itself, without the directory. Names that are not UTF-8 are shown lossily; Cairn makes none.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
}

/// A file system, real or simulated. Paths are absolute or relative to the process, as the caller likes.
pub trait Disk: Send + Sync + 'static {
    /// Creates one directory; its parent must exist. An existing one is left as it is.
    fn create_dir(&self, path: &Path) -> DiskResult<()>;
    /// The names in a directory, sorted.
    fn read_dir(&self, path: &Path) -> DiskResult<Vec<DirectoryEntry>>;
    /// Whether a file or directory of that name exists.
    fn exists(&self, path: &Path) -> DiskResult<bool>;
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode, caching: Caching) -> DiskResult<Arc<dyn DiskFile>>;
    /// Renames a file within the data directory, replacing the target atomically.
    fn rename(&self, from: &Path, to: &Path) -> DiskResult<()>;
    /// Removes a file's name. Slices of its map stay readable.
    fn remove_file(&self, path: &Path) -> DiskResult<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> DiskResult<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> DiskResult<()>;
    /// Bytes that an unprivileged writer could still allocate on this file system.
    fn free_bytes(&self, path: &Path) -> DiskResult<u64>;
    /// The size of this file system in bytes, free or not.
    fn total_bytes(&self, path: &Path) -> DiskResult<u64>;
    /// Takes the exclusive lock on a directory (through a lock file in it), or says that another process holds it.
    fn lock_dir(&self, path: &Path) -> DiskResult<DirectoryLock>;
    /// Identifies the running kernel's boot; `None` where unknown.
    fn boot_id(&self) -> Option<String>;
}

/// Held while a data directory is in use; releases the lock when dropped.
pub struct DirectoryLock(
    #[allow(dead_code, reason = "held for its drop")] pub Box<dyn std::any::Any + Send + Sync>,
);

impl std::fmt::Debug for DirectoryLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DirectoryLock")
    }
}

/// An open file. All calls take positions; there is no cursor. Dropping it closes the file, slices of its map live on.
pub trait DiskFile: Send + Sync + 'static {
    /// Where it was opened.
    fn path(&self) -> &Path;
    /// The length in bytes now.
    fn len(&self) -> DiskResult<u64>;
    /// Whether the file is empty.
    fn is_empty(&self) -> DiskResult<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads as many bytes as the file has there, up to the buffer's length; the count read is short only at the end.
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> DiskResult<usize>;
    /// Writes all the parts one after the other from `position`, in as few system calls as it takes.
    /// On an error any subset of the pages may have been written.
    fn write_at(&self, position: u64, parts: &[&[u8]]) -> DiskResult<()>;
    /// Allocates `[position, position + length)` and extends the length over it; bytes never written read as zero.
    /// `NoSpace` here is a refusal and changes nothing. File systems that cannot preallocate extend the length.
    fn allocate(&self, position: u64, length: u64) -> DiskResult<()>;
    /// Cuts or extends (with zeros) the file.
    fn set_len(&self, length: u64) -> DiskResult<()>;
    /// Makes bytes, size and allocation durable (`fdatasync`).
    fn sync_data(&self) -> DiskResult<()>;
    /// Asks for the write-back of a range to begin, without waiting for it. Promises nothing.
    fn start_writeback(&self, position: u64, length: u64) -> DiskResult<()>;
    /// The multiple that direct reads and writes need, at least 4096.
    fn block_bytes(&self) -> usize;
    /// Bytes of the file, without a copy on a real disk. The range must have been written (or allocated) before, must
    /// never be written again, and the file never be cut below its end while the slice lives. Touching the slice may
    /// read the disk: see [`DiskFile::is_resident`].
    fn slice(&self, position: u64, length: usize) -> DiskResult<Bytes>;
    /// Whether every page of the range is in memory, so that touching a slice of it does not read the disk.
    fn is_resident(&self, position: u64, length: usize) -> DiskResult<bool>;
    /// Reads the range into the page cache (blocking), so that a disk error becomes an error and not a signal.
    fn prefault(&self, position: u64, length: usize) -> DiskResult<()>;
}

/// The file in a directory through which its lock is taken.
pub const LOCK_FILE: &str = "lock";

/// Refuses a direct access whose position, length or memory is not a multiple of the block. Every disk does, so that code
/// which runs on a disk without direct access runs on one with it.
///
/// # Errors
/// `Failed`, with what is not aligned.
pub fn check_alignment(
    operation: &'static str,
    path: &Path,
    block_bytes: usize,
    position: u64,
    memory: &[u8],
) -> DiskResult<()> {
    let address = memory.as_ptr().addr();
    let (block, length) = (block_bytes as u64, memory.len());
    // No block is larger than a page for memory: what `AlignedBuffer` gives is always good enough.
    if position.is_multiple_of(block) && length.is_multiple_of(block_bytes) && address.is_multiple_of(4096) {
        return Ok(());
    }
    let detail = format!(
        "direct access wants multiples of {block_bytes} bytes, not position {position}, {length} bytes at {address:#x}"
    );
    Err(DiskError { kind: DiskErrorKind::Failed, operation, path: path.to_path_buf(), detail })
}

/// A disk handed around.
pub type SharedDisk = Arc<dyn Disk>;

/// Replaces a small file atomically: temporary file, sync, rename, sync of the directory. After a crash the name leads to
/// the whole old or the whole new content.
///
/// # Errors
/// Any of the calls' errors; the old content is then still in place unless the rename was reported as done.
pub fn replace_file(disk: &dyn Disk, directory: &Path, name: &str, content: &[u8]) -> DiskResult<()> {
    replace_files(disk, directory, &[(name, content)])
}

/// The same for several files of one directory, each for itself: they share the directory's sync. After a crash any of
/// them may be the old one.
///
/// # Errors
/// The disk's; some may be replaced.
pub fn replace_files(disk: &dyn Disk, directory: &Path, files: &[(&str, &[u8])]) -> DiskResult<()> {
    let temporary = |name: &str| directory.join(format!("{name}.tmp"));
    let mut written = Vec::with_capacity(files.len());
    for (name, content) in files {
        let file = disk.open(&temporary(name), OpenMode::CreateOrTruncate, Caching::Buffered)?;
        file.write_at(0, &[content])?;
        written.push(file);
    }
    written.iter().try_for_each(|file| file.sync_data())?;
    for (name, _) in files {
        disk.rename(&temporary(name), &directory.join(name))?;
    }
    disk.sync_dir(directory)
}

/// Reads a whole small file, at most `bytes_max`; a longer one is an error that names the file.
///
/// # Errors
/// `NotFound`, a read error, or `TooLarge`.
pub fn read_file(disk: &dyn Disk, path: &Path, bytes_max: usize) -> DiskResult<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read, Caching::Buffered)?;
    let length = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(DiskError::too_large(path, length, bytes_max));
    }
    let mut content = vec![0; length];
    let read = file.read_at(0, &mut content)?;
    content.truncate(read);
    Ok(content)
}
