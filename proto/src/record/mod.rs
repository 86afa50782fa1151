//! The record batch v2: the one format that producers encode and everybody else passes on byte for byte.
//!
//! ```text
//! bytes   0..8   base offset (i64)            23..27  last offset delta (i32)    51..53  producer epoch (i16)
//!         8..12  batch length (i32)           27..35  base timestamp, ms (i64)   53..57  base sequence (i32)
//!        12..16  leader epoch (i32)           35..43  max timestamp, ms (i64)    57..61  record count (i32)
//!        16      magic, always 2 (i8)         43..51  producer id (i64)          61..    records, perhaps compressed
//!        17..21  CRC-32C of 21.. (u32)        21..23  attributes (i16)
//! ```
//!
//! All numbers are big-endian; the batch length counts from byte 12. The layout is that of Kafka's message format v2
//! (KIP-98, KIP-82 for headers, KIP-534 for the delete horizon). Base offset, batch length, leader epoch and magic
//! lie outside the checksum, so that a leader can stamp the first three without touching the rest.
//!
//! What always holds here: a [`Batch`] has a header whose numbers agree with its bytes; whatever the bytes, parsing,
//! iterating and decompressing end in a value or a [`BatchError`], in time and memory bounded by the input and the
//! [`DecompressLimit`].

mod batch;
mod builder;
mod checksum;
mod compression;
mod error;
mod header;
mod headers;
mod lz4;
mod records;
mod retain;
mod stamp;
mod validate;
mod varint;

pub use batch::Batch;
pub use builder::{BatchBuilder, BatchOptions, HeaderRef};
pub use checksum::{Crc32c, crc32c};
pub use compression::{Compression, DecompressLimit, UnknownCompressionName};
pub use error::{BatchError, ProducedProblem, RecordProblem};
pub use header::{
    BatchHeader, CRC_FROM, HEADER_BYTES, LENGTH_PREFIX_BYTES, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    NO_TIMESTAMP_MS, TimestampType,
};
pub use headers::{Header, Headers, HeadersIter};
pub use records::{Record, RecordIter};
pub use retain::{KeyedRecord, Retained};
pub use stamp::StampedBatch;
pub use validate::RecordRules;

#[cfg(test)]
mod tests;
