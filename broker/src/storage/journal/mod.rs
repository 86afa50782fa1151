//! The journal of one directory: every change of every log as a frame, in one order, in a ring of prewritten files. One
//! group of frames is one aligned write and one sync; what a sync has covered is durable.
//!
//! What always holds:
//! * A frame's sequence number is its place in the order of all frames of the store's life; numbers are never used twice.
//! * Every group begins on a block of its own; a block that was synced is not written again within its lap.
//! * Nothing is reported durable before the sync that covers it has succeeded. The first failed write or sync of a group
//!   is final: nothing is written, synced or reported after it.

mod chain;
mod check;
mod committer;
mod file;
mod file_bytes;
mod frame_codec;
mod fuzz;
mod handle;
mod header;
mod open;
mod prepare;
mod queue;
mod ring;
mod scan;
mod shared;
#[cfg(test)]
mod tests;
mod walk;

#[allow(unused_imports, reason = "the store's verification uses it next")]
pub(super) use check::{JournalCheck, check};
pub use fuzz::fuzz_journal_frame;
#[allow(unused_imports, reason = "the store's recovery uses it next")]
pub(super) use scan::{JournalDamage, Scan};

use super::{JournalOptions, OpenError, StoreFailure, frame::Frame};
use crate::{
    clock::SharedClock,
    disk::{DiskError, SharedDisk},
    ids::{LogId, Offset},
};
use frame_codec::{APPEND_BYTES, encoded_bytes};
use handle::Handle;
use queue::Stage;
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

impl JournalEnd {
    /// Of the frame that made it so.
    pub(super) fn sequence(self) -> u64 {
        match self {
            JournalEnd::At { sequence, .. }
            | JournalEnd::Deleted { sequence }
            | JournalEnd::Unmoved { sequence } => sequence,
        }
    }

    /// Both in one, `self` being the later.
    fn after(self, earlier: JournalEnd) -> JournalEnd {
        if matches!(self, JournalEnd::Unmoved { .. }) { earlier } else { self }
    }
}

/// Whom the committing thread tells. Short and non-blocking; called without any lock of the journal but the committer's,
/// so it must not call [`Journal::step`].
pub(super) trait CommitListener: Send + Sync {
    /// All frames below this sequence are durable; `ends` has one entry for each log of the group, ascending.
    fn synced(&self, below: u64, ends: &[(LogId, JournalEnd)]);
    /// Whether [`CommitListener::written`] is of interest; asked once a group.
    fn wants_written(&self) -> bool {
        false
    }
    /// A group's write has returned and its sync begins: a crash of the process loses none of it from here on, a power cut
    /// may. `ends` are those that [`CommitListener::synced`] tells next, if the sync succeeds.
    fn written(&self, _ends: &[(LogId, JournalEnd)]) {}
    /// The directory is fenced. Called once.
    fn failed(&self, failure: &StoreFailure);
    /// The first frame found no place in the ring: it waits for a checkpoint or a prepared file.
    fn ring_full(&self) {}
}

/// How a wait for room ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Room {
    /// An append may be enqueued.
    Free,
    /// Stepped: everything queued is synced and the ring still has no place. Otherwise: it has none, and nothing has changed
    /// for a moment. A checkpoint makes some.
    RingFull,
}

/// A journal. Cheap to clone; when the last clone is dropped, the thread ends after the group in flight.
#[derive(Clone)]
pub(super) struct Journal(Arc<Handle>);

