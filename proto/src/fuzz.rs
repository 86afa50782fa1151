//! Fuzz bodies: each takes any bytes, drives the decoders and asserts what must hold of their answers. Property tests
//! and fuzz targets call the same functions. A panic in here is a bug, whatever the bytes.

use crate::{
    record::{Batch, BatchHeader, Compression, DecompressLimit, HEADER_BYTES, LENGTH_PREFIX_BYTES, crc32c},
    v1,
};
use bytes::Bytes;
use prost::Message;
use std::fmt::Debug;

/// Small, so that exceeding it is common.
const LIMIT: DecompressLimit = DecompressLimit { bytes_max: 64 * 1024 };

/// A run of batches, and the same bytes as one batch whose magic, length and checksum are put right, so that the layers
/// behind those checks see the bytes too.
pub fn batch(data: &[u8]) {
    run_of_batches(data);
    if let Some(repaired) = repair(data) {
        run_of_batches(&repaired);
    }
}

/// Bytes as the (compressed) body of an otherwise plausible batch. The record count comes from the bytes.
pub fn records(codec: Compression, data: &[u8]) {
    let count = data.first_chunk::<2>().map_or(0, |two| i32::from(u16::from_be_bytes(*two) % 64));
    for record_count in [1, count] {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: i16::from(codec.id()),
            last_offset_delta: (record_count - 1).max(0),
            base_timestamp_ms: 0,
            max_timestamp_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count,
        };
        let bytes = [header.encode().as_slice(), data].concat();
        if let Some(repaired) = repair(&bytes) {
            run_of_batches(&repaired);
        }
    }
}

/// Bytes as every request of the protobuf API. What decodes says the same after encoding and decoding again.
pub fn protobuf_request(data: &[u8]) {
    message::<v1::ProduceRequest>(data);
    message::<v1::FetchRequest>(data);
    message::<v1::ListOffsetsRequest>(data);
    message::<v1::InitProducerIdRequest>(data);
    message::<v1::CreateTopicRequest>(data);
    message::<v1::DeleteTopicRequest>(data);
    message::<v1::AlterTopicRequest>(data);
    message::<v1::ListTopicsRequest>(data);
    message::<v1::DescribeTopicRequest>(data);
    message::<v1::DeleteRecordsRequest>(data);
    message::<v1::WatchRequest>(data);
    message::<v1::StatusRequest>(data);
}

fn message<M: Message + Default + PartialEq + Debug>(data: &[u8]) {
    if let Ok(decoded) = M::decode(data) {
        let again = M::decode(decoded.encode_to_vec().as_slice());
        assert_eq!(again, Ok(decoded), "a message says the same after a round trip");
    }
}

/// `data` with the magic, the batch length and the checksum of one whole batch; `None` if it is too short or long.
fn repair(data: &[u8]) -> Option<Vec<u8>> {
    let batch_length = i32::try_from(data.len().checked_sub(LENGTH_PREFIX_BYTES)?).ok()?;
    let mut bytes = data.to_vec();
    *bytes.get_mut(16)? = 2;
    bytes.get_mut(8..12)?.copy_from_slice(&batch_length.to_be_bytes());
    let crc = crc32c(bytes.get(21..)?);
    bytes.get_mut(17..21)?.copy_from_slice(&crc.to_be_bytes());
    Some(bytes)
}

fn run_of_batches(data: &[u8]) {
    let mut rest = Bytes::copy_from_slice(data);
    loop {
        let before = rest.clone();
        match Batch::split_first(&mut rest) {
            Ok(Some(batch)) => {
                assert_eq!(before.len(), batch.total_bytes() + rest.len(), "a split loses nothing");
                one_batch(&batch);
            }
            Ok(None) => return assert!(before.is_empty(), "only nothing is no batch"),
            Err(_) => return assert_eq!(rest, before, "a refused split takes nothing"),
        }
    }
}

fn one_batch(batch: &Batch) {
    let header = batch.header();
    assert_eq!(batch.bytes().get(..HEADER_BYTES), Some(header.encode().as_slice()), "parse inverts encode");
    assert_eq!(Batch::parse(batch.bytes().clone()).as_ref(), Ok(batch), "a split batch is a batch");
    let intact = iterate(batch);
    if batch.validate_produced(LIMIT).is_ok() {
        assert!(intact == Some(header.record_count) && batch.crc_ok(), "what is accepted can be read");
        let stamped = batch.stamp(7_000, 3, Some(11));
        assert!(stamped.crc_ok(), "stamping keeps the checksum right");
        let stored = Batch::parse(stamped.to_bytes());
        let readable = stored.as_ref().ok().and_then(iterate);
        assert_eq!(readable, Some(header.record_count), "what is stored can be read");
    }
}

/// The number of records if all can be read and nothing follows them.
fn iterate(batch: &Batch) -> Option<i32> {
    let header = batch.header();
    let mut records = batch.records(LIMIT).ok()?;
    let mut count = 0;
    let mut next_offset = header.base_offset;
    for record in records.by_ref() {
        let Ok(record) = record else {
            assert!(records.next().is_none(), "nothing follows an error");
            return None;
        };
        assert!(
            (next_offset..=header.last_offset()).contains(&record.offset),
            "offsets rise within the batch"
        );
        assert_eq!(record.headers.iter().count(), record.headers.len(), "every header is there");
        next_offset = record.offset + 1;
        count += 1;
    }
    assert_eq!(count, header.record_count, "every record is there");
    Some(count)
}
