//! How the broker is: what `cairn cluster status`, `/readyz` and `/metrics` show. A problem is a sentence that says what is
//! wrong and what to do.

use super::{Broker, Context, Refusal};
use crate::{
    disk::SharedDisk,
    ids::{DirectoryId, TopicPartition},
    metadata::ClusterState,
    telemetry::metrics::{PartitionScrape, Scrape},
};
use std::{fmt, path::PathBuf, sync::Arc};

/// Below this much free space the broker warns.
const FREE_BYTES_LOW: u64 = 1 << 30;

/// A data directory as people see it.
#[derive(Clone)]
pub struct DirectoryFacts {
    /// Its identity.
    pub id: DirectoryId,
    /// Where it is.
    pub path: PathBuf,
    /// Its file system.
    pub disk: SharedDisk,
}

impl fmt::Debug for DirectoryFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryFacts").field("path", &self.path).finish_non_exhaustive()
    }
}

/// How the cluster is, as this broker sees it.
#[derive(Clone, Debug)]
pub struct ClusterStatus {
    /// The image it comes from.
    pub image: Arc<ClusterState>,
    /// This broker's directory.
    pub directory: DirectoryFacts,
    /// Why the directory takes no appends, if it does not.
    pub directory_problem: Option<String>,
    /// Space left on its file system.
    pub free_bytes: u64,
    /// Bytes of all logs.
    pub log_bytes: u64,
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// Partitions that nobody leads.
    pub partitions_without_leader: u64,
    /// Partitions with fewer in-sync replicas than they need.
    pub partitions_under_min_isr: u64,
    /// What is wrong and what to do; empty when healthy.
    pub problems: Vec<String>,
}

impl Broker {
    /// How the cluster is. Asks the file system, so it runs on a thread that may block.
    ///
    /// # Errors
    /// The broker is shutting down.
    pub async fn status(&self, context: &Context) -> Result<ClusterStatus, Refusal> {
        self.admission().admit(context)?;
        let broker = self.clone();
        tokio::task::spawn_blocking(move || broker.status_blocking())
            .await
            .map_err(|_cancelled| Refusal::ShuttingDown)
    }

    /// Why this broker is not ready; `None` when it is.
    pub async fn obstacle(&self) -> Option<String> {
        let broker = self.clone();
        let asked = tokio::task::spawn_blocking(move || broker.replicas().status().failure).await;
        self.readiness().obstacle().or_else(|| asked.unwrap_or_else(|_| Some("shutting down".into())))
    }

    /// The text of one scrape of the metrics.
    ///
    /// # Errors
    /// Never in practice.
    pub async fn scrape(&self) -> Result<String, fmt::Error> {
        let broker = self.clone();
        let text =
            tokio::task::spawn_blocking(move || broker.metrics().render(broker.scrape_blocking())).await;
        text.unwrap_or(Err(fmt::Error))
    }

    fn uptime_ms(&self) -> u64 {
        u64::try_from(self.clock().now().since(self.inner.started).as_millis()).unwrap_or(u64::MAX)
    }

    fn free_bytes(&self) -> u64 {
        let directory = self.directory();
        directory.disk.free_bytes(&directory.path).unwrap_or(0)
    }

    fn status_blocking(&self) -> ClusterStatus {
        let image = self.image();
        let status = self.replicas().status();
        let free_bytes = self.free_bytes();
        let directory_problem = status.failure.clone();
        let mut problems: Vec<String> = directory_problem.iter().cloned().collect();
        if free_bytes < FREE_BYTES_LOW {
            let path = self.directory().path.display();
            problems.push(format!(
                "only {free_bytes} bytes are free below {path}: free space there, or lower retention.bytes of the largest topics"
            ));
        }
        problems.extend(self.inner.parts.start_problems.iter().cloned());
        problems.extend(status.problems);
        let (partitions_without_leader, partitions_under_min_isr) = degraded(&image);
        ClusterStatus {
            image,
            directory: self.directory().clone(),
            directory_problem,
            free_bytes,
            log_bytes: status.store.log_bytes,
            uptime_ms: self.uptime_ms(),
            partitions_without_leader,
            partitions_under_min_isr,
            problems,
        }
    }

    fn scrape_blocking(&self) -> Scrape {
        let image = self.image();
        let status = self.replicas().status();
        let mut partitions = Vec::new();
        for (topic, record) in &image.topics {
            for (partition, _) in record.numbered() {
                let Some(state) = self.replicas().describe(TopicPartition { topic: *topic, partition })
                else {
                    continue;
                };
                partitions.push(PartitionScrape {
                    topic: record.name.clone(),
                    partition: partition.get(),
                    log_start_offset: state.log_start.get(),
                    high_watermark: state.high_watermark.get(),
                    log_end_offset: state.log_end.get(),
                    size_bytes: state.size_bytes,
                });
            }
        }
        let compaction = status.store.compaction;
        Scrape {
            ready: self.readiness().obstacle().is_none() && status.failure.is_none(),
            directory_healthy: status.failure.is_none(),
            uptime_ms: self.uptime_ms(),
            metadata_index: image.index.get(),
            free_bytes: self.free_bytes(),
            log_bytes: status.store.log_bytes,
            journal_uncheckpointed_bytes: status.store.journal_bytes_uncheckpointed,
            request_memory_bytes: u64::try_from(self.admission().request_memory_used()).unwrap_or(u64::MAX),
            compaction_rounds: compaction.rounds,
            compaction_read_bytes: compaction.bytes_read,
            compaction_written_bytes: compaction.bytes_written,
            compaction_freed_bytes: compaction.bytes_freed,
            compaction_segments_left_alone: compaction.segments_left_alone,
            compaction_waiting: u64::try_from(compaction.logs_waiting).unwrap_or(u64::MAX),
            partitions,
        }
    }
}

/// Partitions without a leader, and with too few in-sync replicas.
fn degraded(image: &ClusterState) -> (u64, u64) {
    let records = image.topics.values().flat_map(|topic| &topic.partitions);
    records.fold((0, 0), |(leaderless, thin), record| {
        let too_few = u32::try_from(record.isr.len()).is_ok_and(|members| members < record.min_isr);
        (leaderless + u64::from(record.leader.is_none()), thin + u64::from(too_few))
    })
}
