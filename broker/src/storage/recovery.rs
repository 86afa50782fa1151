//! Opening a store. In order: the checkpoint; the journal behind it, once for final deletes and once for everything; the
//! directory held against the result; a new lap of the journal. Nothing here removes what a second recovery would need: it
//! may be cut short anywhere and begin again.

use super::{
    OpenError, RecoveryReport, StoreFailure, StoreSetup,
    checkpoint::{CHECKPOINT_FILE, Checkpoint, Found},
    commits::Commits,
    compact::Compactor,
    cuts::Cuts,
    engine::{Engine, LogCore},
    files::SegmentFiles,
    frame::FrameBody,
    journal::{Journal, JournalSetup, Scan},
    layout::{JOURNAL_DIRECTORY, LOGS_DIRECTORY, LogFile},
    log::rebuild_producers,
    missing::Missing,
    options::LogOptions,
    replay::Replay,
    reserve::Reserve,
    state::LogState,
    store::CommitDriver,
    sweep::Sweep,
};
use crate::{
    disk::{Disk, DiskError, DiskErrorKind, read_file},
    ids::LogId,
};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
};

/// A snapshot of a million producers is smaller than this.
const SNAPSHOT_BYTES_MAX: usize = 1 << 30;

/// The logs as checkpoint and journal tell them.
pub(super) struct Recovered {
    pub(super) checkpoint: Checkpoint,
    pub(super) scan: Scan,
    pub(super) logs: BTreeMap<LogId, LogState>,
    pub(super) deleted: BTreeSet<LogId>,
    pub(super) report: RecoveryReport,
}

/// Opens a store.
pub(super) fn open(setup: StoreSetup) -> Result<(Arc<Engine>, RecoveryReport), OpenError> {
    let StoreSetup { disk, path, options, clock, driver, listener } = setup;
    make_directories(&*disk, &path)?;
    let files = SegmentFiles::new(disk.clone(), &path, &options);
    let reserve = Reserve::find(&disk, &path, options.reserve_bytes)?;
    // While there is space: this start or the next one may need it.
    reserve.restore()?;
    let mut recovered = recover(&files, &reserve, &options, clock.wall_ms())?;
    // Files go, and journal files begin anew, only after the frames and the checkpoint that say so are durable: the process
    // that wrote them may have ended before they were.
    recovered.scan.make_durable()?;
    if disk.exists(&path.join(CHECKPOINT_FILE))? {
        disk.sync_dir(&path)?;
    }
    sweep(&files, &reserve, &mut recovered)?;
    let Recovered { checkpoint, scan, logs, deleted, mut report } = recovered;
    let journal = reserve.with_space(|| {
        let (disk, directory) = (disk.clone(), path.join(JOURNAL_DIRECTORY));
        let (options, clock) = (options.journal.clone(), clock.clone());
        Journal::open(JournalSetup { disk, directory, options, clock }, &scan)
    })?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        disk.sync_dir(parent)?;
    }
    report.logs = logs.len();
    let commits = Arc::new(Commits::new(listener));
    let is_new = journal.next_sequence() == 0;
    let engine = Arc::new(Engine {
        files,
        compactor: Compactor::new(&options.compaction, clock.now()),
        opened_at: (clock.wall_ms(), clock.now()),
        options,
        clock,
        driver,
        journal,
        commits: Arc::clone(&commits),
        reserve,
        logs: RwLock::default(),
        deleted: Mutex::new(checkpoint.deleted.clone()),
        checkpoint: Mutex::new(checkpoint),
        checkpoints_written: AtomicU64::new(0),
        touched: Mutex::default(),
        doomed: Mutex::default(),
        suspect: report.suspect_logs.clone(),
        closed: AtomicBool::new(false),
        batch_bytes_max: AtomicUsize::new(0),
        batch_bytes_now: AtomicUsize::new(0),
        refused_at: Mutex::new(None),
        checkpoint_wanted: AtomicBool::new(report.frames_replayed > 0),
    });
    engine.deleted.lock().retain(|log, _| !deleted.contains(log));
    let next_sequence = engine.journal.next_sequence();
    let ahead = install(&engine, logs, next_sequence);
    if !engine.journal.has_begun() {
        begin_without_space(&engine, &scan)?;
    }
    // Nothing behind the checkpoint changed a log: starts in a row do not use up the ring. Only a checkpoint that covers the
    // frames there, a witness or a deleted log's, lets go of their file.
    let is_damaged = !scan.damage.is_empty();
    let unchanged = report.frames_replayed == 0;
    if ahead || is_damaged || (unchanged && !is_new) {
        // Or a checkpoint knew frames that the journal lost with its tail. Their sequences are given again, so no entry may
        // claim to have them.
        let written = engine.write_covering_checkpoint().map_err(open_error)?;
        if is_damaged && !written {
            return Err(OpenError::Disk(no_space_to_heal(&path)));
        }
    }
    match driver {
        CommitDriver::Thread => engine.journal.start_thread(commits)?,
        CommitDriver::Stepped => engine.journal.start_stepped(commits),
    }
    Ok((engine, report))
}

