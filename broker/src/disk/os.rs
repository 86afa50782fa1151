//! The real file system of a Linux machine. Each method is the system call its contract names; an interrupted or partial
//! call is continued, a failed one is reported once and never repeated.

use super::{
    Caching, DirectoryEntry, DirectoryLock, Disk, DiskError, DiskFile, DiskResult, OpenMode, SharedDisk,
    map::{FileMap, start_writeback},
};
use bytes::Bytes;
use parking_lot::Mutex;
use rustix::{
    fs::{FallocateFlags, FlockOperation, Mode, OFlags},
    io::{Errno, IoSlice, pwritev, retry_on_intr},
};
use std::{
    fs::File,
    io::ErrorKind,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Direct writes are aligned to at least this.
const BLOCK_BYTES_MIN: usize = 4096;
/// Parts that one vectored write takes (IOV_MAX).
const PARTS_MAX: usize = 1024;
/// A map is made this much larger than the file at least, so that a growing segment needs few of them.
const MAP_AHEAD_BYTES: u64 = 64 << 20;
const LOCK_FILE: &str = "lock";

/// The file system of this machine.
#[derive(Debug)]
pub struct OsDisk(());

impl OsDisk {
    /// The file system of this machine, shared.
    pub fn shared() -> SharedDisk {
        Arc::new(Self(()))
    }
}

fn failed(operation: &'static str, path: &Path, error: Errno) -> DiskError {
    DiskError::from_io(operation, path, &error.into())
}

fn open_file(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR))
}

