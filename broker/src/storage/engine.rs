//! What all logs of a store share. Locks are taken in this order: a log's change, checkpoint, table of logs, a log's state, then any of the
//! small ones (touched logs, doomed files, open files, the journal's own); never two logs' states at once.

use super::{
    AppendError, CommitDriver, DeletionCause, StoreFailure, StoreOptions, TruncateError,
    checkpoint::Checkpoint,
    commits::{Commits, JournaledEnds},
    compact::Compactor,
    files::SegmentFiles,
    frame::{Frame, FrameBody},
    journal::{Journal, Room},
    layout::LogFile,
    reserve::Reserve,
    state::LogState,
};
use crate::{
    clock::{Monotonic, SharedClock},
    disk::{DiskError, DiskErrorKind, DiskResult},
    ids::{LogId, Offset},
};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How far wall and monotonic time may drift apart before age deletes nothing (replication rules, time and retention).
const DRIFT_MAX: Duration = Duration::from_secs(60);

/// How often a wait for a sync looks.
const SYNC_POLL: Duration = Duration::from_micros(200);

/// After a refusal it is left to others, or to the next round of background work, for so long.
pub(super) const REFUSED: Duration = Duration::from_secs(1);

/// One log, shared by its handles.
pub(super) struct LogCore {
    pub(super) id: LogId,
    /// Copies of the state's start and end, for reading without the lock.
    pub(super) start: AtomicI64,
    pub(super) end: AtomicI64,
    pub(super) journaled: Arc<JournaledEnds>,
    /// What the opening found.
    pub(super) stored_high_watermark: AtomicI64,
    /// Held by whoever changes the log, before its state is locked: a truncation lets go of the state while its frame is
    /// being synced, so that a checkpoint can go on.
    pub(super) changing: Mutex<()>,
    pub(super) state: Mutex<LogState>,
}

impl LogCore {
    pub(super) fn new(id: LogId, state: LogState) -> Arc<Self> {
        Arc::new(Self {
            id,
            start: AtomicI64::new(state.start.get()),
            end: AtomicI64::new(state.end.get()),
            journaled: JournaledEnds::new(state.end),
            stored_high_watermark: AtomicI64::new(state.high_watermark.get()),
            changing: Mutex::new(()),
            state: Mutex::new(state),
        })
    }

    /// Shows the state's start and end to readers that take no lock.
    pub(super) fn publish(&self, state: &LogState) {
        self.start.store(state.start.get(), Ordering::Release);
        self.end.store(state.end.get(), Ordering::Release);
    }
}

/// What may be removed once a frame is durable.
pub(super) struct Doomed {
    /// The frame that is the cause.
    pub(super) sequence: u64,
    pub(super) log: LogId,
    /// The file; `None`: everything of the log.
    pub(super) file: Option<LogFile>,
}

/// What a store's handles and logs share.
pub(super) struct Engine {
    pub(super) files: SegmentFiles,
    pub(super) options: StoreOptions,
    pub(super) clock: SharedClock,
    pub(super) driver: CommitDriver,
    pub(super) journal: Journal,
    pub(super) commits: Arc<Commits>,
    pub(super) reserve: Reserve,
    pub(super) compactor: Compactor,
    pub(super) logs: RwLock<BTreeMap<LogId, Arc<LogCore>>>,
    /// The newest checkpoint. Its lock makes checkpoints one after the other.
    pub(super) checkpoint: Mutex<Checkpoint>,
    pub(super) checkpoints_written: AtomicU64,
    /// Logs that changed since the newest checkpoint took notice of them.
    pub(super) touched: Mutex<BTreeSet<LogId>>,
    /// Deleted logs whose files may still be there.
    pub(super) deleted: Mutex<BTreeMap<LogId, DeletionCause>>,
    pub(super) doomed: Mutex<Vec<Doomed>>,
    /// Logs that may miss synced frames, because the journal is damaged.
    pub(super) suspect: Vec<LogId>,
    /// Wall and monotonic time at the opening.
    pub(super) opened_at: (i64, Monotonic),
    pub(super) closed: AtomicBool,
    /// What the journal took last as its largest batch; asked for again when a batch is larger.
    pub(super) batch_bytes_max: AtomicUsize,
    /// The largest batch that a file of the ring can take, as the journal said last.
    pub(super) batch_bytes_now: AtomicUsize,
    /// When a checkpoint found no space, if the last one did.
    pub(super) refused_at: Mutex<Option<Monotonic>>,
    /// The opening replayed frames: the first background round covers them, so that the next start need not.
    pub(super) checkpoint_wanted: AtomicBool,
}

