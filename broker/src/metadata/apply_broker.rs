//! Brokers come and go. A registration takes the broker out of every ISR in its own command, judged by how it stopped;
//! unfencing lets it lead again. So an (offset, leader epoch) can never name two records, on a single broker either.

use super::{
    BrokerRecord, ClusterState, Durability, LossCause, Outcome, PartitionRecord, Registration, Rejection,
    Topic,
    election::{Target, settle},
};
use crate::ids::{BrokerEpoch, BrokerId, LogId, TopicId};
use std::sync::Arc;

impl ClusterState {
    pub(super) fn register_broker(&mut self, registration: &Registration) -> Result<Outcome, Rejection> {
        let broker = registration.broker;
        let known = self.brokers.get(&broker).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.incarnation == registration.incarnation) {
            return Ok(Outcome::Registered { epoch: known.epoch });
        }
        let epoch = BrokerEpoch(self.index.get());
        assert!(known.as_ref().is_none_or(|known| epoch > known.epoch), "I10: the broker epoch must rise");
        let record = BrokerRecord {
            epoch,
            incarnation: registration.incarnation,
            endpoints: registration.endpoints.clone(),
            rack: registration.rack.clone(),
            fenced: true,
            shutting_down: false,
            directories: registration.directories.clone(),
            disk_epoch: known.as_ref().and_then(|known| known.disk_epoch),
            boot_id: registration.boot_id.clone(),
            logs_created_below: known.as_ref().map_or(LogId(0), |known| known.logs_created_below),
        };
        self.brokers.insert(broker, record);
        let Some(known) = known else { return Ok(Outcome::Registered { epoch }) };
        let stop = Stop::judge(&known, registration);
        self.change_partitions_of(broker, |partition, live, index| {
            let mut changed = partition.clone();
            let unclean = stop.cause(partition, registration);
            // With a single copy there is nothing to heal from: it keeps leading, the loss is on record.
            if unclean == Some(LossCause::DamagedLog) && partition.replicas.len() > 1 {
                changed.unfit = changed.unfit.union(&super::BrokerSet::one(broker));
            }
            let target = Target {
                isr: partition.isr.without(broker),
                unclean: unclean.map(|cause| (broker, cause)),
                new_leadership: partition.leader == Some(broker),
                live,
                index,
            };
            settle(partition, changed, &target)
        });
        Ok(Outcome::Registered { epoch })
    }

    pub(super) fn unfence_broker(
        &mut self,
        broker: BrokerId,
        epoch: BrokerEpoch,
    ) -> Result<Outcome, Rejection> {
        let record = self.registered(broker, epoch)?;
        let changed = BrokerRecord { fenced: false, disk_epoch: Some(epoch), ..record.clone() };
        self.brokers.insert(broker, changed);
        self.settle_partitions_of(broker);
        Ok(Outcome::Done)
    }

    pub(super) fn fence_broker(
        &mut self,
        broker: BrokerId,
        epoch: BrokerEpoch,
    ) -> Result<Outcome, Rejection> {
        let record = self.registered(broker, epoch)?;
        let changed = BrokerRecord { fenced: true, ..record.clone() };
        self.brokers.insert(broker, changed);
        self.settle_partitions_of(broker);
        Ok(Outcome::Done)
    }

    pub(super) fn confirm_logs(
        &mut self,
        broker: BrokerId,
        epoch: BrokerEpoch,
        below: LogId,
    ) -> Result<Outcome, Rejection> {
        let record = self.registered(broker, epoch)?;
        if below > self.next_log {
            let next = self.next_log;
            return Err(Rejection::Invalid(format!(
                "logs below {below} are confirmed, the next one is {next}"
            )));
        }
        let logs_created_below = record.logs_created_below.max(below);
        let changed = BrokerRecord { logs_created_below, ..record.clone() };
        self.brokers.insert(broker, changed);
        Ok(Outcome::Done)
    }

    /// The broker's record, if the command comes from its present process life.
    pub(super) fn registered(&self, broker: BrokerId, sent: BrokerEpoch) -> Result<&BrokerRecord, Rejection> {
        let record = self.brokers.get(&broker).ok_or(Rejection::UnknownBroker { broker })?;
        if record.epoch != sent {
            return Err(Rejection::StaleBrokerEpoch { broker, sent, current: record.epoch });
        }
        Ok(record)
    }

    pub(super) fn is_live(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_some_and(BrokerRecord::is_live)
    }

    /// Brings every partition of a broker whose liveness changed back under the rules.
    fn settle_partitions_of(&mut self, broker: BrokerId) {
        self.change_partitions_of(broker, |partition, live, index| {
            let isr = partition.isr.clone();
            let target = Target { isr, unclean: None, new_leadership: false, live, index };
            settle(partition, partition.clone(), &target)
        });
    }

    /// Replaces the records of every partition that has a replica on `broker`; a topic without a change stays shared.
    fn change_partitions_of(
        &mut self,
        broker: BrokerId,
        change: impl Fn(&PartitionRecord, &dyn Fn(BrokerId) -> bool, crate::ids::MetadataIndex) -> PartitionRecord,
    ) {
        let live = |broker: BrokerId| self.is_live(broker);
        let index = self.index;
        let changed: Vec<(TopicId, Topic)> = self
            .topics
            .iter()
            .filter(|(_, topic)| topic.partitions.iter().any(|partition| partition.replicas.contains(broker)))
            .map(|(id, topic)| {
                let one = |partition: &PartitionRecord| match partition.replicas.contains(broker) {
                    true => change(partition, &live, index),
                    false => partition.clone(),
                };
                let partitions = topic.partitions.iter().map(one).collect();
                let topic =
                    Topic { partitions, name: topic.name.clone(), configs: topic.configs.clone(), ..**topic };
                (*id, topic)
            })
            .collect();
        for (id, topic) in changed {
            self.topics.insert(id, Arc::new(topic));
        }
    }
}

/// How the process life before a registration ended, as far as every partition is concerned.
struct Stop {
    /// Everything it had is there.
    clean: bool,
    /// The kernel went on, and with it what was written but not synced.
    same_boot: bool,
    /// A directory is missing, or carries the epoch of an earlier state.
    lost_directory: bool,
}

impl Stop {
    fn judge(known: &BrokerRecord, registration: &Registration) -> Self {
        let missing = known.directories.iter().any(|directory| !registration.directories.contains(directory));
        // The epoch reaches the disk after the registration and before the unfencing: both states are genuine.
        let genuine =
            registration.disk_epoch == known.disk_epoch || registration.disk_epoch == Some(known.epoch);
        Self {
            clean: registration.clean_epoch == Some(known.epoch),
            same_boot: known.boot_id.is_some() && known.boot_id == registration.boot_id,
            lost_directory: missing || !genuine,
        }
    }

    /// Why the broker's replica of this partition may lack what it had counted.
    fn cause(&self, partition: &PartitionRecord, registration: &Registration) -> Option<LossCause> {
        if self.lost_directory {
            return Some(LossCause::LostDirectory);
        }
        if registration.suspect_logs.contains(&partition.log) {
            return Some(LossCause::DamagedLog);
        }
        let counted_unsynced = partition.election_durability() == Durability::Async;
        (counted_unsynced && !self.clean && !self.same_boot).then_some(LossCause::UncleanShutdown)
    }
}
