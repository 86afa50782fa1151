//! What is known of the logs: every state that each of them has been in, and from which of these on a power cut must leave
//! one. A state becomes the floor when the store has said that it is durable.

use anyhow::{Result, ensure};
use bytes::Bytes;
use cairn_broker::{
    ids::{LogId, Offset},
    storage::{StoreFailure, StoreListener},
};
use cairn_proto::record::{Batch, Record};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

/// A batch of a log.
#[derive(Debug, PartialEq, Eq)]
pub struct ModelBatch {
    /// As it stands in the log.
    pub bytes: Bytes,
    /// As it was sent.
    pub sent: Batch,
    /// Its first offset.
    pub base: i64,
    /// The offset behind it.
    pub end: i64,
    /// The leader's epoch.
    pub epoch: i32,
    /// The append time stamped into it.
    pub append_time_ms: Option<i64>,
    /// Its records, once somebody looked at them.
    pub(super) records: OnceLock<Vec<Record>>,
}

/// A log in one state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogModel {
    /// The first offset that can be read.
    pub start: i64,
    /// While retention runs, how far it may have moved the start.
    pub start_max: i64,
    /// The exclusive end.
    pub end: i64,
    /// The batches that reach beyond the start.
    pub batches: Vec<Arc<ModelBatch>>,
    /// Epochs and where they began.
    pub epochs: Vec<(i32, i64)>,
    /// What the store was told to be committed: below it the log may be compacted. The batches here stay as they were
    /// appended; what the store shows may be less, which `allows` holds it to.
    pub committed: i64,
    /// Whether compaction was ever asked for: nothing that is committed is truncated then.
    pub may_be_compacted: bool,
}

impl LogModel {
    /// An empty log.
    pub fn empty(start: i64) -> Self {
        Self { start, start_max: start, end: start, ..Self::default() }
    }

    /// A leader begins an epoch here, above all others.
    pub fn begin_epoch(&mut self, epoch: i32, start: i64) {
        if self.epochs.last().is_some_and(|(last, _)| *last == epoch) {
            return;
        }
        self.epochs.retain(|(older, begin)| *older < epoch && *begin < start);
        self.epochs.push((epoch, start));
    }

    /// A batch at the end.
    pub fn append(&mut self, batch: ModelBatch) {
        self.begin_epoch(batch.epoch, batch.base);
        self.end = batch.end;
        self.batches.push(Arc::new(batch));
    }

    /// Where a truncation to `end` really ends: at the beginning of the batch that holds it.
    pub fn truncation_end(&self, end: i64) -> i64 {
        let cut = self.batches.iter().find(|batch| batch.base < end && end < batch.end);
        cut.map_or(end, |batch| batch.base).min(self.end)
    }

    /// Everything from there on is gone.
    pub fn truncate(&mut self, end: i64) {
        let end = self.truncation_end(end);
        self.batches.retain(|batch| batch.end <= end);
        self.end = end;
        self.committed = self.committed.min(end);
        self.epochs.retain(|(_, begin)| *begin < end);
    }

    /// Everything below is gone.
    pub fn advance_start(&mut self, start: i64) {
        if start <= self.start {
            return;
        }
        (self.start, self.start_max) = (start, start);
        self.batches.retain(|batch| batch.end > start);
        let kept = self.epochs.iter().rposition(|(_, begin)| *begin <= start).unwrap_or(0);
        self.epochs.drain(..kept);
        if let Some((_, begin)) = self.epochs.first_mut() {
            *begin = start.max(*begin);
        }
    }

    /// The epochs that have records: one that has begun and not written anything may be lost.
    pub fn written_epochs(&self) -> &[(i32, i64)] {
        match self.epochs.split_last() {
            Some(((_, begin), rest)) if *begin >= self.end => rest,
            _ => &self.epochs,
        }
    }

