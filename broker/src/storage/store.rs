//! A store: all logs of one directory behind one handle. This file is the public face.

use super::{
    AppendError, DeletionCause, Log, LogOptions, OpenError, RecoveryReport, StoreFailure, StoreListener,
    StoreOptions, StoreStatus, TruncateError,
    engine::{Doomed, Engine, LogCore},
    frame::FrameBody,
    state::LogState,
};
use crate::{
    clock::SharedClock,
    disk::{DiskResult, SharedDisk},
    ids::{LogId, Offset},
};
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

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
pub struct Store {
    engine: Arc<Engine>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.engine.files.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or creates the store: checkpoint, journal tail, a new lap. Blocking.
    ///
    /// # Errors
    /// A disk call failed, a file is newer than this build, or damage leaves no way to know the logs.
    pub fn open(setup: StoreSetup) -> Result<(Store, RecoveryReport), OpenError> {
        let (engine, report) = super::recovery::open(setup)?;
        Ok((Store { engine }, report))
    }

    #[cfg(test)]
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Every log, ascending.
    pub fn log_ids(&self) -> Vec<LogId> {
        self.engine.logs.read().keys().copied().collect()
    }

    /// The log, if it exists.
    pub fn log(&self, id: LogId) -> Option<Log> {
        let core = self.engine.logs.read().get(&id).cloned()?;
        Some(Log::new(Arc::clone(&self.engine), core))
    }

    /// Creates a log, or returns the one that exists. A frame is queued; nothing is waited for and no file is made.
    ///
    /// # Errors
    /// The directory failed, or the id belonged to a log that was deleted.
    pub fn create_log(&self, id: LogId, start: Offset, options: LogOptions) -> Result<Log, AppendError> {
        let engine = &self.engine;
        let mut logs = engine.logs.write();
        if let Some(core) = logs.get(&id) {
            return Ok(Log::new(Arc::clone(engine), Arc::clone(core)));
        }
        if let Some(failure) = engine.journal.failure() {
            return Err(failure.into());
        }
        if engine.is_closed() {
            return Err(AppendError::Closed("the store is closed"));
        }
        if engine.deleted.lock().contains_key(&id) {
            return Err(AppendError::Closed("a log of this id was deleted; ids are never used again"));
        }
        let core = LogCore::new(id, LogState::new(start, options));
        engine.insert(&mut logs, &core);
        let queued = engine.enqueue(id, &mut core.state.lock(), FrameBody::Create { start });
        if let Err(failure) = queued {
            logs.remove(&id);
            engine.commits.remove(id);
            return Err(failure.into());
        }
        Ok(Log::new(Arc::clone(engine), core))
    }

    /// Deletes a log: its frame is queued, its handles are closed, its files are removed by [`Store::maintain`] once the
    /// frame is synced. A log that does not exist is no error.
    ///
    /// # Errors
    /// The directory failed.
    pub fn delete_log(&self, id: LogId, cause: DeletionCause) -> Result<(), TruncateError> {
        let engine = &self.engine;
        let Some(core) = engine.logs.read().get(&id).cloned() else { return Ok(()) };
        let _changing = core.changing.lock();
        let mut state = core.state.lock();
        if state.closed {
            return Ok(());
        }
        if engine.is_closed() {
            return Err(TruncateError::Closed);
        }
        let sequence = engine.enqueue(id, &mut state, FrameBody::Delete { cause })?;
        state.closed = true;
        for open in state.segments.iter().filter_map(|segment| segment.open.upgrade()) {
            engine.files.forget(&open);
        }
        drop(state);
        // In this order, for the checkpoint: a log that is not in the table is among the deleted ones.
        engine.deleted.lock().insert(id, cause);
        engine.logs.write().remove(&id);
        engine.commits.remove(id);
        engine.doomed.lock().push(Doomed { sequence, log: id, file: None });
        Ok(())
    }

    /// Returns once everything queued before this call is synced; with [`CommitDriver::Stepped`] by stepping.
    ///
    /// # Errors
    /// The directory failed.
    pub fn sync(&self) -> Result<(), StoreFailure> {
        self.engine.wait_synced(self.engine.journal.next_sequence())?;
        // Also where nothing was queued: after a failure nothing counts as done (I33).
        self.failure().map_or(Ok(()), Err)
    }

    /// Commits one group; `false` when there was nothing to do. Only with [`CommitDriver::Stepped`].
    pub fn step(&self) -> bool {
        self.engine.driver == CommitDriver::Stepped && self.engine.journal.step()
    }

    /// One round of background work, blocking: write-back, journal preparation, a checkpoint when one is due, recycling,
    /// removal of deleted files. Returns when to call again at the latest; `None`: not before the next append.
    pub fn maintain(&self) -> Option<Duration> {
        self.engine.maintain()
    }

    /// Writes a checkpoint now, if anything changed since the last.
    ///
    /// # Errors
    /// The directory failed.
    pub fn checkpoint(&self) -> Result<(), StoreFailure> {
        self.engine.write_checkpoint().map(|_| ())
    }

    /// Runs something else that a start or a shutdown must write to this file system; on a full disk once more in the space
    /// of the reserve.
    ///
    /// # Errors
    /// Those of `run`.
    pub fn with_reserve<T>(&self, run: impl FnMut() -> DiskResult<T>) -> DiskResult<T> {
        self.engine.reserve.with_space(run)
    }

    /// The largest batch that the journal takes, if one of so many bytes is larger.
    pub fn beyond_journal(&self, bytes: usize) -> Option<usize> {
        self.engine.too_large(bytes)
    }

    /// Why the directory is fenced, if it is.
    pub fn failure(&self) -> Option<StoreFailure> {
        self.engine.journal.failure()
    }

    /// The store at this moment.
    pub fn status(&self) -> StoreStatus {
        let engine = &self.engine;
        let cores: Vec<_> = engine.logs.read().values().cloned().collect();
        let mut status = StoreStatus {
            logs: cores.len(),
            journal_bytes_uncheckpointed: engine.journal.uncheckpointed_bytes(),
            open_segments: engine.files.open_count(),
            checkpoints: engine.checkpoints_written.load(Ordering::Relaxed),
            reserve_present: engine.reserve.is_present(),
            suspect_logs: engine.suspect.clone(),
            compaction: engine.compactor.status(),
            ..StoreStatus::default()
        };
        for core in cores {
            let state = core.state.lock();
            status.log_bytes += state.size_bytes();
            status.damaged.extend(state.damaged.iter().map(|range| (core.id, range.clone())));
        }
        status
    }

    /// Makes everything durable, writes snapshots and a checkpoint and ends the writer thread. Appends are refused from
    /// then on; reads go on. Idempotent.
    ///
    /// # Errors
    /// The directory failed, before or meanwhile.
    pub fn close(&self) -> Result<(), StoreFailure> {
        let engine = &self.engine;
        engine.closed.store(true, Ordering::Release);
        // Whoever saw the store open has queued its frame before its log's lock is free again.
        let cores: Vec<_> = engine.logs.read().values().cloned().collect();
        for core in cores {
            drop(core.changing.lock());
        }
        engine.wait_synced(engine.journal.next_sequence())?;
        engine.write_checkpoint()?;
        engine.journal.close()
    }
}
