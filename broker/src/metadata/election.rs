//! Who is in sync, who is still complete, who leads: the rules of a partition's record as one pure function. Every
//! change of a partition goes through [`settle`], which asserts what must hold behind it.

use super::{BrokerSet, LossCause, LossEvent, PartitionRecord, RecoveryState};
use crate::ids::{BrokerId, MetadataIndex, PartitionEpoch};

/// What is to become of a partition.
pub(super) struct Target<'a> {
    /// The wanted ISR; members that are not live or unfit are left out.
    pub(super) isr: BrokerSet,
    /// Replicas that stopped without everything they had counted, and why.
    pub(super) unclean: Option<(BrokerId, LossCause)>,
    /// The leader epoch rises whoever is elected (its leader registered anew).
    pub(super) new_leadership: bool,
    /// Whether a broker is unfenced and not shutting down.
    pub(super) live: &'a dyn Fn(BrokerId) -> bool,
    /// The command.
    pub(super) index: MetadataIndex,
}

/// The record after the change: ELR, leader and epochs follow from the ISR. `changed` has whatever else the command
/// sets, with the epochs and sets of `before`. Equal records come back as they are.
pub(super) fn settle(
    before: &PartitionRecord,
    changed: PartitionRecord,
    target: &Target<'_>,
) -> PartitionRecord {
    let mut after = changed;
    let is_unclean = |broker: BrokerId| target.unclean.is_some_and(|(unclean, _)| unclean == broker);
    after.isr = target.isr.filter(|broker| {
        after.replicas.contains(broker)
            && !after.unfit.contains(broker)
            && !is_unclean(broker)
            && (target.live)(broker)
    });
    settle_eligible(before, &mut after, target);
    elect(&mut after, target);
    if after.leader.is_some() {
        after.last_known_leader = after.leader;
    }
    let removed = !before.replicas.is_subset(&after.replicas);
    if after.leader != before.leader || removed || target.new_leadership {
        after.leader_epoch = before.leader_epoch.next();
    }
    if after != *before {
        after.partition_epoch = before.partition_epoch.next();
    }
    check(before, &after, target.live);
    after
}

/// Who left the ISR while it was below its minimum is still complete, unless it stopped unclean.
fn settle_eligible(before: &PartitionRecord, after: &mut PartitionRecord, target: &Target<'_>) {
    if has_minimum(after) {
        after.elr = BrokerSet::default();
        after.last_elr = BrokerSet::default();
        return;
    }
    let complete = before.elr.union(&before.isr);
    let is_unclean = |broker: BrokerId| target.unclean.is_some_and(|(unclean, _)| unclean == broker);
    let kept = |broker: BrokerId| {
        !after.isr.contains(broker) && after.replicas.contains(broker) && !after.unfit.contains(broker)
    };
    let elr = complete.filter(|broker| kept(broker) && !is_unclean(broker));
    let dropped = complete.filter(is_unclean);
    if let (Some((_, cause)), true) =
        (target.unclean, !dropped.is_empty() && elr.is_empty() && after.isr.is_empty())
    {
        after.recovery_state = RecoveryState::Suspect(cause);
    }
    after.last_elr = before.last_elr.union(&dropped).filter(|broker| after.replicas.contains(broker));
    after.elr = elr;
}

fn elect(after: &mut PartitionRecord, target: &Target<'_>) {
    let live = target.live;
    let valid = after.leader.filter(|leader| after.isr.contains(*leader) && live(*leader));
    if valid.is_some() && !target.new_leadership {
        return;
    }
    let candidates = if after.isr.is_empty() { &after.elr } else { &after.isr };
    let elected = after.replicas.iter().find(|broker| candidates.contains(*broker) && live(*broker));
    after.leader = valid.or(elected).or_else(|| elect_sole(after, target));
    if let Some(leader) = after.leader.filter(|_| after.isr.is_empty()) {
        after.isr = BrokerSet::one(leader);
        after.elr = after.elr.without(leader);
    }
    if has_minimum(after) {
        after.elr = BrokerSet::default();
        after.last_elr = BrokerSet::default();
    }
}

/// With one copy there is nobody to wait for: it leads again, and what may be missing is on record for ever.
fn elect_sole(after: &mut PartitionRecord, target: &Target<'_>) -> Option<BrokerId> {
    let &[sole] = after.replicas.as_slice() else { return None };
    let RecoveryState::Suspect(cause) = after.recovery_state else { return None };
    if !(target.live)(sole) {
        return None;
    }
    let leader_epoch = after.leader_epoch.next();
    after.loss_events.push(LossEvent { leader_epoch, index: target.index, replica: sole, cause });
    after.recovery_state = RecoveryState::Recovered;
    Some(sole)
}

fn has_minimum(record: &PartitionRecord) -> bool {
    u32::try_from(record.isr.len()).is_ok_and(|members| members >= record.min_isr)
}

/// The set rules and the monotone epochs, in release too.
fn check(before: &PartitionRecord, after: &PartitionRecord, live: &dyn Fn(BrokerId) -> bool) {
    check_sets(after, live);
    assert!(after.leader_epoch >= before.leader_epoch, "I10: the leader epoch fell: {before:?} to {after:?}");
    let step = |epoch: PartitionEpoch| if after == before { epoch } else { epoch.next() };
    let expected = step(before.partition_epoch);
    assert!(
        after.partition_epoch == expected,
        "I10: the partition epoch must rise by 1: {before:?} to {after:?}"
    );
}

/// I6.
pub(super) fn check_sets(record: &PartitionRecord, live: &dyn Fn(BrokerId) -> bool) {
    let PartitionRecord { replicas, isr, elr, leader, .. } = record;
    assert!(isr.is_subset(replicas) && elr.is_subset(replicas), "I6: ISR and ELR are replicas: {record:?}");
    assert!(isr.iter().all(|broker| !elr.contains(broker)), "I6: ISR and ELR are disjoint: {record:?}");
    assert!(
        !has_minimum(record) || elr.is_empty(),
        "I6: an ISR of its minimum leaves the ELR empty: {record:?}"
    );
    assert!(isr.iter().all(live), "I6: no fenced or leaving member in the ISR: {record:?}");
    assert!(leader.is_none_or(|leader| isr.contains(leader)), "I6: the leader is in the ISR: {record:?}");
}