    /// The last five batches of a producer's present epoch, as far as the log still holds them, oldest first.
    pub fn repeatable(&self, producer_id: i64) -> Vec<Arc<ModelBatch>> {
        let of = |batch: &&Arc<ModelBatch>| batch.sent.header().producer_id == producer_id;
        let mine: Vec<_> = self.batches.iter().filter(of).cloned().collect();
        let Some(epoch) = mine.last().map(|batch| batch.sent.header().producer_epoch) else { return mine };
        let same = mine.into_iter().filter(|batch| batch.sent.header().producer_epoch == epoch);
        let same: Vec<_> = same.collect();
        same.iter().skip(same.len().saturating_sub(5)).cloned().collect()
    }
}

/// What made a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    ByAppend,
    ByTruncation,
    Otherwise,
}

/// A state of a log; `None`: it does not exist.
#[derive(Clone, Debug)]
struct Version {
    made: Made,
    state: Option<LogModel>,
}

/// All states of a log, and the oldest that a power cut may leave.
#[derive(Clone, Debug)]
pub(super) struct History {
    versions: Vec<Version>,
    floor: usize,
}

impl History {
    fn beginning(state: Option<LogModel>) -> Self {
        Self { versions: vec![Version { made: Made::Otherwise, state }], floor: 0 }
    }

    pub(super) fn latest(&self) -> Option<&LogModel> {
        self.versions.last().and_then(|version| version.state.as_ref())
    }

    /// The states that a power cut may leave, newest first.
    pub(super) fn allowed(&self) -> impl Iterator<Item = Option<&LogModel>> {
        self.versions.iter().skip(self.floor).rev().map(|version| version.state.as_ref())
    }

    fn note_durable(&mut self, end: i64) {
        for (index, version) in self.versions.iter().enumerate().skip(self.floor).rev() {
            match (version.made, &version.state) {
                (Made::ByTruncation, _) | (_, None) => return,
                (Made::ByAppend, Some(state)) if state.end <= end => {
                    self.floor = index;
                    return;
                }
                _ => {}
            }
        }
    }
}

/// All logs.
#[derive(Clone, Debug, Default)]
pub struct Model {
    logs: BTreeMap<u64, History>,
    /// What the store was told to have said and must not have, if it did.
    complaint: Option<String>,
    failed: bool,
    /// No producer has had a higher epoch, in whatever log.
    producer_epoch_max: i16,
}

/// The model as the store's listener and the checker share it.
#[derive(Clone, Debug, Default)]
pub struct SharedModel(pub Arc<Mutex<Model>>);

impl StoreListener for SharedModel {
    fn durable_advanced(&self, advances: &[(LogId, Offset)]) {
        let mut model = self.0.lock();
        for (log, end) in advances {
            model.note_durable(log.get(), end.get());
        }
        if model.failed {
            model.complaint = Some("a durable end was reported after the directory had failed (I33)".into());
        }
    }

    fn store_failed(&self, _failure: &StoreFailure) {
        self.0.lock().failed = true;
    }
}

impl Model {
    /// Known logs, also those that are gone.
    pub(super) fn histories(&self) -> impl Iterator<Item = (u64, &History)> {
        self.logs.iter().map(|(id, history)| (*id, history))
    }

    /// Logs that exist now.
    pub fn live(&self) -> Vec<u64> {
        self.logs.iter().filter(|(_, history)| history.latest().is_some()).map(|(id, _)| *id).collect()
    }

    /// A log's newest state.
    pub fn latest(&self, log: u64) -> Option<&LogModel> {
        self.logs.get(&log)?.latest()
    }

    /// Begins anew with these states, which a store has just shown.
    pub(super) fn begin_from(&mut self, states: BTreeMap<u64, LogModel>) {
        let logs = states.into_iter().map(|(id, state)| (id, History::beginning(Some(state)))).collect();
        *self = Self { logs, producer_epoch_max: self.producer_epoch_max, ..Self::default() };
    }

    /// An epoch that is new for every producer: a log may remember producers whose batches are gone.
    pub(super) fn next_producer_epoch(&mut self) -> i16 {
        self.producer_epoch_max += 1;
        self.producer_epoch_max
    }

