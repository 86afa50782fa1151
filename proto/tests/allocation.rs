//! What the batch codec allocates, counted: nothing per record, and never more than the cap for bytes of any kind.
//! Memory that a C library takes for itself is not seen here (zstd's context, of a fixed size).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test, helpers included")]

use bytes::Bytes;
use cairn_proto::record::{
    Batch, BatchBuilder, BatchHeader, BatchOptions, Compression, DecompressLimit, HEADER_BYTES, crc32c,
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CAP_BYTES: usize = 64 * 1024;
const LIMIT: DecompressLimit = DecompressLimit { bytes_max: CAP_BYTES };
/// What a decoder itself keeps: gzip's tables and window, error texts, the header.
const CODEC_STATE_BYTES: usize = 128 * 1024;

/// One test, so that nothing else allocates while it counts.
#[test]
fn allocations_are_bounded() {
    nothing_per_record();
    never_beyond_the_cap();
    never_for_a_claim();
}

fn nothing_per_record() {
    let build = |record_count: u32, compression| {
        let options = BatchOptions { compression, capacity_bytes: 1 << 20, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        let region = Region::new(GLOBAL);
        for number in 0..record_count {
            let value = number.to_be_bytes();
            builder.append(i64::from(number), Some(b"key"), Some(&value), &[("h", Some(b"v"))]).unwrap();
        }
        assert_eq!(
            region.change().allocations + region.change().reallocations,
            0,
            "append allocates nothing"
        );
        Batch::parse(builder.finish().unwrap()).unwrap()
    };
    for compression in Compression::ALL {
        let [few, many] = [10, 5000].map(|record_count| {
            let batch = build(record_count, compression);
            let region = Region::new(GLOBAL);
            batch.validate_produced(DecompressLimit { bytes_max: 1 << 20 }).unwrap();
            let stamped = batch.stamp(5, 5, Some(5));
            let validated = region.change().allocations;
            assert_eq!(stamped.header().base_offset, 5);
            let region = Region::new(GLOBAL);
            let records = batch.records(DecompressLimit { bytes_max: 1 << 20 }).unwrap();
            let seen = records.map(|record| record.unwrap().headers.iter().count()).sum::<usize>();
            assert_eq!(seen, record_count as usize);
            (validated, region.change().allocations)
        });
        // A larger output may grow its buffer a few more times.
        assert!(
            many.0 <= few.0 + 4 && many.1 <= few.1 + 4,
            "{compression}: {few:?} for 10, {many:?} for 5,000"
        );
        if compression == Compression::None {
            assert_eq!(many.0, 0, "to validate and stamp an uncompressed batch");
        }
    }
}

fn never_beyond_the_cap() {
    let bytes =
        (proptest::sample::select(Compression::ALL.to_vec()), vec(any::<u8>(), 0..400), any::<bool>());
    let config = Config { failure_persistence: None, ..Config::with_cases(3000) };
    let outcome = TestRunner::new(config).run(&bytes, |(compression, data, with_magic)| {
        let body = if with_magic { [magic(compression), &data].concat() } else { data };
        let batch = around(compression, &body);
        let region = Region::new(GLOBAL);
        let accepted = batch.validate_produced(LIMIT).is_ok();
        let read = batch.records(LIMIT).map(|records| records.take(1000).count());
        let spent = region.change().bytes_allocated;
        // Twice: validated and read; each at most doubles its way up to the cap.
        prop_assert!(spent <= 2 * (2 * CAP_BYTES + CODEC_STATE_BYTES), "{spent} bytes, {accepted}, {read:?}");
        Ok(())
    });
    outcome.unwrap();
}

/// A few bytes that claim 32 MiB, which the cap would allow, cost next to nothing.
fn never_for_a_claim() {
    let claims: [(Compression, &[u8]); 3] = [
        (Compression::Snappy, b"\x80\x80\x80\x10\0x"),
        (Compression::Lz4, b"\x04\x22\x4d\x18\x48\x70\0\0\0\x02\0\0\0\0\0\x03\0\0\0\x20xx\0\0\0\0"),
        (Compression::Zstd, b"\x28\xb5\x2f\xfd\xe0\0\0\0\x02\0\0\0\0\x09\0\0x"),
    ];
    for (compression, claim) in claims {
        let batch = around(compression, claim);
        let region = Region::new(GLOBAL);
        let read = batch.records(DecompressLimit { bytes_max: 64 << 20 }).map(|_| ());
        let spent = region.change().bytes_allocated;
        assert!(read.is_err() && spent < 4096, "{compression}: {spent} bytes, {read:?}");
    }
}

/// Starts of frames that declare as much as they can.
fn magic(compression: Compression) -> &'static [u8] {
    match compression {
        Compression::None => b"",
        Compression::Gzip => b"\x1f\x8b\x08\0\0\0\0\0\0\0",
        Compression::Snappy => b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x20\xff\xff\xff\xff\x0f",
        Compression::Lz4 => b"\x04\x22\x4d\x18\x48\x70\xff\xff\xff\xff\xff\xff\xff\x7f\0",
        Compression::Zstd => b"\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\x0f",
    }
}

/// A batch that claims as many records as there can be.
fn around(compression: Compression, body: &[u8]) -> Batch {
    let mut header = BatchHeader {
        base_offset: 0,
        batch_length: i32::try_from(body.len() + HEADER_BYTES - 12).unwrap(),
        leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: i16::from(compression.id()),
        last_offset_delta: i32::MAX - 1,
        base_timestamp_ms: 0,
        max_timestamp_ms: 0,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: i32::MAX,
    };
    let unsealed = [header.encode().as_slice(), body].concat();
    header.crc = crc32c(&unsealed[21..]);
    Batch::parse(Bytes::from([header.encode().as_slice(), body].concat())).unwrap()
}
