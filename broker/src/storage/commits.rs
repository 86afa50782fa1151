//! What a completed sync means to the logs: durable ends rise, and the listener is told. No lock of a log's state is taken
//! here, so that a slow append of one log never delays the acknowledgements of another.

use super::{
    StoreFailure, StoreListener,
    journal::{CommitListener, JournalEnd},
};
use crate::ids::{LogId, Offset};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

/// The durable end of one log.
pub(super) struct DurableEnd {
    offset: AtomicI64,
    /// The sequence of the last truncate frame: older frames raise nothing any more.
    cut: Mutex<u64>,
}

impl DurableEnd {
    pub(super) fn new(end: Offset) -> Arc<Self> {
        Arc::new(Self { offset: AtomicI64::new(end.get()), cut: Mutex::new(0) })
    }

    pub(super) fn get(&self) -> Offset {
        Offset(self.offset.load(Ordering::Acquire))
    }

    /// The log ends at `end` now, by the truncate frame of this sequence. A sync of frames before it raises nothing.
    pub(super) fn cut(&self, sequence: u64, end: Offset) {
        let mut cut = self.cut.lock();
        *cut = (*cut).max(sequence);
        self.offset.fetch_min(end.get(), Ordering::AcqRel);
    }

    /// The frame of this sequence, by which the log ends at `end`, is durable. The new durable end, if it rose.
    fn raise(&self, sequence: u64, end: Offset) -> Option<Offset> {
        let cut = self.cut.lock();
        if sequence < *cut {
            return None;
        }
        let before = self.offset.fetch_max(end.get(), Ordering::AcqRel);
        (before < end.get()).then_some(end)
    }
}

/// All logs' durable ends, and whom to tell.
pub(super) struct Commits {
    ends: RwLock<BTreeMap<LogId, Arc<DurableEnd>>>,
    listener: Arc<dyn StoreListener>,
}

impl Commits {
    pub(super) fn new(listener: Arc<dyn StoreListener>) -> Self {
        Self { ends: RwLock::default(), listener }
    }

    pub(super) fn insert(&self, log: LogId, end: Arc<DurableEnd>) {
        self.ends.write().insert(log, end);
    }

    pub(super) fn remove(&self, log: LogId) {
        self.ends.write().remove(&log);
    }
}

impl CommitListener for Commits {
    fn synced(&self, _below: u64, ends: &[(LogId, JournalEnd)]) {
        let mut advances = Vec::with_capacity(ends.len());
        let known = self.ends.read();
        for (log, journal_end) in ends {
            if let JournalEnd::At { sequence, end } = journal_end
                && let Some(durable) = known.get(log)
                && let Some(advanced) = durable.raise(*sequence, *end)
            {
                advances.push((*log, advanced));
            }
        }
        drop(known);
        if !advances.is_empty() {
            self.listener.durable_advanced(&advances);
        }
    }

    fn failed(&self, failure: &StoreFailure) {
        self.listener.store_failed(failure);
    }
}
