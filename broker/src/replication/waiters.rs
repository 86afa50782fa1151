//! Who waits for a partition: acknowledgements by the end of their batch, fetches by their offset. Everything that is
//! parked leaves exactly once; it is called by whoever took it out, outside the partition's lock.

use super::{Acks, FetchWaker, OnProduced, ProduceError, Produced};
use crate::ids::Offset;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};

/// An answer on its way out.
pub(super) struct Completion {
    pub(super) done: OnProduced,
    pub(super) result: Result<Produced, ProduceError>,
}

impl Completion {
    pub(super) fn complete(self) {
        (self.done)(self.result);
    }
}

/// A partition's answers on their way out. Whoever decided them, they are told in the order of the decisions: one thread at
/// a time empties it, and takes along what the others put in meanwhile.
#[derive(Default)]
pub(super) struct Outbox {
    queue: Mutex<VecDeque<Completion>>,
    telling: Mutex<()>,
}

impl Outbox {
    /// Puts an answer in, under the lock under which it was decided.
    pub(super) fn push(&self, completion: Completion) {
        self.queue.lock().push_back(completion);
    }

    /// Tells everything that is in it, without any lock of the partition. Returns at once where another call of this is at
    /// work, on another thread or further up on this one.
    pub(super) fn flush(&self) {
        while let Some(telling) = self.telling.try_lock() {
            while let Some(completion) = self.take() {
                completion.complete();
            }
            drop(telling);
            // Put in after the last look, by somebody who found us still at work.
            if self.queue.lock().is_empty() {
                return;
            }
        }
    }

    fn take(&self) -> Option<Completion> {
        self.queue.lock().pop_front()
    }
}

/// A batch that is in the log and not yet answered.
pub(super) struct Parked {
    pub(super) produced: Produced,
    pub(super) done: OnProduced,
}

/// Acknowledgements of one kind, by ascending end.
#[derive(Default)]
struct Queue(VecDeque<Parked>);

impl Queue {
    fn push(&mut self, parked: Parked) {
        // A duplicate ends where its original did, everything else at the log's end: almost always the back.
        let end = parked.produced.end_offset;
        let at = match self.0.back() {
            Some(last) if last.produced.end_offset > end => {
                self.0.partition_point(|other| other.produced.end_offset <= end)
            }
            _ => self.0.len(),
        };
        self.0.insert(at, parked);
    }

    fn pop_covered(&mut self, covered: Offset) -> Option<Parked> {
        self.0.pop_front_if(|first| first.produced.end_offset <= covered)
    }
}

/// All acknowledgements that wait on one partition.
#[derive(Default)]
pub(super) struct AckWaiters {
    all: Queue,
    leader: Queue,
}

impl AckWaiters {
    /// Parks a batch that is not covered yet.
    pub(super) fn push(&mut self, acks: Acks, parked: Parked) {
        match acks {
            Acks::All => self.all.push(parked),
            Acks::Leader | Acks::None => self.leader.push(parked),
        }
    }

    /// The next acks=all batch that ends at or below the high watermark.
    pub(super) fn pop_committed(&mut self, high_watermark: Offset) -> Option<Parked> {
        self.all.pop_covered(high_watermark)
    }

    /// The next acks=leader batch that ends at or below the leader's own offset.
    pub(super) fn pop_own(&mut self, own: Offset) -> Option<Parked> {
        self.leader.pop_covered(own)
    }

    /// Everything, in order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Parked> + '_ {
        self.all.0.drain(..).chain(self.leader.0.drain(..))
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.all.0.len() + self.leader.0.len()
    }
}

struct ParkedFetch {
    offset: Offset,
    waker: Arc<dyn FetchWaker>,
    token: u64,
}

/// Fetches that wait at the end of one partition.
#[derive(Default)]
pub(super) struct FetchWaiters(Vec<ParkedFetch>);

/// A fetch to be woken.
pub(super) struct Wake {
    waker: Arc<dyn FetchWaker>,
    token: u64,
}

impl Wake {
    pub(super) fn wake(self) {
        self.waker.wake(self.token);
    }
}

impl FetchWaiters {
    /// Parks; the same waker and token once.
    pub(super) fn push(&mut self, offset: Offset, waker: &Arc<dyn FetchWaker>, token: u64) {
        self.remove(waker, token);
        self.0.push(ParkedFetch { offset, waker: Arc::clone(waker), token });
    }

    pub(super) fn remove(&mut self, waker: &Arc<dyn FetchWaker>, token: u64) {
        self.0.retain(|parked| parked.token != token || !Arc::ptr_eq(&parked.waker, waker));
    }

    /// Those that have something to read below `readable`, in the order they were parked.
    pub(super) fn take_readable(&mut self, readable: Offset, into: &mut Vec<Wake>) {
        let ready = self.0.extract_if(.., |parked| parked.offset < readable);
        into.extend(ready.map(|ParkedFetch { waker, token, .. }| Wake { waker, token }));
    }

    /// All of them: leadership or existence changed.
    pub(super) fn take_all(&mut self, into: &mut Vec<Wake>) {
        into.extend(self.0.drain(..).map(|ParkedFetch { waker, token, .. }| Wake { waker, token }));
    }
}

#[cfg(test)]
mod tests;
