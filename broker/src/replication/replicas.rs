//! All partitions of this broker behind one cheap handle.

use super::{
    FetchError, FetchWaker, OffsetAnswer, OffsetQuery, OnDeleted, OnProduced, ProduceRequest, Read,
    ReadRequest, ReplicationError,
};
use crate::{
    clock::SharedClock,
    disk::SharedDisk,
    ids::{BrokerId, LeaderEpoch, MetadataIndex, Offset, TopicPartition},
    metadata::{ClusterState, Command},
    storage::{CommitDriver, RecoveryReport, Residency, StoreOptions, StoreStatus},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Who validates and appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// So many threads of their own.
    Threads(usize),
    /// The caller of `produce`: tests and simulations.
    Inline,
}

/// Sizes and times of the partitions, with their defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicasOptions {
    /// The store's.
    pub store: StoreOptions,
    /// Requests that may wait on one lane; one more is refused as overloaded.
    pub lane_requests_max: usize,
    /// A compressed batch is decompressed to at most this, only to check it.
    pub decompressed_bytes_max: usize,
    /// How often retention looks at the logs that have records.
    pub retention_interval: Duration,
}

impl Default for ReplicasOptions {
    fn default() -> Self {
        Self {
            store: StoreOptions::default(),
            lane_requests_max: 65_536,
            decompressed_bytes_max: 32 << 20,
            retention_interval: Duration::from_secs(30),
        }
    }
}

/// What the partitions need.
pub struct ReplicasSetup {
    /// The file system.
    pub disk: SharedDisk,
    /// The store's own directory, made if missing; its parent must exist (`<data-dir>/data`).
    pub path: PathBuf,
    /// Who this broker is.
    pub broker: BrokerId,
    /// Sizes and times.
    pub options: ReplicasOptions,
    /// The time.
    pub clock: SharedClock,
    /// Who syncs the journal.
    pub driver: CommitDriver,
    /// Who appends.
    pub lanes: Lanes,
}

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
    /// Why the directory is fenced: names the file. Reads go on, writes are refused until a restart.
    pub failure: Option<String>,
    /// What is wrong with single logs, and what to do.
    pub problems: Vec<String>,
    /// The store's own numbers.
    pub store: StoreStatus,
}

/// All partitions of this broker. Cheap to clone.
#[derive(Clone)]
pub struct Replicas(());

#[expect(unused_variables, clippy::missing_panics_doc, reason = "a skeleton; bodies follow")]
impl Replicas {
    /// Opens the store and recovers it. Nothing is led, and every request is answered `UnknownPartition`, until
    /// [`Replicas::apply_image`]. The report's suspect logs belong into the broker's registration. Blocking.
    ///
    /// # Errors
    /// The store does not open.
    pub fn open(setup: ReplicasSetup) -> Result<(Self, RecoveryReport), ReplicationError> {
        unimplemented!()
    }

    /// Follows an image: creates logs that were never created here, deletes those of topics recorded as deleted, leads
    /// what the image says this broker leads, takes new settings. Blocking (it may sync), idempotent, one caller at a
    /// time; older images than the last are ignored. Call it only with images at or behind the broker's registration.
    ///
    /// Returns what the metadata must be told, to be proposed in this order; proposing it again is harmless.
    pub fn apply_image(&self, image: &ClusterState) -> Vec<Command> {
        unimplemented!()
    }

    /// The index of the last image applied, and every later one: who created a topic waits here until it can be used.
    pub fn applied(&self) -> tokio::sync::watch::Receiver<MetadataIndex> {
        unimplemented!()
    }

    /// Hands a batch to its partition's lane. Never blocks; fails only through `done`.
    pub fn produce(&self, request: ProduceRequest, done: OnProduced) {
        unimplemented!()
    }

    /// Reads below the high watermark. With [`Residency::MayBlock`] it may block.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub fn read(&self, request: &ReadRequest, residency: Residency) -> Result<Read, FetchError> {
        unimplemented!()
    }

    /// Has `waker` called once with `token` when there is something to read at `offset`, or when the partition's
    /// leadership or existence changes. `false`: there is already, nothing was parked.
    pub fn wait_readable(
        &self,
        partition: TopicPartition,
        offset: Offset,
        waker: &Arc<dyn FetchWaker>,
        token: u64,
    ) -> bool {
        unimplemented!()
    }

    /// Forgets what [`Replicas::wait_readable`] parked; a wake that is under way may still come.
    pub fn cancel_wait(&self, partition: TopicPartition, waker: &Arc<dyn FetchWaker>, token: u64) {
        unimplemented!()
    }

    /// Finds an offset. The two timestamp queries may block.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub fn list_offset(
        &self,
        partition: TopicPartition,
        query: OffsetQuery,
        leader_epoch: Option<LeaderEpoch>,
    ) -> Result<OffsetAnswer, FetchError> {
        unimplemented!()
    }

    /// Moves the log start to `before`, or to the high watermark. Never blocks; `done` is called once it is durable. A
    /// start that is beyond `before` already is a success.
    pub fn delete_records(&self, partition: TopicPartition, before: Option<Offset>, done: OnDeleted) {
        unimplemented!()
    }

    /// One partition; `None` if it has no replica here.
    pub fn describe(&self, partition: TopicPartition) -> Option<PartitionStatus> {
        unimplemented!()
    }

    /// One round of background work, blocking: retention and the store's own. Returns when to call again at the latest;
    /// `None`: not before something is appended.
    pub fn maintain(&self) -> Option<Duration> {
        unimplemented!()
    }

    /// The whole.
    pub fn status(&self) -> ReplicasStatus {
        unimplemented!()
    }

    /// Commits one group; `false` when there was nothing to do. Only with [`CommitDriver::Stepped`].
    pub fn step(&self) -> bool {
        unimplemented!()
    }

    /// Refuses new batches from here on; what is on a lane or parked still finishes.
    pub fn begin_shutdown(&self) {
        unimplemented!()
    }

    /// After [`Replicas::begin_shutdown`]: lanes run empty, everything is synced and answered, checkpoint and snapshots
    /// are written, threads end. Blocking, idempotent.
    ///
    /// # Errors
    /// The directory failed: it was not a clean shutdown.
    pub fn close(&self) -> Result<(), ReplicationError> {
        unimplemented!()
    }
}
