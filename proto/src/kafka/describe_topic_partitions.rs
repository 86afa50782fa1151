//! Topics and their partitions, a page at a time.

use super::{error_code::ErrorCode, primitives::nullable_struct, table::message};
use uuid::Uuid;

message! {
    /// Topics to describe, and where the page begins.
    pub struct DescribeTopicPartitionsRequest {
        /// The topics.
        topics: Vec<TopicRequest>,
        /// The most partitions to answer with.
        response_partition_limit: i32 = 2000,
        /// Where the page begins; null is at the front.
        cursor: Option<Cursor>,
    }

    /// One topic.
    pub struct TopicRequest {
        /// Its name.
        name: String,
    }

    /// Where a page begins.
    pub struct Cursor {
        /// The topic.
        topic_name: String,
        /// The partition's number.
        partition_index: i32,
    }

    /// A page.
    pub struct DescribeTopicPartitionsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<DescribeTopicPartitionsResponseTopic>,
        /// Where the next page begins; null is that there is none.
        next_cursor: Option<Cursor>,
    }

    /// A topic, or why it cannot be described.
    pub struct DescribeTopicPartitionsResponseTopic {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// Its name.
        name: Option<String>,
        /// The topic's id; zero when the topic is named.
        topic_id: Uuid,
        /// Whether clients should leave it alone.
        is_internal: bool,
        /// The partitions.
        partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        /// Bits of what the client may do; the lowest number there is when it did not ask.
        topic_authorized_operations: i32 = i32::MIN,
    }

    /// A partition and where its replicas are.
    pub struct DescribeTopicPartitionsResponsePartition {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The partition's number.
        partition_index: i32,
        /// The leader; -1 is none.
        leader_id: i32,
        /// The leader's epoch; -1 is unknown.
        leader_epoch: i32 = -1,
        /// The brokers it stands on.
        replica_nodes: Vec<i32>,
        /// The brokers that have all acknowledged records.
        isr_nodes: Vec<i32>,
        /// Brokers outside the in-sync set that may lead without loss; null is unknown.
        eligible_leader_replicas: Option<Vec<i32>>,
        /// The last eligible ones; null is unknown.
        last_known_elr: Option<Vec<i32>>,
        /// The brokers it stands on that are down.
        offline_replicas: Vec<i32>,
    }
}

nullable_struct!(Cursor);
