//! Deletes topics.

use super::{error_code::ErrorCode, table::message};
use uuid::Uuid;

message! {
    /// Topics to delete.
    pub struct DeleteTopicsRequest {
        /// The topics.
        topics: Vec<DeleteTopicState> [6+, else refuse],
        /// The topics, by name.
        topic_names: Vec<String> [1-5, else refuse],
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32,
    }

    /// A topic, by name or by id.
    pub struct DeleteTopicState {
        /// The topic's name; null when the id is given.
        name: Option<String>,
        /// The topic's id; zero when the topic is named.
        topic_id: Uuid,
    }

    /// What became of each topic.
    pub struct DeleteTopicsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// The topics.
        responses: Vec<DeletableTopicResult>,
    }

    /// What became of one topic.
    pub struct DeletableTopicResult {
        /// Its name.
        name: Option<String> [1+, nullable 6+],
        /// The topic's id; zero when the topic is named.
        topic_id: Uuid [6+],
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// What went wrong, for people.
        error_message: Option<String> [5+],
    }
}
