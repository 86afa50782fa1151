//! All partitions of this broker behind one cheap handle.

use super::{
    DeleteRecordsError, FetchError, FetchWaker, Lanes, OffsetAnswer, OffsetQuery, OnDeleted, OnProduced,
    PartitionStatus, ProduceError, ProduceRequest, Read, ReadRequest, ReplicasSetup, ReplicasStatus,
    ReplicationError,
    images::Follower,
    lanes::{LaneSet, Refused},
    partition::Partition,
    produce::{Job, LaneWork},
    retention::ClockWatch,
    table::ReplicaTable,
};
use crate::{
    clock::{Monotonic, SharedClock},
    disk::DiskResult,
    ids::{LeaderEpoch, MetadataIndex, Offset, TopicPartition},
    metadata::{ClusterState, Command},
    storage::{ProducerFacts, RecoveryReport, Residency, Store, StoreListener, StoreSetup},
};
use cairn_proto::record::DecompressLimit;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// All partitions of this broker. Cheap to clone.
#[derive(Clone)]
pub struct Replicas {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    table: Arc<ReplicaTable>,
    work: Arc<LaneWork>,
    /// `None`: callers do the work themselves.
    lanes: Option<LaneSet<Job>>,
    follower: Mutex<Follower>,
    applied: watch::Sender<MetadataIndex>,
    upkeep: Mutex<Upkeep>,
    clock: SharedClock,
    retention_interval: Duration,
    stopping: AtomicBool,
}

/// The background thread's own.
struct Upkeep {
    clock_watch: ClockWatch,
    retention_due: Monotonic,
}

impl std::fmt::Debug for Replicas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replicas").field("partitions", &self.inner.table.len()).finish_non_exhaustive()
    }
}

impl Replicas {
    /// Opens the store and recovers it. Nothing is led, and every request is answered `UnknownPartition`, until
    /// [`Replicas::apply_image`]. The report's suspect logs belong into the broker's registration. Blocking.
    ///
    /// # Errors
    /// The store does not open.
    pub fn open(setup: ReplicasSetup) -> Result<(Self, RecoveryReport), ReplicationError> {
        let ReplicasSetup { disk, path, broker, options, clock, driver, lanes } = setup;
        let table = Arc::new(ReplicaTable::default());
        let listener: Arc<dyn StoreListener> = Arc::clone(&table) as _;
        let store_clock = Arc::clone(&clock);
        let (store, report) = Store::open(StoreSetup {
            disk,
            path,
            options: options.store,
            clock: store_clock,
            driver,
            listener,
        })?;
        let limit = DecompressLimit { bytes_max: options.decompressed_bytes_max };
        let work = Arc::new(LaneWork {
            table: Arc::clone(&table),
            store: store.clone(),
            clock: Arc::clone(&clock),
            limit,
        });
        let lanes = match lanes {
            Lanes::Inline => None,
            Lanes::Threads(count) => {
                let work = Arc::clone(&work);
                let started =
                    LaneSet::start(count.max(1), options.lane_requests_max, move |job| work.run(job));
                Some(started.map_err(|error| ReplicationError::Thread(Arc::new(error)))?)
            }
        };
        let upkeep = Upkeep { clock_watch: ClockWatch::new(&*clock), retention_due: clock.now() };
        let inner = Inner {
            follower: Mutex::new(Follower::new(broker, store.clone(), Arc::clone(&table))),
            applied: watch::Sender::new(MetadataIndex(0)),
            upkeep: Mutex::new(upkeep),
            retention_interval: options.retention_interval,
            stopping: AtomicBool::new(false),
            store,
            table,
            work,
            lanes,
            clock,
        };
        Ok((Self { inner: Arc::new(inner) }, report))
    }

    /// Follows an image: creates logs that were never created here, deletes those of topics recorded as deleted, leads
    /// what the image says this broker leads, takes new settings. Blocking (it may sync), idempotent, one caller at a
    /// time; older images than the last are ignored. Call it only with images at or behind the broker's registration.
    ///
    /// Returns what the metadata must be told, to be proposed in this order; the next image then has the answers. As long
    /// as it returns something, apply the newest image again: some commands are repeated until an image has them.
    pub fn apply_image(&self, image: &ClusterState) -> Vec<Command> {
        let applied = self.inner.follower.lock().apply(image);
        if let Some(index) = applied.settled {
            self.inner.applied.send_if_modified(|known| {
                let newer = index > *known;
                *known = index.max(*known);
                newer
            });
        }
        applied.commands
    }

