//! Batches as producers send them.

use anyhow::{Context, Result};
use cairn_proto::record::{Batch, BatchBuilder, BatchOptions, Compression};
use rand::{Rng, RngCore, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// Who sends a batch, with which sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sequence {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    pub(super) base: i32,
}

/// Few, so that most records are superseded soon; now and then none.
const KEYS: [Option<&[u8]>; 6] = [Some(b"a"), Some(b"b"), Some(b"c"), Some(b"d"), Some(b""), None];
const CODECS: [Compression; 5] =
    [Compression::None, Compression::None, Compression::None, Compression::Lz4, Compression::Zstd];

/// A batch of a few random records.
pub(super) fn batch(random: &mut ChaCha8Rng, now_ms: i64, sequence: Option<Sequence>) -> Result<Batch> {
    let mut options = BatchOptions::default();
    if let Some(Sequence { producer_id, epoch, base }) = sequence {
        (options.producer_id, options.producer_epoch, options.base_sequence) = (producer_id, epoch, base);
    }
    let bytes_max = *[40, 40, 200, 200, 700, 3_000].get(random.random_range(0..6_usize)).unwrap_or(&40);
    options.compression = *CODECS.choose(random).unwrap_or(&Compression::None);
    let mut builder = BatchBuilder::new(options);
    for _ in 0..random.random_range(1..4_u8) {
        let mut value = vec![0; random.random_range(0..bytes_max)];
        random.fill_bytes(&mut value);
        let value = random.random_bool(0.85).then_some(&value[..]);
        let timestamp_ms = now_ms - random.random_range(0..100_000_i64);
        builder.append(timestamp_ms, KEYS.choose(random).copied().flatten(), value, &[])?;
    }
    Batch::parse(builder.finish()?).context("a batch of our own")
}
