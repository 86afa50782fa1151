//! Why a broker does not start, or did not stop cleanly. Each text says what to do.

use crate::{
    disk::{DirectoryError, DiskError, DiskErrorKind},
    metadata::{MetadataError, MetadataFailure, ProposeError},
    replication::ReplicationError,
};
use std::path::PathBuf;

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address that cannot be listened on as configured.
    #[error("{0}")]
    Address(String),
    /// A socket could not be bound.
    #[error("cannot listen on {address} for {listener}: {detail}")]
    Bind {
        /// The configuration key.
        listener: &'static str,
        /// The address.
        address: String,
        /// Why, and what to do.
        detail: String,
    },
    /// Another broker uses the directory.
    #[error(
        "the data directory {directory} is in use by another broker ({detail}): stop that one, or choose another --data-dir"
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// What the lock said.
        detail: String,
    },
    /// The directory cannot be used.
    #[error("the data directory cannot be used: {0}")]
    Directory(DirectoryError),
    /// The metadata does not open.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The partitions do not open.
    #[error(transparent)]
    Open(#[from] ReplicationError),
    /// The broker's registration failed.
    #[error("the broker cannot be registered: {0}")]
    Register(#[from] ProposeError),
    /// Something of the process.
    #[error("{0}")]
    Process(String),
}

impl StartError {
    /// A directory's error; a lock that somebody holds is a case of its own.
    pub(super) fn directory(directory: PathBuf, error: DirectoryError) -> Self {
        match error {
            DirectoryError::Disk(DiskError { kind: DiskErrorKind::Locked, detail, .. }) => {
                Self::Locked { directory, detail }
            }
            other => Self::Directory(other),
        }
    }
}

/// Why a shutdown was not clean. Nothing acknowledged is lost; the next start recovers.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// The partitions could not be made durable.
    #[error("not a clean shutdown, the next start recovers: {0}")]
    Replicas(ReplicationError),
    /// The metadata had failed.
    #[error("not a clean shutdown, the next start recovers: {0}")]
    Metadata(MetadataFailure),
    /// The last file could not be written.
    #[error("not a clean shutdown, the next start recovers: {0}")]
    CleanFile(DiskError),
    /// The shutdown itself was cut short.
    #[error("not a clean shutdown, the next start recovers: {0}")]
    Cut(String),
}
