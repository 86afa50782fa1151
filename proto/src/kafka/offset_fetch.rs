//! How far a group has read: one group before version 8, any number from then on.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Groups and partitions to look up.
    pub struct OffsetFetchRequest {
        /// The group.
        group_id: String [1-7, else refuse],
        /// The partitions; null is all that have an offset.
        topics: Option<Vec<OffsetFetchRequestTopic>> [1-7, nullable 2+, else refuse],
        /// The groups.
        groups: Vec<OffsetFetchRequestGroup> [8+, else refuse],
        /// Whether offsets of undecided transactions are an error.
        require_stable: bool [7+, else refuse],
    }

    /// Partitions of one topic.
    pub struct OffsetFetchRequestTopic {
        /// Its name.
        name: String,
        /// The partitions' numbers.
        partition_indexes: Vec<i32>,
    }

    /// One group to look up.
    pub struct OffsetFetchRequestGroup {
        /// The group.
        group_id: String,
        /// The partitions; null is all that have an offset.
        topics: Option<Vec<OffsetFetchRequestTopics>>,
    }

    /// Partitions of one topic.
    pub struct OffsetFetchRequestTopics {
        /// Its name.
        name: String,
        /// The partitions' numbers.
        partition_indexes: Vec<i32>,
    }

    /// Stored offsets.
    pub struct OffsetFetchResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [3+],
        /// The topics.
        topics: Vec<OffsetFetchResponseTopic> [1-7, else refuse],
        /// What went wrong, if anything.
        error_code: ErrorCode [2-7],
        /// The groups.
        groups: Vec<OffsetFetchResponseGroup> [8+, else refuse],
    }

    /// Offsets in one topic.
    pub struct OffsetFetchResponseTopic {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartition>,
    }

    /// The offset in one partition.
    pub struct OffsetFetchResponsePartition {
        /// The partition's number.
        partition_index: i32,
        /// The offset of the next record to read; -1 is none.
        committed_offset: i64,
        /// The epoch of the last record that was read; -1 is none.
        committed_leader_epoch: i32 [5+] = -1,
        /// What was stored beside the offset.
        metadata: Option<String>,
        /// What went wrong, if anything.
        error_code: ErrorCode,
    }

    /// Offsets of one group.
    pub struct OffsetFetchResponseGroup {
        /// The group.
        group_id: String,
        /// The topics.
        topics: Vec<OffsetFetchResponseTopics>,
        /// What went wrong, if anything.
        error_code: ErrorCode,
    }

    /// Offsets in one topic.
    pub struct OffsetFetchResponseTopics {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartitions>,
    }

    /// The offset in one partition.
    pub struct OffsetFetchResponsePartitions {
        /// The partition's number.
        partition_index: i32,
        /// The offset of the next record to read; -1 is none.
        committed_offset: i64,
        /// The epoch of the last record that was read; -1 is none.
        committed_leader_epoch: i32 = -1,
        /// What was stored beside the offset.
        metadata: Option<String>,
        /// What went wrong, if anything.
        error_code: ErrorCode,
    }
}
