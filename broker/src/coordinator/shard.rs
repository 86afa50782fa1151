//! The groups whose state lies in one partition of the internal topic, with everybody who waits for an answer. Lives as long
//! as this broker leads the partition in one leader epoch.
//!
//! What always holds: the records of a partition are handed to it in the order in which the groups changed, because both
//! happen under this lock; nothing under it waits or calls back.

use super::{
    error::CoordinatorError,
    group::{Effect, Joined, Synced, Waiter},
    groups::{Effects, Groups, Place, Record},
    native::{Directive, NativeEffect},
    record::CommittedOffset,
};
use crate::{
    clock::{Monotonic, SharedClock},
    ids::{LeaderEpoch, TopicPartition},
    metadata::ClusterState,
    replication::{Acks, ProduceError, ProduceRequest, Produced, Replicas},
};
use bytes::Bytes;
use cairn_proto::record::{BatchBuilder, BatchError, BatchOptions};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{mpsc::UnboundedSender, oneshot, watch};

type Answer<T> = oneshot::Sender<Result<T, CoordinatorError>>;

/// What is to be done once records are durable, or could not be written.
pub(super) enum Then {
    /// A group's state was written.
    Group { group: String, generation: i32 },
    /// A native group's state was written.
    Native { group: String, version: u64 },
    /// Offsets become visible.
    Commit { group: String, offsets: BTreeMap<Place, CommittedOffset>, answer: Answer<()> },
    /// A group is forgotten.
    Forget { group: String, places: Vec<Place>, answer: Answer<()> },
    /// Offsets are forgotten.
    ForgetOffsets { group: String, places: Vec<Place>, answer: Answer<()> },
}

/// An outcome on its way back to its shard.
pub(super) struct Outcome {
    pub(super) shard: Arc<Shard>,
    pub(super) then: Then,
    pub(super) result: Result<(), ProduceError>,
}

/// See the module.
pub(super) struct Shard {
    pub(super) partition: TopicPartition,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) state: Mutex<ShardState>,
}

/// Behind the lock.
pub(super) struct ShardState {
    pub(super) groups: Groups,
    /// Everything written before this leader epoch is part of it.
    pub(super) is_loaded: bool,
    joins: BTreeMap<Waiter, Answer<Joined>>,
    syncs: BTreeMap<Waiter, Answer<Synced>>,
    beats: BTreeMap<Waiter, Answer<Directive>>,
    next_waiter: u64,
}

/// What a shard works with.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) replicas: Replicas,
    pub(super) clock: SharedClock,
    pub(super) on_written: Arc<dyn Fn() + Send + Sync>,
    pub(super) images: watch::Receiver<Arc<ClusterState>>,
    pub(super) outcomes: UnboundedSender<Outcome>,
}

impl Shard {
    pub(super) fn new(partition: TopicPartition, leader_epoch: LeaderEpoch, groups: Groups) -> Arc<Self> {
        let state = ShardState {
            groups,
            is_loaded: false,
            joins: BTreeMap::new(),
            syncs: BTreeMap::new(),
            beats: BTreeMap::new(),
            next_waiter: 0,
        };
        Arc::new(Self { partition, leader_epoch, state: Mutex::new(state) })
    }

    /// Carries out what a group asked for. The state is locked.
    pub(super) fn perform(
        self: &Arc<Self>,
        state: &mut ShardState,
        tools: &Tools,
        effects: impl IntoIterator<Item = (String, Effect)>,
    ) {
        for (group, effect) in effects {
            match effect {
                // Whoever does not wait any more needs no answer.
                Effect::Joined(waiter, result) => {
                    if let Some(answer) = state.joins.remove(&waiter) {
                        let _ = answer.send(result.map_err(CoordinatorError::from));
                    }
                }
                Effect::Synced(waiter, result) => {
                    if let Some(answer) = state.syncs.remove(&waiter) {
                        let _ = answer.send(result.map_err(CoordinatorError::from));
                    }
                }
                Effect::Write(generation) => {
                    let record = state.groups.record_of(&group, tools.clock.wall_ms());
                    self.write(tools, record.as_slice(), Then::Group { group, generation });
                }
            }
        }
    }

    /// The same for native groups.
    pub(super) fn perform_native(
        self: &Arc<Self>,
        state: &mut ShardState,
        tools: &Tools,
        effects: impl IntoIterator<Item = (String, NativeEffect)>,
    ) {
        for (group, effect) in effects {
            match effect {
                NativeEffect::Answer(waiter, result) => {
                    if let Some(answer) = state.beats.remove(&waiter) {
                        let _ = answer.send(result.map_err(CoordinatorError::from));
                    }
                }
                NativeEffect::Write(version) => {
                    let record = state.groups.native_record_of(&group, tools.clock.wall_ms());
                    self.write(tools, record.as_slice(), Then::Native { group, version });
                }
            }
        }
    }

    /// Whatever time has brought.
    pub(super) fn perform_all(self: &Arc<Self>, state: &mut ShardState, tools: &Tools, effects: Effects) {
        self.perform(state, tools, effects.classic);
        self.perform_native(state, tools, effects.native);
    }

