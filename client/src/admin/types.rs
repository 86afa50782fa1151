//! What administration asks and is told: plain values, free of the protocol's.

use std::collections::BTreeMap;

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing happens before create_topic"]
pub struct NewTopic {
    pub(super) name: String,
    pub(super) partitions: Option<u32>,
    pub(super) replication_factor: Option<u32>,
    pub(super) configs: BTreeMap<String, String>,
    pub(super) validate_only: bool,
}

impl NewTopic {
    /// A topic of this name with the broker's defaults.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            replication_factor: None,
            configs: BTreeMap::new(),
            validate_only: false,
        }
    }

    /// How many partitions.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// How many replicas of each.
    pub fn replication_factor(mut self, replication_factor: u32) -> Self {
        self.replication_factor = Some(replication_factor);
        self
    }

    /// One configuration entry, by Kafka's names, such as `retention.ms`.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(name.into(), value.into());
        self
    }

    /// Only says whether it could be created.
    pub fn validate_only(mut self) -> Self {
        self.validate_only = true;
        self
    }
}

/// What was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// The topic's id in hexadecimal with hyphens.
    pub topic_id: String,
    /// How many partitions.
    pub partitions: u32,
    /// How many replicas of each.
    pub replication_factor: u32,
}

/// A change of a topic: all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing happens before alter_topic"]
pub struct TopicAlteration {
    pub(super) name: String,
    pub(super) partitions: Option<u32>,
    pub(super) set: BTreeMap<String, String>,
    pub(super) reset: Vec<String>,
}

impl TopicAlteration {
    /// No change yet of this topic.
    pub fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: None, set: BTreeMap::new(), reset: Vec::new() }
    }

    /// The new total of partitions. Keys may then belong to other partitions than before.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Sets one configuration entry.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set.insert(name.into(), value.into());
        self
    }

    /// Sets one configuration entry back to its default.
    pub fn reset_config(mut self, name: impl Into<String>) -> Self {
        self.reset.push(name.into());
        self
    }
}

/// One line about a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSummary {
    /// The name.
    pub name: String,
    /// The id in hexadecimal with hyphens.
    pub topic_id: String,
    /// How many partitions.
    pub partitions: u32,
    /// How many replicas of each.
    pub replication_factor: u32,
    /// Whether it belongs to the broker itself.
    pub internal: bool,
}

/// Where a configuration value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Built in.
    Default,
    /// The broker's configuration.
    Broker,
    /// Set for this topic.
    Topic,
}

/// One configuration entry of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Kafka's name for it.
    pub name: String,
    /// The value in effect.
    pub value: String,
    /// The built-in value.
    pub default_value: String,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// What it does, its unit and range.
    pub documentation: String,
}

/// One partition of a described topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// The partition.
    pub partition: u32,
    /// The leader, if there is one.
    pub leader: Option<u32>,
    /// Rises with every change of leader.
    pub leader_epoch: i32,
    /// Rises with every change of the partition.
    pub partition_epoch: i32,
    /// Brokers that hold it.
    pub replicas: Vec<u32>,
    /// In-sync ones of these.
    pub isr: Vec<u32>,
    /// Eligible leaders beyond the in-sync ones.
    pub elr: Vec<u32>,
    /// The oldest offset, if the broker that was asked knows it.
    pub log_start_offset: Option<i64>,
    /// The end of what consumers see, if known.
    pub high_watermark: Option<i64>,
    /// The end of the log, if known.
    pub log_end_offset: Option<i64>,
    /// Bytes of its log.
    pub size_bytes: u64,
    /// Why it is degraded and what to do; empty when healthy.
    pub problems: Vec<String>,
}

/// Everything about a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Name, id, counts.
    pub summary: TopicSummary,
    /// Configuration by name.
    pub configs: Vec<ConfigEntry>,
    /// Partitions by number.
    pub partitions: Vec<PartitionDescription>,
}

/// Which offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetAt {
    /// Of the oldest record.
    Earliest,
    /// Behind the newest record that consumers see.
    Latest,
    /// Of the first record with this timestamp or a later one, in ms since the epoch.
    Timestamp(i64),
    /// Of the record with the greatest timestamp.
    MaxTimestamp,
}

/// An offset that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffset {
    /// The partition.
    pub partition: u32,
    /// The offset; `None` where no record matches.
    pub offset: Option<i64>,
    /// The record's timestamp, where known, in ms since the epoch.
    pub timestamp_ms: Option<i64>,
}

/// How the cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterStatus {
    /// The cluster's id.
    pub cluster_id: String,
    /// The controller, if there is one.
    pub controller: Option<u32>,
    /// Rises with every change of the metadata.
    pub metadata_index: u64,
    /// The brokers by id.
    pub brokers: Vec<BrokerStatus>,
    /// How many topics.
    pub topics: u64,
    /// How many partitions.
    pub partitions: u64,
    /// How many of these have no leader.
    pub partitions_without_leader: u64,
    /// How many of these have fewer in-sync replicas than `min.insync.replicas`.
    pub partitions_under_min_isr: u64,
    /// What is wrong and what to do; empty when healthy.
    pub problems: Vec<String>,
}

/// How one broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerStatus {
    /// Its id.
    pub broker_id: u32,
    /// Rises with every start.
    pub broker_epoch: u64,
    /// Where clients of the native protocol reach it.
    pub grpc_address: String,
    /// Where Kafka clients reach it; empty if nowhere.
    pub kafka_address: String,
    /// Whether the controller takes it for dead.
    pub fenced: bool,
    /// Whether it is about to leave.
    pub shutting_down: bool,
    /// Its version.
    pub version: String,
    /// Since its start, in ms.
    pub uptime_ms: u64,
    /// Its data directories.
    pub directories: Vec<DirectoryStatus>,
}

/// How one data directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStatus {
    /// Its id.
    pub directory_id: String,
    /// Where it is on the broker's machine.
    pub path: String,
    /// Whether it is in use.
    pub healthy: bool,
    /// Why not.
    pub problem: String,
    /// Bytes free on its disk.
    pub free_bytes: u64,
    /// Bytes of its logs.
    pub log_bytes: u64,
}
