//! What a reader asks and gets. A reader is bounded by the high watermark (I28), is told none before the leader knows its own
//! (I14), and hears of a truncation rather than reading other records (I31).

use super::{DeleteRecordsError, FetchError, partition::Partition, produce::delete_error};
use crate::{
    ids::{LeaderEpoch, Offset, TopicPartition},
    storage::{DeletionCause, Log, ReadError, Residency},
};
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
    /// Bytes to return at most; one whole batch is always returned. 0: none, only where the partition stands.
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

impl Partition {
    pub(super) fn read(&self, request: &ReadRequest, residency: Residency) -> Result<Read, FetchError> {
        let (log, leader) = self.reading(request.leader_epoch)?;
        let high_watermark = leader.told_high_watermark().ok_or(FetchError::NotAvailable)?;
        let (start, end) = (log.start(), log.end());
        let offset = request.offset;
        let out_of_range = FetchError::OutOfRange { offset, start, end: high_watermark };
        if offset < start {
            return Err(out_of_range);
        }
        // Before the end is looked at: a log that was cut off says so, also to who is beyond its end.
        refuse_truncated(log, offset, request.last_epoch)?;
        if offset > end {
            return Err(out_of_range);
        }
        let (batches, next_offset) = if offset >= high_watermark || request.bytes_max == 0 {
            (Bytes::new(), offset)
        } else {
            let run = log.read(offset, high_watermark, request.bytes_max, residency).map_err(fetch_error)?;
            assert!(run.next_offset <= high_watermark, "I28: read up to {:?}", run.next_offset);
            (run.bytes, run.next_offset)
        };
        Ok(Read {
            batches,
            next_offset,
            high_watermark,
            last_stable_offset: high_watermark,
            log_start: start,
            leader_epoch: leader.epoch(),
        })
    }

    pub(super) fn list_offset(
        &self,
        query: OffsetQuery,
        leader_epoch: Option<LeaderEpoch>,
    ) -> Result<OffsetAnswer, FetchError> {
        let (log, leader) = self.reading(leader_epoch)?;
        let current = |offset| OffsetAnswer {
            offset: Some(offset),
            timestamp_ms: None,
            leader_epoch: Some(leader.epoch()),
        };
        let bound = || leader.told_high_watermark().ok_or(FetchError::NotAvailable);
        let found = match query {
            OffsetQuery::Earliest => return Ok(current(log.start())),
            OffsetQuery::Latest => return Ok(current(bound()?)),
            OffsetQuery::Timestamp(timestamp_ms) => log.offset_for_timestamp(timestamp_ms, bound()?),
            OffsetQuery::MaxTimestamp => log.max_timestamp(bound()?),
        };
        let found = found.map_err(fetch_error)?;
        Ok(OffsetAnswer {
            offset: found.map(|found| found.offset),
            timestamp_ms: found.map(|found| found.timestamp_ms),
            leader_epoch: found.map(|found| found.leader_epoch),
        })
    }

    /// Where the records of `epoch` end, or of the largest epoch below it; the current epoch ends with the log. `None`:
    /// nobody here ever led in it.
    pub(super) fn epoch_end(
        &self,
        epoch: LeaderEpoch,
        leader_epoch: Option<LeaderEpoch>,
    ) -> Result<Option<(LeaderEpoch, Offset)>, FetchError> {
        let (log, _) = self.reading(leader_epoch)?;
        Ok(log.end_offset_for(epoch))
    }

    /// Raises the log start; not yet durable. The caller holds appends back.
    pub(super) fn delete_before(&self, before: Option<Offset>) -> Result<Offset, DeleteRecordsError> {
        let (log, leader) = self.reading(None).map_err(|error| match error {
            FetchError::Offline(reason) => DeleteRecordsError::Offline(reason),
            FetchError::UnknownPartition => DeleteRecordsError::UnknownPartition,
            _ => DeleteRecordsError::NotLeader,
        })?;
        let (start, high_watermark) = (log.start(), leader.high_watermark());
        let before = before.unwrap_or(high_watermark);
        if before > high_watermark || before < Offset::ZERO {
            return Err(DeleteRecordsError::OutOfRange { offset: before, start, high_watermark });
        }
        if before > start {
            let moved = log.advance_start(before, DeletionCause::DeleteRecords);
            moved.map_err(|error| delete_error(error, high_watermark))?;
        }
        Ok(log.start())
    }
}

/// The client read up to `offset` in `last_epoch`: that must still be what stands before it.
fn refuse_truncated(log: &Log, offset: Offset, last_epoch: Option<LeaderEpoch>) -> Result<(), FetchError> {
    let Some(last_epoch) = last_epoch else { return Ok(()) };
    match log.end_offset_for(last_epoch) {
        Some((epoch, end)) if epoch == last_epoch && end >= offset => Ok(()),
        Some((epoch, end)) => Err(FetchError::Truncated { epoch, end }),
        // An epoch beyond the latest: nobody here ever led in it.
        None => Err(FetchError::Truncated {
            epoch: log.latest_epoch().unwrap_or(LeaderEpoch(-1)),
            end: log.end(),
        }),
    }
}

fn fetch_error(error: ReadError) -> FetchError {
    match error {
        ReadError::OutOfRange { offset, start, end } => FetchError::OutOfRange { offset, start, end },
        ReadError::Damaged { from, to, ref file, position, ref detail } => {
            let detail = format!("{detail}, in {} at byte {position}", file.display());
            FetchError::Damaged { from, to, detail }
        }
        ReadError::WouldBlock => FetchError::WouldBlock,
        ReadError::Disk(error) => FetchError::Storage(error.to_string()),
        ReadError::Closed => FetchError::UnknownPartition,
    }
}
