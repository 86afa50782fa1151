//! Why a data directory cannot be used, and what to do about it.

use super::{FORMAT, META_FILE};
use crate::{
    disk::{DiskError, DiskErrorKind},
    ids::{BrokerId, ClusterId},
};
use std::path::PathBuf;

/// Why a directory cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The disk failed or refused, or another broker holds the lock.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Written by a newer version.
    #[error(
        "{file} has data format {found}, this build reads up to {FORMAT}: start the newer version on this directory, or \
         choose another --data-dir"
    )]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// What it says.
        found: u32,
    },
    /// Bytes that Cairn did not write so.
    #[error(
        "{file} is damaged at byte {byte}: {detail}. Nothing was changed. Restore the file from a copy, or choose another \
         --data-dir"
    )]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Where in it.
        byte: usize,
        /// What is wrong there.
        detail: String,
    },
    /// The directory holds something else.
    #[error(
        "{directory} is not empty and not a Cairn data directory: it has no {META_FILE}, but {found:?}. Choose an empty or \
         a new directory with --data-dir"
    )]
    Foreign {
        /// The directory.
        directory: PathBuf,
        /// A name found in it.
        found: String,
    },
    /// The directory is another broker's.
    #[error(
        "{directory} belongs to broker {found}, this one is broker {wanted}: set --broker-id {found}, or choose another --data-dir"
    )]
    OtherBroker {
        /// The directory.
        directory: PathBuf,
        /// Whose it is.
        found: BrokerId,
        /// Who asks.
        wanted: BrokerId,
    },
    /// The directory belongs to another cluster.
    #[error(
        "{directory} belongs to cluster {found}, not to {wanted}: choose another --data-dir, or the cluster's own address"
    )]
    OtherCluster {
        /// The directory.
        directory: PathBuf,
        /// The cluster it knows.
        found: ClusterId,
        /// The cluster that was to be written.
        wanted: ClusterId,
    },
}

impl DirectoryError {
    /// Whether the same call may succeed later without anybody changing the directory: another broker may let go of its
    /// lock, and space may return.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Disk(error) if matches!(error.kind, DiskErrorKind::Locked | DiskErrorKind::NoSpace))
    }
}
