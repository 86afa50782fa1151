//! Deletes stored offsets of topics that the group no longer reads.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Offsets to delete.
    pub struct OffsetDeleteRequest {
        /// The group.
        group_id: String,
        /// The topics.
        topics: Vec<OffsetDeleteRequestTopic>,
    }

    /// Offsets in one topic.
    pub struct OffsetDeleteRequestTopic {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<OffsetDeleteRequestPartition>,
    }

    /// One partition.
    pub struct OffsetDeleteRequestPartition {
        /// The partition's number.
        partition_index: i32,
    }

    /// What became of each.
    pub struct OffsetDeleteResponse {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<OffsetDeleteResponseTopic>,
    }

    /// Results of one topic.
    pub struct OffsetDeleteResponseTopic {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<OffsetDeleteResponsePartition>,
    }

    /// Result of one partition.
    pub struct OffsetDeleteResponsePartition {
        /// The partition's number.
        partition_index: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode,
    }
}
