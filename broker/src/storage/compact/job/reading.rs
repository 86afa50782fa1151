//! What a round reads: segments as they were when it began, batch by batch. A segment that is not the one any more ends the
//! round; only one that still is can be damaged.

use super::{Job, Stop};
use crate::{
    disk::DiskErrorKind,
    ids::Offset,
    storage::{
        engine::Engine,
        files::OpenSegment,
        layout::SegmentId,
        segment::Segment,
        walk::{Paging, Stretch, Walk, WalkError},
    },
};
use cairn_proto::record::Batch;
use std::sync::Arc;

/// A segment as it was when the round began.
#[derive(Clone, Copy)]
pub(in crate::storage::compact) struct Source {
    pub(in crate::storage::compact) id: SegmentId,
    pub(in crate::storage::compact) end: Offset,
    pub(in crate::storage::compact) first_append_ms: i64,
    pub(super) last_append_ms: i64,
    generation: u32,
    pub(super) bytes: u64,
    gapless: bool,
}

impl Source {
    pub(super) fn of(segment: &Segment) -> Self {
        Self {
            id: segment.id(),
            end: segment.end,
            first_append_ms: segment.first_append_ms,
            last_append_ms: segment.index.last_append_ms(),
            generation: segment.generation,
            bytes: segment.bytes,
            gapless: segment.gapless,
        }
    }

    /// Whether that segment is this one, unchanged.
    pub(in crate::storage::compact) fn is(&self, segment: &Segment) -> bool {
        segment.id() == self.id && segment.generation == self.generation && segment.bytes == self.bytes
    }
}

/// Where a segment is being read.
pub(super) struct Reading {
    open: Arc<OpenSegment>,
    position: u64,
    offset: Offset,
}

impl Job {
    /// The next batch of a source, its checksum verified; those that end at or below `from` are passed over.
    pub(super) fn next_batch(
        &mut self,
        engine: &Engine,
        source: &Source,
        from: Offset,
    ) -> Result<Option<Batch>, Stop> {
        let log = self.core.id;
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => {
                let opened = engine.files.open_segment(log, source.id);
                let open = opened.map_err(|error| self.explain(source, WalkError::Disk(error)))?;
                Reading { open, position: 0, offset: source.id.base }
            }
        };
        let stretch = Stretch {
            position: reading.position,
            offset: reading.offset,
            limit: source.bytes,
            trusted_from: u64::MAX,
            gapless: source.gapless,
            end: source.end,
            paging: Paging::Read,
        };
        let mut walk = Walk::new(&*reading.open.file, stretch);
        let mut found = || -> Result<Option<Batch>, WalkError> {
            while let Some(header) = walk.peek()? {
                if header.next_offset() > from.get() {
                    let batch = walk.batch(&header, None)?;
                    walk.pass(&header);
                    return Ok(Some(batch));
                }
                walk.pass(&header);
            }
            Ok(None)
        };
        let batch = found().map_err(|error| self.explain(source, error))?;
        (reading.position, reading.offset) = (walk.position, walk.offset);
        self.reading = Some(reading);
        Ok(batch)
    }

    /// Damage, unless the segment is not the one any more that the round began with.
    fn explain(&self, source: &Source, error: WalkError) -> Stop {
        let mut state = self.core.state.lock();
        if state.closed || !state.segment_of_base(source.id.base).is_some_and(|segment| source.is(segment)) {
            return Stop::Overtaken;
        }
        match error {
            WalkError::Bad(bad) => {
                Stop::Damaged(format!("segment {} at byte {}: {}", source.id.base, bad.position, bad.detail))
            }
            WalkError::Disk(error) if error.kind == DiskErrorKind::NotFound => {
                Stop::Damaged(format!("segment {} is missing: {error}", source.id.base))
            }
            // A read that fails says nothing about what was written.
            WalkError::Disk(error) => Stop::Refused(error),
            WalkError::WouldBlock => Stop::Overtaken,
        }
    }
}
