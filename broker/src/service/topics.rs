//! Topics as people make and change them. A change is answered once it is durable and this broker acts on it, so that the
//! next request finds it done.

use super::{Broker, ConfigChangeError, Context, Refusal, within};
use crate::{
    coordinator::OFFSETS_TOPIC,
    ids::{MetadataIndex, TopicId, TopicPartition},
    metadata::{
        ClusterState, Command, Outcome, ProposeError, Rejection, Topic, topic_config::MAX_MESSAGE_BYTES,
    },
    replication::PartitionStatus,
};
use std::{collections::BTreeMap, ops::Bound, sync::Arc, time::Duration};
use uuid::Uuid;

/// Topics in one answer when the client does not say.
const LIST_LIMIT: usize = 1000;
/// Topics in one answer at most.
const LIST_LIMIT_MAX: usize = 10_000;

/// A topic to be made; `None` is the broker's default.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: Option<u32>,
    /// How many replicas of each.
    pub replication_factor: Option<u32>,
    /// By Kafka's names.
    pub configs: BTreeMap<String, String>,
    /// Only say whether it could be made.
    pub validate_only: bool,
}

/// A change of a topic: all of it or nothing.
#[derive(Clone, Debug)]
pub struct TopicChange {
    /// Which topic.
    pub name: String,
    /// The new total.
    pub partitions: Option<u32>,
    /// Values to set.
    pub set: BTreeMap<String, String>,
    /// Names that go back to their defaults.
    pub reset: Vec<String>,
    /// Only say whether it could be done.
    pub validate_only: bool,
}

/// A topic that was made, or could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its identity; for a validation one that nobody has.
    pub topic: TopicId,
    /// Its partitions.
    pub partitions: u32,
    /// Replicas of each.
    pub replication_factor: u32,
}

/// A topic as it is described: its record, and what this broker knows of each partition.
#[derive(Clone, Debug)]
pub struct DescribedTopic {
    /// What the cluster has agreed on.
    pub topic: Arc<Topic>,
    /// By partition number; `None` where this broker has no replica.
    pub partitions: Vec<Option<PartitionStatus>>,
}

/// Why a topic was not made, changed, deleted or described.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TopicError {
    /// Turned away.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No topic of that name.
    #[error("there is no topic {name:?}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The broker's own.
    #[error("the topic {name:?} is the broker's own: clients neither make nor change nor delete it")]
    Internal {
        /// The name.
        name: String,
    },
    /// Not a possible number of partitions.
    #[error("{given} partitions are not possible: {allowed}")]
    Partitions {
        /// What was asked for.
        given: i64,
        /// What could have been.
        allowed: String,
    },
    /// Batches that the topic would accept and this broker's journal cannot take.
    #[error(
        "max.message.bytes = {given}: this broker's journal takes batches of up to {max} bytes. Choose at most that, or raise the broker's journal-file-bytes-max and journal-ring-bytes-max"
    )]
    BatchBeyondJournal {
        /// What was asked for.
        given: usize,
        /// What could have been.
        max: usize,
    },
    /// The request names nothing to change.
    #[error(
        "the request changes nothing: name a number of partitions, a configuration to set or one to reset"
    )]
    NothingToChange,
    /// Settings that cannot be changed so.
    #[error(transparent)]
    Config(#[from] ConfigChangeError),
    /// The metadata did not take it.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// It is recorded, and this broker's data directory is fenced.
    #[error("recorded, but the partitions here cannot be used: {0}")]
    DirectoryFailed(String),
    /// The deadline passed before it was known to be done.
    #[error("not done before the deadline; it may still happen: look at the topic before trying again")]
    TimedOut,
}

impl TopicError {
    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.retryable(),
            Self::Propose(error) => error.retryable(),
            Self::TimedOut => true,
            Self::DirectoryFailed(_)
            | Self::Unknown { .. }
            | Self::Internal { .. }
            | Self::Partitions { .. }
            | Self::BatchBeyondJournal { .. }
            | Self::Config(_)
            | Self::NothingToChange => false,
        }
    }
}

impl Broker {
    /// Makes a topic.
    ///
    /// # Errors
    /// See [`TopicError`].
    pub async fn create_topic(&self, context: &Context, new: NewTopic) -> Result<CreatedTopic, TopicError> {
        let patience = self.admission().admit(context)?;
        if new.name == OFFSETS_TOPIC {
            return Err(TopicError::Internal { name: new.name });
        }
        self.make_topic(patience, new, false).await
    }

