//! What a completed write and a completed sync mean to the logs: written and durable ends rise, and the listener is told.
//! Always: durable ≤ written; written runs ahead only for logs that ask for it. No lock of a log's state is taken
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
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

/// How far one log has come in the journal.
pub(super) struct JournaledEnds {
    durable: AtomicI64,
    /// Not below `durable`.
    written: AtomicI64,
    /// Whether anybody wants `written` to run ahead.
    counts_written: AtomicBool,
    /// The sequence of the last truncate frame: older frames raise nothing any more.
    cut: Mutex<u64>,
}

impl JournaledEnds {
    pub(super) fn new(end: Offset) -> Arc<Self> {
        Arc::new(Self {
            durable: AtomicI64::new(end.get()),
            written: AtomicI64::new(end.get()),
            counts_written: AtomicBool::new(false),
            cut: Mutex::new(0),
        })
    }

    pub(super) fn durable(&self) -> Offset {
        Offset(self.durable.load(Ordering::Acquire))
    }

    pub(super) fn written(&self) -> Offset {
        Offset(self.written.load(Ordering::Acquire))
    }

    /// The log ends at `end` now, by the truncate frame of this sequence. A write or sync of frames before it raises
    /// nothing.
    pub(super) fn cut(&self, sequence: u64, end: Offset) {
        let mut cut = self.cut.lock();
        *cut = (*cut).max(sequence);
        self.durable.fetch_min(end.get(), Ordering::AcqRel);
        self.written.fetch_min(end.get(), Ordering::AcqRel);
    }

    /// The frame of this sequence, by which the log ends at `end`, is written. The new written end, if it rose and is
    /// counted.
    fn raise_written(&self, sequence: u64, end: Offset) -> Option<Offset> {
        if !self.counts_written.load(Ordering::Acquire) {
            return None;
        }
        let cut = self.cut.lock();
        if sequence < *cut {
            return None;
        }
        let before = self.written.fetch_max(end.get(), Ordering::AcqRel);
        (before < end.get()).then_some(end)
    }

    /// The same frame is durable. The new durable end, if it rose.
    fn raise_durable(&self, sequence: u64, end: Offset) -> Option<Offset> {
        let cut = self.cut.lock();
        if sequence < *cut {
            return None;
        }
        self.written.fetch_max(end.get(), Ordering::AcqRel);
        let before = self.durable.fetch_max(end.get(), Ordering::AcqRel);
        (before < end.get()).then_some(end)
    }
}

/// All logs' ends in the journal, and whom to tell.
pub(super) struct Commits {
    ends: RwLock<BTreeMap<LogId, Arc<JournaledEnds>>>,
    /// How many of them count what is written.
    counting_written: AtomicUsize,
    listener: Arc<dyn StoreListener>,
}

impl Commits {
    pub(super) fn new(listener: Arc<dyn StoreListener>) -> Self {
        Self { ends: RwLock::default(), counting_written: AtomicUsize::new(0), listener }
    }

    pub(super) fn insert(&self, log: LogId, ends: Arc<JournaledEnds>) {
        self.ends.write().insert(log, ends);
    }

