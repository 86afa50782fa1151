//! What the journal's handles and its committer share, and in which order its locks are taken: committer, ring, queue. The
//! listener is called with the committer's lock held and no other.

use super::{
    CommitListener,
    committer::{Committer, GroupBytes},
    prepare::Preparation,
    queue::Queue,
    queue::Stage,
    ring::Ring,
};
use crate::{
    clock::SharedClock,
    disk::{DiskError, SharedDisk},
    storage::{JournalOptions, StoreFailure},
};
use parking_lot::Mutex;
use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Everything of a journal.
pub(super) struct Shared {
    pub(super) disk: SharedDisk,
    pub(super) directory: PathBuf,
    pub(super) options: JournalOptions,
    pub(super) clock: SharedClock,
    /// All files together; at most what the options say.
    pub(super) ring_bytes_max: u64,
    /// What groups are aligned to.
    pub(super) block_bytes: u64,
    pub(super) committer: Mutex<Committer>,
    pub(super) ring: Mutex<Ring>,
    pub(super) queue: Queue,
    pub(super) preparation: Mutex<Preparation>,
    pub(super) listener: Mutex<Option<Arc<dyn CommitListener>>>,
    pub(super) failure: OnceLock<StoreFailure>,
    pub(super) bytes_uncovered: AtomicU64,
    pub(super) wants_prepare: AtomicBool,
    /// The lap of this start has begun; nothing is committed before.
    pub(super) has_begun: AtomicBool,
}

impl Shared {
    /// One group.
    pub(super) fn step(&self) -> bool {
        self.committer.lock().step(self)
    }

    /// What the committer's thread does until it is told to end.
    pub(super) fn run(&self) {
        while self.queue.wait_for_work(&*self.clock, self.options.witness_after) {
            self.step();
        }
        self.queue.set_stage(Stage::Stopped);
    }

    /// Makes the ring's numbers known to those who do not take its lock.
    pub(super) fn publish(&self, ring: &Ring) {
        self.bytes_uncovered.store(ring.bytes_uncovered(), Ordering::Release);
        self.wants_prepare.store(self.is_prepare_wanted(ring), Ordering::Release);
        self.queue.lock().append_room = ring.append_room();
    }

    /// The ring got place: whoever waits for it looks again.
    pub(super) fn unblock(&self, ring: &Ring) {
        self.publish(ring);
        self.queue.lock().blocked = false;
        self.queue.notify();
    }

    /// A group is durable.
    pub(super) fn group_synced(&self, below: u64, group: GroupBytes, only_witness: bool) {
        let mut queue = self.queue.lock();
        assert!(queue.synced < below, "the synced sequence went from {} to {below}", queue.synced);
        queue.synced = below;
        queue.bytes -= group.bytes;
        queue.ring_bytes -= group.ring_bytes;
        queue.unwitnessed_since = if only_witness { None } else { Some(self.clock.now()) };
        drop(queue);
        self.queue.notify_progress();
    }

    /// Calls the listener, if there is one.
    pub(super) fn tell(&self, call: impl FnOnce(&dyn CommitListener)) {
        let listener = self.listener.lock().clone();
        if let Some(listener) = listener {
            call(&*listener);
        }
    }

    /// Fences the directory; the first cause wins.
    pub(super) fn fail(&self, cause: DiskError) -> StoreFailure {
        let mut is_first = false;
        let failure = self.failure.get_or_init(|| {
            is_first = true;
            StoreFailure { cause: Arc::new(cause) }
        });
        if is_first {
            self.queue.set_stage(Stage::Stopped);
            self.tell(|listener| listener.failed(failure));
        }
        failure.clone()
    }

    pub(super) fn failure(&self) -> Option<StoreFailure> {
        self.failure.get().cloned()
    }

    /// What a call on a journal that takes nothing any more returns.
    pub(super) fn refusal(&self) -> StoreFailure {
        self.failure().unwrap_or_else(|| {
            let detail = "the journal is closed".to_string();
            let kind = crate::disk::DiskErrorKind::Failed;
            StoreFailure {
                cause: Arc::new(DiskError { kind, operation: "write", path: self.directory.clone(), detail }),
            }
        })
    }
}
