//! One round over one log, piece by piece: first the keys of the part that was never compacted, then every closed segment
//! from the oldest to the last that the map of keys knows something of. It may end early anywhere: what was put in place
//! until then stays right.

mod reading;

pub(super) use reading::Source;

use super::{
    choose::joins,
    fate::{DECOMPRESSED, Round},
    offset_map::{Noted, OffsetMap},
    output::Output,
    recent::RecentBatches,
};
use crate::{
    disk::{DiskError, DiskErrorKind},
    ids::Offset,
    storage::{
        StoreFailure,
        engine::{Engine, LogCore},
    },
};
use cairn_proto::record::{Batch, Retained};
use reading::Reading;
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

/// How far a round is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Working,
    /// Everything was done.
    Finished,
    /// It ends here: the log has changed or is gone, or there is no space.
    Ended,
}

/// Why a piece did not come to its end.
enum Stop {
    /// A batch cannot be read.
    Damaged(String),
    /// There is no space.
    Refused(DiskError),
    /// The log is not what it was.
    Overtaken,
    Failed(DiskError),
}

/// The group that is being written.
struct Rewriting {
    /// Index of its first source.
    from: usize,
    /// Index of the source being read.
    at: usize,
    output: Option<Output>,
    /// Whether anything of the present group was changed.
    is_changed: bool,
}

/// A round.
pub(super) struct Job {
    core: Arc<LogCore>,
    sources: Vec<Source>,
    /// Where the uncompacted part begins.
    compacted_to: Offset,
    segment_bytes_max: u64,
    round: Round,
    recent: RecentBatches,
    reading: Option<Reading>,
    /// Sources in which a batch cannot be read, by index.
    left_alone: BTreeSet<usize>,
    /// While the keys are being collected: the index of the source.
    collecting: Option<usize>,
    rewriting: Rewriting,
}

impl Job {
    /// Over the closed segments of a log up to `end`; `None` if it has changed in the meantime.
    pub(super) fn begin(
        engine: &Engine,
        core: Arc<LogCore>,
        end: Offset,
        now_ms: Option<i64>,
    ) -> Option<Self> {
        let state = core.state.lock();
        let options = state.options.compaction.clone()?;
        let (_active, closed) = state.segments.split_last()?;
        let sources: Vec<Source> =
            closed.iter().take_while(|segment| segment.end <= end).map(Source::of).collect();
        let known_to = sources.last()?.end;
        let compacted_to = state.compacted_to.max(state.start);
        let records_max = u64::try_from(known_to.get().saturating_sub(compacted_to.get())).unwrap_or(0);
        let (segment_bytes_max, log) = (state.options.segment_bytes, core.id);
        drop(state);
        tracing::debug!(%log, from = %compacted_to, to = %known_to, segments = sources.len(), "compaction begins");
        let newest = OffsetMap::new(engine.options.compaction.memory_bytes, records_max);
        let delete_retention_ms = options.delete_retention_ms;
        Some(Self {
            core,
            sources,
            compacted_to,
            segment_bytes_max,
            round: Round { newest, known_to, now_ms, delete_retention_ms, keeps_tombstones: false },
            recent: RecentBatches::default(),
            reading: None,
            collecting: Some(0),
            left_alone: BTreeSet::new(),
            rewriting: Rewriting { from: 0, at: 0, output: None, is_changed: false },
        })
    }

    /// Goes on for so many bytes, and to the end of a batch. How many were read and written, and how far it is.
    ///
    /// # Errors
    /// The directory failed.
    pub(super) fn step(
        &mut self,
        engine: &Engine,
        budget_bytes: u64,
    ) -> Result<(u64, Progress), StoreFailure> {
        let (mut used_bytes, mut progress) = (0, Progress::Working);
        while used_bytes < budget_bytes && progress == Progress::Working {
            let done = if self.core.state.lock().closed {
                Err(Stop::Overtaken)
            } else if self.collecting.is_some() {
                self.collect(engine, &mut used_bytes).map(|()| Progress::Working)
            } else {
                self.rewrite(engine, &mut used_bytes)
            };
            progress = match done {
                Ok(progress) => progress,
                Err(stop) => self.stopped(engine, stop)?,
            };
        }
        Ok((used_bytes, progress))
    }

