//! What a topic's settings mean to its partitions.

use crate::{
    metadata::{TimestampType, TopicConfig},
    storage::LogOptions,
};

/// What a topic's settings mean here; one value for all its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::replication) struct Settings {
    pub(in crate::replication) log: LogOptions,
    /// Client timestamps further ahead are refused; `None` where the broker stamps.
    pub(in crate::replication) timestamp_after_max_ms: Option<i64>,
}

impl Settings {
    pub(in crate::replication) fn of(config: &TopicConfig) -> Self {
        let stamped = config.timestamp_type == TimestampType::LogAppendTime;
        Self {
            log: LogOptions {
                segment_bytes: config.segment_bytes,
                segment_ms: Some(config.segment_ms),
                retention_bytes: config.retention_bytes,
                retention_ms: config.retention_ms,
                batch_bytes_max: config.max_message_bytes,
                stamp_append_time: stamped,
            },
            timestamp_after_max_ms: (!stamped).then_some(config.timestamp_after_max_ms),
        }
    }
}
