//! Append, read, roll, reopen, kill.

use super::*;

#[test]
fn appended_batches_are_read_back_over_several_segments() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, _) = open(&directory.path().join("data"));
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 200);
    assert_eq!((log.end(), log.durable()), (Offset(200), Offset(0)));
    store.sync().expect("synced");
    assert_eq!(log.durable(), Offset(200));
    assert_eq!(check_all(&log), 200);
    assert!(store.status().log_bytes > 200 * 100);
    let segments = std::fs::read_dir(directory.path().join("data/logs/7")).expect("listed").count();
    assert!(segments > 4, "{segments} segments");
}

#[test]
fn a_bound_and_a_size_limit_a_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, _) = open(&directory.path().join("data"));
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 20);
    let run = log.read(Offset(3), Offset(5), 1 << 20, Residency::MayBlock).expect("read");
    assert_eq!(run.next_offset, Offset(5));
    let run = log.read(Offset(3), Offset(20), 1, Residency::MayBlock).expect("read");
    assert_eq!(run.next_offset, Offset(4), "at least one batch");
    let run = log.read(Offset(20), Offset(20), 1, Residency::Required).expect("read");
    assert!(run.bytes.is_empty());
    assert!(matches!(
        log.read(Offset(21), Offset(30), 1, Residency::MayBlock),
        Err(ReadError::OutOfRange { .. })
    ));
}

#[test]
fn a_killed_store_comes_back_with_everything_that_was_synced() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let mut ends = 0;
    for life in 0..6 {
        let (store, report) = open(&path);
        assert!(report.problems.is_empty(), "life {life}: {:?}", report.problems);
        let log = match store.log(LOG) {
            Some(log) => log,
            None => store.create_log(LOG, Offset::ZERO, small_log()).expect("created"),
        };
        log.set_options(small_log());
        assert_eq!(log.end(), Offset(ends), "life {life}");
        assert_eq!(log.durable(), log.end());
        assert_eq!(check_all(&log), ends);
        fill(&log, 37);
        store.sync().expect("synced");
        if life % 2 == 1 {
            store.checkpoint().expect("a checkpoint");
            fill(&log, 5);
            store.sync().expect("synced");
        }
        ends = log.end().get();
        // Never synced: may be lost.
        drop((log, store));
    }
}

#[test]
fn a_closed_store_replays_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, _) = open_with(&path, CommitDriver::Thread, small_options());
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 100);
    log.note_high_watermark(Offset(90));
    store.close().expect("closed");
    assert!(matches!(
        log.append(&batch(100, 10), EPOCH),
        Err(AppendError::Closed(_) | AppendError::Failed(_))
    ));
    assert_eq!(check_all(&log), 100, "reads go on");
    let (store, report) = open(&path);
    assert_eq!(report.frames_replayed, 0);
    let log = store.log(LOG).expect("there");
    assert_eq!(check_all(&log), 100);
    assert_eq!(log.stored_high_watermark(), Offset(90));
    assert_eq!(log.latest_epoch(), Some(EPOCH));
}

#[test]
fn duplicates_are_told_after_a_reopening_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, _) = open(&path);
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    for sequence in 0..8 {
        let number = u64::try_from(sequence).expect("positive");
        log.append(&idempotent(number, 10, Some((5, 0, sequence))), EPOCH).expect("appended");
        if sequence == 4 {
            store.checkpoint().expect("a checkpoint");
        }
    }
    store.sync().expect("synced");
    drop((log, store));
    let (store, _) = open(&path);
    let log = store.log(LOG).expect("there");
    let again = log.append(&idempotent(6, 10, Some((5, 0, 6))), EPOCH).expect("a duplicate");
    assert!(again.duplicate);
    assert_eq!((again.base_offset, log.end()), (Offset(6), Offset(8)));
    assert!(matches!(
        log.append(&idempotent(9, 10, Some((5, 0, 9))), EPOCH),
        Err(AppendError::OutOfOrderSequence { expected: 8, .. })
    ));
}

