//! What the journal records. A frame describes one change of one log completely: replaying frames in order from a
//! checkpoint, even twice, gives the same logs.

use crate::{
    ids::{LeaderEpoch, LogId, Offset},
    storage::DeletionCause,
};
use cairn_proto::record::StampedBatch;

/// The numbers that stand on disk. Unlisted numbers refuse to start; 7 and 8 are reserved for compaction
/// (replace-segments) and for a follower that starts anew (reset-to).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A batch.
    Append = 1,
    /// The log's end falls.
    Truncate = 2,
    /// The log's start rises.
    LogStart = 3,
    /// A log begins to exist in this directory.
    Create = 4,
    /// A log ceases to exist.
    Delete = 5,
    /// A leader epoch begins.
    Epoch = 6,
    /// Witness that everything before it was synced.
    Synced = 9,
}

/// One change of one log.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Which log; `LogId(0)` for `Synced`.
    pub log: LogId,
    /// The change.
    pub body: FrameBody,
}

/// The change.
#[derive(Clone, Debug)]
pub enum FrameBody {
    /// A batch, and where it stands: replay writes it there again without looking.
    Append {
        /// Base offset of the segment (it may be new with this batch).
        segment_base: Offset,
        /// Byte position in the segment.
        position: u64,
        /// The batch as it stands in the segment.
        batch: StampedBatch,
    },
    /// Everything at or above this offset is gone.
    Truncate {
        /// The new end.
        end: Offset,
    },
    /// Everything below this offset is gone.
    LogStart {
        /// The new start.
        start: Offset,
        /// Why.
        cause: DeletionCause,
    },
    /// The log exists from here on, empty, beginning at this offset.
    Create {
        /// Its first offset.
        start: Offset,
    },
    /// The log is gone for good; its id is never used again.
    Delete {
        /// Why.
        cause: DeletionCause,
    },
    /// A leader epoch begins.
    Epoch {
        /// The epoch.
        epoch: LeaderEpoch,
        /// The log's end at that moment.
        start: Offset,
    },
    /// Nothing new: all before it is synced.
    Synced,
}
