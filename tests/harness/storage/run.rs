//! A store that is being worked with, its model beside it. Every change is announced to the model before the store is told,
//! so that the model is right at every disk call in between.

use super::{
    Settings, SharedModel,
    check::states_of,
    clock::ManualClock,
    model::{LogModel, ModelBatch},
    settings::log_options,
};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use cairn_broker::{
    clock::Clock,
    disk::SharedDisk,
    ids::{LeaderEpoch, LogId, Offset},
    storage::{
        AppendError, Appended, CommitDriver, Log, LogOptions, ReadError, Store, StoreFailure, StoreSetup,
        TruncateError,
    },
};
use cairn_proto::record::Batch;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// Which errors of the store are answers and not findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// None: no fault was injected.
    Nothing,
    /// A full disk: refusals, but never a failure.
    Refusals,
    /// A disk that failed or refused, once.
    Failures,
}

/// A store that is being worked with.
pub struct Run {
    /// `None` only between the end of one store and the opening of the next.
    store: Option<Store>,
    pub(super) disk: SharedDisk,
    pub(super) path: PathBuf,
    pub(super) settings: Settings,
    pub(super) clock: ManualClock,
    pub(super) random: ChaCha8Rng,
    /// Shared with whoever checks power cuts.
    pub model: SharedModel,
    /// Reads that somebody still holds, and what they were.
    pub(super) held: VecDeque<(Bytes, Vec<u8>)>,
    pub(super) next_log: u64,
    pub(super) next_leader_epoch: i32,
    /// The last epoch that was begun in this life of the store, for each log.
    pub(super) leading: BTreeMap<u64, i32>,
    pub(super) options: BTreeMap<u64, LogOptions>,
    pub(super) tolerance: Tolerance,
    /// Every action so far, for the report.
    pub trace: Vec<String>,
}

impl Run {
    /// Opens the store on a disk whose state the model knows.
    ///
    /// # Errors
    /// The store does not open, or shows what the model does not allow.
    #[expect(clippy::too_many_arguments, reason = "a run is made of them, each once")]
    pub fn open(
        disk: SharedDisk,
        path: PathBuf,
        settings: Settings,
        seed: u64,
        model: SharedModel,
        tolerance: Tolerance,
    ) -> Result<Self> {
        let clock = ManualClock::new();
        let store = open_store(&disk, &path, &settings, &clock, &model)?;
        let mut run = Self {
            store: Some(store),
            disk,
            path,
            settings,
            clock,
            random: ChaCha8Rng::seed_from_u64(seed),
            model,
            held: VecDeque::new(),
            next_log: 1,
            next_leader_epoch: 0,
            leading: BTreeMap::new(),
            options: BTreeMap::new(),
            tolerance,
            trace: Vec::new(),
        };
        run.learn()?;
        Ok(run)
    }

    /// Compares the store with the model, and begins anew from what it shows.
    fn learn(&mut self) -> Result<()> {
        let states = states_of(self.store()?, &self.model.0.lock())?;
        let gone = self.model.0.lock().histories().map(|(id, _)| id).max().unwrap_or(0);
        self.next_log = self.next_log.max(gone + 1);
        for id in states.keys() {
            let latest = self.log(*id)?.latest_epoch().map_or(0, LeaderEpoch::get);
            self.next_leader_epoch = self.next_leader_epoch.max(latest);
        }
        self.model.0.lock().begin_from(states);
        self.leading.clear();
        for id in self.store()?.log_ids() {
            self.give_options(id.get())?;
        }
        Ok(())
    }

    pub(super) fn give_options(&mut self, id: u64) -> Result<()> {
        let options = log_options(&mut self.random);
        if options.compaction.is_some() {
            self.model.0.lock().will_be_compacted(id);
        }
        self.log(id)?.set_options(options.clone());
        self.options.insert(id, options);
        Ok(())
    }

    pub(super) fn stamps_time(&self, id: u64) -> bool {
        self.options.get(&id).is_some_and(|options| options.stamp_append_time)
    }

