//! Replaces all configs of topics and brokers: what is not named goes back to its default.

use super::{error_code::ErrorCode, table::message};

message! {
    /// New configs.
    pub struct AlterConfigsRequest {
        /// The topics and brokers.
        resources: Vec<AlterConfigsResource>,
        /// Whether to say only what would happen.
        validate_only: bool,
    }

    /// One topic or broker.
    pub struct AlterConfigsResource {
        /// 2 is a topic, 4 a broker.
        resource_type: i8,
        /// The topic's name, or the broker's id in digits.
        resource_name: String,
        /// The configs.
        configs: Vec<AlterableConfig>,
    }

    /// One config.
    pub struct AlterableConfig {
        /// Its name.
        name: String,
        /// Its value.
        value: Option<String>,
    }

    /// What became of each.
    pub struct AlterConfigsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// The topics.
        responses: Vec<AlterConfigsResourceResponse>,
    }

    /// What became of one topic or broker.
    pub struct AlterConfigsResourceResponse {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// What went wrong, for people.
        error_message: Option<String>,
        /// 2 is a topic, 4 a broker.
        resource_type: i8,
        /// The topic's name, or the broker's id in digits.
        resource_name: String,
    }
}
