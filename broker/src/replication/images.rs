//! Follows the cluster's image: which logs must exist here, which are deleted and why, what this broker leads.
//!
//! How a lost log is told from a new one: the broker's record says below which number all of its logs were durably created
//! (`logs_created_below`). A log at or above it may be missing after a crash and is created; one below it is damage, and its
//! partition is offline. That this is watertight, a partition takes no record before its log is below that mark. Logs are
//! deleted only by the record of a deleted topic; a log that the image does not know is left alone and reported.

use super::{
    error::missing_log,
    partition::{Partition, Settings},
    table::ReplicaTable,
};
use crate::{
    ids::{BrokerId, LogId, MetadataIndex, Offset, TopicId, TopicPartition},
    metadata::{BrokerRecord, ClusterState, Command, Durability, PartitionRecord, Topic, TopicConfig},
    storage::{DeletionCause, LogOptions, Store},
};
use imbl::ordmap::DiffItem;
use std::{collections::BTreeSet, sync::Arc};

/// What was applied, and what waits for the metadata to answer.
pub(super) struct Follower {
    broker: BrokerId,
    store: Store,
    table: Arc<ReplicaTable>,
    last: Option<ClusterState>,
    /// Their logs are there, but not yet known to be in the metadata: not led yet.
    unconfirmed: BTreeSet<TopicPartition>,
    /// Switched to fsync, and not yet known to be synced from before.
    switched: BTreeSet<TopicPartition>,
    /// A log could not be created: the directory failed, and nothing more is confirmed in this process.
    creation_failed: bool,
    /// What is wrong with single logs.
    pub(super) problems: Vec<String>,
}

/// What applying an image came to.
pub(super) struct Applied {
    /// To be proposed.
    pub(super) commands: Vec<Command>,
    /// Everything that the image says up to here can be used.
    pub(super) settled: Option<MetadataIndex>,
}

impl Follower {
    pub(super) fn new(broker: BrokerId, store: Store, table: Arc<ReplicaTable>) -> Self {
        let (unconfirmed, switched) = (BTreeSet::new(), BTreeSet::new());
        Self {
            broker,
            store,
            table,
            last: None,
            unconfirmed,
            switched,
            creation_failed: false,
            problems: Vec::new(),
        }
    }

    pub(super) fn apply(&mut self, image: &ClusterState) -> Applied {
        let nothing = Applied { commands: Vec::new(), settled: None };
        let Some(record) = image.broker(self.broker) else { return nothing };
        if self.last.as_ref().is_some_and(|last| image.index < last.index) {
            return nothing;
        }
        let last = self.last.take().unwrap_or_else(|| {
            self.report_unknown_logs(image);
            ClusterState::new()
        });
        let deletion = self.delete_logs(image, &last, record);
        for change in last.topics.diff(&image.topics) {
            match change {
                DiffItem::Add(id, topic) => self.follow_topic(*id, topic, record),
                DiffItem::Update { new: (id, topic), .. } => self.follow_topic(*id, topic, record),
                // Its record among the deleted says what to do; without one nothing is done.
                DiffItem::Remove(..) => {}
            }
        }
        self.follow_confirmed(image, record);
        let mut commands = self.confirmations(image, record);
        commands.extend(deletion);
        self.last = Some(image.clone());
        Applied {
            settled: (self.unconfirmed.is_empty() && !self.creation_failed).then_some(image.index),
            commands,
        }
    }

    fn report_unknown_logs(&mut self, image: &ClusterState) {
        let mut known: BTreeSet<LogId> =
            image.deleted.values().flat_map(|topic| topic.logs.iter().copied()).collect();
        known.extend(
            image.topics.values().flat_map(|topic| topic.partitions.iter().map(|partition| partition.log)),
        );
        for log in self.store.log_ids().into_iter().filter(|log| !known.contains(log)) {
            self.problems
                .push(format!("log {log} belongs to no topic that the metadata knows: it is left as it is"));
        }
    }

    /// Deletes by recorded cause, and says so once that is durable.
    fn delete_logs(
        &mut self,
        image: &ClusterState,
        last: &ClusterState,
        record: &BrokerRecord,
    ) -> Option<Command> {
        let mine: Vec<_> =
            image.deleted.values().filter(|topic| topic.remaining.contains(self.broker)).collect();
        if mine.is_empty() {
            return None;
        }
        for topic in mine.iter().filter(|topic| !last.deleted.contains_key(&topic.id)) {
            self.unconfirmed.retain(|partition| partition.topic != topic.id);
            self.switched.retain(|partition| partition.topic != topic.id);
            for log in &topic.logs {
                if let Some(partition) = self.table.remove_log(*log) {
                    partition.stop(true);
                }
                if let Err(error) = self.store.delete_log(*log, DeletionCause::TopicDelete) {
                    tracing::warn!("log {log} of deleted topic {:?} stays for now: {error}", topic.name);
                    return None;
                }
            }
        }
        // A failed directory says so itself; the record stays, and the deletion is repeated by the next start.
        self.store.sync().ok()?;
        let topics = mine.iter().map(|topic| topic.id).collect();
        Some(Command::ConfirmDeletion { broker: self.broker, epoch: record.epoch, topics })
    }

