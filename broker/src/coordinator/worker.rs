//! The coordinator's one task: takes over partitions of the internal topic that this broker comes to lead, reads their groups,
//! brings back the outcomes of writes, and wakes groups whose time has come. One timer for all of them.

use super::{
    group::GroupOptions,
    groups::Groups,
    handle::{Coordinator, Inner, Shards},
    shard::{Outcome, Shard, ShardState, Then, Tools},
};
use crate::{
    clock::{Monotonic, SharedClock},
    ids::{BrokerId, Offset, PartitionIndex, TopicPartition},
    metadata::ClusterState,
    replication::{FetchError, ProduceError, ReadRequest, Replicas, Residency},
};
use cairn_proto::record::{Batch, DecompressLimit};
use parking_lot::RwLock;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// The internal topic, by Kafka's name.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Bytes that are read of it at a time.
const READ_BYTES: usize = 1 << 20;
/// A record of ours is never compressed to less than its size; one that says more is not read.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;
/// A partition that cannot be read yet is tried again so much later.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// One whose reading failed, so much later, if it is still led.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How often unused groups are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);

/// What a coordinator is made of.
pub struct CoordinatorParts {
    /// Who we are.
    pub broker: BrokerId,
    /// The partitions.
    pub replicas: Replicas,
    /// What time it is.
    pub clock: SharedClock,
    /// The images that the replicas act on.
    pub images: watch::Receiver<Arc<ClusterState>>,
    /// Called when something was written, on whatever thread knows; it must not block.
    pub on_written: Arc<dyn Fn() + Send + Sync>,
    /// Limits of groups.
    pub groups: GroupOptions,
    /// Offsets of a group without members are kept so long.
    pub retention: Duration,
}

/// The task; it runs until it is told to stop.
pub struct Worker {
    parts: CoordinatorParts,
    coordinator: Coordinator,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    loading: JoinSet<(Arc<Shard>, bool)>,
    expire_at: Monotonic,
    load_again_at: Option<Monotonic>,
}

impl Coordinator {
    /// A coordinator of nothing yet, and the task that makes it one.
    pub fn new(parts: CoordinatorParts) -> (Self, Worker) {
        let (to_worker, outcomes) = mpsc::unbounded_channel();
        let (replicas, clock) = (parts.replicas.clone(), Arc::clone(&parts.clock));
        let on_written = Arc::clone(&parts.on_written);
        let images = parts.images.clone();
        let tools = Tools { replicas, clock, on_written, images, outcomes: to_worker };
        let (shards, hurry, news) = (RwLock::new(Shards::default()), Notify::new(), watch::Sender::new(()));
        let coordinator = Self { inner: Arc::new(Inner { tools, shards, hurry, news }) };
        let expire_at = Monotonic(parts.clock.now().0 + EXPIRE_EVERY);
        let worker = Worker {
            parts,
            coordinator: coordinator.clone(),
            outcomes,
            loading: JoinSet::new(),
            expire_at,
            load_again_at: None,
        };
        (coordinator, worker)
    }
}

impl Worker {
    /// Coordinates until `resign`, which answers everybody who waits; from then on until `stop` it only tells what became of
    /// writes that were under way.
    pub async fn run(mut self, resign: CancellationToken, stop: CancellationToken) {
        self.coordinate(&resign).await;
        self.resign();
        let inner = Arc::clone(&self.coordinator.inner);
        loop {
            tokio::select! {
                biased;
                Some(outcome) = self.outcomes.recv() => {
                    outcome.shard.finish(&inner.tools, outcome.then, outcome.result);
                }
                () = stop.cancelled() => return,
            }
        }
    }

