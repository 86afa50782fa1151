//! What can be wrong with a batch: every fact is a variant that carries its numbers, so that a caller can map it to an
//! error code and a person can find the byte. Nothing here is ever the result of a bug of ours.

use super::Compression;

/// Why bytes are not a usable record batch, or records do not make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end before the batch does.
    #[error("the batch is cut short: it needs {needed_bytes} bytes and has {have_bytes}")]
    Truncated {
        /// Bytes the header, or the batch by its declared length, needs.
        needed_bytes: usize,
        /// Bytes there are.
        have_bytes: usize,
    },
    /// One batch was expected and more bytes follow it.
    #[error(
        "{have_bytes} bytes were sent as one batch, and the batch ends after {batch_bytes}: send exactly one batch"
    )]
    TrailingBytes {
        /// Length of the first batch.
        batch_bytes: usize,
        /// Bytes there are.
        have_bytes: usize,
    },
    /// Another message format than v2.
    #[error("message format {magic} is not supported: use format 2 (record batches, clients since 2017)")]
    UnsupportedMagic {
        /// The magic byte found.
        magic: i8,
    },
    /// The declared length cannot even hold the header.
    #[error("the batch length field says {batch_length}; the smallest batch says 49")]
    BatchLength {
        /// The declared length, counted from byte 12.
        batch_length: i32,
    },
    /// Base offset or last offset delta is negative, or their sum is not an offset.
    #[error("base offset {base_offset} with last offset delta {last_offset_delta} is not a range of offsets")]
    OffsetRange {
        /// Base offset of the header.
        base_offset: i64,
        /// Last offset delta of the header.
        last_offset_delta: i32,
    },
    /// More records than offsets, or a negative count.
    #[error("a record count of {record_count} does not fit a last offset delta of {last_offset_delta}")]
    RecordCount {
        /// Record count of the header.
        record_count: i32,
        /// Last offset delta of the header.
        last_offset_delta: i32,
    },
    /// The checksum does not match the bytes.
    #[error("the batch is damaged: its checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum {
        /// CRC-32C in the header.
        stored: u32,
        /// CRC-32C of the bytes.
        computed: u32,
    },
    /// Compression bits that name no codec.
    #[error("compression codec {id} is unknown: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd")]
    UnknownCompression {
        /// The codec's number in the attributes.
        id: u8,
    },
    /// The compressed records do not decompress.
    #[error("the records are not valid {compression}: {reason}")]
    Decompress {
        /// The codec of the batch.
        compression: Compression,
        /// What the codec found.
        reason: String,
    },
    /// The compressed records grow beyond the cap.
    #[error(
        "the {compression} records decompress to more than the allowed {bytes_max} bytes: send smaller batches"
    )]
    DecompressedTooLarge {
        /// The codec of the batch.
        compression: Compression,
        /// The cap in bytes.
        bytes_max: usize,
    },
    /// Compression failed; the codec ran out of memory or refused its parameters.
    #[error("the records could not be compressed with {compression}: {reason}")]
    Compress {
        /// The codec of the batch.
        compression: Compression,
        /// What the codec said.
        reason: String,
    },
    /// A record's framing is wrong.
    #[error("record {index} of the batch is malformed at byte {position} of the records: {problem}")]
    Record {
        /// Which record, from 0.
        index: i32,
        /// Where in the (decompressed) records.
        position: usize,
        /// What is wrong there.
        problem: RecordProblem,
    },
    /// Bytes follow the last record.
    #[error("{extra_bytes} bytes follow the last of {record_count} records")]
    BytesAfterRecords {
        /// Record count of the header.
        record_count: i32,
        /// How many bytes are left over.
        extra_bytes: usize,
    },
    /// A whole batch that a producer must not send.
    #[error("the batch cannot be accepted from a producer: {0}")]
    Produced(#[from] ProducedProblem),
    /// Records without a key, in a topic that keeps one record of each key.
    #[error("{} of its records have no key (the first is record {}), which a compacted topic needs", indexes.len(), indexes.first().unwrap_or(&0))]
    Keyless {
        /// Which records, from 0, ascending; at most the first thousand.
        indexes: Vec<i32>,
    },
    /// The builder was handed more than one batch can hold.
    #[error("the batch is full: {record_count} records and {bytes} bytes with this one; start another batch")]
    Full {
        /// Records in the batch without the refused one.
        record_count: i32,
        /// Bytes the batch would have.
        bytes: usize,
    },
    /// A timestamp too far from the batch's first one to be expressed.
    #[error("timestamp {timestamp_ms} cannot stand in one batch with {base_timestamp_ms}")]
    TimestampSpan {
        /// Timestamp of the refused record.
        timestamp_ms: i64,
        /// Timestamp of the first record.
        base_timestamp_ms: i64,
    },
}

