//! The file that takes the place of a group of segments, while it is being written. Nobody knows it yet: whatever becomes of
//! it, the log is as it was.

use super::job::Source;
use crate::{
    disk::{DiskError, DiskErrorKind, DiskResult},
    ids::{LogId, Offset},
    storage::{
        engine::Engine,
        files::OpenSegment,
        layout::{LogFile, SegmentId},
        segment::Segment,
    },
};
use cairn_proto::record::Batch;
use std::sync::Arc;

/// Bytes that are written at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A segment being written.
pub(super) struct Output {
    log: LogId,
    open: Arc<OpenSegment>,
    segment: Segment,
    /// Not yet written; they stand behind `written`.
    piece: Vec<u8>,
    written: u64,
    allocated: u64,
    /// The last batch of the group without its records, if it did not stay.
    emptied: Option<Batch>,
}

impl Output {
    /// In place of a group of segments that begins with this one.
    pub(super) fn create(engine: &Engine, log: LogId, first: &Source) -> DiskResult<Self> {
        engine.check_reserve()?;
        let (base, interval_bytes) = (first.id.base, engine.options.index_interval_bytes);
        let mut segment = Segment::new(base, interval_bytes, first.first_append_ms);
        segment.version = first.id.version.saturating_add(1);
        segment.generation = engine.files.next_generation();
        let open = engine.files.create_segment(log, segment.id())?;
        segment.open = Arc::downgrade(&open);
        Ok(Self { log, open, segment, piece: Vec::new(), written: 0, allocated: 0, emptied: None })
    }

    pub(super) fn id(&self) -> SegmentId {
        self.segment.id()
    }

    /// Where it begins, and how large it is.
    pub(super) fn so_far(&self) -> (Offset, u64) {
        (self.segment.base, self.segment.bytes)
    }

    /// Adds a batch that stays. `append_ms`: when the last batch of its segment was written.
    pub(super) fn push(&mut self, engine: &Engine, batch: &Batch, append_ms: i64) -> DiskResult<()> {
        let too_large = self.segment.bytes.saturating_add(batch.total_bytes() as u64) > u64::from(u32::MAX);
        if too_large {
            return Err(self.refusal("compact", "the compacted segments are too large for one"));
        }
        self.emptied = None;
        self.segment.note(batch.header(), batch.total_bytes() as u64, append_ms);
        self.piece.extend_from_slice(batch.bytes());
        if self.piece.len() >= PIECE_BYTES { self.flush(engine) } else { Ok(()) }
    }

    /// A batch does not stay. As the last one of the group it does, without its records.
    pub(super) fn skip(&mut self, emptied: Batch) {
        self.emptied = Some(emptied);
    }

    fn flush(&mut self, engine: &Engine) -> DiskResult<()> {
        let bytes = self.piece.len() as u64;
        if self.written + bytes > self.allocated {
            engine.check_reserve()?;
            let step = bytes.max(engine.files.allocate_bytes.1);
            self.open.file.allocate(self.allocated, step)?;
            self.allocated += step;
        }
        self.open.file.write_at(self.written, &[&self.piece])?;
        self.open.file.start_writeback(self.written, bytes)?;
        self.written += bytes;
        self.piece.clear();
        Ok(())
    }

    /// Writes the rest and syncs the file. Its name is synced by the checkpoint that knows it. The times are those of the
    /// first and the last append of the group.
    pub(super) fn finish(
        mut self,
        engine: &Engine,
        (first_append_ms, append_ms): (i64, i64),
    ) -> DiskResult<Segment> {
        if let Some(last) = self.emptied.take() {
            self.push(engine, &last, append_ms)?;
        }
        self.flush(engine)?;
        self.open.file.set_len(self.written)?;
        #[cfg(feature = "planted-bugs")]
        let is_synced = engine.options.plant != Some(crate::storage::options::StorePlant::CompactedNotSynced);
        #[cfg(not(feature = "planted-bugs"))]
        let is_synced = true;
        if is_synced {
            self.open.file.sync_data()?;
        }
        let mut segment = self.segment;
        segment.first_append_ms = first_append_ms;
        segment.allocated = segment.bytes;
        segment.synced_bytes = segment.bytes;
        segment.written_back = segment.bytes;
        segment.fresh_from = segment.bytes;
        Ok(segment)
    }

    fn refusal(&self, operation: &'static str, detail: &str) -> DiskError {
        let path = self.open.file.path().to_path_buf();
        DiskError { kind: DiskErrorKind::NoSpace, operation, path, detail: detail.into() }
    }

    /// Removes the file: it is not needed.
    pub(super) fn discard(self, engine: &Engine) -> DiskResult<()> {
        engine.files.forget(&self.open);
        engine.files.remove(self.log, LogFile::Segment(self.id()))
    }
}
