//! The name of every file below a store's directory, in one place. Names are made and read back here only, and what is
//! read back makes the same name again: a file of any other name is not ours.

use crate::ids::{LogId, Offset};
use std::path::{Path, PathBuf};

/// Directory of the journal's ring.
pub(super) const JOURNAL_DIRECTORY: &str = "journal";
/// Directory of the logs, one below it for each log that has bytes.
pub(super) const LOGS_DIRECTORY: &str = "logs";
/// Where unknown things go.
pub(super) const QUARANTINE_DIRECTORY: &str = "quarantine";
/// Space that a full disk's checkpoint, truncation or start may use.
pub(super) const RESERVE_FILE: &str = "reserve";
/// Behind the name of a file that is not yet in its place.
pub(super) const TEMPORARY_SUFFIX: &str = ".tmp";

/// Which file holds a segment. Compaction never changes a file: what it writes is the next version of its first segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentId {
    /// Offset of the first record that there once was.
    pub(super) base: Offset,
    /// 0 as it was appended.
    pub(super) version: u32,
}

impl SegmentId {
    /// As it is appended.
    pub(super) fn appended(base: Offset) -> Self {
        Self { base, version: 0 }
    }

    fn name(self, kind: &str) -> String {
        match self.version {
            0 => format!("{:020}.{kind}", self.base.get()),
            version => format!("{:020}.{version}.{kind}", self.base.get()),
        }
    }
}

/// What a file of a log's directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LogFile {
    /// Batches from an offset on.
    Segment(SegmentId),
    /// The index of a sealed segment.
    Index(SegmentId),
    /// Producer state up to this offset.
    Producers(Offset),
}

impl LogFile {
    /// Its name in the log's directory.
    pub(super) fn name(self) -> String {
        match self {
            LogFile::Segment(id) => id.name("log"),
            LogFile::Index(id) => id.name("index"),
            LogFile::Producers(end) => format!("{:020}.producers", end.get()),
        }
    }

    /// What a name means; `None` for one that we do not give.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (number, rest) = name.split_once('.')?;
        let (version, kind) = match rest.split_once('.') {
            Some((version, kind)) => (version.parse().ok()?, kind),
            None => (0, rest),
        };
        let offset = Offset(number.parse::<i64>().ok().filter(|offset| *offset >= 0)?);
        let id = SegmentId { base: offset, version };
        let file = match kind {
            "log" => LogFile::Segment(id),
            "index" => LogFile::Index(id),
            "producers" => LogFile::Producers(offset),
            _ => return None,
        };
        (file.name() == name).then_some(file)
    }
}

/// The directory of a log below a store's path.
pub(super) fn log_directory(store: &Path, log: LogId) -> PathBuf {
    store.join(LOGS_DIRECTORY).join(log.get().to_string())
}

/// The log that a directory's name below `logs` stands for.
pub(super) fn log_of_directory(name: &str) -> Option<LogId> {
    let log = LogId(name.parse().ok()?);
    (log.get().to_string() == name).then_some(log)
}

/// A file of the journal's ring. Its number says nothing about its place in time: the head of the file does.
pub(super) fn journal_file_name(number: u32) -> String {
    format!("{number:04}.journal")
}

/// Which file of the ring a name stands for; `None` for one that we do not give.
pub(super) fn journal_file_number(name: &str) -> Option<u32> {
    let number = name.strip_suffix(".journal")?.parse().ok()?;
    (journal_file_name(number) == name).then_some(number)
}
