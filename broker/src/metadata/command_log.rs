//! The metadata log on disk: a store of its own, one log in it, one command a batch. Opening it gives the state; what it
//! cannot read in full it refuses, naming the file, because a state that silently went back would reuse numbers.

use super::{
    ClusterState, Command, MetadataError, MetadataSetup, ProposeError,
    command::CommandProblem,
    error::MetadataFailure,
    snapshot::{self, Found},
};
use crate::{
    clock::{Monotonic, SharedClock},
    disk::{DiskErrorKind, SharedDisk},
    ids::{LeaderEpoch, LogId, MetadataIndex, Offset},
    storage::{
        AppendError, DeletionCause, JournalOptions, Log, LogOptions, ReadError, RecoveryReport, Residency,
        Store, StoreFailure, StoreListener, StoreOptions, StoreSetup,
    },
};
use bytes::Bytes;
use cairn_proto::record::{Batch, BatchBuilder, BatchOptions, DecompressLimit};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// The only log of the metadata's store.
const LOG: LogId = LogId(1);
/// Index 0 means "nothing yet".
const FIRST: Offset = Offset(1);
/// There is one voter, and it never votes again.
const TERM: LeaderEpoch = LeaderEpoch(1);
/// The largest command.
pub(super) const COMMAND_BYTES_MAX: usize = 2 << 20;
const READ_BYTES: usize = 4 << 20;

/// The commands, on disk.
pub(super) struct CommandLog {
    store: Store,
    log: Log,
    disk: SharedDisk,
    path: PathBuf,
    clock: SharedClock,
}

fn store_options() -> StoreOptions {
    StoreOptions {
        journal: JournalOptions {
            ring_bytes_max: 64 << 20,
            file_bytes_first: 1 << 20,
            file_bytes_max: 8 << 20,
            group_bytes_max: 4 << 20,
            queue_bytes_max: 8 << 20,
            ..JournalOptions::default()
        },
        checkpoint_after_bytes: 8 << 20,
        allocate_bytes_max: 1 << 20,
        open_segments_max: 16,
        reserve_bytes: 1 << 20,
        reserve_for_appends: true,
        ..StoreOptions::default()
    }
}

fn log_options() -> LogOptions {
    LogOptions {
        segment_bytes: 4 << 20,
        segment_ms: None,
        retention_bytes: None,
        retention_ms: None,
        compaction: None,
        batch_bytes_max: COMMAND_BYTES_MAX + 4096,
        stamp_append_time: false,
    }
}

impl CommandLog {
    /// Opens the store and rebuilds the state from snapshot and commands.
    pub(super) fn open(
        setup: &MetadataSetup,
        listener: Arc<dyn StoreListener>,
    ) -> Result<(Self, ClusterState), MetadataError> {
        let (disk, path, clock) = (Arc::clone(&setup.disk), setup.path.clone(), Arc::clone(&setup.clock));
        disk.create_dir(&path)?;
        let snapshot = snapshot::read(&*disk, &path)?;
        let (store, report) = Store::open(StoreSetup {
            disk: Arc::clone(&disk),
            path: path.clone(),
            options: store_options(),
            clock: Arc::clone(&clock),
            driver: setup.driver,
            listener,
        })?;
        refuse_suspect(&path, &report)?;
        let log = match store.log(LOG) {
            Some(log) => log,
            None if snapshot.state.is_some() || !snapshot.problems.is_empty() => {
                let detail = "there is a snapshot, but the log behind it is gone".to_string();
                return Err(MetadataError::Damaged { file: path, detail });
            }
            None => store.create_log(LOG, FIRST, log_options())?,
        };
        log.set_options(log_options());
        let this = Self { store, log, disk, path, clock };
        let state = this.rebuild(snapshot)?;
        this.log.begin_epoch(TERM);
        Ok((this, state))
    }

    fn damaged(&self, detail: String) -> MetadataError {
        MetadataError::Damaged { file: self.path.clone(), detail }
    }

    fn rebuild(&self, snapshot: Found) -> Result<ClusterState, MetadataError> {
        for problem in &snapshot.problems {
            tracing::warn!("metadata: {problem}; the other copy or the log has everything");
        }
        let whole = snapshot.whole || (snapshot.state.is_none() && snapshot.problems.is_empty());
        let mut state = snapshot.state.unwrap_or_default();
        let next = offset_of(state.index.next());
        let (start, end) = (self.log.start(), self.log.end());
        if start > next || end < next {
            let problems = snapshot.problems.join("; ");
            let index = state.index;
            let detail = format!(
                "commands {start} to {end} (exclusive) do not follow a snapshot of index {index}. {problems}"
            );
            return Err(self.damaged(detail));
        }
        self.replay(&mut state, next, end)?;
        if !whole {
            // One copy was lost or older: two again, before anything relies on them.
            self.write_snapshot(&state)?;
        }
        Ok(state)
    }

    fn replay(&self, state: &mut ClusterState, from: Offset, end: Offset) -> Result<(), MetadataError> {
        let mut next = from;
        while next < end {
            let run = self
                .log
                .read(next, end, READ_BYTES, Residency::MayBlock)
                .map_err(|error: ReadError| self.damaged(error.to_string()))?;
            if run.next_offset <= next {
                return Err(self.damaged(format!("nothing can be read at command {next}")));
            }
            let mut bytes = run.bytes;
            while let Some(batch) = Batch::split_first(&mut bytes)
                .map_err(|error| self.damaged(format!("command {next}: {error}")))?
            {
                self.replay_one(state, &batch)?;
            }
            next = run.next_offset;
        }
        Ok(())
    }

