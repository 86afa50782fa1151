//! Truncation by copy. Bytes that a reader may hold are never written again: the kept prefix of the last segment goes to a
//! new file, which takes the old one's name. In order: the copy and its sync, the frame and its sync, the rename and the
//! directory's sync, and only then the log's new end; until the frame is queued every failure leaves the log as it was.

use super::Log;
#[cfg(feature = "planted-bugs")]
use crate::storage::{DeletionCause, options::StorePlant};
use crate::{
    disk::{Caching, DiskErrorKind, DiskResult, OpenMode, read_file},
    ids::{LogId, Offset},
    storage::{
        TruncateError,
        files::SegmentFiles,
        frame::FrameBody,
        index::Index,
        layout::{LogFile, TEMPORARY_SUFFIX},
        producers::Producers,
        segment::Segment,
        state::LogState,
        walk::{BadBatch, Paging, Stretch, Walk, WalkError},
    },
};
use std::path::PathBuf;

/// Bytes that are copied at a time.
const COPY_BYTES: u64 = 4 << 20;
/// A snapshot of a million producers is smaller than this.
const SNAPSHOT_BYTES_MAX: usize = 1 << 30;

impl Log {
    pub(super) fn truncate_to(&self, end: Offset) -> Result<(), TruncateError> {
        let (engine, log) = (&*self.engine, self.core.id);
        let _changing = self.core.changing.lock();
        self.settle_replaced()?;
        let mut state = self.core.state.lock();
        if let Some(failure) = engine.journal.failure() {
            return Err(failure.into());
        }
        if state.closed || engine.is_closed() {
            return Err(TruncateError::Closed);
        }
        let out_of_range = |state: &LogState, max: Offset| TruncateError::OutOfRange {
            offset: end,
            start: state.start,
            end: max,
        };
        if end < state.start || end > state.end {
            return Err(out_of_range(&state, state.end));
        }
        if end == state.end {
            return Ok(());
        }
        let (end, position) = match position_of(&engine.files, log, &mut state, end) {
            Ok(place) => place,
            Err(WalkError::Bad(bad)) => return Err(out_of_range(&state, bad.offset)),
            Err(WalkError::WouldBlock) => return Err(out_of_range(&state, end)),
            Err(WalkError::Disk(error)) => return Err(engine.truncate_error(error)),
        };
        let copy = self.copy_kept(&mut state, end, position)?;
        let covers = state.covers;
        let body = FrameBody::Truncate { end };
        #[cfg(feature = "planted-bugs")]
        let body = match engine.options.plant {
            Some(StorePlant::TruncateNotJournaled) => {
                FrameBody::LogStart { start: state.start, cause: DeletionCause::Retention }
            }
            _ => body,
        };
        let sequence = engine.enqueue(log, &mut state, body)?;
        self.core.journaled.cut(sequence, end);
        // A checkpoint may look at the log while the frame is on its way: to it the frame has not happened yet.
        (state.covers, state.truncating) = (covers, Some(sequence));
        drop(state);
        engine.wait_synced(sequence + 1)?;
        // No checkpoint writes an index or a snapshot of the old end behind the swap.
        let _no_checkpoint = engine.checkpoint.lock();
        let mut state = self.core.state.lock();
        (state.covers, state.truncating) = (sequence + 1, None);
        engine.touch(log, &mut state);
        self.swap(&mut state, end, position, copy).map_err(|error| engine.fail(error))?;
        self.core.publish(&state);
        Ok(())
    }

    /// A checkpoint knows what compaction has put in place before the log is cut: a start that still found the older files
    /// would cut them elsewhere, and what was appended behind the cut would not fit.
    fn settle_replaced(&self) -> Result<(), TruncateError> {
        let engine = &*self.engine;
        let is_pending = || {
            // One that is being written has taken notice of them already, and may still be refused.
            drop(engine.checkpoint.lock());
            !self.core.state.lock().replaced.is_empty()
        };
        if is_pending() {
            engine.write_checkpoint()?;
            if is_pending() {
                let detail = "a checkpoint has to come before the truncation";
                return Err(TruncateError::NoSpace(std::sync::Arc::new(engine.no_space(detail))));
            }
        }
        Ok(())
    }

