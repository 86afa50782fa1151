//! What is asked of a partition, and how it answers. Answers are callbacks that do not block: no task and no channel per
//! request.

use super::{DeleteRecordsError, ProduceError};
use crate::ids::{LeaderEpoch, Offset, TopicPartition};
use bytes::Bytes;

/// When a producer is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Once the high watermark covers the batch.
    All,
    /// Once the leader's own durable end covers it.
    Leader,
    /// At once, after the append; errors are answered too.
    None,
}

/// One batch for one partition.
#[derive(Debug)]
pub struct ProduceRequest {
    /// Where to.
    pub partition: TopicPartition,
    /// As the client knows it.
    pub leader_epoch: Option<LeaderEpoch>,
    /// When to answer.
    pub acks: Acks,
    /// Exactly one record batch, as received.
    pub batch: Bytes,
}

/// A batch is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    /// Offset of its first record; the original one for a duplicate.
    pub base_offset: Offset,
    /// The offset behind its last record.
    pub end_offset: Offset,
    /// The broker's stamp, if the topic wants one.
    pub append_time_ms: Option<i64>,
    /// The partition's first offset.
    pub log_start: Offset,
    /// The epoch it was appended in.
    pub leader_epoch: LeaderEpoch,
}

/// Called exactly once, on a lane or on the journal's thread: it must not block and must not call back into
/// [`Replicas`](super::Replicas). One partition's successes come in offset order; errors may overtake them.
pub type OnProduced = Box<dyn FnOnce(Result<Produced, ProduceError>) + Send>;

/// Called exactly once with the new log start, once that is durable. As [`OnProduced`] otherwise.
pub type OnDeleted = Box<dyn FnOnce(Result<Offset, DeleteRecordsError>) + Send>;

/// Somebody with many partitions to wait for: one object, a token for each.
pub trait FetchWaker: Send + Sync {
    /// The partition of that token may have something to read, or to say. Must not block and must not call back into
    /// [`Replicas`](super::Replicas).
    fn wake(&self, token: u64);
}
