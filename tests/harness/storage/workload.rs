//! One action after the other, chosen by the random numbers and what the model says is possible.

use super::{
    Run, Tolerance,
    batches::{Sequence, batch},
    check::read_all,
    reduction::Shows,
};
use anyhow::{Context, Result, bail, ensure};
use cairn_broker::{
    clock::Clock,
    ids::{LeaderEpoch, LogId, Offset},
    storage::{AppendError, Appended, DeletionCause, Log, Residency, TruncateError},
};
use cairn_proto::record::Batch;
use rand::{Rng, seq::IndexedRandom};
use std::time::Duration;

/// Reads that are held for some time.
const HELD_MAX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Append,
    AppendIdempotent,
    Repeat,
    OutOfOrder,
    AppendAsFollower,
    BeginEpoch,
    Truncate,
    AdvanceStart,
    Retain,
    ChangeOptions,
    DeleteAndCreate,
    Step,
    Sync,
    Maintain,
    Checkpoint,
    Compact,
    Read,
    Restart,
    CloseAndOpen,
    PassTime,
}

/// What is done, and how often.
const WEIGHTS: &[(Action, u32)] = &[
    (Action::Append, 24),
    (Action::AppendIdempotent, 14),
    (Action::Repeat, 5),
    (Action::OutOfOrder, 1),
    (Action::AppendAsFollower, 4),
    (Action::BeginEpoch, 3),
    (Action::Truncate, 4),
    (Action::AdvanceStart, 3),
    (Action::Retain, 3),
    (Action::ChangeOptions, 1),
    (Action::DeleteAndCreate, 2),
    (Action::Step, 14),
    (Action::Sync, 4),
    (Action::Maintain, 6),
    (Action::Checkpoint, 2),
    (Action::Compact, 5),
    (Action::Read, 6),
    (Action::Restart, 1),
    (Action::CloseAndOpen, 1),
    (Action::PassTime, 3),
];

impl Run {
    /// One random action. `false` once the store has failed: nothing is left to do then.
    ///
    /// # Errors
    /// The store did what it must not do.
    pub fn act(&mut self) -> Result<bool> {
        if self.model.0.lock().failed() {
            return Ok(false);
        }
        while self.model.0.lock().live().len() < self.settings.logs {
            let id = self.create()?;
            self.trace.push(format!("create {id}"));
        }
        let action = WEIGHTS.choose_weighted(&mut self.random, |(_, weight)| *weight)?.0;
        let live = self.model.0.lock().live();
        let Some(id) = live.choose(&mut self.random).copied() else { bail!("there is no log") };
        self.trace.push(format!("{action:?} {id}"));
        self.run(action, id)?;
        self.check_ends()?;
        if let (Some(log), Some(line)) = (self.store()?.log(LogId(id)), self.trace.last_mut()) {
            *line = format!("{line} [{}..{}, durable {}]", log.start(), log.end(), log.durable());
        }
        Ok(true)
    }

    /// Appends to every log, as somebody does who has just opened the store.
    ///
    /// # Errors
    /// The store did what it must not do.
    pub(super) fn append_everywhere(&mut self) -> Result<()> {
        let live = self.model.0.lock().live();
        for id in live {
            self.repeat_all(id)?;
            self.append_idempotent(id)?;
            self.append(id, None)?;
        }
        self.check_ends()
    }

    fn run(&mut self, action: Action, id: u64) -> Result<()> {
        match action {
            Action::Append => self.append(id, None),
            Action::AppendIdempotent => self.append_idempotent(id),
            Action::Repeat => self.repeat_all(id),
            Action::OutOfOrder => self.out_of_order(id),
            Action::AppendAsFollower => self.append_as_follower(id),
            Action::BeginEpoch => self.begin_epoch(id).map(|_| ()),
            Action::Truncate => self.truncate(id),
            Action::AdvanceStart => self.advance_start(id),
            Action::Retain => self.retain(id),
            Action::ChangeOptions => self.give_options(id),
            Action::DeleteAndCreate => self.delete(id),
            Action::Step => {
                self.store()?.step();
                Ok(())
            }
            Action::Sync => self.sync(),
            Action::Maintain => {
                self.store()?.maintain();
                Ok(())
            }
            Action::Checkpoint => self.checkpoint(),
            Action::Compact => self.compact(id),
            Action::Read => self.read(id),
            Action::Restart => self.restart(),
            Action::CloseAndOpen => self.close_and_open(),
            Action::PassTime => {
                self.clock.advance(Duration::from_millis(self.random.random_range(1..90_000)));
                Ok(())
            }
        }
    }

    /// An append whose answer is somebody else's business.
    pub(super) fn append_anything(&mut self, log: &Log) -> Result<Result<Appended, AppendError>> {
        let sent = batch(&mut self.random, self.clock.wall_ms(), None)?;
        Ok(log.append(&sent, LeaderEpoch(self.next_leader_epoch)))
    }

