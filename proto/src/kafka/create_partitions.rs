//! Adds partitions to topics.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Topics and how many partitions they are to have.
    pub struct CreatePartitionsRequest {
        /// The topics.
        topics: Vec<CreatePartitionsTopic>,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32,
        /// Whether to say only what would happen.
        validate_only: bool,
    }

    /// One topic.
    pub struct CreatePartitionsTopic {
        /// Its name.
        name: String,
        /// How many there are to be in all.
        count: i32,
        /// Where the new ones are to stand; null lets the broker decide.
        assignments: Option<Vec<CreatePartitionsAssignment>>,
    }

    /// The brokers one new partition is to stand on.
    pub struct CreatePartitionsAssignment {
        /// The brokers, the preferred leader first.
        broker_ids: Vec<i32>,
    }

    /// What became of each topic.
    pub struct CreatePartitionsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// One for each.
        results: Vec<CreatePartitionsTopicResult>,
    }

    /// What became of one topic.
    pub struct CreatePartitionsTopicResult {
        /// Its name.
        name: String,
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// What went wrong, for people.
        error_message: Option<String>,
    }
}