    /// An append is about to happen.
    pub(super) fn will_append(&mut self, log: u64, batch: ModelBatch) {
        self.will(log, Made::ByAppend, |state| state.append(batch));
    }

    /// A truncation is about to happen.
    pub(super) fn will_truncate(&mut self, log: u64, end: i64) {
        self.will(log, Made::ByTruncation, |state| state.truncate(end));
    }

    /// Another change is about to happen.
    pub(super) fn will_change(&mut self, log: u64, change: impl FnOnce(&mut LogModel)) {
        self.will(log, Made::Otherwise, change);
    }

    fn will(&mut self, log: u64, made: Made, change: impl FnOnce(&mut LogModel)) {
        let Some(history) = self.logs.get_mut(&log) else { return };
        let Some(mut state) = history.latest().cloned() else { return };
        change(&mut state);
        history.versions.push(Version { made, state: Some(state) });
    }

    /// A log is about to be created.
    pub(super) fn will_create(&mut self, log: u64, start: i64) {
        let history = self.logs.entry(log).or_insert_with(|| History::beginning(None));
        history.versions.push(Version { made: Made::Otherwise, state: Some(LogModel::empty(start)) });
    }

    /// A log is about to be deleted.
    pub(super) fn will_delete(&mut self, log: u64) {
        if let Some(history) = self.logs.get_mut(&log) {
            history.versions.push(Version { made: Made::Otherwise, state: None });
        }
    }

    /// The last change did not happen, as the store has said.
    pub(super) fn retract(&mut self, log: u64) {
        let Some(history) = self.logs.get_mut(&log) else { return };
        history.versions.pop();
        if history.floor >= history.versions.len() {
            self.complaint = Some(format!("log {log}: a change was reported durable and then refused"));
        }
    }

    /// The last change is known better now.
    pub(super) fn correct(&mut self, log: u64, change: impl FnOnce(&mut LogModel)) {
        let history = self.logs.get_mut(&log);
        if let Some(state) = history.and_then(|history| history.versions.last_mut()?.state.as_mut()) {
            change(state);
        }
    }

    /// The store is about to be told that a log is committed up to there. Whatever a power cut may leave was committed too.
    pub(super) fn note_committed(&mut self, log: u64, end: i64) {
        self.each_allowed(log, |state| state.committed = state.committed.max(end.min(state.end)));
    }

    /// A log is about to be compacted from now on, now and then.
    pub(super) fn will_be_compacted(&mut self, log: u64) {
        self.each_allowed(log, |state| state.may_be_compacted = true);
    }

    fn each_allowed(&mut self, log: u64, mut change: impl FnMut(&mut LogModel)) {
        let Some(history) = self.logs.get_mut(&log) else { return };
        let allowed = history.versions.iter_mut().skip(history.floor);
        allowed.filter_map(|version| version.state.as_mut()).for_each(&mut change);
    }

    /// The store has said that everything so far is durable.
    pub(super) fn all_durable(&mut self) {
        for history in self.logs.values_mut() {
            history.floor = history.versions.len() - 1;
        }
    }

    /// The store has said that a log is durable up to there.
    pub(super) fn note_durable(&mut self, log: u64, end: i64) {
        if let Some(history) = self.logs.get_mut(&log) {
            history.note_durable(end);
        }
    }

    /// The model that somebody has who finds the disk after a power cut now.
    pub(super) fn after_power_cut(&self) -> Self {
        let cut = |history: &History| History {
            versions: history.versions.iter().skip(history.floor).cloned().collect(),
            floor: 0,
        };
        let logs = self.logs.iter().map(|(id, history)| (*id, cut(history))).collect();
        Self { logs, producer_epoch_max: self.producer_epoch_max, ..Self::default() }
    }

    /// The store has answered that it failed.
    pub(super) fn note_failure(&mut self) {
        self.failed = true;
    }

    /// Whether the store has failed.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Nothing was reported that must not have been.
    pub(super) fn check_reports(&self) -> Result<()> {
        ensure!(self.complaint.is_none(), "{}", self.complaint.as_deref().unwrap_or_default());
        Ok(())
    }
}
