//! The one place of the library that reads clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time, for every wait and limit.
#[expect(clippy::disallowed_methods, reason = "this is the library's clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Wall time in ms since the epoch, only to stamp records.
#[expect(clippy::disallowed_methods, reason = "this is the library's clock")]
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
