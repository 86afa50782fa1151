//! The one place where the broker's errors become the numbers of the Kafka protocol. Where the protocol has no number
//! for a fact, the nearest one is chosen that makes clients do the right thing: try again where that may help, and only
//! there.

use crate::{
    coordinator::{CoordinatorError, group::GroupError, groups::DeleteGroupError, native::NativeError},
    metadata::{ProposeError, Rejection},
    replication::{DeleteRecordsError, FetchError, ProduceError},
    service::{
        BrokerConfigError, ConfigChangeError, DeleteError, GroupCallError, InitProducerError,
        ListOffsetsError, Refusal, TopicError,
    },
};
use cairn_proto::{kafka::ErrorCode, record::BatchError};

/// An error that clients can tell from others.
pub(super) trait Coded {
    /// Its number.
    fn code(&self) -> ErrorCode;
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ShuttingDown => ErrorCode::NOT_CONTROLLER,
            Self::TooMuch { .. } => ErrorCode::INVALID_REQUEST,
        }
    }
}

impl Coded for BatchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownCompression { .. } => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            // Sets of messages from before record batches, as a Kafka broker answers them.
            Self::UnsupportedMagic { magic: 0..=1 } => ErrorCode::INVALID_RECORD,
            // Perhaps damaged on the way, which the checksum would tell: worth another try.
            Self::Checksum { .. }
            | Self::UnsupportedMagic { .. }
            | Self::BatchLength { .. }
            | Self::OffsetRange { .. }
            | Self::RecordCount { .. } => ErrorCode::CORRUPT_MESSAGE,
            // What was sent is what came, and will never be taken.
            _ => ErrorCode::INVALID_RECORD,
        }
    }
}

impl Coded for ProduceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Self::InternalTopic => ErrorCode::INVALID_TOPIC_EXCEPTION,
            Self::NotLeader | Self::ShuttingDown => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            Self::FencedLeaderEpoch { .. } => ErrorCode::FENCED_LEADER_EPOCH,
            Self::UnknownLeaderEpoch { .. } => ErrorCode::UNKNOWN_LEADER_EPOCH,
            Self::Corrupt(error) | Self::Invalid(error @ BatchError::UnknownCompression { .. }) => {
                error.code()
            }
            Self::Invalid(_) => ErrorCode::INVALID_RECORD,
            Self::TooLarge { .. } | Self::BeyondJournal { .. } => ErrorCode::MESSAGE_TOO_LARGE,
            Self::InvalidTimestamp { .. } | Self::TimestampTooOld(_) => ErrorCode::INVALID_TIMESTAMP,
            Self::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            Self::ProducerFenced { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
            // Certainly not appended, and every client tries again a little later.
            Self::NotEnoughReplicas { .. } | Self::Overloaded { .. } => ErrorCode::NOT_ENOUGH_REPLICAS,
            Self::NotEnoughReplicasAfterAppend => ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            // Perhaps appended, and every client tries again with the same sequence.
            Self::OutcomeUnknown(_) => ErrorCode::REQUEST_TIMED_OUT,
            Self::StorageFull(_) | Self::StorageFailed(_) | Self::Offline(_) => {
                ErrorCode::KAFKA_STORAGE_ERROR
            }
        }
    }
}

impl Coded for FetchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Self::NotLeader => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            Self::FencedLeaderEpoch { .. } => ErrorCode::FENCED_LEADER_EPOCH,
            Self::UnknownLeaderEpoch { .. } => ErrorCode::UNKNOWN_LEADER_EPOCH,
            Self::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            Self::NotAvailable | Self::WouldBlock => ErrorCode::OFFSET_NOT_AVAILABLE,
            // Where there is a field for it, it is told there instead.
            Self::Truncated { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            Self::Damaged { .. } => ErrorCode::CORRUPT_MESSAGE,
            Self::Storage(_) | Self::Offline(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        }
    }
}

impl Coded for ListOffsetsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(Refusal::ShuttingDown) => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            Self::Refused(refusal) => refusal.code(),
            Self::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
        }
    }
}

impl Coded for TopicError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Unknown { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Self::Internal { .. } => ErrorCode::INVALID_TOPIC_EXCEPTION,
            Self::Partitions { .. } => ErrorCode::INVALID_PARTITIONS,
            Self::BatchBeyondJournal { .. } => ErrorCode::INVALID_CONFIG,
            Self::Config(ConfigChangeError::Twice { .. }) | Self::NothingToChange => {
                ErrorCode::INVALID_REQUEST
            }
            Self::Config(_) => ErrorCode::INVALID_CONFIG,
            Self::DirectoryFailed(_) => ErrorCode::KAFKA_STORAGE_ERROR,
            Self::Propose(error) => error.code(),
            Self::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
        }
    }
}

impl Coded for BrokerConfigError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Unknown { .. } => ErrorCode::INVALID_CONFIG,
            // As Kafka answers for what only a start takes.
            Self::AtStart { .. } | Self::OfTopics { .. } => ErrorCode::INVALID_REQUEST,
        }
    }
}

