//! A store: all logs of one directory behind one handle. This file is the public face.

use super::{
    AppendError, DeletionCause, Log, LogOptions, OpenError, RecoveryReport, StoreFailure, StoreListener,
    StoreOptions, StoreStatus, TruncateError,
};
use crate::{
    clock::SharedClock,
    disk::SharedDisk,
    ids::{LogId, Offset},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Who commits the journal's groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitDriver {
    /// The store's own writer thread.
    Thread,
    /// Whoever calls [`Store::step`]: tests and simulations. An append that would wait for room steps by itself.
    Stepped,
}

/// What a store is opened with.
#[derive(Clone)]
pub struct StoreSetup {
    /// The file system.
    pub disk: SharedDisk,
    /// The store's directory; created if it is missing (its parent must exist).
    pub path: PathBuf,
    /// Sizes and times.
    pub options: StoreOptions,
    /// What time it is.
    pub clock: SharedClock,
    /// Who commits.
    pub driver: CommitDriver,
    /// Whom to tell of durable ends and of a failure.
    pub listener: Arc<dyn StoreListener>,
}

/// All logs of one directory. Cheap to clone.
#[derive(Clone)]
pub struct Store(());

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

#[expect(unused_variables, clippy::missing_panics_doc, reason = "a skeleton; bodies follow")]
impl Store {
    /// Opens or creates the store: checkpoint, journal tail, a new lap. Blocking.
    ///
    /// # Errors
    /// A disk call failed, a file is newer than this build, or damage leaves no way to know the logs.
    pub fn open(setup: StoreSetup) -> Result<(Store, RecoveryReport), OpenError> {
        unimplemented!()
    }

    /// Every log, ascending.
    pub fn log_ids(&self) -> Vec<LogId> {
        unimplemented!()
    }

    /// The log, if it exists.
    pub fn log(&self, id: LogId) -> Option<Log> {
        unimplemented!()
    }

    /// Creates a log, or returns the one that exists. A frame is queued; nothing is waited for and no file is made.
    ///
    /// # Errors
    /// The directory failed, or the id belonged to a log that was deleted.
    pub fn create_log(&self, id: LogId, start: Offset, options: LogOptions) -> Result<Log, AppendError> {
        unimplemented!()
    }

    /// Deletes a log: its frame is queued, its handles are closed, its files are removed by [`Store::maintain`] once the
    /// frame is synced. A log that does not exist is no error.
    ///
    /// # Errors
    /// The directory failed.
    pub fn delete_log(&self, id: LogId, cause: DeletionCause) -> Result<(), TruncateError> {
        unimplemented!()
    }

    /// Returns once everything queued before this call is synced; with [`CommitDriver::Stepped`] by stepping.
    ///
    /// # Errors
    /// The directory failed.
    pub fn sync(&self) -> Result<(), StoreFailure> {
        unimplemented!()
    }

    /// Commits one group; `false` when there was nothing to do. Only with [`CommitDriver::Stepped`].
    pub fn step(&self) -> bool {
        unimplemented!()
    }

    /// One round of background work, blocking: write-back, journal preparation, a checkpoint when one is due, recycling,
    /// removal of deleted files. Returns when to call again at the latest; `None`: not before the next append.
    pub fn maintain(&self) -> Option<Duration> {
        unimplemented!()
    }

    /// Writes a checkpoint now, if anything changed since the last.
    ///
    /// # Errors
    /// The directory failed.
    pub fn checkpoint(&self) -> Result<(), StoreFailure> {
        unimplemented!()
    }

    /// Why the directory is fenced, if it is.
    pub fn failure(&self) -> Option<StoreFailure> {
        unimplemented!()
    }

    /// The store at this moment.
    pub fn status(&self) -> StoreStatus {
        unimplemented!()
    }

    /// Makes everything durable, writes snapshots and a checkpoint and ends the writer thread. Appends are refused from
    /// then on; reads go on. Idempotent.
    ///
    /// # Errors
    /// The directory failed, before or meanwhile.
    pub fn close(&self) -> Result<(), StoreFailure> {
        unimplemented!()
    }
}
