//! Planted damage: found, named, told from a torn write, and never replayed.

use super::{recovery::group_at, *};

/// Three synced groups and a witness.
fn witnessed(rig: &Rig) -> Vec<u8> {
    let journal = rig.start(0);
    for offset in 0..3 {
        commit(&journal, [append(u64::try_from(offset).unwrap() + 1, offset, 3000)]);
    }
    rig.clock.advance(Duration::from_millis(5));
    assert!(journal.step());
    content_of(&rig.path_of(0))
}

#[test]
fn a_flipped_bit_in_a_synced_frame_is_damage_and_what_stands_behind_it_counts() {
    let rig = Rig::new();
    let content = witnessed(&rig);
    let group = group_at(&content, 1);
    rig.spoil(0, |content| content[group + 200] ^= 4);
    let scan = rig.scan(0);
    let damage = &scan.damage[0];
    assert_eq!((damage.position, damage.sequence), (group as u64, 1));
    assert_eq!(damage.file, rig.path_of(0));
    assert!(scan.torn_tail.is_none());
    assert_eq!(sequences(&frames_of(&scan)), [0, 2, 3], "what stands behind the damage is whole");
    assert!(scan.next_sequence > 3, "no sequence is used twice");
}

#[test]
fn damage_in_the_last_group_is_seen_through_its_witness() {
    let rig = Rig::new();
    let content = witnessed(&rig);
    let group = group_at(&content, 2);
    rig.spoil(0, |content| content[group + 2000] ^= 1);
    let scan = rig.scan(0);
    assert_eq!(scan.damage.len(), 1, "{scan:?}");
    // Without the witness nobody can tell.
    let witness = group_at(&content, 3);
    rig.spoil(0, |content| content[witness..witness + 4096].fill(0));
    let scan = rig.scan(0);
    assert!(scan.damage.is_empty() && scan.torn_tail.is_some(), "{scan:?}");
}

#[test]
fn every_flipped_bit_of_synced_groups_is_noticed() {
    let rig = Rig::new();
    let whole = witnessed(&rig);
    let (start, end) = (group_at(&whole, 0), group_at(&whole, 3));
    let bits = (start * 8..end * 8).step_by(211).chain((0..8192 * 8).step_by(397));
    for bit in bits {
        rig.spoil(0, |content| {
            content.copy_from_slice(&whole);
            content[bit / 8] ^= 1 << (bit % 8);
        });
        let found = check(&*rig.disk, &rig.directory(), 0).unwrap();
        assert!(!found.damage.is_empty(), "bit {bit} (byte {:#x}) was flipped unnoticed", bit / 8);
        let (file, position, _) = &found.damage[0];
        assert_eq!(file, &rig.path_of(0));
        assert!(*position <= bit as u64 / 8, "named {position}, flipped byte {}", bit / 8);
    }
}

#[test]
fn padding_that_is_not_zero_is_found_and_loses_nothing() {
    let rig = Rig::new();
    let content = witnessed(&rig);
    let next = group_at(&content, 1);
    rig.spoil(0, |content| content[next - 1] = 1);
    let found = check(&*rig.disk, &rig.directory(), 0).unwrap();
    assert_eq!(found.damage.len(), 1, "{found:?}");
    assert_eq!(found.frames, 4);
    assert!(found.damage[0].2.contains("padding"), "{found:?}");
}

#[test]
fn one_damaged_copy_of_a_head_is_healed_by_the_other() {
    for position in [20, 4096 + 20] {
        let rig = Rig::new();
        witnessed(&rig);
        rig.spoil(0, |content| content[position] ^= 1);
        let scan = rig.scan(0);
        assert_eq!(frames_of(&scan).len(), 4);
        assert_eq!(scan.blemishes[0].1, position as u64 / 4096 * 4096);
    }
}

#[test]
fn a_head_damaged_twice_refuses_to_start_and_is_named() {
    let rig = Rig::new();
    witnessed(&rig);
    rig.spoil(0, |content| {
        content[20] ^= 1;
        content[4096 + 20] ^= 1;
    });
    let refused = Scan::read(&*rig.disk, &rig.directory(), 0).unwrap_err();
    assert!(matches!(&refused, OpenError::Damaged { file, .. } if *file == rig.path_of(0)), "{refused}");
    assert_eq!(check(&*rig.disk, &rig.directory(), 0).unwrap().damage.len(), 1);
}

#[test]
fn a_stale_frame_of_an_older_lap_is_neither_data_nor_witness() {
    let rig = Rig::new();
    let journal = rig.start(0);
    for offset in 0..3 {
        commit(&journal, [append(1, offset, 3000)]);
    }
    drop(journal);
    // The first file is free again and gets a shorter lap over its old frames.
    let journal = rig.start(3);
    journal.recycle(3);
    commit(&journal, [append(1, 3, 10)]);
    journal.recycle(4);
    drop(journal);
    let journal = rig.start(4);
    commit(&journal, [append(1, 4, 10)]);
    drop(journal);
    let scan = rig.scan(4);
    assert_eq!(sequences(&frames_of(&scan)), [4]);
    assert!(scan.damage.is_empty() && scan.torn_tail.is_none(), "{scan:?}");
    let content = content_of(&rig.path_of(0));
    assert_eq!(group_at(&content, 1), 12288, "the old lap's frames still stand behind");
}