    /// Makes a topic of the clients, or one of the broker's own.
    pub(super) async fn make_topic(
        &self,
        patience: Duration,
        new: NewTopic,
        internal: bool,
    ) -> Result<CreatedTopic, TopicError> {
        let partitions = new.partitions.unwrap_or(self.limits().default_partitions);
        let replication_factor = new.replication_factor.unwrap_or(self.limits().default_replication_factor);
        self.check_partitions(partitions, partitions)?;
        self.check_batches(&new.configs).await?;
        let command = Command::CreateTopic {
            topic: TopicId(Uuid::new_v4()),
            name: new.name,
            partitions,
            replication_factor,
            configs: new.configs,
            internal,
        };
        let outcome = if new.validate_only {
            self.image().check(&command).map_err(ProposeError::Rejected)?
        } else {
            within(patience, self.change(command)).await.ok_or(TopicError::TimedOut)??
        };
        match outcome {
            Outcome::TopicCreated { topic, partitions, replication_factor } => {
                Ok(CreatedTopic { topic, partitions, replication_factor })
            }
            other => unreachable!("a created topic was answered with {other:?}"),
        }
    }

    /// Deletes a topic. Its records are gone once this is answered; its space follows.
    ///
    /// # Errors
    /// See [`TopicError`].
    pub async fn delete_topic(&self, context: &Context, name: &str) -> Result<(), TopicError> {
        let patience = self.admission().admit(context)?;
        let topic = self.topic_of_clients(name)?.id;
        self.delete(topic, patience).await
    }

    /// The same for the topic of this identity, whatever it is called.
    ///
    /// # Errors
    /// See [`TopicError`].
    pub async fn delete_topic_by_id(&self, context: &Context, topic: TopicId) -> Result<(), TopicError> {
        let patience = self.admission().admit(context)?;
        if let Some(topic) = self.image().topic(topic).filter(|topic| topic.internal) {
            return Err(TopicError::Internal { name: topic.name.clone() });
        }
        self.delete(topic, patience).await
    }

    async fn delete(&self, topic: TopicId, patience: Duration) -> Result<(), TopicError> {
        within(patience, self.change(Command::DeleteTopic { topic })).await.ok_or(TopicError::TimedOut)??;
        Ok(())
    }

    /// Changes a topic.
    ///
    /// # Errors
    /// See [`TopicError`].
    pub async fn alter_topic(&self, context: &Context, change: TopicChange) -> Result<(), TopicError> {
        let patience = self.admission().admit(context)?;
        let alter = async {
            let _shared = self.config_changes().read().await;
            self.alter(change).await
        };
        within(patience, alter).await.ok_or(TopicError::TimedOut)?
    }

    /// The same, with the turn taken and without an end.
    pub(super) async fn alter(&self, change: TopicChange) -> Result<(), TopicError> {
        let TopicChange { name, partitions, set, reset, validate_only } = change;
        if partitions.is_none() && set.is_empty() && reset.is_empty() {
            return Err(TopicError::NothingToChange);
        }
        let topic = self.topic_of_clients(&name)?;
        if let Some(total) = partitions {
            let present = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
            self.check_partitions(total, total.saturating_sub(present))?;
        }
        self.check_batches(&set).await?;
        let command = Command::AlterTopic { topic: topic.id, partitions, set, reset };
        match validate_only {
            true => self.image().check(&command).map_err(ProposeError::Rejected)?,
            false => self.change(command).await?,
        };
        Ok(())
    }

    /// The topic of this name; one that does not exist yet is made with the broker's defaults.
    ///
    /// # Errors
    /// See [`TopicError`].
    pub async fn find_or_create_topic(
        &self,
        context: &Context,
        name: &str,
    ) -> Result<Arc<Topic>, TopicError> {
        if let Ok(topic) = self.topic_named(name) {
            return Ok(topic);
        }
        if name == OFFSETS_TOPIC {
            let patience = self.admission().admit(context)?;
            self.make_offsets_topic(patience).await?;
            return self.topic_named(name);
        }
        let (name, configs) = (name.to_owned(), BTreeMap::new());
        let new =
            NewTopic { name, partitions: None, replication_factor: None, configs, validate_only: false };
        let name = new.name.clone();
        match self.create_topic(context, new).await {
            // Somebody else was first.
            Ok(_) | Err(TopicError::Propose(ProposeError::Rejected(Rejection::TopicExists { .. }))) => {
                self.topic_named(&name)
            }
            Err(error) => Err(error),
        }
    }

    /// What the cluster has agreed on, as this broker acts on it.
    ///
    /// # Errors
    /// The broker is shutting down.
    pub fn cluster(&self, context: &Context) -> Result<Arc<ClusterState>, Refusal> {
        self.admission().admit(context)?;
        Ok(self.image())
    }