    async fn coordinate(&mut self, resign: &CancellationToken) {
        self.parts.images.mark_changed();
        let inner = Arc::clone(&self.coordinator.inner);
        while !resign.is_cancelled() {
            let next = self.next_deadline();
            let wait = next.since(self.parts.clock.now());
            tokio::select! {
                () = resign.cancelled() => {}
                changed = self.parts.images.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.follow();
                }
                Some(outcome) = self.outcomes.recv() => {
                    let unknown = outcome.result.as_ref().is_err_and(is_unknown);
                    outcome.shard.finish(&inner.tools, outcome.then, outcome.result);
                    if unknown {
                        self.give_up(&outcome.shard);
                        self.follow();
                    }
                }
                Some(Ok((shard, loaded))) = self.loading.join_next(), if !self.loading.is_empty() => {
                    let now = self.parts.clock.now();
                    if loaded {
                        shard.finish_loading(now);
                    } else {
                        self.give_up(&shard);
                        self.load_again_at = Some(Monotonic(now.0 + LOAD_AGAIN_AFTER));
                    }
                    inner.news.send_replace(());
                }
                () = inner.hurry.notified() => {}
                () = tokio::time::sleep(wait) => self.tick(),
            }
        }
    }

    fn resign(&self) {
        let shards = std::mem::take(&mut self.coordinator.inner.shards.write().led);
        for shard in shards.into_values() {
            shard.resign();
        }
        self.coordinator.inner.news.send_replace(());
    }

    /// A record may or may not be in the log: what it says is only known by reading it again.
    fn give_up(&self, shard: &Arc<Shard>) {
        let mut shards = self.coordinator.inner.shards.write();
        shards.led.retain(|_, led| !Arc::ptr_eq(led, shard));
        shard.resign();
    }

    fn shards(&self) -> Vec<Arc<Shard>> {
        self.coordinator.inner.shards.read().led.values().cloned().collect()
    }

    fn next_deadline(&self) -> Monotonic {
        let shards = self.shards();
        let of_groups = shards.iter().filter_map(|shard| shard.next_deadline());
        of_groups.chain([self.expire_at]).chain(self.load_again_at).min().unwrap_or(self.expire_at)
    }

    /// Takes over what this broker leads now, and lets go of what it does not.
    fn follow(&mut self) {
        let image = Arc::clone(&self.parts.images.borrow_and_update());
        let topic = image.topic_by_name(OFFSETS_TOPIC).cloned();
        let own = self.parts.broker;
        let mut led = BTreeMap::new();
        let mut partitions = 0;
        if let Some(topic) = topic {
            partitions = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
            let ours = topic.numbered().filter(|(_, record)| record.leader == Some(own));
            for (index, record) in ours {
                led.insert(
                    index,
                    (TopicPartition { topic: topic.id, partition: index }, record.leader_epoch),
                );
            }
        }
        let mut shards = self.coordinator.inner.shards.write();
        shards.partitions = partitions;
        shards.led.retain(|index: &PartitionIndex, shard| {
            let stays = led.get(index) == Some(&(shard.partition, shard.leader_epoch));
            if !stays {
                shard.resign();
            }
            stays
        });
        for (index, (partition, leader_epoch)) in led {
            if shards.led.contains_key(&index) {
                continue;
            }
            let groups = Groups::new(self.parts.groups.clone());
            let shard = Shard::new(partition, leader_epoch, groups);
            shards.led.insert(index, Arc::clone(&shard));
            let (replicas, clock) = (self.parts.replicas.clone(), Arc::clone(&self.parts.clock));
            self.loading.spawn_blocking(move || {
                let loaded = load(&shard, &replicas, &clock);
                (shard, loaded)
            });
        }
        drop(shards);
        self.coordinator.inner.news.send_replace(());
    }

    fn tick(&mut self) {
        let now = self.parts.clock.now();
        let tools = &self.coordinator.inner.tools;
        for shard in self.shards() {
            let mut state = shard.state.lock();
            if state.is_loaded {
                let effects = state.groups.tick(now);
                shard.perform_all(&mut state, tools, effects);
            }
        }
        if self.load_again_at.is_some_and(|at| now >= at) {
            self.load_again_at = None;
            self.follow();
        }
        if now >= self.expire_at {
            self.expire_at = Monotonic(now.0 + EXPIRE_EVERY);
            self.expire();
        }
    }

    fn expire(&self) {
        let tools = &self.coordinator.inner.tools;
        for shard in self.shards() {
            let mut state = shard.state.lock();
            for group in state.groups.expired(self.parts.retention, self.parts.clock.wall_ms()) {
                if let Ok((records, places)) = state.groups.delete(&group) {
                    tracing::info!(
                        group,
                        "unused for longer than offsets-retention-ms: its offsets are forgotten"
                    );
                    let (answer, _nobody_waits) = oneshot::channel();
                    shard.write(tools, &records, Then::Forget { group, places, answer });
                }
            }
        }
    }
}

