//! The 61 bytes in front of a batch's records. A [`BatchHeader`] that was parsed describes a possible range of offsets
//! and a length that holds at least itself; it says nothing about the records or the checksum.

use super::{BatchError, Compression, RecordProblem};
use bytes::{Buf, BufMut};

/// The whole header, from the base offset to the record count.
pub const HEADER_BYTES: usize = 61;
/// Base offset and batch length: what the batch length does not count.
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// Producer id of a batch without one.
pub const NO_PRODUCER_ID: i64 = -1;
/// Producer epoch of a batch without a producer id.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// Base sequence of a batch without a producer id.
pub const NO_SEQUENCE: i32 = -1;
/// Timestamp of a record without one.
pub const NO_TIMESTAMP_MS: i64 = -1;

pub(super) const MAGIC: i8 = 2;
/// Where the checksummed part begins.
pub const CRC_FROM: usize = 21;
pub(super) const COMPRESSION_MASK: i16 = 0b111;
pub(super) const APPEND_TIME_BIT: i16 = 1 << 3;
pub(super) const TRANSACTIONAL_BIT: i16 = 1 << 4;
pub(super) const CONTROL_BIT: i16 = 1 << 5;
pub(super) const DELETE_HORIZON_BIT: i16 = 1 << 6;
const BATCH_LENGTH_MIN: i32 = 49;

/// Who set the timestamps of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer, one for each record.
    Create,
    /// The broker at append: every record has the batch's max timestamp.
    LogAppend,
}

/// The fields of a batch's header, in their order on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record (after compaction: of the first record there once was).
    pub base_offset: i64,
    /// Bytes from the leader epoch to the end of the batch.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch; -1 from a producer.
    pub leader_epoch: i32,
    /// Message format, 2.
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Bits: 0–2 compression, 3 append time, 4 transactional, 5 control, 6 delete horizon.
    pub attributes: i16,
    /// Offset of the last record, less the base offset; kept by compaction.
    pub last_offset_delta: i32,
    /// What the records' timestamp deltas count from, in ms.
    pub base_timestamp_ms: i64,
    /// The greatest timestamp in the batch, in ms; with append time the timestamp of every record.
    pub max_timestamp_ms: i64,
    /// Idempotent producer, or -1.
    pub producer_id: i64,
    /// Epoch of the producer, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Records there are.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`, which may go on behind it. The checksum is not looked at.
    ///
    /// # Errors
    /// Fewer than 61 bytes, another magic, a length below 49, or offsets and counts that cannot be.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(fixed) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(BatchError::Truncated { needed_bytes: HEADER_BYTES, have_bytes: bytes.len() });
        };
        let mut field = fixed.as_slice();
        let header = Self {
            base_offset: field.get_i64(),
            batch_length: field.get_i32(),
            leader_epoch: field.get_i32(),
            magic: field.get_i8(),
            crc: field.get_u32(),
            attributes: field.get_i16(),
            last_offset_delta: field.get_i32(),
            base_timestamp_ms: field.get_i64(),
            max_timestamp_ms: field.get_i64(),
            producer_id: field.get_i64(),
            producer_epoch: field.get_i16(),
            base_sequence: field.get_i32(),
            record_count: field.get_i32(),
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), BatchError> {
        let Self { base_offset, last_offset_delta, record_count, batch_length, magic, .. } = *self;
        if magic != MAGIC {
            return Err(BatchError::UnsupportedMagic { magic });
        }
        if batch_length < BATCH_LENGTH_MIN {
            return Err(BatchError::BatchLength { batch_length });
        }
        // The offset after the last one must be an offset too.
        let end = base_offset.checked_add(i64::from(last_offset_delta)).and_then(|last| last.checked_add(1));
        if base_offset < 0 || last_offset_delta < 0 || end.is_none() {
            return Err(BatchError::OffsetRange { base_offset, last_offset_delta });
        }
        if record_count < 0 || i64::from(record_count) > i64::from(last_offset_delta) + 1 {
            return Err(BatchError::RecordCount { record_count, last_offset_delta });
        }
        Ok(())
    }

    /// The 61 bytes of this header.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut field = out.as_mut_slice();
        field.put_i64(self.base_offset);
        field.put_i32(self.batch_length);
        field.put_i32(self.leader_epoch);
        field.put_i8(self.magic);
        field.put_u32(self.crc);
        field.put_i16(self.attributes);
        field.put_i32(self.last_offset_delta);
        field.put_i64(self.base_timestamp_ms);
        field.put_i64(self.max_timestamp_ms);
        field.put_i64(self.producer_id);
        field.put_i16(self.producer_epoch);
        field.put_i32(self.base_sequence);
        field.put_i32(self.record_count);
        out
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        LENGTH_PREFIX_BYTES.saturating_add(usize::try_from(self.batch_length).unwrap_or(0))
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// The first offset behind this batch.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// The codec of the records.
    ///
    /// # Errors
    /// The number in the attributes names none.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        // The mask leaves 0 to 7.
        let id = u8::try_from(self.attributes & COMPRESSION_MASK).unwrap_or(u8::MAX);
        Compression::from_id(id).ok_or(BatchError::UnknownCompression { id })
    }

    /// Who set the timestamps.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & APPEND_TIME_BIT == 0 { TimestampType::Create } else { TimestampType::LogAppend }
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether the batch holds a control record (commit, abort, …), not an application's.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether the base timestamp is a delete horizon (KIP-534).
    #[must_use]
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON_BIT != 0
    }

    /// Sequence of the last record: after `i32::MAX` comes 0. -1 where the batch has none.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return NO_SEQUENCE;
        }
        // Two numbers of 31 bits: the sum is exact in i64, and the mask is the wrap.
        let sum = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        i32::try_from(sum & i64::from(i32::MAX)).unwrap_or(NO_SEQUENCE)
    }

    /// The timestamp of a record with this delta.
    pub(super) fn record_timestamp(&self, timestamp_delta_ms: i64) -> Result<i64, RecordProblem> {
        match self.timestamp_type() {
            TimestampType::LogAppend => Ok(self.max_timestamp_ms),
            TimestampType::Create => self
                .base_timestamp_ms
                .checked_add(timestamp_delta_ms)
                .ok_or(RecordProblem::TimestampOverflow { timestamp_delta_ms }),
        }
    }
}