#[test]
fn a_frame_with_the_right_checksum_and_the_wrong_chain_is_refused() {
    let rig = Rig::new();
    let journal = rig.start(0);
    commit(&journal, [append(1, 0, 10)]);
    commit(&journal, [append(1, 1, 10)]);
    let content = content_of(&rig.path_of(0));
    let (first, second) = (group_at(&content, 0), group_at(&content, 1));
    rig.spoil(0, |content| {
        // Another whole frame in the place of the first.
        let mut frame = content[second..second + 4096].to_vec();
        frame[24..32].copy_from_slice(&0_u64.to_le_bytes());
        frame[12..16].copy_from_slice(&[0; 4]);
        frame[56..64].copy_from_slice(&[0; 8]);
        let length = u32::from_le_bytes(frame[4..8].try_into().unwrap()) as usize;
        let checksum = crc32fast::hash(&frame[4..length.min(141)]);
        frame[..4].copy_from_slice(&checksum.to_le_bytes());
        content[first..first + 4096].copy_from_slice(&frame);
    });
    let scan = rig.scan(0);
    assert_eq!(sequences(&frames_of(&scan)), [0], "the second does not follow it");
    assert_eq!(scan.damage.len(), 1, "and says that the first was synced: {scan:?}");
}

/// Fills three files and starts a fourth lap.
fn three_files(rig: &Rig) -> u64 {
    let journal = rig.start(0);
    while rig.scan(0).live.len() < 3 {
        while journal.prepare().unwrap() {}
        commit(&journal, [append(1, 0, 12_000)]);
    }
    journal.next_sequence()
}

#[test]
fn a_missing_file_of_the_chain_is_damage() {
    let rig = Rig::new();
    let end = three_files(&rig);
    let middle = rig.scan(0).live[1].file.file.path().to_path_buf();
    rig.disk.remove_file(&middle).unwrap();
    let scan = rig.scan(0);
    assert_eq!(scan.damage.len(), 1);
    assert!(scan.damage[0].detail.contains("missing"), "{scan:?}");
    let behind = sequences(&frames_of(&scan));
    assert!(
        behind.first().is_some_and(|first| *first > 0) && behind.last() == Some(&(end - 1)),
        "{behind:?}"
    );
    assert!(scan.next_sequence >= end);
    assert!(rig.scan(end).damage.is_empty(), "a checkpoint that covers all misses nothing");
}

#[test]
fn a_journal_that_is_gone_is_damage_once_a_checkpoint_knew_of_it() {
    let rig = Rig::new();
    let scan = rig.scan(5);
    assert_eq!(scan.damage.len(), 1);
    let journal = Journal::open(rig.setup(), &scan).unwrap();
    assert!(journal.next_sequence() > 5);
    drop(journal);
    let again = rig.scan(5);
    assert!(again.damage.len() == 1 && again.damage[0].is_known, "{again:?}");
    assert!(rig.scan(again.next_sequence).damage.is_empty());
}

#[test]
fn damage_is_reported_again_until_a_checkpoint_covers_it() {
    let rig = Rig::new();
    let content = witnessed(&rig);
    let group = group_at(&content, 1);
    rig.spoil(0, |content| content[group + 200] ^= 4);
    let journal = rig.start(0);
    let sequence = commit(&journal, [append(9, 0, 10)]);
    drop(journal);
    let scan = rig.scan(0);
    assert_eq!(scan.damage.len(), 1);
    assert!(scan.damage[0].is_known, "{scan:?}");
    assert_eq!(
        sequences(&frames_of(&scan)),
        [0, 2, 3, sequence],
        "nothing but the damaged frame is left out"
    );
    assert!(rig.scan(sequence).damage.is_empty());
}

#[test]
fn damage_among_covered_frames_hides_nothing_behind_it() {
    let rig = Rig::new();
    let content = witnessed(&rig);
    let group = group_at(&content, 0);
    rig.spoil(0, |content| content[group + 100] ^= 4);
    let scan = rig.scan(1);
    assert!(scan.damage.is_empty(), "{scan:?}");
    assert_eq!(scan.blemishes.len(), 1);
    assert_eq!(sequences(&frames_of(&scan)), [1, 2, 3]);
}

#[test]
fn a_frame_of_an_unknown_kind_refuses_to_start() {
    let rig = Rig::new();
    let journal = rig.start(0);
    commit(&journal, [truncate(1, 0)]);
    for (at, number) in [(8, 2), (9, 7), (9, 200)] {
        rig.spoil(0, |content| {
            content[8192 + 8] = 1;
            content[8192 + at] = number;
            let checksum = crc32fast::hash(&content[8192 + 4..8192 + 64]);
            content[8192..8196].copy_from_slice(&checksum.to_le_bytes());
        });
        let refused = Scan::read(&*rig.disk, &rig.directory(), 0).unwrap_err();
        assert!(matches!(refused, OpenError::NewerFormat { .. }), "{refused}");
    }
}
