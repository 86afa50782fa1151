//! The record batch codec: what a producer, a broker and a consumer each spend on a batch of 1 KiB records.
#![expect(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

use cairn_proto::record::{Batch, BatchBuilder, BatchOptions, Compression, DecompressLimit};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::RngCore as _;
use std::hint::black_box;

const RECORD_BYTES: usize = 1024;
const BATCH_BYTES: usize = 64 << 10;
const LIMIT: DecompressLimit = DecompressLimit { bytes_max: 1 << 20 };

fn build(value: &[u8]) -> Batch {
    let options = BatchOptions {
        compression: Compression::None,
        capacity_bytes: BATCH_BYTES,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    while builder.estimated_bytes() + RECORD_BYTES + 32 <= BATCH_BYTES {
        builder.append(1_700_000_000_000, None, Some(value), &[]).expect("room");
    }
    Batch::parse(builder.finish().expect("records")).expect("a batch")
}

fn codec(criterion: &mut Criterion) {
    let mut value = [0; RECORD_BYTES];
    rand::rng().fill_bytes(&mut value);
    let batch = build(&value);
    let mut group = criterion.benchmark_group("record_codec");
    group.throughput(Throughput::Bytes(batch.total_bytes() as u64));
    group.bench_function("build", |bencher| bencher.iter(|| build(&value)));
    group.bench_function("validate", |bencher| {
        bencher.iter(|| batch.validate_produced(LIMIT).expect("valid"))
    });
    group.bench_function("stamp", |bencher| bencher.iter(|| black_box(batch.stamp(7, 1, None))));
    group.bench_function("stamp with append time", |bencher| {
        bencher.iter(|| black_box(batch.stamp(7, 1, Some(1))));
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            for record in batch.records(LIMIT).expect("plain") {
                black_box(record.expect("sound"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
