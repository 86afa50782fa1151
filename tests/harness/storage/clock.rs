//! A clock that stands until a test moves it. Sleeping moves it.

use cairn_broker::clock::{Clock, Monotonic};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

/// Wall and monotonic time move together.
#[derive(Clone, Debug)]
pub(super) struct ManualClock(Arc<Mutex<Duration>>);

/// What the wall says when nothing has moved.
const WALL_START_MS: i64 = 1_700_000_000_000;

impl ManualClock {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Duration::from_secs(1))))
    }

    pub(super) fn advance(&self, duration: Duration) {
        *self.0.lock() += duration;
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> i64 {
        WALL_START_MS + i64::try_from(self.0.lock().as_millis()).unwrap_or(i64::MAX / 2)
    }

    fn now(&self) -> Monotonic {
        Monotonic(*self.0.lock())
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}
