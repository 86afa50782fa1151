//! What a damaged journal lost and the segments still hold. Journal and segment each hold every batch that no checkpoint
//! covers yet: frames that are missing are made good from the batches that stand where they belong. What neither holds is a
//! hole: its offsets are known, they are never given again, and reading them is an error that names them.

use super::{
    LogOptions, OpenError,
    files::SegmentFiles,
    frame::FrameBody,
    hole::Hole,
    layout::{LOGS_DIRECTORY, LogFile, SegmentId, log_of_directory},
    replay::Replay,
    segment::Segment,
    state::LogState,
    walk::{Paging, Stretch, Walk, WalkError},
};
use crate::{
    disk::{DiskErrorKind, DiskResult},
    ids::{LeaderEpoch, LogId, Offset},
};
use std::path::PathBuf;

/// Where an append frame says that its batch stands: the log has to reach exactly there.
#[derive(Clone, Copy)]
struct Goal {
    segment: Offset,
    position: u64,
    base: Offset,
}

impl Goal {
    fn is_in(&self, segment: &Segment) -> bool {
        segment.base == self.segment
    }

    fn is_reached(&self, state: &LogState) -> bool {
        let position = state.segments.last().filter(|last| self.is_in(last)).map_or(0, |last| last.bytes);
        state.end == self.base && position == self.position
    }
}

