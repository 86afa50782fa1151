//! How the partitions are, for people and metrics.

use crate::{
    ids::{LeaderEpoch, Offset},
    storage::StoreStatus,
};

/// One partition, for people and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Whether this broker leads it.
    pub leading: bool,
    /// The current epoch.
    pub leader_epoch: LeaderEpoch,
    /// The first offset.
    pub log_start: Offset,
    /// The exclusive end of what is committed.
    pub high_watermark: Offset,
    /// The exclusive end of what is synced.
    pub durable_end: Offset,
    /// The exclusive end.
    pub log_end: Offset,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// What is wrong and what to do; empty when healthy.
    pub problems: Vec<String>,
}

/// The broker's partitions as a whole.
#[derive(Clone, Debug)]
pub struct ReplicasStatus {
    /// Partitions with a replica here.
    pub partitions: usize,
    /// Of these, led by this broker.
    pub leading: usize,
    /// Requests that wait on lanes.
    pub lane_requests: usize,
    /// Batches that are appended and not yet acknowledged.
    pub parked_acks: usize,
    /// Why the directory is fenced: names the file. Reads go on, writes are refused until a restart.
    pub failure: Option<String>,
    /// What is wrong with single logs, and what to do.
    pub problems: Vec<String>,
    /// The store's own numbers.
    pub store: StoreStatus,
}
