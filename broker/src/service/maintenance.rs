//! The one background thread of the broker: retention, write-back, journal preparation, checkpoints. It sleeps until it is
//! due or until something was written; an idle broker has it asleep for good.

use parking_lot::{Condvar, Mutex};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Between two rounds, however much is written: a round costs a walk over what was touched.
const ROUND_EVERY_MIN: Duration = Duration::from_millis(20);

/// Wakes the thread. Cheap to clone; while a wake is pending, another one costs one atomic operation.
#[derive(Clone, Debug, Default)]
pub struct Maintenance {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Something was written since the last round began.
    pending: AtomicBool,
    stop: Mutex<bool>,
    changed: Condvar,
}

/// The running thread.
#[derive(Debug)]
pub struct MaintenanceThread {
    maintenance: Maintenance,
    thread: Option<JoinHandle<()>>,
}

impl Maintenance {
    /// Something was written: there may be work.
    pub fn wake(&self) {
        if !self.shared.pending.swap(true, Ordering::AcqRel) {
            // Under the lock: the thread looks at `pending` and falls asleep in one step.
            let _stop = self.shared.stop.lock();
            self.shared.changed.notify_one();
        }
    }

    /// Starts the thread. `round` does one round of work and says when it wants the next one at the latest; `None`: only
    /// after the next wake.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn start(
        &self,
        round: impl Fn() -> Option<Duration> + Send + 'static,
    ) -> io::Result<MaintenanceThread> {
        let inner = self.clone();
        let body = move || {
            loop {
                // Before the round: what is written during it may need another one.
                inner.shared.pending.store(false, Ordering::Release);
                let due = round();
                if !inner.wait(due) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("cairn-maintain".into()).spawn(body)?;
        Ok(MaintenanceThread { maintenance: self.clone(), thread: Some(thread) })
    }

    /// Sleeps until the next round; `false` when there is none.
    fn wait(&self, due: Option<Duration>) -> bool {
        let mut stop = self.shared.stop.lock();
        while !*stop && !self.shared.pending.load(Ordering::Acquire) {
            match due {
                None => self.shared.changed.wait(&mut stop),
                Some(due) => {
                    if self.shared.changed.wait_for(&mut stop, due).timed_out() {
                        break;
                    }
                }
            }
        }
        if !*stop && self.shared.pending.load(Ordering::Acquire) {
            self.shared.changed.wait_for(&mut stop, ROUND_EVERY_MIN);
        }
        !*stop
    }
}

impl MaintenanceThread {
    /// Ends the thread after the round it is in. Blocking.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        *self.maintenance.shared.stop.lock() = true;
        self.maintenance.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in it has been reported already, and in a release build ended the process.
            let _ = thread.join();
        }
    }
}

impl Drop for MaintenanceThread {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn it_sleeps_until_it_is_woken_and_ends_when_told() {
        let (rounds, seen) = mpsc::channel();
        let maintenance = Maintenance::default();
        let thread = maintenance.start(move || {
            rounds.send(()).expect("the test waits");
            None
        });
        let thread = thread.expect("a thread");
        seen.recv().expect("the first round");
        assert!(seen.recv_timeout(Duration::from_millis(100)).is_err(), "a round although nobody woke it");
        maintenance.wake();
        seen.recv_timeout(Duration::from_secs(10)).expect("a round after the wake");
        thread.stop();
        assert!(seen.recv().is_err(), "a round after the end");
    }

    #[test]
    fn it_comes_back_when_due() {
        let (rounds, seen) = mpsc::channel();
        let thread = Maintenance::default().start(move || {
            rounds.send(()).expect("the test waits");
            Some(Duration::from_millis(1))
        });
        let thread = thread.expect("a thread");
        for _ in 0..5 {
            seen.recv_timeout(Duration::from_secs(10)).expect("a round");
        }
        thread.stop();
    }
}
