//! Truncation by copy, and that what it removed stays away.

use super::*;

#[test]
fn a_truncated_log_goes_on_and_readers_keep_their_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, _) = open(&path);
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 100);
    store.sync().expect("synced");
    let held = log.read(Offset(60), Offset(100), 500, Residency::MayBlock).expect("read");
    let copy = held.bytes.to_vec();
    log.truncate(Offset(55)).expect("truncated");
    assert_eq!((log.end(), log.durable()), (Offset(55), Offset(55)));
    assert_eq!(check_all(&log), 55);
    fill(&log, 100);
    assert_eq!(held.bytes.as_ref(), copy.as_slice());
    store.sync().expect("synced");
    assert_eq!(check_all(&log), 155);
    drop((log, store));
    let (store, report) = open(&path);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(check_all(&store.log(LOG).expect("there")), 155);
}

#[test]
fn what_was_truncated_does_not_come_back() {
    for (checkpoint_before, checkpoint_after) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("data");
        let (store, _) = open(&path);
        let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
        for sequence in 0..50 {
            let number = u64::try_from(sequence).expect("positive");
            log.append(&idempotent(number, 100, Some((5, 0, sequence))), EPOCH).expect("appended");
        }
        if checkpoint_before {
            store.checkpoint().expect("a checkpoint");
        }
        log.truncate(Offset(31)).expect("truncated");
        if checkpoint_after {
            store.checkpoint().expect("a checkpoint");
        }
        drop((log, store));
        let (store, report) = open(&path);
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let log = store.log(LOG).expect("there");
        assert_eq!(log.end(), Offset(31));
        assert_eq!(check_all(&log), 31);
        let again =
            log.append(&idempotent(31, 100, Some((5, 0, 31))), EPOCH).expect("the next of its producer");
        assert!(!again.duplicate);
        assert_eq!(again.base_offset, Offset(31));
        let again = log.append(&idempotent(30, 100, Some((5, 0, 30))), EPOCH).expect("a duplicate");
        assert!(again.duplicate);
    }
}

#[test]
fn truncation_to_a_segment_base_and_to_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, _) = open(&path);
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 100);
    log.truncate(Offset(20)).expect("truncated");
    fill(&log, 3);
    log.truncate(Offset::ZERO).expect("truncated");
    assert_eq!((log.end(), log.latest_epoch()), (Offset::ZERO, None));
    fill(&log, 30);
    store.sync().expect("synced");
    assert_eq!(check_all(&log), 30);
    drop((log, store));
    let (store, _) = open(&path);
    assert_eq!(check_all(&store.log(LOG).expect("there")), 30);
}

#[test]
fn epochs_end_where_the_next_begins() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, _) = open(&path);
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 10);
    log.begin_epoch(LeaderEpoch(5));
    log.append(&batch(10, 100), LeaderEpoch(5)).expect("appended");
    assert!(matches!(log.append(&batch(11, 100), EPOCH), Err(AppendError::NotContiguous { .. })));
    store.sync().expect("synced");
    drop((log, store));
    let (store, _) = open(&path);
    let log = store.log(LOG).expect("there");
    assert_eq!(log.end_offset_for(EPOCH), Some((EPOCH, Offset(10))));
    assert_eq!(log.end_offset_for(LeaderEpoch(5)), Some((LeaderEpoch(5), Offset(11))));
    assert_eq!(log.end_offset_for(LeaderEpoch(6)), None);
    log.truncate(Offset(10)).expect("truncated");
    assert_eq!(log.latest_epoch(), Some(EPOCH));
}

#[test]
fn what_is_appended_behind_a_truncation_is_not_damaged() {
    let mut state = state::LogState::new(Offset(0), small_log());
    let (file, detail) = (std::path::PathBuf::new(), String::new());
    state.note_damage(DamagedRange { from: Offset(4), to: Offset(17), file, position: 0, detail });
    state.lower_end(Offset(13), 0);
    assert!(state.damage_at(Offset(12)).is_some(), "the kept part is still damaged");
    assert!(state.damage_at(Offset(13)).is_none(), "offset 13 is given anew");
}
