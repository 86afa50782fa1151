//! One error per operation. Each says what was wrong and what to do about it, whether the same call may succeed
//! later ([`retryable`](ProduceError::retryable)), and keeps "nobody knows" apart from "no".

use std::time::Duration;

/// No connection to any broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The list of addresses is empty.
    #[error("no broker address: give at least one HOST:PORT")]
    NoAddress,
    /// Not `HOST:PORT`.
    #[error("{address:?} is not a broker address ({reason}): give HOST:PORT, such as 127.0.0.1:9095")]
    InvalidAddress {
        /// What was given.
        address: String,
        /// Why it does not parse.
        reason: String,
    },
    /// Nobody answered.
    #[error("no broker reachable: {attempts}. Is a broker running there, on its gRPC port?")]
    Unreachable {
        /// Each address with what happened.
        attempts: String,
    },
}

impl ConnectError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// A record was not, or perhaps not, produced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// Options that contradict each other.
    #[error("{0}")]
    InvalidOptions(String),
    /// There is no such topic.
    #[error("topic {topic:?} does not exist: create it first")]
    UnknownTopic {
        /// The topic's name.
        topic: String,
    },
    /// The topic has fewer partitions.
    #[error("topic {topic:?} has no partition {partition}: it has {partitions}, counted from 0")]
    UnknownPartition {
        /// The topic's name.
        topic: String,
        /// The partition asked for.
        partition: u32,
        /// How many there are.
        partitions: u32,
    },
    /// The record exceeds a limit even in a batch of its own.
    #[error("a record that makes a batch of {batch_bytes} bytes exceeds {limit} = {limit_bytes}")]
    RecordTooLarge {
        /// What a batch with this record alone would have.
        batch_bytes: usize,
        /// The limit's name.
        limit: &'static str,
        /// The limit.
        limit_bytes: usize,
    },
    /// The record cannot be encoded, or the broker refused it as malformed.
    #[error("the record is not valid: {reason}")]
    InvalidRecord {
        /// What is wrong with it.
        reason: String,
    },
    /// Only of `try_send`: the buffer is full. Nothing was sent; try again when deliveries have resolved.
    #[error("the producer's buffer of {buffer_bytes} bytes is full: wait for deliveries, or use send")]
    BufferFull {
        /// The limit.
        buffer_bytes: usize,
    },
    /// Only of `try_send`: where the topic's partitions are is not known yet. `send` waits for it.
    #[error("the partitions of topic {topic:?} are not known yet: use send, which waits")]
    RoutingUnknown {
        /// The topic's name.
        topic: String,
    },
    /// The producer or its client is closed; the record was never sent.
    #[error("the producer is closed; the record was not sent")]
    Closed,
    /// The delivery timeout passed and the record is certainly not in the log.
    #[error("not delivered within {timeout:?} ({reason}); the record was not appended")]
    TimedOut {
        /// The limit.
        timeout: Duration,
        /// The last thing that stood in the way.
        reason: String,
    },
    /// The record may be in the log or not: it was sent, and nobody will learn what became of it.
    #[error("outcome unknown: {reason}; the record may have been appended. Read the partition to find out")]
    OutcomeUnknown {
        /// Why no answer is to be had.
        reason: String,
    },
    /// The broker refused the record; it was not appended.
    #[error("refused by the broker ({code}): {reason}")]
    Refused {
        /// The name of the protocol's error code.
        code: &'static str,
        /// What the broker says.
        reason: String,
        /// Whether the same record may be accepted later.
        retryable: bool,
    },
    /// No broker could be asked.
    #[error("{0}")]
    Unreachable(String),
}

impl ProduceError {
    /// Whether sending the record again may succeed. After [`OutcomeUnknown`](Self::OutcomeUnknown) it may also
    /// make a duplicate, therefore that one is not.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::BufferFull { .. }
            | Self::RoutingUnknown { .. }
            | Self::TimedOut { .. }
            | Self::Unreachable(_) => true,
            Self::Refused { retryable, .. } => *retryable,
            _ => false,
        }
    }

    /// Whether the record is certainly not in the log.
    #[must_use]
    pub fn nothing_appended(&self) -> bool {
        !matches!(self, Self::OutcomeUnknown { .. })
    }
}

