//! Replaying the journal's tail over the checkpoint. A frame is applied to a log exactly once: an entry says which frames it
//! has. Appends are written again at their exact place, so that a lost page, size, name or file of a segment comes back;
//! nothing is read but by a truncation, which has to find its place, and where frames are missing.

use super::{
    DamagedRange, LogOptions, OpenError, StoreOptions,
    cuts::Cuts,
    files::{OpenSegment, SegmentFiles},
    frame::{Frame, FrameBody},
    layout::LogFile,
    log::{cut_index, position_of, rebuild_producers},
    missing::Missing,
    reserve::Reserve,
    segment::Segment,
    state::LogState,
    walk::WalkError,
};
use crate::{
    disk::{DiskErrorKind, DiskResult},
    ids::{LogId, Offset},
};
use cairn_proto::record::StampedBatch;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The logs while they are being recovered.
pub(super) struct Replay<'a> {
    pub(super) files: &'a SegmentFiles,
    pub(super) options: &'a StoreOptions,
    pub(super) reserve: &'a Reserve,
    pub(super) now_ms: i64,
    pub(super) logs: BTreeMap<LogId, LogState>,
    /// Logs whose delete frame is in the tail: their other frames mean nothing any more.
    pub(super) deleted: BTreeSet<LogId>,
    /// Truncations in the tail.
    pub(super) cuts: Cuts,
    pub(super) frames: u64,
    /// The sequence of the next frame, if none is missing.
    pub(super) next_sequence: u64,
    pub(super) missing: Missing,
    pub(super) problems: Vec<String>,
}

