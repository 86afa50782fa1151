//! What a disk call can say, in the three kinds that callers act upon. Every error names the file and the call.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Result of a disk call.
pub type DiskResult<T> = Result<T, DiskError>;

/// What the caller does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskErrorKind {
    /// No space or quota left (ENOSPC, EDQUOT). From `allocate`, `create` and `open` a refusal; from a write into
    /// allocated blocks or a sync as final as `Failed`.
    NoSpace,
    /// The name does not exist.
    NotFound,
    /// The name exists already.
    AlreadyExists,
    /// Another process holds the directory's lock.
    Locked,
    /// More bytes than the reader accepts.
    TooLarge,
    /// No permission.
    Denied,
    /// Anything else, EIO first of all.
    Failed,
}

/// A failed disk call.
#[derive(Clone, Debug)]
pub struct DiskError {
    /// What to do about it.
    pub kind: DiskErrorKind,
    /// The call, as a verb.
    pub operation: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub detail: String,
}

impl DiskError {
    /// From the system's error.
    pub fn from_io(operation: &'static str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => DiskErrorKind::NoSpace,
            ErrorKind::NotFound => DiskErrorKind::NotFound,
            ErrorKind::AlreadyExists => DiskErrorKind::AlreadyExists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => DiskErrorKind::Denied,
            _ => DiskErrorKind::Failed,
        };
        Self { kind, operation, path: path.to_path_buf(), detail: error.to_string() }
    }

    /// A file longer than its reader accepts.
    pub fn too_large(path: &Path, bytes: usize, bytes_max: usize) -> Self {
        Self {
            kind: DiskErrorKind::TooLarge,
            operation: "read",
            path: path.to_path_buf(),
            detail: format!("{bytes} bytes, at most {bytes_max} expected"),
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.operation, self.path.display(), self.detail)
    }
}

impl std::error::Error for DiskError {}
