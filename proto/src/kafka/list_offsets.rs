//! Finds offsets by time, and the ends of partitions.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Times to look up.
    pub struct ListOffsetsRequest {
        /// The broker that reads; -1 is a consumer.
        replica_id: i32,
        /// 0 reads everything, 1 committed records only.
        isolation_level: i8 [2+, else refuse],
        /// The topics.
        topics: Vec<ListOffsetsTopic>,
    }

    /// Partitions of one topic.
    pub struct ListOffsetsTopic {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<ListOffsetsPartition>,
    }

    /// A time to look up in one partition.
    pub struct ListOffsetsPartition {
        /// The partition's number.
        partition_index: i32,
        /// The leader epoch that the client knows; -1 is none.
        current_leader_epoch: i32 [4+] = -1,
        /// The time looked for, in milliseconds since 1970; -1 the end, -2 the beginning, -3 the record with
        /// the greatest time.
        timestamp: i64,
    }

    /// Offsets found.
    pub struct ListOffsetsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [2+],
        /// The topics.
        topics: Vec<ListOffsetsTopicResponse>,
    }

    /// Results of one topic.
    pub struct ListOffsetsTopicResponse {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<ListOffsetsPartitionResponse>,
    }

    /// Result of one partition.
    pub struct ListOffsetsPartitionResponse {
        /// The partition's number.
        partition_index: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The time of the record found; -1 is none.
        timestamp: i64 = -1,
        /// The offset found; -1 is none.
        offset: i64 = -1,
        /// The leader's epoch; -1 is unknown.
        leader_epoch: i32 [4+] = -1,
    }
}
