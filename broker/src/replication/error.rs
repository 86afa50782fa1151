//! One enum per operation. Each variant is one fact that a client must tell apart; its text says what to do.

use crate::{
    ids::{LeaderEpoch, Offset, TopicPartition},
    storage::{OpenError, StoreFailure},
};
use cairn_proto::record::BatchError;
use std::sync::Arc;

/// Why a batch was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProduceError {
    /// No such partition here.
    #[error("there is no such partition on this broker: refresh the metadata")]
    UnknownPartition,
    /// The broker's own topic.
    #[error("only the broker itself writes to its internal topics")]
    InternalTopic,
    /// Another broker leads, or nobody.
    #[error("this broker does not lead the partition: refresh the metadata")]
    NotLeader,
    /// The client's epoch is old.
    #[error("leader epoch {sent} is older than {current}: refresh the metadata")]
    FencedLeaderEpoch {
        /// What the client knows.
        sent: LeaderEpoch,
        /// What is.
        current: LeaderEpoch,
    },
    /// The client knows more than this broker.
    #[error("leader epoch {sent} is newer than {current}, which this broker knows: retry")]
    UnknownLeaderEpoch {
        /// What the client knows.
        sent: LeaderEpoch,
        /// What this broker knows.
        current: LeaderEpoch,
    },
    /// The bytes are not a batch, or were damaged on the way.
    #[error(transparent)]
    Corrupt(BatchError),
    /// A batch that nobody may send.
    #[error(transparent)]
    Invalid(BatchError),
    /// Larger than the topic accepts.
    #[error("a batch of {bytes} bytes, the topic accepts up to {bytes_max} (max.message.bytes)")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Larger than this broker's journal can take.
    #[error(
        "a batch of {bytes} bytes, this broker's journal takes up to {bytes_max}: send smaller ones, or raise its journal-file-bytes-max and journal-ring-bytes-max"
    )]
    BeyondJournal {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Ahead of the broker's clock.
    #[error(
        "timestamp {timestamp_ms} is more than {ahead_max_ms} ms ahead of the broker's clock ({now_ms}): check the clocks, or set message.timestamp.after.max.ms"
    )]
    InvalidTimestamp {
        /// The greatest of the batch.
        timestamp_ms: i64,
        /// The broker's time.
        now_ms: i64,
        /// The limit.
        ahead_max_ms: i64,
    },
    /// Behind the broker's clock by more than the topic allows.
    #[error("{0}: check the clocks, or set message.timestamp.before.max.ms")]
    TimestampTooOld(BatchError),
    /// A batch before this one is missing.
    #[error("producer {producer_id} epoch {producer_epoch} sent sequence {sequence}, expected {expected}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// Its epoch.
        producer_epoch: i16,
        /// What it sent.
        sequence: i32,
        /// What would have followed.
        expected: i32,
    },
    /// The producer was replaced.
    #[error("producer {producer_id} epoch {producer_epoch} is fenced by epoch {current_epoch}")]
    ProducerFenced {
        /// The producer.
        producer_id: i64,
        /// Its epoch.
        producer_epoch: i16,
        /// The newer one.
        current_epoch: i16,
    },
    /// Too few replicas in sync; nothing was appended.
    #[error(
        "{in_sync} replicas are in sync, acks=all needs {min_isr} (min.insync.replicas): retry when more are"
    )]
    NotEnoughReplicas {
        /// In sync.
        in_sync: usize,
        /// Needed.
        min_isr: u32,
    },
    /// Too few replicas in sync, after the append.
    #[error(
        "outcome unknown: the batch was appended, and then too few replicas were in sync. Retry with the same sequence"
    )]
    NotEnoughReplicasAfterAppend,
    /// Appended perhaps.
    #[error("outcome unknown ({0}): retry with the same sequence")]
    OutcomeUnknown(String),
    /// No space; nothing was appended.
    #[error("refused, no space left: {0}. Writes resume when there is space")]
    StorageFull(String),
    /// The directory is fenced; nothing was appended.
    #[error("{0}")]
    StorageFailed(String),
    /// This partition's copy cannot be used; nothing was appended.
    #[error("the partition is offline: {0}")]
    Offline(String),
    /// A named limit; nothing was appended.
    #[error("{waiting} batches wait on this lane already: retry later")]
    Overloaded {
        /// How many.
        waiting: usize,
    },
    /// Going down; nothing was appended.
    #[error("the broker is shutting down: reconnect")]
    ShuttingDown,
}

