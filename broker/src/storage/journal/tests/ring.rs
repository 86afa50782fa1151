//! The ring: growth, recycling, what happens when it is full.

use super::*;

/// Prepares until nothing is wanted, as a maintenance round does.
fn prepare_all(journal: &Journal) {
    while journal.prepare().unwrap() {}
}

fn files_and_bytes(rig: &Rig) -> (usize, u64) {
    let names = rig.disk.read_dir(&rig.directory()).unwrap();
    let bytes = names.iter().map(|entry| content_of(&rig.directory().join(&entry.name)).len() as u64);
    (names.len(), bytes.sum())
}

#[test]
fn files_double_up_to_their_bound_and_together_stay_below_the_rings() {
    let rig = Rig::new();
    let journal = rig.start(0);
    for offset in 0.. {
        prepare_all(&journal);
        if journal.wait_for_room().unwrap() == Room::RingFull {
            break;
        }
        journal.enqueue(append(1, offset, 9000)).unwrap();
    }
    assert!(journal.is_ring_full());
    let (files, bytes) = files_and_bytes(&rig);
    assert!((4..=5).contains(&files), "{files} files");
    assert!(bytes <= rig.options.ring_bytes_max && bytes > rig.options.ring_bytes_max / 2, "{bytes} bytes");
    assert!(!journal.wants_prepare());
}

#[test]
fn a_full_ring_takes_control_frames_and_goes_on_after_a_checkpoint() {
    let rig = Rig::new();
    let journal = rig.start(0);
    prepare_all(&journal);
    let mut offset = 0;
    while journal.wait_for_room().unwrap() == Room::Free {
        journal.enqueue(append(1, offset, 9000)).unwrap();
        offset += 1;
        prepare_all(&journal);
    }
    let mut control = 0;
    while control < 8 {
        journal.enqueue(truncate(1, 0)).unwrap();
        assert!(journal.step(), "control frame {control} found no place");
        control += 1;
    }
    assert_eq!(journal.wait_for_room().unwrap(), Room::RingFull);
    assert_eq!(journal.synced(), journal.next_sequence());
    journal.recycle(journal.synced());
    assert_eq!(journal.wait_for_room().unwrap(), Room::Free);
    // Three more rounds: the same files, lap after lap.
    let before = files_and_bytes(&rig);
    for _ in 0..300 {
        if journal.wait_for_room().unwrap() == Room::RingFull {
            journal.recycle(journal.synced());
        }
        journal.enqueue(append(1, offset, 9000)).unwrap();
        offset += 1;
    }
    assert!(journal.wait_synced(journal.next_sequence()).unwrap());
    assert_eq!(files_and_bytes(&rig), before);
    let covered = journal.synced() - 3;
    drop(journal);
    let scan = rig.scan(covered);
    assert!(scan.damage.is_empty() && scan.torn_tail.is_none(), "{scan:?}");
    assert_eq!(sequences(&frames_of(&scan)), [covered, covered + 1, covered + 2]);
}

#[test]
fn a_single_file_is_used_again_once_all_of_it_is_covered() {
    let mut rig = Rig::new();
    rig.options.ring_bytes_max = rig.options.file_bytes_first;
    let journal = rig.start(0);
    let mut laps = 0;
    for offset in 0..60 {
        if journal.wait_for_room().unwrap() == Room::RingFull {
            journal.recycle(journal.synced());
            laps += 1;
            assert_eq!(journal.wait_for_room().unwrap(), Room::Free);
        }
        commit(&journal, [append(1, offset, 3000)]);
    }
    assert!(laps >= 3, "{laps} laps");
    assert_eq!(files_and_bytes(&rig).0, 1);
    let covered = journal.synced() - 1;
    drop(journal);
    let scan = rig.scan(covered);
    assert!(scan.damage.is_empty(), "{scan:?}");
    assert_eq!(sequences(&frames_of(&scan)), [covered]);
}

#[test]
fn two_files_take_turns() {
    let mut rig = Rig::new();
    rig.options.ring_bytes_max = 2 * rig.options.file_bytes_first;
    let journal = rig.start(0);
    prepare_all(&journal);
    assert_eq!(files_and_bytes(&rig), (2, rig.options.ring_bytes_max));
    let mut checkpoints = 0;
    for offset in 0..100 {
        while journal.wait_for_room().unwrap() == Room::RingFull {
            journal.recycle(journal.synced());
            checkpoints += 1;
            assert!(checkpoints < 30, "a checkpoint makes no room at append {offset}");
        }
        commit(&journal, [append(1, offset, 3000)]);
    }
    assert!(checkpoints >= 4, "{checkpoints} checkpoints");
}

#[test]
fn a_file_is_not_free_before_its_last_frame_is_covered() {
    let rig = Rig::new();
    let journal = rig.start(0);
    prepare_all(&journal);
    let mut offset = 0;
    while rig.scan(0).live.len() < 2 {
        commit(&journal, [append(1, offset, 12_000)]);
        offset += 1;
    }
    let last_of_first = u64::try_from(offset).unwrap() - 2;
    journal.recycle(last_of_first);
    let free = journal.0.shared.ring.lock().free_count();
    journal.recycle(last_of_first + 1);
    assert_eq!(journal.0.shared.ring.lock().free_count(), free + 1);
}

#[test]
fn a_batch_larger_than_every_file_gets_one_that_fits() {
    let rig = Rig::new();
    let journal = rig.start(0);
    prepare_all(&journal);
    journal.enqueue(append(1, 0, 300_000)).unwrap();
    assert!(!journal.step());
    assert!(journal.is_ring_full() && journal.wants_prepare());
    prepare_all(&journal);
    assert!(journal.step());
    assert_eq!(frames_of(&rig.scan(0)).len(), 1);
}

#[test]
fn uncovered_bytes_fall_with_a_checkpoint() {
    let rig = Rig::new();
    let journal = rig.start(0);
    assert_eq!(journal.uncheckpointed_bytes(), 0);
    commit(&journal, [append(1, 0, 10)]);
    assert_eq!(journal.uncheckpointed_bytes(), 4096);
    journal.recycle(journal.synced());
    assert_eq!(journal.uncheckpointed_bytes(), 0);
    drop(journal);
    let journal = rig.start(0);
    assert_eq!(journal.uncheckpointed_bytes(), 4096, "what was found counts");
}

#[test]
fn an_unfinished_file_is_removed_at_the_next_start() {
    let rig = Rig::new();
    let journal = rig.start(0);
    assert!(journal.prepare().unwrap());
    assert_eq!(files_and_bytes(&rig).0, 2);
    drop(journal);
    let _journal = rig.start(0);
    let names = rig.disk.read_dir(&rig.directory()).unwrap();
    assert!(names.iter().all(|entry| entry.name.ends_with(".journal")), "{names:?}");
}
