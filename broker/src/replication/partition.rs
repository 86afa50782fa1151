//! One partition of this broker: its log, who leads it, who waits for it. Two locks: `appending` orders appends and changes
//! of leadership and may be held while the journal makes room; `state` is held for moments only, so that the journal's
//! thread can always take it.

mod append;
mod settings;
mod upkeep;

pub(super) use settings::Settings;

use super::{
    FetchError, FetchWaker, ProduceError,
    leader::{LeaderState, Renewal, Terms},
    waiters::{AckWaiters, Completion, FetchWaiters, Outbox, Parked, Wake},
};
use crate::{
    ids::{LeaderEpoch, LogId, Offset, TopicPartition},
    metadata::{Durability, PartitionRecord},
    storage::{Log, LogOptions, StoreFailure},
};
use parking_lot::{Mutex, MutexGuard};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// The directory's failure, set once; shared by all of its partitions.
pub(super) type FailureCell = Arc<OnceLock<StoreFailure>>;

/// What this broker is to the partition.
pub(super) enum Role {
    /// It leads.
    Leader(LeaderState),
    /// Another broker leads, or nobody, or the log is not confirmed yet.
    Idle,
    /// Its copy cannot be used.
    Offline(String),
    /// Deleted.
    Gone,
}

struct State {
    role: Role,
    /// As it was when this broker last stopped leading: it must not fall for those who saw it.
    last_high_watermark: Offset,
    settings: Arc<Settings>,
    acks: AckWaiters,
    /// Filled under this state's lock, so in the order of decisions; emptied without it.
    outbox: Arc<Outbox>,
    fetches: FetchWaiters,
}

/// What is to be called once no lock is held.
#[derive(Default)]
pub(super) struct Effects {
    outboxes: Vec<Arc<Outbox>>,
    wakes: Vec<Wake>,
}

impl Effects {
    /// Calls everybody.
    pub(super) fn run(self) {
        self.outboxes.iter().for_each(|outbox| outbox.flush());
        self.wakes.into_iter().for_each(Wake::wake);
    }
}

/// One partition.
pub(super) struct Partition {
    pub(super) id: TopicPartition,
    pub(super) log_id: LogId,
    /// `None` only for a partition that is offline because its log is gone.
    pub(super) log: Option<Log>,
    failure: FailureCell,
    /// Whether retention has been told of it.
    noted: AtomicBool,
    /// Whether the high watermark moved since the log was told.
    advanced: AtomicBool,
    appending: Mutex<()>,
    state: Mutex<State>,
}

impl Partition {
    pub(super) fn new(id: TopicPartition, log: Log, settings: Arc<Settings>, failure: FailureCell) -> Self {
        log.set_options(settings.log.clone());
        Self::with_role(id, (log.id(), Some(log)), settings, (failure, Role::Idle))
    }

    /// Without a log: everything is answered with the reason.
    pub(super) fn offline(id: TopicPartition, log_id: LogId, reason: String, failure: FailureCell) -> Self {
        let log = LogOptions::default();
        let settings = Settings { log, timestamp_after_max_ms: None, timestamp_before_max_ms: None };
        Self::with_role(id, (log_id, None), Arc::new(settings), (failure, Role::Offline(reason)))
    }

    fn with_role(
        id: TopicPartition,
        (log_id, log): (LogId, Option<Log>),
        settings: Arc<Settings>,
        (failure, role): (FailureCell, Role),
    ) -> Self {
        let (acks, fetches, outbox) = (AckWaiters::default(), FetchWaiters::default(), Arc::default());
        let state = State { role, last_high_watermark: Offset::ZERO, settings, acks, outbox, fetches };
        let (noted, advanced) = (AtomicBool::new(false), AtomicBool::new(false));
        let (appending, state) = (Mutex::new(()), Mutex::new(state));
        Self { id, log_id, log, failure, noted, advanced, appending, state }
    }

