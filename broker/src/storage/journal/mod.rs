//! The journal of one directory: every change of every log as a frame, in one order, in a ring of prewritten files. One
//! group of frames is one aligned write and one sync; what a sync has covered is durable.
//!
//! What always holds:
//! * A frame's sequence number is its place in the order of all frames of the store's life; numbers are never used twice.
//! * Every group begins on a block of its own; a block that was synced is not written again within its lap.
//! * Nothing is reported durable before the sync that covers it has succeeded. The first failed write or sync of a group
//!   is final: nothing is written, synced or reported after it.

mod scan;

pub(super) use scan::{JournalDamage, Scan};

use super::{JournalOptions, OpenError, StoreFailure, frame::Frame};
use crate::{
    clock::SharedClock,
    disk::{DiskError, SharedDisk},
    ids::{LogId, Offset},
};
use std::{path::PathBuf, sync::Arc};

/// What a journal is opened with.
pub(super) struct JournalSetup {
    pub(super) disk: SharedDisk,
    /// The journal's own directory; created if it is missing (its parent must exist).
    pub(super) directory: PathBuf,
    pub(super) options: JournalOptions,
    pub(super) clock: SharedClock,
}

/// What became of a log by the frames of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JournalEnd {
    /// The log ends here, as of the frame with the sequence (append, truncate, create).
    At { sequence: u64, end: Offset },
    /// It was deleted.
    Deleted { sequence: u64 },
    /// Its end did not move (log start, epoch).
    Unmoved { sequence: u64 },
}

/// Whom the committing thread tells. Short and non-blocking; called without any lock of the journal but the committer's,
/// so it must not call [`Journal::step`].
pub(super) trait CommitListener: Send + Sync {
    /// All frames below this sequence are durable; `ends` has one entry for each log of the group, ascending.
    fn synced(&self, below: u64, ends: &[(LogId, JournalEnd)]);
    /// The directory is fenced. Called once.
    fn failed(&self, failure: &StoreFailure);
}

/// How a wait for room ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Room {
    /// An append may be enqueued.
    Free,
    /// Only when stepped: everything queued is synced and the ring still has no place. A checkpoint makes some.
    RingFull,
}

/// A journal. Cheap to clone.
#[derive(Clone)]
pub(super) struct Journal(());

#[expect(unused_variables, clippy::unused_self, reason = "a skeleton; bodies follow")]
impl Journal {
    /// Begins a new lap in a fresh file, synced before use. Nothing is committed before one of the starts below.
    pub(super) fn open(setup: JournalSetup, found: &Scan) -> Result<Journal, OpenError> {
        unimplemented!()
    }

    /// Commits from now on, on a thread of the journal's own.
    pub(super) fn start_thread(&self, listener: Arc<dyn CommitListener>) -> Result<(), OpenError> {
        unimplemented!()
    }

    /// Commits when [`Journal::step`] is called.
    pub(super) fn start_stepped(&self, listener: Arc<dyn CommitListener>) {
        unimplemented!()
    }

    /// Takes a frame and gives it the next sequence. Called under the log's lock; never blocks on I/O.
    pub(super) fn enqueue(&self, frame: Frame) -> Result<u64, StoreFailure> {
        unimplemented!()
    }

    /// Before an append, outside the log's lock: blocks (or steps) while the queue or the ring is full.
    pub(super) fn wait_for_room(&self) -> Result<Room, StoreFailure> {
        unimplemented!()
    }

    /// Blocks (or steps) until all frames below the sequence are durable. `false` only when stepped and the ring is full.
    pub(super) fn wait_synced(&self, below: u64) -> Result<bool, StoreFailure> {
        unimplemented!()
    }

    /// One group, or a witness that is due: gather, write, sync, tell. `false` when there is nothing to do or no place.
    pub(super) fn step(&self) -> bool {
        unimplemented!()
    }

    /// All frames below are durable.
    pub(super) fn synced(&self) -> u64 {
        unimplemented!()
    }

    /// What the next frame will get.
    pub(super) fn next_sequence(&self) -> u64 {
        unimplemented!()
    }

    /// Bytes of the ring that hold frames no checkpoint covers.
    pub(super) fn uncheckpointed_bytes(&self) -> u64 {
        unimplemented!()
    }

    /// Whether appends wait for the ring: a checkpoint is urgent. It must take [`Journal::synced`] as it is, not wait.
    pub(super) fn is_ring_full(&self) -> bool {
        unimplemented!()
    }

    /// The largest frame (a batch and a little) that the ring can ever take.
    pub(super) fn batch_bytes_max(&self) -> usize {
        unimplemented!()
    }

    /// A durable checkpoint covers all frames below: whole files below it become free.
    pub(super) fn recycle(&self, sequence: u64) {
        unimplemented!()
    }

    /// Whether [`Journal::prepare`] has something to do. Rises when the committer begins another file.
    pub(super) fn wants_prepare(&self) -> bool {
        unimplemented!()
    }

    /// Writes the next file's zeros, a bounded piece a call; `true` if more is to do. A refusal (no space) gives the space
    /// back and returns `false`; call again later.
    pub(super) fn prepare(&self) -> Result<bool, StoreFailure> {
        unimplemented!()
    }

    /// Fences the directory. The first cause wins and is returned.
    pub(super) fn fail(&self, cause: DiskError) -> StoreFailure {
        unimplemented!()
    }

    /// Why the directory is fenced, if it is.
    pub(super) fn failure(&self) -> Option<StoreFailure> {
        unimplemented!()
    }

    /// Commits what is queued and its witness, then ends the thread. Nothing may be enqueued afterwards. Idempotent.
    pub(super) fn close(&self) -> Result<(), StoreFailure> {
        unimplemented!()
    }
}
