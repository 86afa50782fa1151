//! Everything that can change the cluster's state, as it is logged: JSON with a format number. What an earlier version
//! wrote is read for ever; a format or command that is not known refuses to start.

use super::{Durability, Endpoints};
use crate::ids::{
    BrokerEpoch, BrokerId, ClusterId, DirectoryId, IncarnationId, LeaderEpoch, LogId, PartitionEpoch,
    ProducerId, TopicId, TopicPartition,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this build writes, and the newest that it reads.
pub(super) const COMMAND_FORMAT: u32 = 1;

/// What a broker says of itself at every start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Who it is.
    pub broker: BrokerId,
    /// Which process life: a new random one at every start, the same one for a retry.
    pub incarnation: IncarnationId,
    /// Where it is reached.
    pub endpoints: Endpoints,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Its data directories.
    pub directories: Vec<DirectoryId>,
    /// Of the clean-shutdown file, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_epoch: Option<BrokerEpoch>,
    /// The broker epoch on its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_epoch: Option<BrokerEpoch>,
    /// The kernel's boot, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Logs of which recovery cannot exclude that it lost what was synced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspect_logs: Vec<LogId>,
}

/// One change of the cluster's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// The first of all: the cluster gets its identity.
    FormCluster {
        /// Made by the proposer, at random.
        cluster: ClusterId,
    },
    /// A broker started. Its epoch is this command's index; it stays fenced until [`Command::UnfenceBroker`].
    RegisterBroker(Registration),
    /// The broker has made its epoch durable and caught up with its registration: it may lead from here on.
    UnfenceBroker {
        /// Which.
        broker: BrokerId,
        /// Its registration.
        epoch: BrokerEpoch,
    },
    /// The broker is gone, or takes its leave.
    FenceBroker {
        /// Which.
        broker: BrokerId,
        /// Its registration.
        epoch: BrokerEpoch,
    },
    /// The broker has durably created all of its logs with smaller numbers.
    ConfirmLogs {
        /// Which.
        broker: BrokerId,
        /// Its registration.
        epoch: BrokerEpoch,
        /// Logs below this exist.
        below: LogId,
    },
    /// A new topic.
    CreateTopic {
        /// Made by the proposer, at random.
        topic: TopicId,
        /// A valid, free name.
        name: String,
        /// How many partitions.
        partitions: u32,
        /// How many replicas of each.
        replication_factor: u32,
        /// By Kafka's names.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        configs: BTreeMap<String, String>,
        /// The broker's own.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        internal: bool,
    },
    /// More partitions, other configuration, or both: all of it or nothing.
    AlterTopic {
        /// Which.
        topic: TopicId,
        /// The new total.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partitions: Option<u32>,
        /// Values to set.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        set: BTreeMap<String, String>,
        /// Names that go back to their defaults.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reset: Vec<String>,
    },
    /// The topic is gone; a record of it stays until its logs are.
    DeleteTopic {
        /// Which.
        topic: TopicId,
    },
    /// The broker has durably deleted the logs of these deleted topics.
    ConfirmDeletion {
        /// Which.
        broker: BrokerId,
        /// Its registration.
        epoch: BrokerEpoch,
        /// Deleted topics.
        topics: Vec<TopicId>,
    },
    /// A run of producer ids that nobody else gets.
    AllocateProducerIds {
        /// How many.
        count: u32,
    },
    /// A leader's change of its ISR: compare-and-set on both epochs.
    ChangePartition {
        /// Which.
        partition: TopicPartition,
        /// The leader that asks.
        broker: BrokerId,
        /// Its registration.
        broker_epoch: BrokerEpoch,
        /// As the leader knows it.
        leader_epoch: LeaderEpoch,
        /// As the leader knows it.
        partition_epoch: PartitionEpoch,
        /// The wanted ISR, each member with the registration under which it caught up.
        isr: Vec<(BrokerId, BrokerEpoch)>,
    },
    /// A leader has synced everything from before the switch of `durability`.
    ConfirmDurability {
        /// Which.
        partition: TopicPartition,
        /// As the leader knows it.
        leader_epoch: LeaderEpoch,
        /// As the leader knows it.
        partition_epoch: PartitionEpoch,
        /// What it counts now.
        durability: Durability,
    },
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The cluster's identity.
    Formed {
        /// It.
        cluster: ClusterId,
    },
    /// A broker is registered.
    Registered {
        /// Its epoch; the earlier one if the same incarnation asked again.
        epoch: BrokerEpoch,
    },
    /// A topic exists.
    TopicCreated {
        /// Its identity.
        topic: TopicId,
        /// Its partitions.
        partitions: u32,
        /// Replicas of each.
        replication_factor: u32,
    },
    /// Producer ids `first..first + count` are the proposer's.
    ProducerIds {
        /// The first.
        first: ProducerId,
        /// How many.
        count: u32,
    },
    /// A partition's record stands so.
    Partition {
        /// Its leader epoch now.
        leader_epoch: LeaderEpoch,
        /// Its partition epoch now.
        partition_epoch: PartitionEpoch,
        /// A new member was not eligible: only the partition epoch has changed.
        ineligible: bool,
    },
    /// Done, with nothing more to say.
    Done,
}

/// How a command stands in the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<C> {
    format: u32,
    command: C,
}

/// Why a logged command cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandProblem {
    /// Written by a newer version.
    #[error(
        "command format {found}, this build reads up to {COMMAND_FORMAT}: start the newer version on this directory"
    )]
    NewerFormat {
        /// What it says.
        found: u32,
    },
    /// Not a command that this build knows.
    #[error("not a command that this build knows: {0}")]
    Unknown(String),
}

impl Command {
    /// As it is logged.
    pub(super) fn encode(&self) -> Vec<u8> {
        let envelope = Envelope { format: COMMAND_FORMAT, command: self };
        match serde_json::to_vec(&envelope) {
            Ok(bytes) => bytes,
            Err(error) => panic!("a command always has a JSON form: {error}"),
        }
    }

    /// From the log.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CommandProblem> {
        #[derive(Deserialize)]
        struct FormatOnly {
            format: u32,
        }
        let unknown = |error: serde_json::Error| CommandProblem::Unknown(error.to_string());
        // Not by way of a generic value: the body may be large.
        match serde_json::from_slice::<Envelope<Command>>(bytes) {
            Ok(envelope) if (1..=COMMAND_FORMAT).contains(&envelope.format) => Ok(envelope.command),
            Ok(envelope) => Err(CommandProblem::NewerFormat { found: envelope.format }),
            Err(error) => match serde_json::from_slice::<FormatOnly>(bytes) {
                Ok(FormatOnly { format: found }) if found > COMMAND_FORMAT => {
                    Err(CommandProblem::NewerFormat { found })
                }
                _ => Err(unknown(error)),
            },
        }
    }
}
