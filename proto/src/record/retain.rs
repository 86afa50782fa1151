//! A batch of a log without some of its records, as compaction leaves it: offsets, producer, leader epoch and the range of
//! offsets stay; the records that stay are byte for byte what they were, unless a delete horizon (KIP-534) becomes the
//! base of their timestamps.

use super::{
    Batch, BatchError, BatchHeader, Compression, DecompressLimit, HEADER_BYTES, LENGTH_PREFIX_BYTES,
    NO_TIMESTAMP_MS, RecordProblem, TimestampType, crc32c,
    header::{COMPRESSION_MASK, CRC_FROM, DELETE_HORIZON_BIT},
    records::RawRecord,
    varint::{Reader, put_varint, put_varlong, varlong_bytes},
};
use bytes::Bytes;
use std::ops::Range;

/// A record, as far as it matters to whether it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedRecord<'a> {
    /// Absolute offset.
    pub offset: i64,
    /// The key, if it is not null.
    pub key: Option<&'a [u8]>,
    /// Whether the value is null: in a compacted topic the key is deleted.
    pub is_tombstone: bool,
}

/// What is left of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retained {
    /// Everything, byte for byte.
    Whole,
    /// Another batch of the same offsets, with fewer records or a delete horizon.
    Rewritten(Batch),
    /// No record.
    Nothing,
}

/// A record that stays.
struct Kept {
    /// Its bytes among the plain records, length field included.
    bytes: Range<usize>,
    timestamp_delta_ms: i64,
}