    /// The topic's settings, as they are now.
    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.state.lock().settings)
    }

    /// Leads in the terms of the record, or learns of new ones. Older ones are ignored.
    pub(super) fn lead(&self, record: &PartitionRecord) {
        let Some(log) = &self.log else { return };
        let _appending = self.appending.lock();
        let terms = Terms::of(record);
        let written_counts = terms.durability == Durability::Async;
        let mut effects = Effects::default();
        let mut state = self.state.lock();
        // Asked for before it is looked at, and looked at under the lock: what the journal tells behind this, counts.
        log.count_written(written_counts);
        let own = if written_counts { log.written() } else { log.durable() };
        // Looked at last: it is at least what counts.
        let log_end = log.end();
        let renewal = match &mut state.role {
            Role::Leader(leader) => leader.renew(terms, own, log_end),
            Role::Idle => {
                let stored = log.stored_high_watermark().max(state.last_high_watermark);
                let leader = LeaderState::become_leader(terms, log_end, own, stored.max(log.start()));
                state.role = Role::Leader(leader);
                Renewal::NewEpoch
            }
            Role::Offline(_) | Role::Gone => Renewal::Ignored,
        };
        match renewal {
            Renewal::Ignored => return,
            Renewal::SameEpoch => settle(&mut state, &mut effects),
            Renewal::NewEpoch => {
                log.begin_epoch(terms.leader_epoch);
                fail_all(
                    &mut state,
                    &mut effects,
                    "another leader epoch began before the batch was committed",
                );
            }
        }
        drop(state);
        effects.run();
    }

    /// Takes new settings.
    pub(super) fn configure(&self, settings: &Arc<Settings>) {
        let mut state = self.state.lock();
        if state.settings == *settings {
            state.settings = Arc::clone(settings);
            return;
        }
        state.settings = Arc::clone(settings);
        drop(state);
        if let Some(log) = &self.log {
            log.set_options(settings.log.clone());
        }
    }

    /// Does not lead any more, or is gone.
    pub(super) fn stop(&self, gone: bool) {
        let _appending = self.appending.lock();
        let mut effects = Effects::default();
        let mut state = self.state.lock();
        let reason = if gone { "the topic was deleted" } else { "this broker stopped leading the partition" };
        match (&state.role, gone) {
            (_, true) => state.role = Role::Gone,
            (Role::Leader(leader), false) => {
                state.last_high_watermark = leader.high_watermark();
                state.role = Role::Idle;
                if let Some(log) = &self.log {
                    log.count_written(false);
                }
            }
            (_, false) => return,
        }
        fail_all(&mut state, &mut effects, reason);
        drop(state);
        effects.run();
    }

    /// The journal has synced up to `durable`: what that commits is added to `effects`. `true`: the high watermark moved,
    /// and [`Partition::note_high_watermark`] is due once. The log itself is not told here: its lock may be held by an
    /// append that waits for the disk.
    pub(super) fn on_durable(&self, durable: Offset, effects: &mut Effects) -> bool {
        self.on_own_offset(durable, |_| true, effects)
    }

    /// The journal has written up to `written`: the same, where that counts.
    pub(super) fn on_written(&self, written: Offset, effects: &mut Effects) -> bool {
        self.on_own_offset(written, LeaderState::counts_written, effects)
    }

    fn on_own_offset(
        &self,
        own: Offset,
        counts: impl Fn(&LeaderState) -> bool,
        effects: &mut Effects,
    ) -> bool {
        let Some(log) = &self.log else { return false };
        let mut state = self.state.lock();
        let Role::Leader(leader) = &mut state.role else { return false };
        if !counts(leader) {
            return false;
        }
        let moved = leader.on_own_offset(own, log.end()).is_some();
        settle(&mut state, effects);
        moved && !self.advanced.swap(true, Ordering::AcqRel)
    }

    /// Tells the log its high watermark, for the next checkpoint.
    pub(super) fn note_high_watermark(&self) {
        self.advanced.store(false, Ordering::Release);
        if let Ok((log, leader)) = self.reading(None) {
            log.note_high_watermark(leader.high_watermark());
        }
    }

    /// The directory failed; the cell was set before.
    pub(super) fn on_failure(&self, effects: &mut Effects) {
        let mut state = self.state.lock();
        let error = unsynced(&self.failure);
        complete_all(&mut state, effects, &error);
    }

    /// Nothing will be answered any more: what still waits, waits for what will not come in this process.
    pub(super) fn abandon(&self, effects: &mut Effects) {
        fail_all(&mut self.state.lock(), effects, "the broker stopped before the batch was committed");
    }

    /// What a reader needs to know of the leader, if the epoch it knows is the present one.
    pub(super) fn reading(&self, sent: Option<LeaderEpoch>) -> Result<(&Log, LeaderState), FetchError> {
        let leader = match &self.state.lock().role {
            Role::Leader(leader) => *leader,
            Role::Idle => return Err(FetchError::NotLeader),
            Role::Offline(reason) => return Err(FetchError::Offline(reason.clone())),
            Role::Gone => return Err(FetchError::UnknownPartition),
        };
        let current = leader.epoch();
        match sent {
            Some(sent) if sent < current => Err(FetchError::FencedLeaderEpoch { sent, current }),
            Some(sent) if sent > current => Err(FetchError::UnknownLeaderEpoch { sent, current }),
            _ => self.log.as_ref().map(|log| (log, leader)).ok_or(FetchError::NotLeader),
        }
    }

    /// See [`Replicas::wait_readable`](super::Replicas::wait_readable).
    pub(super) fn park_fetch(&self, offset: Offset, waker: &Arc<dyn FetchWaker>, token: u64) -> bool {
        let mut state = self.state.lock();
        match &state.role {
            Role::Leader(leader) if leader.high_watermark() <= offset => {
                state.fetches.push(offset, waker, token);
                true
            }
            _ => false,
        }
    }

    pub(super) fn cancel_fetch(&self, waker: &Arc<dyn FetchWaker>, token: u64) {
        self.state.lock().fetches.remove(waker, token);
    }

    /// Keeps appends away while the caller changes the log's start.
    pub(super) fn hold_appends(&self) -> MutexGuard<'_, ()> {
        self.appending.lock()
    }

    pub(super) fn is_leading(&self) -> bool {
        matches!(self.state.lock().role, Role::Leader(_))
    }

    /// Batches that are parked.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().acks.len()
    }
}