impl Replay<'_> {
    /// Applies one frame.
    ///
    /// # Errors
    /// The disk's. A frame that does not fit its log is a problem to report, not an error.
    pub(super) fn apply(&mut self, sequence: u64, frame: Frame) -> Result<(), OpenError> {
        let Frame { log, body } = frame;
        if sequence > self.next_sequence {
            self.missing.note_gap(sequence - self.next_sequence);
        }
        self.next_sequence = sequence + 1;
        if matches!(body, FrameBody::Synced) || self.deleted.contains(&log) {
            return Ok(());
        }
        if let FrameBody::Create { start } = body
            && !self.logs.contains_key(&log)
        {
            self.logs.insert(log, LogState::new(start, LogOptions::default()));
        }
        if self.missing.any() && !self.logs.contains_key(&log) {
            let adopted = self.adopt(log)?;
            self.logs.extend(adopted.map(|state| (log, state)));
        }
        let Some(mut state) = self.logs.remove(&log) else {
            self.problems
                .push(format!("journal frame {sequence} belongs to log {log}, which does not exist"));
            return Ok(());
        };
        if sequence < state.covers {
            self.logs.insert(log, state);
            return Ok(());
        }
        self.frames += 1;
        let applied = self.apply_to(log, &mut state, sequence, body);
        (state.covers, state.touched) = (sequence + 1, true);
        // What an earlier process did with names for this frame may never have been synced.
        state.names_changed += 1;
        self.logs.insert(log, state);
        applied
    }

    fn apply_to(
        &mut self,
        log: LogId,
        state: &mut LogState,
        sequence: u64,
        body: FrameBody,
    ) -> Result<(), OpenError> {
        if self.missing.any() {
            self.heal_before((log, sequence), state, &body)?;
        }
        match body {
            FrameBody::Truncate { end } if self.cuts.undo(log, sequence, end) => {}
            FrameBody::Append { segment_base, position, batch } => {
                let problem = misfit(state, segment_base, position, &batch);
                if let Some(problem) = problem {
                    // Behind a truncation that was passed over nothing fits, and nothing stays; nor below the log's start.
                    let header = batch.header();
                    if self.cuts.undo(log, sequence, Offset(header.base_offset))
                        || self.cuts.is_below_start(log, Offset(header.next_offset()))
                    {
                        return Ok(());
                    }
                    self.problems.push(format!("journal frame {sequence} of log {log}: {problem}"));
                    return Ok(());
                }
                self.append(log, state, segment_base, &batch)?;
            }
            FrameBody::Truncate { end } => self.truncate(log, state, end)?,
            FrameBody::LogStart { start, .. } => {
                state.raise_start(start);
            }
            FrameBody::Epoch { epoch, start } => {
                state.epochs.assign(epoch, start);
            }
            FrameBody::Create { .. } | FrameBody::Delete { .. } | FrameBody::Synced => {}
        }
        Ok(())
    }

    fn append(
        &self,
        log: LogId,
        state: &mut LogState,
        segment_base: Offset,
        batch: &StampedBatch,
    ) -> Result<(), OpenError> {
        if state.segments.last().is_none_or(|last| last.base != segment_base) {
            let interval = self.options.index_interval_bytes;
            state.segments.push(Segment::new(segment_base, interval, self.now_ms));
        }
        let bytes = batch.total_bytes();
        self.reserve.with_space(|| {
            let open = self.place(log, state, bytes as u64)?;
            let position = state.segments.last().map_or(0, |segment| segment.bytes);
            open.file.write_at(position, &[batch.header_bytes(), batch.body()])
        })?;
        state.note_batch(batch.header(), bytes, self.now_ms);
        Ok(())
    }

    /// The active segment's file with room at its end; made anew if it is not there.
    fn place(&self, log: LogId, state: &mut LogState, bytes: u64) -> DiskResult<Arc<OpenSegment>> {
        let Some(active) = state.segments.last_mut() else {
            panic!("a frame is replayed into no segment");
        };
        let (id, published) = (active.id(), active.bytes);
        let open = match active.file(self.files, log) {
            Err(error) if error.kind == DiskErrorKind::NotFound => {
                self.files.create_directory(log)?;
                let open = self.files.create_segment(log, id)?;
                active.open = Arc::downgrade(&open);
                state.has_directory = true;
                state.names_changed += 1;
                if published > 0 {
                    let file = self.files.file(log, LogFile::Segment(id));
                    let (from, to) = (id.base, active.end);
                    let detail = "the segment was missing at a start".to_string();
                    state.damaged.push(DamagedRange { from, to, file, position: 0, detail });
                }
                open
            }
            other => other?,
        };
        if let Some(active) = state.segments.last_mut() {
            if active.allocated == 0 {
                active.generation = self.files.next_generation();
            }
            active.allocate_again(self.files, &open, bytes)?;
        }
        Ok(open)
    }

    pub(super) fn truncate(
        &mut self,
        log: LogId,
        state: &mut LogState,
        end: Offset,
    ) -> Result<(), OpenError> {
        if end < state.start || end > state.end {
            self.problems
                .push(format!("log {log} is to end at {end}, outside {} to {}", state.start, state.end));
            return Ok(());
        }
        let mut is_gone = false;
        let (end, position) = match position_of(self.files, log, state, end) {
            Ok(place) => place,
            // What a later log start removed is not looked for.
            Err(WalkError::Bad(bad)) if bad.offset != end && self.cuts.is_below_start(log, end) => (end, 0),
            // The batches behind the new end may be gone already: then the walk ends exactly there.
            Err(WalkError::Bad(bad)) => {
                if bad.offset != end {
                    self.problems
                        .push(format!("log {log} is cut at {} instead of {end}: {}", bad.offset, bad.detail));
                }
                (bad.offset, bad.position)
            }
            Err(WalkError::Disk(error))
                if error.kind == DiskErrorKind::NotFound && self.cuts.is_below_start(log, end) =>
            {
                is_gone = true;
                (end, 0)
            }
            Err(WalkError::Disk(error)) if error.kind == DiskErrorKind::NotFound => {
                self.problems.push(format!("log {log} is cut before a missing segment: {error}"));
                (
                    state
                        .segment_index(end)
                        .and_then(|at| state.segments.get(at))
                        .map_or(end, |found| found.base),
                    0,
                )
            }
            Err(WalkError::Disk(error)) => return Err(error.into()),
            Err(WalkError::WouldBlock) => return Ok(()),
        };
        let gone = state.lower_end(end, position);
        if is_gone {
            // The log start that removed it may have come before, when the segment still seemed to reach beyond it.
            let start = state.start;
            state.segments.pop_if(|last| last.end <= start);
        }
        for open in gone.iter().filter_map(|segment| segment.open.upgrade()) {
            self.files.forget(&open);
        }
        if let Some(segment) = state.segments.last_mut().filter(|_| position > 0) {
            cut_index(self.files, log, segment)?;
            // Cut again before the next append: nobody reads yet.
            (segment.cut_due, segment.allocated) = (true, 0);
        }
        if state.producers.reaches_beyond(end) {
            state.producers = rebuild_producers(self.files, log, state, self.now_ms)?;
            state.snapshot_base = None;
        }
        Ok(())
    }
}

/// Why a batch does not go on where its log ends.
fn misfit(state: &LogState, segment_base: Offset, position: u64, batch: &StampedBatch) -> Option<String> {
    let base = Offset(batch.header().base_offset);
    if base < state.end {
        return Some(format!("a batch at {base} where the log ends at {}", state.end));
    }
    let expected = match state.segments.last() {
        Some(last) if last.base == segment_base => last.bytes,
        Some(last) if last.end > segment_base => {
            return Some(format!("segment {segment_base} begins inside segment {}", last.base));
        }
        _ => 0,
    };
    (expected != position).then(|| format!("a batch at byte {position} where its segment ends at {expected}"))
}
