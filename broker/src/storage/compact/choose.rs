//! Which part of a log may be compacted, whether it is time, and whether segments become one: pure, so that no clock and no
//! disk decides.

use crate::{
    ids::Offset,
    storage::{CompactionOptions, state::LogState},
};

/// A log that is due. The greatest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// A record has waited for too long.
    is_late: bool,
    /// Share of uncompacted bytes, in millionths.
    dirty_millionths: u32,
    /// Everything below may be compacted: the end of a closed segment.
    pub(super) end: Offset,
}

/// Whether a log is to be compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Due(Due),
    /// Time or the high watermark may make it due.
    Later,
    /// Only another segment may make it due.
    Idle,
}

/// What is asked of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts {
    end: Offset,
    bytes: u64,
    first_append_ms: i64,
    last_append_ms: i64,
}

/// Of a log as it is. `now_ms` is `None` while the wall clock is not to be trusted.
pub(super) fn verdict(state: &LogState, now_ms: Option<i64>) -> Verdict {
    let Some(options) = &state.options.compaction else { return Verdict::Idle };
    let Some((_active, closed)) = state.segments.split_last() else { return Verdict::Idle };
    let facts: Vec<Facts> = closed
        .iter()
        .map(|segment| Facts {
            end: segment.end,
            bytes: segment.bytes,
            first_append_ms: segment.first_append_ms,
            last_append_ms: segment.index.last_append_ms(),
        })
        .collect();
    let stable = state.producers.first_open_transaction().unwrap_or(Offset(i64::MAX));
    verdict_on(&facts, (state.compacted_to, state.high_watermark.min(stable)), options, now_ms)
}

/// `closed` are the segments but the active one, oldest first; `compacted_to` is where the last round came to, `bound` what
/// is committed.
fn verdict_on(
    closed: &[Facts],
    (compacted_to, bound): (Offset, Offset),
    options: &CompactionOptions,
    now_ms: Option<i64>,
) -> Verdict {
    let is_older = |append_ms: i64, than_ms: i64| {
        now_ms.is_some_and(|now_ms| now_ms.saturating_sub(append_ms) >= than_ms)
    };
    let may_go = |facts: &&Facts| {
        let is_young = options.lag_min_ms > 0 && !is_older(facts.last_append_ms, options.lag_min_ms);
        facts.end <= bound && (facts.end <= compacted_to || !is_young)
    };
    let ready = closed.get(..closed.iter().take_while(may_go).count()).unwrap_or_default();
    let is_blocked = ready.len() < closed.len();
    let (clean, dirty) = ready.split_at(ready.partition_point(|facts| facts.end <= compacted_to));
    let bytes = |facts: &[Facts]| facts.iter().map(|facts| u128::from(facts.bytes)).sum::<u128>();
    let (Some(first), Some(last)) = (dirty.first(), dirty.last()) else {
        return if is_blocked { Verdict::Later } else { Verdict::Idle };
    };
    let share = bytes(dirty) * 1_000_000 / (bytes(clean) + bytes(dirty)).max(1);
    let dirty_millionths = u32::try_from(share).unwrap_or(u32::MAX);
    let is_late = options.lag_max_ms.is_some_and(|lag_max_ms| is_older(first.first_append_ms, lag_max_ms));
    if is_late || dirty_millionths > options.dirty_ratio_min_millionths {
        Verdict::Due(Due { is_late, dirty_millionths, end: last.end })
    } else if is_blocked || options.lag_max_ms.is_some() {
        Verdict::Later
    } else {
        Verdict::Idle
    }
}

/// Whether a segment joins those that become one with what was left of them so far: neither the bytes nor the offsets are
/// too many for one segment, even if all of it stays.
pub(super) fn joins(
    (first_base, left_bytes): (Offset, u64),
    (end, bytes): (Offset, u64),
    segment_bytes_max: u64,
) -> bool {
    let span = end.get().saturating_sub(first_base.get());
    left_bytes.saturating_add(bytes) <= segment_bytes_max && span <= i64::from(i32::MAX)
}

#[cfg(test)]
mod tests;