    /// Topics by name, behind `after`, at most `limit` (0: the default); and whether there are more.
    ///
    /// # Errors
    /// The broker is shutting down.
    pub fn list_topics(
        &self,
        context: &Context,
        after: &str,
        limit: u32,
    ) -> Result<(Vec<Arc<Topic>>, bool), TopicError> {
        self.admission().admit(context)?;
        let limit = match usize::try_from(limit).unwrap_or(usize::MAX) {
            0 => LIST_LIMIT,
            limit => limit.min(LIST_LIMIT_MAX),
        };
        let image = self.image();
        let behind: (Bound<&str>, Bound<&str>) = (Bound::Excluded(after), Bound::Unbounded);
        let mut names = image.names.range::<_, str>(behind);
        let topics = names.by_ref().take(limit).filter_map(|(_, id)| image.topic(*id).cloned()).collect();
        Ok((topics, names.next().is_some()))
    }

    /// A topic with what this broker knows of its partitions.
    ///
    /// # Errors
    /// See [`TopicError`].
    pub fn describe_topic(&self, context: &Context, name: &str) -> Result<DescribedTopic, TopicError> {
        self.admission().admit(context)?;
        let topic = self.topic_named(name)?;
        let describe =
            |(partition, _)| self.replicas().describe(TopicPartition { topic: topic.id, partition });
        let partitions = topic.numbered().map(describe).collect();
        Ok(DescribedTopic { topic, partitions })
    }

    /// Proposes, and waits until this broker acts on it.
    async fn change(&self, command: Command) -> Result<Outcome, TopicError> {
        let committed = self.metadata().propose(command).await?;
        self.applied(committed.index).await?;
        Ok(committed.outcome)
    }

    /// Waits until this broker shows the image with this command, and its partitions can be used.
    async fn applied(&self, index: MetadataIndex) -> Result<(), TopicError> {
        let (mut images, mut settled) = (self.images(), self.replicas().applied());
        // The senders live as long as the broker; without them there is nothing left to wait for.
        let _ = images.wait_for(|image| image.index >= index).await;
        if *settled.borrow() < index {
            let replicas = self.replicas().clone();
            let failure = tokio::task::spawn_blocking(move || replicas.status().failure).await;
            if let Ok(Some(failure)) = failure {
                return Err(TopicError::DirectoryFailed(failure));
            }
        }
        let _ = settled.wait_for(|settled| *settled >= index).await;
        self.maintenance().wake();
        Ok(())
    }

    pub(super) fn topic_named(&self, name: &str) -> Result<Arc<Topic>, TopicError> {
        let unknown = || TopicError::Unknown { name: name.chars().take(260).collect() };
        self.image().topic_by_name(name).cloned().ok_or_else(unknown)
    }

    /// The same, unless it is the broker's own.
    pub(super) fn topic_of_clients(&self, name: &str) -> Result<Arc<Topic>, TopicError> {
        let topic = self.topic_named(name)?;
        if topic.internal { Err(TopicError::Internal { name: name.to_owned() }) } else { Ok(topic) }
    }

    fn check_partitions(&self, total: u32, added: u32) -> Result<(), TopicError> {
        let (topic_max, max) = (self.limits().partitions_per_topic_max, self.limits().partitions_max);
        let given = i64::from(total);
        if total == 0 || total > topic_max {
            let allowed = format!("1 to {topic_max} (partitions-per-topic-max)");
            return Err(TopicError::Partitions { given, allowed });
        }
        let present = u32::try_from(self.image().partition_count).unwrap_or(u32::MAX);
        if present.saturating_add(added) > max {
            let allowed = format!("all topics together have {present} of at most {max} (partitions-max)");
            return Err(TopicError::Partitions { given, allowed });
        }
        Ok(())
    }

    /// Refuses a size of batches that would be accepted and then could not be stored. Other values are the metadata's to
    /// check.
    async fn check_batches(&self, configs: &BTreeMap<String, String>) -> Result<(), TopicError> {
        let Some(Ok(given)) = configs.get(MAX_MESSAGE_BYTES).map(|value| value.parse()) else {
            return Ok(());
        };
        let replicas = self.replicas().clone();
        match tokio::task::spawn_blocking(move || replicas.beyond_journal(given)).await {
            Ok(Some(max)) => Err(TopicError::BatchBeyondJournal { given, max }),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// The image that this broker acts on.
    pub(super) fn image(&self) -> Arc<ClusterState> {
        self.images().borrow().clone()
    }
}
