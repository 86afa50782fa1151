//! Deletes records before an offset.

use super::{error_code::ErrorCode, table::message};

message! {
    /// How much to delete.
    pub struct DeleteRecordsRequest {
        /// The topics.
        topics: Vec<DeleteRecordsTopic>,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32,
    }

    /// Partitions of one topic.
    pub struct DeleteRecordsTopic {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<DeleteRecordsPartition>,
    }

    /// How much to delete in one partition.
    pub struct DeleteRecordsPartition {
        /// The partition's number.
        partition_index: i32,
        /// The first offset to keep; -1 is the high watermark.
        offset: i64,
    }

    /// Where the partitions begin now.
    pub struct DeleteRecordsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<DeleteRecordsTopicResult>,
    }

    /// Results of one topic.
    pub struct DeleteRecordsTopicResult {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<DeleteRecordsPartitionResult>,
    }

    /// Result of one partition.
    pub struct DeleteRecordsPartitionResult {
        /// The partition's number.
        partition_index: i32,
        /// The first offset there is now.
        low_watermark: i64,
        /// What went wrong, if anything.
        error_code: ErrorCode,
    }
}
