//! Batches with one thing wrong each: the right error, and nothing appended.

use super::Attack;
use anyhow::{Context as _, Result, ensure};
use cairn_proto::{
    record::{BatchOptions, Compression},
    v1::ErrorCode::{self, BatchTooLarge, CorruptBatch, InvalidRecord, InvalidTimestamp, OutOfOrderSequence},
};
use cairn_tests::wire::{batch, end_offset, produce, produce_request, producer_id, repair_checksum};

/// Positions of the header's fields.
const BASE_OFFSET: usize = 0;
const BATCH_LENGTH: usize = 8;
const MAGIC: usize = 16;
const CHECKSUM: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const BASE_TIMESTAMP: usize = 27;
const MAX_TIMESTAMP: usize = 35;
const PRODUCER_ID: usize = 43;
const PRODUCER_EPOCH: usize = 51;
const BASE_SEQUENCE: usize = 53;
const RECORD_COUNT: usize = 57;
const RECORDS: usize = 61;

/// What is changed in a valid batch of three records: bytes at a position.
struct Wrong {
    what: &'static str,
    position: usize,
    bytes: Vec<u8>,
    expected: &'static [ErrorCode],
}

fn wrong(what: &'static str, position: usize, bytes: &[u8], expected: &'static [ErrorCode]) -> Wrong {
    Wrong { what, position, bytes: bytes.into(), expected }
}

const MALFORMED: &[ErrorCode] = &[CorruptBatch, InvalidRecord];
const TIMESTAMP: &[ErrorCode] = &[InvalidTimestamp, InvalidRecord, CorruptBatch];

