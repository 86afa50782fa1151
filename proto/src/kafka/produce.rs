//! Appends record batches to partitions. With `acks` 0 there is no answer.

use super::{
    error_code::ErrorCode,
    leader::{LeaderIdAndEpoch, NodeEndpoint},
    table::message,
};
use bytes::Bytes;

message! {
    /// Batches to append.
    pub struct ProduceRequest {
        /// The producer's name across restarts; null without transactions.
        transactional_id: Option<String>,
        /// Who must have the records before the answer: 0 nobody (there is no answer), 1 the leader, -1 the
        /// in-sync replicas.
        acks: i16,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32,
        /// The topics.
        topic_data: Vec<TopicProduceData>,
    }

    /// Batches for one topic.
    pub struct TopicProduceData {
        /// Its name.
        name: String,
        /// The partitions.
        partition_data: Vec<PartitionProduceData>,
    }

    /// Batches for one partition.
    pub struct PartitionProduceData {
        /// The partition's number.
        index: i32,
        /// Record batches as they are, one behind the other.
        records: Option<Bytes>,
    }

    /// Where the batches went.
    pub struct ProduceResponse {
        /// The topics.
        responses: Vec<TopicProduceResponse>,
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// Where the leaders named in here listen.
        node_endpoints: Vec<NodeEndpoint> [10+, tag 0],
    }

    /// Results of one topic.
    pub struct TopicProduceResponse {
        /// Its name.
        name: String,
        /// The partitions.
        partition_responses: Vec<PartitionProduceResponse>,
    }

    /// Result of one partition.
    pub struct PartitionProduceResponse {
        /// The partition's number.
        index: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// Offset of the first record.
        base_offset: i64,
        /// The time of appending, where the topic is configured to have it, in milliseconds since 1970;
        /// otherwise -1.
        log_append_time_ms: i64 = -1,
        /// The first offset there is; -1 is unknown.
        log_start_offset: i64 [5+] = -1,
        /// The records that are to blame.
        record_errors: Vec<BatchIndexAndErrorMessage> [8+],
        /// What went wrong, for people.
        error_message: Option<String> [8+],
        /// The leader, if the asked broker is not.
        current_leader: LeaderIdAndEpoch [10+, tag 0],
    }

    /// A record that was refused, and with it its batch.
    pub struct BatchIndexAndErrorMessage {
        /// Which record of the batch, from 0.
        batch_index: i32,
        /// What is wrong with it, for people.
        batch_index_error_message: Option<String>,
    }
}
