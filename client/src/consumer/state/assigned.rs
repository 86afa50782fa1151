//! One assigned partition: where it stands, who serves it, and whether it wants to be served.

use crate::{
    ConsumeError,
    retry::{Backoff, code_name},
    routing::{PartitionRoute, TopicRoute},
};
use bytes::Bytes;
use cairn_proto::v1::{ErrorCode, FetchResponse};
use std::{sync::Arc, time::Instant};

/// One partition.
#[derive(Debug)]
pub(in crate::consumer) struct Assigned {
    pub(in crate::consumer) topic: Arc<str>,
    pub(super) topic_id: Bytes,
    pub(in crate::consumer) partition: u32,
    pub(super) route: PartitionRoute,
    /// Behind everything that has arrived.
    pub(super) fetch_offset: i64,
    /// The leader epoch of the record before it, -1 unknown.
    pub(super) last_epoch: i32,
    pub(in crate::consumer) high_watermark: i64,
    /// The subscription that serves it now; 0 for none.
    pub(super) subscription: u32,
    pub(super) paused: bool,
    /// The application was told of an error and has to seek.
    pub(super) stopped: bool,
    /// It is not assigned any more; its number is free for another one.
    pub(in crate::consumer) removed: bool,
    pub(super) retry_at: Option<Instant>,
    pub(super) backoff: Backoff,
}

impl Assigned {
    pub(in crate::consumer) fn new(
        route: &TopicRoute,
        partition: u32,
        offset: i64,
        high_watermark: i64,
    ) -> Self {
        Self {
            topic: Arc::clone(&route.name),
            topic_id: route.topic_id.clone(),
            partition,
            route: route.partition(partition).unwrap_or(PartitionRoute { leader: None, leader_epoch: -1 }),
            fetch_offset: offset,
            last_epoch: -1,
            high_watermark,
            subscription: 0,
            paused: false,
            stopped: false,
            removed: false,
            retry_at: None,
            backoff: Backoff::retrying(),
        }
    }

    pub(in crate::consumer) fn fetch_offset(&self) -> i64 {
        self.fetch_offset
    }

    pub(super) fn wants(&self, broker: u32, now: Instant) -> bool {
        !self.paused
            && !self.stopped
            && self.route.leader == Some(broker)
            && self.subscription == 0
            && self.retry_at.is_none_or(|at| at <= now)
    }

    pub(super) fn error(&self, code: ErrorCode, response: &FetchResponse) -> ConsumeError {
        let (topic, partition, offset) = (self.topic.to_string(), self.partition, self.fetch_offset);
        let reason = response.message.clone();
        match code {
            ErrorCode::OffsetOutOfRange => ConsumeError::OffsetOutOfRange {
                topic,
                partition,
                offset,
                log_start: response.log_start_offset,
                high_watermark: response.high_watermark,
            },
            ErrorCode::Damaged => ConsumeError::Damaged {
                topic,
                partition,
                damaged_from: response.damaged_from,
                damaged_to: response.damaged_to,
                reason,
            },
            ErrorCode::LogTruncated => ConsumeError::LogTruncated { topic, partition, offset, reason },
            code => ConsumeError::Refused { topic, partition, code: code_name(code), reason },
        }
    }
}