    /// Copies the kept prefix of the segment that the new end lies in, if there is one. Refused without space.
    fn copy_kept(
        &self,
        state: &mut LogState,
        end: Offset,
        position: u64,
    ) -> Result<Option<PathBuf>, TruncateError> {
        let (engine, log) = (&*self.engine, self.core.id);
        let kept = state.segments.iter_mut().find(|segment| segment.base < end && end < segment.end);
        let Some(segment) = kept else { return Ok(None) };
        let name = format!("{}{TEMPORARY_SUFFIX}", segment.name().name());
        let copy = engine.files.directory(log).join(name);
        let copied = engine.reserve.with_space(|| {
            let source = segment.file(&engine.files, log)?;
            let target = engine.files.disk.open(&copy, OpenMode::CreateOrTruncate, Caching::Buffered)?;
            target.allocate(0, position)?;
            let mut done = 0;
            while done < position {
                let bytes = usize::try_from((position - done).min(COPY_BYTES)).unwrap_or(usize::MAX);
                source.file.prefault(done, bytes)?;
                let part = source.file.slice(done, bytes)?;
                target.write_at(done, &[&part])?;
                done += bytes as u64;
            }
            target.sync_data()
        });
        match copied {
            Ok(()) => Ok(Some(copy)),
            Err(error) => {
                // What is left of the copy has a temporary name and goes at the next start at the latest.
                if let Err(error) = engine.files.disk.remove_file(&copy) {
                    tracing::debug!(%error, "a refused copy stays for now");
                }
                Err(engine.truncate_error(error))
            }
        }
    }

    /// Puts the copy in place and lowers the end. The truncate frame is durable.
    fn swap(
        &self,
        state: &mut LogState,
        end: Offset,
        position: u64,
        copy: Option<PathBuf>,
    ) -> DiskResult<()> {
        let (files, log) = (&self.engine.files, self.core.id);
        let gone = state.lower_end(end, position);
        for segment in &gone {
            if let Some(open) = segment.open.upgrade() {
                files.forget(&open);
            }
            files.remove(log, segment.name())?;
            files.remove(log, segment.index_name())?;
        }
        for snapshot in state.snapshots.extract_if(.., |at| *at > end) {
            files.remove(log, LogFile::Producers(snapshot))?;
        }
        state.snapshot_base.take_if(|base| *base > end);
        if let Some(copy) = copy
            && let Some(segment) = state.segments.last_mut()
        {
            if let Some(open) = segment.open.upgrade() {
                files.forget(&open);
            }
            files.disk.rename(&copy, &files.file(log, segment.name()))?;
            segment.open = std::sync::Weak::new();
            segment.generation = files.next_generation();
            segment.allocated = 0;
            segment.synced_bytes = segment.bytes;
            files.remove(log, segment.index_name())?;
            cut_index(files, log, segment)?;
        }
        if state.producers.reaches_beyond(end) {
            state.producers = rebuild_producers(files, log, state, self.engine.clock.wall_ms())?;
            state.snapshot_base = None;
        }
        if state.has_directory {
            files.disk.sync_dir(&files.directory(log))?;
        }
        state.names_changed += 1;
        state.names_synced = state.names_changed;
        Ok(())
    }
}

/// Where a log that ends at `end` ends in its segment. `end` is lowered to the batch that contains it.
///
/// # Errors
/// The batches up to there cannot be walked over.
pub(in crate::storage) fn position_of(
    files: &SegmentFiles,
    log: LogId,
    state: &mut LogState,
    end: Offset,
) -> Result<(Offset, u64), WalkError> {
    let Some(index) = state.segment_index(end) else { return Ok((end, 0)) };
    let Some(segment) = state.segments.get_mut(index).filter(|segment| segment.base < end) else {
        return Ok((end, 0));
    };
    let open = segment.file(files, log).map_err(WalkError::Disk)?;
    let (offset, position) = segment.index.lookup(end);
    let mut walk = Walk::new(&*open.file, stretch_of(segment, offset, position));
    loop {
        match walk.peek()? {
            Some(header) if header.next_offset() <= end.get() => walk.pass(&header),
            Some(header) => return Ok((end.min(Offset(header.base_offset)), walk.position)),
            None => return Ok((end, walk.position)),
        }
    }
}