impl Coded for DeleteError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Topic(TopicError::Refused(Refusal::ShuttingDown)) => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            Self::Topic(error) => error.code(),
            Self::Partition(error) => error.code(),
        }
    }
}

impl Coded for DeleteRecordsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Self::NotLeader | Self::ShuttingDown => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            Self::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            Self::StorageFailed(_) | Self::StorageFull(_) | Self::Offline(_) => {
                ErrorCode::KAFKA_STORAGE_ERROR
            }
            // Certainly not done, and clients try again.
            Self::Overloaded { .. } => ErrorCode::THROTTLING_QUOTA_EXCEEDED,
        }
    }
}

impl Coded for InitProducerError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(Refusal::ShuttingDown) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            Self::Refused(refusal) => refusal.code(),
            Self::NeverGiven { .. } => ErrorCode::INVALID_PRODUCER_ID_MAPPING,
            // A producer tries all of these again.
            Self::Propose(_) | Self::TimedOut => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        }
    }
}

impl Coded for GroupCallError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(Refusal::ShuttingDown) | Self::Topic(_) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            Self::Refused(refusal) => refusal.code(),
            Self::Coordinator(error) => error.code(),
        }
    }
}

impl Coded for CoordinatorError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotCoordinator => ErrorCode::NOT_COORDINATOR,
            Self::Loading => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            Self::NotAvailable(_) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            Self::InvalidName { .. } => ErrorCode::INVALID_GROUP_ID,
            Self::MetadataTooLong { .. } => ErrorCode::OFFSET_METADATA_TOO_LARGE,
            Self::TooLarge => ErrorCode::INVALID_COMMIT_OFFSET_SIZE,
            Self::Group(error) => error.code(),
            Self::Delete(error) => error.code(),
            Self::Native(error) => error.code(),
        }
    }
}

/// Clients of this protocol are no members of such groups; what an administrator may be told is all that matters.
impl Coded for NativeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidSessionTimeout { .. } => ErrorCode::INVALID_SESSION_TIMEOUT,
            Self::InvalidTopics { .. } | Self::TooManyTopics { .. } => ErrorCode::INVALID_REQUEST,
            Self::UnknownMember => ErrorCode::UNKNOWN_MEMBER_ID,
            Self::FencedInstance => ErrorCode::FENCED_INSTANCE_ID,
            Self::StaleEpoch { .. } => ErrorCode::ILLEGAL_GENERATION,
            Self::Full { .. } => ErrorCode::GROUP_MAX_SIZE_REACHED,
            Self::OtherKind => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            Self::NotWritten(_) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        }
    }
}

impl Coded for GroupError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidSessionTimeout { .. } => ErrorCode::INVALID_SESSION_TIMEOUT,
            Self::UnknownMember => ErrorCode::UNKNOWN_MEMBER_ID,
            Self::MemberIdRequired(_) => ErrorCode::MEMBER_ID_REQUIRED,
            Self::FencedInstance => ErrorCode::FENCED_INSTANCE_ID,
            Self::InconsistentProtocol | Self::OtherKind => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            Self::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
            Self::IllegalGeneration { .. } => ErrorCode::ILLEGAL_GENERATION,
            Self::Full { .. } => ErrorCode::GROUP_MAX_SIZE_REACHED,
            Self::NotWritten => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        }
    }
}

impl Coded for DeleteGroupError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::GROUP_ID_NOT_FOUND,
            Self::NotEmpty => ErrorCode::NON_EMPTY_GROUP,
        }
    }
}

impl Coded for ProposeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::Busy { .. } => ErrorCode::THROTTLING_QUOTA_EXCEEDED,
            Self::TooLarge { .. } => ErrorCode::INVALID_REQUEST,
            Self::NoSpace(_) | Self::Failed(_) => ErrorCode::KAFKA_STORAGE_ERROR,
            Self::Closed => ErrorCode::NOT_CONTROLLER,
            Self::OutcomeUnknown(_) => ErrorCode::REQUEST_TIMED_OUT,
        }
    }
}

impl Coded for Rejection {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TopicName(_) | Self::TopicNameCollides { .. } => ErrorCode::INVALID_TOPIC_EXCEPTION,
            Self::TopicExists { .. } | Self::TopicIdExists { .. } => ErrorCode::TOPIC_ALREADY_EXISTS,
            Self::UnknownTopic { .. } | Self::UnknownPartition { .. } => {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            }
            Self::Config(_) => ErrorCode::INVALID_CONFIG,
            Self::Partitions { .. } | Self::LimitReached(_) => ErrorCode::INVALID_PARTITIONS,
            Self::ReplicationFactor { .. } => ErrorCode::INVALID_REPLICATION_FACTOR,
            Self::Invalid(_) => ErrorCode::INVALID_REQUEST,
            Self::NotController { .. } => ErrorCode::NOT_CONTROLLER,
            Self::FencedLeaderEpoch { .. } => ErrorCode::FENCED_LEADER_EPOCH,
            Self::StaleBrokerEpoch { .. } => ErrorCode::STALE_BROKER_EPOCH,
            Self::AlreadyFormed
            | Self::NotFormed
            | Self::UnknownBroker { .. }
            | Self::StalePartitionEpoch { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}
