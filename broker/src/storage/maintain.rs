//! Background work, one round at a time: write-back, the journal's next file, a checkpoint when one is due, and the removal
//! of what a durable frame has doomed, a piece of a compaction. With nothing changed a round does nothing and asks for no other.

use super::{
    StoreFailure,
    engine::{Doomed, Engine, REFUSED},
    layout::LogFile,
};
use crate::{disk::DiskResult, ids::LogId};
use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

/// Write-back of a segment is asked for when so many bytes of it wait.
const WRITE_BACK_BYTES: u64 = 1 << 20;
/// When to look again while appends go on.
const BUSY: Duration = Duration::from_millis(50);
/// Pieces of journal files that one round writes at most.
const PREPARE_STEPS_MAX: usize = 64;

impl Engine {
    /// One round. When to call again at the latest; `None`: not before the next append.
    pub(super) fn maintain(&self) -> Option<Duration> {
        match self.round() {
            Ok(next) => next,
            Err(failure) => {
                tracing::debug!(%failure, "no background work in a fenced directory");
                None
            }
        }
    }

    fn round(&self) -> Result<Option<Duration>, StoreFailure> {
        if let Some(failure) = self.journal.failure() {
            return Err(failure);
        }
        let mut busy = self.write_back().map_err(|error| self.fail(error))?;
        let mut refused = false;
        if self.checkpoint_is_due() {
            let written = self.write_checkpoint()?;
            (busy, refused) = (busy || written, !written);
        }
        let mut steps = 0;
        let mut more = true;
        while more && self.journal.wants_prepare() && steps < PREPARE_STEPS_MAX {
            steps += 1;
            more = self.prepare()?;
        }
        // What still wants to be prepared and cannot was refused.
        busy |= more && self.journal.wants_prepare();
        refused |= !more && self.journal.wants_prepare();
        busy |= self.remove_doomed().map_err(|error| self.fail(error))?;
        self.reserve.restore().map_err(|error| self.fail(error))?;
        let compaction = self.compact()?;
        let own = if busy { Some(BUSY) } else { refused.then_some(REFUSED) };
        Ok(own.into_iter().chain(compaction).min())
    }

    fn checkpoint_is_due(&self) -> bool {
        self.checkpoint_wanted.swap(false, Ordering::AcqRel) || self.checkpoint_is_urgent()
    }

    /// Whether the journal holds more than it should.
    pub(super) fn checkpoint_is_urgent(&self) -> bool {
        self.journal.is_ring_full()
            || self.journal.uncheckpointed_bytes() >= self.options.checkpoint_after_bytes
    }

    /// Asks for the write-back of what was appended lately. Whether there was any.
    fn write_back(&self) -> DiskResult<bool> {
        let touched: Vec<LogId> = self.touched.lock().iter().copied().collect();
        let mut any = false;
        for log in touched {
            let Some(core) = self.logs.read().get(&log).cloned() else { continue };
            let mut waiting = Vec::new();
            for segment in &mut core.state.lock().segments {
                let (from, bytes) = (segment.written_back, segment.bytes - segment.written_back);
                if bytes >= WRITE_BACK_BYTES
                    && let Some(open) = segment.open.upgrade()
                {
                    segment.written_back = segment.bytes;
                    waiting.push((open, from, bytes));
                }
            }
            for (open, from, bytes) in waiting {
                any = true;
                open.file.start_writeback(from, bytes)?;
            }
        }
        Ok(any)
    }

    /// Removes what a frame that is durable now has doomed. Whether anything is left to do.
    fn remove_doomed(&self) -> DiskResult<bool> {
        if self.doomed.lock().is_empty() {
            return Ok(false);
        }
        // No checkpoint looks at these files meanwhile.
        let _no_checkpoint = self.checkpoint.lock();
        let synced = self.journal.synced();
        let ready: Vec<Doomed> =
            self.doomed.lock().extract_if(.., |doomed| doomed.sequence < synced).collect();
        let mut changed: BTreeSet<LogId> = BTreeSet::new();
        for Doomed { log, file, .. } in ready {
            match file {
                Some(file) => {
                    if self.is_unused(log, file) {
                        self.files.remove(log, file)?;
                        changed.insert(log);
                    }
                }
                None => {
                    self.files.remove_log(log)?;
                    self.deleted.lock().remove(&log);
                }
            }
        }
        for log in changed {
            let Some(core) = self.logs.read().get(&log).cloned() else { continue };
            let mut state = core.state.lock();
            state.names_changed += 1;
            self.touch(log, &mut state);
        }
        Ok(!self.doomed.lock().is_empty())
    }

    /// Whether no segment goes by that name again.
    fn is_unused(&self, log: LogId, file: LogFile) -> bool {
        let (LogFile::Segment(id) | LogFile::Index(id)) = file else { return true };
        let Some(core) = self.logs.read().get(&log).cloned() else { return true };
        core.state.lock().segment_of_base(id.base).is_none_or(|found| found.id() != id)
    }
}
