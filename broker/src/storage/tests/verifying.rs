//! An offline verification finds every flipped byte that a start or a read would rely on, names the file, and changes
//! nothing.

use super::*;
use crate::{
    disk::{CleanShutdown, DataDirectory},
    ids::{BrokerEpoch, BrokerId, DirectoryId},
};
use std::path::PathBuf;

fn data_directory(root: &Path) {
    let (broker, identity) = (BrokerId(1), DirectoryId(uuid::Uuid::from_u128(7)));
    let directory = DataDirectory::open_or_create(OsDisk::shared(), root, broker, identity).expect("opened");
    let clean = CleanShutdown { broker_epoch: BrokerEpoch(3), boot_id: None };
    let (store, _) = open(&root.join("data"));
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    for sequence in 0..120 {
        let number = u64::try_from(sequence).expect("positive");
        log.append(&idempotent(number, 100, Some((5, 0, sequence))), EPOCH).expect("appended");
    }
    store.close().expect("closed");
    directory.write_clean_shutdown(&clean).expect("written");
}

fn verified(root: &Path) -> VerifyReport {
    let mut last = 0;
    verify(&*OsDisk::shared(), root, &mut |progress| {
        assert!(progress.bytes_done >= last && progress.bytes_done <= progress.bytes_total);
        last = progress.bytes_done;
    })
    .expect("verified")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("listed").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = entries.filter(|path| path.is_file()).collect();
    found.sort();
    found
}

#[test]
fn a_sound_directory_has_no_damage_and_is_not_changed() {
    let root = tempfile::tempdir().expect("a directory");
    data_directory(root.path());
    let before: Vec<_> = files(&root.path().join("data/logs/7"))
        .iter()
        .map(|path| std::fs::read(path).expect("read"))
        .collect();
    let report = verified(root.path());
    assert_eq!(report.damage, Vec::new(), "{:?}", report.notes);
    assert_eq!((report.logs, report.batches), (1, 120));
    let after: Vec<_> = files(&root.path().join("data/logs/7"))
        .iter()
        .map(|path| std::fs::read(path).expect("read"))
        .collect();
    assert_eq!(before, after);
}

#[test]
fn every_flipped_byte_of_logs_and_checkpoint_is_found_and_named() {
    let root = tempfile::tempdir().expect("a directory");
    data_directory(root.path());
    let mut all = files(&root.path().join("data/logs/7"));
    all.push(root.path().join("data/checkpoint"));
    let last_snapshot =
        all.iter().filter(|path| path.extension().is_some_and(|e| e == "producers")).max().cloned();
    assert!(last_snapshot.is_some(), "a snapshot is among them");
    for file in all {
        let whole = std::fs::read(&file).expect("read");
        for position in (0..whole.len()).step_by(499).chain([whole.len() - 1]) {
            let mut flipped = whole.clone();
            flipped[position] ^= 4;
            std::fs::write(&file, &flipped).expect("written");
            let report = verified(root.path());
            assert!(
                report.damage.iter().any(|damage| damage.file == file),
                "byte {position} of {}: {:?}",
                file.display(),
                report.damage
            );
        }
        std::fs::write(&file, &whole).expect("written");
    }
}

#[test]
fn a_directory_without_a_checkpoint_yet_is_sound() {
    let root = tempfile::tempdir().expect("a directory");
    let (store, _) = open(&root.path().join("data"));
    let log = store.create_log(LOG, Offset::ZERO, small_log()).expect("created");
    fill(&log, 30);
    store.sync().expect("synced");
    drop((log, store));
    let report = verified(root.path());
    assert_eq!(report.damage, Vec::new());
    assert_eq!((report.logs, report.journal_frames >= 31), (1, true));
}
