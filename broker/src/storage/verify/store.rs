//! One store: checkpoint, journal, and then each log by what these two say of it.

use super::{Verification, segment::SegmentCheck};
use crate::{
    disk::{DiskErrorKind, read_file},
    ids::{LogId, Offset},
    storage::{
        LogOptions, OpenError, StoreOptions, VerifyDamage,
        checkpoint::{CHECKPOINT_FILE, Checkpoint, Found},
        frame::FrameBody,
        hole::DETAIL,
        index::Index,
        journal::{Scan, check},
        layout::{JOURNAL_DIRECTORY, LOGS_DIRECTORY, LogFile, SegmentId, log_directory, log_of_directory},
        producers::Producers,
        state::LogState,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// No index or snapshot is larger.
const SMALL_FILE_BYTES_MAX: usize = 1 << 30;

/// What the journal's tail says of a log, as far as it concerns the bytes below the checkpoint.
#[derive(Clone, Copy)]
struct Tail {
    /// The log was cut there.
    end: Offset,
    start: Offset,
    appended: bool,
    created: bool,
    deleted: bool,
}

impl Default for Tail {
    fn default() -> Self {
        let end = Offset(i64::MAX);
        Self { end, start: Offset::ZERO, appended: false, created: false, deleted: false }
    }
}

pub(super) fn verify(verification: &mut Verification<'_>, store: &Path) -> Result<(), OpenError> {
    let file = store.join(CHECKPOINT_FILE);
    let found = match Checkpoint::read(verification.disk, store) {
        Ok(found) => found,
        Err(OpenError::Damaged { file, position, detail }) => {
            verification.damage(&file, position, detail);
            verification.note(format!("{}: without a checkpoint the logs are not known", store.display()));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let present = found.is_some();
    let Found { checkpoint, damaged_copy } =
        found.unwrap_or(Found { checkpoint: Checkpoint::default(), damaged_copy: None });
    if let Some((position, detail)) = damaged_copy {
        verification.damage(&file, position, format!("one of two copies: {detail}"));
    }
    if present {
        verification.report.files += 1;
    }
    let tails = verify_journal(verification, store, checkpoint.covers)?;
    for (log, entry) in &checkpoint.logs {
        let tail = tails.get(log).copied().unwrap_or_default();
        if tail.deleted || checkpoint.deleted.contains_key(log) {
            continue;
        }
        verification.report.logs += 1;
        let interval = StoreOptions::default().index_interval_bytes;
        match LogState::decode(entry, LogOptions::default(), interval) {
            Ok((state, _)) => verify_log(verification, store, *log, (state, tail))?,
            Err(error) => verification.damage(&file, 0, format!("the entry of log {log}: {error}")),
        }
    }
    verification.report.logs += tails
        .iter()
        .filter(|(log, tail)| tail.created && !tail.deleted && !checkpoint.logs.contains_key(log))
        .count() as u64;
    note_unknown(verification, store, &checkpoint, &tails)
}

fn verify_journal(
    verification: &mut Verification<'_>,
    store: &Path,
    covers: u64,
) -> Result<BTreeMap<LogId, Tail>, OpenError> {
    let directory = store.join(JOURNAL_DIRECTORY);
    let checked = check(verification.disk, &directory, covers)?;
    verification.report.journal_frames += checked.frames;
    verification.report.files += verification.disk.read_dir(&directory)?.len() as u64;
    for (file, position, detail) in checked.damage {
        verification.damage(&file, position, detail);
    }
    if let Some(torn) = checked.torn_tail {
        verification.note(format!("the journal ends in a torn write, which a start cuts off: {torn}"));
    }
    verification.read_bytes(&directory, checked.bytes_read);
    let mut tails: BTreeMap<LogId, Tail> = BTreeMap::new();
    let scan = match Scan::read_with(verification.disk, &directory, covers, crate::disk::OpenMode::Read) {
        Err(OpenError::Damaged { .. }) => return Ok(tails),
        other => other?,
    };
    let replayed = scan.replay(&mut |_, frame| {
        let tail = tails.entry(frame.log).or_default();
        match frame.body {
            FrameBody::Append { .. } => tail.appended = true,
            FrameBody::Truncate { end } => tail.end = tail.end.min(end),
            FrameBody::LogStart { start, .. } => tail.start = tail.start.max(start),
            FrameBody::Create { .. } => tail.created = true,
            FrameBody::Delete { .. } => tail.deleted = true,
            FrameBody::Epoch { .. } | FrameBody::Synced => {}
        }
        Ok(())
    });
    match replayed {
        Ok(()) | Err(OpenError::Damaged { .. }) => Ok(tails),
        Err(error) => Err(error),
    }
}

fn verify_log(
    verification: &mut Verification<'_>,
    store: &Path,
    log: LogId,
    (mut state, tail): (LogState, Tail),
) -> Result<(), OpenError> {
    state.raise_start(tail.start);
    let active = state.segments.last().map(|segment| segment.base);
    let directory = log_directory(store, log);
    for hole in &state.holes {
        verification.report.damage.push(VerifyDamage {
            file: directory.join(LogFile::Segment(SegmentId::appended(hole.segment)).name()),
            position: hole.position,
            offsets: Some((hole.from, hole.to)),
            detail: DETAIL.to_string(),
        });
    }
    for segment in &state.segments {
        if segment.base >= tail.end {
            break;
        }
        let path = directory.join(segment.name().name());
        let may_have_more = Some(segment.base) == active && tail.appended;
        let check =
            SegmentCheck { path: &path, segment, epochs: &state.epochs, cut: tail.end, may_have_more };
        check.run(verification)?;
        if segment.index_on_disk > 0 && segment.end <= tail.end {
            verify_small(verification, &directory.join(segment.index_name().name()), |sealed| {
                let interval = StoreOptions::default().index_interval_bytes;
                Index::decode_file(sealed, segment.base, interval)
                    .map(|_| ())
                    .map_err(|error| (error.at, error.to_string()))
            })?;
        }
    }
    if !verification.disk.exists(&directory)? {
        return Ok(());
    }
    for entry in verification.disk.read_dir(&directory)? {
        let path = directory.join(&entry.name);
        match LogFile::parse(&entry.name) {
            Some(LogFile::Producers(end)) if end <= state.end.min(tail.end) => {
                verify_small(verification, &path, |sealed| {
                    Producers::decode_snapshot(sealed, end)
                        .map(|_| ())
                        .map_err(|error| (error.at, error.to_string()))
                })?
            }
            Some(_) => {}
            None => verification.note(format!("{} is no file of a log", path.display())),
        }
    }
    Ok(())
}

fn verify_small(
    verification: &mut Verification<'_>,
    path: &Path,
    decode: impl Fn(&[u8]) -> Result<(), (usize, String)>,
) -> Result<(), OpenError> {
    verification.report.files += 1;
    match read_file(verification.disk, path, SMALL_FILE_BYTES_MAX) {
        Ok(sealed) => {
            if let Err((position, detail)) = decode(&sealed) {
                let detail = format!("{detail} (it can be built again from the batches)");
                verification.damage(path, position as u64, detail);
            }
            verification.read_bytes(path, sealed.len() as u64);
        }
        Err(error) if matches!(error.kind, DiskErrorKind::NotFound | DiskErrorKind::Failed) => {
            verification.damage(path, 0, error.to_string());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Directories that neither checkpoint nor journal know.
fn note_unknown(
    verification: &mut Verification<'_>,
    store: &Path,
    checkpoint: &Checkpoint,
    tails: &BTreeMap<LogId, Tail>,
) -> Result<(), OpenError> {
    let known: BTreeSet<LogId> =
        checkpoint.logs.keys().chain(checkpoint.deleted.keys()).chain(tails.keys()).copied().collect();
    let directory = store.join(LOGS_DIRECTORY);
    for entry in verification.disk.read_dir(&directory)? {
        if log_of_directory(&entry.name).is_none_or(|log| !known.contains(&log)) {
            let path = directory.join(&entry.name);
            verification
                .note(format!("{}: no log is known by that name; a start moves it away", path.display()));
        }
    }
    Ok(())
}