fn wrongs() -> Vec<Wrong> {
    vec![
        wrong("base offset 77", BASE_OFFSET, &77_i64.to_be_bytes(), MALFORMED),
        wrong("base offset -1", BASE_OFFSET, &(-1_i64).to_be_bytes(), MALFORMED),
        wrong("base offset max", BASE_OFFSET, &i64::MAX.to_be_bytes(), MALFORMED),
        wrong("length negative", BATCH_LENGTH, &(-1_i32).to_be_bytes(), MALFORMED),
        wrong("length 0", BATCH_LENGTH, &0_i32.to_be_bytes(), MALFORMED),
        wrong("length 2 GiB", BATCH_LENGTH, &i32::MAX.to_be_bytes(), MALFORMED),
        wrong("length a byte short", BATCH_LENGTH, &48_i32.to_be_bytes(), MALFORMED),
        wrong("magic 0", MAGIC, &[0], MALFORMED),
        wrong("magic 1", MAGIC, &[1], MALFORMED),
        wrong("magic 3", MAGIC, &[3], MALFORMED),
        wrong("magic -1", MAGIC, &[255], MALFORMED),
        wrong(
            "codec 5",
            ATTRIBUTES,
            &[0, 5],
            &[ErrorCode::UnsupportedCompression, InvalidRecord, CorruptBatch],
        ),
        wrong("gzip that is none", ATTRIBUTES, &[0, 1], MALFORMED),
        wrong("snappy that is none", ATTRIBUTES, &[0, 2], MALFORMED),
        wrong("lz4 that is none", ATTRIBUTES, &[0, 3], MALFORMED),
        wrong("zstd that is none", ATTRIBUTES, &[0, 4], MALFORMED),
        wrong("append time bit", ATTRIBUTES, &[0, 1 << 3], MALFORMED),
        wrong("transactional without a producer", ATTRIBUTES, &[0, 1 << 4], MALFORMED),
        wrong("control bit", ATTRIBUTES, &[0, 1 << 5], MALFORMED),
        wrong("unknown attribute bits", ATTRIBUTES, &[0x80, 0], MALFORMED),
        wrong("last offset delta 0", LAST_OFFSET_DELTA, &0_i32.to_be_bytes(), MALFORMED),
        wrong("last offset delta -1", LAST_OFFSET_DELTA, &(-1_i32).to_be_bytes(), MALFORMED),
        wrong("last offset delta max", LAST_OFFSET_DELTA, &i32::MAX.to_be_bytes(), MALFORMED),
        wrong("base timestamp -∞", BASE_TIMESTAMP, &i64::MIN.to_be_bytes(), TIMESTAMP),
        wrong("base timestamp +∞", BASE_TIMESTAMP, &i64::MAX.to_be_bytes(), TIMESTAMP),
        // A smaller one than the records' is put right: see the tests of the Kafka listener.
        wrong("max timestamp +∞", MAX_TIMESTAMP, &i64::MAX.to_be_bytes(), TIMESTAMP),
        wrong("producer id without a sequence", PRODUCER_ID, &7_i64.to_be_bytes(), MALFORMED),
        wrong("producer id -2", PRODUCER_ID, &(-2_i64).to_be_bytes(), MALFORMED),
        wrong("producer epoch without an id", PRODUCER_EPOCH, &7_i16.to_be_bytes(), MALFORMED),
        wrong("sequence without a producer id", BASE_SEQUENCE, &7_i32.to_be_bytes(), MALFORMED),
        wrong("record count 0", RECORD_COUNT, &0_i32.to_be_bytes(), MALFORMED),
        wrong("record count -1", RECORD_COUNT, &(-1_i32).to_be_bytes(), MALFORMED),
        wrong("record count 2", RECORD_COUNT, &2_i32.to_be_bytes(), MALFORMED),
        wrong("record count max", RECORD_COUNT, &i32::MAX.to_be_bytes(), MALFORMED),
        wrong("record length negative", RECORDS, &[1], MALFORMED),
        wrong("record length beyond the batch", RECORDS, &[0xfe, 0xff, 0xff, 0xff, 0x0f], MALFORMED),
        wrong("record length without an end", RECORDS, &[0xff; 12], MALFORMED),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_with_one_thing_wrong_is_refused() -> Result<()> {
    let attack = Attack::begin().await?;
    let valid = batch(BatchOptions::default(), &[b"one", b"two", b"three"])?;
    for wrong in wrongs() {
        let mut bad = valid.clone();
        bad.get_mut(wrong.position..wrong.position + wrong.bytes.len())
            .context("within the batch")?
            .copy_from_slice(&wrong.bytes);
        repair_checksum(&mut bad);
        refused(&attack, wrong.what, bad, wrong.expected).await?;
    }
    let mut bad_checksum = valid.clone();
    bad_checksum[CHECKSUM] ^= 1;
    refused(&attack, "checksum", bad_checksum, &[CorruptBatch]).await?;
    refused(&attack, "nothing", Vec::new(), MALFORMED).await?;
    for length in [1, 11, 12, 60, 61, valid.len() - 1] {
        refused(&attack, "cut short", valid[..length].to_vec(), MALFORMED).await?;
    }
    refused(&attack, "a byte too many", [valid.as_slice(), b"x"].concat(), MALFORMED).await?;
    refused(&attack, "two batches", [valid.as_slice(), &valid].concat(), MALFORMED).await?;
    let large = batch(BatchOptions::default(), &[&vec![7; 2 << 20]])?;
    refused(&attack, "above max.message.bytes", large, &[BatchTooLarge]).await?;
    ensure!(end_offset(&attack.channel, attack.topic_id.clone()).await? == 0, "something was appended");
    let accepted =
        produce(&attack.channel, produce_request(1, attack.topic_id.clone(), valid.into())).await?;
    ensure!(accepted.error() == ErrorCode::None && accepted.base_offset == 0, "{accepted:?}");
    attack.end().await
}

async fn refused(attack: &Attack, what: &str, bad: Vec<u8>, expected: &[ErrorCode]) -> Result<()> {
    let request = produce_request(9, attack.topic_id.clone(), bad.into());
    let reply = produce(&attack.channel, request).await.with_context(|| what.to_owned())?;
    ensure!(reply.request_id == 9, "{what}: {reply:?}");
    ensure!(expected.contains(&reply.error()), "{what}: {:?}: {}", reply.error(), reply.message);
    ensure!(!reply.message.is_empty(), "{what}: no message");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_swells_a_thousandfold_costs_little() -> Result<()> {
    let attack = Attack::begin().await?;
    let zeros = vec![0; 256 << 20];
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let bomb = batch(BatchOptions { compression: codec, ..BatchOptions::default() }, &[&zeros])?;
        if codec == Compression::Snappy {
            // Its best is one to twenty: more than a batch may have, and refused for that.
            refused(&attack, "snappy", bomb, &[BatchTooLarge]).await?;
        } else {
            let expected = &[BatchTooLarge, CorruptBatch, InvalidRecord];
            refused(&attack, &format!("{codec:?} {} bytes", bomb.len()), bomb, expected).await?;
        }
    }
    ensure!(end_offset(&attack.channel, attack.topic_id.clone()).await? == 0, "something was appended");
    attack.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_are_held_to_their_order() -> Result<()> {
    let attack = Attack::begin().await?;
    let (producer_id, producer_epoch) = producer_id(&attack.channel).await?;
    let at = |base_sequence, producer_epoch| {
        let options = BatchOptions { producer_id, producer_epoch, base_sequence, ..BatchOptions::default() };
        batch(options, &[b"one", b"two"])
    };
    let send = async |batch: Vec<u8>| {
        produce(&attack.channel, produce_request(3, attack.topic_id.clone(), batch.into())).await
    };
    refused(&attack, "first sequence 5", at(5, producer_epoch)?, &[OutOfOrderSequence]).await?;
    refused(&attack, "wrap at once", at(i32::MAX, producer_epoch)?, &[OutOfOrderSequence]).await?;
    let first = send(at(0, producer_epoch)?).await?;
    ensure!(first.error() == ErrorCode::None && first.base_offset == 0, "{first:?}");
    let again = send(at(0, producer_epoch)?).await?;
    ensure!(again.error() == ErrorCode::None && again.base_offset == 0, "a duplicate: {again:?}");
    refused(&attack, "a gap", at(3, producer_epoch)?, &[OutOfOrderSequence]).await?;
    refused(&attack, "half a duplicate", at(1, producer_epoch)?, &[OutOfOrderSequence]).await?;
    let newer = send(at(0, producer_epoch + 1)?).await?;
    ensure!(newer.error() == ErrorCode::None && newer.base_offset == 2, "{newer:?}");
    refused(&attack, "an old epoch", at(2, producer_epoch)?, &[ErrorCode::ProducerFenced]).await?;
    refused(&attack, "not from 0", at(7, producer_epoch + 2)?, &[OutOfOrderSequence]).await?;
    ensure!(end_offset(&attack.channel, attack.topic_id.clone()).await? == 4, "something was appended");
    attack.end().await
}
