//! What a journal holds when a store opens: which frames are whole and in order, where they end, and whether they end in a
//! torn write (a clean cut) or in damage.

use crate::{
    disk::Disk,
    ids::LogId,
    storage::{OpenError, frame::Frame},
};
use std::path::{Path, PathBuf};

/// Frames that were synced and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct JournalDamage {
    /// The file, or the directory when a file is missing.
    pub(in crate::storage) file: PathBuf,
    /// Where in it.
    pub(in crate::storage) position: u64,
    /// The first sequence that is missing.
    pub(in crate::storage) sequence: u64,
    /// What was found.
    pub(in crate::storage) detail: String,
    /// Logs of whole frames behind the damage, ascending. Nobody can tell whose frames the damage held.
    pub(in crate::storage) logs_behind: Vec<LogId>,
}

/// What a journal holds. Keeps the bytes of its tail.
#[derive(Debug)]
pub(in crate::storage) struct Scan {
    /// Replay stops there (`None`: nothing synced is missing).
    pub(in crate::storage) damage: Vec<JournalDamage>,
    /// Where and how the last frame was cut off, if it was.
    pub(in crate::storage) torn_tail: Option<String>,
    /// Damage without loss (a header healed from its copy, padding that is not zero): file, position, what.
    pub(in crate::storage) blemishes: Vec<(PathBuf, u64, String)>,
    /// Bytes read from the disk.
    pub(in crate::storage) bytes_read: u64,
    /// Sequence of the first frame after this recovery.
    pub(in crate::storage) next_sequence: u64,
}

#[expect(unused_variables, clippy::unused_self, reason = "a skeleton; bodies follow")]
impl Scan {
    /// Reads every journal file that may hold a frame with at least the sequence `from` (what the checkpoint covers up
    /// to). A directory that is missing or empty is an empty journal.
    pub(in crate::storage) fn read(disk: &dyn Disk, directory: &Path, from: u64) -> Result<Scan, OpenError> {
        unimplemented!()
    }

    /// Every whole frame with at least the sequence `from`, in order. May be called any number of times.
    pub(in crate::storage) fn replay(
        &self,
        on_frame: &mut dyn FnMut(u64, Frame) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        unimplemented!()
    }
}
