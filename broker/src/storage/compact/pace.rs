//! How much compaction may read and write now: a bucket that fills with time, so that other work has the disk in between.

use crate::clock::Monotonic;
use std::time::Duration;

/// One step moves at most so much, however long nothing was done: a round of background work stays short.
const STEP_BYTES_MAX: u64 = 4 << 20;
/// Less than this is not worth a round.
const STEP_BYTES_MIN: u64 = 64 << 10;
/// Between two steps at the most.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The bucket.
pub(super) struct Pace {
    bytes_per_second: u64,
    at: Monotonic,
    bytes: u64,
    /// Used and not yet earned: a step ends with a whole batch.
    owed_bytes: u64,
}

impl Pace {
    /// A full one.
    pub(super) fn new(bytes_per_second: u64, now: Monotonic) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), at: now, bytes: STEP_BYTES_MAX, owed_bytes: 0 }
    }

    /// Bytes that may be used now; 0: wait.
    pub(super) fn budget_bytes(&mut self, now: Monotonic) -> u64 {
        let nanos = now.since(self.at).as_nanos();
        let earned = nanos.saturating_mul(u128::from(self.bytes_per_second)) / 1_000_000_000;
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        // A moment in which nothing was earned goes on to count.
        if earned > 0 {
            self.at = now;
        }
        let paid = earned.min(self.owed_bytes);
        self.owed_bytes -= paid;
        self.bytes = self.bytes.saturating_add(earned - paid).min(STEP_BYTES_MAX);
        if self.owed_bytes > 0 || self.bytes < STEP_BYTES_MIN { 0 } else { self.bytes }
    }

    /// So much was used.
    pub(super) fn use_up(&mut self, bytes: u64) {
        self.owed_bytes = self.owed_bytes.saturating_add(bytes.saturating_sub(self.bytes));
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Until there is something to use.
    pub(super) fn wait(&self) -> Duration {
        let missing = self.owed_bytes.saturating_add(STEP_BYTES_MIN.saturating_sub(self.bytes));
        let millis = missing.saturating_mul(1_000) / self.bytes_per_second;
        Duration::from_millis(millis).min(WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 1 << 20;

    fn at(seconds: f64) -> Monotonic {
        Monotonic(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn no_second_moves_more_than_the_rate_in_the_long_run() {
        let mut pace = Pace::new(RATE, at(0.0));
        let mut used = 0;
        for step in 0..10_000_u32 {
            let budget = pace.budget_bytes(at(f64::from(step) / 100.0));
            // A batch goes beyond the budget now and then.
            let bytes = if budget > 0 { budget + u64::from(step % 7) * 10_000 } else { 0 };
            pace.use_up(bytes);
            used += bytes;
        }
        let allowed = 100 * RATE + STEP_BYTES_MAX + 70_000;
        assert!(used <= allowed && used > 99 * RATE, "{used} of {allowed}");
    }

    #[test]
    fn it_says_how_long_to_wait() {
        let mut pace = Pace::new(RATE, at(0.0));
        assert_eq!((pace.budget_bytes(at(0.0)), pace.wait()), (STEP_BYTES_MAX, Duration::ZERO));
        pace.use_up(STEP_BYTES_MAX + RATE / 2);
        assert_eq!(pace.budget_bytes(at(0.1)), 0);
        assert!(pace.wait() > Duration::from_millis(400) && pace.wait() < Duration::from_millis(500));
        assert!(pace.budget_bytes(at(0.7)) > 0);
    }
}