impl BatchError {
    /// Whether sending the same batch again can help. Only damage on the way (a wrong checksum) may vanish.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Checksum { .. })
    }
}

/// What is wrong inside one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordProblem {
    /// The records end inside this one.
    #[error("the bytes end here")]
    Truncated,
    /// A variable-length number with more bytes or bits than its type has.
    #[error("a variable-length number is too long")]
    VarintTooLong,
    /// A length that is negative where null is not allowed, or below -1.
    #[error("a length of {length} is not allowed")]
    NegativeLength {
        /// The declared length or count.
        length: i32,
    },
    /// A length or count that exceeds what remains.
    #[error("a length of {length} is declared and {remaining_bytes} bytes remain")]
    LengthBeyondEnd {
        /// The declared length or count.
        length: i32,
        /// Bytes that remain in the record.
        remaining_bytes: usize,
    },
    /// The record's fields end before its declared length.
    #[error("{extra_bytes} bytes follow the record's last field")]
    BytesAfterFields {
        /// How many bytes are left over.
        extra_bytes: usize,
    },
    /// The offset delta is out of the batch's range, or not in order.
    #[error("its offset delta is {offset_delta}, expected {expected_min} to {expected_max}")]
    OffsetDelta {
        /// The delta found.
        offset_delta: i32,
        /// Lowest delta allowed here.
        expected_min: i32,
        /// Highest delta allowed here.
        expected_max: i32,
    },
    /// Base timestamp plus delta is not a timestamp.
    #[error("timestamp delta {timestamp_delta_ms} overflows")]
    TimestampOverflow {
        /// The delta found.
        timestamp_delta_ms: i64,
    },
}

/// A well-formed batch that a producer may not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProducedProblem {
    /// It holds no record.
    #[error("it holds no record")]
    Empty,
    /// The base offset is the broker's to assign.
    #[error("its base offset is {base_offset}; a producer sends 0")]
    BaseOffset {
        /// Base offset found.
        base_offset: i64,
    },
    /// Count and last offset delta disagree; only compaction leaves gaps.
    #[error(
        "its record count is {record_count} and its last offset delta {last_offset_delta}; it must be one less"
    )]
    LastOffsetDelta {
        /// Record count found.
        record_count: i32,
        /// Last offset delta found.
        last_offset_delta: i32,
    },
    /// Control batches are written by brokers only.
    #[error("it has the control bit, which only brokers set")]
    Control,
    /// Append time is stamped by brokers only.
    #[error("it has the append-time bit, which only brokers set")]
    AppendTime,
    /// Attribute bits without a meaning in a producer's batch.
    #[error("its attributes {attributes:#06x} have bits that no producer sets (only 0x0017 may be set)")]
    Attributes {
        /// Attributes found.
        attributes: i16,
    },
    /// Producer id, epoch and sequence do not fit together.
    #[error(
        "producer id {producer_id} with epoch {producer_epoch} and sequence {base_sequence} is inconsistent: all three \
         are -1, or all three at least 0"
    )]
    Producer {
        /// Producer id found.
        producer_id: i64,
        /// Producer epoch found.
        producer_epoch: i16,
        /// Base sequence found.
        base_sequence: i32,
    },
    /// A transaction needs a producer id.
    #[error("it is transactional and has no producer id")]
    TransactionWithoutProducer,
    /// A record's timestamp lies before the epoch.
    #[error("record {index} has timestamp {timestamp_ms} ms; it must be -1 (none) or not negative")]
    Timestamp {
        /// Which record, from 0.
        index: i32,
        /// The record's timestamp.
        timestamp_ms: i64,
    },
    /// A record's timestamp is further in the past than the topic allows.
    #[error("record {index} has timestamp {timestamp_ms} ms, which is before {timestamp_min_ms} ms")]
    TooOld {
        /// Which record, from 0.
        index: i32,
        /// The record's timestamp.
        timestamp_ms: i64,
        /// The least that is allowed.
        timestamp_min_ms: i64,
    },
    /// The header's maximum is not the records' maximum.
    #[error("its header says a max timestamp of {declared_ms} ms, its records {actual_ms} ms")]
    MaxTimestamp {
        /// Max timestamp of the header.
        declared_ms: i64,
        /// Max timestamp of the records.
        actual_ms: i64,
    },
}
