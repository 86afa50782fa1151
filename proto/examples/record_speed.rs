//! Prints how fast this machine builds, validates, stamps and reads batches of 1 KiB records, uncompressed and in each
//! codec. Figures for people; nothing depends on them. `cargo run --release -p cairn-proto --example record_speed`
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures and prints")]

use cairn_proto::record::{Batch, BatchBuilder, BatchError, BatchOptions, Compression, DecompressLimit};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const RECORD_BYTES: usize = 1024;
const BATCH_BYTES: usize = 1 << 20;
const LIMIT: DecompressLimit = DecompressLimit { bytes_max: 2 * BATCH_BYTES };
const MEASURE: Duration = Duration::from_millis(700);

fn main() -> Result<(), BatchError> {
    for compression in Compression::ALL {
        let batch = Batch::parse(build(compression)?)?;
        let count = f64::from(batch.header().record_count);
        println!("{compression}: {count} records in {} bytes", batch.total_bytes());
        report("build", count, || build(compression).map(drop))?;
        report("validate", count, || batch.validate_produced(LIMIT))?;
        report("stamp with append time", count, || {
            black_box(batch.stamp(1, 1, Some(1)));
            Ok(())
        })?;
        report("read", count, || {
            batch.records(LIMIT)?.try_for_each(|record| record.map(|r| drop(black_box(r))))
        })?;
    }
    Ok(())
}

/// Text-like values, so that the codecs have something to do.
fn build(compression: Compression) -> Result<bytes::Bytes, BatchError> {
    let options = BatchOptions { compression, capacity_bytes: BATCH_BYTES, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    let words = b"stones cairn path river 0123456789 ";
    let text: Vec<u8> = words.iter().copied().cycle().take(RECORD_BYTES).collect();
    while builder.estimated_bytes() + RECORD_BYTES + 32 <= BATCH_BYTES {
        builder.append(1_700_000_000_000, None, Some(&text), &[])?;
    }
    builder.finish()
}

fn report(
    what: &str,
    records: f64,
    mut once: impl FnMut() -> Result<(), BatchError>,
) -> Result<(), BatchError> {
    let start = Instant::now();
    let mut rounds = 0_u32;
    while start.elapsed() < MEASURE {
        once()?;
        rounds += 1;
    }
    let rate = records * f64::from(rounds) / start.elapsed().as_secs_f64();
    println!("  {what:24} {:8.2} M records/s  {:8.2} GB/s of values", rate / 1e6, rate * 1024.0 / 1e9);
    Ok(())
}
