//! The cluster's state as a value. Commands change it in [`ClusterState::apply`] and nowhere else; whoever applies the
//! same commands has the same state. Clones share everything that did not change.

use super::{BrokerRecord, Command, DeletedTopic, Outcome, PartitionRecord, Rejection, Topic, topic_name};
use crate::ids::{BrokerId, ClusterId, LogId, MetadataIndex, ProducerId, TopicId, TopicPartition};
use imbl::OrdMap;
use std::sync::Arc;

/// Partitions that one topic may have.
pub(super) const TOPIC_PARTITIONS_MAX: u32 = 100_000;
/// Partitions that the cluster may have.
pub(super) const CLUSTER_PARTITIONS_MAX: usize = 200_000;

/// Everything the cluster has agreed on.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterState {
    /// The cluster's identity, once formed.
    pub cluster: Option<ClusterId>,
    /// The last command applied; 0 before the first.
    pub index: MetadataIndex,
    /// Every broker that ever registered.
    pub brokers: OrdMap<BrokerId, BrokerRecord>,
    /// Topics.
    pub topics: OrdMap<TopicId, Arc<Topic>>,
    /// Topics by name.
    pub names: OrdMap<String, TopicId>,
    /// Deleted topics whose logs are not removed everywhere yet.
    pub deleted: OrdMap<TopicId, Arc<DeletedTopic>>,
    /// The next log's number.
    pub next_log: LogId,
    /// The next producer's number.
    pub next_producer: ProducerId,
    /// What all brokers understand; 1 is the first.
    pub feature_level: u32,
    /// Sum over all topics.
    pub partition_count: usize,
    /// Names as metrics see them: two topics must not share one.
    pub(super) collisions: OrdMap<String, TopicId>,
}

impl Default for ClusterState {
    fn default() -> Self {
        Self::new()
    }
}

impl ClusterState {
    /// Before the first command.
    pub fn new() -> Self {
        Self {
            cluster: None,
            index: MetadataIndex(0),
            brokers: OrdMap::new(),
            topics: OrdMap::new(),
            names: OrdMap::new(),
            deleted: OrdMap::new(),
            next_log: LogId(1),
            next_producer: ProducerId(0),
            feature_level: 1,
            partition_count: 0,
            collisions: OrdMap::new(),
        }
    }

    /// A topic.
    pub fn topic(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// A topic, by its name.
    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(name)?)
    }

    /// A partition's record.
    pub fn partition(&self, partition: TopicPartition) -> Option<&PartitionRecord> {
        self.topic(partition.topic)?.partition(partition.partition)
    }

    /// A broker's record.
    pub fn broker(&self, broker: BrokerId) -> Option<&BrokerRecord> {
        self.brokers.get(&broker)
    }

    /// Applies the command at `index`: pure, deterministic, all of it or nothing.
    ///
    /// # Errors
    /// The command is refused; the state is as before.
    pub fn apply(&mut self, index: MetadataIndex, command: &Command) -> Result<Outcome, Rejection> {
        assert!(index > self.index, "command {index:?} after {:?}", self.index);
        let mut next = self.clone();
        next.index = index;
        let outcome = next.change(command)?;
        *self = next;
        Ok(outcome)
    }

    /// What [`ClusterState::apply`] would answer now; nothing changes.
    ///
    /// # Errors
    /// The command would be refused.
    pub fn check(&self, command: &Command) -> Result<Outcome, Rejection> {
        let mut trial = self.clone();
        trial.index = self.index.next();
        trial.change(command)
    }

    fn change(&mut self, command: &Command) -> Result<Outcome, Rejection> {
        if let Command::FormCluster { cluster } = command {
            return self.form(*cluster);
        }
        if self.cluster.is_none() {
            return Err(Rejection::NotFormed);
        }
        match command {
            Command::FormCluster { .. } => Err(Rejection::AlreadyFormed),
            Command::RegisterBroker(registration) => self.register_broker(registration),
            Command::UnfenceBroker { broker, epoch } => self.unfence_broker(*broker, *epoch),
            Command::FenceBroker { broker, epoch } => self.fence_broker(*broker, *epoch),
            Command::ConfirmLogs { broker, epoch, below } => self.confirm_logs(*broker, *epoch, *below),
            Command::CreateTopic { .. } => self.create_topic(command),
            Command::AlterTopic { topic, partitions, set, reset } => {
                self.alter_topic(*topic, *partitions, set, reset)
            }
            Command::DeleteTopic { topic } => self.delete_topic(*topic),
            Command::ConfirmDeletion { broker, epoch, topics } => {
                self.confirm_deletion(*broker, *epoch, topics)
            }
            Command::AllocateProducerIds { count } => self.allocate_producer_ids(*count),
            Command::ChangePartition { .. } => self.change_partition(command),
            Command::ConfirmDurability { partition, leader_epoch, partition_epoch, durability } => {
                self.confirm_durability(*partition, (*leader_epoch, *partition_epoch), *durability)
            }
        }
    }

    fn form(&mut self, cluster: ClusterId) -> Result<Outcome, Rejection> {
        if self.cluster.is_some() {
            return Err(Rejection::AlreadyFormed);
        }
        self.cluster = Some(cluster);
        Ok(Outcome::Formed { cluster })
    }

    fn allocate_producer_ids(&mut self, count: u32) -> Result<Outcome, Rejection> {
        let first = self.next_producer;
        match first.get().checked_add(i64::from(count)) {
            Some(next) => self.next_producer = ProducerId(next),
            None => return Err(Rejection::LimitReached("all producer ids are used up".into())),
        }
        Ok(Outcome::ProducerIds { first, count })
    }

    /// The topic that `name` could not be told apart from, itself included.
    pub(super) fn colliding(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.collisions.get(&topic_name::collision_key(name))?)
    }

    /// Puts a topic into all the maps; an earlier value of it is replaced.
    pub(super) fn put_topic(&mut self, topic: Arc<Topic>) {
        let before = self.topics.get(&topic.id).map_or(0, |before| before.partitions.len());
        self.partition_count = self.partition_count.saturating_sub(before) + topic.partitions.len();
        self.names.insert(topic.name.clone(), topic.id);
        self.collisions.insert(topic_name::collision_key(&topic.name), topic.id);
        self.topics.insert(topic.id, topic);
    }

    /// Takes a topic out of all the maps.
    pub(super) fn take_topic(&mut self, id: TopicId) -> Option<Arc<Topic>> {
        let topic = self.topics.remove(&id)?;
        self.names.remove(&topic.name);
        self.collisions.remove(&topic_name::collision_key(&topic.name));
        self.partition_count = self.partition_count.saturating_sub(topic.partitions.len());
        Some(topic)
    }
}

#[cfg(test)]
mod tests;
