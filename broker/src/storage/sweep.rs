//! What stands in a store's directory and what the logs know of, held against each other at a start. A known file without a
//! use goes, because a durable frame is its cause; a known use without a file is damage; everything else is moved away and
//! kept.

use super::{
    DamagedRange,
    files::SegmentFiles,
    layout::{LOGS_DIRECTORY, LogFile, QUARANTINE_DIRECTORY, TEMPORARY_SUFFIX, log_of_directory},
    reserve::Reserve,
    state::LogState,
};
use crate::{
    disk::DiskResult,
    ids::{LogId, Offset},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// What a sweep is held against, and what it says.
pub(super) struct Sweep<'a> {
    pub(super) files: &'a SegmentFiles,
    pub(super) reserve: &'a Reserve,
    /// Logs that are deleted, by a durable frame or by the checkpoint.
    pub(super) deleted: &'a BTreeSet<LogId>,
    /// Whether the journal is damaged: then files that the logs do not know may hold what the damage hides, and stay.
    pub(super) journal_damaged: bool,
    pub(super) problems: Vec<String>,
}

impl Sweep<'_> {
    /// Looks at every directory of `logs`.
    pub(super) fn run(&mut self, logs: &mut BTreeMap<LogId, LogState>) -> DiskResult<()> {
        let directory = self.files.path.join(LOGS_DIRECTORY);
        let mut removed = false;
        for entry in self.files.disk.read_dir(&directory)? {
            let log = log_of_directory(&entry.name).filter(|_| entry.is_directory);
            match log {
                Some(log) if self.deleted.contains(&log) => {
                    self.files.remove_log(log)?;
                    removed = true;
                }
                Some(log) if logs.contains_key(&log) => {
                    if let Some(state) = logs.get_mut(&log) {
                        self.log(log, state)?;
                    }
                }
                _ => self.quarantine(&directory, &entry.name, "nothing knows of it")?,
            }
        }
        if removed {
            self.files.disk.sync_dir(&directory)?;
        }
        for (log, state) in logs.iter_mut().filter(|(_, state)| !state.segments.is_empty()) {
            if !state.has_directory || !self.files.disk.exists(&self.files.directory(*log))? {
                self.missing(*log, state, &BTreeSet::new());
            }
        }
        Ok(())
    }

    fn log(&mut self, log: LogId, state: &mut LogState) -> DiskResult<()> {
        state.has_directory = true;
        let directory = self.files.directory(log);
        let mut segments = BTreeSet::new();
        let mut removed = false;
        for entry in self.files.disk.read_dir(&directory)? {
            let mut is_version = false;
            let known = match LogFile::parse(&entry.name).filter(|_| !entry.is_directory) {
                Some(LogFile::Segment(id)) => {
                    let known = state.segment_of_base(id.base).is_some_and(|found| found.id() == id);
                    // The journal knows nothing of other versions: what it hides is not in them.
                    is_version |= !known && id.version > 0;
                    known && segments.insert(id.base)
                }
                Some(LogFile::Index(id)) => state
                    .segment_of_base(id.base)
                    .is_some_and(|found| found.id() == id && found.index_on_disk > 0),
                Some(LogFile::Producers(end)) => {
                    let known = end <= state.end;
                    if known {
                        state.snapshots.push(end);
                    }
                    known
                }
                None if entry.name.ends_with(TEMPORARY_SUFFIX) => false,
                None => {
                    self.quarantine(&directory, &entry.name, "no file of a log has such a name")?;
                    continue;
                }
            };
            if !known && self.journal_damaged && !is_version && entry.name.ends_with(".log") {
                self.quarantine(
                    &directory,
                    &entry.name,
                    "the journal is damaged and the log does not know it",
                )?;
            } else if !known {
                self.files.disk.remove_file(&directory.join(&entry.name))?;
                removed = true;
            }
        }
        if removed {
            // A stale snapshot must not come back when the log has grown past it.
            self.files.disk.sync_dir(&directory)?;
        }
        state.snapshots.sort();
        self.missing(log, state, &segments);
        Ok(())
    }

    /// Notes segments that are known and not there.
    fn missing(&mut self, log: LogId, state: &mut LogState, found: &BTreeSet<Offset>) {
        let missing: Vec<_> = state
            .segments
            .iter()
            .filter(|segment| !found.contains(&segment.base))
            .map(|segment| (segment.base, segment.end, self.files.file(log, segment.name())))
            .collect();
        for (from, to, file) in missing {
            let detail = "the segment is missing".to_string();
            self.problems.push(format!("{}: {detail}: offsets {from} to {to} of log {log}", file.display()));
            state.note_damage(DamagedRange { from, to, file, position: 0, detail });
        }
    }

    /// Moves something out of the way, under a name that says where it was.
    fn quarantine(&mut self, directory: &Path, name: &str, why: &str) -> DiskResult<()> {
        let files = self.files;
        let quarantine = files.path.join(QUARANTINE_DIRECTORY);
        self.reserve.with_space(|| files.disk.create_dir(&quarantine))?;
        let within = directory.strip_prefix(&files.path).unwrap_or(directory);
        let flat: Vec<_> = within.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let flat = format!("{}-{name}", flat.join("-"));
        let mut target = quarantine.join(&flat);
        let mut copy = 1_u32;
        while files.disk.exists(&target)? {
            target = quarantine.join(format!("{flat}.{copy}"));
            copy += 1;
        }
        let from = directory.join(name);
        files.disk.rename(&from, &target)?;
        files.disk.sync_dir(&quarantine)?;
        files.disk.sync_dir(directory)?;
        self.problems.push(format!("{} was moved to {}: {why}", from.display(), target.display()));
        Ok(())
    }
}
