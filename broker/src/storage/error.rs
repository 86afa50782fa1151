//! One enum per operation of the storage engine; each variant is one fact that callers tell apart. A failed sync or a
//! failed write into allocated blocks is a permanent, typed state of the directory: [`StoreFailure`].

use crate::{
    disk::DiskError,
    ids::{LeaderEpoch, Offset},
};
use std::{path::PathBuf, sync::Arc};

/// The directory is fenced until the process restarts (design: failure or refusal).
#[derive(Clone, Debug, thiserror::Error)]
#[error("the data directory is fenced until restart: {cause}")]
pub struct StoreFailure {
    /// What failed first.
    pub cause: Arc<DiskError>,
}

/// Why nothing was appended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The directory failed.
    #[error(transparent)]
    Failed(#[from] StoreFailure),
    /// No space to roll or to allocate; a later attempt may succeed.
    #[error("refused, no space left: {0}")]
    NoSpace(Arc<DiskError>),
    /// Larger than the log accepts.
    #[error("a batch of {bytes} bytes, at most {bytes_max} are accepted (max.message.bytes)")]
    TooLarge {
        /// Bytes of the batch.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Larger than the journal can ever take, whatever the log accepts.
    #[error(
        "a batch of {bytes} bytes, this broker's journal takes up to {bytes_max} (journal-file-bytes-max, journal-ring-bytes-max)"
    )]
    BeyondJournal {
        /// Bytes of the batch.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The sequence does not follow the last one of this producer.
    #[error("producer {producer_id} epoch {producer_epoch} sent sequence {sequence}, expected {expected}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// Its epoch.
        producer_epoch: i16,
        /// What it sent.
        sequence: i32,
        /// What would have followed.
        expected: i32,
    },
    /// A newer epoch of this producer has written.
    #[error("producer {producer_id} epoch {producer_epoch} is fenced by epoch {current_epoch}")]
    ProducerFenced {
        /// The producer.
        producer_id: i64,
        /// Its epoch.
        producer_epoch: i16,
        /// The newer one.
        current_epoch: i16,
    },
    /// A follower's batch that does not continue the log.
    #[error("a batch at {base_offset} (epoch {leader_epoch}) cannot follow log end {log_end}")]
    NotContiguous {
        /// Its base offset.
        base_offset: Offset,
        /// Its epoch.
        leader_epoch: LeaderEpoch,
        /// The log's end.
        log_end: Offset,
    },
    /// The log was deleted, or its offsets are used up.
    #[error("the log is closed: {0}")]
    Closed(&'static str),
}

/// Why a read gave nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Outside `[log start, log end]`.
    #[error("offset {offset} is outside the log's {start} to {end}")]
    OutOfRange {
        /// The wanted offset.
        offset: Offset,
        /// The log start.
        start: Offset,
        /// The log end.
        end: Offset,
    },
    /// The offsets `[from, to)` cannot be read from this copy.
    #[error("offsets {from} to {to} (exclusive) are damaged in {file} at byte {position}: {detail}")]
    Damaged {
        /// First unreadable offset.
        from: Offset,
        /// First offset behind the damage that can be read again.
        to: Offset,
        /// The file.
        file: PathBuf,
        /// Where in it.
        position: u64,
        /// What was found there.
        detail: String,
    },
    /// The bytes are not in memory: repeat the read on a thread that may block.
    #[error("the range is not in memory")]
    WouldBlock,
    /// The file could not be opened or mapped; no statement about its bytes.
    #[error(transparent)]
    Disk(Arc<DiskError>),
    /// The log was deleted.
    #[error("the log is closed")]
    Closed,
}

/// Why a truncation, a log-start move or a deletion did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TruncateError {
    /// The directory failed.
    #[error(transparent)]
    Failed(#[from] StoreFailure),
    /// No space for the copy.
    #[error("refused, no space left: {0}")]
    NoSpace(Arc<DiskError>),
    /// Outside the log.
    #[error("offset {offset} is outside the log's {start} to {end}")]
    OutOfRange {
        /// The wanted offset.
        offset: Offset,
        /// The log start.
        start: Offset,
        /// The greatest offset allowed.
        end: Offset,
    },
    /// The log was deleted.
    #[error("the log is closed")]
    Closed,
}

/// Why a store did not open.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// A disk call failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Written by a newer version.
    #[error(
        "{file} has format {found}, this build reads up to {known}: start the newer version on this directory"
    )]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest one known.
        known: u32,
    },
    /// Damage that cannot be worked around.
    #[error("{file} is damaged at byte {position}: {detail}")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in it.
        position: u64,
        /// What was found, and what to do.
        detail: String,
    },
}
