//! What a leader may change of its partition: its ISR, compare-and-set on both epochs. The order of the checks decides
//! which answer a deposed or late leader gets, and each answer means something else to it.

use super::{
    BrokerSet, ClusterState, Command, Durability, Outcome, PartitionRecord, Rejection,
    election::{Target, settle},
};
use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, TopicPartition};
use std::sync::Arc;

/// What the proposer believes.
type Epochs = (LeaderEpoch, PartitionEpoch);

impl ClusterState {
    pub(super) fn change_partition(&mut self, command: &Command) -> Result<Outcome, Rejection> {
        let Command::ChangePartition {
            partition: id,
            broker,
            broker_epoch,
            leader_epoch,
            partition_epoch,
            isr,
        } = command
        else {
            return Err(Rejection::Invalid("not a change of a partition".into()));
        };
        self.registered(*broker, *broker_epoch)?;
        let before = self.partition(*id).ok_or(Rejection::UnknownPartition { partition: *id })?.clone();
        check_leadership(*id, &before, (*leader_epoch, *partition_epoch))?;
        if before.leader != Some(*broker) {
            return Err(Rejection::Invalid(format!("broker {broker} does not lead {id}")));
        }
        let wanted: BrokerSet = isr.iter().map(|(member, _)| *member).collect();
        // A lost reply must not fence a leader for ever: what stands already is a success.
        if wanted.same_members(&before.isr) {
            return Ok(outcome(&before, false));
        }
        check_partition_epoch(*id, &before, *partition_epoch)?;
        if !wanted.is_subset(&before.replicas) || !wanted.contains(*broker) || wanted.len() != isr.len() {
            return Err(Rejection::Invalid(format!(
                "an ISR of {id} names replicas once each, the leader among them"
            )));
        }
        let new = isr.iter().filter(|(member, _)| !before.isr.contains(*member));
        let eligible = |member: BrokerId, epoch: BrokerEpoch| {
            let registered =
                self.brokers.get(&member).is_some_and(|record| record.is_live() && record.epoch == epoch);
            registered && !before.unfit.contains(member)
        };
        if !new.into_iter().all(|(member, epoch)| eligible(*member, *epoch)) {
            let after = PartitionRecord { partition_epoch: before.partition_epoch.next(), ..before };
            let outcome = outcome(&after, true);
            self.replace_partition(*id, after);
            return Ok(outcome);
        }
        let live = |broker: BrokerId| self.is_live(broker);
        let target =
            Target { isr: wanted, unclean: None, new_leadership: false, live: &live, index: self.index };
        let after = settle(&before, before.clone(), &target);
        let outcome = outcome(&after, false);
        self.replace_partition(*id, after);
        Ok(outcome)
    }

    pub(super) fn confirm_durability(
        &mut self,
        id: TopicPartition,
        sent: Epochs,
        durability: Durability,
    ) -> Result<Outcome, Rejection> {
        let before = self.partition(id).ok_or(Rejection::UnknownPartition { partition: id })?.clone();
        check_leadership(id, &before, sent)?;
        if before.durability != durability || !before.fsync_unconfirmed {
            return Ok(outcome(&before, false));
        }
        check_partition_epoch(id, &before, sent.1)?;
        let live = |broker: BrokerId| self.is_live(broker);
        let isr = before.isr.clone();
        let target = Target { isr, unclean: None, new_leadership: false, live: &live, index: self.index };
        let after = settle(&before, PartitionRecord { fsync_unconfirmed: false, ..before.clone() }, &target);
        let outcome = outcome(&after, false);
        self.replace_partition(id, after);
        Ok(outcome)
    }

    /// Replaces one record; I18 was checked by the caller, I10 is asserted here again.
    fn replace_partition(&mut self, id: TopicPartition, after: PartitionRecord) {
        let Some(topic) = self.topics.get_mut(&id.topic) else { return };
        let slot = usize::try_from(id.partition.get()).ok();
        let Some(record) = slot.and_then(|slot| Arc::make_mut(topic).partitions.get_mut(slot)) else {
            return;
        };
        assert!(
            after.partition_epoch == record.partition_epoch.next() || after == *record,
            "I18: a record changes by one epoch: {record:?} to {after:?}"
        );
        *record = after;
    }
}

fn outcome(record: &PartitionRecord, ineligible: bool) -> Outcome {
    let PartitionRecord { leader_epoch, partition_epoch, .. } = *record;
    Outcome::Partition { leader_epoch, partition_epoch, ineligible }
}

/// Newer epochs than ours: we are not the controller any more. An older leader epoch: the sender was deposed.
fn check_leadership(id: TopicPartition, record: &PartitionRecord, sent: Epochs) -> Result<(), Rejection> {
    let (leader_epoch, partition_epoch) = sent;
    if leader_epoch > record.leader_epoch || partition_epoch > record.partition_epoch {
        return Err(Rejection::NotController { partition: id, leader_epoch, partition_epoch });
    }
    if leader_epoch < record.leader_epoch {
        let current = record.leader_epoch;
        return Err(Rejection::FencedLeaderEpoch { partition: id, sent: leader_epoch, current });
    }
    Ok(())
}

fn check_partition_epoch(
    id: TopicPartition,
    record: &PartitionRecord,
    sent: PartitionEpoch,
) -> Result<(), Rejection> {
    match sent < record.partition_epoch {
        true => Err(Rejection::StalePartitionEpoch { partition: id, sent, current: record.partition_epoch }),
        false => Ok(()),
    }
}