impl Replay<'_> {
    /// Before a frame behind a gap is applied: what is missing in front of it is looked for.
    pub(super) fn heal_before(
        &mut self,
        (log, sequence): (LogId, u64),
        state: &mut LogState,
        body: &FrameBody,
    ) -> Result<(), OpenError> {
        match body {
            FrameBody::Append { segment_base, position, batch } => {
                let (base, end) = (Offset(batch.header().base_offset), Offset(batch.header().next_offset()));
                if self.cuts.undo(log, sequence, base) || self.cuts.is_below_start(log, end) {
                    return Ok(());
                }
                self.missing.confirm(log);
                if base < state.end && base >= state.start {
                    // The log was cut there: only a truncation goes back.
                    self.truncate(log, state, base)?;
                }
                self.reach(log, state, Goal { segment: *segment_base, position: *position, base })
            }
            FrameBody::Truncate { end: offset }
            | FrameBody::LogStart { start: offset, .. }
            | FrameBody::Epoch { start: offset, .. }
                if *offset > state.end =>
            {
                self.heal(log, state, None)
            }
            _ => Ok(()),
        }
    }

    /// At the end of the tail: every log's segments may hold batches whose frames are missing, also of logs whose creation
    /// is among these.
    pub(super) fn heal_rest(&mut self) -> Result<(), OpenError> {
        let mut logs = std::mem::take(&mut self.logs);
        for entry in self.files.disk.read_dir(&self.files.path.join(LOGS_DIRECTORY))? {
            let Some(log) = log_of_directory(&entry.name).filter(|_| entry.is_directory) else { continue };
            if !logs.contains_key(&log) && !self.deleted.contains(&log) {
                logs.extend(self.adopt(log)?.map(|state| (log, state)));
            }
        }
        for (log, state) in &mut logs {
            let end = state.end;
            self.heal(*log, state, None)?;
            state.touched |= state.end > end;
        }
        self.logs = logs;
        Ok(())
    }

    /// A log of which nothing is known but its directory: it begins with its first segment.
    pub(super) fn adopt(&mut self, log: LogId) -> Result<Option<LogState>, OpenError> {
        let directory = self.files.directory(log);
        if !self.files.disk.exists(&directory)? {
            return Ok(None);
        }
        let entries = self.files.disk.read_dir(&directory)?;
        let bases = entries.iter().filter_map(|entry| match LogFile::parse(&entry.name) {
            // Another version would be known to the checkpoint.
            Some(LogFile::Segment(SegmentId { base, version: 0 })) => Some(base),
            _ => None,
        });
        let Some(start) = bases.min() else { return Ok(None) };
        let mut state = LogState::new(start, LogOptions::default());
        (state.has_directory, state.touched) = (true, true);
        self.heal(log, &mut state, None)?;
        self.missing.found += 1;
        self.problems.push(format!(
            "the creation of log {log} is missing in the damaged journal: it was taken from its files, from {start} to {}",
            state.end
        ));
        Ok(Some(state))
    }

    /// Brings a log to where its next frame stands; what cannot be found on the way becomes a hole.
    fn reach(&mut self, log: LogId, state: &mut LogState, goal: Goal) -> Result<(), OpenError> {
        if goal.is_reached(state) || goal.base < state.end {
            return Ok(());
        }
        self.heal(log, state, Some(goal))?;
        if goal.is_reached(state) {
            return Ok(());
        }
        if !state.segments.last().is_some_and(|last| goal.is_in(last)) {
            let position = state.segments.last().map_or(0, |last| last.bytes);
            let segment = state.segments.last().map_or(goal.segment, |last| last.base);
            let hole = Hole { from: state.end, to: goal.segment, segment, position };
            self.leave_hole((log, state), hole);
            if goal.position > 0 {
                state.segments.push(self.found_segment(goal.segment));
                self.heal_segment(log, state, Some(goal))?;
            }
        }
        let end = state.end;
        if let Some(last) = state.segments.last_mut().filter(|last| goal.is_in(last) && end < goal.base) {
            let hole = Hole { from: end, to: goal.base, segment: last.base, position: last.bytes };
            (last.end, last.bytes) = (goal.base, goal.position);
            // Nothing in front of it is trusted: a read that comes near looks at what stands there.
            last.fresh_from = goal.position;
            last.index.mark(goal.base, goal.position);
            self.leave_hole((log, state), hole);
        }
        Ok(())
    }

    fn leave_hole(&mut self, (log, state): (LogId, &mut LogState), hole: Hole) {
        if hole.from >= hole.to {
            return;
        }
        let range = hole.range(self.files, log);
        self.problems.push(format!(
            "offsets {} to {} of log {log} are lost: {} ({} byte {})",
            hole.from,
            hole.to,
            range.detail,
            range.file.display(),
            range.position
        ));
        state.end = hole.to;
        state.note_damage(range);
        state.holes.push(hole);
    }

    /// Takes the batches that stand behind a log's end in its segments, as far as they are whole and follow each other.
    fn heal(&mut self, log: LogId, state: &mut LogState, goal: Option<Goal>) -> Result<(), OpenError> {
        loop {
            self.heal_segment(log, state, goal)?;
            let is_there =
                goal.is_some_and(|goal| state.segments.last().is_some_and(|last| goal.is_in(last)));
            let is_next = state.segments.last().is_none_or(|last| last.base < state.end);
            if is_there || !is_next || !self.files.disk.exists(&next(self.files, log, state.end))? {
                return Ok(());
            }
            let before = state.end;
            state.segments.push(self.found_segment(before));
            self.heal_segment(log, state, goal)?;
            if state.end == before {
                state.segments.pop();
                return Ok(());
            }
        }
    }

    fn found_segment(&self, base: Offset) -> Segment {
        let mut segment = Segment::new(base, self.options.index_interval_bytes, self.now_ms);
        (segment.cut_due, segment.generation) = (true, self.files.next_generation());
        segment
    }

    fn heal_segment(
        &mut self,
        log: LogId,
        state: &mut LogState,
        goal: Option<Goal>,
    ) -> Result<(), OpenError> {
        let Some(segment) = state.segments.last_mut() else { return Ok(()) };
        let open = match segment.file(self.files, log) {
            Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let is_in = goal.filter(|goal| goal.is_in(segment));
        let end = goal.map_or(Offset(i64::MAX), |goal| is_in.map_or(goal.segment, |goal| goal.base));
        let limit = is_in.map_or(u64::MAX, |goal| goal.position).min(open.file.len()?);
        let (position, gapless) = (segment.bytes, segment.gapless);
        let stretch = Stretch {
            position,
            offset: state.end,
            limit,
            trusted_from: u64::MAX,
            gapless,
            end,
            paging: Paging::Read,
        };
        let mut walk = Walk::new(&*open.file, stretch);
        while let Some(header) = next_whole(&mut walk, state.latest_epoch())? {
            let begins_epoch = state.latest_epoch().is_none_or(|latest| latest.get() < header.leader_epoch);
            walk.pass(&header);
            state.note_batch(&header, header.total_bytes(), self.now_ms);
            state.touched = true;
            self.missing.found += if begins_epoch { 2 } else { 1 };
        }
        Ok(())
    }
}

/// The file of the segment that begins there, as it was appended.
fn next(files: &SegmentFiles, log: LogId, base: Offset) -> PathBuf {
    files.file(log, LogFile::Segment(SegmentId::appended(base)))
}

/// The header of the next batch, if a whole one stands there whose epoch may follow.
fn next_whole(
    walk: &mut Walk<'_>,
    latest: Option<LeaderEpoch>,
) -> DiskResult<Option<cairn_proto::record::BatchHeader>> {
    let header = match walk.peek() {
        Ok(header) => header,
        Err(WalkError::Disk(error)) => return Err(error),
        Err(WalkError::Bad(_) | WalkError::WouldBlock) => None,
    };
    let may_follow = |epoch: i32| epoch >= 0 && latest.is_none_or(|latest| latest.get() <= epoch);
    let Some(header) = header.filter(|header| may_follow(header.leader_epoch)) else { return Ok(None) };
    match walk.batch(&header, None) {
        Ok(_) => Ok(Some(header)),
        Err(WalkError::Disk(error)) => Err(error),
        Err(WalkError::Bad(_) | WalkError::WouldBlock) => Ok(None),
    }
}
