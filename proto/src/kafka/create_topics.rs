//! Creates topics.

use super::{error_code::ErrorCode, table::message};
use uuid::Uuid;

message! {
    /// Topics to create.
    pub struct CreateTopicsRequest {
        /// The topics.
        topics: Vec<CreatableTopic>,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32 = 60000,
        /// Whether to say only what would happen.
        validate_only: bool,
    }

    /// One topic to create.
    pub struct CreatableTopic {
        /// Its name.
        name: String,
        /// How many; -1 is the broker's default.
        num_partitions: i32,
        /// How many brokers have each; -1 is the broker's default.
        replication_factor: i16,
        /// Where the partitions are to stand, if the client decides.
        assignments: Vec<CreatableReplicaAssignment>,
        /// The configs.
        configs: Vec<CreatableTopicConfig>,
    }

    /// The brokers one partition is to stand on.
    pub struct CreatableReplicaAssignment {
        /// The partition's number.
        partition_index: i32,
        /// The brokers, the preferred leader first.
        broker_ids: Vec<i32>,
    }

    /// A config of the topic.
    pub struct CreatableTopicConfig {
        /// Its name.
        name: String,
        /// Its value.
        value: Option<String>,
    }

    /// What became of each topic.
    pub struct CreateTopicsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// The topics.
        topics: Vec<CreatableTopicResult>,
    }

    /// What became of one topic.
    pub struct CreatableTopicResult {
        /// Its name.
        name: String,
        /// The topic's id; zero when the topic is named.
        topic_id: Uuid [7+],
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// What went wrong, for people.
        error_message: Option<String>,
        /// Why the configs are missing, if they are.
        topic_config_error_code: ErrorCode [5+, tag 0],
        /// How many; -1 is the broker's default.
        num_partitions: i32 [5+] = -1,
        /// How many brokers have each; -1 is the broker's default.
        replication_factor: i16 [5+] = -1,
        /// The configs.
        configs: Option<Vec<CreatableTopicConfigs>> [5+],
    }

    /// A config that the topic now has.
    pub struct CreatableTopicConfigs {
        /// Its name.
        name: String,
        /// Its value.
        value: Option<String>,
        /// Whether it cannot be changed.
        read_only: bool,
        /// Where the value comes from, by number.
        config_source: i8 = -1,
        /// Whether the value is kept secret, and null here.
        is_sensitive: bool,
    }
}
