//! What a topic's settings mean to its partitions.

use crate::{
    metadata::{TimestampType, TopicConfig},
    storage::{CompactionOptions, LogOptions},
};
use cairn_proto::record::RecordRules;

/// What a topic's settings mean here; one value for all its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::replication) struct Settings {
    pub(in crate::replication) log: LogOptions,
    /// Client timestamps further ahead are refused; `None` where the broker stamps.
    pub(in crate::replication) timestamp_after_max_ms: Option<i64>,
    /// Those further behind are refused; `None` for any, and where the broker stamps.
    pub(in crate::replication) timestamp_before_max_ms: Option<i64>,
}

impl Settings {
    pub(in crate::replication) fn of(config: &TopicConfig) -> Self {
        let stamped = config.timestamp_type == TimestampType::LogAppendTime;
        let cleanup = config.cleanup;
        let compaction = cleanup.compact.then_some(CompactionOptions {
            dirty_ratio_min_millionths: config.dirty_ratio_min_millionths,
            lag_min_ms: config.compaction_lag_min_ms,
            lag_max_ms: config.compaction_lag_max_ms,
            delete_retention_ms: config.delete_retention_ms,
        });
        // Only closed segments are compacted: one must not stay open for longer than its records may wait.
        let lag_max_ms = config.compaction_lag_max_ms.filter(|_| cleanup.compact);
        Self {
            log: LogOptions {
                segment_bytes: config.segment_bytes,
                segment_ms: Some(
                    lag_max_ms.map_or(config.segment_ms, |lag_max_ms| config.segment_ms.min(lag_max_ms)),
                ),
                retention_bytes: config.retention_bytes.filter(|_| cleanup.delete),
                retention_ms: config.retention_ms.filter(|_| cleanup.delete),
                compaction,
                batch_bytes_max: config.max_message_bytes,
                stamp_append_time: stamped,
            },
            timestamp_after_max_ms: (!stamped).then_some(config.timestamp_after_max_ms),
            timestamp_before_max_ms: config.timestamp_before_max_ms.filter(|_| !stamped),
        }
    }

    /// What the topic asks of each record of a batch that arrives at `now_ms`.
    pub(in crate::replication) fn rules(&self, now_ms: Option<i64>) -> RecordRules {
        let limit = self.timestamp_before_max_ms.zip(now_ms);
        RecordRules {
            keys_required: self.log.compaction.is_some(),
            timestamp_min_ms: limit.map_or(i64::MIN, |(behind_ms, now_ms)| now_ms.saturating_sub(behind_ms)),
        }
    }
}
