//! The gate of the high watermark, and what a leader accepts.

use super::*;
use proptest::prelude::*;

fn terms(leader_epoch: i32, partition_epoch: i32, in_sync: usize, min_isr: u32) -> Terms {
    Terms {
        leader_epoch: LeaderEpoch(leader_epoch),
        partition_epoch: PartitionEpoch(partition_epoch),
        in_sync,
        min_isr,
        durability: Durability::Fsync,
    }
}

fn leader(log_end: i64, own: i64, stored: i64) -> LeaderState {
    LeaderState::become_leader(terms(1, 1, 1, 1), Offset(log_end), Offset(own), Offset(stored))
}

#[test]
fn a_restarted_leader_counts_what_is_durable() {
    let state = leader(10, 10, 4);
    assert_eq!(state.high_watermark(), Offset(10));
    assert_eq!(state.told_high_watermark(), Some(Offset(10)));
}

#[test]
fn no_high_watermark_is_told_below_the_epochs_start() {
    let mut state = leader(10, 7, 4);
    assert_eq!(state.high_watermark(), Offset(7));
    assert_eq!(state.told_high_watermark(), None);
    assert_eq!(state.on_own_offset(Offset(10), Offset(12)), Some(Offset(10)));
    assert_eq!(state.told_high_watermark(), Some(Offset(10)));
}

#[test]
fn below_the_minimum_nothing_is_committed_and_acks_all_is_refused() {
    let mut state = LeaderState::become_leader(terms(1, 1, 1, 2), Offset(5), Offset(5), Offset(3));
    assert_eq!(state.high_watermark(), Offset(3));
    assert_eq!(state.on_own_offset(Offset(6), Offset(6)), None);
    let refused = state.admit(None, Acks::All).expect_err("one of two");
    assert!(matches!(refused, ProduceError::NotEnoughReplicas { in_sync: 1, min_isr: 2 }), "{refused}");
    assert!(refused.nothing_appended());
    assert_eq!(state.admit(None, Acks::Leader).ok(), Some(LeaderEpoch(1)));
    assert!(state.covers(Offset(6), Acks::Leader), "its own offset covers it");
    assert!(!state.covers(Offset(6), Acks::All));
    // The minimum is met again: what was counted meanwhile commits.
    assert_eq!(state.renew(terms(1, 2, 2, 2), Offset(0), Offset(6)), Renewal::SameEpoch);
    assert_eq!(state.high_watermark(), Offset(6));
    // And lost again, after an append.
    assert_eq!(state.renew(terms(1, 3, 1, 2), Offset(0), Offset(8)), Renewal::SameEpoch);
    assert!(matches!(state.verdict(), Err(ProduceError::NotEnoughReplicasAfterAppend)));
}

#[test]
fn epochs_are_fenced_both_ways() {
    let mut state = leader(0, 0, 0);
    assert!(matches!(
        state.admit(Some(LeaderEpoch(0)), Acks::All),
        Err(ProduceError::FencedLeaderEpoch { .. })
    ));
    assert!(matches!(
        state.admit(Some(LeaderEpoch(2)), Acks::All),
        Err(ProduceError::UnknownLeaderEpoch { .. })
    ));
    assert_eq!(state.admit(Some(LeaderEpoch(1)), Acks::All).ok(), Some(LeaderEpoch(1)));
    assert_eq!(state.renew(terms(1, 1, 1, 1), Offset(0), Offset(3)), Renewal::Ignored);
    assert_eq!(state.renew(terms(0, 1, 1, 1), Offset(0), Offset(3)), Renewal::Ignored);
    assert_eq!(state.renew(terms(2, 2, 1, 1), Offset(0), Offset(3)), Renewal::NewEpoch);
    assert!(matches!(
        state.admit(Some(LeaderEpoch(1)), Acks::All),
        Err(ProduceError::FencedLeaderEpoch { .. })
    ));
    assert_eq!(state.told_high_watermark(), None, "the new epoch begins at 3, and 0 is committed");
}

#[test]
fn a_switch_to_fsync_counts_what_is_synced_at_once() {
    let terms = |partition_epoch, durability| Terms { durability, ..terms(1, partition_epoch, 1, 1) };
    let mut state = LeaderState::become_leader(terms(1, Durability::Async), Offset(0), Offset(0), Offset(0));
    assert!(state.counts_written());
    assert_eq!(state.on_own_offset(Offset(8), Offset(10)), Some(Offset(8)));
    assert!(state.covers(Offset(8), Acks::All) && state.covers(Offset(8), Acks::Leader));
    // 5 are synced.
    assert_eq!(state.renew(terms(2, Durability::Fsync), Offset(5), Offset(10)), Renewal::SameEpoch);
    assert_eq!(state.high_watermark(), Offset(8), "what was committed stays so");
    for acks in [Acks::All, Acks::Leader] {
        assert!(state.covers(Offset(5), acks) && !state.covers(Offset(6), acks), "{acks:?}");
    }
    assert_eq!(state.on_own_offset(Offset(10), Offset(10)), Some(Offset(10)));
    assert!(state.covers(Offset(10), Acks::All));
    // And back.
    assert_eq!(state.renew(terms(3, Durability::Async), Offset(12), Offset(12)), Renewal::SameEpoch);
    assert_eq!(state.high_watermark(), Offset(12));
}

#[test]
#[should_panic(expected = "beyond the log end")]
fn a_counted_offset_beyond_the_log_is_a_bug() {
    leader(5, 5, 5).on_own_offset(Offset(6), Offset(5));
}

proptest! {
    /// Whatever comes in whatever order: the high watermark never falls, and moves only with the minimum in sync and no
    /// further than the own offset.
    #[test]
    fn the_gate_holds(steps in prop::collection::vec((0i64..20, 0i64..20, 0usize..4, any::<bool>()), 1..60)) {
        let (mut end, mut own, mut in_sync) = (0i64, 0i64, 1usize);
        let mut epochs = (1, 1);
        let mut state = LeaderState::become_leader(terms(1, 1, 1, 2), Offset(0), Offset(0), Offset(0));
        for (appended, synced, members, elected) in steps {
            let before = state.high_watermark();
            end += appended;
            own = (own + synced).min(end);
            if members != in_sync {
                in_sync = members.max(1);
                epochs = (epochs.0 + i32::from(elected), epochs.1 + 1);
                state.renew(terms(epochs.0, epochs.1, in_sync, 2), Offset(0), Offset(end));
            }
            state.on_own_offset(Offset(own), Offset(end));
            prop_assert!(state.high_watermark() >= before);
            prop_assert!(state.high_watermark() <= Offset(own));
            if in_sync >= 2 {
                prop_assert_eq!(state.high_watermark(), Offset(own));
            }
        }
    }
}
