//! Topics come, change and go. A deleted topic leaves a record with its logs until every broker has removed them: nobody
//! ever deletes because something is absent.

use super::{
    BrokerSet, ClusterState, Command, DeletedTopic, Outcome, PartitionRecord, Rejection, Topic, TopicConfig,
    election::{Target, settle},
    placement,
    state::{CLUSTER_PARTITIONS_MAX, TOPIC_PARTITIONS_MAX},
    topic_config, topic_name,
};
use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, LogId, PartitionEpoch, TopicId};
use std::{collections::BTreeMap, sync::Arc};

impl ClusterState {
    pub(super) fn create_topic(&mut self, command: &Command) -> Result<Outcome, Rejection> {
        let Command::CreateTopic { topic: id, name, partitions, replication_factor, configs, internal } =
            command
        else {
            return Err(Rejection::Invalid("not a topic's creation".into()));
        };
        self.check_new_name(*id, name)?;
        let config = TopicConfig::parse(configs)?;
        self.check_partitions(*partitions, 1, *partitions)?;
        let mut topic = Topic {
            id: *id,
            name: name.clone(),
            internal: *internal,
            replication_factor: *replication_factor,
            configs: configs.clone(),
            partitions: Vec::new(),
        };
        self.add_partitions(&mut topic, *partitions, &config)?;
        self.put_topic(Arc::new(topic));
        let (topic, partitions, replication_factor) = (*id, *partitions, *replication_factor);
        Ok(Outcome::TopicCreated { topic, partitions, replication_factor })
    }

    fn check_new_name(&self, id: TopicId, name: &str) -> Result<(), Rejection> {
        topic_name::check(name)?;
        if let Some(existing) = self.colliding(name) {
            let name = name.to_string();
            return Err(match existing.name == name {
                true => Rejection::TopicExists { name },
                false => Rejection::TopicNameCollides { name, existing: existing.name.clone() },
            });
        }
        match self.topics.contains_key(&id) || self.deleted.contains_key(&id) {
            true => Err(Rejection::TopicIdExists { topic: id }),
            false => Ok(()),
        }
    }

    /// `wanted` in all, of which `added` are new.
    fn check_partitions(&self, wanted: u32, least: u32, added: u32) -> Result<(), Rejection> {
        if !(least..=TOPIC_PARTITIONS_MAX).contains(&wanted) {
            let allowed = format!("use {least} to {TOPIC_PARTITIONS_MAX}");
            return Err(Rejection::Partitions { wanted, allowed });
        }
        let free = CLUSTER_PARTITIONS_MAX.saturating_sub(self.partition_count);
        if usize::try_from(added).is_ok_and(|added| added > free) {
            let allowed = format!(
                "the cluster has {} of at most {CLUSTER_PARTITIONS_MAX} partitions",
                self.partition_count
            );
            return Err(Rejection::Partitions { wanted, allowed });
        }
        Ok(())
    }

    fn add_partitions(
        &mut self,
        topic: &mut Topic,
        count: u32,
        config: &TopicConfig,
    ) -> Result<(), Rejection> {
        let live: Vec<BrokerId> =
            self.brokers.iter().filter(|(_, record)| record.is_live()).map(|(id, _)| *id).collect();
        topic.partitions.reserve_exact(usize::try_from(count).unwrap_or_default());
        for _ in 0..count {
            let factor = topic.replication_factor;
            let log = self.next_log;
            let wanted = usize::try_from(factor).unwrap_or(usize::MAX);
            let Some(replicas) = placement::place(&live, wanted, log.get()) else {
                return Err(Rejection::ReplicationFactor { wanted: factor, live_brokers: live.len() });
            };
            self.next_log = log.next();
            topic.partitions.push(new_partition(log, replicas, config));
        }
        Ok(())
    }

