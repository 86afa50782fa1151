//! From the protocol's messages to values of the library: absent numbers become `None`.

use super::{
    BrokerStatus, ClusterStatus, ConfigEntry, ConfigSource, DirectoryStatus, PartitionDescription,
    TopicSummary,
};
use cairn_proto::v1;

pub(super) fn topic_id(bytes: &[u8]) -> String {
    uuid::Uuid::from_slice(bytes).map(|id| id.to_string()).unwrap_or_default()
}

pub(super) fn summary(topic: v1::TopicSummary) -> TopicSummary {
    TopicSummary {
        name: topic.name,
        topic_id: topic_id(&topic.topic_id),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        internal: topic.internal,
    }
}

pub(super) fn config(entry: v1::ConfigEntry) -> ConfigEntry {
    let source = match entry.source() {
        v1::ConfigSource::Default => ConfigSource::Default,
        v1::ConfigSource::Broker => ConfigSource::Broker,
        v1::ConfigSource::Topic => ConfigSource::Topic,
    };
    ConfigEntry {
        name: entry.name,
        value: entry.value,
        default_value: entry.default_value,
        source,
        documentation: entry.documentation,
    }
}

pub(super) fn known(offset: i64) -> Option<i64> {
    (offset >= 0).then_some(offset)
}

pub(super) fn partition(partition: v1::PartitionDescription) -> PartitionDescription {
    PartitionDescription {
        partition: partition.partition,
        leader: u32::try_from(partition.leader).ok(),
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        replicas: partition.replicas,
        isr: partition.isr,
        elr: partition.elr,
        log_start_offset: known(partition.log_start_offset),
        high_watermark: known(partition.high_watermark),
        log_end_offset: known(partition.log_end_offset),
        size_bytes: partition.size_bytes,
        problems: partition.problems,
    }
}

pub(super) fn cluster(status: v1::StatusResponse) -> ClusterStatus {
    ClusterStatus {
        cluster_id: status.cluster_id,
        controller: u32::try_from(status.controller).ok(),
        metadata_index: status.metadata_index,
        brokers: status.brokers.into_iter().map(broker).collect(),
        topics: status.topics,
        partitions: status.partitions,
        partitions_without_leader: status.partitions_without_leader,
        partitions_under_min_isr: status.partitions_under_min_isr,
        problems: status.problems,
    }
}

fn broker(broker: v1::BrokerStatus) -> BrokerStatus {
    BrokerStatus {
        broker_id: broker.broker_id,
        broker_epoch: broker.broker_epoch,
        grpc_address: broker.grpc_address,
        kafka_address: broker.kafka_address,
        fenced: broker.fenced,
        shutting_down: broker.shutting_down,
        version: broker.version,
        uptime_ms: broker.uptime_ms,
        directories: broker.directories.into_iter().map(directory).collect(),
    }
}

fn directory(directory: v1::DirectoryStatus) -> DirectoryStatus {
    DirectoryStatus {
        directory_id: directory.directory_id,
        path: directory.path,
        healthy: directory.healthy,
        problem: directory.problem,
        free_bytes: directory.free_bytes,
        log_bytes: directory.log_bytes,
    }
}
