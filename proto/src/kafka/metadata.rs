//! Brokers, topics and the leaders of their partitions.

use super::{error_code::ErrorCode, table::message};
use uuid::Uuid;

message! {
    /// Asks for the brokers and for some or all topics.
    pub struct MetadataRequest {
        /// The topics asked for; null is all. In version 0 no topic at all is all.
        topics: Option<Vec<MetadataRequestTopic>> [0+, nullable 1+],
        /// Whether an unknown topic may be created, if the broker does that.
        allow_auto_topic_creation: bool [4+, else refuse] = true,
        /// Whether to say what the client may do with the cluster.
        include_cluster_authorized_operations: bool [8-10],
        /// Whether to say what the client may do with each topic.
        include_topic_authorized_operations: bool [8+],
    }

    /// A topic, by name or by id.
    pub struct MetadataRequestTopic {
        /// The topic's id; zero when the topic is named.
        topic_id: Uuid [10+],
        /// The topic's name; null when the id is given.
        name: Option<String> [0+, nullable 10+],
    }

    /// The cluster as the answering broker sees it.
    pub struct MetadataResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [3+],
        /// The live brokers.
        brokers: Vec<MetadataResponseBroker>,
        /// The cluster's id.
        cluster_id: Option<String> [2+],
        /// The broker to send administrative requests to; -1 is none.
        controller_id: i32 [1+] = -1,
        /// The topics.
        topics: Vec<MetadataResponseTopic>,
        /// Bits of what the client may do; the lowest number there is when it did not ask.
        cluster_authorized_operations: i32 [8-10] = i32::MIN,
    }

    /// A live broker.
    pub struct MetadataResponseBroker {
        /// The broker's id.
        node_id: i32,
        /// Where it listens.
        host: String,
        /// Where it listens.
        port: i32,
        /// Its rack, if it has one.
        rack: Option<String> [1+],
    }

    /// A topic, or why it cannot be described.
    pub struct MetadataResponseTopic {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// Its name.
        name: Option<String> [0+, nullable 12+],
        /// The topic's id; zero when the topic is named.
        topic_id: Uuid [10+],
        /// Whether clients should leave it alone.
        is_internal: bool [1+],
        /// The partitions.
        partitions: Vec<MetadataResponsePartition>,
        /// Bits of what the client may do; the lowest number there is when it did not ask.
        topic_authorized_operations: i32 [8+] = i32::MIN,
    }

    /// A partition and where its replicas are.
    pub struct MetadataResponsePartition {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The partition's number.
        partition_index: i32,
        /// The leader; -1 is none.
        leader_id: i32,
        /// The leader's epoch; -1 is unknown.
        leader_epoch: i32 [7+] = -1,
        /// The brokers it stands on.
        replica_nodes: Vec<i32>,
        /// The brokers that have all acknowledged records.
        isr_nodes: Vec<i32>,
        /// The brokers it stands on that are down.
        offline_replicas: Vec<i32> [5+],
    }
}
