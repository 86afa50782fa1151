//! Batches for producers, right ones and wrong ones.

use anyhow::Result;
use bytes::Bytes;
use cairn_proto::record::{BatchBuilder, BatchOptions, Compression};
use cairn_tests::wire::repair_checksum;
use std::time::{SystemTime, UNIX_EPOCH};

/// A record: time in ms, key, value.
pub(super) type Made<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>);

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn batch_of(options: BatchOptions, records: &[Made<'_>]) -> Result<Bytes> {
    let mut builder = BatchBuilder::new(options);
    for (timestamp_ms, key, value) in records {
        builder.append(*timestamp_ms, *key, *value, &[])?;
    }
    Ok(builder.finish()?)
}

/// Values without keys, of now.
pub(super) fn batch(values: &[&[u8]]) -> Result<Bytes> {
    let now = now_ms();
    let records: Vec<Made<'_>> = values.iter().map(|value| (now, None, Some(*value))).collect();
    batch_of(BatchOptions::default(), &records)
}

pub(super) fn compressed(compression: Compression, values: &[&[u8]]) -> Result<Bytes> {
    let now = now_ms();
    let records: Vec<Made<'_>> = values.iter().map(|value| (now, None, Some(*value))).collect();
    batch_of(BatchOptions { compression, ..BatchOptions::default() }, &records)
}

/// One record of an idempotent producer.
pub(super) fn numbered(producer: (i64, i16), base_sequence: i32, values: &[&[u8]]) -> Result<Bytes> {
    let (producer_id, producer_epoch) = producer;
    let options = BatchOptions { producer_id, producer_epoch, base_sequence, ..BatchOptions::default() };
    let now = now_ms();
    let records: Vec<Made<'_>> = values.iter().map(|value| (now, None, Some(*value))).collect();
    batch_of(options, &records)
}

/// Where the fields of a batch's header stand.
pub(super) mod at {
    pub(crate) const BASE_OFFSET: usize = 0;
    pub(crate) const LENGTH: usize = 8;
    pub(crate) const LEADER_EPOCH: usize = 12;
    pub(crate) const MAGIC: usize = 16;
    pub(crate) const ATTRIBUTES: usize = 21;
    pub(crate) const LAST_OFFSET_DELTA: usize = 23;
    pub(crate) const BASE_TIMESTAMP: usize = 27;
    pub(crate) const MAX_TIMESTAMP: usize = 35;
    pub(crate) const RECORD_COUNT: usize = 57;
    pub(crate) const RECORDS: usize = 61;
}

/// Other bytes at a place, with a checksum that fits.
pub(super) fn changed(batch: &Bytes, place: usize, bytes: &[u8]) -> Bytes {
    let mut changed = spoiled(batch, place, bytes).to_vec();
    repair_checksum(&mut changed);
    changed.into()
}

/// Other bytes at a place, and nothing else.
pub(super) fn spoiled(batch: &Bytes, place: usize, bytes: &[u8]) -> Bytes {
    let mut spoiled = batch.to_vec();
    spoiled[place..place + bytes.len()].copy_from_slice(bytes);
    spoiled.into()
}

/// One message of the formats before record batches.
pub(super) fn old_message(magic: u8, value: &[u8]) -> Bytes {
    let mut body = vec![magic, 0];
    if magic == 1 {
        body.extend(now_ms().to_be_bytes());
    }
    body.extend((-1_i32).to_be_bytes());
    body.extend(u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
    body.extend(value);
    let mut message = 0_i64.to_be_bytes().to_vec();
    message.extend(u32::try_from(4 + body.len()).unwrap_or(0).to_be_bytes());
    message.extend(crc32fast::hash(&body).to_be_bytes());
    message.extend(body);
    message.into()
}
