//! Compaction on a real file system: what stays, what a restart finds, who is not disturbed.

use super::*;
use std::{collections::BTreeMap, time::Duration};

const KEYS: i64 = 5;

fn compacted() -> LogOptions {
    let compaction = CompactionOptions {
        dirty_ratio_min_millionths: 0,
        lag_min_ms: 0,
        lag_max_ms: None,
        delete_retention_ms: 0,
    };
    LogOptions { compaction: Some(compaction), retention_ms: None, ..small_log() }
}

fn options() -> StoreOptions {
    let compaction = CompactorOptions { interval: Duration::ZERO, ..CompactorOptions::default() };
    StoreOptions { compaction, ..small_options() }
}

fn start(path: &Path) -> (Store, Log) {
    let (store, report) = open_with(path, CommitDriver::Stepped, options());
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let log = store.create_log(LOG, Offset::ZERO, compacted()).expect("created or there");
    log.set_options(compacted());
    (store, log)
}

fn keyed(key: &str, value: Option<&str>) -> Batch {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(1_000, Some(key.as_bytes()), value.map(str::as_bytes), &[]).expect("fits");
    Batch::parse(builder.finish().expect("a batch")).expect("parses")
}

/// One record an append: its key is its number modulo the keys, its value says its number.
fn write(log: &Log, count: i64) {
    for _ in 0..count {
        let number = log.end().get();
        let value = format!("{number:0>100}");
        log.append(&keyed(&format!("key {}", number % KEYS), Some(&value)), EPOCH).expect("appended");
    }
}

/// Everything durable is committed, and whatever is due is compacted.
fn compact(store: &Store, log: &Log) {
    store.sync().expect("synced");
    log.note_high_watermark(log.durable());
    for _ in 0..50 {
        store.maintain();
    }
    assert_eq!(store.status().compaction.logs_waiting, 0, "nothing is due any more");
}

/// Offset and value of every record there is; batches come in order.
fn read_all(log: &Log) -> BTreeMap<i64, Option<String>> {
    let (mut offset, mut found) = (log.start(), BTreeMap::new());
    while offset < log.end() {
        let run = log.read(offset, log.end(), 1 << 10, Residency::MayBlock).expect("readable");
        assert!(run.next_offset > offset, "a read at {offset} makes no progress");
        let mut bytes = run.bytes;
        while let Some(batch) = Batch::split_first(&mut bytes).expect("whole batches") {
            for record in batch.records(DecompressLimit { bytes_max: 1 << 20 }).expect("records") {
                let record = record.expect("a record");
                let value = record.value.map(|value| String::from_utf8(value.to_vec()).expect("text"));
                assert!(found.insert(record.offset, value).is_none());
            }
        }
        offset = run.next_offset;
    }
    found
}

fn files(path: &Path) -> Vec<String> {
    let directory = path.join("logs").join(LOG.to_string());
    let names = std::fs::read_dir(directory).expect("the log's directory");
    let mut names: Vec<_> =
        names.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn the_last_record_of_each_key_stays_where_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, log) = start(&path);
    write(&log, 200);
    let held = log.read(Offset(0), Offset(200), 3_000, Residency::MayBlock).expect("read");
    let copy = held.bytes.to_vec();
    let before = log.size_bytes();
    compact(&store, &log);
    assert!(log.size_bytes() < before / 4, "{} of {before} bytes", log.size_bytes());
    assert_eq!((log.start(), log.end()), (Offset(0), Offset(200)));
    let check = |log: &Log| {
        let found = read_all(log);
        let closed_end = *found.keys().nth(usize::try_from(KEYS).expect("small")).expect("an active segment");
        for (offset, value) in &found {
            let value = value.as_ref().expect("a value");
            assert_eq!(value.parse::<i64>().expect("a number"), *offset);
        }
        // Behind the closed segments everything is there; in front of that, one record of each key.
        assert!((150..200).contains(&closed_end), "{found:?}");
        assert_eq!(found.range(closed_end..).count(), usize::try_from(200 - closed_end).expect("some"));
        found
    };
    let found = check(&log);
    assert_eq!(held.bytes, copy, "a reader keeps what it holds");
    let names = files(&path);
    assert!(names.iter().any(|name| name == "00000000000000000000.1.log"), "{names:?}");
    // A read at an offset that is gone begins with the next batch that is there.
    let run = log.read(Offset(7), log.end(), 1, Residency::MayBlock).expect("readable");
    assert!(!run.bytes.is_empty() && run.next_offset > Offset(7));
    drop((log, store));
    let (store, log) = start(&path);
    assert_eq!(check(&log), found);
    assert_eq!(store.status().compaction.rounds, 0);
    compact(&store, &log);
    assert_eq!(store.status().compaction.bytes_read, 0, "what was compacted is not compacted again");
    store.checkpoint().expect("a checkpoint");
    let names = files(&path);
    assert_eq!(names.iter().filter(|name| name.ends_with(".log")).count(), 2, "{names:?}");
}

