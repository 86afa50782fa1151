//! Reading: a plan is made under the log's lock, the bytes are looked at without it. A plan that a truncation or a deletion
//! overtook is made again, so that a swapped file is never taken for damage.

use super::Log;
use crate::{
    ids::{LeaderEpoch, Offset},
    storage::{
        ReadError, ReadRun, Residency,
        engine::load,
        files::OpenSegment,
        index::Index,
        layout::SegmentId,
        log::damage::Found,
        segment::Segment,
        state::LogState,
        walk::{Paging, Stretch, Walk, WalkError},
    },
};
use bytes::Bytes;
use std::sync::Arc;

/// Bytes at the end of a log that are taken to be in memory still, once written in this process life.
const RECENT_BYTES: u64 = 16 << 20;
/// Times that a read is overtaken before it says so.
const ATTEMPTS_MAX: usize = 20;

/// Where to read, as of one moment.
pub(in crate::storage) struct Plan {
    pub(in crate::storage) base: Offset,
    pub(in crate::storage) id: SegmentId,
    pub(in crate::storage) generation: u32,
    open: Option<Arc<OpenSegment>>,
    index: PlanIndex,
    stretch: Stretch,
    /// The epoch of the wanted offset, and where it ends.
    epoch: Option<LeaderEpoch>,
    epoch_end: Offset,
}

/// Whether the place in the segment is known.
enum PlanIndex {
    Placed,
    /// The index file has to be looked into.
    OnDisk,
}

/// What to read, as asked for.
#[derive(Clone, Copy)]
pub(in crate::storage) struct Wanted {
    pub(in crate::storage) offset: Offset,
    pub(in crate::storage) bound: Offset,
    pub(in crate::storage) bytes_max: usize,
}

impl Log {
    pub(super) fn read_run(&self, wanted: Wanted, residency: Residency) -> Result<ReadRun, ReadError> {
        let paging = match residency {
            Residency::Required => Paging::Resident,
            Residency::MayBlock => Paging::Read,
        };
        let mut wanted = wanted;
        for _ in 0..ATTEMPTS_MAX {
            let bound = wanted.bound.min(load(&self.core.end));
            wanted = Wanted { bound, ..wanted };
            let Some(plan) = self.plan(wanted, paging)? else {
                return Ok(ReadRun { bytes: Bytes::new(), next_offset: wanted.offset });
            };
            match self.run(&plan, wanted) {
                // The offsets up to there belong to no batch.
                Ok(run) if run.bytes.is_empty() && run.next_offset > wanted.offset => {
                    wanted.offset = run.next_offset;
                }
                Ok(run) => return Ok(run),
                Err(WalkError::WouldBlock) => return Err(ReadError::WouldBlock),
                Err(error) => match self.explain(&plan, error) {
                    Found::Overtaken => {}
                    Found::Error(error) => return Err(error),
                },
            }
        }
        Err(ReadError::WouldBlock)
    }

    /// `None`: there is nothing below the bound.
    fn plan(&self, wanted: Wanted, paging: Paging) -> Result<Option<Plan>, ReadError> {
        let state = self.core.state.lock();
        if state.closed {
            return Err(ReadError::Closed);
        }
        let Wanted { offset, bound, .. } = wanted;
        let (start, end) = (state.start, state.end);
        if offset < start || offset > end {
            return Err(ReadError::OutOfRange { offset, start, end });
        }
        if offset >= bound.min(end) {
            return Ok(None);
        }
        if let Some(range) = state.damage_at(offset) {
            return Err(range.into());
        }
        let Some(segment) = state.segment_index(offset).and_then(|index| state.segments.get(index)) else {
            return Ok(None);
        };
        Ok(Some(Plan::new(&state, segment, paging, |index| index.lookup(offset), offset)))
    }