    fn follow_topic(&mut self, id: TopicId, topic: &Topic, record: &BrokerRecord) {
        // Checked when it was set.
        let config = match TopicConfig::parse(&topic.configs) {
            Ok(config) => config,
            Err(error) => {
                self.problems.push(format!("topic {:?}: {error}", topic.name));
                return;
            }
        };
        let settings = Arc::new(Settings::of(&config));
        for (index, partition) in topic.numbered() {
            if partition.replicas.contains(self.broker) {
                self.follow(TopicPartition { topic: id, partition: index }, partition, &settings, record);
            }
        }
    }

    fn follow(
        &mut self,
        id: TopicPartition,
        partition: &PartitionRecord,
        settings: &Arc<Settings>,
        record: &BrokerRecord,
    ) {
        let Some(known) =
            self.table.by_log(partition.log).or_else(|| self.open_log(id, partition, settings, record))
        else {
            return;
        };
        known.configure(settings);
        if partition.log >= record.logs_created_below {
            self.unconfirmed.insert(id);
        } else {
            self.unconfirmed.remove(&id);
            self.take_role(&known, partition);
        }
        if partition.fsync_unconfirmed && partition.durability == Durability::Fsync {
            self.switched.insert(id);
        } else {
            self.switched.remove(&id);
        }
    }

    fn take_role(&self, known: &Partition, partition: &PartitionRecord) {
        if partition.leader == Some(self.broker) {
            known.lead(partition);
        } else {
            known.stop(false);
        }
    }

    /// The partition's log as the store has it, or a new one if it never was durably created here.
    fn open_log(
        &mut self,
        id: TopicPartition,
        partition: &PartitionRecord,
        settings: &Arc<Settings>,
        record: &BrokerRecord,
    ) -> Option<Arc<Partition>> {
        let failure = Arc::clone(self.table.failure());
        let opened = match self.store.log(partition.log) {
            Some(log) => Partition::new(id, log, Arc::clone(settings), failure),
            None if partition.log < record.logs_created_below => {
                tracing::error!("{}", missing_log(id));
                Partition::offline(id, partition.log, missing_log(id), failure)
            }
            None => match self.create(partition.log, &settings.log) {
                Some(log) => Partition::new(id, log, Arc::clone(settings), failure),
                None => return None,
            },
        };
        let opened = Arc::new(opened);
        self.table.insert(Arc::clone(&opened));
        Some(opened)
    }

    fn create(&mut self, log: LogId, options: &LogOptions) -> Option<crate::storage::Log> {
        match self.store.create_log(log, Offset::ZERO, options.clone()) {
            Ok(log) => Some(log),
            Err(error) => {
                self.creation_failed = true;
                self.problems.push(format!("log {log} cannot be created: {error}"));
                None
            }
        }
    }

    /// Takes the roles of partitions whose logs the metadata knows by now.
    fn follow_confirmed(&mut self, image: &ClusterState, record: &BrokerRecord) {
        let confirmed = |partition: Option<&PartitionRecord>| {
            partition.is_none_or(|partition| partition.log < record.logs_created_below)
        };
        let ready: Vec<TopicPartition> =
            self.unconfirmed.iter().copied().filter(|id| confirmed(image.partition(*id))).collect();
        for id in ready {
            self.unconfirmed.remove(&id);
            if let (Some(known), Some(partition)) = (self.table.get(id), image.partition(id)) {
                self.take_role(&known, partition);
            }
        }
    }

    /// What must be told, once it is durable.
    fn confirmations(&mut self, image: &ClusterState, record: &BrokerRecord) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.unconfirmed.is_empty() && self.switched.is_empty() {
            return commands;
        }
        if self.creation_failed || self.store.sync().is_err() {
            return commands;
        }
        if !self.unconfirmed.is_empty() {
            let (broker, epoch, below) = (self.broker, record.epoch, image.next_log);
            commands.push(Command::ConfirmLogs { broker, epoch, below });
        }
        for id in &self.switched {
            let leads = |partition: &&PartitionRecord| partition.leader == Some(self.broker);
            if let Some(partition) = image.partition(*id).filter(leads).filter(|one| one.fsync_unconfirmed) {
                commands.push(Command::ConfirmDurability {
                    partition: *id,
                    leader_epoch: partition.leader_epoch,
                    partition_epoch: partition.partition_epoch,
                    durability: partition.durability,
                });
            }
        }
        commands
    }
}
