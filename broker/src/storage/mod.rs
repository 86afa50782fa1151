//! The storage engine of one directory: many logs, one journal, one checkpoint. Plain blocking code without a runtime.
//!
//! ```text
//!  Log::append ─► segment file (positioned write; readers use its map)
//!        └──────► Journal::enqueue ─► writer thread: gather ─► one aligned write ─► one sync ─► durable ends advance
//!  Store::maintain ─► checkpoint: segments fdatasync'd ─► checkpoint file ─► journal files recycled; retention; files prepared
//!  Store::open ─► checkpoint ─► journal tail replayed ─► a higher lap begun
//! ```
//!
//! What always holds:
//! * `durable ≤ log end`. Durable is what the journal has synced, and never falls except by truncation.
//! * A log's segments hold contiguous record batches and, behind the published end, zeros.
//! * Published bytes never change; a truncation copies the prefix it keeps.
//! * No segment is scanned at a start; a log's end is checkpoint plus journal.
//! * After a failed sync, or a failed write into allocated blocks, nothing more is appended or acknowledged here.

mod checkpoint;
mod checkpointer;
mod commits;
mod compact;
mod cuts;
mod decode;
mod engine;
mod epochs;
pub mod error;
mod files;
pub mod frame;
#[doc(hidden)]
pub mod fuzz;
mod heal;
mod hole;
mod index;
mod journal;
mod layout;
mod log;
mod maintain;
mod missing;
pub mod options;
mod producers;
mod recovery;
mod replay;
mod reserve;
mod retention;
mod segment;
mod state;
mod state_codec;
mod status;
mod store;
mod sweep;
mod verify;
mod walk;

#[cfg(test)]
mod tests;

pub use error::{AppendError, OpenError, ReadError, StoreFailure, TruncateError};
pub use log::{Log, Residency};
pub use options::{CompactionOptions, CompactorOptions, JournalOptions, LogOptions, StoreOptions};
pub use producers::ProducerFacts;
pub use status::{
    CompactionStatus, DamagedRange, RecoveryReport, StoreStatus, VerifyDamage, VerifyProgress, VerifyReport,
};
pub use store::{CommitDriver, Store, StoreSetup};
pub use verify::verify;

use crate::ids::{LeaderEpoch, LogId, Offset};
use bytes::Bytes;

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the batch's first record; for a duplicate the original one.
    pub base_offset: Offset,
    /// Exclusive end of the batch: an acknowledgement waits until the high watermark has reached it.
    pub end_offset: Offset,
    /// The append time stamped into the batch, if the topic wants one.
    pub append_time_ms: Option<i64>,
    /// Whether this batch was already in the log (idempotent producers); nothing was appended then.
    pub duplicate: bool,
}

/// A run of whole batches out of one segment.
#[derive(Clone, Debug)]
pub struct ReadRun {
    /// Whole batches, contiguous; the first one contains the wanted offset. Empty when there is nothing below the bound.
    pub bytes: Bytes,
    /// Offset to continue from: the end of the last batch of `bytes`, or the wanted offset if empty.
    pub next_offset: Offset,
}

/// Where a timestamp lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// The record's offset.
    pub offset: Offset,
    /// The record's timestamp.
    pub timestamp_ms: i64,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

/// Why a log start moved or a log vanished; recorded in the journal (I38).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionCause {
    /// Size or age.
    Retention,
    /// An operator's request.
    DeleteRecords,
    /// The topic was deleted.
    TopicDelete,
    /// A snapshot covers it (the metadata log).
    Snapshot,
}

/// Told by the journal's writer thread, after a write or a sync: short and non-blocking, it may take partition locks only.
pub trait StoreListener: Send + Sync + 'static {
    /// These logs' written ends are now at least these, and their sync begins. One entry a log; only logs that count what is
    /// written ([`Log::count_written`]).
    fn written_advanced(&self, _advances: &[(LogId, Offset)]) {}
    /// These logs' durable ends are now at least these. One entry a log.
    fn durable_advanced(&self, advances: &[(LogId, Offset)]);
    /// The directory is fenced from now on.
    fn store_failed(&self, failure: &StoreFailure);
}