/// A consumer cannot go on with one of its partitions, or at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// Options that contradict each other, or a partition that is not assigned.
    #[error("{0}")]
    InvalidOptions(String),
    /// There is no such topic (any more).
    #[error("topic {topic:?} does not exist: create it first")]
    UnknownTopic {
        /// The topic's name.
        topic: String,
    },
    /// The topic has fewer partitions.
    #[error("topic {topic:?} has no partition {partition}: it has {partitions}, counted from 0")]
    UnknownPartition {
        /// The topic's name.
        topic: String,
        /// The partition asked for.
        partition: u32,
        /// How many there are.
        partitions: u32,
    },
    /// The offset is not in the log; nothing was skipped. Seek, or choose an [`OutOfRange`](crate::OutOfRange) policy.
    #[error(
        "offset {offset} of {topic}/{partition} is out of range {log_start}..={high_watermark}: seek, or choose \
         what to do when out of range"
    )]
    OffsetOutOfRange {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset asked for.
        offset: i64,
        /// The oldest offset, -1 where unknown.
        log_start: i64,
        /// The first offset that cannot be read yet, -1 where unknown.
        high_watermark: i64,
    },
    /// These offsets are damaged on disk and cannot be read; everything else can. Seek to `damaged_to` to go on
    /// without them.
    #[error(
        "offsets {damaged_from}..{damaged_to} of {topic}/{partition} are damaged: seek to {damaged_to} to go on without them ({reason})"
    )]
    Damaged {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The first unreadable offset.
        damaged_from: i64,
        /// The first readable one behind.
        damaged_to: i64,
        /// What the broker says.
        reason: String,
    },
    /// What was read before `offset` is no longer in the log: it was cut off in a failover that lost data.
    #[error(
        "the log of {topic}/{partition} was truncated below offset {offset}, which was read before: {reason}"
    )]
    LogTruncated {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The consumer's position.
        offset: i64,
        /// What the broker says.
        reason: String,
    },
    /// A batch arrived that fails its checksum or framing; nothing of it was given out.
    #[error("a batch of {topic}/{partition} at offset {offset} is corrupt: {reason}")]
    Corrupt {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The position at which it arrived.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The broker refused to serve the partition.
    #[error("{topic}/{partition}: refused by the broker ({code}): {reason}")]
    Refused {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The name of the protocol's error code.
        code: &'static str,
        /// What the broker says.
        reason: String,
    },
    /// No broker could be asked where to begin.
    #[error("{0}")]
    Unreachable(String),
    /// Nothing is committed for a partition that the group gave to this consumer, and it was to say so
    /// ([`OffsetReset::None`](crate::OffsetReset::None)). Seek to begin.
    #[error("the group has committed nothing for {topic}/{partition}: seek, or choose where to begin then")]
    NoCommittedOffset {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: u32,
    },
    /// The group does not have this consumer (any more).
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

impl ConsumeError {
    /// Whether the same call may succeed later. A consumer that runs retries by itself what can be retried.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Group(error) => error.retryable(),
            _ => false,
        }
    }
}

/// A call for a group did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Options that contradict each other.
    #[error("{0}")]
    InvalidOptions(String),
    /// There is no such group.
    #[error("group {group:?} does not exist")]
    Unknown {
        /// The group's name.
        group: String,
    },
    /// The group has members, and this may only be done without.
    #[error("group {group:?} has members: stop them first")]
    NotEmpty {
        /// The group's name.
        group: String,
    },
    /// The group's members speak the Kafka protocol.
    #[error(
        "group {group:?} has members that speak the Kafka protocol: stop them first, or choose another name"
    )]
    OtherKind {
        /// The group's name.
        group: String,
    },
    /// Another process with the same instance id has taken this one's place.
    #[error(
        "another process with this instance id has joined group {group:?} and taken the place of this one"
    )]
    Fenced {
        /// The group's name.
        group: String,
    },
    /// These partitions belong to another member by now: their offsets were not committed. All others were.
    #[error("not committed, because the group has given them to another member: {}", .partitions.join(", "))]
    NotAssigned {
        /// Each as `TOPIC/PARTITION`.
        partitions: Vec<String>,
    },
    /// The broker refused; nothing was changed.
    #[error("refused by the broker ({code}): {reason}")]
    Refused {
        /// The name of the protocol's error code.
        code: &'static str,
        /// What the broker says: what is wrong, and what is allowed.
        reason: String,
    },
    /// No coordinator answered in time. What was sent may have been done: a commit can be repeated.
    #[error("the group's coordinator did not answer in time: {0}")]
    Unreachable(String),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

impl GroupError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

/// An administrative call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// There is no such topic.
    #[error("topic {topic:?} does not exist: {reason}")]
    UnknownTopic {
        /// The topic's name.
        topic: String,
        /// What the broker says.
        reason: String,
    },
    /// There is such a topic already.
    #[error("topic {topic:?} exists already")]
    TopicExists {
        /// The topic's name.
        topic: String,
    },
    /// The broker refused; nothing was changed.
    #[error("refused by the broker ({code}): {reason}")]
    Refused {
        /// The name of the protocol's error code.
        code: &'static str,
        /// What the broker says: what is wrong, and what is allowed.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// No broker could be asked; nothing was changed.
    #[error("{0}")]
    Unreachable(String),
    /// The call was sent and not answered: it may have taken effect.
    #[error("outcome unknown: {reason}; the change may have been made. Look before you repeat it")]
    OutcomeUnknown {
        /// Why no answer is to be had.
        reason: String,
    },
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

impl AdminError {
    /// Whether the same call may succeed later without having taken effect already.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { retryable, .. } => *retryable,
            _ => false,
        }
    }
}