    /// The run of batches that a plan leads to.
    fn run(&self, plan: &Plan, wanted: Wanted) -> Result<ReadRun, WalkError> {
        let open = self.open(plan)?;
        let stretch = self.placed(plan, &open, |index| index.lookup(wanted.offset))?;
        let mut walk = Walk::new(&*open.file, stretch);
        let first = loop {
            match walk.peek()? {
                Some(header) if header.next_offset() <= wanted.offset.get() => walk.pass(&header),
                first => break first,
            }
        };
        // Behind missing offsets it goes on in another segment, or in another epoch than the plan was made for.
        let elsewhere = match first {
            None => Some(stretch.end),
            Some(header) => Some(Offset(header.base_offset)).filter(|base| *base >= plan.epoch_end),
        };
        if let Some(offset) = elsewhere {
            return Ok(ReadRun { bytes: Bytes::new(), next_offset: offset.min(wanted.bound) });
        }
        let from = walk.position;
        let mut next_offset = wanted.offset;
        loop {
            let step = self.extend(plan, wanted, &mut walk, from);
            match step {
                Ok(true) => next_offset = walk.offset,
                Ok(false) => break,
                // What stands in front of the damage is served; the damage is reported when it is asked for.
                Err(_) if walk.position > from => break,
                Err(error) => return Err(error),
            }
        }
        let length = usize::try_from(walk.position - from).unwrap_or(usize::MAX);
        let bytes = open.file.slice(from, length).map_err(WalkError::Disk)?;
        Ok(ReadRun { bytes, next_offset })
    }

    /// Takes one more batch into the run that began at `from`; `false` if it is complete.
    fn extend(&self, plan: &Plan, wanted: Wanted, walk: &mut Walk<'_>, from: u64) -> Result<bool, WalkError> {
        let Some(header) = walk.peek()? else { return Ok(false) };
        let bytes = walk.position - from + header.total_bytes() as u64;
        let too_much = bytes > wanted.bytes_max as u64 && walk.position > from;
        if too_much
            || header.next_offset() > wanted.bound.get()
            || (header.base_offset >= plan.epoch_end.get() && walk.position > from)
        {
            return Ok(false);
        }
        walk.check(&header, plan.epoch)?;
        walk.pass(&header);
        Ok(true)
    }

    /// The segment's file. Opening one blocks.
    pub(in crate::storage) fn open(&self, plan: &Plan) -> Result<Arc<OpenSegment>, WalkError> {
        if let Some(open) = &plan.open {
            return Ok(Arc::clone(open));
        }
        if plan.stretch.paging == Paging::Resident {
            return Err(WalkError::WouldBlock);
        }
        let open = self.engine.files.open_segment(self.core.id, plan.id).map_err(WalkError::Disk)?;
        let mut state = self.core.state.lock();
        let segment = state.segment_of_base(plan.base);
        if let Some(segment) = segment.filter(|segment| segment.generation == plan.generation) {
            segment.open = Arc::downgrade(&open);
        }
        Ok(open)
    }

    /// The stretch to walk over, with its place looked up in the index file if that is where it stands.
    pub(in crate::storage) fn placed(
        &self,
        plan: &Plan,
        open: &OpenSegment,
        lookup: impl Fn(&Index) -> (Offset, u64),
    ) -> Result<Stretch, WalkError> {
        if matches!(plan.index, PlanIndex::Placed) {
            return Ok(plan.stretch);
        }
        if open.index.get().is_none() && plan.stretch.paging == Paging::Resident {
            return Err(WalkError::WouldBlock);
        }
        let index = self.whole_index(plan, open)?;
        let (offset, position) = lookup(&index);
        Ok(Stretch { offset, position, ..plan.stretch })
    }
}

impl Plan {
    /// Of a segment whose state is locked.
    pub(in crate::storage) fn new(
        state: &LogState,
        segment: &Segment,
        paging: Paging,
        lookup: impl Fn(&Index) -> (Offset, u64),
        offset: Offset,
    ) -> Self {
        let (batch_offset, position) = lookup(&segment.index);
        let on_disk = position == 0 && !segment.index_whole;
        let active = state.segments.last().is_some_and(|last| last.base == segment.base);
        let recent_from = if active { segment.bytes.saturating_sub(RECENT_BYTES) } else { u64::MAX };
        let epochs = state.epochs.entries();
        let behind = epochs.partition_point(|entry| entry.start <= offset);
        Self {
            base: segment.base,
            id: segment.id(),
            generation: segment.generation,
            open: segment.opened(),
            index: if on_disk { PlanIndex::OnDisk } else { PlanIndex::Placed },
            stretch: Stretch {
                position,
                offset: batch_offset,
                limit: segment.bytes,
                trusted_from: recent_from.max(segment.fresh_from),
                gapless: segment.gapless,
                end: segment.end,
                paging,
            },
            epoch: behind.checked_sub(1).and_then(|index| epochs.get(index)).map(|entry| entry.epoch),
            epoch_end: epochs.get(behind).map_or(Offset(i64::MAX), |entry| entry.start),
        }
    }

    /// The whole segment, from its first batch.
    pub(in crate::storage) fn whole_stretch(&self) -> Stretch {
        Stretch { position: 0, offset: self.base, ..self.stretch }
    }
}
