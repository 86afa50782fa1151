//! Open segment files: at most so many over all logs, whatever the number of logs. A segment keeps a weak reference; the
//! cache keeps the file open while it is used. Names are made and removed here too, so that there is one place that knows
//! which directory has to be synced.

use super::{
    StoreOptions,
    index::Index,
    layout::{LOGS_DIRECTORY, LogFile, SegmentId, log_directory},
};
use crate::{
    disk::{Caching, DiskError, DiskErrorKind, DiskFile, DiskResult, OpenMode, SharedDisk},
    ids::LogId,
};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

/// An open segment file.
pub(super) struct OpenSegment {
    pub(super) file: Arc<dyn DiskFile>,
    /// The whole index of a sealed segment, once somebody needed it.
    pub(super) index: OnceLock<Arc<Index>>,
    used: AtomicBool,
}

/// The files of all logs of one store.
pub(super) struct SegmentFiles {
    pub(super) disk: SharedDisk,
    /// The store's directory.
    pub(super) path: PathBuf,
    /// The smallest and the largest step in which space is allocated.
    pub(super) allocate_bytes: (u64, u64),
    pub(super) index_interval_bytes: u64,
    open_max: usize,
    generations: AtomicU32,
    open: Mutex<VecDeque<Arc<OpenSegment>>>,
}

impl SegmentFiles {
    pub(super) fn new(disk: SharedDisk, path: &Path, options: &StoreOptions) -> Self {
        let step_min = options.allocate_bytes_min.max(1);
        Self {
            disk,
            path: path.to_path_buf(),
            allocate_bytes: (step_min, options.allocate_bytes_max.max(step_min)),
            index_interval_bytes: options.index_interval_bytes,
            open_max: options.open_segments_max.max(1),
            generations: AtomicU32::new(0),
            open: Mutex::new(VecDeque::new()),
        }
    }

    /// A number that no other file of this process life has: it tells files that had the same name one after the other.
    pub(super) fn next_generation(&self) -> u32 {
        self.generations.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// The directory of a log.
    pub(super) fn directory(&self, log: LogId) -> PathBuf {
        log_directory(&self.path, log)
    }

    /// Where a file of a log is.
    pub(super) fn file(&self, log: LogId, file: LogFile) -> PathBuf {
        self.directory(log).join(file.name())
    }

    /// Opens an existing segment.
    pub(super) fn open_segment(&self, log: LogId, id: SegmentId) -> DiskResult<Arc<OpenSegment>> {
        let path = self.file(log, LogFile::Segment(id));
        Ok(self.keep(self.disk.open(&path, OpenMode::ReadWrite, Caching::Buffered)?))
    }

    /// Creates an empty segment. A file of that name is one that nobody knows of: it is emptied.
    pub(super) fn create_segment(&self, log: LogId, id: SegmentId) -> DiskResult<Arc<OpenSegment>> {
        let path = self.file(log, LogFile::Segment(id));
        Ok(self.keep(self.disk.open(&path, OpenMode::CreateOrTruncate, Caching::Buffered)?))
    }

    /// Creates the directory of a log.
    pub(super) fn create_directory(&self, log: LogId) -> DiskResult<()> {
        self.disk.create_dir(&self.directory(log))
    }

    /// Removes a file of a log; one that is not there is no error.
    pub(super) fn remove(&self, log: LogId, file: LogFile) -> DiskResult<()> {
        missing_is_fine(self.disk.remove_file(&self.file(log, file)))
    }

    /// Removes everything of a log. The caller has a durable cause.
    pub(super) fn remove_log(&self, log: LogId) -> DiskResult<()> {
        let directory = self.directory(log);
        if !self.disk.exists(&directory)? {
            return Ok(());
        }
        for entry in self.disk.read_dir(&directory)? {
            missing_is_fine(self.disk.remove_file(&directory.join(entry.name)))?;
        }
        missing_is_fine(self.disk.remove_dir(&directory))?;
        self.disk.sync_dir(&self.path.join(LOGS_DIRECTORY))
    }

    /// Closes a segment's file as soon as nobody uses it.
    pub(super) fn forget(&self, segment: &Arc<OpenSegment>) {
        self.open.lock().retain(|open| !Arc::ptr_eq(open, segment));
    }

    /// Files kept open.
    pub(super) fn open_count(&self) -> usize {
        self.open.lock().len()
    }

    /// Second chance: the oldest file that nobody used since it was last looked at goes.
    fn keep(&self, file: Arc<dyn DiskFile>) -> Arc<OpenSegment> {
        let opened = Arc::new(OpenSegment { file, index: OnceLock::new(), used: AtomicBool::new(true) });
        let mut open = self.open.lock();
        while open.len() >= self.open_max {
            match open.pop_front() {
                Some(oldest) if oldest.used.swap(false, Ordering::Relaxed) => open.push_back(oldest),
                _ => {}
            }
        }
        open.push_back(Arc::clone(&opened));
        opened
    }
}

impl OpenSegment {
    /// Notes a use, so that the file stays open.
    pub(super) fn touch(&self) {
        self.used.store(true, Ordering::Relaxed);
    }
}

fn missing_is_fine(result: DiskResult<()>) -> DiskResult<()> {
    match result {
        Err(DiskError { kind: DiskErrorKind::NotFound, .. }) => Ok(()),
        other => other,
    }
}
