//! What administrators do with partitions: more of them, fewer records in them; and what they ask: sizes, producers.

use super::{Broker, Context, Refusal, TopicChange, TopicError, within};
use crate::{
    clock::Monotonic,
    ids::{Offset, PartitionIndex, TopicPartition},
    metadata::ClusterState,
    replication::{DeleteRecordsError, FetchError, ProducerFacts},
};
use std::{collections::BTreeMap, path::PathBuf};
use tokio::sync::oneshot;

/// Records to be deleted from one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The topic.
    pub topic: String,
    /// Which of its partitions.
    pub partition: PartitionIndex,
    /// The first offset to keep; `None` is the high watermark.
    pub before: Option<Offset>,
}

/// Why records were not deleted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteError {
    /// The topic's side.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The partition's side.
    #[error(transparent)]
    Partition(#[from] DeleteRecordsError),
}

impl DeleteError {
    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Topic(error) => error.retryable(),
            Self::Partition(error) => error.retryable(),
        }
    }
}

/// A data directory and what it holds.
#[derive(Clone, Debug)]
pub struct DirectorySize {
    /// Where it is.
    pub path: PathBuf,
    /// Why it takes no appends, if it does not.
    pub problem: Option<String>,
    /// The size of its file system; `None` where that is not known.
    pub total_bytes: Option<u64>,
    /// What is free there; `None` where that is not known.
    pub free_bytes: Option<u64>,
    /// Bytes of the partitions that are here, by topic and number.
    pub partitions: BTreeMap<(String, PartitionIndex), u64>,
}

impl Broker {
    /// Gives a topic more partitions: `total` in all. With `validate_only` only whether it could be done is said.
    ///
    /// # Errors
    /// Not more than there are, too many, or another of [`TopicError`].
    pub async fn add_partitions(
        &self,
        context: &Context,
        name: &str,
        total: i64,
        validate_only: bool,
    ) -> Result<(), TopicError> {
        self.admission().admit(context)?;
        let topic = self.topic_of_clients(name)?;
        let present = topic.partitions.len();
        let more = usize::try_from(total).is_ok_and(|total| total > present);
        let total = match u32::try_from(total) {
            Ok(total) if more => total,
            _ => {
                let allowed = format!("there are {present} already, and partitions can only be added");
                return Err(TopicError::Partitions { given: total, allowed });
            }
        };
        let (set, reset) = (BTreeMap::new(), Vec::new());
        let change =
            TopicChange { name: name.to_owned(), partitions: Some(total), set, reset, validate_only };
        self.alter_topic(context, change).await
    }

    /// Moves the starts of partitions' logs forward, each to an offset or to the high watermark. Answered once that is
    /// durable, in the order of the deletions.
    ///
    /// # Errors
    /// The broker is shutting down. Of a deletion: no such partition, an offset out of range, or the storage's.
    pub async fn delete_records(
        &self,
        context: &Context,
        deletions: Vec<Deletion>,
    ) -> Result<Vec<Result<Offset, DeleteError>>, Refusal> {
        let patience = self.admission().admit(context)?;
        self.check_places(deletions.len())?;
        let end = Monotonic(self.clock().now().0.saturating_add(patience));
        // All of them are under way before the first one is waited for.
        let begun: Vec<_> = deletions.into_iter().map(|deletion| self.begin_deletion(&deletion)).collect();
        let mut outcomes = Vec::with_capacity(begun.len());
        for deletion in begun {
            outcomes.push(match deletion {
                Err(error) => Err(error.into()),
                Ok(answered) => match within(end.since(self.clock().now()), answered).await {
                    Some(Ok(outcome)) => outcome.map_err(DeleteError::Partition),
                    Some(Err(_dropped)) => Err(TopicError::Refused(Refusal::ShuttingDown).into()),
                    None => Err(TopicError::TimedOut.into()),
                },
            });
        }
        self.maintenance().wake();
        Ok(outcomes)
    }

    fn begin_deletion(
        &self,
        deletion: &Deletion,
    ) -> Result<oneshot::Receiver<Result<Offset, DeleteRecordsError>>, TopicError> {
        let topic = self.topic_of_clients(&deletion.topic)?.id;
        let partition = TopicPartition { topic, partition: deletion.partition };
        let (answer, answered) = oneshot::channel();
        let done = Box::new(move |outcome| {
            // Nobody waits any more: the deadline has passed.
            let _ = answer.send(outcome);
        });
        self.replicas().delete_records(partition, deletion.before, done);
        Ok(answered)
    }

    /// The producers that each of these partitions remembers, in their order.
    ///
    /// # Errors
    /// Too many partitions, or the broker is shutting down. A partition's own error is that answer's.
    pub async fn describe_producers(
        &self,
        context: &Context,
        partitions: Vec<TopicPartition>,
    ) -> Result<Vec<Result<Vec<ProducerFacts>, FetchError>>, Refusal> {
        self.admission().admit(context)?;
        self.check_places(partitions.len())?;
        let replicas = self.replicas().clone();
        let asked = tokio::task::spawn_blocking(move || {
            partitions.into_iter().map(|partition| replicas.producers(partition)).collect()
        });
        // It is only ever cancelled when the process ends.
        asked.await.map_err(|_cancelled| Refusal::ShuttingDown)
    }

    /// This broker's data directory, with the sizes of those partitions in it that are wanted.
    ///
    /// # Errors
    /// The broker is shutting down.
    pub async fn directory_size(
        &self,
        context: &Context,
        wanted: impl Fn(&str, PartitionIndex) -> bool + Send + 'static,
    ) -> Result<DirectorySize, Refusal> {
        self.admission().admit(context)?;
        let broker = self.clone();
        tokio::task::spawn_blocking(move || broker.directory_size_blocking(wanted))
            .await
            .map_err(|_cancelled| Refusal::ShuttingDown)
    }

    fn directory_size_blocking(&self, wanted: impl Fn(&str, PartitionIndex) -> bool) -> DirectorySize {
        let directory = self.directory();
        let image: &ClusterState = &self.image();
        let mut partitions = BTreeMap::new();
        for (id, topic) in &image.topics {
            for (partition, _) in topic.numbered().filter(|(partition, _)| wanted(&topic.name, *partition)) {
                if let Some(status) = self.replicas().describe(TopicPartition { topic: *id, partition }) {
                    partitions.insert((topic.name.clone(), partition), status.size_bytes);
                }
            }
        }
        DirectorySize {
            // Only the name of the working directory is looked up.
            path: std::path::absolute(&directory.path).unwrap_or_else(|_| directory.path.clone()),
            problem: self.replicas().status().failure,
            total_bytes: directory.disk.total_bytes(&directory.path).ok(),
            free_bytes: directory.disk.free_bytes(&directory.path).ok(),
            partitions,
        }
    }
}