    /// Rises to the index of an applied image once everything in it can be used; who created a topic waits here. With new
    /// topics that takes a second image, the one that has what [`Replicas::apply_image`] returned.
    pub fn applied(&self) -> watch::Receiver<MetadataIndex> {
        self.inner.applied.subscribe()
    }

    /// Hands a batch to its partition's lane. Never blocks (but with [`Lanes::Inline`]); fails only through `done`.
    pub fn produce(&self, request: ProduceRequest, done: OnProduced) {
        if self.inner.stopping.load(Ordering::Acquire) {
            return done(Err(ProduceError::ShuttingDown));
        }
        match self.inner.table.get(request.partition) {
            Some(partition) => self.submit(&partition.clone(), Job::Produce { partition, request, done }),
            None => done(Err(ProduceError::UnknownPartition)),
        }
    }

    fn submit(&self, partition: &Partition, job: Job) {
        let Some(lanes) = &self.inner.lanes else { return self.inner.work.run(job) };
        match lanes.submit(partition.log_id.get(), job) {
            Ok(()) => {}
            Err(Refused::Full(job)) => job.refuse(Some(lanes.jobs_max())),
            Err(Refused::Closed(job)) => job.refuse(None),
        }
    }

    fn partition(&self, id: TopicPartition) -> Result<Arc<Partition>, FetchError> {
        self.inner.table.get(id).ok_or(FetchError::UnknownPartition)
    }

