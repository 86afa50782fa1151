//! The records that the cluster agrees on, as they stand in commands' results and in snapshots. Every field that
//! replication needs is here from the first version on, also those that a single broker never changes.

use super::BrokerSet;
use crate::ids::{
    BrokerEpoch, BrokerId, DirectoryId, IncarnationId, LeaderEpoch, LogId, MetadataIndex, PartitionEpoch,
    PartitionIndex, TopicId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which offset of a replica counts towards the high watermark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// What is synced.
    #[default]
    Fsync,
    /// What is written; a power cut may take an acknowledged tail.
    Async,
}

/// Where a broker is reached, each `HOST:PORT` as told to others; absent where it does not listen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoints {
    /// Native clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<String>,
    /// Kafka clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka: Option<String>,
    /// Other brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal: Option<String>,
}

/// A broker as it registered last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerRecord {
    /// Index of the registration: one per process life.
    pub epoch: BrokerEpoch,
    /// Which process life; a retried registration carries the same.
    pub incarnation: IncarnationId,
    /// Where it is reached.
    pub endpoints: Endpoints,
    /// Where it stands, for placement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// A fenced broker leads nothing and is in no ISR.
    pub fenced: bool,
    /// It is handing over and will go.
    pub shutting_down: bool,
    /// Its data directories.
    pub directories: Vec<DirectoryId>,
    /// The epoch that its disks are known to carry: that of the registration which was last unfenced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_epoch: Option<BrokerEpoch>,
    /// The boot of the kernel it registered under, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Logs with a smaller number that are assigned to it were durably created on its disks: one that is missing there
    /// was lost and must not begin anew.
    pub logs_created_below: LogId,
}

impl BrokerRecord {
    /// Whether it may lead and stand in an ISR.
    pub fn is_live(&self) -> bool {
        !self.fenced && !self.shutting_down
    }
}

/// Why acknowledged records may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// The kernel went down under a partition with `durability=async`.
    UncleanShutdown,
    /// Recovery found damage that may have taken records which were synced.
    DamagedLog,
    /// A data directory is missing, or is an older state of itself.
    LostDirectory,
}

/// A leader was elected that may lack acknowledged records. Never removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossEvent {
    /// The leader epoch that began with it.
    pub leader_epoch: LeaderEpoch,
    /// The command that elected.
    pub index: MetadataIndex,
    /// The elected replica.
    pub replica: BrokerId,
    /// Why records may be missing.
    pub cause: LossCause,
}

/// Whether the partition's next leader may lack records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryState {
    /// Nothing is known to be missing.
    #[default]
    Recovered,
    /// Every complete replica was dropped as unclean: an election from here is a loss event.
    Suspect(LossCause),
}

/// A partition, as the replication rules name its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionRecord {
    /// Its log in every replica's storage; never used again.
    pub log: LogId,
    /// Assigned brokers, the preferred leader first.
    pub replicas: BrokerSet,
    /// Of a reassignment: to be added.
    #[serde(default, skip_serializing_if = "BrokerSet::is_empty")]
    pub adding: BrokerSet,
    /// Of a reassignment: to be removed.
    #[serde(default, skip_serializing_if = "BrokerSet::is_empty")]
    pub removing: BrokerSet,
    /// In-sync replicas.
    #[serde(default, skip_serializing_if = "BrokerSet::is_empty")]
    pub isr: BrokerSet,
    /// Left the ISR while it was below the minimum: still complete.
    #[serde(default, skip_serializing_if = "BrokerSet::is_empty")]
    pub elr: BrokerSet,
    /// Dropped as unclean since the ISR last had its minimum.
    #[serde(default, skip_serializing_if = "BrokerSet::is_empty")]
    pub last_elr: BrokerSet,
    /// Reported damage or an offline directory.
    #[serde(default, skip_serializing_if = "BrokerSet::is_empty")]
    pub unfit: BrokerSet,
    /// Who led last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_known_leader: Option<BrokerId>,
    /// Who leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<BrokerId>,
    /// +1 with every change of leader.
    pub leader_epoch: LeaderEpoch,
    /// +1 with every change of this record.
    pub partition_epoch: PartitionEpoch,
    /// Effective: min(configured, replication factor).
    pub min_isr: u32,
    /// Which offset counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub durability: Durability,
    /// `durability` was switched to fsync, and the leader has not yet confirmed that everything before is synced: async
    /// rules still decide who is clean.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fsync_unconfirmed: bool,
    /// Whether the next election is a loss event.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recovery_state: RecoveryState,
    /// Every election that may have lost records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loss_events: Vec<LossEvent>,
}

impl PartitionRecord {
    /// The mode whose rules decide whether a replica that stopped uncleanly is still complete.
    pub fn election_durability(&self) -> Durability {
        if self.fsync_unconfirmed { Durability::Async } else { self.durability }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its identity: a re-created topic has another one.
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// The broker's own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub internal: bool,
    /// Replicas of each new partition.
    pub replication_factor: u32,
    /// What was set, by name; the rest are defaults ([`TopicConfig::parse`](super::TopicConfig::parse)).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, String>,
    /// By partition number.
    pub partitions: Vec<PartitionRecord>,
}

impl Topic {
    /// One partition.
    pub fn partition(&self, index: PartitionIndex) -> Option<&PartitionRecord> {
        self.partitions.get(usize::try_from(index.get()).ok()?)
    }

    /// Partitions with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (PartitionIndex, &PartitionRecord)> {
        (0..).map(PartitionIndex).zip(&self.partitions)
    }
}

/// A deleted topic whose logs are not yet removed everywhere: the recorded cause that a broker deletes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletedTopic {
    /// What it was.
    pub id: TopicId,
    /// What it was called.
    pub name: String,
    /// The command that deleted it.
    pub index: MetadataIndex,
    /// Its logs.
    pub logs: Vec<LogId>,
    /// Brokers that have not yet confirmed the removal.
    pub remaining: BrokerSet,
}