    pub(super) fn alter_topic(
        &mut self,
        id: TopicId,
        partitions: Option<u32>,
        set: &BTreeMap<String, String>,
        reset: &[String],
    ) -> Result<Outcome, Rejection> {
        let mut topic = Topic::clone(self.topics.get(&id).ok_or(Rejection::UnknownTopic { topic: id })?);
        for name in reset {
            topic_config::setting(name)?;
            topic.configs.remove(name);
        }
        topic.configs.extend(set.iter().map(|(name, value)| (name.clone(), value.clone())));
        let config = TopicConfig::parse(&topic.configs)?;
        for partition in &mut topic.partitions {
            *partition = self.reconfigured(partition, &config);
        }
        if let Some(wanted) = partitions {
            let present = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
            let added = wanted.saturating_sub(present);
            self.check_partitions(wanted, present, added)?;
            self.add_partitions(&mut topic, added, &config)?;
        }
        self.put_topic(Arc::new(topic));
        Ok(Outcome::Done)
    }

    /// The record under new settings; unchanged if they do not touch it.
    fn reconfigured(&self, partition: &PartitionRecord, config: &TopicConfig) -> PartitionRecord {
        let mut changed = partition.clone();
        changed.min_isr =
            effective_min_isr(config, &partition.replicas.filter(|b| !partition.removing.contains(b)));
        if config.durability != partition.durability {
            changed.durability = config.durability;
            changed.fsync_unconfirmed = config.durability == super::Durability::Fsync;
        }
        let live = |broker: BrokerId| self.is_live(broker);
        let isr = partition.isr.clone();
        let target = Target { isr, unclean: None, new_leadership: false, live: &live, index: self.index };
        settle(partition, changed, &target)
    }

    pub(super) fn delete_topic(&mut self, id: TopicId) -> Result<Outcome, Rejection> {
        let topic = self.take_topic(id).ok_or(Rejection::UnknownTopic { topic: id })?;
        let remaining = topic.partitions.iter().flat_map(|partition| partition.replicas.iter()).collect();
        let logs = topic.partitions.iter().map(|partition| partition.log).collect();
        let deleted = DeletedTopic { id, name: topic.name.clone(), index: self.index, logs, remaining };
        self.deleted.insert(id, Arc::new(deleted));
        Ok(Outcome::Done)
    }

    pub(super) fn confirm_deletion(
        &mut self,
        broker: BrokerId,
        epoch: BrokerEpoch,
        topics: &[TopicId],
    ) -> Result<Outcome, Rejection> {
        self.registered(broker, epoch)?;
        for id in topics {
            // One that is gone was confirmed before: a retry.
            let Some(deleted) = self.deleted.get(id) else { continue };
            let remaining = deleted.remaining.without(broker);
            if remaining.is_empty() {
                self.deleted.remove(id);
            } else {
                let changed = DeletedTopic { remaining, ..DeletedTopic::clone(deleted) };
                self.deleted.insert(*id, Arc::new(changed));
            }
        }
        Ok(Outcome::Done)
    }
}

fn effective_min_isr(config: &TopicConfig, replicas: &BrokerSet) -> u32 {
    config.min_insync_replicas.min(u32::try_from(replicas.len()).unwrap_or(u32::MAX))
}

/// All replicas begin in sync: an empty log is complete.
fn new_partition(log: LogId, replicas: BrokerSet, config: &TopicConfig) -> PartitionRecord {
    let leader = replicas.iter().next();
    PartitionRecord {
        log,
        isr: replicas.clone(),
        adding: BrokerSet::default(),
        removing: BrokerSet::default(),
        elr: BrokerSet::default(),
        last_elr: BrokerSet::default(),
        unfit: BrokerSet::default(),
        last_known_leader: leader,
        leader,
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
        min_isr: effective_min_isr(config, &replicas),
        durability: config.durability,
        fsync_unconfirmed: false,
        recovery_state: super::RecoveryState::Recovered,
        loss_events: Vec::new(),
        replicas,
    }
}
