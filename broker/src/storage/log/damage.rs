//! What a read that found no batch means: damage, named by offsets and remembered, so that everything else goes on being
//! served; or a plan that was overtaken.

use super::{Log, read::Plan};
use crate::{
    disk::{DiskErrorKind, read_file},
    ids::Offset,
    storage::{
        DamagedRange, ReadError,
        files::OpenSegment,
        index::Index,
        layout::LogFile,
        segment::INDEX_BYTES_MAX,
        walk::{BadBatch, Paging, Stretch, Walk, WalkError},
    },
};
use std::sync::Arc;

/// What became of a read.
pub(super) enum Found {
    /// The log changed meanwhile: read again.
    Overtaken,
    Error(ReadError),
}

impl From<&DamagedRange> for ReadError {
    fn from(range: &DamagedRange) -> Self {
        let DamagedRange { from, to, position, .. } = *range;
        ReadError::Damaged { from, to, file: range.file.clone(), position, detail: range.detail.clone() }
    }
}

impl Log {
    /// Explains a failed walk along a plan. Damage is noted.
    pub(super) fn explain(&self, plan: &Plan, error: WalkError) -> Found {
        let bad = match error {
            WalkError::WouldBlock => return Found::Error(ReadError::WouldBlock),
            WalkError::Bad(bad) => *bad,
            WalkError::Disk(error) if error.kind == DiskErrorKind::NotFound => BadBatch {
                position: 0,
                offset: plan.base,
                header: None,
                detail: format!("the segment is missing ({error})"),
            },
            WalkError::Disk(error) if self.is_overtaken(plan) => {
                tracing::debug!(%error, "a read was overtaken");
                return Found::Overtaken;
            }
            WalkError::Disk(error) => return Found::Error(ReadError::Disk(Arc::new(error))),
        };
        if self.is_overtaken(plan) {
            return Found::Overtaken;
        }
        let to = self.readable_behind(plan, &bad);
        let file = self.engine.files.file(self.core.id, LogFile::Segment(plan.id));
        let BadBatch { offset: from, position, detail, .. } = bad;
        let range = DamagedRange { from, to, file, position, detail };
        let mut state = self.core.state.lock();
        let same = state.segment_of_base(plan.base).is_some_and(|found| found.generation == plan.generation);
        if !same {
            return Found::Overtaken;
        }
        tracing::error!(log = %self.core.id, from = %range.from, to = %range.to, file = %range.file.display(),
            position, detail = %range.detail, "damaged batches are quarantined: reads of these offsets fail");
        state.note_damage(range.clone());
        Found::Error((&range).into())
    }

    fn is_overtaken(&self, plan: &Plan) -> bool {
        let mut state = self.core.state.lock();
        let closed = state.closed;
        closed || state.segment_of_base(plan.base).is_none_or(|found| found.generation != plan.generation)
    }

    /// The first offset behind a bad batch that can be read again.
    fn readable_behind(&self, plan: &Plan, bad: &BadBatch) -> Offset {
        let end = plan.whole_stretch().end;
        let Ok(open) = self.open(plan) else { return end };
        let stretch = Stretch { paging: Paging::Read, trusted_from: u64::MAX, ..plan.whole_stretch() };
        let readable = |offset: Offset, position: u64| {
            let mut walk = Walk::new(&*open.file, Stretch { offset, position, ..stretch });
            matches!(walk.peek(), Ok(Some(header)) if walk.batch(&header, None).is_ok())
        };
        if let Some(header) = &bad.header {
            let (next, behind) = (Offset(header.next_offset()), bad.position + header.total_bytes() as u64);
            if next == end || readable(next, behind) {
                return next;
            }
        }
        let mut position = bad.position;
        while let Some((offset, behind)) = self.indexed_behind(plan, &open, position) {
            if readable(offset, behind) {
                return offset;
            }
            position = behind;
        }
        end
    }

    fn indexed_behind(&self, plan: &Plan, open: &OpenSegment, position: u64) -> Option<(Offset, u64)> {
        let mut state = self.core.state.lock();
        let segment = state.segment_of_base(plan.base)?;
        if segment.index_whole {
            return segment.index.first_behind(position);
        }
        drop(state);
        self.whole_index(plan, open).ok()?.first_behind(position)
    }

    /// All index entries of a segment whose older ones are in its file. A file that is missing or damaged is no loss: the
    /// index is built again from the batches.
    pub(in crate::storage) fn whole_index(
        &self,
        plan: &Plan,
        open: &OpenSegment,
    ) -> Result<Arc<Index>, WalkError> {
        if let Some(index) = open.index.get() {
            return Ok(Arc::clone(index));
        }
        let index = match self.index_from_file(plan) {
            Some(index) => index,
            None => self.index_from_batches(plan, open)?,
        };
        Ok(Arc::clone(open.index.get_or_init(|| Arc::new(index))))
    }

    fn index_from_file(&self, plan: &Plan) -> Option<Index> {
        let path = self.engine.files.file(self.core.id, LogFile::Index(plan.id));
        let interval = self.engine.options.index_interval_bytes;
        let read = read_file(&*self.engine.files.disk, &path, INDEX_BYTES_MAX);
        let problem = match read {
            Err(error) => error.to_string(),
            Ok(sealed) => match Index::decode_file(&sealed, plan.base, interval) {
                Err(error) => error.to_string(),
                Ok((mut index, _)) => {
                    let mut state = self.core.state.lock();
                    let segment = state.segment_of_base(plan.base)?;
                    if index.len() == segment.index_on_disk
                        && segment.generation == plan.generation
                        && index.extend_from(&segment.index).is_ok()
                    {
                        return Some(index);
                    }
                    drop(state);
                    // What a kill between an index file and the checkpoint that knows it leaves: nothing is wrong.
                    tracing::info!(file = %path.display(),
                        "an index was written for another state of its segment: it is built again from the batches");
                    return None;
                }
            },
        };
        tracing::warn!(file = %path.display(), problem, "an index is built again from the batches");
        None
    }

    /// Walks over the whole segment. Damage ends the index there: it costs time, never an answer.
    fn index_from_batches(&self, plan: &Plan, open: &OpenSegment) -> Result<Index, WalkError> {
        let stretch = Stretch { paging: Paging::Read, ..plan.whole_stretch() };
        let mut index = Index::new(plan.base, self.engine.options.index_interval_bytes);
        let mut walk = Walk::new(&*open.file, stretch);
        loop {
            match walk.peek() {
                Ok(Some(header)) => {
                    index.note(
                        Offset(header.base_offset),
                        walk.position,
                        header.max_timestamp_ms,
                        header.max_timestamp_ms,
                    );
                    walk.pass(&header);
                }
                Ok(None) | Err(WalkError::Bad(_)) => return Ok(index),
                Err(error) => return Err(error),
            }
        }
    }
}
