//! Frames that wait for the committer, and everybody who waits for it. One lock; nothing slow happens under it.

use super::Room;
use crate::{
    clock::{Clock, Monotonic},
    storage::frame::Frame,
};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{collections::VecDeque, time::Duration};

/// A ring that is full and stays as it is for so long needs help.
const RING_WAIT: Duration = Duration::from_millis(20);
/// A group of so many frames was filled by several writers, or by one that does not wait for each: more will come, and the
/// next group waits for as many. A writer that is alone and waits is never made to wait longer.
const COMPANY_FRAMES: usize = 4;
/// A group of so many bytes is large enough to go at once.
const COMPANY_BYTES: usize = 256 << 10;
/// Nobody waits longer for company: less than a write and its sync take on most disks.
const COMPANY_WAIT: Duration = Duration::from_millis(1);

/// How far the journal is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Frames are taken.
    Open,
    /// What is queued is committed; nothing new is taken.
    Draining,
    /// Nothing more is done.
    Stopped,
}

/// What the committer and its callers agree on.
pub(super) struct State {
    pub(super) frames: VecDeque<Frame>,
    /// Bytes of the frames that are not synced yet, those of the group in flight included.
    pub(super) bytes: usize,
    /// The same, as if each frame were a group: what they take of the ring at most, but for the ends of files.
    pub(super) ring_bytes: u64,
    /// Of the next frame.
    pub(super) next_sequence: u64,
    /// All frames below are durable.
    pub(super) synced: u64,
    /// Bytes of appends that the ring lets in.
    pub(super) append_room: u64,
    /// The first frame found no place; a checkpoint or a prepared file ends that.
    pub(super) blocked: bool,
    /// A group was synced then, and nothing has followed it.
    pub(super) unwitnessed_since: Option<Monotonic>,
    /// Frames of the last group.
    pub(super) last_group_frames: usize,
    /// The committer waits for company: a frame that does not complete it need not wake anybody.
    is_gathering: bool,
    /// Bytes of the frames in the queue.
    pub(super) queued_bytes: usize,
    pub(super) stage: Stage,
}

impl State {
    pub(super) fn has_room(&self, queue_bytes_max: usize) -> bool {
        self.bytes < queue_bytes_max && self.ring_bytes < self.append_room
    }

    pub(super) fn is_ring_full(&self) -> bool {
        self.blocked || self.append_room <= self.ring_bytes
    }

    /// Whether the next group waits: others are likely to come, and they are not here yet.
    fn expects_company(&self, now: Monotonic) -> bool {
        let is_busy = self.unwitnessed_since.is_some_and(|since| now.since(since) < COMPANY_WAIT);
        is_busy && self.last_group_frames >= COMPANY_FRAMES && !self.is_company_here()
    }

    /// Whether the next group is as large as the last one, or large enough.
    fn is_company_here(&self) -> bool {
        self.frames.len() >= self.last_group_frames || self.queued_bytes >= COMPANY_BYTES
    }

    /// How long until the last group needs a witness; `None` when it has one.
    fn witness_in(&self, now: Monotonic, witness_after: Duration) -> Option<Duration> {
        self.unwitnessed_since.map(|since| witness_after.saturating_sub(now.since(since)))
    }

    /// Whether the last group gets its witness now.
    pub(super) fn is_witness_due(&self, now: Monotonic, witness_after: Duration) -> bool {
        let waits = self.witness_in(now, witness_after);
        waits.is_some_and(|waits| waits.is_zero() || self.stage == Stage::Draining)
    }
}

/// The queue.
pub(super) struct Queue {
    state: Mutex<State>,
    /// The committer waits here.
    work: Condvar,
    /// Everybody else waits here.
    progress: Condvar,
}