/// Whether the record may be in the log and may not.
fn is_unknown(error: &ProduceError) -> bool {
    matches!(error, ProduceError::OutcomeUnknown(_) | ProduceError::NotEnoughReplicasAfterAppend)
}

/// Reads everything that the partition held when it came to be led, and what is committed behind it. Blocks. `false`: it was
/// not read to the end, and must not be answered from.
fn load(shard: &Arc<Shard>, replicas: &Replicas, clock: &SharedClock) -> bool {
    let mut request = ReadRequest {
        partition: shard.partition,
        offset: Offset::ZERO,
        leader_epoch: Some(shard.leader_epoch),
        last_epoch: None,
        bytes_max: READ_BYTES,
    };
    let Some(status) = replicas.describe(shard.partition) else { return false };
    // The last one to hold it: the shard was given up.
    while Arc::strong_count(shard) > 1 {
        match replicas.read(&request, Residency::MayBlock) {
            Ok(read) if read.batches.is_empty() && read.next_offset >= read.high_watermark => {
                if read.high_watermark >= status.log_end {
                    return true;
                }
                clock.sleep(RETRY_AFTER);
            }
            Ok(read) => {
                replay(shard, &read.batches, clock);
                request.offset = read.next_offset;
            }
            Err(FetchError::OutOfRange { start, .. }) if request.offset < start => request.offset = start,
            Err(FetchError::Damaged { to, .. }) => {
                tracing::error!(partition = %shard.partition, from = %request.offset, %to,
                    "offsets that groups committed there may be lost: the internal topic is damaged");
                request.offset = to;
            }
            Err(FetchError::NotAvailable | FetchError::WouldBlock) => clock.sleep(RETRY_AFTER),
            Err(error @ (FetchError::Storage(_) | FetchError::Offline(_))) => {
                tracing::warn!(partition = %shard.partition, "its groups cannot be read, trying again: {error}");
                return false;
            }
            Err(error) => {
                // Led by somebody else by now, or the broker is going down.
                tracing::info!(partition = %shard.partition, "its groups are not read: {error}");
                return false;
            }
        }
    }
    false
}

fn replay(shard: &Shard, batches: &bytes::Bytes, clock: &SharedClock) {
    let mut rest = batches.clone();
    let mut state = shard.state.lock();
    loop {
        match Batch::split_first(&mut rest) {
            Ok(None) => return,
            Ok(Some(batch)) => replay_batch(&mut state, shard, &batch, clock),
            Err(error) => {
                return tracing::error!(partition = %shard.partition, "batches passed over: {error}");
            }
        }
    }
}

fn replay_batch(state: &mut ShardState, shard: &Shard, batch: &Batch, clock: &SharedClock) {
    let limit = DecompressLimit { bytes_max: DECOMPRESSED_BYTES_MAX };
    let records = match batch.records(limit) {
        Ok(records) => records,
        Err(error) => return tracing::error!(partition = %shard.partition, "a batch is passed over: {error}"),
    };
    for record in records {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                return tracing::error!(partition = %shard.partition, "records passed over: {error}");
            }
        };
        let Some(key) = record.key else { continue };
        let taken = state.groups.replay((&key, record.value.as_ref()), (clock.now(), clock.wall_ms()));
        if let Err(error) = taken {
            tracing::warn!(partition = %shard.partition, offset = record.offset, "passed over: {error}");
        }
    }
}
