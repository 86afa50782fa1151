//! When each record is due. With a rate, latency counts from that moment and not from when the sender got to it: a broker
//! that stalls must not hide the records it held up (coordinated omission).

use crate::stopwatch::Stopwatch;
use std::{sync::Arc, thread, time::Duration};
use tokio::sync::Notify;

/// How often a waiting sender looks which records are due.
const TICK: Duration = Duration::from_micros(500);

/// The times, since a common start, at which one connection's records are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Between two records of this connection.
    interval: Option<Duration>,
    /// Of its first record.
    first: Duration,
}

impl Schedule {
    /// The share of connection `index` out of `connections` in a total rate; connections take turns.
    #[expect(clippy::cast_precision_loss, reason = "rates below 2^53")]
    pub(super) fn share(rate: Option<u64>, index: u64, connections: u64) -> Self {
        let interval = rate.map(|rate| Duration::from_secs_f64(connections as f64 / rate as f64));
        let first = rate.map(|rate| Duration::from_secs_f64(index as f64 / rate as f64));
        Self { interval, first: first.unwrap_or_default() }
    }

    /// Whether there is a rate.
    pub(super) fn is_paced(&self) -> bool {
        self.interval.is_some()
    }

    /// When this record is due; `None` for as soon as possible.
    pub(super) fn due(&self, record: u64) -> Option<Duration> {
        let interval = self.interval?;
        #[expect(clippy::cast_precision_loss, reason = "a bench has fewer than 2^53 records")]
        Some(self.first + interval.mul_f64(record as f64))
    }
}

/// Wakes a sender often and precisely: the runtime's timers only know milliseconds.
#[derive(Debug)]
pub(super) struct Ticker(Arc<Notify>);

impl Ticker {
    /// Ticks as long as it lives.
    pub(super) fn start() -> Self {
        let notify = Arc::new(Notify::new());
        let ticked = Arc::downgrade(&notify);
        thread::spawn(move || {
            while let Some(notify) = ticked.upgrade() {
                notify.notify_one();
                drop(notify);
                thread::sleep(TICK);
            }
        });
        Self(notify)
    }

    /// Ticks only if somebody will wait.
    pub(super) fn start_if(wanted: bool) -> Option<Self> {
        wanted.then(Self::start)
    }

    /// Resolves when so much time has passed on the stopwatch.
    pub(super) async fn wait_until(&self, stopwatch: Stopwatch, due: Duration) {
        while stopwatch.elapsed() < due {
            self.0.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_take_turns_in_the_total_rate() {
        let shares = [0, 1].map(|index| Schedule::share(Some(1000), index, 2));
        let due = |record: u64, share: usize| shares[share].due(record).unwrap().as_micros();
        assert_eq!([due(0, 0), due(0, 1), due(1, 0), due(1, 1)], [0, 1000, 2000, 3000]);
        assert_eq!(due(500_000, 0), 1_000_000_000);
        assert_eq!(Schedule::share(None, 0, 1).due(7), None);
    }

    #[tokio::test]
    async fn a_wait_is_long_enough_and_its_thread_ends() {
        let (stopwatch, ticker) = (Stopwatch::start(), Ticker::start());
        ticker.wait_until(stopwatch, Duration::from_millis(5)).await;
        assert!(stopwatch.elapsed() >= Duration::from_millis(5));
        let weak = Arc::downgrade(&ticker.0);
        drop(ticker);
        while weak.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