    /// Damage costs one segment or group; everything else ends the round.
    fn stopped(&mut self, engine: &Engine, stop: Stop) -> Result<Progress, StoreFailure> {
        self.reading = None;
        self.discard_output(engine)?;
        let log = self.core.id;
        match stop {
            Stop::Damaged(detail) => {
                tracing::error!(%log, detail, "compaction leaves a damaged segment alone");
                engine.compactor.done.segments_left_alone.fetch_add(1, Ordering::Relaxed);
                match &mut self.collecting {
                    // Its keys supersede nothing.
                    Some(at) => {
                        self.left_alone.insert(*at);
                        *at += 1;
                    }
                    // What stands in front of it in its group is done again without it.
                    None => {
                        self.left_alone.insert(self.rewriting.at);
                        self.next_group(self.rewriting.from);
                    }
                }
                Ok(Progress::Working)
            }
            Stop::Refused(error) => {
                tracing::warn!(%log, %error, "compaction waits");
                Ok(Progress::Ended)
            }
            Stop::Overtaken => Ok(Progress::Ended),
            Stop::Failed(error) => Err(engine.fail(error)),
        }
    }

    fn discard_output(&mut self, engine: &Engine) -> Result<(), StoreFailure> {
        let discarded = self.rewriting.output.take().map_or(Ok(()), |output| output.discard(engine));
        discarded.map_err(|error| engine.fail(error))
    }

    fn next_group(&mut self, from: usize) {
        (self.rewriting.from, self.rewriting.at, self.rewriting.is_changed) = (from, from, false);
    }

    /// Notes the keys of one batch, or goes on to the next segment or to what follows.
    fn collect(&mut self, engine: &Engine, used_bytes: &mut u64) -> Result<(), Stop> {
        let Some(at) = self.collecting else { return Ok(()) };
        let Some(source) = self.sources.get(at).copied() else {
            self.begin_rewriting();
            return Ok(());
        };
        let from = self.compacted_to;
        let next = if source.end <= from { None } else { self.next_batch(engine, &source, from)? };
        let Some(batch) = next else {
            (self.reading, self.collecting) = (None, Some(at + 1));
            return Ok(());
        };
        *used_bytes += batch.total_bytes() as u64;
        engine.compactor.done.bytes_read.fetch_add(batch.total_bytes() as u64, Ordering::Relaxed);
        if self.is_of_a_known_producer(&batch) {
            self.recent.note(batch.header());
        }
        if !Round::looks_into(&batch) {
            return Ok(());
        }
        let (newest, mut full_at) = (&mut self.round.newest, None);
        let collected = batch.visit_records(DECOMPRESSED, |record| {
            let offset = Offset(record.offset);
            if let Some(key) = record.key.filter(|_| full_at.is_none() && offset >= from)
                && newest.note(key, offset) == Noted::Full
            {
                full_at = Some(offset);
            }
        });
        collected.map_err(|error| {
            Stop::Damaged(format!("{} at {}: {error}", source.id.base, batch.header().base_offset))
        })?;
        if let Some(full_at) = full_at {
            // The rest is for another round.
            self.round.known_to = full_at;
            self.begin_rewriting();
        }
        Ok(())
    }

    fn is_of_a_known_producer(&self, batch: &Batch) -> bool {
        let producer_id = batch.header().producer_id;
        producer_id >= 0 && self.core.state.lock().producers.know(producer_id)
    }

    fn begin_rewriting(&mut self) {
        (self.collecting, self.reading) = (None, None);
        let known_to = self.round.known_to;
        self.sources.retain(|source| source.id.base < known_to);
    }

    /// Rewrites one batch, or ends a segment, a group or the round.
    fn rewrite(&mut self, engine: &Engine, used_bytes: &mut u64) -> Result<Progress, Stop> {
        let at = self.rewriting.at;
        let Some(source) = self.sources.get(at).copied() else {
            self.end_group(engine)?;
            engine.note_compacted(&self.core, self.round.known_to);
            return Ok(Progress::Finished);
        };
        if !self.goes_into_the_group(at, &source) {
            self.end_group(engine)?;
            if self.left_alone.contains(&at) {
                self.round.keeps_tombstones = true;
                self.next_group(at + 1);
                return Ok(Progress::Working);
            }
        }
        if self.rewriting.output.is_none() {
            self.rewriting.output = Some(Output::create(engine, self.core.id, &source).map_err(stop_of)?);
        }
        let Some(batch) = self.next_batch(engine, &source, Offset(i64::MIN))? else {
            (self.reading, self.rewriting.at) = (None, at + 1);
            return Ok(Progress::Working);
        };
        *used_bytes += batch.total_bytes() as u64;
        engine.compactor.done.bytes_read.fetch_add(batch.total_bytes() as u64, Ordering::Relaxed);
        *used_bytes += self.rewrite_batch(engine, &source, &batch)?;
        Ok(Progress::Working)
    }

