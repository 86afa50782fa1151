//! The real file system of a Linux machine: names, directories and locks. Each method is the system call its contract
//! names; a failed one is reported once and never repeated.

use super::{
    Caching, DirectoryEntry, DirectoryLock, Disk, DiskError, DiskErrorKind, DiskFile, DiskResult, LOCK_FILE,
    OpenMode, SharedDisk, os_file::OsFile,
};
use rustix::{
    fs::{FileType, FlockOperation, Mode, OFlags},
    io::{Errno, retry_on_intr},
};
use std::{fs::File, os::fd::OwnedFd, path::Path, sync::Arc};

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

fn is_directory(path: &Path) -> bool {
    rustix::fs::stat(path).is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Directory)
}

fn open_file(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR))
}

impl Disk for OsDisk {
    fn create_dir(&self, path: &Path) -> DiskResult<()> {
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if is_directory(path) => Ok(()),
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
        let (opened, direct) = match caching {
            Caching::Buffered => (open_file(path, flags), false),
            Caching::Direct => match open_file(path, flags | OFlags::DIRECT) {
                // A file system without direct access may have created the name before it refused.
                Err(Errno::INVAL) => (open_file(path, flags.difference(OFlags::EXCL)), false),
                other => (other, true),
            },
        };
        let file = File::from(opened.map_err(|error| failed(operation, path, error))?);
        Ok(Arc::new(OsFile::new(file, path, mode != OpenMode::Read, caching, direct)))
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

    fn total_bytes(&self, path: &Path) -> DiskResult<u64> {
        let status = rustix::fs::statvfs(path).map_err(|error| failed("ask the size of", path, error))?;
        Ok(status.f_blocks.saturating_mul(status.f_frsize))
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
    let by = if owner.is_empty() { "process unknown".to_string() } else { format!("process {owner}") };
    DiskError {
        kind: DiskErrorKind::Locked,
        operation: "lock",
        path: name.to_path_buf(),
        detail: format!("another broker ({by}) is using this directory; stop it, or choose another one"),
    }
}
