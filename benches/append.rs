//! The append path of storage alone: 64 KiB batches, checked, written into a segment and committed by the journal, on memory
//! (tmpfs, where there is one), so that the processor is what is measured. Pin it: `taskset -c 0 cargo bench --bench append`.
#![expect(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

use cairn_broker::{
    clock::SystemClock,
    disk::OsDisk,
    ids::{LeaderEpoch, LogId, Offset},
    storage::{CommitDriver, LogOptions, Store, StoreFailure, StoreListener, StoreOptions, StoreSetup},
};
use cairn_proto::record::{Batch, BatchBuilder, BatchOptions, DecompressLimit};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::RngCore as _;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const BATCH_BYTES: usize = 64 << 10;
const MAINTAIN_EVERY: Duration = Duration::from_millis(5);
const LIMIT: DecompressLimit = DecompressLimit { bytes_max: 1 << 20 };

struct Deaf;

impl StoreListener for Deaf {
    fn durable_advanced(&self, _advances: &[(LogId, Offset)]) {}
    fn store_failed(&self, failure: &StoreFailure) {
        panic!("{failure}");
    }
}

/// Background work goes on beside the appends, as in a broker: without it a full journal would be waited for without end.
struct Background {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Background {
    fn start(store: &Store) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (store, stopped) = (store.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                store.maintain();
                thread::sleep(MAINTAIN_EVERY);
            }
        });
        Self { stop, thread }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
    }
}

fn batch() -> Batch {
    let mut value = [0; 1024];
    rand::rng().fill_bytes(&mut value);
    let mut builder =
        BatchBuilder::new(BatchOptions { capacity_bytes: BATCH_BYTES, ..BatchOptions::default() });
    while builder.estimated_bytes() + 1056 <= BATCH_BYTES {
        builder.append(1_700_000_000_000, None, Some(&value), &[]).expect("room");
    }
    Batch::parse(builder.finish().expect("records")).expect("a batch")
}

fn append(criterion: &mut Criterion) {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let directory = directory.expect("a directory");
    let (store, _) = Store::open(StoreSetup {
        disk: OsDisk::shared(),
        path: directory.path().to_path_buf(),
        options: StoreOptions::default(),
        clock: SystemClock::shared(),
        driver: CommitDriver::Thread,
        listener: Arc::new(Deaf),
    })
    .expect("a store");
    let options =
        LogOptions { retention_bytes: Some(256 << 20), segment_bytes: 64 << 20, ..LogOptions::default() };
    let log = store.create_log(LogId(1), Offset::ZERO, options).expect("a log");
    let background = Background::start(&store);
    let batch = batch();
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Bytes(batch.total_bytes() as u64));
    let mut appended = 0_u32;
    group.bench_function("64 KiB batches, checked and journaled", |bencher| {
        bencher.iter(|| {
            batch.validate_produced(LIMIT).expect("valid");
            log.append(&batch, LeaderEpoch(1)).expect("appended");
            appended += 1;
            if appended.is_multiple_of(1024) {
                log.apply_retention(log.durable()).expect("retention");
            }
        });
        store.sync().expect("synced");
    });
    group.finish();
    background.end();
    store.close().expect("closed");
}

criterion_group!(benches, append);
criterion_main!(benches);
