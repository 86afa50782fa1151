//! The one place where errors become the numbers that clients tell apart.

use crate::{
    metadata::{ProposeError, Rejection},
    replication::{DeleteRecordsError, FetchError, ProduceError},
    service::{ConfigChangeError, DeleteError, InitProducerError, ListOffsetsError, Refusal, TopicError},
};
use cairn_proto::{record::BatchError, v1::ErrorCode};

/// Number and text of an error.
pub(super) type Parts = (i32, String);

/// None.
pub(super) fn success() -> Parts {
    (ErrorCode::None.into(), String::new())
}

/// An error that clients can tell from others.
pub(super) trait Coded: std::fmt::Display {
    /// Its number.
    fn code(&self) -> ErrorCode;

    /// Number and text, as they stand in every reply.
    fn parts(&self) -> Parts {
        (self.code().into(), self.to_string())
    }
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ShuttingDown => ErrorCode::ShuttingDown,
            Self::TooMuch { .. } => ErrorCode::InvalidRequest,
        }
    }
}

impl Coded for ProduceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
            Self::InternalTopic => ErrorCode::InvalidRequest,
            Self::NotLeader | Self::Offline(_) => ErrorCode::NotLeader,
            Self::FencedLeaderEpoch { .. } => ErrorCode::FencedLeaderEpoch,
            Self::UnknownLeaderEpoch { .. } => ErrorCode::UnknownLeaderEpoch,
            Self::Corrupt(BatchError::UnknownCompression { .. })
            | Self::Invalid(BatchError::UnknownCompression { .. }) => ErrorCode::UnsupportedCompression,
            Self::Corrupt(_) => ErrorCode::CorruptBatch,
            Self::Invalid(_) => ErrorCode::InvalidRecord,
            Self::TooLarge { .. } | Self::BeyondJournal { .. } => ErrorCode::BatchTooLarge,
            Self::InvalidTimestamp { .. } | Self::TimestampTooOld(_) => ErrorCode::InvalidTimestamp,
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequence,
            Self::ProducerFenced { .. } => ErrorCode::ProducerFenced,
            Self::NotEnoughReplicas { .. } => ErrorCode::NotEnoughReplicas,
            Self::NotEnoughReplicasAfterAppend => ErrorCode::NotEnoughReplicasAfterAppend,
            Self::OutcomeUnknown(_) => ErrorCode::OutcomeUnknown,
            Self::StorageFull(_) => ErrorCode::StorageFull,
            Self::StorageFailed(_) => ErrorCode::StorageFailed,
            Self::Overloaded { .. } => ErrorCode::Throttled,
            Self::ShuttingDown => ErrorCode::ShuttingDown,
        }
    }
}

impl Coded for FetchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
            Self::NotLeader | Self::Offline(_) => ErrorCode::NotLeader,
            Self::FencedLeaderEpoch { .. } => ErrorCode::FencedLeaderEpoch,
            Self::UnknownLeaderEpoch { .. } => ErrorCode::UnknownLeaderEpoch,
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::NotAvailable | Self::WouldBlock => ErrorCode::OffsetNotAvailable,
            Self::Truncated { .. } => ErrorCode::LogTruncated,
            Self::Damaged { .. } => ErrorCode::Damaged,
            Self::Storage(_) => ErrorCode::StorageFailed,
        }
    }
}

impl Coded for DeleteRecordsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
            Self::NotLeader | Self::Offline(_) => ErrorCode::NotLeader,
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::StorageFailed(_) => ErrorCode::StorageFailed,
            Self::StorageFull(_) => ErrorCode::StorageFull,
            Self::Overloaded { .. } => ErrorCode::Throttled,
            Self::ShuttingDown => ErrorCode::ShuttingDown,
        }
    }
}

impl Coded for DeleteError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Topic(error) => error.code(),
            Self::Partition(error) => error.code(),
        }
    }
}

impl Coded for TopicError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Unknown { .. } => ErrorCode::UnknownTopicOrPartition,
            Self::Internal { .. } => ErrorCode::InvalidRequest,
            Self::Partitions { .. } => ErrorCode::InvalidPartitions,
            Self::BatchBeyondJournal { .. } => ErrorCode::InvalidConfig,
            Self::Config(ConfigChangeError::Twice { .. }) | Self::NothingToChange => {
                ErrorCode::InvalidRequest
            }
            Self::Config(_) => ErrorCode::InvalidConfig,
            Self::DirectoryFailed(_) => ErrorCode::StorageFailed,
            Self::Propose(error) => error.code(),
            Self::TimedOut => ErrorCode::TimedOut,
        }
    }
}

impl Coded for ListOffsetsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::TimedOut => ErrorCode::TimedOut,
        }
    }
}

impl Coded for InitProducerError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::NeverGiven { .. } => ErrorCode::InvalidRequest,
            Self::Propose(error) => error.code(),
            Self::TimedOut => ErrorCode::TimedOut,
        }
    }
}

impl Coded for ProposeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Rejected(rejection) => rejected(rejection),
            Self::Busy { .. } => ErrorCode::Throttled,
            Self::TooLarge { .. } => ErrorCode::InvalidRequest,
            Self::NoSpace(_) => ErrorCode::StorageFull,
            Self::Closed => ErrorCode::ShuttingDown,
            Self::OutcomeUnknown(_) => ErrorCode::OutcomeUnknown,
            Self::Failed(_) => ErrorCode::StorageFailed,
        }
    }
}

fn rejected(rejection: &Rejection) -> ErrorCode {
    match rejection {
        Rejection::TopicName(_) | Rejection::TopicNameCollides { .. } => ErrorCode::InvalidTopic,
        Rejection::TopicExists { .. } | Rejection::TopicIdExists { .. } => ErrorCode::TopicExists,
        Rejection::UnknownTopic { .. } | Rejection::UnknownPartition { .. } => {
            ErrorCode::UnknownTopicOrPartition
        }
        Rejection::Config(_) => ErrorCode::InvalidConfig,
        Rejection::Partitions { .. } | Rejection::LimitReached(_) => ErrorCode::InvalidPartitions,
        Rejection::ReplicationFactor { .. } => ErrorCode::InvalidReplicationFactor,
        Rejection::Invalid(_) => ErrorCode::InvalidRequest,
        Rejection::AlreadyFormed
        | Rejection::NotFormed
        | Rejection::UnknownBroker { .. }
        | Rejection::StaleBrokerEpoch { .. }
        | Rejection::NotController { .. }
        | Rejection::FencedLeaderEpoch { .. }
        | Rejection::StalePartitionEpoch { .. } => ErrorCode::Unknown,
    }
}