    /// Reads below the high watermark. With [`Residency::MayBlock`] it may block.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub fn read(&self, request: &ReadRequest, residency: Residency) -> Result<Read, FetchError> {
        self.partition(request.partition)?.read(request, residency)
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
        self.inner.table.get(partition).is_some_and(|partition| partition.park_fetch(offset, waker, token))
    }

    /// Forgets what [`Replicas::wait_readable`] parked; a wake that is under way may still come.
    pub fn cancel_wait(&self, partition: TopicPartition, waker: &Arc<dyn FetchWaker>, token: u64) {
        if let Some(partition) = self.inner.table.get(partition) {
            partition.cancel_fetch(waker, token);
        }
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
        self.partition(partition)?.list_offset(query, leader_epoch)
    }

    /// Where a leader epoch ends here (KIP-101): that epoch, or the largest one below it, and the offset behind its last
    /// record. `None` for an epoch above the current one.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub fn epoch_end(
        &self,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        leader_epoch: Option<LeaderEpoch>,
    ) -> Result<Option<(LeaderEpoch, Offset)>, FetchError> {
        self.partition(partition)?.epoch_end(epoch, leader_epoch)
    }

    /// Moves the log start to `before`, or to the high watermark. Never blocks; `done` is called once it is durable. A
    /// start that is beyond `before` already is a success.
    pub fn delete_records(&self, partition: TopicPartition, before: Option<Offset>, done: OnDeleted) {
        if self.inner.stopping.load(Ordering::Acquire) {
            return done(Err(DeleteRecordsError::ShuttingDown));
        }
        match self.inner.table.get(partition) {
            Some(partition) => {
                self.submit(&partition.clone(), Job::DeleteRecords { partition, before, done })
            }
            None => done(Err(DeleteRecordsError::UnknownPartition)),
        }
    }

    /// One partition; `None` if it has no replica here.
    pub fn describe(&self, partition: TopicPartition) -> Option<PartitionStatus> {
        Some(self.inner.table.get(partition)?.status())
    }

    /// The producers that a partition remembers. May block.
    ///
    /// # Errors
    /// This broker does not lead it: what it knows may be old. See [`FetchError`].
    pub fn producers(&self, partition: TopicPartition) -> Result<Vec<ProducerFacts>, FetchError> {
        let partition = self.partition(partition)?;
        let (log, _) = partition.reading(None)?;
        Ok(log.producers())
    }

    /// Runs something that a start or a shutdown must write, also on a full disk: in the space of the store's reserve.
    ///
    /// # Errors
    /// Those of `run`.
    pub fn with_reserve<T>(&self, run: impl FnMut() -> DiskResult<T>) -> DiskResult<T> {
        self.inner.store.with_reserve(run)
    }

    /// The largest batch that the journal takes, if one of so many bytes is larger.
    pub fn beyond_journal(&self, bytes: usize) -> Option<usize> {
        self.inner.store.beyond_journal(bytes)
    }

    /// One round of background work, blocking: retention and the store's own. Returns when to call again at the latest;
    /// `None`: not before something is appended.
    pub fn maintain(&self) -> Option<Duration> {
        let retention = self.retain();
        self.inner.table.note_high_watermarks();
        let store = self.inner.store.maintain();
        match (retention, store) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Looks at every log that has records, once an interval.
    fn retain(&self) -> Option<Duration> {
        let inner = &*self.inner;
        let logs = inner.table.logs_with_records();
        if logs.is_empty() {
            return None;
        }
        let mut upkeep = inner.upkeep.lock();
        let now = inner.clock.now();
        if now < upkeep.retention_due {
            return Some(upkeep.retention_due.since(now));
        }
        let by_age = upkeep.clock_watch.trusts_age(&*inner.clock);
        for partition in logs.into_iter().filter_map(|log| inner.table.by_log(log)) {
            partition.apply_retention(by_age);
        }
        upkeep.retention_due = Monotonic(now.0.saturating_add(inner.retention_interval));
        Some(inner.retention_interval)
    }

    /// The whole.
    pub fn status(&self) -> ReplicasStatus {
        let inner = &*self.inner;
        let partitions = inner.table.all();
        let mut problems = inner.follower.lock().problems.clone();
        problems.extend(inner.upkeep.lock().clock_watch.problem());
        ReplicasStatus {
            partitions: partitions.len(),
            leading: partitions.iter().filter(|partition| partition.is_leading()).count(),
            lane_requests: inner.lanes.as_ref().map_or(0, LaneSet::waiting),
            parked_acks: partitions.iter().map(|partition| partition.waiting()).sum(),
            failure: inner.table.failure().get().map(ToString::to_string),
            problems,
            store: inner.store.status(),
        }
    }

    /// Commits one group; `false` when there was nothing to do. Only with [`CommitDriver::Stepped`](crate::storage::CommitDriver::Stepped).
    pub fn step(&self) -> bool {
        self.inner.store.step()
    }

    /// Refuses new batches from here on; what is on a lane or parked still finishes.
    pub fn begin_shutdown(&self) {
        self.inner.stopping.store(true, Ordering::Release);
    }

    /// Takes no more, appends what the lanes hold and waits until it is durable. [`Self::maintain`] must still be called
    /// meanwhile: where the journal's ring is full, only a checkpoint makes room.
    ///
    /// # Errors
    /// The directory failed.
    pub fn finish_appends(&self) -> Result<(), ReplicationError> {
        self.begin_shutdown();
        if let Some(lanes) = &self.inner.lanes {
            lanes.close();
        }
        Ok(self.inner.store.sync()?)
    }

    /// After [`Replicas::begin_shutdown`]: lanes run empty, everything is synced and answered, checkpoint and snapshots
    /// are written, threads end. Reads go on until then, and are answered `UnknownPartition` afterwards. Blocking,
    /// idempotent.
    ///
    /// # Errors
    /// The directory failed: it was not a clean shutdown.
    pub fn close(&self) -> Result<(), ReplicationError> {
        // What is parked is answered by this sync, so that the watermarks are the last ones.
        let synced = self.finish_appends();
        self.inner.table.note_high_watermarks();
        let closed = self.inner.store.close();
        self.inner.table.clear();
        synced?;
        Ok(closed?)
    }
}

impl Drop for Inner {
    /// The store speaks to the table, whose partitions hold its logs: without this they would keep each other.
    fn drop(&mut self) {
        if let Some(lanes) = &self.lanes {
            lanes.close();
        }
        self.table.clear();
    }
}

#[cfg(test)]
mod tests;
