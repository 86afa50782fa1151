//! Offsets by position or by time. A lookup by time may read an index or a batch from disk, so all lookups of a request
//! run on one thread that may block, of which there are few.

use super::{Broker, Context, Refusal, within};
use crate::{
    ids::{LeaderEpoch, Offset, TopicPartition},
    replication::{FetchError, OffsetAnswer, OffsetQuery},
};

/// One question.
#[derive(Clone, Debug)]
pub struct OffsetRequest {
    /// Of which partition.
    pub partition: TopicPartition,
    /// As the client knows it.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Which offset.
    pub query: OffsetQuery,
}

/// Why none of the questions was answered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ListOffsetsError {
    /// Turned away.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The deadline passed; nothing was changed.
    #[error("no answer before the deadline: ask for fewer partitions, or try again")]
    TimedOut,
}

impl ListOffsetsError {
    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.retryable(),
            Self::TimedOut => true,
        }
    }
}

/// Which epoch's end is wanted.
#[derive(Clone, Copy, Debug)]
pub struct EpochRequest {
    /// Of which partition.
    pub partition: TopicPartition,
    /// The current epoch, as the client knows it.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The epoch looked for.
    pub epoch: LeaderEpoch,
}

/// The wanted epoch, or the largest one below it, and the offset behind its last record; `None` for an epoch that nobody
/// led in.
pub type EpochEnd = Option<(LeaderEpoch, Offset)>;

impl Broker {
    /// Where a leader epoch ends.
    ///
    /// # Errors
    /// Of the partition.
    pub fn epoch_end(&self, request: &EpochRequest) -> Result<EpochEnd, FetchError> {
        self.replicas().epoch_end(request.partition, request.epoch, request.leader_epoch)
    }

    /// Answers each question, in their order.
    ///
    /// # Errors
    /// Too many questions, no time, or the broker is shutting down. A partition's own error is that answer's.
    pub async fn list_offsets(
        &self,
        context: &Context,
        requests: Vec<OffsetRequest>,
    ) -> Result<Vec<Result<OffsetAnswer, FetchError>>, ListOffsetsError> {
        let patience = self.admission().admit(context)?;
        let (given, max) = (requests.len(), self.limits().offset_queries_max);
        if given > max {
            return Err(Refusal::TooMuch { what: "queries", given, max, limit: "offset-queries-max" }.into());
        }
        within(patience, self.list_blocking(requests)).await.ok_or(ListOffsetsError::TimedOut)
    }

    async fn list_blocking(&self, requests: Vec<OffsetRequest>) -> Vec<Result<OffsetAnswer, FetchError>> {
        let permit = self.admission().cold_read().await;
        let replicas = self.replicas().clone();
        let count = requests.len();
        let answers = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let one = |request: OffsetRequest| {
                replicas.list_offset(request.partition, request.query, request.leader_epoch)
            };
            requests.into_iter().map(one).collect()
        });
        // It is only ever cancelled when the process ends.
        answers
            .await
            .unwrap_or_else(|_| vec![Err(FetchError::Storage("the broker is shutting down".into())); count])
    }
}
