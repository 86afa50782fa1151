//! Configs of topics and brokers, each with its source.

use super::{error_code::ErrorCode, table::message};

message! {
    /// Whose configs to describe.
    pub struct DescribeConfigsRequest {
        /// The topics and brokers.
        resources: Vec<DescribeConfigsResource>,
        /// Whether to say where else the value could come from.
        include_synonyms: bool,
        /// Whether to explain each config.
        include_documentation: bool [3+],
    }

    /// One topic or broker.
    pub struct DescribeConfigsResource {
        /// 2 is a topic, 4 a broker.
        resource_type: i8,
        /// The topic's name, or the broker's id in digits.
        resource_name: String,
        /// The configs asked for; null is all.
        configuration_keys: Option<Vec<String>>,
    }

    /// The configs.
    pub struct DescribeConfigsResponse {
        /// How long the client should hold back, in milliseconds; 0 is not at all.
        throttle_time_ms: i32,
        /// One for each.
        results: Vec<DescribeConfigsResult>,
    }

    /// Configs of one topic or broker.
    pub struct DescribeConfigsResult {
        /// What went wrong, if anything.
        error_code: ErrorCode,
        /// What went wrong, for people.
        error_message: Option<String>,
        /// 2 is a topic, 4 a broker.
        resource_type: i8,
        /// The topic's name, or the broker's id in digits.
        resource_name: String,
        /// The configs.
        configs: Vec<DescribeConfigsResourceResult>,
    }

    /// One config.
    pub struct DescribeConfigsResourceResult {
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
        /// Where else the value could come from.
        synonyms: Vec<DescribeConfigsSynonym>,
        /// The value's type, by number; 0 is unknown.
        config_type: i8 [3+],
        /// What the config does.
        documentation: Option<String> [3+],
    }

    /// A place that the value could have come from, in the order in which they are asked.
    pub struct DescribeConfigsSynonym {
        /// Its name.
        name: String,
        /// Its value.
        value: Option<String>,
        /// Where the value comes from, by number.
        source: i8,
    }
}