impl Batch {
    /// Shows every record to `visit`, in order.
    ///
    /// # Errors
    /// As for [`Batch::records`]; a part of the records may have been shown then.
    pub fn visit_records(
        &self,
        limit: DecompressLimit,
        mut visit: impl FnMut(KeyedRecord<'_>),
    ) -> Result<(), BatchError> {
        let plain = self.plain_records(limit)?;
        walk(self.header(), &plain, |record, _, _| visit(record))
    }

    /// The batch with the records that `keep` says `true` to. If a tombstone stays and the batch has no delete horizon yet,
    /// it gets `delete_horizon_ms`, if there is one. The codec stays.
    ///
    /// # Errors
    /// As for [`Batch::records`], or the codec failed.
    pub fn retain(
        &self,
        limit: DecompressLimit,
        delete_horizon_ms: Option<i64>,
        mut keep: impl FnMut(KeyedRecord<'_>) -> bool,
    ) -> Result<Retained, BatchError> {
        let plain = self.plain_records(limit)?;
        let (mut kept, mut has_tombstone, mut seen) = (Vec::new(), false, 0_i32);
        walk(self.header(), &plain, |record, bytes, timestamp_delta_ms| {
            seen += 1;
            if keep(record) {
                has_tombstone |= record.is_tombstone;
                kept.push(Kept { bytes, timestamp_delta_ms });
            }
        })?;
        let horizon_ms = delete_horizon_ms.filter(|_| has_tombstone && !self.header().has_delete_horizon());
        if kept.is_empty() {
            return Ok(Retained::Nothing);
        }
        if horizon_ms.is_none() && usize::try_from(seen) == Ok(kept.len()) {
            return Ok(Retained::Whole);
        }
        self.with_records(&plain, &kept, horizon_ms).map(Retained::Rewritten)
    }

    /// The batch without any record: its offsets, its producer and sequence, and when it was written.
    #[must_use]
    pub fn emptied(&self) -> Batch {
        let header = BatchHeader {
            attributes: self.header().attributes & !(COMPRESSION_MASK | DELETE_HORIZON_BIT),
            base_timestamp_ms: NO_TIMESTAMP_MS,
            record_count: 0,
            ..*self.header()
        };
        assemble(header, vec![0; HEADER_BYTES])
    }

    fn with_records(
        &self,
        plain: &[u8],
        kept: &[Kept],
        horizon_ms: Option<i64>,
    ) -> Result<Batch, BatchError> {
        let mut header = *self.header();
        header.record_count = i32::try_from(kept.len()).unwrap_or(i32::MAX);
        if header.timestamp_type() == TimestampType::Create {
            let times =
                kept.iter().map(|kept| header.base_timestamp_ms.saturating_add(kept.timestamp_delta_ms));
            header.max_timestamp_ms = times.max().unwrap_or(NO_TIMESTAMP_MS);
        }
        let mut records = Vec::with_capacity(HEADER_BYTES + plain.len());
        records.resize(HEADER_BYTES, 0);
        for (index, kept) in (0..).zip(kept) {
            let bytes = plain.get(kept.bytes.clone()).unwrap_or_default();
            match horizon_ms {
                None => records.extend_from_slice(bytes),
                Some(horizon_ms) => put_rebased(&mut records, bytes, header.base_timestamp_ms, horizon_ms)
                    .map_err(|problem| BatchError::Record { index, position: kept.bytes.start, problem })?,
            }
        }
        if let Some(horizon_ms) = horizon_ms {
            (header.base_timestamp_ms, header.attributes) =
                (horizon_ms, header.attributes | DELETE_HORIZON_BIT);
        }
        let compression = header.compression()?;
        if compression == Compression::None {
            return Ok(assemble(header, records));
        }
        let mut compressed = Vec::with_capacity(HEADER_BYTES + records.len() / 2);
        compressed.resize(HEADER_BYTES, 0);
        compression.compress(records.get(HEADER_BYTES..).unwrap_or_default(), &mut compressed)?;
        Ok(assemble(header, compressed))
    }
}

/// Shows every record, its place among the plain ones and its timestamp delta.
fn walk<'a>(
    header: &BatchHeader,
    plain: &'a [u8],
    mut visit: impl FnMut(KeyedRecord<'a>, Range<usize>, i64),
) -> Result<(), BatchError> {
    let mut reader = Reader::new(plain, 0);
    let mut expected_min = 0;
    for index in 0..header.record_count {
        let position = reader.position();
        let raw = RawRecord::read(&mut reader).and_then(|raw| {
            let (offset_delta, expected_max) = (raw.offset_delta, header.last_offset_delta);
            if offset_delta < expected_min || offset_delta > expected_max {
                return Err(RecordProblem::OffsetDelta { offset_delta, expected_min, expected_max });
            }
            header.record_timestamp(raw.timestamp_delta_ms).map(|_| raw)
        });
        let raw = raw.map_err(|problem| BatchError::Record { index, position, problem })?;
        expected_min = raw.offset_delta.saturating_add(1);
        let offset = header.base_offset.saturating_add(i64::from(raw.offset_delta));
        let record = KeyedRecord { offset, key: raw.key, is_tombstone: raw.value.is_none() };
        visit(record, position..reader.position(), raw.timestamp_delta_ms);
    }
    if reader.remaining() != 0 {
        let (record_count, extra_bytes) = (header.record_count, reader.remaining());
        return Err(BatchError::BytesAfterRecords { record_count, extra_bytes });
    }
    Ok(())
}

/// Appends a record whose timestamp is now counted from another base.
fn put_rebased(
    out: &mut Vec<u8>,
    record: &[u8],
    old_base_ms: i64,
    base_ms: i64,
) -> Result<(), RecordProblem> {
    let mut field = Reader::new(record, 0);
    field.length()?;
    let attributes = field.byte()?;
    let timestamp_delta_ms = field.varlong()?;
    let overflow = RecordProblem::TimestampOverflow { timestamp_delta_ms };
    let timestamp_ms = old_base_ms.checked_add(timestamp_delta_ms).ok_or(overflow)?;
    let rebased_ms = timestamp_ms.checked_sub(base_ms).ok_or(overflow)?;
    let rest = field.take(field.remaining())?;
    let length = 1 + varlong_bytes(rebased_ms) + rest.len();
    put_varint(out, i32::try_from(length).or(Err(RecordProblem::VarintTooLong))?);
    out.push(attributes);
    put_varlong(out, rebased_ms);
    out.extend_from_slice(rest);
    Ok(())
}

/// A batch of these bytes behind room for the header: its length and checksum are set. The bytes come from one batch whose
/// length fitted its field, and grow by some bytes a record at most.
fn assemble(mut header: BatchHeader, mut bytes: Vec<u8>) -> Batch {
    let length = bytes.len().saturating_sub(LENGTH_PREFIX_BYTES);
    let Ok(length) = i32::try_from(length) else { panic!("a batch of {length} bytes") };
    header.batch_length = length;
    for _ in 0..2 {
        if let Some(front) = bytes.first_chunk_mut::<HEADER_BYTES>() {
            *front = header.encode();
        }
        header.crc = crc32c(bytes.get(CRC_FROM..).unwrap_or_default());
    }
    match Batch::parse(Bytes::from(bytes)) {
        Ok(batch) => batch,
        Err(error) => panic!("a batch that was made of one is none: {error}"),
    }
}