    /// Drops the store without closing it, and opens another.
    ///
    /// # Errors
    /// As for [`Run::open`].
    pub fn restart(&mut self) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        check_held(held)?;
        // The store that ends commits what it has in hand; the model is told.
        drop(self.store.take());
        self.store = Some(open_store(&self.disk, &self.path, &self.settings, &self.clock, &self.model)?);
        self.learn()
    }

    pub(super) fn store(&self) -> Result<&Store> {
        self.store.as_ref().context("the store did not open again")
    }

    pub(super) fn log(&self, id: u64) -> Result<Log> {
        self.store()?.log(LogId(id)).with_context(|| format!("log {id} is missing"))
    }

    pub(super) fn state(&self, id: u64) -> Result<LogModel> {
        self.model.0.lock().latest(id).cloned().with_context(|| format!("log {id} is unknown"))
    }

    /// What holds after every action: ends are as the model says, and nothing was reported that must not be.
    pub(super) fn check_ends(&self) -> Result<()> {
        let mut model = self.model.0.lock();
        model.check_reports()?;
        ensure!(self.store()?.failure().is_none() || model.failed(), "the store failed and told nobody");
        for id in model.live() {
            let Some(log) = self.store()?.log(LogId(id)) else { bail!("log {id} is missing") };
            let durable = log.durable();
            ensure!(durable <= log.end(), "log {id}: durable {durable} above the end {}", log.end());
            model.note_durable(id, durable.get());
            let Some(state) = model.latest(id) else { continue };
            let shown = (log.start().get(), log.end().get());
            let expected = (state.start, state.end);
            ensure!(model.failed() || shown == expected, "log {id} shows {shown:?}, the model {expected:?}");
        }
        Ok(())
    }

    /// A batch where the log ends, as the leader would stamp it.
    pub(super) fn stamped(&self, state: &LogModel, sent: &Batch, epoch: i32, stamp_time: bool) -> ModelBatch {
        let append_time_ms = stamp_time.then(|| self.clock.wall_ms());
        let stamped = sent.stamp(state.end, epoch, append_time_ms);
        ModelBatch {
            bytes: stamped.to_bytes(),
            sent: sent.clone(),
            base: state.end,
            end: stamped.header().next_offset(),
            epoch,
            append_time_ms,
            records: OnceLock::new(),
        }
    }

    /// What an append must answer, if it is not to be a finding.
    pub(super) fn settle_append(
        &mut self,
        id: u64,
        expected: (i64, i64),
        result: Result<Appended, AppendError>,
    ) -> Result<()> {
        match result {
            Ok(appended) => {
                let shown = (appended.base_offset.get(), appended.end_offset.get());
                ensure!(!appended.duplicate, "log {id}: a new batch was taken for a duplicate of {shown:?}");
                ensure!(shown == expected, "log {id}: appended at {shown:?}, expected {expected:?}");
                Ok(())
            }
            Err(AppendError::Failed(failure)) => self.settle_failure(&failure),
            Err(AppendError::NoSpace(_)) if self.tolerance != Tolerance::Nothing => {
                self.model.0.lock().retract(id);
                Ok(())
            }
            Err(error) => bail!("log {id}: append was refused: {error}"),
        }
    }

    /// A change other than an append.
    pub(super) fn settle_change(&mut self, id: u64, result: Result<(), TruncateError>) -> Result<()> {
        match result {
            Ok(()) => Ok(()),
            Err(TruncateError::Failed(failure)) => self.settle_failure(&failure),
            Err(TruncateError::NoSpace(_)) if self.tolerance != Tolerance::Nothing => {
                self.model.0.lock().retract(id);
                Ok(())
            }
            Err(error) => bail!("log {id}: {error}"),
        }
    }

    /// A failure is an answer only where one was injected; it leaves open whether the last change happened.
    pub(super) fn settle_failure(&mut self, failure: &StoreFailure) -> Result<()> {
        ensure!(self.tolerance == Tolerance::Failures, "the store failed: {failure}");
        ensure!(
            self.store()?.failure().is_some(),
            "a failure was answered, and the store is not fenced (I33)"
        );
        self.model.0.lock().note_failure();
        Ok(())
    }

    /// Whether a failed read is an answer.
    pub(super) fn settle_read(&self, error: &ReadError) -> Result<()> {
        let injected = self.tolerance == Tolerance::Failures;
        ensure!(injected && matches!(error, ReadError::Damaged { .. } | ReadError::Disk(_)), "{error}");
        Ok(())
    }

    /// Ends the run: what readers still hold has not changed.
    ///
    /// # Errors
    /// It has.
    pub fn finish(self) -> Result<()> {
        check_held(self.held)
    }

    pub(super) fn begin_epoch(&mut self, id: u64) -> Result<i32> {
        self.next_leader_epoch += 1;
        let epoch = self.next_leader_epoch;
        self.model.0.lock().will_change(id, |state| state.begin_epoch(epoch, state.end));
        self.log(id)?.begin_epoch(LeaderEpoch(epoch));
        self.leading.insert(id, epoch);
        Ok(epoch)
    }

    pub(super) fn create(&mut self) -> Result<u64> {
        let id = self.next_log;
        self.next_log += 1;
        let options = log_options(&mut self.random);
        self.options.insert(id, options.clone());
        let is_compacted = options.compaction.is_some();
        self.model.0.lock().will_create(id, 0);
        if is_compacted {
            self.model.0.lock().will_be_compacted(id);
        }
        match self.store()?.create_log(LogId(id), Offset::ZERO, options) {
            Ok(_) => {}
            Err(AppendError::Failed(failure)) => self.settle_failure(&failure)?,
            Err(error) => bail!("log {id} cannot be created: {error}"),
        }
        Ok(id)
    }
}

fn open_store(
    disk: &SharedDisk,
    path: &std::path::Path,
    settings: &Settings,
    clock: &ManualClock,
    model: &SharedModel,
) -> Result<Store> {
    let (store, report) = Store::open(StoreSetup {
        disk: Arc::clone(disk),
        path: path.to_path_buf(),
        options: settings.store.clone(),
        clock: Arc::new(clock.clone()),
        driver: CommitDriver::Stepped,
        listener: Arc::new(model.clone()),
    })
    .context("the store does not open")?;
    ensure!(report.suspect_logs.is_empty(), "without damage, suspects: {report:?}");
    // The directory of a log whose creation was lost: it is kept and reported, as anything unknown is.
    let unknown = |problem: &&String| !problem.ends_with("nothing knows of it");
    let problems: Vec<_> = report.problems.iter().filter(unknown).collect();
    ensure!(problems.is_empty(), "without damage, problems: {problems:?}");
    Ok(store)
}

fn check_held(held: VecDeque<(Bytes, Vec<u8>)>) -> Result<()> {
    for (bytes, copy) in held {
        ensure!(bytes == copy, "bytes changed under a reader");
    }
    Ok(())
}
