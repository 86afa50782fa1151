//! Appending: checks, space, the segment write, the frame. Until the segment write every failure leaves the log as it was;
//! from there on a failure fences the directory.

use super::Log;
use crate::{
    disk::DiskResult,
    ids::{LeaderEpoch, LogId, Offset},
    storage::{
        AppendError, Appended, StoreFailure, engine::Engine, files::OpenSegment, frame::FrameBody,
        producers::Verdict, segment::Segment, state::LogState,
    },
};
use cairn_proto::record::{Batch, StampedBatch};
use std::sync::Arc;

/// Positions in a segment fit the index's 32 bits, whatever the topic's segment size.
const SEGMENT_BYTES_LIMIT: u64 = u32::MAX as u64;

impl Log {
    pub(super) fn append_as_leader(
        &self,
        batch: &Batch,
        epoch: LeaderEpoch,
    ) -> Result<Appended, AppendError> {
        self.engine.wait_for_room(batch.total_bytes())?;
        let now_ms = self.engine.clock.wall_ms();
        let _changing = self.core.changing.lock();
        let mut state = self.core.state.lock();
        check_open(&self.engine, &state)?;
        self.check_size(batch.total_bytes(), state.options.batch_bytes_max)?;
        let end = state.end;
        if state.latest_epoch().is_some_and(|latest| epoch < latest) {
            return Err(AppendError::NotContiguous { base_offset: end, leader_epoch: epoch, log_end: end });
        }
        let header = batch.header();
        if let Verdict::Duplicate { base_offset, end_offset, append_time_ms } =
            state.producers.check(header, state.may_lack_producers())?
        {
            return Ok(Appended { base_offset, end_offset, append_time_ms, duplicate: true });
        }
        if end.get().checked_add(i64::from(header.last_offset_delta) + 1).is_none() {
            return Err(AppendError::Closed("its offsets are used up"));
        }
        let append_time_ms = state.options.stamp_append_time.then_some(now_ms);
        let stamped = batch.stamp(end.get(), epoch.get(), append_time_ms);
        self.write(&mut state, stamped, now_ms)?;
        Ok(Appended { base_offset: end, end_offset: state.end, append_time_ms, duplicate: false })
    }

    pub(super) fn append_of_leader(&self, batch: &Batch) -> Result<Appended, AppendError> {
        self.engine.wait_for_room(batch.total_bytes())?;
        let now_ms = self.engine.clock.wall_ms();
        let _changing = self.core.changing.lock();
        let mut state = self.core.state.lock();
        check_open(&self.engine, &state)?;
        self.check_size(batch.total_bytes(), usize::MAX)?;
        let header = batch.header();
        let (base_offset, leader_epoch) = (Offset(header.base_offset), LeaderEpoch(header.leader_epoch));
        let stale = state.latest_epoch().is_some_and(|latest| leader_epoch < latest);
        if base_offset < state.end || stale || leader_epoch.get() < 0 {
            return Err(AppendError::NotContiguous { base_offset, leader_epoch, log_end: state.end });
        }
        let stamped = batch.stamp(header.base_offset, header.leader_epoch, None);
        self.write(&mut state, stamped, now_ms)?;
        Ok(Appended { base_offset, end_offset: state.end, append_time_ms: None, duplicate: false })
    }

    fn check_size(&self, bytes: usize, bytes_max: usize) -> Result<(), AppendError> {
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        let too_large = self.engine.too_large(bytes);
        too_large.map_or(Ok(()), |bytes_max| Err(AppendError::BeyondJournal { bytes, bytes_max }))
    }

    /// Writes a batch that may be appended, notes it, and queues its frames.
    fn write(&self, state: &mut LogState, batch: StampedBatch, now_ms: i64) -> Result<(), AppendError> {
        let (engine, log) = (&self.engine, self.core.id);
        let base = Offset(batch.header().base_offset);
        let (open, position) = self.place_for(state, base, batch.total_bytes() as u64, now_ms)?;
        let written = open.file.write_at(position, &[batch.header_bytes(), batch.body()]);
        written.map_err(|error| engine.fail(error))?;
        let epoch = LeaderEpoch(batch.header().leader_epoch);
        if state.latest_epoch().is_none_or(|latest| latest < epoch) {
            state.epochs.assign(epoch, base);
            state.epoch_frame_due = true;
        }
        state.note_batch(batch.header(), batch.total_bytes(), now_ms);
        // Published before the frame is queued, so that the durable end never passes the end. If the queue refuses, the
        // directory is fenced and nobody counts this batch.
        self.core.publish(state);
        if state.epoch_frame_due {
            self.queue_epoch(state)?;
        }
        let segment_base = state.segments.last().map_or(base, |segment| segment.base);
        engine.enqueue(log, state, FrameBody::Append { segment_base, position, batch })?;
        Ok(())
    }