impl Engine {
    /// Whether the store was closed: nothing is appended any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Fences the directory.
    pub(super) fn fail(&self, cause: DiskError) -> StoreFailure {
        self.journal.fail(cause)
    }

    /// What an error before an append means: no space is a refusal, anything else is final.
    pub(super) fn append_error(&self, cause: DiskError) -> AppendError {
        match cause.kind {
            DiskErrorKind::NoSpace => AppendError::NoSpace(Arc::new(cause)),
            _ => AppendError::Failed(self.fail(cause)),
        }
    }

    /// The same for a truncation.
    pub(super) fn truncate_error(&self, cause: DiskError) -> TruncateError {
        match cause.kind {
            DiskErrorKind::NoSpace => TruncateError::NoSpace(Arc::new(cause)),
            _ => TruncateError::Failed(self.fail(cause)),
        }
    }

    /// Before an append takes space: refused while the reserve is not whole, unless appends may use it.
    pub(super) fn check_reserve(&self) -> DiskResult<()> {
        if self.options.reserve_for_appends || self.reserve.leaves_space()? {
            return Ok(());
        }
        Err(self.no_space("what space there is stays reserved for starts, checkpoints and deletions"))
    }

    pub(super) fn no_space(&self, detail: &str) -> DiskError {
        DiskError {
            kind: DiskErrorKind::NoSpace,
            operation: "append to",
            path: self.files.path.clone(),
            detail: format!("the disk is full: {detail}"),
        }
    }

    /// A piece of the journal's next file, if there is space for it. Whether more is to do.
    pub(super) fn prepare(&self) -> Result<bool, StoreFailure> {
        let may = self.options.reserve_for_appends
            || !self.journal.wants_space()
            || self.reserve.leaves_space().map_err(|error| self.fail(error))?;
        if may { self.journal.prepare() } else { Ok(false) }
    }

    /// Before an append, without any lock: waits until the journal takes one. A ring that is full is helped, so that this ends
    /// even when nobody else does background work; where that finds no space it is a refusal. Nobody else would make room, or
    /// whoever does has just been refused.
    pub(super) fn wait_for_room(&self, batch_bytes: usize) -> Result<(), AppendError> {
        self.wait_for_file(batch_bytes)?;
        while let Room::RingFull = self.journal.wait_for_room()? {
            let helped = !self.is_refused_lately() && (self.write_checkpoint()? | self.prepare()?);
            let nobody_else = self.driver == CommitDriver::Stepped || self.is_refused_lately();
            if !helped && nobody_else && matches!(self.journal.wait_for_room()?, Room::RingFull) {
                let cause = self.no_space("the journal's ring, and there is no space for a checkpoint");
                return Err(AppendError::NoSpace(Arc::new(cause)));
            }
        }
        Ok(())
    }

    /// Nothing is let in that no file of the ring can take: behind it everything would wait. The file for it is made here.
    fn wait_for_file(&self, batch_bytes: usize) -> Result<(), AppendError> {
        if batch_bytes <= self.batch_bytes_now.load(Ordering::Relaxed)
            || self.too_large(batch_bytes).is_some()
        {
            return Ok(());
        }
        loop {
            let bytes_now = self.journal.make_fit(batch_bytes);
            self.batch_bytes_now.store(bytes_now, Ordering::Relaxed);
            if batch_bytes <= bytes_now {
                return Ok(());
            }
            if !self.prepare()? && self.journal.make_fit(batch_bytes) < batch_bytes {
                let cause = self.no_space("the journal has no file that can take a batch of this size");
                return Err(AppendError::NoSpace(Arc::new(cause)));
            }
        }
    }