    fn append(&mut self, id: u64, sequence: Option<Sequence>) -> Result<()> {
        let sent = batch(&mut self.random, self.clock.wall_ms(), sequence)?;
        let epoch = match self.leading.get(&id) {
            Some(epoch) => *epoch,
            None => self.begin_epoch(id)?,
        };
        let (log, state) = (self.log(id)?, self.state(id)?);
        let stamped = self.stamped(&state, &sent, epoch, self.stamps_time(id));
        let expected = (stamped.base, stamped.end);
        self.model.0.lock().will_append(id, stamped);
        let result = log.append(&sent, LeaderEpoch(epoch));
        self.settle_append(id, expected, result)
    }

    fn append_idempotent(&mut self, id: u64) -> Result<()> {
        let state = self.state(id)?;
        let producer_id = self.random.random_range(1..4_i64);
        let last = state.repeatable(producer_id).last().map(|batch| *batch.sent.header());
        let sequence = match last {
            Some(last) if self.random.random_bool(0.95) => {
                let base = last.last_sequence().checked_add(1).unwrap_or(0);
                Sequence { producer_id, epoch: last.producer_epoch, base }
            }
            _ => {
                let epoch = self.model.0.lock().next_producer_epoch();
                Sequence { producer_id, epoch, base: 0 }
            }
        };
        self.append(id, Some(sequence))
    }

    /// Sends batches again that are in the log: each must be answered with its own offset.
    fn repeat_all(&mut self, id: u64) -> Result<()> {
        let (log, state) = (self.log(id)?, self.state(id)?);
        for producer_id in 1..4 {
            for original in state.repeatable(producer_id) {
                let epoch = LeaderEpoch(self.leading.get(&id).copied().unwrap_or(self.next_leader_epoch));
                match log.append(&original.sent, epoch) {
                    Ok(answer) => {
                        let shown =
                            (answer.base_offset.get(), answer.end_offset.get(), answer.append_time_ms);
                        let expected = (original.base, original.end, original.append_time_ms);
                        ensure!(answer.duplicate, "log {id}: {expected:?} is in the log twice (I24, I40)");
                        ensure!(
                            shown == expected,
                            "log {id}: a repetition of {expected:?} got {shown:?} (I25)"
                        );
                    }
                    Err(AppendError::Failed(failure)) => return self.settle_failure(&failure),
                    Err(AppendError::NoSpace(_)) if self.tolerance != Tolerance::Nothing => {}
                    Err(error) => bail!("log {id}: repeating {}..: {error} (I40)", original.base),
                }
            }
        }
        Ok(())
    }

    fn out_of_order(&mut self, id: u64) -> Result<()> {
        let (log, state) = (self.log(id)?, self.state(id)?);
        let Some(last) = state.repeatable(1).last().map(|batch| *batch.sent.header()) else { return Ok(()) };
        let base = last.last_sequence().wrapping_add(9) & i32::MAX;
        let sequence = Sequence { producer_id: 1, epoch: last.producer_epoch, base };
        let sent = batch(&mut self.random, self.clock.wall_ms(), Some(sequence))?;
        let epoch = LeaderEpoch(self.leading.get(&id).copied().unwrap_or(self.next_leader_epoch));
        match log.append(&sent, epoch) {
            Err(AppendError::OutOfOrderSequence { .. }) => Ok(()),
            Err(AppendError::Failed(failure)) => self.settle_failure(&failure),
            Err(AppendError::NoSpace(_)) if self.tolerance != Tolerance::Nothing => Ok(()),
            other => bail!("log {id}: a sequence was skipped, and the answer is {other:?}"),
        }
    }

    fn append_as_follower(&mut self, id: u64) -> Result<()> {
        let sent = batch(&mut self.random, self.clock.wall_ms(), None)?;
        self.next_leader_epoch += i32::from(self.random.random_bool(0.3));
        let (log, state) = (self.log(id)?, self.state(id)?);
        let epoch = self.next_leader_epoch;
        let stamped = self.stamped(&state, &sent, epoch, false);
        let fetched = Batch::parse(stamped.bytes.clone())?;
        let expected = (stamped.base, stamped.end);
        self.model.0.lock().will_append(id, stamped);
        self.leading.remove(&id);
        let result = log.append_as_follower(&fetched);
        self.settle_append(id, expected, result)
    }

    fn truncate(&mut self, id: u64) -> Result<()> {
        let (log, state) = (self.log(id)?, self.state(id)?);
        let back = if self.random.random_bool(0.8) { 6 } else { 60 };
        let mut end = (state.end - self.random.random_range(0..back)).max(state.start);
        if state.may_be_compacted {
            end = end.max(state.committed);
        }
        if state.truncation_end(end) < state.start || state.truncation_end(end) == state.end {
            return Ok(());
        }
        self.leading.remove(&id);
        self.model.0.lock().will_truncate(id, end);
        let result = log.truncate(Offset(end));
        let done = result.is_ok();
        self.settle_change(id, result)?;
        if done {
            // The truncate frame is durable, and the journal has one order for all logs.
            self.model.0.lock().all_durable();
        }
        Ok(())
    }