#[test]
fn a_small_map_needs_more_rounds_and_forgets_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let mut options = options();
    options.compaction.memory_bytes = 0;
    let (store, _) = open_with(&path, CommitDriver::Stepped, options);
    let log = store.create_log(LOG, Offset::ZERO, compacted()).expect("created");
    for round in 0..4 {
        for key in 0..50 {
            log.append(&keyed(&format!("key {key}"), Some(&format!("{round:0>100}"))), EPOCH)
                .expect("appended");
        }
    }
    store.sync().expect("synced");
    log.note_high_watermark(log.durable());
    for _ in 0..400 {
        store.maintain();
    }
    let rounds = store.status().compaction.rounds;
    assert!(rounds > 10, "{rounds} rounds of 8 keys");
    let found = read_all(&log);
    let newest: Vec<_> = (150..200).filter(|offset| !found.contains_key(offset)).collect();
    assert!(newest.is_empty(), "missing are {newest:?}");
    assert!(found.len() < 120, "{} records are left", found.len());
}

#[test]
fn a_tombstone_outlives_what_it_deletes() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, log) = start(&path);
    write(&log, 40);
    let deleted = log.append(&keyed("key 3", None), EPOCH).expect("appended").base_offset.get();
    for _ in 0..60 {
        log.append(&keyed("another", Some(&"x".repeat(100))), EPOCH).expect("appended");
    }
    compact(&store, &log);
    let found = read_all(&log);
    assert_eq!(found.get(&deleted), Some(&None), "the first round that passes over it leaves it");
    assert!(!found.contains_key(&38), "and obeys it");
    for _ in 0..100 {
        log.append(&keyed("another", Some(&"x".repeat(100))), EPOCH).expect("appended");
    }
    compact(&store, &log);
    let found = read_all(&log);
    assert!(!found.contains_key(&deleted) && !found.contains_key(&38), "{found:?}");
}

#[test]
fn a_damaged_segment_is_left_alone_and_tombstones_behind_it_stay() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, log) = start(&path);
    log.append(&keyed("deleted", Some("value")), EPOCH).expect("appended");
    write(&log, 40);
    let deleted = log.append(&keyed("deleted", None), EPOCH).expect("appended").base_offset;
    write(&log, 60);
    store.sync().expect("synced");
    store.checkpoint().expect("a checkpoint");
    let segment = path.join("logs").join(LOG.to_string()).join("00000000000000000000.log");
    let mut bytes = std::fs::read(&segment).expect("the first segment");
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    std::fs::write(&segment, &bytes).expect("damaged");
    drop((log, store));
    let (store, log) = start(&path);
    compact(&store, &log);
    assert!(store.status().compaction.segments_left_alone > 0);
    assert_eq!(std::fs::read(&segment).expect("still there"), bytes);
    let run = log.read(Offset(0), log.end(), 1, Residency::MayBlock).expect("in front of the damage");
    assert!(!run.bytes.is_empty());
    write(&log, 60);
    compact(&store, &log);
    let run = log.read(deleted, log.end(), 1, Residency::MayBlock).expect("readable");
    assert_eq!(run.next_offset, deleted.advance(1), "the tombstone is there");
}