impl Queue {
    pub(super) fn new(next_sequence: u64, append_room: u64) -> Self {
        let state = State {
            frames: VecDeque::new(),
            bytes: 0,
            ring_bytes: 0,
            next_sequence,
            synced: next_sequence,
            append_room,
            blocked: false,
            unwitnessed_since: None,
            last_group_frames: 0,
            is_gathering: false,
            queued_bytes: 0,
            stage: Stage::Open,
        };
        Self { state: Mutex::new(state), work: Condvar::new(), progress: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Takes a frame; `None` when nothing is taken any more.
    pub(super) fn push(&self, frame: Frame, bytes: usize, ring_bytes: u64) -> Option<u64> {
        let mut state = self.state.lock();
        if state.stage != Stage::Open {
            return None;
        }
        let sequence = state.next_sequence;
        state.next_sequence += 1;
        state.bytes += bytes;
        state.ring_bytes += ring_bytes;
        state.frames.push_back(frame);
        state.queued_bytes += bytes;
        let is_awaited = !state.is_gathering || state.is_company_here();
        drop(state);
        if is_awaited {
            self.work.notify_one();
        }
        Some(sequence)
    }

    /// Something changed that the committer or others may wait for.
    pub(super) fn notify(&self) {
        self.work.notify_one();
        self.progress.notify_all();
    }

    /// The committer tells of progress.
    pub(super) fn notify_progress(&self) {
        self.progress.notify_all();
    }

    /// Ends the taking of frames, or everything.
    pub(super) fn set_stage(&self, stage: Stage) {
        let mut state = self.state.lock();
        if state.stage != Stage::Stopped {
            state.stage = stage;
        }
        drop(state);
        self.notify();
    }

    /// Blocks until the ring and the queue have room, or the ring has none and nothing happens; `None` when the journal
    /// stopped.
    pub(super) fn wait_for_room(&self, queue_bytes_max: usize) -> Option<Room> {
        let mut state = self.state.lock();
        while !state.has_room(queue_bytes_max) {
            if state.stage == Stage::Stopped {
                return None;
            }
            if !state.is_ring_full() {
                self.progress.wait(&mut state);
            } else if self.progress.wait_for(&mut state, RING_WAIT).timed_out()
                && !state.has_room(queue_bytes_max)
                && state.is_ring_full()
            {
                return (state.stage == Stage::Open).then_some(Room::RingFull);
            }
        }
        (state.stage == Stage::Open).then_some(Room::Free)
    }

    /// Blocks until all frames below are durable; `false` when the journal stopped before that.
    pub(super) fn wait_synced(&self, below: u64) -> bool {
        let mut state = self.state.lock();
        while state.synced < below && state.stage != Stage::Stopped {
            self.progress.wait(&mut state);
        }
        state.synced >= below
    }

    /// Parks the committer until there is something to do; `false` when it is to end. Nothing wakes it while idle.
    pub(super) fn wait_for_work(&self, clock: &dyn Clock, witness_after: Duration) -> bool {
        let mut state = self.state.lock();
        loop {
            match state.stage {
                Stage::Stopped => return false,
                Stage::Draining if state.blocked => return false,
                Stage::Draining => return !state.frames.is_empty() || state.unwitnessed_since.is_some(),
                Stage::Open => {}
            }
            let witness_in = state.witness_in(clock.now(), witness_after);
            match witness_in {
                _ if state.blocked => self.work.wait(&mut state),
                _ if !state.frames.is_empty() => {
                    self.gather_company(&mut state, clock);
                    return true;
                }
                Some(wait) if wait.is_zero() => return true,
                Some(wait) => {
                    self.work.wait_for(&mut state, wait);
                }
                None => self.work.wait(&mut state),
            }
        }
    }

    /// Lets the queue fill up for a moment behind a group of several frames: fewer and larger groups cost everybody less.
    /// Ends early when there is enough, and when the journal is to end.
    fn gather_company(&self, state: &mut MutexGuard<'_, State>, clock: &dyn Clock) {
        if !state.expects_company(clock.now()) {
            return;
        }
        state.is_gathering = true;
        // Other calls than a frame's may wake it too early: that is no harm, and rare.
        self.work.wait_for(state, COMPANY_WAIT);
        state.is_gathering = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::LogId, storage::frame::FrameBody};

    fn push(queue: &Queue, bytes: usize) {
        queue.push(Frame { log: LogId(1), body: FrameBody::Synced }, bytes, 4096).expect("open");
    }

    /// A queue behind a group of so many frames that was synced at 0.
    fn behind(last_group_frames: usize) -> Queue {
        let queue = Queue::new(0, u64::MAX);
        let mut state = queue.lock();
        state.last_group_frames = last_group_frames;
        state.unwitnessed_since = Some(Monotonic(Duration::ZERO));
        drop(state);
        queue
    }

    fn expects_company(queue: &Queue, after: Duration) -> bool {
        queue.lock().expects_company(Monotonic(after))
    }

    #[test]
    fn only_a_group_of_several_frames_makes_the_next_one_wait() {
        for (frames, waits) in [(0, false), (1, false), (COMPANY_FRAMES - 1, false), (COMPANY_FRAMES, true)] {
            let queue = behind(frames);
            push(&queue, 100);
            assert_eq!(expects_company(&queue, Duration::ZERO), waits, "behind {frames} frames");
        }
    }

    #[test]
    fn it_waits_for_as_many_frames_or_enough_bytes_and_not_when_nobody_came_for_long() {
        let queue = behind(6);
        for _ in 0..5 {
            push(&queue, 100);
            assert!(expects_company(&queue, Duration::ZERO));
            assert!(!expects_company(&queue, COMPANY_WAIT), "who writes now and then is alone");
        }
        push(&queue, 100);
        assert!(!expects_company(&queue, Duration::ZERO), "all six are here");
        let queue = behind(6);
        push(&queue, COMPANY_BYTES);
        assert!(!expects_company(&queue, Duration::ZERO), "it is large enough");
    }
}
