//! Writing a checkpoint. In order: the frame sequence that is synced already; then for each log that changed, its state as an
//! entry and the list of what that entry relies on; that list made durable; the checkpoint file replaced; and only then the
//! journal told that it may recycle. An entry may know frames that are not synced yet: what it relies on is durable, and a
//! start gives none of those sequences again.

use super::{
    CommitDriver, StoreFailure,
    checkpoint::CHECKPOINT_FILE,
    engine::{Engine, LogCore},
    files::OpenSegment,
    layout::{LOGS_DIRECTORY, LogFile, SegmentId, TEMPORARY_SUFFIX},
    segment::Segment,
    state::LogState,
};
use crate::{
    disk::{Caching, DiskError, DiskErrorKind, DiskResult, OpenMode, replace_file},
    ids::{LogId, Offset},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Index entries of an active segment that the checkpoint itself holds at most, before they go to the index file; a quarter
/// of those that are there already, so that all rewriting of an index file costs a small multiple of its size.
const INDEX_TAIL_MAX: usize = 64;
/// Producer state that the checkpoint itself holds at most, in bytes, before it goes to a snapshot.
const PRODUCERS_BYTES_MAX: usize = 4096;
/// Snapshots of a log that are kept.
const SNAPSHOTS_KEPT: usize = 2;

/// How often a checkpoint looks whether the frames that it knows are synced.
const SYNC_POLL: Duration = Duration::from_millis(1);

/// What one log's entry relies on.
struct Plan {
    log: LogId,
    entry: Box<[u8]>,
    /// Segments with bytes that no sync has covered.
    dirty: Vec<Dirty>,
    /// Whole small files: an index or a snapshot.
    small: Vec<(LogFile, Vec<u8>)>,
    /// Snapshots that are not needed once the checkpoint is durable.
    old_snapshots: Vec<Offset>,
    /// Segments that the entry does not know any more, because compaction has replaced them.
    replaced: Vec<SegmentId>,
    names_changed: u32,
    sync_names: bool,
    /// Every frame of the log below this is part of the entry.
    covers: u64,
    /// The truncate frame that the entry does not know yet.
    truncating: Option<u64>,
    /// Sealed segments whose index entries need not stay in memory: base, generation, entries.
    indexed: Vec<(Offset, u32, usize)>,
}

struct Dirty {
    id: SegmentId,
    generation: u32,
    bytes: u64,
    open: Option<Arc<OpenSegment>>,
    /// Nothing is appended to it any more: space behind its end is given back.
    sealed: bool,
}

impl Engine {
    /// Writes a checkpoint if anything changed since the newest one. A full disk is a refusal: `false`, and the next round
    /// tries again.
    pub(super) fn write_checkpoint(&self) -> Result<bool, StoreFailure> {
        self.write_checkpoint_if(false)
    }

    /// As [`Engine::write_checkpoint`], also when no log changed: the frames that it covers need not be kept then.
    pub(super) fn write_covering_checkpoint(&self) -> Result<bool, StoreFailure> {
        self.write_checkpoint_if(true)
    }

    fn write_checkpoint_if(&self, anyway: bool) -> Result<bool, StoreFailure> {
        let mut newest = self.checkpoint.lock();
        if let Some(failure) = self.journal.failure() {
            return Err(failure);
        }
        let mut covers = self.journal.synced();
        let touched = std::mem::take(&mut *self.touched.lock());
        // Frames that the newest checkpoint knew already may have been synced since: then it may cover them now.
        let more_covered = covers > newest.covers && self.checkpoint_is_urgent();
        if !anyway && touched.is_empty() && !more_covered && *self.deleted.lock() == newest.deleted {
            return Ok(false);
        }
        let now_ms = self.trusted_wall_ms();
        let mut plans = Vec::with_capacity(touched.len());
        for log in &touched {
            let core = self.logs.read().get(log).cloned();
            plans.extend(core.map(|core| self.plan(&core, now_ms)));
        }
        match self.make_durable(&plans) {
            Ok(()) => {}
            Err(error) => return self.refused(&touched, plans, error),
        }
        self.wait_for_known(&plans)?;
        // In this order: a log that is missing from the first is in the second.
        let existing: BTreeSet<LogId> = self.logs.read().keys().copied().collect();
        let deleted = self.deleted.lock().clone();
        newest.logs.retain(|log, _| existing.contains(log));
        for plan in &mut plans {
            covers = plan.truncating.map_or(covers, |sequence| covers.min(sequence));
            if existing.contains(&plan.log) {
                newest.logs.insert(plan.log, std::mem::take(&mut plan.entry));
            }
        }
        (newest.covers, newest.deleted) = (newest.covers.max(covers), deleted);
        let file = newest.encode_file();
        let written = self
            .reserve
            .with_space(|| replace_file(&*self.files.disk, &self.files.path, CHECKPOINT_FILE, &file));
        if let Err(error) = written {
            return self.refused(&touched, plans, error);
        }
        self.checkpoints_written.fetch_add(1, Ordering::Relaxed);
        *self.refused_at.lock() = None;
        self.journal.recycle(newest.covers);
        self.settle(&plans).map_err(|error| self.fail(error))?;
        Ok(true)
    }

    /// Waits until the frames that the entries know are synced, unless they wait for this very checkpoint. A start after a
    /// crash in between has to write the entries again: that is slow, not wrong.
    fn wait_for_known(&self, plans: &[Plan]) -> Result<(), StoreFailure> {
        let known = plans.iter().map(|plan| plan.covers).max().unwrap_or(0);
        while self.journal.synced() < known {
            if let Some(failure) = self.journal.failure() {
                return Err(failure);
            }
            match self.driver {
                _ if self.journal.is_ring_full() => break,
                CommitDriver::Stepped if !self.journal.step() => break,
                CommitDriver::Stepped => {}
                CommitDriver::Thread => self.clock.sleep(SYNC_POLL),
            }
        }
        Ok(())
    }

    /// A full disk: everything is looked at again by the next checkpoint. Anything else is final.
    fn refused(
        &self,
        touched: &BTreeSet<LogId>,
        plans: Vec<Plan>,
        error: DiskError,
    ) -> Result<bool, StoreFailure> {
        if error.kind != DiskErrorKind::NoSpace || error.operation == "sync" {
            return Err(self.fail(error));
        }
        tracing::warn!(%error, "no space for a checkpoint; it is tried again");
        *self.refused_at.lock() = Some(self.clock.now());
        for Plan { log, replaced, .. } in plans {
            let core = self.logs.read().get(&log).cloned();
            core.into_iter().for_each(|core| core.state.lock().replaced.extend(&replaced));
        }
        for log in touched {
            let core = self.logs.read().get(log).cloned();
            if let Some(core) = core {
                self.touch(*log, &mut core.state.lock());
            }
        }
        Ok(false)
    }

    /// What the log is at this moment, and what that relies on.
    fn plan(&self, core: &LogCore, now_ms: Option<i64>) -> Plan {
        let mut state = core.state.lock();
        state.touched = false;
        if state.truncating.is_some() {
            // The next checkpoint must not pass this log over and cover its truncate frame: the cut is still to come.
            self.touch(core.id, &mut state);
        }
        if let Some(now_ms) = now_ms {
            state.producers.expire(now_ms, self.options.producer_expiry_ms);
        }
        let mut plan = Plan {
            log: core.id,
            entry: Box::default(),
            dirty: dirty_segments(&state),
            small: Vec::new(),
            old_snapshots: Vec::new(),
            replaced: std::mem::take(&mut state.replaced),
            names_changed: state.names_changed,
            sync_names: state.has_directory && state.names_changed != state.names_synced,
            covers: state.covers,
            truncating: state.truncating,
            indexed: Vec::new(),
        };
        self.plan_indexes(&mut state, &mut plan);
        self.plan_snapshot(&mut state, &mut plan);
        plan.sync_names |= !plan.small.is_empty();
        plan.entry = state.encode();
        plan
    }

    /// The index of a sealed segment goes to its file as a whole; that of the active one when its tail has grown.
    fn plan_indexes(&self, state: &mut LogState, plan: &mut Plan) {
        let active = state.segments.last().map(|segment| segment.base);
        for segment in &mut state.segments {
            let sealed = Some(segment.base) != active;
            let tail = segment.index_tail_entries();
            let full = tail >= INDEX_TAIL_MAX.max(segment.index_on_disk / 4);
            if tail > 0 && (sealed || full) {
                if !segment.index_whole && !segment.load_index(&self.files, plan.log) {
                    continue;
                }
                plan.small.push((segment.index_name(), segment.index.encode_file(segment.bytes)));
                segment.index_on_disk = segment.index.len();
            }
            if sealed && segment.index_whole && segment.index_on_disk > 0 {
                plan.indexed.push((segment.base, segment.generation, segment.index.len()));
            }
        }
    }

    /// A snapshot when one was taken at a roll, or when the producers that changed since the last one are many.
    fn plan_snapshot(&self, state: &mut LogState, plan: &mut Plan) {
        if state.truncating.is_some() {
            return;
        }
        let due = state.snapshot_due.take();
        let mut changed = Vec::new();
        state.producers.encode_since(state.snapshot_base.unwrap_or(Offset::ZERO), &mut changed);
        if changed.len() > PRODUCERS_BYTES_MAX || self.is_closed() && !state.producers.is_empty() {
            let end = state.end;
            plan.small.push((LogFile::Producers(end), state.producers.encode_snapshot(end)));
            state.snapshot_base = Some(end);
            state.snapshots.push(end);
        } else if let Some((end, snapshot)) = due {
            plan.small.push((LogFile::Producers(end), snapshot));
            state.snapshots.push(end);
        }
        state.snapshots.sort();
        state.snapshots.dedup();
        let kept_from = state.snapshots.len().saturating_sub(SNAPSHOTS_KEPT);
        let base = state.snapshot_base;
        plan.old_snapshots =
            state.snapshots.iter().take(kept_from).copied().filter(|end| Some(*end) != base).collect();
        state.snapshots.retain(|end| !plan.old_snapshots.contains(end));
    }

    /// Everything that the entries rely on.
    fn make_durable(&self, plans: &[Plan]) -> DiskResult<()> {
        let mut new_directories = false;
        for plan in plans {
            for dirty in &plan.dirty {
                self.sync_segment(plan.log, dirty)?;
            }
            for (file, content) in &plan.small {
                self.reserve.with_space(|| self.write_small(plan.log, *file, content))?;
            }
            if plan.sync_names {
                self.files.disk.sync_dir(&self.files.directory(plan.log))?;
                new_directories = true;
            }
        }
        if new_directories {
            self.files.disk.sync_dir(&self.files.path.join(LOGS_DIRECTORY))?;
        }
        Ok(())
    }

    /// Syncs a segment through the file now in place. One that is gone was truncated or deleted meanwhile, or is known to be
    /// missing: a frame or a damaged range says so.
    fn sync_segment(&self, log: LogId, dirty: &Dirty) -> DiskResult<()> {
        let open = match &dirty.open {
            Some(open) => Arc::clone(open),
            None => match self.files.open_segment(log, dirty.id) {
                Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(()),
                other => other?,
            },
        };
        if dirty.sealed && open.file.len()? > dirty.bytes {
            open.file.set_len(dirty.bytes)?;
        }
        open.file.sync_data()
    }

    /// Replaces a small file of a log; its name is synced with all others of the directory.
    fn write_small(&self, log: LogId, file: LogFile, content: &[u8]) -> DiskResult<()> {
        let directory = self.files.directory(log);
        let temporary = directory.join(format!("{}{TEMPORARY_SUFFIX}", file.name()));
        let opened = self.files.disk.open(&temporary, OpenMode::CreateOrTruncate, Caching::Buffered)?;
        opened.allocate(0, content.len() as u64)?;
        opened.write_at(0, &[content])?;
        opened.sync_data()?;
        self.files.disk.rename(&temporary, &directory.join(file.name()))
    }

    /// The checkpoint is durable: what it made needless goes, and the logs learn what is synced.
    fn settle(&self, plans: &[Plan]) -> DiskResult<()> {
        for plan in plans {
            let core = self.logs.read().get(&plan.log).cloned();
            let Some(core) = core else { continue };
            let mut state = core.state.lock();
            state.names_synced = plan.names_changed;
            for dirty in &plan.dirty {
                let segment = state.segment_of_base(dirty.id.base);
                if let Some(segment) = segment.filter(|segment| segment.generation == dirty.generation) {
                    segment.synced_bytes = segment.synced_bytes.max(dirty.bytes);
                    segment.allocated = if dirty.sealed { dirty.bytes } else { segment.allocated };
                }
            }
            for (base, generation, entries) in &plan.indexed {
                let same = |segment: &&mut Segment| {
                    segment.generation == *generation && segment.index.len() == *entries
                };
                if let Some(segment) = state.segment_of_base(*base).filter(same) {
                    segment.index = segment.index.without_entries();
                    segment.index_whole = false;
                }
            }
            if !plan.replaced.is_empty() {
                state.names_changed += 1;
                self.touch(plan.log, &mut state);
            }
            drop(state);
            for id in &plan.replaced {
                self.files.remove(plan.log, LogFile::Segment(*id))?;
                self.files.remove(plan.log, LogFile::Index(*id))?;
            }
            for snapshot in &plan.old_snapshots {
                self.files.remove(plan.log, LogFile::Producers(*snapshot))?;
            }
        }
        Ok(())
    }
}

fn dirty_segments(state: &LogState) -> Vec<Dirty> {
    let active = state.segments.last().map(|segment| segment.base);
    let dirty = state.segments.iter().filter(|segment| {
        let to_trim = Some(segment.base) != active && segment.allocated > segment.bytes;
        segment.synced_bytes < segment.bytes || to_trim
    });
    dirty
        .map(|segment| Dirty {
            id: segment.id(),
            generation: segment.generation,
            bytes: segment.bytes,
            open: segment.open.upgrade(),
            sealed: Some(segment.base) != active,
        })
        .collect()
}

#[cfg(test)]
mod tests;
