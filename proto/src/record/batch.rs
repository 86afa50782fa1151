//! One whole batch as a view over shared bytes: its header is parsed once and agrees with the bytes' length; the bytes
//! themselves are never changed and never copied.

use super::{
    BatchError, BatchHeader, Compression, DecompressLimit, HEADER_BYTES, RecordIter, RecordRules,
    StampedBatch, crc32c, header::CRC_FROM,
};
use bytes::Bytes;

/// One whole record batch. A clone shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    header: BatchHeader,
    /// Exactly `header.total_bytes()` bytes.
    bytes: Bytes,
}

impl Batch {
    /// Takes `bytes` as exactly one batch.
    ///
    /// # Errors
    /// The header is not one (see [`BatchHeader::parse`]), or the bytes are fewer or more than it says.
    pub fn parse(bytes: Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(&bytes)?;
        let batch_bytes = header.total_bytes();
        if bytes.len() < batch_bytes {
            return Err(BatchError::Truncated { needed_bytes: batch_bytes, have_bytes: bytes.len() });
        }
        if bytes.len() > batch_bytes {
            return Err(BatchError::TrailingBytes { batch_bytes, have_bytes: bytes.len() });
        }
        Ok(Self { header, bytes })
    }

    /// Takes the first batch off a run of batches; `None` when there are no bytes left.
    ///
    /// # Errors
    /// What stands first is not a whole batch; `bytes` is as before then.
    pub fn split_first(bytes: &mut Bytes) -> Result<Option<Self>, BatchError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let header = BatchHeader::parse(bytes)?;
        let batch_bytes = header.total_bytes();
        if bytes.len() < batch_bytes {
            return Err(BatchError::Truncated { needed_bytes: batch_bytes, have_bytes: bytes.len() });
        }
        Ok(Some(Self { header, bytes: bytes.split_to(batch_bytes) }))
    }

    /// The parsed header.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch, header included.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The records as they are on the wire, perhaps compressed.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.bytes.slice(HEADER_BYTES..)
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the checksum matches the bytes.
    #[must_use]
    pub fn crc_ok(&self) -> bool {
        self.computed_crc() == self.header.crc
    }

    /// Checks the checksum and says both numbers when it does not match.
    ///
    /// # Errors
    /// The checksum does not match the bytes.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let computed = self.computed_crc();
        if computed == self.header.crc {
            Ok(())
        } else {
            Err(BatchError::Checksum { stored: self.header.crc, computed })
        }
    }

    fn computed_crc(&self) -> u32 {
        crc32c(self.bytes.get(CRC_FROM..).unwrap_or_default())
    }

    /// The records, decompressed under `limit` at once if need be; each is a zero-copy slice of that.
    ///
    /// # Errors
    /// The codec is unknown, or the body does not decompress or exceeds the limit. A malformed record shows as an
    /// `Err` item of the iterator.
    pub fn records(&self, limit: DecompressLimit) -> Result<RecordIter, BatchError> {
        Ok(RecordIter::new(self.header, self.plain_records(limit)?))
    }

    /// The records' bytes, decompressed.
    pub(super) fn plain_records(&self, limit: DecompressLimit) -> Result<Bytes, BatchError> {
        let compression = self.header.compression()?;
        let body = self.body();
        // A batch that compaction emptied has no body, whatever its attributes say.
        if compression == Compression::None || (body.is_empty() && self.header.record_count == 0) {
            return Ok(body);
        }
        compression.decompress(&body, limit)
    }

    /// Whether this is what a producer may send: correct checksum, base offset 0, at least one record, the records
    /// framed exactly to the last byte with offset deltas 0, 1, 2, …, no control or append-time bit, a consistent
    /// producer id, epoch and sequence, and a max timestamp that is the records' greatest. Compressed records are
    /// decompressed under `limit`, only to check them.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn validate_produced(&self, limit: DecompressLimit) -> Result<(), BatchError> {
        self.validate_produced_under(limit, RecordRules::default())
    }

    /// [`validate_produced`](Self::validate_produced), in a topic that asks more of each record. What every batch must be
    /// is looked at first; keys last, so that the error can name all records without one.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn validate_produced_under(
        &self,
        limit: DecompressLimit,
        rules: RecordRules,
    ) -> Result<(), BatchError> {
        super::validate::produced(self, limit, rules)
    }

    /// This batch with the greatest timestamp of its records in its header, where [`ProducedProblem::MaxTimestamp`] tells
    /// of another. This copies.
    ///
    /// [`ProducedProblem::MaxTimestamp`]: super::ProducedProblem::MaxTimestamp
    #[must_use]
    pub fn with_max_timestamp(&self, max_timestamp_ms: i64) -> Self {
        let changed = StampedBatch::with_max_timestamp(&self.header, self.body(), max_timestamp_ms);
        Self { header: *changed.header(), bytes: changed.to_bytes() }
    }

    /// This batch at its place in a log. With an append time, that becomes the timestamp of every record.
    #[must_use]
    pub fn stamp(&self, base_offset: i64, leader_epoch: i32, append_time_ms: Option<i64>) -> StampedBatch {
        StampedBatch::new(&self.header, self.body(), base_offset, leader_epoch, append_time_ms)
    }
}
