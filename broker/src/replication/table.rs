//! Which partitions this broker has, by name and by log; and the ear that the store speaks into. The journal's thread takes
//! the table's lock for reading and one partition's state lock at a time.

use super::partition::{Effects, FailureCell, Partition};
use crate::{
    ids::{LogId, Offset, TopicPartition},
    storage::{StoreFailure, StoreListener},
};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The partitions.
#[derive(Default)]
pub(super) struct ReplicaTable {
    maps: RwLock<Maps>,
    failure: FailureCell,
    /// Logs that have records: the only ones retention looks at.
    with_records: Mutex<BTreeSet<LogId>>,
    /// Partitions whose logs have not been told their high watermark yet.
    advanced: Mutex<Vec<Arc<Partition>>>,
}

#[derive(Default)]
struct Maps {
    by_name: BTreeMap<TopicPartition, Arc<Partition>>,
    by_log: BTreeMap<LogId, Arc<Partition>>,
}

impl ReplicaTable {
    pub(super) fn failure(&self) -> &FailureCell {
        &self.failure
    }

    pub(super) fn get(&self, id: TopicPartition) -> Option<Arc<Partition>> {
        self.maps.read().by_name.get(&id).cloned()
    }

    pub(super) fn by_log(&self, log: LogId) -> Option<Arc<Partition>> {
        self.maps.read().by_log.get(&log).cloned()
    }

    pub(super) fn insert(&self, partition: Arc<Partition>) {
        self.note_records_of(&partition);
        let mut maps = self.maps.write();
        maps.by_log.insert(partition.log_id, Arc::clone(&partition));
        maps.by_name.insert(partition.id, partition);
    }

    pub(super) fn remove_log(&self, log: LogId) -> Option<Arc<Partition>> {
        let mut maps = self.maps.write();
        let partition = maps.by_log.remove(&log)?;
        maps.by_name.remove(&partition.id);
        drop(maps);
        self.with_records.lock().remove(&log);
        Some(partition)
    }

    /// All of them, in order.
    pub(super) fn all(&self) -> Vec<Arc<Partition>> {
        self.maps.read().by_log.values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.maps.read().by_log.len()
    }

    /// The partition may have its first record now.
    pub(super) fn note_records_of(&self, partition: &Partition) {
        if partition.has_news_for_retention() {
            self.with_records.lock().insert(partition.log_id);
        }
    }

    pub(super) fn logs_with_records(&self) -> Vec<LogId> {
        self.with_records.lock().iter().copied().collect()
    }

    /// Tells the logs their high watermarks: before a checkpoint stores them.
    pub(super) fn note_high_watermarks(&self) {
        let advanced = std::mem::take(&mut *self.advanced.lock());
        advanced.iter().for_each(|partition| partition.note_high_watermark());
    }

    /// Offsets rose in the journal.
    fn advance(&self, advances: &[(LogId, Offset)], tell: impl Fn(&Partition, Offset, &mut Effects) -> bool) {
        let mut effects = Effects::default();
        let maps = self.maps.read();
        for (log, end) in advances {
            // A log without a partition: its topic was deleted a moment ago, or it is only being recovered.
            if let Some(partition) = maps.by_log.get(log)
                && tell(partition, *end, &mut effects)
            {
                self.advanced.lock().push(Arc::clone(partition));
            }
        }
        drop(maps);
        effects.run();
    }

    /// Forgets everything: the partitions hold logs, and the store holds this table.
    pub(super) fn clear(&self) {
        let maps = std::mem::take(&mut *self.maps.write());
        self.advanced.lock().clear();
        let mut effects = Effects::default();
        maps.by_log.values().for_each(|partition| partition.abandon(&mut effects));
        effects.run();
    }
}

impl StoreListener for ReplicaTable {
    fn written_advanced(&self, advances: &[(LogId, Offset)]) {
        self.advance(advances, Partition::on_written);
    }

    fn durable_advanced(&self, advances: &[(LogId, Offset)]) {
        self.advance(advances, Partition::on_durable);
    }

    fn store_failed(&self, failure: &StoreFailure) {
        // Before anybody is told: who parks behind this sees it.
        let _ = self.failure.set(failure.clone());
        let mut effects = Effects::default();
        self.all().iter().for_each(|partition| partition.on_failure(&mut effects));
        effects.run();
    }
}