/// Answers whatever the leader's offsets cover now.
fn settle(state: &mut State, effects: &mut Effects) {
    let State { role: Role::Leader(leader), acks, outbox, fetches, .. } = state else { return };
    while let Some(Parked { produced, done }) = acks.pop_committed(leader.acknowledged()) {
        assert!(produced.end_offset <= leader.high_watermark(), "I25: acknowledged before it was committed");
        outbox.push(Completion { done, result: leader.verdict().map(|()| produced) });
    }
    while let Some(Parked { produced, done }) = acks.pop_own(leader.own()) {
        outbox.push(Completion { done, result: Ok(produced) });
    }
    effects.outboxes.push(Arc::clone(outbox));
    fetches.take_readable(leader.high_watermark(), &mut effects.wakes);
}

fn fail_all(state: &mut State, effects: &mut Effects, reason: &str) {
    complete_all(state, effects, &ProduceError::OutcomeUnknown(reason.to_string()));
}

fn complete_all(state: &mut State, effects: &mut Effects, error: &ProduceError) {
    for parked in state.acks.drain() {
        state.outbox.push(Completion { done: parked.done, result: Err(error.clone()) });
    }
    effects.outboxes.push(Arc::clone(&state.outbox));
    state.fetches.take_all(&mut effects.wakes);
}

/// For batches that were appended and not yet synced when the directory failed.
fn unsynced(failure: &FailureCell) -> ProduceError {
    let failure = failure.get().map_or_else(|| "the directory failed".to_string(), ToString::to_string);
    ProduceError::OutcomeUnknown(failure)
}