    fn advance_start(&mut self, id: u64) -> Result<()> {
        let (log, state) = (self.log(id)?, self.state(id)?);
        let start = self.random.random_range(state.start..=state.end.min(state.start + 12));
        self.model.0.lock().will_change(id, |state| state.advance_start(start));
        let result = log.advance_start(Offset(start), DeletionCause::DeleteRecords);
        self.settle_change(id, result)
    }

    fn retain(&mut self, id: u64) -> Result<()> {
        let (log, state) = (self.log(id)?, self.state(id)?);
        let high_watermark = self.commit(id, &log);
        let start_max = high_watermark.get().max(state.start);
        self.model.0.lock().will_change(id, |state| state.start_max = start_max);
        let result = log.apply_retention(high_watermark);
        let moved = match &result {
            Ok(moved) => *moved,
            Err(TruncateError::Failed(_)) => return self.settle_change(id, result.map(|_| ())),
            Err(_) => None,
        };
        if let Some(start) = moved {
            let whole = state.batches.iter().any(|batch| batch.end == start.get());
            ensure!(start <= high_watermark && whole, "log {id}: retention moved the start to {start} (I39)");
        }
        let start = moved.map_or(state.start, Offset::get);
        self.model.0.lock().correct(id, |state| {
            state.start_max = state.start;
            state.advance_start(start);
        });
        result.map(|_| ()).or_else(|error| self.settle_change(id, Err(error)))
    }

    /// Everything durable is committed.
    fn commit(&mut self, id: u64, log: &Log) -> Offset {
        let durable = log.durable();
        self.model.0.lock().note_committed(id, durable.get());
        log.note_high_watermark(durable);
        durable
    }

    /// Some pieces of background work, after which every log still shows what the model allows.
    fn compact(&mut self, id: u64) -> Result<()> {
        let log = self.log(id)?;
        self.commit(id, &log);
        for _ in 0..self.random.random_range(1..6_u8) {
            self.clock.advance(Duration::from_millis(100));
            self.store()?.maintain();
        }
        if self.model.0.lock().failed() {
            return Ok(());
        }
        self.compare(id)
    }

    fn delete(&mut self, id: u64) -> Result<()> {
        self.model.0.lock().will_delete(id);
        let result = self.store()?.delete_log(LogId(id), DeletionCause::TopicDelete);
        self.settle_change(id, result)?;
        self.create().map(|_| ())
    }

    /// Everything is durable.
    ///
    /// # Errors
    /// The store failed, and no failure was injected.
    pub fn sync(&mut self) -> Result<()> {
        match self.store()?.sync() {
            Ok(()) => self.model.0.lock().all_durable(),
            Err(failure) => self.settle_failure(&failure)?,
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        match self.store()?.checkpoint() {
            Ok(()) => Ok(()),
            Err(_) if self.tolerance == Tolerance::Refusals && self.store()?.failure().is_none() => Ok(()),
            Err(failure) => self.settle_failure(&failure),
        }
    }

    fn close_and_open(&mut self) -> Result<()> {
        match self.store()?.close() {
            Ok(()) => self.model.0.lock().all_durable(),
            Err(_) if self.tolerance == Tolerance::Refusals && self.store()?.failure().is_none() => {}
            Err(failure) => return self.settle_failure(&failure),
        }
        self.restart()
    }

    fn read(&mut self, id: u64) -> Result<()> {
        let (log, state) = (self.log(id)?, self.state(id)?);
        if state.start == state.end {
            return Ok(());
        }
        let offset = self.random.random_range(state.start..state.end);
        let run = match log.read(Offset(offset), Offset(state.end), 2_000, Residency::MayBlock) {
            Ok(run) => run,
            Err(error) => return self.settle_read(&error),
        };
        let shown = state.allows(&run.bytes, Shows::From(offset));
        shown.with_context(|| format!("log {id}: other bytes at {offset}"))?;
        ensure!(!run.bytes.is_empty() && run.next_offset.get() > offset, "log {id}: nothing at {offset}");
        let copy = run.bytes.to_vec();
        self.held.push_back((run.bytes, copy));
        if self.held.len() > HELD_MAX
            && let Some((bytes, copy)) = self.held.pop_front()
        {
            ensure!(bytes == copy, "bytes changed under a reader");
        }
        Ok(())
    }

    /// Reads every log from end to end and compares.
    ///
    /// # Errors
    /// A log holds other bytes than the model.
    pub fn compare_all(&mut self) -> Result<()> {
        let live = self.model.0.lock().live();
        live.into_iter().try_for_each(|id| self.compare(id))
    }

    fn compare(&mut self, id: u64) -> Result<()> {
        let (log, state) = (self.log(id)?, self.state(id)?);
        let bytes = match read_all(&log, log.start(), log.end()) {
            Ok(bytes) => bytes,
            Err(error) => return self.settle_read(error.downcast_ref().context("not an error of a read")?),
        };
        let shown = state.allows(&bytes, Shows::Everything);
        shown.with_context(|| format!("log {id} holds other bytes"))
    }
}