#[test]
fn idempotent_producers_are_known_behind_compaction_and_a_truncation() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, log) = start(&path);
    for sequence in 0..100 {
        log.append(&idempotent(7, 100, Some((5, 0, sequence))), EPOCH).expect("appended");
    }
    compact(&store, &log);
    let committed = log.durable();
    for sequence in 100..110 {
        log.append(&idempotent(7, 100, Some((5, 0, sequence))), EPOCH).expect("appended");
    }
    log.truncate(committed).expect("truncated");
    for sequence in 95..100 {
        let again = log.append(&idempotent(7, 100, Some((5, 0, sequence))), EPOCH).expect("answered");
        assert!(again.duplicate && again.base_offset == Offset(i64::from(sequence)), "{again:?}");
    }
    let next = log.append(&idempotent(7, 100, Some((5, 0, 100))), EPOCH).expect("appended");
    assert_eq!((next.duplicate, next.base_offset), (false, Offset(100)));
}

#[test]
fn times_are_found_although_batches_are_empty() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, log) = start(&directory.path().join("data"));
    let at = |timestamp_ms: i64, producer: i64| {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.append(timestamp_ms, Some(b"key"), Some(&[1; 100]), &[]).expect("fits");
        builder.set_producer(producer, 0, 0);
        log.append(&Batch::parse(builder.finish().expect("a batch")).expect("parses"), EPOCH)
            .expect("appended");
    };
    for number in 0..60 {
        // The greatest time is that of a record that goes; its producer's batch stays.
        at(if number == 3 { 9_999 } else { 1_000 + number }, number);
    }
    compact(&store, &log);
    let greatest = log.max_timestamp(log.end()).expect("readable").expect("a record");
    assert_eq!((greatest.offset, greatest.timestamp_ms), (Offset(59), 1_059));
    assert_eq!(log.offset_for_timestamp(5_000, log.end()).expect("readable"), None);
}

#[test]
fn a_segment_that_ends_in_a_hole_is_read_over_and_compacted() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, log) = start(&directory.path().join("data"));
    let place = |key: &str, base: i64| {
        let stamped = keyed(key, Some("value")).stamp(base, EPOCH.get(), None);
        let batch = Batch::parse(stamped.to_bytes()).expect("parses");
        log.append_as_follower(&batch).expect("appended");
    };
    place("a", 0);
    place("b", 1);
    place("c", 8);
    log.truncate(Offset(5)).expect("truncated");
    log.set_options(LogOptions { segment_bytes: 1, ..compacted() });
    place("a", 5);
    place("d", 6);
    let run = log.read(Offset(3), log.end(), 1, Residency::MayBlock).expect("readable");
    assert_eq!((run.bytes.is_empty(), run.next_offset), (false, Offset(6)));
    compact(&store, &log);
    assert_eq!(read_all(&log).into_keys().collect::<Vec<_>>(), [1, 5, 6]);
    let run = log.read(Offset(3), log.end(), 1, Residency::MayBlock).expect("readable");
    assert_eq!(run.next_offset, Offset(6));
}

#[test]
fn a_read_in_a_hole_goes_on_in_another_epoch() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, log) = start(&directory.path().join("data"));
    let value = "x".repeat(500);
    log.append(&keyed("stays", Some(&value)), EPOCH).expect("appended");
    log.append(&keyed("key", Some(&value)), EPOCH).expect("appended");
    for epoch in 4..40 {
        log.begin_epoch(LeaderEpoch(epoch));
        log.append(&keyed("key", Some(&value)), LeaderEpoch(epoch)).expect("appended");
    }
    compact(&store, &log);
    let run = log.read(Offset(1), log.end(), 1, Residency::MayBlock).expect("readable");
    assert!(!run.bytes.is_empty() && run.next_offset > Offset(2), "{run:?}");
}
