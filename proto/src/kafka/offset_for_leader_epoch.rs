//! Where a leader epoch ends, so that a consumer sees whether what it read was cut off.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Epochs to look up.
    pub struct OffsetForLeaderEpochRequest {
        /// The broker that asks; -1 is a consumer, -2 a client that does not say.
        replica_id: i32 [3+] = -2,
        /// The topics.
        topics: Vec<OffsetForLeaderTopic>,
    }

    /// Partitions of one topic.
    pub struct OffsetForLeaderTopic {
        /// Name of the topic.
        topic: String,
        /// The partitions.
        partitions: Vec<OffsetForLeaderPartition>,
    }

    /// An epoch to look up in one partition.
    pub struct OffsetForLeaderPartition {
        /// The partition's number.
        partition: i32,
        /// The leader epoch that the client knows; -1 is none.
        current_leader_epoch: i32 = -1,
        /// The epoch looked for.
        leader_epoch: i32,
    }

    /// Ends of epochs.
    pub struct OffsetForLeaderEpochResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<OffsetForLeaderTopicResult>,
    }

    /// Results of one topic.
    pub struct OffsetForLeaderTopicResult {
        /// Name of the topic.
        topic: String,
        /// The partitions.
        partitions: Vec<EpochEndOffset>,
    }

    /// Result of one partition.
    pub struct EpochEndOffset {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// The partition's number.
        partition: i32,
        /// The leader's epoch; -1 is unknown.
        leader_epoch: i32 = -1,
        /// The offset behind the epoch's last record; -1 is none.
        end_offset: i64 = -1,
    }
}
