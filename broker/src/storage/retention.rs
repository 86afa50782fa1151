//! Which of the oldest segments may go: pure, so that no clock and no disk decides. Only whole segments that lie entirely
//! below the high watermark are chosen (I39), oldest first, and never the active one.

use super::LogOptions;
use crate::ids::Offset;

/// What retention needs to know of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentFacts {
    /// The end of its records: the next segment's base.
    pub end: Offset,
    /// Bytes of its records.
    pub bytes: u64,
    /// The greatest timestamp of its records; negative: none has one.
    pub max_timestamp_ms: i64,
    /// When the last batch was written into it, by this machine's wall clock.
    pub last_append_ms: i64,
}

impl SegmentFacts {
    /// How new its newest record is. A client's timestamp from the future must not keep it for ever, so the append time bounds
    /// it; one from the past counts, as the topic's owner expects of data that was loaded late.
    fn newest_ms(&self) -> i64 {
        if self.max_timestamp_ms < 0 {
            self.last_append_ms
        } else {
            self.max_timestamp_ms.min(self.last_append_ms)
        }
    }
}

/// The log start after the segments have been deleted that size or age ask for; `None` when all stay.
///
/// `segments` are in order, the active one last. `now_ms` is `None` while the wall clock is not to be trusted: then age deletes
/// nothing. By size the oldest segment goes while the log would still hold `retention_bytes` without it.
pub(super) fn start_after_retention(
    segments: &[SegmentFacts],
    options: &LogOptions,
    high_watermark: Offset,
    now_ms: Option<i64>,
) -> Option<Offset> {
    let (_active, sealed) = segments.split_last()?;
    let mut total_bytes = segments.iter().fold(0_u64, |sum, segment| sum.saturating_add(segment.bytes));
    let mut start = None;
    for segment in sealed.iter().take_while(|segment| segment.end <= high_watermark) {
        let remaining_bytes = total_bytes.saturating_sub(segment.bytes);
        let too_large = options.retention_bytes.is_some_and(|limit| remaining_bytes >= limit);
        let too_old = options
            .retention_ms
            .zip(now_ms)
            .is_some_and(|(limit, now)| now.saturating_sub(segment.newest_ms()) > limit);
        if !too_large && !too_old {
            break;
        }
        total_bytes = remaining_bytes;
        start = Some(segment.end);
    }
    start
}

#[cfg(test)]
mod tests;
