//! What the broker says about itself while it runs: its log, and its metrics.

pub mod metrics;
pub mod tracing;
