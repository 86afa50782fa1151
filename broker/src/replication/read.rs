//! What a reader asks and gets.

use crate::ids::{LeaderEpoch, Offset, TopicPartition};
use bytes::Bytes;

/// A read of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Of what.
    pub partition: TopicPartition,
    /// From where.
    pub offset: Offset,
    /// The current leader epoch, as the client knows it.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The leader epoch of the record before `offset`, as the client read it: guards against truncation.
    pub last_epoch: Option<LeaderEpoch>,
    /// Bytes to return at most; one whole batch is always returned.
    pub bytes_max: usize,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// Whole batches below the high watermark, the first one contains the wanted offset; empty at the high watermark.
    pub batches: Bytes,
    /// Where to read on.
    pub next_offset: Offset,
    /// The exclusive end of what is committed.
    pub high_watermark: Offset,
    /// The exclusive end of what readers of committed transactions see.
    pub last_stable_offset: Offset,
    /// The first offset.
    pub log_start: Offset,
    /// The current epoch.
    pub leader_epoch: LeaderEpoch,
}

/// Which offset is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetQuery {
    /// The first one.
    Earliest,
    /// The high watermark.
    Latest,
    /// The first record with this timestamp or a later one, in ms.
    Timestamp(i64),
    /// The record with the greatest timestamp.
    MaxTimestamp,
}

/// The wanted offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAnswer {
    /// `None` where no record matches.
    pub offset: Option<Offset>,
    /// Of that record, for the two timestamp queries.
    pub timestamp_ms: Option<i64>,
    /// Of that record, or the current one.
    pub leader_epoch: Option<LeaderEpoch>,
}
