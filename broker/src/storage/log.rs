//! One log: the public handle. All methods take `&self`; a lock inside orders the changes. Ends are copied to atomics, so
//! that asking for them never waits.

mod append;
mod damage;
mod read;
mod start;
mod times;
mod truncate;

use super::{
    AppendError, Appended, DamagedRange, DeletionCause, LogOptions, ProducerFacts, ReadError, ReadRun,
    TimestampedOffset, TruncateError,
    engine::{Engine, LogCore, load},
};
use crate::ids::{LeaderEpoch, LogId, Offset};
use cairn_proto::record::Batch;
use std::sync::Arc;

pub(super) use truncate::{cut_index, position_of, rebuild_producers};

/// Whether a read may touch pages that are not in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residency {
    /// No: such bytes give [`ReadError::WouldBlock`].
    Required,
    /// Yes: the calling thread may block.
    MayBlock,
}

/// One log. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    engine: Arc<Engine>,
    core: Arc<LogCore>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (id, start, end) = (self.id(), self.start(), self.end());
        f.debug_struct("Log")
            .field("id", &id)
            .field("start", &start)
            .field("end", &end)
            .finish_non_exhaustive()
    }
}

impl Log {
    pub(super) fn new(engine: Arc<Engine>, core: Arc<LogCore>) -> Self {
        Self { engine, core }
    }

    /// Its id.
    pub fn id(&self) -> LogId {
        self.core.id
    }

    /// Gives it other options, from the next append on.
    pub fn set_options(&self, options: LogOptions) {
        let mut state = self.core.state.lock();
        let is_compacted = options.compaction.is_some();
        state.options = options;
        if is_compacted {
            self.engine.compactor.note(self.core.id);
        }
    }

    /// The first offset that can be read. No lock is taken.
    pub fn start(&self) -> Offset {
        load(&self.core.start)
    }

    /// The exclusive end. No lock is taken.
    pub fn end(&self) -> Offset {
        load(&self.core.end)
    }

    /// The exclusive end of what the journal has synced. No lock is taken.
    pub fn durable(&self) -> Offset {
        self.core.journaled.durable()
    }

    /// The exclusive end of what the journal has written, where [`Log::count_written`] asked for it: what a crash of the
    /// process does not lose. At least [`Log::durable`]. No lock is taken.
    pub fn written(&self) -> Offset {
        self.core.journaled.written()
    }

    /// Whether [`Log::written`] runs ahead of [`Log::durable`], and the listener is told of it.
    pub fn count_written(&self, wanted: bool) {
        self.engine.commits.count_written(self.core.id, wanted);
    }

    /// Bytes of batches between start and end, whole segments counted.
    pub fn size_bytes(&self) -> u64 {
        self.core.state.lock().size_bytes()
    }

    /// A leader begins `epoch` at the log's end (replication rules, epoch cache): noted at once, its frame is queued in
    /// front of the next append. An epoch that is not above the latest changes nothing.
    pub fn begin_epoch(&self, epoch: LeaderEpoch) {
        let _changing = self.core.changing.lock();
        let mut state = self.core.state.lock();
        let end = state.end;
        if !state.closed && state.latest_epoch().is_none_or(|latest| latest < epoch) {
            state.epochs.assign(epoch, end);
            state.epoch_frame_due = true;
        }
    }

    /// A leader's append: sequence check, stamp, segment write, frame queued. The caller has validated the batch
    /// ([`Batch::validate_produced`]). Blocks while the journal's queue is full.
    ///
    /// # Errors
    /// Nothing was appended, except after [`AppendError::Failed`], which leaves the outcome open.
    pub fn append(&self, batch: &Batch, epoch: LeaderEpoch) -> Result<Appended, AppendError> {
        self.append_as_leader(batch, epoch)
    }

    /// A follower's append: offsets and epoch stay as the leader gave them; gaps are allowed. Epoch cache and producer
    /// state follow the batch.
    ///
    /// # Errors
    /// As [`Log::append`], and `NotContiguous` for a batch below the end or of an older epoch.
    pub fn append_as_follower(&self, batch: &Batch) -> Result<Appended, AppendError> {
        self.append_of_leader(batch)
    }

    /// Whole batches from the one that contains `offset` on, below `bound` (exclusive, clamped to the end), at most
    /// `bytes_max` but at least one batch.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(
        &self,
        offset: Offset,
        bound: Offset,
        bytes_max: usize,
        residency: Residency,
    ) -> Result<ReadRun, ReadError> {
        self.read_run(read::Wanted { offset, bound, bytes_max }, residency)
    }

    /// The first record below `bound` whose timestamp is at least `timestamp_ms`. May block.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn offset_for_timestamp(
        &self,
        timestamp_ms: i64,
        bound: Offset,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        self.first_at_or_after(timestamp_ms, bound)
    }

    /// The record below `bound` with the greatest timestamp, the first of several. May block.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn max_timestamp(&self, bound: Offset) -> Result<Option<TimestampedOffset>, ReadError> {
        self.greatest_timestamp(bound)
    }

    /// The largest epoch of the log that is not above `epoch`, and where it ends (replication rules §5).
    pub fn end_offset_for(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let state = self.core.state.lock();
        state.epochs.end_offset_for(epoch, state.end)
    }

    /// The latest epoch that began.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.core.state.lock().latest_epoch()
    }

    /// Removes everything at or above `end`, durably before it returns. `end` is lowered to the batch that contains it.
    ///
    /// # Errors
    /// Nothing changed, except after `Failed`.
    pub fn truncate(&self, end: Offset) -> Result<(), TruncateError> {
        self.truncate_to(end)
    }

    /// Raises the log's start; a frame is queued. Files below it are removed once that is synced.
    ///
    /// # Errors
    /// Nothing changed, except after `Failed`.
    pub fn advance_start(&self, start: Offset, cause: DeletionCause) -> Result<(), TruncateError> {
        self.raise_start(start, cause)
    }

    /// Deletes whole segments below `high_watermark` by size and age. Returns the new start if it moved.
    ///
    /// # Errors
    /// Nothing changed, except after `Failed`.
    pub fn apply_retention(&self, high_watermark: Offset) -> Result<Option<Offset>, TruncateError> {
        self.retain(high_watermark)
    }

    /// The next checkpoint stores this.
    pub fn note_high_watermark(&self, high_watermark: Offset) {
        let mut state = self.core.state.lock();
        let noted = high_watermark.clamp(state.start, state.end);
        state.high_watermark = noted;
    }

    /// The high watermark that the opening found, at most the end.
    pub fn stored_high_watermark(&self) -> Offset {
        load(&self.core.stored_high_watermark)
    }

    /// The producers that this log remembers, by rising id. May wait for an append that waits for the disk.
    pub fn producers(&self) -> Vec<ProducerFacts> {
        self.core.state.lock().producers.facts()
    }

    /// What cannot be read from this copy, ascending.
    pub fn damaged_ranges(&self) -> Vec<DamagedRange> {
        self.core.state.lock().damaged.clone()
    }
}
