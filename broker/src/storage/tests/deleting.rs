//! Log starts, retention, deletion: files go with a durable cause, and not before.

use super::*;

fn files(path: &Path) -> usize {
    std::fs::read_dir(path.join("logs/7")).map_or(0, |entries| {
        entries
            .filter(|entry| {
                entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "log"))
            })
            .count()
    })
}

#[test]
fn files_go_once_the_new_start_is_durable() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, _) = open(&path);
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 200);
    store.sync().expect("synced");
    let before = files(&path);
    log.advance_start(Offset(130), DeletionCause::DeleteRecords).expect("advanced");
    store.maintain();
    assert_eq!(files(&path), before, "the frame is not synced yet");
    store.sync().expect("synced");
    store.maintain();
    assert!(files(&path) < before);
    assert!(matches!(
        log.read(Offset(129), Offset(200), 1, Residency::MayBlock),
        Err(ReadError::OutOfRange { .. })
    ));
    assert_eq!(check_all(&log), 200);
    assert!(log.advance_start(Offset(201), DeletionCause::DeleteRecords).is_err());
    drop((log, store));
    let (store, report) = open(&path);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let log = store.log(LOG).expect("there");
    assert_eq!(log.start(), Offset(130));
    assert_eq!(check_all(&log), 200);
}

#[test]
fn retention_by_size_keeps_what_is_not_committed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    let (store, _) = open(&path);
    let options = LogOptions { retention_bytes: Some(8192), ..small_log() };
    let log = store.create_log(LOG, Offset::ZERO, options).expect("created");
    fill(&log, 200);
    assert_eq!(log.apply_retention(Offset(10)).expect("applied"), None);
    let start = log.apply_retention(Offset(200)).expect("applied").expect("moved");
    assert!(start > Offset(100) && log.size_bytes() < 8192 + 4096, "{start} {}", log.size_bytes());
    assert_eq!(check_all(&log), 200);
}

#[test]
fn a_deleted_log_is_gone_with_its_files_and_another_id_begins_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    for checkpoint in [false, true] {
        let (store, _) = open(&path);
        let id = LogId(7 + u64::from(checkpoint));
        let log = store.create_log(id, Offset::ZERO, small_log()).expect("created");
        fill(&log, 50);
        store.sync().expect("synced");
        store.delete_log(id, DeletionCause::TopicDelete).expect("deleted");
        assert!(matches!(log.append(&batch(0, 10), EPOCH), Err(AppendError::Closed(_))));
        assert!(store.create_log(id, Offset::ZERO, small_log()).is_err());
        if checkpoint {
            store.checkpoint().expect("a checkpoint");
        }
        store.sync().expect("synced");
        drop((log, store));
        let (store, report) = open(&path);
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert!(store.log_ids().is_empty());
        assert_eq!(std::fs::read_dir(path.join("logs")).expect("listed").count(), 0);
        drop(store);
    }
}

#[test]
fn what_nobody_knows_is_moved_and_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data");
    drop(open(&path));
    std::fs::create_dir_all(path.join("logs/99")).expect("made");
    std::fs::write(path.join("logs/99/00000000000000000000.log"), b"precious").expect("made");
    let (_store, report) = open(&path);
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    let kept = std::fs::read(path.join("quarantine/logs-99/00000000000000000000.log")).expect("kept");
    assert_eq!(kept, b"precious");
}