impl Journal {
    /// Commits from now on, on a thread of the journal's own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start_thread(&self, listener: Arc<dyn CommitListener>) -> Result<(), OpenError> {
        assert!(self.has_begun(), "a journal is committed to before its lap has begun");
        *self.0.shared.listener.lock() = Some(listener);
        Ok(self.0.start_thread()?)
    }

    /// Commits when [`Journal::step`] is called.
    pub(super) fn start_stepped(&self, listener: Arc<dyn CommitListener>) {
        assert!(self.has_begun(), "a journal is committed to before its lap has begun");
        *self.0.shared.listener.lock() = Some(listener);
    }

    /// Takes a frame and gives it the next sequence. Called under the log's lock; never blocks on I/O.
    ///
    /// # Errors
    /// The directory failed, or the journal is closed: nothing was taken.
    pub(super) fn enqueue(&self, frame: Frame) -> Result<u64, StoreFailure> {
        let bytes = encoded_bytes(&frame);
        let ring_bytes = (bytes as u64).next_multiple_of(self.0.shared.block_bytes);
        self.0.shared.queue.push(frame, bytes, ring_bytes).ok_or_else(|| self.0.shared.refusal())
    }

    /// Before an append, outside the log's lock: blocks (or steps) while the queue is full, and for a moment while the ring is.
    ///
    /// # Errors
    /// The directory failed, or the journal is closed.
    pub(super) fn wait_for_room(&self) -> Result<Room, StoreFailure> {
        let shared = &self.0.shared;
        if !self.0.is_stepped() {
            let room = shared.queue.wait_for_room(shared.options.queue_bytes_max);
            return room.ok_or_else(|| shared.refusal());
        }
        while shared.failure().is_none() {
            if shared.queue.lock().has_room(shared.options.queue_bytes_max) {
                return Ok(Room::Free);
            }
            if !shared.step() {
                return if shared.failure().is_none() { Ok(Room::RingFull) } else { Err(shared.refusal()) };
            }
        }
        Err(shared.refusal())
    }

    /// Blocks (or steps) until all frames below the sequence are durable and the listener knows. `false` only when stepped
    /// and the ring is full.
    ///
    /// # Errors
    /// The directory failed, or the journal was closed before.
    pub(super) fn wait_synced(&self, below: u64) -> Result<bool, StoreFailure> {
        let shared = &self.0.shared;
        if !self.0.is_stepped() {
            return if shared.queue.wait_synced(below) { Ok(true) } else { Err(shared.refusal()) };
        }
        while self.synced() < below {
            if !shared.step() {
                return shared.failure().map_or(Ok(false), Err);
            }
        }
        Ok(true)
    }

    /// One group, or a witness that is due: gather, write, sync, tell. `false` when there is nothing to do or no place.
    pub(super) fn step(&self) -> bool {
        self.0.shared.step()
    }

    /// All frames below are durable, and the listener knows.
    pub(super) fn synced(&self) -> u64 {
        self.0.shared.queue.lock().synced
    }

    /// What the next frame will get.
    pub(super) fn next_sequence(&self) -> u64 {
        self.0.shared.queue.lock().next_sequence
    }

    /// Bytes of the ring that hold frames no checkpoint covers.
    pub(super) fn uncheckpointed_bytes(&self) -> u64 {
        self.0.shared.bytes_uncovered.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Whether appends wait for the ring: a checkpoint is urgent. It must take [`Journal::synced`] as it is, not wait.
    pub(super) fn is_ring_full(&self) -> bool {
        self.0.shared.queue.lock().is_ring_full()
    }

    /// The largest batch that a file of the ring can take now. If the one at hand is larger, the next file that is prepared
    /// can take it.
    pub(super) fn make_fit(&self, batch_bytes: usize) -> usize {
        let shared = &self.0.shared;
        let mut ring = shared.ring.lock();
        let bytes_now = batch_bytes_in(ring.sizes().1);
        if batch_bytes > bytes_now {
            ring.need((batch_bytes + APPEND_BYTES) as u64);
            shared.publish(&ring);
        }
        bytes_now
    }

    /// The largest batch that the ring can take.
    pub(super) fn batch_bytes_max(&self) -> usize {
        let shared = &self.0.shared;
        let (bytes, largest) = shared.ring.lock().sizes();
        let next = shared.options.file_bytes_max.min(shared.ring_bytes_max.saturating_sub(bytes));
        let file_bytes = largest.max(next.saturating_sub(kept_bytes(next)));
        batch_bytes_in(file_bytes)
    }

    /// A durable checkpoint covers all frames below: whole files below it become free. Not to be called by the listener.
    pub(super) fn recycle(&self, sequence: u64) {
        let mut ring = self.0.shared.ring.lock();
        ring.cover(sequence);
        self.0.shared.unblock(&ring);
    }

    /// Whether [`Journal::prepare`] has something to do. Rises when the committer begins another file; stays up when space
    /// was refused.
    pub(super) fn wants_prepare(&self) -> bool {
        self.0.shared.wants_prepare.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Whether [`Journal::prepare`] would take space that it does not have yet.
    pub(super) fn wants_space(&self) -> bool {
        self.wants_prepare() && self.0.shared.preparation.lock().unfinished.is_none()
    }

    /// Writes the next file's zeros, a bounded piece a call; `true` if more is to do. A refusal (no space) gives the space
    /// back and returns `false`; call again later.
    ///
    /// # Errors
    /// The directory failed, now or before.
    pub(super) fn prepare(&self) -> Result<bool, StoreFailure> {
        self.0.shared.prepare()
    }

    /// Fences the directory. The first cause wins and is returned.
    pub(super) fn fail(&self, cause: DiskError) -> StoreFailure {
        self.0.shared.fail(cause)
    }

    /// Why the directory is fenced, if it is.
    pub(super) fn failure(&self) -> Option<StoreFailure> {
        self.0.shared.failure()
    }

    /// Commits what is queued and its witness, ends the thread and lets go of the listener. What the ring has no place for
    /// stays uncommitted: [`Journal::synced`] is below [`Journal::next_sequence`] then. Idempotent.
    ///
    /// # Errors
    /// The directory failed, now or before.
    pub(super) fn close(&self) -> Result<(), StoreFailure> {
        self.0.end(Stage::Draining);
        *self.0.shared.listener.lock() = None;
        self.failure().map_or(Ok(()), Err)
    }
}

/// The largest batch that a file of so many bytes takes in any case.
fn batch_bytes_in(file_bytes: u64) -> usize {
    let free_bytes = file_bytes.saturating_sub(kept_bytes(file_bytes));
    usize::try_from(free_bytes).unwrap_or(usize::MAX).saturating_sub(APPEND_BYTES)
}

/// What a file's head and the end that is kept for control frames take of a file of that size, at most.
fn kept_bytes(file_bytes: u64) -> u64 {
    (file_bytes / 4).clamp(16 << 10, 2 << 20)
}