    fn queue_epoch(&self, state: &mut LogState) -> Result<(), StoreFailure> {
        if let Some(latest) = state.epochs.latest() {
            let body = FrameBody::Epoch { epoch: latest.epoch, start: latest.start };
            self.engine.enqueue(self.core.id, state, body)?;
        }
        state.epoch_frame_due = false;
        Ok(())
    }

    /// The file and the position for the next batch, with its space allocated. Rolls if need be.
    fn place_for(
        &self,
        state: &mut LogState,
        base: Offset,
        bytes: u64,
        now_ms: i64,
    ) -> Result<(Arc<OpenSegment>, u64), AppendError> {
        let engine = &self.engine;
        let mut place = || self.place(state, base, bytes, now_ms);
        let placed =
            if engine.options.reserve_for_appends { engine.reserve.with_space(place) } else { place() };
        placed.map_err(|error| engine.append_error(error))
    }

    fn place(
        &self,
        state: &mut LogState,
        base: Offset,
        bytes: u64,
        now_ms: i64,
    ) -> DiskResult<(Arc<OpenSegment>, u64)> {
        let (engine, log) = (&*self.engine, self.core.id);
        let rolls = state.segments.last().is_none_or(|active| must_roll(state, active, bytes, now_ms));
        if rolls || state.segments.last().is_some_and(|active| active.needs_space(bytes)) {
            engine.check_reserve()?;
        }
        if !rolls && let Some(active) = state.segments.last_mut() {
            let open = active.file(&engine.files, log)?;
            active.allocate(&engine.files, &open, bytes)?;
            return Ok((open, active.bytes));
        }
        let (mut segment, open) = new_segment(engine, log, state, base, now_ms)?;
        segment.allocate(&engine.files, &open, bytes)?;
        seal(state);
        state.segments.push(segment);
        if state.options.compaction.is_some() {
            engine.compactor.note(log);
        }
        Ok((open, 0))
    }
}

/// Whether anything may be appended.
pub(super) fn check_open(engine: &Engine, state: &LogState) -> Result<(), AppendError> {
    if let Some(failure) = engine.journal.failure() {
        return Err(failure.into());
    }
    if state.closed {
        return Err(AppendError::Closed("it was deleted"));
    }
    if engine.is_closed() {
        return Err(AppendError::Closed("the store is closed"));
    }
    Ok(())
}

fn must_roll(state: &LogState, active: &Segment, bytes: u64, now_ms: i64) -> bool {
    let options = &state.options;
    let full = active.bytes.saturating_add(bytes) > options.segment_bytes.min(SEGMENT_BYTES_LIMIT);
    let old = options.segment_ms.is_some_and(|limit| now_ms.saturating_sub(active.first_append_ms) > limit);
    full || old
}

fn new_segment(
    engine: &Engine,
    log: LogId,
    state: &mut LogState,
    base: Offset,
    now_ms: i64,
) -> DiskResult<(Segment, Arc<OpenSegment>)> {
    if !state.has_directory {
        engine.files.create_directory(log)?;
        state.has_directory = true;
    }
    let mut segment = Segment::new(base, engine.options.index_interval_bytes, now_ms);
    let open = engine.files.create_segment(log, segment.id())?;
    state.names_changed += 1;
    segment.open = Arc::downgrade(&open);
    segment.generation = engine.files.next_generation();
    Ok((segment, open))
}

/// The active segment is complete: what a checkpoint has to write of it is noted.
fn seal(state: &mut LogState) {
    if !state.producers.is_empty() && !state.segments.is_empty() {
        state.snapshot_due = Some((state.end, state.producers.encode_snapshot(state.end)));
    }
}
