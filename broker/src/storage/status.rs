//! What a store says about itself: at its opening, at any moment, and offline. Plain values.

use crate::ids::{LogId, Offset};
use std::path::PathBuf;

/// What an opening found and did.
#[derive(Clone, Debug, Default)]
pub struct RecoveryReport {
    /// Logs that exist now.
    pub logs: usize,
    /// Journal frames that were replayed.
    pub frames_replayed: u64,
    /// Bytes of the journal that were read.
    pub journal_bytes_read: u64,
    /// The journal ended in a torn frame and was cut there: where, in words. Nothing acknowledged is missing.
    pub torn_tail: Option<String>,
    /// Logs that may miss synced frames, because the journal is damaged.
    pub suspect_logs: Vec<LogId>,
    /// Everything else that was wrong, in words that name file and position.
    pub problems: Vec<String>,
}

/// Offsets of a log that cannot be read from this copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRange {
    /// First unreadable offset.
    pub from: Offset,
    /// First offset behind the damage that can be read again.
    pub to: Offset,
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub position: u64,
    /// What was found there.
    pub detail: String,
}

/// A store at one moment.
#[derive(Clone, Debug, Default)]
pub struct StoreStatus {
    /// Logs that exist.
    pub logs: usize,
    /// Bytes of batches in all of them.
    pub log_bytes: u64,
    /// Journal bytes that no checkpoint covers.
    pub journal_bytes_uncheckpointed: u64,
    /// Segments with an open file.
    pub open_segments: usize,
    /// Checkpoints written since the opening.
    pub checkpoints: u64,
    /// Whether all of the reserve is there.
    pub reserve_present: bool,
    /// Every known damaged range.
    pub damaged: Vec<(LogId, DamagedRange)>,
    /// Logs that may miss synced frames.
    pub suspect_logs: Vec<LogId>,
    /// Compaction since the opening.
    pub compaction: CompactionStatus,
}

/// What compaction has done since the opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionStatus {
    /// Rounds over a log that came to their end.
    pub rounds: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Bytes that were written.
    pub bytes_written: u64,
    /// Bytes that logs became smaller by.
    pub bytes_freed: u64,
    /// Segments that were left alone because a batch in them is damaged.
    pub segments_left_alone: u64,
    /// Logs that may be due, now.
    pub logs_waiting: usize,
}

/// How far an offline verification is.
#[derive(Clone, Debug)]
pub struct VerifyProgress {
    /// Bytes read so far.
    pub bytes_done: u64,
    /// Bytes to read in all.
    pub bytes_total: u64,
    /// The file being read.
    pub file: PathBuf,
}

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyDamage {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub position: u64,
    /// The offsets that are concerned, as `[from, to)`, where they are known.
    pub offsets: Option<(Offset, Offset)>,
    /// What is wrong.
    pub detail: String,
}

/// What an offline verification found.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Logs that exist.
    pub logs: u64,
    /// Files that were read.
    pub files: u64,
    /// Batches whose checksum was computed.
    pub batches: u64,
    /// Journal frames.
    pub journal_frames: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What is wrong; empty: nothing.
    pub damage: Vec<VerifyDamage>,
    /// What is worth knowing and no damage, a torn tail first of all.
    pub notes: Vec<String>,
}