    /// Hands records to the partition; the outcome comes back by itself.
    pub(super) fn write(self: &Arc<Self>, tools: &Tools, records: &[Record], then: Then) {
        let (shard, outcomes) = (Arc::clone(self), tools.outcomes.clone());
        let on_written = Arc::clone(&tools.on_written);
        let done = move |result: Result<Produced, ProduceError>| {
            on_written();
            // The other end is gone only when the broker is.
            let _ = outcomes.send(Outcome { shard, then, result: result.map(|_| ()) });
        };
        let batch = match batch_of(records, tools.clock.wall_ms()) {
            Ok(batch) => batch,
            Err(error) => return done(Err(ProduceError::Invalid(error))),
        };
        let request = ProduceRequest {
            partition: self.partition,
            leader_epoch: Some(self.leader_epoch),
            acks: Acks::All,
            batch,
        };
        tools.replicas.produce(request, Box::new(done));
    }

    /// Takes an outcome.
    pub(super) fn finish(self: &Arc<Self>, tools: &Tools, then: Then, result: Result<(), ProduceError>) {
        let (now, now_ms) = (tools.clock.now(), tools.clock.wall_ms());
        let mut state = self.state.lock();
        let failed = result.as_ref().err().cloned().map(CoordinatorError::from);
        let told = |answer: Answer<()>| drop(answer.send(failed.clone().map_or(Ok(()), Err)));
        match then {
            Then::Group { group, generation } => {
                if let Err(error @ (ProduceError::TooLarge { .. } | ProduceError::BeyondJournal { .. })) =
                    &result
                {
                    tracing::warn!(
                        group,
                        "its members say more than one batch holds, they cannot share: {error}"
                    );
                }
                let effects = state.groups.written(&group, (generation, result.is_ok()), (now, now_ms));
                let effects = effects.into_iter().map(|effect| (group.clone(), effect));
                self.perform(&mut state, tools, effects);
            }
            Then::Native { group, version } => {
                let outcome = result.map_err(|error| error.to_string());
                let effects = state.groups.native_written(&group, version, outcome, now_ms);
                let effects = effects.into_iter().map(|effect| (group.clone(), effect));
                self.perform_native(&mut state, tools, effects);
            }
            Then::Commit { group, offsets, answer } => {
                if failed.is_none() {
                    state.groups.committed(&group, offsets, now_ms);
                }
                told(answer);
            }
            Then::Forget { group, places, answer } => {
                if failed.is_none() {
                    state.groups.forget(&group, &places);
                }
                told(answer);
            }
            Then::ForgetOffsets { group, places, answer } => {
                if failed.is_none() {
                    state.groups.forget_offsets(&group, places.iter());
                }
                told(answer);
            }
        }
    }

    /// Everything is read. Sessions begin now: nobody could be heard before.
    pub(super) fn finish_loading(&self, now: Monotonic) {
        let mut state = self.state.lock();
        state.groups.finish_replay(now);
        state.is_loaded = true;
    }

    /// When a group that was read has something to do.
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let state = self.state.lock();
        state.groups.next_deadline().filter(|_| state.is_loaded)
    }

    /// This broker no longer leads: whoever waits asks elsewhere.
    pub(super) fn resign(&self) {
        let mut state = self.state.lock();
        state.is_loaded = false;
        for answer in std::mem::take(&mut state.joins).into_values() {
            let _ = answer.send(Err(CoordinatorError::NotCoordinator));
        }
        for answer in std::mem::take(&mut state.syncs).into_values() {
            let _ = answer.send(Err(CoordinatorError::NotCoordinator));
        }
        for answer in std::mem::take(&mut state.beats).into_values() {
            let _ = answer.send(Err(CoordinatorError::NotCoordinator));
        }
    }
}

impl ShardState {
    /// A number for a join request, and where its answer comes.
    pub(super) fn await_join(&mut self) -> (Waiter, oneshot::Receiver<Result<Joined, CoordinatorError>>) {
        let (answer, answered) = oneshot::channel();
        let waiter = self.waiter();
        self.joins.insert(waiter, answer);
        (waiter, answered)
    }

    /// A number for a sync request, and where its answer comes.
    pub(super) fn await_sync(&mut self) -> (Waiter, oneshot::Receiver<Result<Synced, CoordinatorError>>) {
        let (answer, answered) = oneshot::channel();
        let waiter = self.waiter();
        self.syncs.insert(waiter, answer);
        (waiter, answered)
    }

    /// A number for a native heartbeat, and where its answer comes.
    pub(super) fn await_beat(&mut self) -> (Waiter, oneshot::Receiver<Result<Directive, CoordinatorError>>) {
        let (answer, answered) = oneshot::channel();
        let waiter = self.waiter();
        self.beats.insert(waiter, answer);
        (waiter, answered)
    }

    fn waiter(&mut self) -> Waiter {
        self.next_waiter += 1;
        Waiter(self.next_waiter)
    }

    /// Refuses while the groups are being read.
    pub(super) fn check_loaded(&self) -> Result<(), CoordinatorError> {
        if self.is_loaded { Ok(()) } else { Err(CoordinatorError::Loading) }
    }
}

fn batch_of(records: &[Record], now_ms: i64) -> Result<Bytes, BatchError> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for Record { key, value } in records {
        builder.append(now_ms, Some(key), value.as_deref(), &[])?;
    }
    builder.finish()
}
