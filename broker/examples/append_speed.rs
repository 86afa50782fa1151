//! How fast one thread appends 64 KiB batches to a store, checksum checked and journal included: `append_speed DIRECTORY
//! [MEGABYTES]`. On a tmpfs and pinned to one core this is the cost of the code alone. Also times an opening with 100,000
//! empty logs.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for a terminal")]

use cairn_broker::{
    clock::{Monotonic, SharedClock, SystemClock},
    disk::OsDisk,
    ids::{LeaderEpoch, LogId, Offset},
    storage::{CommitDriver, LogOptions, Store, StoreFailure, StoreListener, StoreOptions, StoreSetup},
};
use cairn_proto::record::{Batch, BatchBuilder, BatchOptions};
use std::{path::Path, sync::Arc};

struct Nobody;

impl StoreListener for Nobody {
    fn durable_advanced(&self, _advances: &[(LogId, Offset)]) {}
    fn store_failed(&self, failure: &StoreFailure) {
        println!("{failure}");
    }
}

fn open(path: &Path, clock: &SharedClock) -> (Store, f64) {
    let before = clock.now();
    let setup = StoreSetup {
        disk: OsDisk::shared(),
        path: path.to_path_buf(),
        options: StoreOptions::default(),
        clock: Arc::clone(clock),
        driver: CommitDriver::Thread,
        listener: Arc::new(Nobody),
    };
    let (store, _) = Store::open(setup).unwrap();
    (store, seconds(clock, before))
}

fn seconds(clock: &SharedClock, before: Monotonic) -> f64 {
    clock.now().since(before).as_secs_f64()
}

fn batch() -> Batch {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let value: Vec<u8> =
        (0..1000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    for _ in 0..64 {
        builder.append(1, None, Some(&value), &[]).unwrap();
    }
    Batch::parse(builder.finish().unwrap()).unwrap()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| "/dev/shm/append-speed".to_string());
    let megabytes: u64 = arguments.next().map_or(4000, |text| text.parse().unwrap());
    let (clock, path) = (SystemClock::shared(), Path::new(&directory).join("data"));
    OsDisk::shared().create_dir(Path::new(&directory)).unwrap();
    let (store, opened) = open(&path, &clock);
    println!("empty open: {opened:.4} s");
    let log = store.create_log(LogId(1), Offset::ZERO, LogOptions::default()).unwrap();
    let batch = batch();
    let bytes = batch.total_bytes() as u64;
    let background = {
        let store = store.clone();
        std::thread::spawn(move || {
            while store.failure().is_none() && store.log(LogId(2)).is_none() {
                store.maintain();
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        })
    };
    let before = clock.now();
    let mut appended = 0;
    while appended < megabytes * 1_000_000 {
        assert!(batch.crc_ok());
        log.append(&batch, LeaderEpoch(1)).unwrap();
        appended += bytes;
    }
    store.sync().unwrap();
    let took = seconds(&clock, before);
    println!("appended {appended} bytes in {took:.3} s: {:.2} GB/s", appended as f64 / took / 1e9);
    store.create_log(LogId(2), Offset::ZERO, LogOptions::default()).unwrap();
    background.join().unwrap();
    drop((log, store));
    let (store, opened) = open(&path, &clock);
    println!("open after a drop without close: {opened:.4} s");
    for id in 10..100_010 {
        store.create_log(LogId(id), Offset::ZERO, LogOptions::default()).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let (_store, opened) = open(&path, &clock);
    println!("open with 100,000 empty logs: {opened:.4} s");
}