/// What was found again for missing frames stands in no journal: before anything is appended behind it, a checkpoint does.
fn no_space_to_heal(path: &Path) -> DiskError {
    let detail =
        "the journal is damaged, and there is no space for the checkpoint that makes its losses good".into();
    DiskError { kind: DiskErrorKind::NoSpace, operation: "recover", path: path.to_path_buf(), detail }
}

/// On a full disk without a free journal file the checkpoint comes first: it covers everything that was found, so that the
/// lap can begin in one of the files.
fn begin_without_space(engine: &Engine, scan: &Scan) -> Result<(), OpenError> {
    let begin = || engine.reserve.with_space(|| engine.journal.begin(scan));
    if !scan.damage.is_empty() {
        // The lap that says what is missing comes before the checkpoint that covers it, wherever there is space for that.
        match begin() {
            Err(error) if error.kind == DiskErrorKind::NoSpace => {}
            begun => return Ok(begun?),
        }
    }
    engine.write_covering_checkpoint().map_err(open_error)?;
    Ok(begin()?)
}

fn open_error(failure: StoreFailure) -> OpenError {
    OpenError::Disk(DiskError::clone(&failure.cause))
}

/// The names are made durable behind the journal's opening, which syncs the store's directory in any case; nothing relies on
/// them before. Also where they exist: the start that made them may have ended before their names were durable.
fn make_directories(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    disk.create_dir(path)?;
    disk.create_dir(&path.join(LOGS_DIRECTORY))?;
    Ok(())
}

/// Adds the logs to the tables. Whether any of them has frames that the journal does not have.
fn install(engine: &Engine, logs: BTreeMap<LogId, LogState>, next_sequence: u64) -> bool {
    let mut table = engine.logs.write();
    let mut touched = engine.touched.lock();
    let mut any_ahead = false;
    for (log, mut state) in logs {
        if state.covers > next_sequence {
            (state.covers, state.touched, any_ahead) = (next_sequence, true, true);
        }
        if state.touched {
            touched.insert(log);
        }
        engine.insert(&mut table, &LogCore::new(log, state));
    }
    any_ahead
}

/// Reads checkpoint and journal. Changes segments only where frames are written again.
pub(super) fn recover(
    files: &SegmentFiles,
    reserve: &Reserve,
    options: &super::StoreOptions,
    now_ms: i64,
) -> Result<Recovered, OpenError> {
    let mut report = RecoveryReport::default();
    let found = Checkpoint::read(&*files.disk, &files.path)?;
    let checkpoint_missing = found.is_none();
    let Found { checkpoint, damaged_copy } =
        found.unwrap_or(Found { checkpoint: Checkpoint::default(), damaged_copy: None });
    if let Some((position, detail)) = damaged_copy {
        let file = files.path.join(CHECKPOINT_FILE);
        report.problems.push(format!(
            "{} has a damaged copy at byte {position} ({detail}); its other copy is used",
            file.display()
        ));
    }
    let mut logs = BTreeMap::new();
    for (log, entry) in &checkpoint.logs {
        let state = read_entry(files, (*log, entry), now_ms, &mut report)?;
        logs.insert(*log, state);
    }
    let scan = Scan::read(&*files.disk, &files.path.join(JOURNAL_DIRECTORY), checkpoint.covers)?;
    if checkpoint_missing {
        refuse_without_checkpoint(files, &scan)?;
    }
    let mut deleted: BTreeSet<LogId> = checkpoint.deleted.keys().copied().collect();
    let mut cuts = Cuts::default();
    scan.replay(&mut |sequence, frame| {
        match frame.body {
            FrameBody::Delete { .. } => {
                deleted.insert(frame.log);
            }
            FrameBody::Truncate { end } => cuts.note(frame.log, sequence, end),
            FrameBody::LogStart { start, .. } => cuts.note_start(frame.log, start),
            _ => {}
        }
        Ok(())
    })?;
    logs.retain(|log, _| !deleted.contains(log));
    let mut replay = Replay {
        files,
        options,
        reserve,
        now_ms,
        logs,
        deleted,
        cuts,
        frames: 0,
        next_sequence: checkpoint.covers,
        missing: Missing::default(),
        problems: Vec::new(),
    };
    scan.replay(&mut |sequence, frame| replay.apply(sequence, frame))?;
    if !scan.damage.is_empty() {
        replay.missing.note_tail(scan.next_sequence.saturating_sub(replay.next_sequence));
        replay.heal_rest()?;
    }
    let Replay { mut logs, deleted, frames, problems, missing, .. } = replay;
    report.frames_replayed = frames;
    describe_journal(&scan, &missing, &mut report);
    report.problems.extend(problems);
    report.suspect_logs = missing.suspects(logs.keys().copied());
    for state in logs.values_mut() {
        state.high_watermark = state.high_watermark.clamp(state.start, state.end);
        if let Some(active) = state.segments.last_mut() {
            // Nobody knows what stands behind the end, whether frames were written again or not.
            (active.cut_due, active.allocated) = (true, 0);
        }
    }
    Ok(Recovered { checkpoint, scan, logs, deleted, report })
}

