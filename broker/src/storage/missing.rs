//! The account of the frames that a damaged journal lacks: how many are missing, how many were made good, and whose logs may
//! lack something without anybody being able to tell.

use crate::ids::LogId;
use std::collections::BTreeSet;

/// Frames that are missing in the tail.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// How many.
    pub(super) frames: u64,
    /// How many were made good: each batch that was found was one, and each epoch that began with one.
    pub(super) found: u64,
    /// More may be missing than can be counted.
    pub(super) uncounted: bool,
    /// Logs with an append behind the last gap: it says where the log ended, so that nothing of theirs is missing unnoticed.
    confirmed: BTreeSet<LogId>,
}

impl Missing {
    /// Notes a gap in the sequence.
    pub(super) fn note_gap(&mut self, frames: u64) {
        self.frames += frames;
        self.confirmed.clear();
    }

    /// Notes a gap at the end of the tail: nothing behind it says how long it is.
    pub(super) fn note_tail(&mut self, frames_at_least: u64) {
        if frames_at_least > 0 {
            self.note_gap(frames_at_least);
            self.uncounted = true;
        }
    }

    /// An append of the log stands behind the last gap.
    pub(super) fn confirm(&mut self, log: LogId) {
        self.confirmed.insert(log);
    }

    /// Whether any frame is missing.
    pub(super) fn any(&self) -> bool {
        self.frames > 0
    }

    /// Logs that may lack synced frames without anybody being able to tell.
    pub(super) fn suspects(&self, logs: impl Iterator<Item = LogId>) -> Vec<LogId> {
        if self.frames <= self.found && !self.uncounted {
            return Vec::new();
        }
        logs.filter(|log| !self.confirmed.contains(log)).collect()
    }
}
