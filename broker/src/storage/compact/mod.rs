//! Compaction: of each key the last record stays, offsets never change (KIP-58, KIP-354, KIP-534).
//!
//! ```text
//!  closed segments below the high watermark ─► keys of the uncompacted part ─► offset map (bounded)
//!                                           └► each group of segments ─► a new file without what is superseded ─► synced
//!  the log names the new file ─► the next checkpoint knows it ─► the old files go
//! ```
//!
//! What always holds:
//! * The checkpoint decides. Until one knows a new file, a start finds the old ones, which are still there; afterwards
//!   nothing refers to them. Both say the same of every key, and the journal knows neither.
//! * A file is never changed: readers keep the bytes that they hold.
//! * Segments are replaced oldest first. So a record without a value never goes before what it deletes.
//! * The active segment, and whatever the high watermark or an open transaction does not cover, is left alone.
//! * Of each producer that is known the last five batches stay, empty if need be, and so does the last batch of every
//!   segment,: every offset lies in or before a batch of its segment.
//! * One log at a time, a piece in each round of background work, at most so many bytes in a second.

mod choose;
mod fate;
mod job;
mod offset_map;
mod output;
mod pace;
mod recent;
mod swap;

use super::{
    CompactionStatus, CompactorOptions, StoreFailure,
    engine::{Engine, LogCore},
};
use crate::{clock::Monotonic, ids::LogId};
use choose::{Due, Verdict, verdict};
use job::{Job, Progress};
use pace::Pace;
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Of one store.
pub(super) struct Compactor {
    /// Logs that may be due. One that cannot become due without a new segment is not among them.
    waiting: Mutex<BTreeSet<LogId>>,
    work: Mutex<Work>,
    done: Done,
}

struct Work {
    job: Option<Job>,
    pace: Pace,
    /// When the waiting logs are looked at next.
    look_at: Monotonic,
}

/// Counted since the opening.
#[derive(Default)]
struct Done {
    rounds: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    bytes_freed: AtomicU64,
    segments_left_alone: AtomicU64,
}

impl Compactor {
    pub(super) fn new(options: &CompactorOptions, now: Monotonic) -> Self {
        let pace = Pace::new(options.bytes_per_second, now);
        let work = Mutex::new(Work { job: None, pace, look_at: now });
        Self { waiting: Mutex::default(), work, done: Done::default() }
    }

    /// A log with compaction has another segment, or other options. Its state is locked.
    pub(super) fn note(&self, log: LogId) {
        self.waiting.lock().insert(log);
    }

    pub(super) fn status(&self) -> CompactionStatus {
        let Done { rounds, bytes_read, bytes_written, bytes_freed, segments_left_alone } = &self.done;
        CompactionStatus {
            rounds: rounds.load(Ordering::Relaxed),
            bytes_read: bytes_read.load(Ordering::Relaxed),
            bytes_written: bytes_written.load(Ordering::Relaxed),
            bytes_freed: bytes_freed.load(Ordering::Relaxed),
            segments_left_alone: segments_left_alone.load(Ordering::Relaxed),
            logs_waiting: self.waiting.lock().len(),
        }
    }
}

impl Engine {
    /// A piece of a compaction, if one is due. When to call again at the latest; `None`: not before an append.
    pub(super) fn compact(&self) -> Result<Option<Duration>, StoreFailure> {
        let Some(mut work) = self.compactor.work.try_lock() else { return Ok(None) };
        if self.is_closed() {
            return Ok(None);
        }
        let now = self.clock.now();
        if work.job.is_none() && now >= work.look_at {
            work.job = self.most_due();
            work.look_at = Monotonic(now.0.saturating_add(self.options.compaction.interval));
        }
        let Work { job: running, pace, look_at } = &mut *work;
        let Some(job) = running else {
            return Ok((!self.compactor.waiting.lock().is_empty()).then(|| look_at.since(now)));
        };
        let budget_bytes = pace.budget_bytes(now);
        if budget_bytes > 0 {
            let (used_bytes, progress) = job.step(self, budget_bytes)?;
            pace.use_up(used_bytes);
            if progress != Progress::Working {
                *running = None;
            }
            if progress == Progress::Finished {
                self.compactor.done.rounds.fetch_add(1, Ordering::Relaxed);
                // Another log may be due, or the rest of this one.
                *look_at = now;
                // What was replaced goes with the next checkpoint.
                self.checkpoint_wanted.store(true, Ordering::Release);
            }
        }
        Ok(Some(pace.wait()))
    }

    /// The log that has waited too long, or else the one with the largest share of uncompacted bytes.
    fn most_due(&self) -> Option<Job> {
        let waiting: Vec<LogId> = self.compactor.waiting.lock().iter().copied().collect();
        if waiting.is_empty() {
            return None;
        }
        let now_ms = self.trusted_wall_ms();
        let mut most: Option<(Due, Arc<LogCore>)> = None;
        for log in waiting {
            let Some(core) = self.logs.read().get(&log).cloned() else {
                self.compactor.waiting.lock().remove(&log);
                continue;
            };
            let state = core.state.lock();
            match verdict(&state, now_ms) {
                Verdict::Idle => {
                    // Under the log's lock, as [`Compactor::note`]: no new segment is missed.
                    self.compactor.waiting.lock().remove(&log);
                }
                Verdict::Later => {}
                Verdict::Due(due) => {
                    drop(state);
                    if most.as_ref().is_none_or(|(most, _)| *most < due) {
                        most = Some((due, core));
                    }
                }
            }
        }
        let (due, core) = most?;
        Job::begin(self, core, due.end, now_ms)
    }
}