    /// Whether a source is part of the present group, or becomes a part of it.
    fn goes_into_the_group(&self, at: usize, source: &Source) -> bool {
        let Some(output) = &self.rewriting.output else { return !self.left_alone.contains(&at) };
        let is_begun = self.reading.is_some();
        let fits = joins(output.so_far(), (source.end, source.bytes), self.segment_bytes_max);
        is_begun || at == self.rewriting.from || (fits && !self.left_alone.contains(&at))
    }

    /// Bytes that were written of it.
    fn rewrite_batch(&mut self, engine: &Engine, source: &Source, batch: &Batch) -> Result<u64, Stop> {
        let fate = self.round.fate(batch).map_err(|error| {
            Stop::Damaged(format!("segment {} at {}: {error}", source.id.base, batch.header().base_offset))
        })?;
        #[cfg(feature = "planted-bugs")]
        let fate = match engine.options.plant {
            Some(crate::storage::options::StorePlant::LastOfKeyDropped)
                if batch.header().base_offset % 11 == 0 =>
            {
                Retained::Nothing
            }
            _ => fate,
        };
        // What a transaction wrote may be what a later record deletes.
        self.round.keeps_tombstones |= !Round::looks_into(batch);
        let stays = match fate {
            Retained::Whole => Some(batch.clone()),
            Retained::Rewritten(rewritten) => Some(rewritten),
            Retained::Nothing
                if self.recent.may_hold(batch.header()) && self.is_of_a_known_producer(batch) =>
            {
                Some(batch.emptied())
            }
            Retained::Nothing => None,
        };
        let Rewriting { output: Some(output), is_changed, .. } = &mut self.rewriting else { return Ok(0) };
        *is_changed |= stays.as_ref().is_none_or(|stays| stays.bytes() != batch.bytes());
        match stays {
            Some(stays) => {
                output.push(engine, &stays, source.last_append_ms).map_err(stop_of)?;
                Ok(stays.total_bytes() as u64)
            }
            None => {
                output.skip(batch.emptied());
                Ok(0)
            }
        }
    }

    /// Puts what was written in the place of the group, if there is one and it differs.
    fn end_group(&mut self, engine: &Engine) -> Result<(), Stop> {
        let (from, at) = (self.rewriting.from, self.rewriting.at);
        let Some(output) = self.rewriting.output.take() else { return Ok(()) };
        let members = self.sources.get(from..at).unwrap_or_default();
        if !self.rewriting.is_changed && members.len() < 2 {
            output.discard(engine).map_err(Stop::Failed)?;
            self.next_group(at);
            return Ok(());
        }
        let append_ms = members.last().map_or(0, |last| last.last_append_ms);
        let before: u64 = members.iter().map(|source| source.bytes).sum();
        let id = output.id();
        let first_append_ms = members.iter().map(|source| source.first_append_ms).min().unwrap_or(0);
        let finished = output.finish(engine, (first_append_ms, append_ms));
        let in_place = finished.map(|segment| {
            let after = segment.bytes;
            engine.put_in_place(&self.core, members, segment).then_some(after)
        });
        if !matches!(in_place, Ok(Some(_))) {
            let name = crate::storage::layout::LogFile::Segment(id);
            engine.files.remove(self.core.id, name).map_err(Stop::Failed)?;
        }
        let after = in_place.map_err(stop_of)?.ok_or(Stop::Overtaken)?;
        let done = &engine.compactor.done;
        done.bytes_written.fetch_add(after, Ordering::Relaxed);
        done.bytes_freed.fetch_add(before.saturating_sub(after), Ordering::Relaxed);
        self.next_group(at);
        Ok(())
    }
}

/// No space before anything is written is a refusal; everything else is final.
fn stop_of(error: DiskError) -> Stop {
    match error.kind {
        DiskErrorKind::NoSpace if error.operation != "sync" && error.operation != "write" => {
            Stop::Refused(error)
        }
        _ => Stop::Failed(error),
    }
}
