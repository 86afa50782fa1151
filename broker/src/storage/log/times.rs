//! Looking records up by timestamp: the index says where to begin, the batches' headers where to look inside.

use super::{Log, damage::Found, read::Plan};
use crate::{
    ids::{LeaderEpoch, Offset},
    storage::{
        ReadError, TimestampedOffset,
        engine::load,
        walk::{Paging, Walk, WalkError},
    },
};
use cairn_proto::record::{Batch, DecompressLimit, Record};

/// A stored batch that decompresses to more is not looked into; what a producer may send is far smaller.
const DECOMPRESSED_BYTES_MAX: usize = 256 << 20;

/// Which records count.
#[derive(Clone, Copy)]
struct Search {
    /// The least timestamp.
    timestamp_ms: i64,
    start: Offset,
    bound: Offset,
}

impl Log {
    pub(super) fn first_at_or_after(
        &self,
        timestamp_ms: i64,
        bound: Offset,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let bound = bound.min(load(&self.core.end));
        let search = Search { timestamp_ms, start: load(&self.core.start), bound };
        let mut from = search.start;
        while let Some(plan) = self.plan_for_timestamp(search, from)? {
            match self.first_in(&plan, search) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => from = plan.whole_stretch().end,
                Err(error) => match self.explain(&plan, error) {
                    Found::Overtaken => return self.first_at_or_after(timestamp_ms, bound),
                    Found::Error(error) => return Err(error),
                },
            }
        }
        Ok(None)
    }

    /// The first segment at or behind an offset that may hold such a record.
    fn plan_for_timestamp(&self, search: Search, from: Offset) -> Result<Option<Plan>, ReadError> {
        let state = self.core.state.lock();
        if state.closed {
            return Err(ReadError::Closed);
        }
        let found = state.segments.iter().find(|segment| {
            segment.end > from
                && segment.base < search.bound
                && segment.index.max_timestamp_ms() >= search.timestamp_ms
        });
        let lookup = |index: &crate::storage::index::Index| index.lookup_timestamp(search.timestamp_ms);
        Ok(found.map(|segment| Plan::new(&state, segment, Paging::Read, lookup, segment.base)))
    }

    fn first_in(&self, plan: &Plan, search: Search) -> Result<Option<TimestampedOffset>, WalkError> {
        let open = self.open(plan)?;
        let stretch = self.placed(plan, &open, |index| index.lookup_timestamp(search.timestamp_ms))?;
        let mut walk = Walk::new(&*open.file, stretch);
        while let Some(header) = walk.peek()? {
            if header.base_offset >= search.bound.get() {
                break;
            }
            if header.max_timestamp_ms >= search.timestamp_ms && header.next_offset() > search.start.get() {
                let batch = walk.batch(&header, None)?;
                if let Some(found) = first_record(&batch, search) {
                    return Ok(Some(found));
                }
            }
            walk.pass(&header);
        }
        Ok(None)
    }

    pub(super) fn greatest_timestamp(&self, bound: Offset) -> Result<Option<TimestampedOffset>, ReadError> {
        let bound = bound.min(load(&self.core.end));
        let start = load(&self.core.start);
        let mut greatest = -1;
        let mut from = start;
        while let Some(plan) =
            self.plan_for_timestamp(Search { timestamp_ms: greatest + 1, start, bound }, from)?
        {
            match self.greatest_in(&plan, start, bound) {
                Ok(found) => greatest = greatest.max(found),
                Err(error) => match self.explain(&plan, error) {
                    Found::Overtaken => return self.greatest_timestamp(bound),
                    Found::Error(error) => return Err(error),
                },
            }
            from = plan.whole_stretch().end;
        }
        if greatest < 0 { Ok(None) } else { self.first_at_or_after(greatest, bound) }
    }

    /// The greatest timestamp of a segment's records between two offsets, negative if there is none.
    fn greatest_in(&self, plan: &Plan, start: Offset, bound: Offset) -> Result<i64, WalkError> {
        let open = self.open(plan)?;
        let mut walk = Walk::new(&*open.file, plan.whole_stretch());
        let mut greatest = -1;
        while let Some(header) = walk.peek()? {
            if header.base_offset >= bound.get() {
                break;
            }
            let inside = header.base_offset >= start.get() && header.next_offset() <= bound.get();
            if header.record_count == 0 {
                // Compaction left nothing of it but its place.
            } else if inside {
                greatest = greatest.max(header.max_timestamp_ms);
            } else if header.next_offset() > start.get() && header.max_timestamp_ms > greatest {
                let batch = walk.batch(&header, None)?;
                let search = Search { timestamp_ms: i64::MIN, start, bound };
                let times = matching(&batch, search).map(|record| record.timestamp_ms);
                greatest = greatest.max(times.max().unwrap_or(-1));
            }
            walk.pass(&header);
        }
        Ok(greatest)
    }
}

fn matching(batch: &Batch, search: Search) -> impl Iterator<Item = Record> {
    let records = batch.records(DecompressLimit { bytes_max: DECOMPRESSED_BYTES_MAX }).ok();
    records.into_iter().flatten().map_while(Result::ok).filter(move |record| {
        let offset = Offset(record.offset);
        record.timestamp_ms >= search.timestamp_ms && offset >= search.start && offset < search.bound
    })
}

fn first_record(batch: &Batch, search: Search) -> Option<TimestampedOffset> {
    matching(batch, search).next().map(|record| TimestampedOffset {
        offset: Offset(record.offset),
        timestamp_ms: record.timestamp_ms,
        leader_epoch: LeaderEpoch(batch.header().leader_epoch),
    })
}
