//! Starts after a clean end, after a torn one, and one after the other.

use super::*;

/// Where the group with the sequence begins in a file.
pub(super) fn group_at(content: &[u8], sequence: u64) -> usize {
    (8192..content.len())
        .step_by(4096)
        .find(|at| content[at + 24..at + 32] == sequence.to_le_bytes() && content[at + 10] & 1 == 1)
        .expect("a group with this sequence")
}

#[test]
fn frames_come_back_as_they_were_with_their_sequences() {
    let rig = Rig::new();
    let journal = rig.start(0);
    let written = [append(1, 0, 100), append(2, 0, 5000), truncate(1, 0), append(1, 0, 20)];
    commit(&journal, written.clone());
    drop(journal);
    let read = rig.replayed(0);
    assert_eq!(sequences(&read), [0, 1, 2, 3]);
    assert!(read.iter().zip(&written).all(|((_, read), written)| same(read, written)), "{read:?}");
    assert_eq!(sequences(&rig.replayed(2)), [2, 3]);
    assert_eq!(rig.scan(2).torn_tail, None);
    assert_eq!(frames_of(&rig.scan(0)).len(), 4, "a second pass sees the same");
}

#[test]
fn sequences_go_on_over_starts_and_each_start_has_a_lap_of_its_own() {
    let rig = Rig::new();
    for start in 0..4 {
        let journal = rig.start(0);
        assert_eq!(journal.next_sequence(), start);
        commit(&journal, [append(1, i64::try_from(start).unwrap(), 10)]);
    }
    assert_eq!(sequences(&rig.replayed(0)), [0, 1, 2, 3]);
    assert_eq!(rig.scan(0).lap_max, 4);
}

#[test]
fn a_torn_group_is_cut_reported_and_stays_dead() {
    let rig = Rig::new();
    let journal = rig.start(0);
    commit(&journal, [append(1, 0, 10)]);
    commit(&journal, [append(1, 1, 3000), append(1, 2, 3000), append(1, 3, 3000)]);
    drop(journal);
    let content = content_of(&rig.path_of(0));
    let group = group_at(&content, 1);
    // The third page of the group did not reach the disk.
    rig.spoil(0, |content| content[group + 8192..group + 12288].fill(0));
    let scan = rig.scan(0);
    assert!(scan.damage.is_empty(), "{:?}", scan.damage);
    assert!(scan.torn_tail.as_ref().is_some_and(|text| text.contains("frame 3")), "{:?}", scan.torn_tail);
    assert_eq!(sequences(&frames_of(&scan)), [0, 1, 2]);
    let journal = Journal::open(rig.setup(), &scan).unwrap();
    journal.start_stepped(Arc::clone(&rig.recorder) as Arc<dyn CommitListener>);
    let sequence = commit(&journal, [append(1, 3, 11)]);
    assert_eq!(sequence, 3);
    drop(journal);
    // The lost page comes back: what lies behind the cut stays dead.
    rig.spoil(0, |spoilt| spoilt.copy_from_slice(&content));
    let scan = rig.scan(0);
    assert!(scan.damage.is_empty() && scan.torn_tail.is_none(), "{scan:?}");
    let frames = frames_of(&scan);
    assert_eq!(sequences(&frames), [0, 1, 2, 3]);
    assert!(same(&frames[3].1, &append(1, 3, 11)), "the frame behind the cut came back");
}

#[test]
fn any_torn_page_of_the_last_group_is_a_clean_cut() {
    let rig = Rig::new();
    let journal = rig.start(0);
    commit(&journal, [append(1, 0, 10)]);
    commit(&journal, (1..4).map(|offset| append(1, offset, 3500)));
    drop(journal);
    let whole = content_of(&rig.path_of(0));
    let group = group_at(&whole, 1);
    for lost in 1_usize..8 {
        rig.spoil(0, |content| {
            content.copy_from_slice(&whole);
            for page in (0..3).filter(|page| lost & (1 << page) != 0) {
                content[group + page * 4096..group + (page + 1) * 4096].fill(0);
            }
        });
        let scan = rig.scan(0);
        assert!(scan.damage.is_empty(), "pages {lost:b}: {:?}", scan.damage);
        let frames = sequences(&frames_of(&scan));
        assert!(frames.starts_with(&[0]) && frames.len() < 4, "pages {lost:b}: {frames:?}");
        assert_eq!(frames, (0..frames.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn many_files_are_one_journal() {
    let rig = Rig::new();
    let journal = rig.start(0);
    let mut offset = 0;
    while journal.uncheckpointed_bytes() < 300 << 10 {
        while journal.prepare().unwrap() {}
        commit(&journal, [append(1, offset, 7000)]);
        offset += 1;
    }
    drop(journal);
    let scan = rig.scan(0);
    assert!(scan.live.len() >= 3, "{} files", scan.live.len());
    assert!(scan.damage.is_empty() && scan.blemishes.is_empty(), "{scan:?}");
    assert_eq!(frames_of(&scan).len(), usize::try_from(offset).unwrap());
    let half = u64::try_from(offset / 2).unwrap();
    let tail = rig.scan(half);
    assert!(tail.live.len() < scan.live.len(), "covered files are not read");
    assert_eq!(sequences(&frames_of(&tail)), (half..u64::try_from(offset).unwrap()).collect::<Vec<_>>());
}

#[test]
fn a_start_without_a_free_file_makes_one() {
    let rig = Rig::new();
    for _ in 0..12 {
        let journal = rig.start(0);
        commit(&journal, [append(1, 0, 10)]);
    }
    assert_eq!(rig.scan(0).live.len(), 12);
    let journal = rig.start(12);
    journal.recycle(12);
    drop(journal);
    assert_eq!(
        rig.scan(12).free.len(),
        11,
        "the checkpoint frees what it covers, but the last lap before it"
    );
}
