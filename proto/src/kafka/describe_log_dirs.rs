//! How much the replicas of a broker hold in which directory.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Partitions to describe.
    pub struct DescribeLogDirsRequest {
        /// The partitions; null is all.
        topics: Option<Vec<DescribableLogDirTopic>>,
    }

    /// Partitions of one topic.
    pub struct DescribableLogDirTopic {
        /// Name of the topic.
        topic: String,
        /// The partitions.
        partitions: Vec<i32>,
    }

    /// The directories.
    pub struct DescribeLogDirsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode [3+],
        /// One for each.
        results: Vec<DescribeLogDirsResult>,
    }

    /// One directory.
    pub struct DescribeLogDirsResult {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The directory.
        log_dir: String,
        /// The topics.
        topics: Vec<DescribeLogDirsTopic>,
        /// Size of the volume; -1 is unknown.
        total_bytes: i64 [4+] = -1,
        /// Free on the volume; -1 is unknown.
        usable_bytes: i64 [4+] = -1,
    }

    /// Replicas of one topic.
    pub struct DescribeLogDirsTopic {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<DescribeLogDirsPartition>,
    }

    /// One replica.
    pub struct DescribeLogDirsPartition {
        /// The partition's number.
        partition_index: i32,
        /// Bytes of the replica's segments.
        partition_size: i64,
        /// How far it is behind the leader, or behind the replica it is to replace.
        offset_lag: i64,
        /// Whether it is a copy that is to replace another.
        is_future_key: bool,
    }
}
