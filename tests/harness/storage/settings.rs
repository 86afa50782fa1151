//! Sizes so small that rolls, laps, checkpoints and full rings happen in every run.

use cairn_broker::storage::{CompactionOptions, CompactorOptions, JournalOptions, LogOptions, StoreOptions};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// What a run does how often; each is a weight.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Actions of a run.
    pub actions: usize,
    /// Logs that live at the same time.
    pub logs: usize,
    /// The store's sizes.
    pub store: StoreOptions,
}

impl Default for Settings {
    fn default() -> Self {
        Self { actions: 120, logs: 3, store: small_store_options() }
    }
}

/// A store of a few hundred KiB.
pub fn small_store_options() -> StoreOptions {
    StoreOptions {
        journal: JournalOptions {
            ring_bytes_max: 256 << 10,
            file_bytes_at_start: 32 << 10,
            file_bytes_first: 32 << 10,
            file_bytes_max: 64 << 10,
            group_bytes_max: 6 << 10,
            queue_bytes_max: 12 << 10,
            witness_after: Duration::from_millis(5),
        },
        checkpoint_after_bytes: 48 << 10,
        index_interval_bytes: 512,
        allocate_bytes_min: 4 << 10,
        allocate_bytes_max: 16 << 10,
        open_segments_max: 3,
        reserve_bytes: 48 << 10,
        reserve_for_appends: false,
        producer_expiry_ms: 24 * 60 * 60 * 1000,
        // A map of 16 keys at least; pieces of 64 KiB, so that other things happen in between.
        compaction: CompactorOptions { memory_bytes: 0, bytes_per_second: 1 << 20, interval: Duration::ZERO },
        ..StoreOptions::default()
    }
}

/// Some options of a log.
pub(super) fn log_options(random: &mut ChaCha8Rng) -> LogOptions {
    LogOptions {
        segment_bytes: random.random_range(1_500..12_000),
        segment_ms: random.random_bool(0.3).then_some(60_000),
        retention_bytes: random.random_bool(0.5).then(|| random.random_range(2_000..12_000)),
        retention_ms: random.random_bool(0.3).then_some(120_000),
        compaction: random.random_bool(0.5).then(|| CompactionOptions {
            dirty_ratio_min_millionths: random.random_range(0..600_000),
            lag_min_ms: if random.random_bool(0.2) { 30_000 } else { 0 },
            lag_max_ms: random.random_bool(0.3).then_some(90_000),
            delete_retention_ms: random.random_range(0..60_000),
        }),
        batch_bytes_max: 1 << 20,
        stamp_append_time: random.random_bool(0.2),
    }
}
