//! A batch on its lane: everything that can be refused is refused before the partition's lock is taken and before anything
//! is appended.

use super::{
    DeleteRecordsError, OnDeleted, OnProduced, ProduceError, ProduceRequest,
    partition::{Partition, Settings},
    table::ReplicaTable,
};
use crate::{
    clock::SharedClock,
    ids::Offset,
    storage::{Store, TruncateError},
};
use bytes::Bytes;
use cairn_proto::record::{Batch, BatchError, DecompressLimit, ProducedProblem};
use std::sync::Arc;

/// Work for a lane. It answers its requester itself.
pub(super) enum Job {
    Produce { partition: Arc<Partition>, request: ProduceRequest, done: OnProduced },
    DeleteRecords { partition: Arc<Partition>, before: Option<Offset>, done: OnDeleted },
}

impl Job {
    /// Answers without doing it: the lane is full with so many, or closed.
    pub(super) fn refuse(self, full: Option<usize>) {
        match (self, full) {
            (Self::Produce { done, .. }, Some(waiting)) => done(Err(ProduceError::Overloaded { waiting })),
            (Self::Produce { done, .. }, None) => done(Err(ProduceError::ShuttingDown)),
            (Self::DeleteRecords { done, .. }, Some(waiting)) => {
                done(Err(DeleteRecordsError::Overloaded { waiting }))
            }
            (Self::DeleteRecords { done, .. }, None) => done(Err(DeleteRecordsError::ShuttingDown)),
        }
    }
}

/// What a lane works with.
pub(super) struct LaneWork {
    pub(super) table: Arc<ReplicaTable>,
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) limit: DecompressLimit,
}

impl LaneWork {
    pub(super) fn run(&self, job: Job) {
        match job {
            Job::Produce { partition, request, done } => self.produce(&partition, request, done),
            Job::DeleteRecords { partition, before, done } => done(self.delete_records(&partition, before)),
        }
    }

    fn produce(&self, partition: &Partition, request: ProduceRequest, done: OnProduced) {
        match self.validate(&partition.settings(), request.batch) {
            Ok(batch) => {
                partition.append(&batch, request.leader_epoch, request.acks, done);
                self.table.note_records_of(partition);
            }
            Err(error) => done(Err(error)),
        }
    }

    fn validate(&self, settings: &Settings, bytes: Bytes) -> Result<Batch, ProduceError> {
        let bytes_max = settings.log.batch_bytes_max;
        if bytes.len() > bytes_max {
            return Err(ProduceError::TooLarge { bytes: bytes.len(), bytes_max });
        }
        let batch = Batch::parse(bytes).map_err(ProduceError::Corrupt)?;
        // Before anything is decompressed.
        self.check_not_ahead(settings, &batch)?;
        let now_ms = settings.timestamp_before_max_ms.map(|_| self.clock.wall_ms());
        match batch.validate_produced_under(self.limit, settings.rules(now_ms)) {
            Ok(()) => Ok(batch),
            // Clients round: rskafka's header is now and then a millisecond ahead. It is last in the order of what is
            // wrong with a batch, and Apache Kafka puts it right as well.
            Err(BatchError::Produced(ProducedProblem::MaxTimestamp { actual_ms, .. })) => {
                let batch = batch.with_max_timestamp(actual_ms);
                self.check_not_ahead(settings, &batch)?;
                Ok(batch)
            }
            Err(error) => Err(refusal(error)),
        }
    }

    /// By what the header says.
    fn check_not_ahead(&self, settings: &Settings, batch: &Batch) -> Result<(), ProduceError> {
        let Some(ahead_max_ms) = settings.timestamp_after_max_ms else { return Ok(()) };
        let (timestamp_ms, now_ms) = (batch.header().max_timestamp_ms, self.clock.wall_ms());
        if timestamp_ms <= now_ms.saturating_add(ahead_max_ms) {
            return Ok(());
        }
        // A damaged header must not be told as a wrong clock.
        batch.check_crc().map_err(ProduceError::Corrupt)?;
        Err(ProduceError::InvalidTimestamp { timestamp_ms, now_ms, ahead_max_ms })
    }

    /// Blocks until the new start is durable: the lane's other partitions wait for one sync.
    fn delete_records(
        &self,
        partition: &Partition,
        before: Option<Offset>,
    ) -> Result<Offset, DeleteRecordsError> {
        let start = {
            let _appends = partition.hold_appends();
            partition.delete_before(before)?
        };
        self.store.sync().map_err(|failure| DeleteRecordsError::StorageFailed(failure.to_string()))?;
        Ok(start)
    }
}

/// Bytes that are no batch are corrupt; a batch that nobody may send is invalid.
fn refusal(error: BatchError) -> ProduceError {
    match error {
        BatchError::Produced(ProducedProblem::TooOld { .. }) => ProduceError::TimestampTooOld(error),
        BatchError::Produced(_)
        | BatchError::Keyless { .. }
        | BatchError::UnknownCompression { .. }
        | BatchError::DecompressedTooLarge { .. } => ProduceError::Invalid(error),
        _ => ProduceError::Corrupt(error),
    }
}

/// Why the log's start did not move.
pub(super) fn delete_error(error: TruncateError, high_watermark: Offset) -> DeleteRecordsError {
    match error {
        TruncateError::Failed(failure) => DeleteRecordsError::StorageFailed(failure.to_string()),
        TruncateError::NoSpace(error) => DeleteRecordsError::StorageFull(error.to_string()),
        TruncateError::OutOfRange { offset, start, .. } => {
            DeleteRecordsError::OutOfRange { offset, start, high_watermark }
        }
        TruncateError::Closed => DeleteRecordsError::UnknownPartition,
    }
}
