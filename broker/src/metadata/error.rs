//! Why a command is refused, why a proposal failed, and why the metadata does not open. Messages say what to do.

use super::{ConfigError, TopicNameError};
use crate::{
    disk::DiskError,
    ids::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, TopicId, TopicPartition},
    storage::{AppendError, OpenError, StoreFailure},
};
use std::{path::PathBuf, sync::Arc};

/// Why a command changed nothing. Deterministic: every voter comes to the same answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The cluster has an identity already.
    #[error("the cluster is formed already")]
    AlreadyFormed,
    /// No identity yet.
    #[error("the cluster is not formed yet")]
    NotFormed,
    /// The name breaks a rule.
    #[error(transparent)]
    TopicName(#[from] TopicNameError),
    /// The name is taken.
    #[error("topic {name:?} exists already")]
    TopicExists {
        /// The name.
        name: String,
    },
    /// Metrics could not tell the two names apart.
    #[error(
        "topic {name:?} collides with {existing:?}: '.' and '_' count as the same character in metric names"
    )]
    TopicNameCollides {
        /// The wanted name.
        name: String,
        /// The topic in its way.
        existing: String,
    },
    /// No such topic, or no longer.
    #[error("there is no topic with id {topic}")]
    UnknownTopic {
        /// Its identity.
        topic: TopicId,
    },
    /// The identity is taken: the same command twice.
    #[error("topic id {topic} exists already")]
    TopicIdExists {
        /// Its identity.
        topic: TopicId,
    },
    /// No such partition.
    #[error("there is no partition {partition}")]
    UnknownPartition {
        /// Which.
        partition: TopicPartition,
    },
    /// A configuration name or value.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Not a number of partitions.
    #[error("{wanted} partitions are not possible: {allowed}")]
    Partitions {
        /// What was asked for.
        wanted: u32,
        /// What is allowed, and why.
        allowed: String,
    },
    /// Not a replication factor.
    #[error(
        "replication factor {wanted} is not possible: use 1 to {live_brokers}, the number of brokers that are running"
    )]
    ReplicationFactor {
        /// What was asked for.
        wanted: u32,
        /// Brokers that could hold a replica.
        live_brokers: usize,
    },
    /// A number that is used up, or a limit reached.
    #[error("{0}")]
    LimitReached(String),
    /// Never registered.
    #[error("broker {broker} is not registered")]
    UnknownBroker {
        /// Which.
        broker: BrokerId,
    },
    /// The command comes from an earlier process life.
    #[error("broker {broker} epoch {sent} is stale, it is {current}")]
    StaleBrokerEpoch {
        /// Which.
        broker: BrokerId,
        /// What the command says.
        sent: BrokerEpoch,
        /// What is registered.
        current: BrokerEpoch,
    },
    /// The proposer knows more than this state: not the controller any more.
    #[error(
        "epochs {leader_epoch}/{partition_epoch} of {partition} are newer than this controller's: ask the controller"
    )]
    NotController {
        /// Which.
        partition: TopicPartition,
        /// What the command says.
        leader_epoch: LeaderEpoch,
        /// What the command says.
        partition_epoch: PartitionEpoch,
    },
    /// Another leader was elected.
    #[error("leader epoch {sent} of {partition} is fenced by {current}")]
    FencedLeaderEpoch {
        /// Which.
        partition: TopicPartition,
        /// What the command says.
        sent: LeaderEpoch,
        /// What stands.
        current: LeaderEpoch,
    },
    /// The record has changed since.
    #[error("partition epoch {sent} of {partition} is behind {current}")]
    StalePartitionEpoch {
        /// Which.
        partition: TopicPartition,
        /// What the command says.
        sent: PartitionEpoch,
        /// What stands.
        current: PartitionEpoch,
    },
    /// Not something that its sender may ask for.
    #[error("invalid request: {0}")]
    Invalid(String),
}

/// The metadata cannot go on: the process ends with a documented exit code.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MetadataFailure {
    /// The metadata journal failed.
    #[error("the metadata journal failed: {0}. Check the disk, then restart; nothing acknowledged is lost")]
    Store(#[from] StoreFailure),
    /// A snapshot could not be made durable.
    #[error("the metadata snapshot failed: {0}. Check the disk, then restart; nothing acknowledged is lost")]
    Snapshot(Arc<DiskError>),
    /// The log did not do as it should.
    #[error("the metadata log failed: {0}")]
    Log(String),
}

/// Why a proposal was not accepted, or not answered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProposeError {
    /// The state refused it; nothing changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too many proposals wait; nothing changed.
    #[error("{waiting} metadata changes are waiting already: retry later")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// Larger than one command may be; nothing changed.
    #[error("the command has {bytes} bytes, at most {bytes_max} are accepted: split it")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// No space for it; nothing changed, reads go on, a later attempt may succeed.
    #[error("refused, no space left for metadata: {0}")]
    NoSpace(String),
    /// Closed; nothing changed.
    #[error("the broker is shutting down")]
    Closed,
    /// The metadata failed while it was under way: whether it will be there after a restart is not known.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(MetadataFailure),
    /// The metadata failed before; nothing changed.
    #[error(transparent)]
    Failed(MetadataFailure),
}

impl ProposeError {
    /// Whether the same proposal may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::NoSpace(_))
    }
}

/// Why the metadata did not open.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The directory's store did not.
    #[error("the metadata log does not open: {0}")]
    Open(#[from] OpenError),
    /// A disk call failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The store has failed already.
    #[error(transparent)]
    Failed(#[from] StoreFailure),
    /// The log could not be begun.
    #[error("the metadata log cannot be begun: {0}")]
    Begin(#[from] AppendError),
    /// Written by a newer version.
    #[error(
        "{file} has format {found}, this build reads up to {known}: start the newer version on this directory"
    )]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest one known.
        known: u32,
    },
    /// Damage that leaves the state unknown.
    #[error(
        "{file} is damaged: {detail}. Nothing was changed. Restore the directory from a copy, or start with an empty --data-dir"
    )]
    Damaged {
        /// The file, or the log's directory.
        file: PathBuf,
        /// What was found, and where.
        detail: String,
    },
    /// A logged command that this build cannot apply.
    #[error("command {index} in {directory} cannot be applied: {detail}")]
    Command {
        /// The metadata directory.
        directory: PathBuf,
        /// Its index.
        index: u64,
        /// Why.
        detail: String,
    },
    /// The system refused a thread.
    #[error("cannot start the metadata thread: {0}")]
    Thread(String),
}
