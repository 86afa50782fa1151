//! Groups, witnesses and what the listener is told.

use super::*;

#[test]
fn what_was_queued_is_one_group_and_the_listener_hears_of_each_log_once() {
    let rig = Rig::new();
    let journal = rig.start(0);
    let frames = [append(7, 0, 100), append(3, 0, 100), append(7, 1, 100), truncate(7, 1)];
    let last = commit(&journal, frames);
    assert_eq!(last, 3);
    let told = rig.recorder.synced.lock().clone();
    let at = |sequence, end| JournalEnd::At { sequence, end: Offset(end) };
    assert_eq!(told, [(4, vec![(LogId(3), at(1, 1)), (LogId(7), at(3, 1))])]);
    assert!(!journal.step(), "nothing is left to do");
}

#[test]
fn a_log_start_behind_an_append_does_not_hide_its_end() {
    let rig = Rig::new();
    let journal = rig.start(0);
    let cause = crate::storage::DeletionCause::Retention;
    let start = Frame { log: LogId(7), body: FrameBody::LogStart { start: Offset(1), cause } };
    commit(&journal, [append(7, 4, 10), start]);
    let told = rig.recorder.synced.lock().clone();
    assert_eq!(told, [(2, vec![(LogId(7), JournalEnd::At { sequence: 0, end: Offset(5) })])]);
}

#[test]
fn a_group_is_bounded_and_begins_on_a_block() {
    let rig = Rig::new();
    let journal = rig.start(0);
    for offset in 0..30 {
        journal.enqueue(append(1, offset, 1000)).unwrap();
    }
    assert!(journal.step());
    let first = journal.synced();
    assert!((10..=15).contains(&first), "16 KiB a group hold {first} frames");
    while journal.step() {}
    assert_eq!(journal.synced(), 30);
    let content = content_of(&rig.path_of(0));
    let starts: Vec<usize> = (8192..content.len())
        .step_by(4096)
        .filter(|at| content[*at + 10] & 1 == 1 && content[*at + 8] == 1)
        .collect();
    assert_eq!(starts.len(), 3, "groups begin at {starts:?}");
    assert_eq!(sequences(&rig.replayed(0)), (0..30).collect::<Vec<_>>());
}

#[test]
fn a_frame_larger_than_a_group_goes_alone() {
    let rig = Rig::new();
    let journal = rig.start(0);
    commit(&journal, [append(1, 0, 40_000)]);
    journal.enqueue(append(1, 1, 10)).unwrap();
    journal.enqueue(append(1, 2, 40_000)).unwrap();
    assert!(journal.step());
    assert_eq!(journal.synced(), 2);
}

#[test]
fn the_last_group_gets_a_witness_once_and_then_nothing_is_written() {
    let rig = Rig::new();
    let journal = rig.start(0);
    commit(&journal, [append(1, 0, 10)]);
    assert!(!journal.step(), "too early for a witness");
    rig.clock.advance(Duration::from_millis(5));
    assert!(journal.step());
    let before = content_of(&rig.path_of(0));
    rig.clock.advance(Duration::from_secs(3600));
    assert!(!journal.step(), "a witness needs no witness");
    assert_eq!(before, content_of(&rig.path_of(0)));
    let frames = rig.replayed(0);
    assert!(matches!(frames[1].1.body, FrameBody::Synced), "{frames:?}");
}

#[test]
fn a_thread_commits_writes_the_witness_and_then_sleeps() {
    let mut rig = Rig::new();
    // Nobody prepares files here.
    rig.options.file_bytes_at_start = 2 << 20;
    rig.options.file_bytes_first = 2 << 20;
    rig.options.ring_bytes_max = 2 << 20;
    let clock = crate::clock::SystemClock::shared();
    let journal = Journal::open(JournalSetup { clock, ..rig.setup() }, &rig.scan(0)).unwrap();
    journal.start_thread(Arc::clone(&rig.recorder) as Arc<dyn CommitListener>).unwrap();
    let sequence = journal.enqueue(append(1, 0, 10)).unwrap();
    assert!(journal.wait_synced(sequence + 1).unwrap());
    assert!(journal.wait_synced(sequence + 2).unwrap(), "the witness");
    let told = rig.recorder.synced.lock().len();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(rig.recorder.synced.lock().len(), told, "an idle journal writes nothing");
    for offset in 1..200 {
        assert_eq!(journal.wait_for_room().unwrap(), Room::Free);
        journal.enqueue(append(1, offset, 500)).unwrap();
    }
    journal.close().unwrap();
    journal.close().unwrap();
    assert_eq!(journal.synced(), journal.next_sequence());
    assert!(journal.enqueue(append(1, 200, 1)).is_err(), "a closed journal takes nothing");
    let appends = rig.replayed(0).into_iter().filter(|(_, frame)| !matches!(frame.body, FrameBody::Synced));
    assert_eq!(appends.count(), 200);
}