fn stretch_of(segment: &Segment, offset: Offset, position: u64) -> Stretch {
    Stretch {
        position,
        offset,
        limit: segment.bytes,
        trusted_from: u64::MAX,
        gapless: segment.gapless,
        end: segment.end,
        paging: Paging::Read,
    }
}

/// Makes the index of a segment fit its lowered end. The index file is gone, or goes.
pub(in crate::storage) fn cut_index(
    files: &SegmentFiles,
    log: LogId,
    segment: &mut Segment,
) -> DiskResult<()> {
    let append_ms = segment.index.last_append_ms();
    let open = segment.file(files, log)?;
    if !segment.index_whole {
        segment.index = segment.index.emptied();
    }
    let from = segment.index.truncate(segment.bytes);
    let (offset, _) = segment.index.lookup_position(from);
    (segment.index_whole, segment.index_on_disk) = (true, 0);
    let stretch = stretch_of(segment, offset, from);
    let noted = note_all(&open.file, stretch, &mut segment.index, append_ms);
    match noted {
        Ok(()) | Err(WalkError::Bad(_) | WalkError::WouldBlock) => Ok(()),
        Err(WalkError::Disk(error)) => Err(error),
    }
}

fn note_all(
    file: &std::sync::Arc<dyn crate::disk::DiskFile>,
    stretch: Stretch,
    index: &mut Index,
    append_ms: i64,
) -> Result<(), WalkError> {
    let mut walk = Walk::new(&**file, stretch);
    while let Some(header) = walk.peek()? {
        index.note(Offset(header.base_offset), walk.position, header.max_timestamp_ms, append_ms);
        walk.pass(&header);
    }
    Ok(())
}

/// Producer state built again: from the newest snapshot that can be read, and the batches behind it. Batches that are damaged
/// are passed over: their producers may then repeat one, which is told from the damage being reported.
pub(in crate::storage) fn rebuild_producers(
    files: &SegmentFiles,
    log: LogId,
    state: &mut LogState,
    now_ms: i64,
) -> DiskResult<Producers> {
    let (mut producers, from) = newest_snapshot(files, log, state);
    for segment in state.segments.iter_mut().filter(|segment| segment.end > from) {
        let open = match segment.file(files, log) {
            Err(error) if error.kind == DiskErrorKind::NotFound => {
                tracing::error!(%log, %error, "producer state is built without a missing segment");
                continue;
            }
            other => other?,
        };
        let (offset, position) = segment.index.lookup(from);
        let mut walk = Walk::new(&*open.file, stretch_of(segment, offset, position));
        loop {
            match walk.peek() {
                Ok(Some(header)) => {
                    if header.base_offset >= from.get() {
                        producers.record(&header, now_ms);
                    }
                    walk.pass(&header);
                }
                Ok(None) | Err(WalkError::WouldBlock) => break,
                Err(WalkError::Bad(bad)) => {
                    warn_of(log, &bad);
                    break;
                }
                Err(WalkError::Disk(error)) => return Err(error),
            }
        }
    }
    Ok(producers)
}

fn warn_of(log: LogId, bad: &BadBatch) {
    let BadBatch { position, offset, detail, .. } = bad;
    tracing::error!(%log, %offset, position, detail, "producer state is built without the damaged batches");
}

fn newest_snapshot(files: &SegmentFiles, log: LogId, state: &LogState) -> (Producers, Offset) {
    for end in state.snapshots.iter().rev().filter(|end| **end <= state.end) {
        let path = files.file(log, LogFile::Producers(*end));
        let decoded = read_file(&*files.disk, &path, SNAPSHOT_BYTES_MAX)
            .map_err(|error| error.to_string())
            .and_then(|sealed| Producers::decode_snapshot(&sealed, *end).map_err(|error| error.to_string()));
        match decoded {
            Ok(producers) => return (producers, *end),
            Err(problem) => {
                tracing::warn!(file = %path.display(), problem, "a producer snapshot is passed over")
            }
        }
    }
    (Producers::default(), Offset::ZERO)
}
