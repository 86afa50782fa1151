//! The only place that reads the time of the machine. Everything else is handed a [`Clock`], so that a test or a
//! simulation decides what time it is. Wall time stamps and deletes; it never decides safety.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Time since an arbitrary fixed moment of this process; never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    /// The time since an earlier moment; zero if that one is later.
    pub fn since(self, earlier: Monotonic) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What time it is, and how to wait.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970, as the wall clock says; may jump either way.
    fn wall_ms(&self) -> i64;
    /// Monotonic time.
    fn now(&self) -> Monotonic;
    /// Blocks the calling thread.
    fn sleep(&self, duration: Duration);
}

/// A clock handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// The machine's clock, shared.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else takes")]
    pub fn shared() -> SharedClock {
        Arc::new(Self { origin: Instant::now() })
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else takes")]
    fn wall_ms(&self) -> i64 {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
    }

    fn now(&self) -> Monotonic {
        Monotonic(self.origin.elapsed())
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