    pub(super) fn remove(&self, log: LogId) {
        let removed = self.ends.write().remove(&log);
        if removed.is_some_and(|ends| ends.counts_written.load(Ordering::Acquire)) {
            self.counting_written.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Whether the listener is told what is written of this log.
    pub(super) fn count_written(&self, log: LogId, wanted: bool) {
        // Not while it is being removed.
        let known = self.ends.read();
        let Some(ends) = known.get(&log) else { return };
        match (ends.counts_written.swap(wanted, Ordering::AcqRel), wanted) {
            (false, true) => self.counting_written.fetch_add(1, Ordering::AcqRel),
            (true, false) => self.counting_written.fetch_sub(1, Ordering::AcqRel),
            _ => 0,
        };
    }

    /// The ends that rose, as `raise` tells.
    fn advances(
        &self,
        ends: &[(LogId, JournalEnd)],
        raise: impl Fn(&JournaledEnds, u64, Offset) -> Option<Offset>,
    ) -> Vec<(LogId, Offset)> {
        let known = self.ends.read();
        let mut advances = Vec::with_capacity(ends.len());
        for (log, journal_end) in ends {
            if let JournalEnd::At { sequence, end } = journal_end
                && let Some(journaled) = known.get(log)
                && let Some(advanced) = raise(journaled, *sequence, *end)
            {
                advances.push((*log, advanced));
            }
        }
        advances
    }
}

impl CommitListener for Commits {
    fn wants_written(&self) -> bool {
        self.counting_written.load(Ordering::Acquire) > 0
    }

    fn written(&self, ends: &[(LogId, JournalEnd)]) {
        let advances = self.advances(ends, JournaledEnds::raise_written);
        if !advances.is_empty() {
            self.listener.written_advanced(&advances);
        }
    }

    fn synced(&self, _below: u64, ends: &[(LogId, JournalEnd)]) {
        let advances = self.advances(ends, JournaledEnds::raise_durable);
        if !advances.is_empty() {
            self.listener.durable_advanced(&advances);
        }
    }

    fn failed(&self, failure: &StoreFailure) {
        self.listener.store_failed(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId(7);

    /// What was told: whether of a write, and the end.
    #[derive(Default)]
    struct Told(Mutex<Vec<(bool, Offset)>>);

    impl StoreListener for Told {
        fn written_advanced(&self, advances: &[(LogId, Offset)]) {
            self.0.lock().extend(advances.iter().map(|(_, end)| (true, *end)));
        }
        fn durable_advanced(&self, advances: &[(LogId, Offset)]) {
            self.0.lock().extend(advances.iter().map(|(_, end)| (false, *end)));
        }
        fn store_failed(&self, _failure: &StoreFailure) {}
    }

    fn rig() -> (Arc<Told>, Commits, Arc<JournaledEnds>) {
        let told = Arc::new(Told::default());
        let commits = Commits::new(Arc::clone(&told) as Arc<dyn StoreListener>);
        let ends = JournaledEnds::new(Offset(0));
        commits.insert(LOG, Arc::clone(&ends));
        (told, commits, ends)
    }

    fn at(sequence: u64, end: i64) -> [(LogId, JournalEnd); 1] {
        [(LOG, JournalEnd::At { sequence, end: Offset(end) })]
    }

    #[test]
    fn a_write_is_told_only_of_logs_that_ask() {
        let (told, commits, ends) = rig();
        assert!(!commits.wants_written());
        commits.written(&at(1, 10));
        assert_eq!((ends.durable(), ends.written()), (Offset(0), Offset(0)));
        commits.synced(2, &at(1, 10));
        assert_eq!((ends.durable(), ends.written()), (Offset(10), Offset(10)));
        commits.count_written(LOG, true);
        commits.count_written(LOG, true);
        assert!(commits.wants_written());
        commits.written(&at(2, 20));
        assert_eq!((ends.durable(), ends.written()), (Offset(10), Offset(20)));
        commits.synced(3, &at(2, 20));
        assert_eq!(ends.durable(), Offset(20));
        assert_eq!(*told.0.lock(), [(false, Offset(10)), (true, Offset(20)), (false, Offset(20))]);
        commits.remove(LOG);
        assert!(!commits.wants_written(), "nobody is left who asks");
    }

    #[test]
    fn a_cut_takes_written_down_and_older_frames_raise_nothing() {
        let (told, commits, ends) = rig();
        commits.count_written(LOG, true);
        commits.written(&at(1, 10));
        commits.synced(2, &at(1, 10));
        commits.written(&at(2, 20));
        ends.cut(4, Offset(15));
        assert_eq!((ends.durable(), ends.written()), (Offset(10), Offset(15)));
        commits.written(&at(3, 30));
        commits.synced(4, &at(3, 30));
        assert_eq!((ends.durable(), ends.written()), (Offset(10), Offset(15)), "frame 3 was cut off");
        commits.synced(5, &at(4, 15));
        commits.written(&at(5, 25));
        assert_eq!((ends.durable(), ends.written()), (Offset(15), Offset(25)));
        let expected = [(true, 10), (false, 10), (true, 20), (false, 15), (true, 25)];
        assert_eq!(*told.0.lock(), expected.map(|(written, end)| (written, Offset(end))));
    }
}