#[test]
fn checkpoints_keep_the_journal_small_and_an_idle_one_writes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let options = StoreOptions { checkpoint_after_bytes: 1 << 20, ..small_options() };
    let (store, _) = open_with(&path, CommitDriver::Stepped, options);
    let log = store
        .create_log(LOG, Offset::ZERO, LogOptions { segment_bytes: 1 << 20, ..small_log() })
        .expect("created");
    for number in 0..2000 {
        log.append(&batch(number, 20_000), EPOCH).expect("appended");
        if number % 50 == 0 {
            store.sync().expect("synced");
            store.maintain();
        }
    }
    store.sync().expect("synced");
    let written = store.status().checkpoints;
    assert!(written > 10, "{written} checkpoints of 40 MB through a ring of 32 MiB");
    store.checkpoint().expect("a checkpoint");
    let written = store.status().checkpoints;
    store.checkpoint().expect("nothing to do");
    assert_eq!(store.status().checkpoints, written);
    assert_eq!(check_all(&log), 2000);
    drop((log, store));
    let (store, report) = open(&path);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(check_all(&store.log(LOG).expect("there")), 2000);
}

#[test]
fn a_hundred_thousand_empty_logs_open_quickly() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, _) = open_with(&path, CommitDriver::Thread, StoreOptions::default());
    for id in 1..=100_000 {
        store.create_log(LogId(id), Offset::ZERO, LogOptions::default()).expect("created");
    }
    store.close().expect("closed");
    drop(store);
    let clock = SystemClock::shared();
    let before = clock.now();
    let (store, report) = open_with(&path, CommitDriver::Thread, StoreOptions::default());
    println!("100,000 empty logs open in {:?}", clock.now().since(before));
    assert_eq!((report.logs, store.log_ids().len()), (100_000, 100_000));
    assert_eq!(std::fs::read_dir(path.join("logs")).expect("listed").count(), 0);
}

#[test]
fn a_record_is_found_by_its_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, _) = open(&directory.path().join("data"));
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 150);
    let found = log.offset_for_timestamp(1_120, Offset(150)).expect("looked up").expect("found");
    assert_eq!((found.offset, found.timestamp_ms, found.leader_epoch), (Offset(120), 1_120, EPOCH));
    assert_eq!(log.offset_for_timestamp(1_120, Offset(120)).expect("looked up"), None);
    let greatest = log.max_timestamp(Offset(100)).expect("looked up").expect("found");
    assert_eq!(greatest.offset, Offset(99));
    let greatest = log.max_timestamp(Offset(150)).expect("looked up").expect("found");
    assert_eq!(greatest.offset, Offset(149));
}

#[test]
fn a_batch_beyond_the_journal_is_refused_by_that_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, _) = open(directory.path());
    let options = LogOptions { batch_bytes_max: 64 << 20, ..LogOptions::default() };
    let log = store.create_log(LOG, Offset(0), options).expect("created");
    let large = |value_bytes: usize| {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.append(1_000, None, Some(&vec![7; value_bytes]), &[]).expect("fits");
        Batch::parse(builder.finish().expect("a batch")).expect("parses")
    };
    let refused = log.append(&large(9 << 20), EPOCH).expect_err("larger than a journal file");
    let AppendError::BeyondJournal { bytes_max, .. } = refused else { panic!("{refused}") };
    assert!(refused.to_string().contains("journal-file-bytes-max"), "{refused}");
    assert_eq!(store.beyond_journal(bytes_max), None);
    assert_eq!(store.beyond_journal(bytes_max + 1), Some(bytes_max));
    log.append(&large(bytes_max - 100), EPOCH).expect("as large as it says");
    let refused = log.append(&large(65 << 20), EPOCH).expect_err("larger than the log takes");
    assert!(refused.to_string().contains("max.message.bytes"), "{refused}");
}