    /// Whether a checkpoint found no space a moment ago: the next round of background work tries again.
    fn is_refused_lately(&self) -> bool {
        let refused_at = *self.refused_at.lock();
        refused_at.is_some_and(|at| self.clock.now().since(at) < REFUSED)
    }

    /// Waits until all frames below the sequence are durable. A ring that is full meanwhile is helped, so that this ends
    /// even when nobody else does background work.
    pub(super) fn wait_synced(&self, below: u64) -> Result<(), StoreFailure> {
        while self.driver == CommitDriver::Thread && self.journal.synced() < below {
            if let Some(failure) = self.journal.failure() {
                return Err(failure);
            }
            if self.journal.is_ring_full() && !self.is_refused_lately() {
                self.write_checkpoint()?;
                self.prepare()?;
            }
            self.clock.sleep(SYNC_POLL);
        }
        while !self.journal.wait_synced(below)? {
            self.write_checkpoint()?;
            self.prepare()?;
        }
        Ok(())
    }

    /// Queues a frame of a log whose state is locked. The next checkpoint looks at the log.
    pub(super) fn enqueue(
        &self,
        log: LogId,
        state: &mut LogState,
        body: FrameBody,
    ) -> Result<u64, StoreFailure> {
        self.touch(log, state);
        let sequence = self.journal.enqueue(Frame { log, body })?;
        state.covers = sequence + 1;
        Ok(sequence)
    }

    /// The next checkpoint looks at this log.
    pub(super) fn touch(&self, log: LogId, state: &mut LogState) {
        if !state.touched {
            state.touched = true;
            self.touched.lock().insert(log);
        }
    }

    /// The wall clock, if it has kept step with monotonic time since the opening: age deletes nothing otherwise.
    pub(super) fn trusted_wall_ms(&self) -> Option<i64> {
        let (wall_then, then) = self.opened_at;
        let wall = self.clock.wall_ms();
        let by_wall = wall.saturating_sub(wall_then);
        let by_monotonic = i64::try_from(self.clock.now().since(then).as_millis()).unwrap_or(i64::MAX);
        let drift = Duration::from_millis(by_wall.abs_diff(by_monotonic));
        if drift <= DRIFT_MAX {
            return Some(wall);
        }
        tracing::warn!(
            drift_seconds = drift.as_secs(),
            "wall and monotonic time drifted apart: deletion by age pauses"
        );
        None
    }

    /// The largest batch that the journal takes, if a batch of so many bytes is too large.
    pub(super) fn too_large(&self, bytes: usize) -> Option<usize> {
        if bytes <= self.batch_bytes_max.load(Ordering::Relaxed) {
            return None;
        }
        let bytes_max = self.journal.batch_bytes_max();
        self.batch_bytes_max.store(bytes_max, Ordering::Relaxed);
        (bytes > bytes_max).then_some(bytes_max)
    }

    /// Adds a log to the tables.
    pub(super) fn insert(&self, logs: &mut BTreeMap<LogId, Arc<LogCore>>, core: &Arc<LogCore>) {
        self.commits.insert(core.id, Arc::clone(&core.journaled));
        logs.insert(core.id, Arc::clone(core));
    }

    /// Files of segments that left a log: they go once the frame is durable.
    pub(super) fn doom_segments(&self, log: LogId, segments: &[super::segment::Segment], sequence: u64) {
        let mut doomed = self.doomed.lock();
        for segment in segments {
            if let Some(open) = segment.open.upgrade() {
                self.files.forget(&open);
            }
            doomed.push(Doomed { sequence, log, file: Some(segment.name()) });
            doomed.push(Doomed { sequence, log, file: Some(segment.index_name()) });
        }
    }
}

/// An offset read without a lock.
pub(super) fn load(offset: &AtomicI64) -> Offset {
    Offset(offset.load(Ordering::Acquire))
}
