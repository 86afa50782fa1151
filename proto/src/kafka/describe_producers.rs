//! The producers that a partition remembers.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Partitions to describe.
    pub struct DescribeProducersRequest {
        /// The topics.
        topics: Vec<TopicRequest>,
    }

    /// Partitions of one topic.
    pub struct TopicRequest {
        /// Its name.
        name: String,
        /// The partitions' numbers.
        partition_indexes: Vec<i32>,
    }

    /// Producers of the partitions.
    pub struct DescribeProducersResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<TopicResponse>,
    }

    /// Results of one topic.
    pub struct TopicResponse {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<PartitionResponse>,
    }

    /// Producers of one partition.
    pub struct PartitionResponse {
        /// The partition's number.
        partition_index: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// What went wrong, for people.
        error_message: Option<String>,
        /// The producers.
        active_producers: Vec<ProducerState>,
    }

    /// One producer.
    pub struct ProducerState {
        /// The producer; -1 is none.
        producer_id: i64,
        /// The producer's epoch; -1 is none.
        producer_epoch: i32,
        /// The last sequence number; -1 is none.
        last_sequence: i32 = -1,
        /// The time of the last batch, in milliseconds since 1970; -1 is none.
        last_timestamp: i64 = -1,
        /// The epoch of the last transaction marker's coordinator.
        coordinator_epoch: i32,
        /// Where the open transaction begins; -1 is none.
        current_txn_start_offset: i64 = -1,
    }
}