    fn replay_one(&self, state: &mut ClusterState, batch: &Batch) -> Result<(), MetadataError> {
        let index = state.index.next();
        let directory = self.path.clone();
        let failed = |detail: String| MetadataError::Command {
            directory: directory.clone(),
            index: index.get(),
            detail,
        };
        batch.check_crc().map_err(|error| failed(error.to_string()))?;
        let value = single_value(batch).map_err(failed)?;
        if batch.header().base_offset != offset_of(index).get() {
            return Err(failed(format!("it stands at offset {}", batch.header().base_offset)));
        }
        let command =
            Command::decode(&value).map_err(|problem: CommandProblem| failed(problem.to_string()))?;
        match state.apply(index, &command) {
            Ok(_) => Ok(()),
            Err(rejection) => Err(failed(rejection.to_string())),
        }
    }

    /// Appends one command; it is durable after [`CommandLog::sync`].
    pub(super) fn append(&self, index: MetadataIndex, command: &[u8]) -> Result<(), ProposeError> {
        let failed = |detail: String| ProposeError::Failed(MetadataFailure::Log(detail));
        if let Some(failure) = self.store.failure() {
            return Err(ProposeError::Failed(failure.into()));
        }
        let mut builder =
            BatchBuilder::new(BatchOptions { capacity_bytes: command.len() + 128, ..Default::default() });
        builder
            .append(self.clock.wall_ms().max(0), None, Some(command), &[])
            .map_err(|error| failed(error.to_string()))?;
        let bytes: Bytes = builder.finish().map_err(|error| failed(error.to_string()))?;
        let batch = Batch::parse(bytes).map_err(|error| failed(error.to_string()))?;
        match self.log.append(&batch, TERM) {
            Ok(appended) => {
                assert!(
                    appended.base_offset == offset_of(index),
                    "a command's offset is its index: {appended:?}"
                );
                Ok(())
            }
            Err(AppendError::NoSpace(error)) => Err(ProposeError::NoSpace(error.to_string())),
            // A small file system gives the journal small files.
            Err(AppendError::TooLarge { bytes, bytes_max }) => {
                Err(ProposeError::TooLarge { bytes, bytes_max })
            }
            // Written perhaps: the frame may be there after a restart.
            Err(AppendError::Failed(failure)) => Err(ProposeError::OutcomeUnknown(failure.into())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Everything appended is durable behind this.
    pub(super) fn sync(&self) -> Result<(), StoreFailure> {
        self.store.sync()
    }

    /// Bytes of commands that no snapshot covers, about.
    pub(super) fn size_bytes(&self) -> u64 {
        self.log.size_bytes()
    }

    /// Replaces the snapshot and cuts the log behind it. `false`: no space for it now.
    pub(super) fn snapshot(&self, state: &ClusterState) -> Result<bool, MetadataFailure> {
        match self.store.with_reserve(|| snapshot::write(&*self.disk, &self.path, state)) {
            Ok(()) => {}
            Err(error) if error.kind == DiskErrorKind::NoSpace => {
                tracing::warn!("metadata: no space for a snapshot, the log grows meanwhile: {error}");
                return Ok(false);
            }
            Err(error) => return Err(MetadataFailure::Snapshot(Arc::new(error))),
        }
        let cut = self.log.advance_start(offset_of(state.index.next()), DeletionCause::Snapshot);
        cut.map_err(|error| MetadataFailure::Log(error.to_string()))?;
        Ok(true)
    }

    fn write_snapshot(&self, state: &ClusterState) -> Result<(), MetadataError> {
        match self.store.with_reserve(|| snapshot::write(&*self.disk, &self.path, state)) {
            Err(error) if error.kind == DiskErrorKind::NoSpace => {
                tracing::warn!("metadata: no space to write the lost copy of the snapshot again: {error}");
                Ok(())
            }
            result => Ok(result?),
        }
    }

    /// The moment that is so far away.
    pub(super) fn later(&self, wait: Duration) -> Monotonic {
        Monotonic(self.clock.now().0.saturating_add(wait))
    }

    /// How long it is until then.
    pub(super) fn until(&self, moment: Monotonic) -> Duration {
        moment.since(self.clock.now())
    }

    /// The store's background work.
    pub(super) fn maintain(&self) -> Option<Duration> {
        self.store.maintain()
    }

    /// Whether the journal holds more than the few commands of a start.
    pub(super) fn has_filled_some(&self) -> bool {
        self.store.status().journal_bytes_uncheckpointed > 64 << 10
    }

    /// Everything durable, and a checkpoint.
    pub(super) fn close(&self) -> Result<(), StoreFailure> {
        self.store.close()
    }
}

/// A log that may lack what was synced would give an earlier state: numbers would be given twice.
fn refuse_suspect(path: &std::path::Path, report: &RecoveryReport) -> Result<(), MetadataError> {
    for problem in &report.problems {
        tracing::warn!("metadata: {problem}");
    }
    if report.suspect_logs.is_empty() {
        return Ok(());
    }
    let detail = format!("commands that were synced may be missing: {}", report.problems.join("; "));
    Err(MetadataError::Damaged { file: path.to_path_buf(), detail })
}

fn offset_of(index: MetadataIndex) -> Offset {
    match i64::try_from(index.get()) {
        Ok(offset) => Offset(offset),
        Err(_) => panic!("a command's index is an offset: {index:?}"),
    }
}

fn single_value(batch: &Batch) -> Result<Bytes, String> {
    let limit = DecompressLimit { bytes_max: COMMAND_BYTES_MAX };
    let mut records = batch.records(limit).map_err(|error| error.to_string())?;
    let record = records.next().ok_or("its batch is empty")?.map_err(|error| error.to_string())?;
    if records.next().is_some() {
        return Err("its batch has more than one record".into());
    }
    record.value.ok_or_else(|| "it has no value".into())
}
