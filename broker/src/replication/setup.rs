//! What the partitions are opened with.

use crate::{
    clock::SharedClock,
    disk::SharedDisk,
    ids::BrokerId,
    storage::{CommitDriver, StoreOptions},
};
use std::{path::PathBuf, time::Duration};

/// Who validates and appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// So many threads of their own.
    Threads(usize),
    /// The caller of `produce`: tests and simulations.
    Inline,
}

/// Sizes and times of the partitions, with their defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicasOptions {
    /// The store's.
    pub store: StoreOptions,
    /// Requests that may wait on one lane; one more is refused as overloaded.
    pub lane_requests_max: usize,
    /// A compressed batch is decompressed to at most this, only to check it.
    pub decompressed_bytes_max: usize,
    /// How often retention looks at the logs that have records.
    pub retention_interval: Duration,
}

impl Default for ReplicasOptions {
    fn default() -> Self {
        Self {
            store: StoreOptions::default(),
            lane_requests_max: 65_536,
            decompressed_bytes_max: 32 << 20,
            retention_interval: Duration::from_secs(30),
        }
    }
}

/// What the partitions need.
pub struct ReplicasSetup {
    /// The file system.
    pub disk: SharedDisk,
    /// The store's own directory, made if missing; its parent must exist (`<data-dir>/data`).
    pub path: PathBuf,
    /// Who this broker is.
    pub broker: BrokerId,
    /// Sizes and times.
    pub options: ReplicasOptions,
    /// The time.
    pub clock: SharedClock,
    /// Who syncs the journal.
    pub driver: CommitDriver,
    /// Who appends.
    pub lanes: Lanes,
}
