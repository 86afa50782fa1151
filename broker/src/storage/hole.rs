//! Offsets that were acknowledged once and that no copy in this directory holds any more. They are part of a log's persisted
//! form: nobody would find them again by looking, and they are never given again.

use super::{
    DamagedRange,
    files::SegmentFiles,
    layout::{LogFile, SegmentId},
};
use crate::ids::{LogId, Offset};

/// How it is reported.
pub(super) const DETAIL: &str = "neither the damaged journal nor the segment holds these offsets";

/// Offsets that no copy here holds any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) from: Offset,
    pub(super) to: Offset,
    /// The segment in which they stood, and where.
    pub(super) segment: Offset,
    pub(super) position: u64,
}

impl Hole {
    /// As it is reported.
    pub(super) fn range(&self, files: &SegmentFiles, log: LogId) -> DamagedRange {
        let file = files.file(log, LogFile::Segment(SegmentId::appended(self.segment)));
        let detail = DETAIL.to_string();
        DamagedRange { from: self.from, to: self.to, file, position: self.position, detail }
    }
}
