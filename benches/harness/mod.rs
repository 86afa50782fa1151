//! What the benchmarks share: the limits that the machine itself sets, measured beside every figure, and small statistics.
//! Absolute times are noisy where a disk is rate-limited; a benchmark here prints the ratio to its own limit, measured
//! interleaved in the same run.

pub mod figures;
pub mod process_usage;
pub mod raw_disk;