impl Disk for OsDisk {
    fn create_dir(&self, path: &Path) -> DiskResult<()> {
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(failed("create directory", path, error)),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the disk that everybody else takes")]
    fn read_dir(&self, path: &Path) -> DiskResult<Vec<DirectoryEntry>> {
        let wrap = |error: std::io::Error| DiskError::from_io("list", path, &error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(wrap)? {
            let entry = entry.map_err(wrap)?;
            let is_directory = entry.file_type().map_err(wrap)?.is_dir();
            names.push(DirectoryEntry {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_directory,
            });
        }
        names.sort();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> DiskResult<bool> {
        match rustix::fs::stat(path) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(failed("look for", path, error)),
        }
    }

    fn open(&self, path: &Path, mode: OpenMode, caching: Caching) -> DiskResult<Arc<dyn DiskFile>> {
        let flags = match mode {
            OpenMode::Read => OFlags::RDONLY,
            OpenMode::ReadWrite => OFlags::RDWR,
            OpenMode::CreateNew => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
            OpenMode::CreateOrTruncate => OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC,
        };
        let operation = if flags.contains(OFlags::CREATE) { "create" } else { "open" };
        let opened = match caching {
            Caching::Buffered => open_file(path, flags),
            Caching::Direct => match open_file(path, flags | OFlags::DIRECT) {
                // A file system without direct access may have created the name before it refused.
                Err(Errno::INVAL) => open_file(path, flags.difference(OFlags::EXCL)),
                other => other,
            },
        };
        let file = File::from(opened.map_err(|error| failed(operation, path, error))?);
        let block_bytes =
            if caching == Caching::Direct { direct_block_bytes(&file) } else { BLOCK_BYTES_MIN };
        Ok(Arc::new(OsFile { file, path: path.to_path_buf(), block_bytes, map: Mutex::new(None) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        rustix::fs::rename(from, to).map_err(|error| failed("rename", from, error))
    }

    fn remove_file(&self, path: &Path) -> DiskResult<()> {
        rustix::fs::unlink(path).map_err(|error| failed("remove", path, error))
    }

    fn remove_dir(&self, path: &Path) -> DiskResult<()> {
        rustix::fs::rmdir(path).map_err(|error| failed("remove directory", path, error))
    }

    fn sync_dir(&self, path: &Path) -> DiskResult<()> {
        let directory = open_file(path, OFlags::RDONLY | OFlags::DIRECTORY);
        let directory = directory.map_err(|error| failed("open directory", path, error))?;
        rustix::fs::fsync(&directory).map_err(|error| failed("sync directory", path, error))
    }

    fn free_bytes(&self, path: &Path) -> DiskResult<u64> {
        let status =
            rustix::fs::statvfs(path).map_err(|error| failed("ask the free space of", path, error))?;
        Ok(status.f_bavail.saturating_mul(status.f_frsize))
    }

    fn lock_dir(&self, path: &Path) -> DiskResult<DirectoryLock> {
        let name = path.join(LOCK_FILE);
        let file =
            open_file(&name, OFlags::RDWR | OFlags::CREATE).map_err(|error| failed("open", &name, error))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(locked(&name, file)),
            Err(error) => return Err(failed("lock", &name, error)),
        }
        let owner = format!("{}\n", std::process::id());
        rustix::fs::ftruncate(&file, 0).map_err(|error| failed("write", &name, error))?;
        // The process id only helps an operator: a full disk must not keep a broker from starting.
        if let Err(error) = rustix::io::pwrite(&file, owner.as_bytes(), 0) {
            tracing::debug!(file = %name.display(), %error, "cannot note the process id in the lock file");
        }
        Ok(DirectoryLock(Box::new(file)))
    }

    fn boot_id(&self) -> Option<String> {
        let path = Path::new("/proc/sys/kernel/random/boot_id");
        let file = open_file(path, OFlags::RDONLY).ok()?;
        let mut buffer = [0; 64];
        let length = rustix::io::read(&file, &mut buffer).ok()?;
        Some(String::from_utf8_lossy(buffer.get(..length)?).trim().to_string())
    }
}

fn locked(name: &Path, file: OwnedFd) -> DiskError {
    let mut buffer = [0; 32];
    let length = rustix::io::pread(&file, &mut buffer, 0).unwrap_or(0);
    let owner = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).trim().to_string();
    let by = if owner.is_empty() { "another process".to_string() } else { format!("process {owner}") };
    DiskError {
        kind: super::DiskErrorKind::Locked,
        operation: "lock",
        path: name.to_path_buf(),
        detail: format!("{by} is using this data directory; stop it, or choose another --data-dir"),
    }
}

/// What the device says of direct access (statx), at least 4 KiB.
fn direct_block_bytes(file: &File) -> usize {
    use rustix::fs::{AtFlags, StatxFlags, statx};
    let said = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN)
        .map_or(0, |status| status.stx_dio_offset_align.max(status.stx_dio_mem_align));
    usize::try_from(said).unwrap_or(0).max(BLOCK_BYTES_MIN)
}

struct OsFile {
    file: File,
    path: PathBuf,
    block_bytes: usize,
    map: Mutex<Option<Arc<FileMap>>>,
}

impl OsFile {
    fn error(&self, operation: &'static str, error: Errno) -> DiskError {
        failed(operation, &self.path, error)
    }

    /// A map that covers `[0, end)`, made larger when the file has grown beyond the present one.
    fn map_covering(&self, end: u64) -> DiskResult<Arc<FileMap>> {
        let mut slot = self.map.lock();
        if let Some(map) = slot.as_ref().filter(|map| end <= map.len() as u64) {
            return Ok(Arc::clone(map));
        }
        let length = self.len()?;
        if end > length {
            let detail = format!("bytes up to {end} are wanted, the file has {length}");
            let path = self.path.clone();
            return Err(DiskError { kind: super::DiskErrorKind::Failed, operation: "read", path, detail });
        }
        let covered = usize::try_from(length.max(end).saturating_add(MAP_AHEAD_BYTES)).unwrap_or(usize::MAX);
        let map = FileMap::new(&self.file, &self.path, covered)?;
        *slot = Some(Arc::clone(&map));
        Ok(map)
    }

    fn range(position: u64, length: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(position).unwrap_or(usize::MAX);
        start..start.saturating_add(length)
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
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(&self.file, rest, position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.error("read", error)),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, position: u64, parts: &[&[u8]]) -> DiskResult<()> {
        let mut position = position;
        let mut rest: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = rest.as_mut_slice();
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
                Err(error) => return Err(self.error("write", error)),
            }
        }
        Ok(())
    }

    fn allocate(&self, position: u64, length: u64) -> DiskResult<()> {
        match retry_on_intr(|| rustix::fs::fallocate(&self.file, FallocateFlags::empty(), position, length)) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.set_len(self.len()?.max(position + length)),
            Err(error) => Err(self.error("allocate space in", error)),
        }
    }

    fn set_len(&self, length: u64) -> DiskResult<()> {
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
        let map = self.map_covering(position.saturating_add(length as u64))?;
        let beyond = || DiskError::from_io("read", &self.path, &ErrorKind::UnexpectedEof.into());
        map.slice(Self::range(position, length)).ok_or_else(beyond)
    }

    fn is_resident(&self, position: u64, length: usize) -> DiskResult<bool> {
        self.map_covering(position.saturating_add(length as u64))?
            .is_resident(Self::range(position, length), &self.path)
    }

    fn prefault(&self, position: u64, length: usize) -> DiskResult<()> {
        self.map_covering(position.saturating_add(length as u64))?
            .prefault(Self::range(position, length), &self.path)
    }
}
