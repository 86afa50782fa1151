//! Random operations on a store against a plain model of its logs, with restarts and clean reopenings in between, on the real
//! file system and on the faulty disk without faults.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may end where it cannot go on")]

use cairn_broker::disk::{OsDisk, SharedDisk};
use cairn_tests::{
    faulty_disk::FaultyDisk,
    seed,
    storage::{Run, Settings, SharedModel, Tolerance},
};
use rand::Rng;
use std::path::{Path, PathBuf};

fn work(disk: SharedDisk, path: PathBuf, seed: u64, actions: usize) {
    let (model, settings) = (SharedModel::default(), Settings::default());
    let mut run =
        Run::open(disk, path, settings, seed, model, Tolerance::Nothing).expect("an empty directory");
    for _ in 0..actions {
        if let Err(error) = run.act() {
            let last = run.trace.len().saturating_sub(40);
            panic!("{error:#}\nafter {}", run.trace[last..].join(", "));
        }
    }
    run.compare_all().expect("every log is as the model says");
    run.sync().expect("the disk is healthy");
    run.restart().expect("everything durable is there again");
    run.finish().expect("nothing changed under a reader");
}

#[test]
fn a_store_on_the_real_disk_does_what_the_model_says() {
    let mut random = seed::random("--test log_model a_store_on_the_real_disk");
    for _ in 0..3 {
        let directory = tempfile::tempdir().expect("a temporary directory");
        work(OsDisk::shared(), directory.path().join("store"), random.random(), 400);
    }
}

#[test]
fn a_store_on_the_faulty_disk_does_what_the_model_says() {
    let mut random = seed::random("--test log_model a_store_on_the_faulty_disk");
    for _ in 0..20 {
        let disk = FaultyDisk::new(random.random());
        disk.make_durable_dir(Path::new("/data")).expect("an empty disk");
        work(disk.shared(), PathBuf::from("/data/store"), random.random(), 1_000);
    }
}
