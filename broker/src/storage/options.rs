//! Every size and time that the storage engine is given, with its default. Tests shrink them so that rolls, laps and
//! checkpoints happen in every test.

use std::time::Duration;

/// Of the journal's ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// All journal files together never exceed this.
    pub ring_bytes_max: u64,
    /// The file that a start makes when there is none to go on in: small, because the start waits for it.
    pub file_bytes_at_start: u64,
    /// Files made in the background double from this up to `file_bytes_max`.
    pub file_bytes_first: u64,
    /// The largest file.
    pub file_bytes_max: u64,
    /// One write and sync covers at most this many payload bytes.
    pub group_bytes_max: usize,
    /// Appends wait while more than this is queued and not yet synced.
    pub queue_bytes_max: usize,
    /// A group that nothing followed for this long gets a `synced` frame as its witness.
    pub witness_after: Duration,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            ring_bytes_max: 1 << 30,
            file_bytes_at_start: 256 << 10,
            file_bytes_first: 4 << 20,
            file_bytes_max: 64 << 20,
            group_bytes_max: 8 << 20,
            queue_bytes_max: 32 << 20,
            witness_after: Duration::from_millis(5),
        }
    }
}

/// Of the compaction of all logs of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactorOptions {
    /// The table of keys takes so much memory at most, while a log is being compacted. A round goes as far as it holds.
    pub memory_bytes: usize,
    /// Bytes that are read and written in a second at most.
    pub bytes_per_second: u64,
    /// How often the logs that may be due are looked at.
    pub interval: Duration,
}

impl Default for CompactorOptions {
    fn default() -> Self {
        Self { memory_bytes: 16 << 20, bytes_per_second: 64 << 20, interval: Duration::from_secs(15) }
    }
}

/// Of a store: one directory's logs, journal and checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// The journal.
    pub journal: JournalOptions,
    /// A checkpoint begins when the journal holds this much that no checkpoint covers.
    pub checkpoint_after_bytes: u64,
    /// One index entry per so many bytes of a segment at most.
    pub index_interval_bytes: u64,
    /// Space is allocated ahead in doubling steps between these two.
    pub allocate_bytes_min: u64,
    /// The largest step.
    pub allocate_bytes_max: u64,
    /// Open segment files (and maps) kept.
    pub open_segments_max: usize,
    /// Size of the reserve file that a full disk's checkpoint, truncation or start may use up.
    pub reserve_bytes: u64,
    /// Appends may use it up too: for a store whose appends are few, and a start or a deletion needs them.
    pub reserve_for_appends: bool,
    /// Idempotent producers that wrote nothing for this long are forgotten.
    pub producer_expiry_ms: i64,
    /// How compaction works.
    pub compaction: CompactorOptions,
    /// What is wrong on purpose.
    #[cfg(feature = "planted-bugs")]
    pub plant: Option<StorePlant>,
}

/// Bugs for showing that the checkers find them. Never in a release.
#[cfg(feature = "planted-bugs")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorePlant {
    /// A truncation queues a frame that says nothing.
    TruncateNotJournaled,
    /// Compaction removes what it has replaced at once, and not when a checkpoint knows it.
    ReplacedRemovedAtOnce,
    /// Compaction puts what it has written in place without a sync.
    CompactedNotSynced,
    /// Compaction drops the last record of a key now and then.
    LastOfKeyDropped,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            journal: JournalOptions::default(),
            checkpoint_after_bytes: 64 << 20,
            index_interval_bytes: 16 << 10,
            allocate_bytes_min: 64 << 10,
            allocate_bytes_max: 16 << 20,
            open_segments_max: 400,
            reserve_bytes: 4 << 20,
            reserve_for_appends: false,
            producer_expiry_ms: 24 * 60 * 60 * 1000,
            compaction: CompactorOptions::default(),
            #[cfg(feature = "planted-bugs")]
            plant: None,
        }
    }
}

/// When a log is compacted, and what of it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactionOptions {
    /// It is due once more than this share of the bytes in its closed segments was never compacted, in millionths.
    pub dirty_ratio_min_millionths: u32,
    /// Records that were appended less than this ago are left alone.
    pub lag_min_ms: i64,
    /// It is due, whatever the share, once a record that never was compacted was appended longer ago than this.
    pub lag_max_ms: Option<i64>,
    /// A record without a value stays so long behind the compaction that removed what it deletes.
    pub delete_retention_ms: i64,
}

/// Of one log; may change while it is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// A segment is rolled before it would exceed this.
    pub segment_bytes: u64,
    /// A segment is rolled at the first append after its first record is older than this.
    pub segment_ms: Option<i64>,
    /// Oldest segments are deleted while the log is larger than this.
    pub retention_bytes: Option<u64>,
    /// Segments are deleted once their newest record is older than this.
    pub retention_ms: Option<i64>,
    /// Of each key only the last record is kept.
    pub compaction: Option<CompactionOptions>,
    /// The largest batch that is appended.
    pub batch_bytes_max: usize,
    /// Whether the broker stamps batches with its own time (message.timestamp.type=LogAppendTime).
    pub stamp_append_time: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 256 << 20,
            segment_ms: Some(7 * 24 * 60 * 60 * 1000),
            retention_bytes: None,
            retention_ms: Some(7 * 24 * 60 * 60 * 1000),
            compaction: None,
            batch_bytes_max: 1 << 20,
            stamp_append_time: false,
        }
    }
}
