//! The store on a real file system: what is appended is read back, by this process life and by the next, whatever was in
//! between. A store that is dropped without `close` and never stepped is a killed one.

#![expect(clippy::disallowed_methods, reason = "these tests look at the files behind the store's back")]

mod compacting;
mod damage;
mod deleting;
mod healing;
mod lives;
mod truncating;
mod verifying;

use super::*;
use crate::{
    clock::SystemClock,
    disk::OsDisk,
    ids::{LeaderEpoch, LogId, Offset},
};
use cairn_proto::record::{Batch, BatchBuilder, BatchOptions, DecompressLimit};
use parking_lot::Mutex;
use std::{path::Path, sync::Arc};

pub(super) const LOG: LogId = LogId(7);
pub(super) const EPOCH: LeaderEpoch = LeaderEpoch(3);

/// Remembers the durable ends that it was told.
#[derive(Default)]
pub(super) struct Told(pub(super) Mutex<Vec<(LogId, Offset)>>);

impl StoreListener for Told {
    fn durable_advanced(&self, advances: &[(LogId, Offset)]) {
        self.0.lock().extend_from_slice(advances);
    }
    fn store_failed(&self, _failure: &StoreFailure) {}
}

/// Small sizes, so that rolls and checkpoints happen in every test.
pub(super) fn small_options() -> StoreOptions {
    StoreOptions {
        journal: JournalOptions {
            file_bytes_at_start: 4 << 20,
            file_bytes_first: 4 << 20,
            file_bytes_max: 8 << 20,
            ring_bytes_max: 32 << 20,
            ..JournalOptions::default()
        },
        index_interval_bytes: 256,
        open_segments_max: 4,
        reserve_bytes: 64 << 10,
        ..StoreOptions::default()
    }
}

pub(super) fn small_log() -> LogOptions {
    LogOptions { segment_bytes: 4096, ..LogOptions::default() }
}

pub(super) fn open(path: &Path) -> (Store, RecoveryReport) {
    open_with(path, CommitDriver::Stepped, small_options())
}

pub(super) fn open_with(path: &Path, driver: CommitDriver, options: StoreOptions) -> (Store, RecoveryReport) {
    let setup = StoreSetup {
        disk: OsDisk::shared(),
        path: path.to_path_buf(),
        options,
        clock: SystemClock::shared(),
        driver,
        listener: Arc::new(Told::default()),
    };
    let (store, report) = Store::open(setup).expect("the store opens");
    (store, report)
}

/// A batch of one record whose value is a number and some filling.
pub(super) fn batch(number: u64, value_bytes: usize) -> Batch {
    idempotent(number, value_bytes, None)
}

pub(super) fn idempotent(number: u64, value_bytes: usize, producer: Option<(i64, i16, i32)>) -> Batch {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let value = format!("{number:0>value_bytes$}");
    builder
        .append(1_000 + i64::try_from(number).expect("small"), Some(b"key"), Some(value.as_bytes()), &[])
        .expect("fits");
    if let Some((id, epoch, sequence)) = producer {
        builder.set_producer(id, epoch, sequence);
    }
    let batch = Batch::parse(builder.finish().expect("a batch")).expect("parses");
    batch.validate_produced(DecompressLimit { bytes_max: 1 << 20 }).expect("valid");
    batch
}

/// Appends batches numbered like their offsets.
pub(super) fn fill(log: &Log, count: i64) {
    for _ in 0..count {
        let number = log.end().get();
        let appended =
            log.append(&batch(u64::try_from(number).expect("positive"), 100), EPOCH).expect("appended");
        assert_eq!(appended.base_offset, Offset(number));
    }
}

/// Reads everything from the start and checks that each record's number is its offset.
pub(super) fn check_all(log: &Log) -> i64 {
    let mut offset = log.start();
    while offset < log.end() {
        let run = log.read(offset, log.end(), 1 << 20, Residency::MayBlock).expect("readable");
        assert!(run.next_offset > offset, "a read at {offset} makes no progress");
        let mut bytes = run.bytes.clone();
        while let Some(read) = Batch::split_first(&mut bytes).expect("whole batches") {
            assert!(read.crc_ok());
            for record in read.records(DecompressLimit { bytes_max: 1 << 20 }).expect("records") {
                let record = record.expect("a record");
                let value = record.value.expect("a value");
                let number: i64 = std::str::from_utf8(&value).expect("text").parse().expect("a number");
                assert_eq!(number, record.offset, "record at {}", record.offset);
            }
        }
        offset = run.next_offset;
    }
    offset.get()
}