/// Without a checkpoint the journal must tell everything from the first frame on.
fn refuse_without_checkpoint(files: &SegmentFiles, scan: &Scan) -> Result<(), OpenError> {
    if scan.first_sequence.is_none_or(|sequence| sequence == 0) {
        return Ok(());
    }
    Err(OpenError::Damaged {
        file: files.path.join(CHECKPOINT_FILE),
        position: 0,
        detail: "the checkpoint is missing, and the journal begins later than the logs. Nothing was changed: restore this \
                 file, or restore the directory from a replica or a backup"
            .to_string(),
    })
}

fn describe_journal(scan: &Scan, missing: &Missing, report: &mut RecoveryReport) {
    report.journal_bytes_read = scan.bytes_read;
    report.torn_tail = scan.torn_tail.clone();
    for (file, position, detail) in &scan.blemishes {
        report.problems.push(format!("{} at byte {position}: {detail}", file.display()));
    }
    for damage in &scan.damage {
        report.problems.push(format!(
            "{} is damaged at byte {}: {}",
            damage.file.display(),
            damage.position,
            damage.detail,
        ));
    }
    if missing.any() {
        let (frames, found) = (missing.frames, missing.found);
        let more = if missing.uncounted { " or more" } else { "" };
        report.problems.push(format!(
            "the journal's damage took {frames}{more} synced frames; {found} were made good from the segments"
        ));
    }
}

/// One log of the checkpoint, with its producers.
fn read_entry(
    files: &SegmentFiles,
    (log, entry): (LogId, &[u8]),
    now_ms: i64,
    report: &mut RecoveryReport,
) -> Result<LogState, OpenError> {
    let decoded = LogState::decode(entry, LogOptions::default(), files.index_interval_bytes);
    let (mut state, over_snapshot) = decoded.map_err(|error| OpenError::Damaged {
        file: files.path.join(CHECKPOINT_FILE),
        position: 0,
        detail: format!("the entry of log {log} cannot be read though its checksum is right: {error}"),
    })?;
    for hole in state.holes.clone() {
        state.note_damage(hole.range(files, log));
    }
    let Some(base) = state.snapshot_base else { return Ok(state) };
    let path = files.file(log, LogFile::Producers(base));
    let file = read_file(&*files.disk, &path, SNAPSHOT_BYTES_MAX);
    // A truncation since the checkpoint takes the snapshot with it.
    let is_gone = matches!(&file, Err(error) if error.kind == DiskErrorKind::NotFound);
    let producers = file
        .map_err(|error| error.to_string())
        .and_then(|sealed| {
            super::producers::Producers::decode_snapshot(&sealed, base).map_err(|e| e.to_string())
        })
        .and_then(|mut producers| {
            let mut bytes = super::decode::Cursor::new(&over_snapshot);
            producers.decode_onto(&mut bytes).map_err(|error| error.to_string())?;
            bytes.finish().map_err(|error| error.to_string())?;
            Ok(producers)
        });
    match producers {
        Ok(producers) => state.producers = producers,
        Err(problem) => {
            if !is_gone {
                report.problems.push(format!("{}: {problem}; built again from the batches", path.display()));
            }
            state.snapshot_base = None;
            state.producers = rebuild_producers(files, log, &mut state, now_ms)?;
            state.touched = true;
        }
    }
    Ok(state)
}

fn sweep(files: &SegmentFiles, reserve: &Reserve, recovered: &mut Recovered) -> Result<(), OpenError> {
    let mut sweep = Sweep {
        files,
        reserve,
        deleted: &recovered.deleted,
        journal_damaged: !recovered.scan.damage.is_empty(),
        problems: Vec::new(),
    };
    sweep.run(&mut recovered.logs)?;
    recovered.report.problems.append(&mut sweep.problems);
    Ok(())
}
