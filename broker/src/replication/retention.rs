//! When retention looks at logs, and whether their age can be trusted: only logs that have records are looked at, and a wall
//! clock that jumped deletes nothing by age for a while.

use crate::clock::{Clock, Monotonic};
use std::time::Duration;

/// More than this between wall and monotonic time is a jump, or a clock that runs wrong.
const DRIFT_MAX_MS: u64 = 60_000;
/// How long age is not trusted after a jump, and how long a baseline is compared with: slow drift adds up in it.
const BASELINE: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy)]
struct Baseline {
    wall_ms: i64,
    at: Monotonic,
}

/// Compares the two clocks of the machine.
pub(super) struct ClockWatch {
    baseline: Baseline,
    paused_until: Option<Monotonic>,
}

impl ClockWatch {
    pub(super) fn new(clock: &dyn Clock) -> Self {
        Self { baseline: Baseline::now(clock), paused_until: None }
    }

    /// Whether the wall clock may decide an age now.
    pub(super) fn trusts_age(&mut self, clock: &dyn Clock) -> bool {
        let now = Baseline::now(clock);
        let elapsed = now.at.since(self.baseline.at);
        let elapsed_ms = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        let expected_ms = self.baseline.wall_ms.saturating_add(elapsed_ms);
        if now.wall_ms.abs_diff(expected_ms) > DRIFT_MAX_MS {
            tracing::warn!(
                "the wall clock is {} ms away from where it should be: nothing is deleted by age for {} minutes",
                now.wall_ms.abs_diff(expected_ms),
                BASELINE.as_secs() / 60
            );
            self.paused_until = Some(Monotonic(now.at.0.saturating_add(BASELINE)));
            self.baseline = now;
        } else if elapsed >= BASELINE {
            self.baseline = now;
        }
        if self.paused_until.is_some_and(|until| now.at >= until) {
            self.paused_until = None;
        }
        self.paused_until.is_none()
    }

    /// For people.
    pub(super) fn problem(&self) -> Option<String> {
        let paused = self.paused_until.is_some();
        paused.then(|| {
            "the wall clock jumped: records are not deleted by age until it has been steady for an hour"
                .into()
        })
    }
}

impl Baseline {
    fn now(clock: &dyn Clock) -> Self {
        Self { wall_ms: clock.wall_ms(), at: clock.now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    struct Hands(Mutex<(i64, Duration)>);

    impl Hands {
        fn advance(&self, wall_ms: i64, monotonic: Duration) {
            let mut hands = self.0.lock();
            *hands = (hands.0 + wall_ms, hands.1 + monotonic);
        }
    }

    impl Clock for Hands {
        fn wall_ms(&self) -> i64 {
            self.0.lock().0
        }
        fn now(&self) -> Monotonic {
            Monotonic(self.0.lock().1)
        }
        fn sleep(&self, _: Duration) {}
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_jump_pauses_for_an_hour_either_way() {
        for jump_ms in [3_600_000, -3_600_000] {
            let hands = Hands(Mutex::new((1_000_000_000, Duration::ZERO)));
            let mut watch = ClockWatch::new(&hands);
            hands.advance(60_000, MINUTE);
            assert!(watch.trusts_age(&hands));
            hands.advance(60_000 + jump_ms, MINUTE);
            assert!(!watch.trusts_age(&hands));
            assert!(watch.problem().is_some());
            for _ in 0..59 {
                hands.advance(60_000, MINUTE);
                assert!(!watch.trusts_age(&hands));
            }
            hands.advance(60_000, MINUTE);
            assert!(watch.trusts_age(&hands));
            assert_eq!(watch.problem(), None);
        }
    }

    #[test]
    fn a_clock_that_runs_a_tenth_too_fast_is_noticed() {
        let hands = Hands(Mutex::new((0, Duration::ZERO)));
        let mut watch = ClockWatch::new(&hands);
        let trusted = (0..60).filter(|_| {
            hands.advance(66_000, MINUTE);
            watch.trusts_age(&hands)
        });
        assert_eq!(trusted.count(), 10);
    }
}