impl ProduceError {
    /// Whether the same batch, with the same sequence, may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Corrupt(error) => error.retryable(),
            Self::UnknownPartition
            | Self::NotLeader
            | Self::FencedLeaderEpoch { .. }
            | Self::UnknownLeaderEpoch { .. }
            | Self::NotEnoughReplicas { .. }
            | Self::NotEnoughReplicasAfterAppend
            | Self::OutcomeUnknown(_)
            | Self::StorageFull(_)
            | Self::StorageFailed(_)
            | Self::Offline(_)
            | Self::Overloaded { .. }
            | Self::ShuttingDown => true,
            Self::Invalid(_)
            | Self::InternalTopic
            | Self::TooLarge { .. }
            | Self::BeyondJournal { .. }
            | Self::InvalidTimestamp { .. }
            | Self::TimestampTooOld(_)
            | Self::OutOfOrderSequence { .. }
            | Self::ProducerFenced { .. } => false,
        }
    }

    /// Whether the batch is certainly not in the log and never will be by this request (I26).
    pub fn nothing_appended(&self) -> bool {
        !matches!(self, Self::OutcomeUnknown(_) | Self::NotEnoughReplicasAfterAppend)
    }
}

/// Why a read gave nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// No such partition here.
    #[error("there is no such partition on this broker: refresh the metadata")]
    UnknownPartition,
    /// Another broker leads, or nobody.
    #[error("this broker does not lead the partition: refresh the metadata")]
    NotLeader,
    /// The client's epoch is old.
    #[error("leader epoch {sent} is older than {current}: refresh the metadata")]
    FencedLeaderEpoch {
        /// What the client knows.
        sent: LeaderEpoch,
        /// What is.
        current: LeaderEpoch,
    },
    /// The client knows more than this broker.
    #[error("leader epoch {sent} is newer than {current}, which this broker knows: retry")]
    UnknownLeaderEpoch {
        /// What the client knows.
        sent: LeaderEpoch,
        /// What this broker knows.
        current: LeaderEpoch,
    },
    /// Outside the log.
    #[error("offset {offset} is out of range: the partition has {start} to {end}")]
    OutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The log start.
        start: Offset,
        /// The offset behind the last one.
        end: Offset,
    },
    /// The leader is new and does not know yet what is committed.
    #[error("not available yet: the new leader's high watermark has not reached its log: retry")]
    NotAvailable,
    /// The record before the wanted offset is no longer in the log.
    #[error(
        "the log was truncated: epoch {epoch} ends at {end} now. Records from there on were never acknowledged by all replicas"
    )]
    Truncated {
        /// The largest epoch that both may share.
        epoch: LeaderEpoch,
        /// Where it ends here.
        end: Offset,
    },
    /// These offsets cannot be read from this copy.
    #[error("offsets {from} to {to} (exclusive) are damaged: {detail}")]
    Damaged {
        /// The first.
        from: Offset,
        /// The first one behind them that can be read.
        to: Offset,
        /// File and place.
        detail: String,
    },
    /// Not in memory: repeat with [`Residency::MayBlock`](super::Residency) on a thread that may block.
    #[error("the range is not in memory")]
    WouldBlock,
    /// A file could not be opened.
    #[error("{0}")]
    Storage(String),
    /// This partition's copy cannot be used.
    #[error("the partition is offline: {0}")]
    Offline(String),
}

impl FetchError {
    /// Whether the same read may succeed later.
    pub fn retryable(&self) -> bool {
        !matches!(self, Self::OutOfRange { .. } | Self::Truncated { .. } | Self::Damaged { .. })
    }
}

/// Why the log start did not move.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// No such partition here.
    #[error("there is no such partition on this broker: refresh the metadata")]
    UnknownPartition,
    /// Another broker leads, or nobody.
    #[error("this broker does not lead the partition: refresh the metadata")]
    NotLeader,
    /// Beyond what is committed.
    #[error("offset {offset} is out of range: records can be deleted before {start} to {high_watermark}")]
    OutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The log start.
        start: Offset,
        /// The high watermark: the greatest offset allowed.
        high_watermark: Offset,
    },
    /// The directory is fenced. Whether the start moves with the next start of the broker is not known.
    #[error("{0}")]
    StorageFailed(String),
    /// No space to record it.
    #[error("refused, no space left: {0}")]
    StorageFull(String),
    /// This partition's copy cannot be used.
    #[error("the partition is offline: {0}")]
    Offline(String),
    /// Too many requests wait.
    #[error("{waiting} requests wait on this lane already: retry later")]
    Overloaded {
        /// How many.
        waiting: usize,
    },
    /// Going down.
    #[error("the broker is shutting down: reconnect")]
    ShuttingDown,
}

impl DeleteRecordsError {
    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        !matches!(self, Self::OutOfRange { .. })
    }
}

/// Why the replicas did not open, or did not close.
#[derive(Debug, thiserror::Error)]
pub enum ReplicationError {
    /// The directory's store did not open.
    #[error("the partitions' store does not open: {0}")]
    Open(#[from] OpenError),
    /// The directory failed.
    #[error(transparent)]
    Failed(#[from] StoreFailure),
    /// The system refused a thread.
    #[error("cannot start a lane's thread: {0}")]
    Thread(Arc<std::io::Error>),
}

/// For messages that name a partition.
pub(super) fn missing_log(partition: TopicPartition) -> String {
    format!(
        "the log of {partition} was created here and is gone. Restore the data directory from a copy, or delete the topic and create it again"
    )
}
