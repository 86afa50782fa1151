//! A group stores how far it has read.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Offsets to store.
    pub struct OffsetCommitRequest {
        /// The group.
        group_id: String,
        /// The generation; -1 when no member commits.
        generation_id_or_member_epoch: i32 = -1,
        /// The member; empty before it has an id.
        member_id: String,
        /// The static member's own name; null for all others.
        group_instance_id: Option<String> [7+, else refuse],
        /// How long to keep the offsets, in milliseconds; -1 is the broker's default.
        retention_time_ms: i64 [2-4] = -1,
        /// The topics.
        topics: Vec<OffsetCommitRequestTopic>,
    }

    /// Offsets in one topic.
    pub struct OffsetCommitRequestTopic {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<OffsetCommitRequestPartition>,
    }

    /// The offset in one partition.
    pub struct OffsetCommitRequestPartition {
        /// The partition's number.
        partition_index: i32,
        /// The offset of the next record to read.
        committed_offset: i64,
        /// The epoch of the last record that was read; -1 is none.
        committed_leader_epoch: i32 [6+] = -1,
        /// What to store beside the offset.
        committed_metadata: Option<String>,
    }

    /// What became of each.
    pub struct OffsetCommitResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32 [3+],
        /// The topics.
        topics: Vec<OffsetCommitResponseTopic>,
    }

    /// Results of one topic.
    pub struct OffsetCommitResponseTopic {
        /// Its name.
        name: String,
        /// The partitions.
        partitions: Vec<OffsetCommitResponsePartition>,
    }

    /// Result of one partition.
    pub struct OffsetCommitResponsePartition {
        /// The partition's number.
        partition_index: i32,
        /// What went wrong, if anything.
        error_code: ErrorCode,
    }
}
