//! Plain threads that validate and append. A partition always has the same lane, so its requests keep their order; a lane
//! that is idle takes a request at once.

use parking_lot::{Condvar, Mutex};
use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

struct Lane<J> {
    queue: Mutex<Queue<J>>,
    ready: Condvar,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    closed: bool,
}

/// Several lanes with one kind of work.
pub(super) struct LaneSet<J> {
    lanes: Vec<Arc<Lane<J>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    jobs_max: usize,
}

/// Why a job was not taken; it comes back.
pub(super) enum Refused<J> {
    Full(J),
    Closed(J),
}

impl<J: Send + 'static> LaneSet<J> {
    /// Starts the threads; each runs `work` on its jobs, in order.
    pub(super) fn start(
        count: usize,
        jobs_max: usize,
        work: impl Fn(J) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let work = Arc::new(work);
        let mut set = Self { lanes: Vec::new(), threads: Mutex::default(), jobs_max };
        for number in 0..count {
            let queue = Mutex::new(Queue { jobs: VecDeque::new(), closed: false });
            let lane = Arc::new(Lane { queue, ready: Condvar::new() });
            let (own, work) = (Arc::clone(&lane), Arc::clone(&work));
            let run = move || {
                while let Some(job) = own.next() {
                    work(job);
                }
            };
            let thread = thread::Builder::new().name(format!("lane-{number}")).spawn(run)?;
            set.lanes.push(lane);
            set.threads.get_mut().push(thread);
        }
        Ok(set)
    }

    /// Puts a job on the lane of `key`.
    pub(super) fn submit(&self, key: u64, job: J) -> Result<(), Refused<J>> {
        let count = self.lanes.len() as u64;
        let number = key.checked_rem(count).and_then(|number| usize::try_from(number).ok());
        let Some(lane) = number.and_then(|number| self.lanes.get(number)) else {
            return Err(Refused::Closed(job));
        };
        let mut queue = lane.queue.lock();
        if queue.closed {
            return Err(Refused::Closed(job));
        }
        if queue.jobs.len() >= self.jobs_max {
            return Err(Refused::Full(job));
        }
        queue.jobs.push_back(job);
        drop(queue);
        lane.ready.notify_one();
        Ok(())
    }

    /// Jobs that one lane holds at most.
    pub(super) fn jobs_max(&self) -> usize {
        self.jobs_max
    }

    /// Jobs that wait.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.queue.lock().jobs.len()).sum()
    }

    /// Takes no more, finishes what waits, ends the threads. Idempotent.
    pub(super) fn close(&self) {
        for lane in &self.lanes {
            lane.queue.lock().closed = true;
            lane.ready.notify_all();
        }
        for thread in std::mem::take(&mut *self.threads.lock()) {
            // A panic has been reported by its thread; in a release build it ended the process.
            let _ = thread.join();
        }
    }
}

impl<J> Drop for LaneSet<J> {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.queue.lock().closed = true;
            lane.ready.notify_all();
        }
    }
}

impl<J> Lane<J> {
    fn next(&self) -> Option<J> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            self.ready.wait(&mut queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_keeps_its_order_and_finishes_before_it_closes() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        let lanes = LaneSet::start(3, 1000, move |job: (u64, u32)| into.lock().push(job)).expect("threads");
        for number in 0..300 {
            assert!(lanes.submit(u64::from(number % 5), (u64::from(number % 5), number)).is_ok());
        }
        lanes.close();
        let seen = seen.lock();
        assert_eq!(seen.len(), 300);
        for key in 0..5 {
            let of_key: Vec<u32> =
                seen.iter().filter(|(k, _)| *k == key).map(|(_, number)| *number).collect();
            assert!(of_key.is_sorted(), "{of_key:?}");
        }
        assert!(matches!(lanes.submit(0, (0, 0)), Err(Refused::Closed(_))));
    }

    #[test]
    fn a_full_lane_refuses() {
        let gate = Arc::new(Mutex::new(()));
        let (inner, held) = (Arc::clone(&gate), gate.lock());
        let lanes = LaneSet::start(1, 2, move |(): ()| drop(inner.lock())).expect("a thread");
        let accepted = (0..4).filter(|_| lanes.submit(0, ()).is_ok()).count();
        // Two wait, and one may have been taken in hand already.
        assert!((2..=3).contains(&accepted), "{accepted}");
        assert!(matches!(lanes.submit(0, ()), Err(Refused::Full(()))) || accepted == 2);
        drop(held);
        lanes.close();
    }
}
