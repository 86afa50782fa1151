//! What the background thread and people ask of a partition: retention, and how it is.

use super::{Partition, Role};
use crate::{
    ids::{LeaderEpoch, Offset},
    replication::PartitionStatus,
    storage::{Log, LogOptions},
};
use std::sync::atomic::Ordering;

impl Partition {
    /// Whether the log has records that retention was not told of yet; once `true`.
    pub(in crate::replication) fn has_news_for_retention(&self) -> bool {
        let records = self.log.as_ref().is_some_and(|log| log.end() > log.start());
        records && !self.noted.load(Ordering::Relaxed) && !self.noted.swap(true, Ordering::Relaxed)
    }

    /// Deletes old segments below the high watermark. While the wall clock is not to be trusted, age does not count.
    pub(in crate::replication) fn apply_retention(&self, by_age: bool) {
        let Ok((log, leader)) = self.reading(None) else { return };
        let settings = self.settings();
        if !by_age && settings.log.retention_ms.is_some() {
            log.set_options(LogOptions { retention_ms: None, ..settings.log.clone() });
        }
        if let Err(error) = log.apply_retention(leader.high_watermark()) {
            tracing::warn!("retention of {} waits: {error}", self.id);
        }
        if !by_age && settings.log.retention_ms.is_some() {
            // Whatever was set meanwhile.
            log.set_options(self.settings().log.clone());
        }
    }

    /// For people.
    pub(in crate::replication) fn status(&self) -> PartitionStatus {
        let state = self.state.lock();
        let (leading, leader_epoch, high_watermark) = match &state.role {
            Role::Leader(leader) => (true, leader.epoch(), leader.high_watermark()),
            _ => (false, LeaderEpoch(-1), Offset::ZERO),
        };
        let mut problems = match &state.role {
            Role::Offline(reason) => vec![reason.clone()],
            _ => Vec::new(),
        };
        drop(state);
        let log = self.log.as_ref();
        for range in log.map(Log::damaged_ranges).unwrap_or_default() {
            problems.push(format!(
                "offsets {} to {} (exclusive) cannot be read: {} in {} at byte {}. With one replica they are lost; everything else is served",
                range.from, range.to, range.detail, range.file.display(), range.position
            ));
        }
        PartitionStatus {
            leading,
            leader_epoch,
            log_start: log.map_or(Offset::ZERO, Log::start),
            high_watermark,
            durable_end: log.map_or(Offset::ZERO, Log::durable),
            log_end: log.map_or(Offset::ZERO, Log::end),
            size_bytes: log.map_or(0, Log::size_bytes),
            problems,
        }
    }
}
