//! Flipped bytes, missing files: found, named, never served, and everything else is.

use super::*;
use std::path::PathBuf;

fn closed_store(path: &Path) {
    let (store, _) = open(path);
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 200);
    store.close().expect("closed");
}

fn segments(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path.join("logs/7")).expect("listed");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    paths
}

fn flip(file: &Path, position: usize) {
    let mut bytes = std::fs::read(file).expect("read");
    bytes[position] ^= 0x10;
    std::fs::write(file, bytes).expect("written");
}

/// Offsets that can be read, each asked for.
fn readable(log: &Log) -> Vec<i64> {
    let bytes_max = 1;
    (0..log.end().get())
        .filter(|offset| match log.read(Offset(*offset), log.end(), bytes_max, Residency::MayBlock) {
            Ok(run) => {
                let read = Batch::parse(run.bytes).expect("one batch");
                assert!(read.crc_ok() && read.header().base_offset == *offset);
                true
            }
            Err(ReadError::Damaged { from, to, .. }) => {
                assert!(from.get() <= *offset && *offset < to.get(), "{from} {to} {offset}");
                false
            }
            Err(error) => panic!("{error}"),
        })
        .collect()
}

#[test]
fn any_flipped_byte_of_a_segment_is_found_and_the_rest_is_served() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    closed_store(&path);
    let file = segments(&path)[1].clone();
    let whole = std::fs::read(&file).expect("read");
    for position in (0..whole.len()).step_by(83) {
        flip(&file, position);
        let (store, _) = open(&path);
        let log = store.log(LOG).expect("there");
        let found = readable(&log);
        assert!(found.len() < 200, "byte {position} was not found");
        assert!(found.len() >= 190, "byte {position} took {} offsets away", 200 - found.len());
        let damaged = log.damaged_ranges();
        assert_eq!(damaged[0].file, file, "byte {position}");
        drop((log, store));
        std::fs::write(&file, &whole).expect("written");
    }
}

#[test]
fn a_missing_segment_is_damage_and_is_not_truncated() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    closed_store(&path);
    std::fs::remove_file(&segments(&path)[1]).expect("removed");
    let (store, report) = open(&path);
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    let log = store.log(LOG).expect("there");
    assert_eq!((log.start(), log.end()), (Offset(0), Offset(200)));
    let found = readable(&log);
    assert!(found.len() > 150 && found.len() < 200);
    assert_eq!(store.status().damaged.len(), 1);
}

#[test]
fn a_short_segment_is_damage_from_there_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    closed_store(&path);
    let file = &segments(&path)[1];
    let whole = std::fs::read(file).expect("read");
    std::fs::write(file, &whole[..whole.len() / 2]).expect("written");
    let (store, _) = open(&path);
    let found = readable(&store.log(LOG).expect("there"));
    assert!(found.len() > 180 && found.len() < 200, "{}", found.len());
}

#[test]
fn a_damaged_index_costs_nothing_but_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    closed_store(&path);
    let entries = std::fs::read_dir(path.join("logs/7")).expect("listed");
    let mut indexes = 0;
    for entry in entries.map(|entry| entry.expect("an entry").path()) {
        if entry.extension().is_some_and(|extension| extension == "index") {
            flip(&entry, 30);
            indexes += 1;
        }
    }
    assert!(indexes > 3);
    let (store, _) = open(&path);
    assert_eq!(check_all(&store.log(LOG).expect("there")), 200);
}

#[test]
fn one_copy_of_the_checkpoint_is_enough_and_none_refuses() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    closed_store(&path);
    let file = path.join("checkpoint");
    flip(&file, 40);
    let (store, report) = open(&path);
    assert!(report.problems.iter().any(|problem| problem.contains("checkpoint")), "{:?}", report.problems);
    assert_eq!(check_all(&store.log(LOG).expect("there")), 200);
    drop(store);
    // The opening has written a sound one again.
    let length = std::fs::read(&file).expect("read").len();
    flip(&file, 40);
    flip(&file, length / 2 + 40);
    let setup = StoreSetup {
        disk: OsDisk::shared(),
        path: path.clone(),
        options: small_options(),
        clock: SystemClock::shared(),
        driver: CommitDriver::Stepped,
        listener: Arc::new(Told::default()),
    };
    let error = Store::open(setup).expect_err("refused");
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}
