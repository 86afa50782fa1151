//! Builds one batch in one growing buffer: records are encoded as they come, the header is written last. A refused
//! record leaves the batch as it was.

use super::{
    BatchError, BatchHeader, Compression, HEADER_BYTES, LENGTH_PREFIX_BYTES, NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID, NO_SEQUENCE, crc32c,
    header::{CRC_FROM, MAGIC, TRANSACTIONAL_BIT},
    varint::{put_varint, put_varlong, varint_bytes, varlong_bytes},
};
use bytes::Bytes;

/// A header to append: key and value, null allowed for the value.
pub type HeaderRef<'a> = (&'a str, Option<&'a [u8]>);

/// What a batch has apart from its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// Codec of the records.
    pub compression: Compression,
    /// Idempotent producer, or -1.
    pub producer_id: i64,
    /// Epoch of the producer, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Whether the batch belongs to a transaction.
    pub transactional: bool,
    /// Bytes to reserve at once, so that a batch of the expected size never grows its buffer.
    pub capacity_bytes: usize,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            compression: Compression::None,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            transactional: false,
            capacity_bytes: 0,
        }
    }
}

/// A batch under construction.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    /// Room for the header, then the records.
    buffer: Vec<u8>,
    record_count: i32,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
}

impl BatchBuilder {
    /// An empty batch.
    #[must_use]
    pub fn new(options: BatchOptions) -> Self {
        let mut buffer = Vec::with_capacity(options.capacity_bytes.max(HEADER_BYTES));
        buffer.resize(HEADER_BYTES, 0);
        Self { options, buffer, record_count: 0, base_timestamp_ms: 0, max_timestamp_ms: i64::MIN }
    }

    /// Appends a record and returns its index in the batch.
    ///
    /// # Errors
    /// The batch is full (2 GiB or 2³¹ − 1 records), or the timestamp is too far from the first one.
    pub fn append(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderRef<'_>],
    ) -> Result<i32, BatchError> {
        self.append_with(timestamp_ms, key, value, headers.iter().copied())
    }

    /// [`append`](Self::append) for headers that do not lie in a slice of references.
    ///
    /// # Errors
    /// As for `append`.
    pub fn append_with<'h, H>(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: H,
    ) -> Result<i32, BatchError>
    where
        H: ExactSizeIterator<Item = HeaderRef<'h>> + Clone,
    {
        let layout = self.layout(timestamp_ms, key, value, headers.clone())?;
        if self.record_count == 0 {
            self.base_timestamp_ms = timestamp_ms;
        }
        let out = &mut self.buffer;
        put_varint(out, layout.length);
        out.push(0);
        put_varlong(out, layout.timestamp_delta_ms);
        put_varint(out, self.record_count);
        put_nullable(out, key);
        put_nullable(out, value);
        put_varint(out, layout.header_count);
        for (header_key, header_value) in headers {
            put_nullable(out, Some(header_key.as_bytes()));
            put_nullable(out, header_value);
        }
        self.max_timestamp_ms = self.max_timestamp_ms.max(timestamp_ms);
        let index = self.record_count;
        self.record_count += 1;
        Ok(index)
    }

    /// Bytes this batch would have, uncompressed, with one more record; what a batcher compares with its limit.
    ///
    /// # Errors
    /// As for [`append`](Self::append), which would refuse the record.
    pub fn bytes_with<'h, H>(
        &self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: H,
    ) -> Result<usize, BatchError>
    where
        H: ExactSizeIterator<Item = HeaderRef<'h>>,
    {
        self.layout(timestamp_ms, key, value, headers).map(|layout| layout.batch_bytes)
    }

    fn layout<'h, H>(
        &self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: H,
    ) -> Result<Layout, BatchError>
    where
        H: ExactSizeIterator<Item = HeaderRef<'h>>,
    {
        let base_timestamp_ms = if self.record_count == 0 { timestamp_ms } else { self.base_timestamp_ms };
        let timestamp_delta_ms = timestamp_ms
            .checked_sub(base_timestamp_ms)
            .ok_or(BatchError::TimestampSpan { timestamp_ms, base_timestamp_ms })?;
        let header_count = headers.len();
        let mut length = 1 + varlong_bytes(timestamp_delta_ms) + varint_bytes(self.record_count);
        length = length.saturating_add(nullable_bytes(key)).saturating_add(nullable_bytes(value));
        length = length.saturating_add(length_bytes(header_count));
        for (header_key, header_value) in headers {
            length = length.saturating_add(nullable_bytes(Some(header_key.as_bytes())));
            length = length.saturating_add(nullable_bytes(header_value));
        }
        let batch_bytes = self.buffer.len().saturating_add(length_bytes(length)).saturating_add(length);
        let full = BatchError::Full { record_count: self.record_count, bytes: batch_bytes };
        // A batch whose length fits its field has parts that fit theirs.
        if i32::try_from(batch_bytes).is_err() || self.record_count == i32::MAX {
            return Err(full);
        }
        match (i32::try_from(length), i32::try_from(header_count)) {
            (Ok(length), Ok(header_count)) => {
                Ok(Layout { timestamp_delta_ms, length, header_count, batch_bytes })
            }
            _ => Err(full),
        }
    }

    /// Sets producer id, epoch and the first record's sequence, perhaps long after the records were appended.
    pub fn set_producer(&mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) {
        self.options.producer_id = producer_id;
        self.options.producer_epoch = producer_epoch;
        self.options.base_sequence = base_sequence;
    }

    /// Bytes of the batch as it is now: exact without compression, else before compression.
    #[must_use]
    pub fn estimated_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Records so far.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Whether there is no record yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// The finished batch: compressed, header written, checksum set. Base offset 0 and leader epoch -1 are the
    /// broker's to replace.
    ///
    /// # Errors
    /// The codec failed, or made 2 GiB out of less.
    pub fn finish(self) -> Result<Bytes, BatchError> {
        let Self { options, mut buffer, record_count, base_timestamp_ms, max_timestamp_ms } = self;
        if options.compression != Compression::None && record_count > 0 {
            let mut compressed = Vec::with_capacity(HEADER_BYTES + buffer.len() / 2);
            compressed.resize(HEADER_BYTES, 0);
            let records = buffer.get(HEADER_BYTES..).unwrap_or_default();
            options.compression.compress(records, &mut compressed)?;
            buffer = compressed;
        }
        let counted_bytes = buffer.len().saturating_sub(LENGTH_PREFIX_BYTES);
        let batch_length =
            i32::try_from(counted_bytes).or(Err(BatchError::Full { record_count, bytes: buffer.len() }))?;
        let transactional = if options.transactional { TRANSACTIONAL_BIT } else { 0 };
        let mut header = BatchHeader {
            base_offset: 0,
            batch_length,
            leader_epoch: -1,
            magic: MAGIC,
            crc: 0,
            attributes: i16::from(options.compression.id()) | transactional,
            last_offset_delta: record_count.saturating_sub(1).max(0),
            base_timestamp_ms,
            max_timestamp_ms: if record_count == 0 { base_timestamp_ms } else { max_timestamp_ms },
            producer_id: options.producer_id,
            producer_epoch: options.producer_epoch,
            base_sequence: options.base_sequence,
            record_count,
        };
        put_front(&mut buffer, &header);
        header.crc = crc32c(buffer.get(CRC_FROM..).unwrap_or_default());
        put_front(&mut buffer, &header);
        Ok(Bytes::from(buffer))
    }
}

/// Sizes of a record that was not written yet.
struct Layout {
    timestamp_delta_ms: i64,
    /// Bytes of the record behind its length field.
    length: i32,
    header_count: i32,
    /// Bytes of the batch with this record.
    batch_bytes: usize,
}

fn put_front(buffer: &mut [u8], header: &BatchHeader) {
    if let Some(front) = buffer.first_chunk_mut::<HEADER_BYTES>() {
        *front = header.encode();
    }
}

/// Bytes of a length field. Lengths beyond the field are refused before they are written.
fn length_bytes(length: usize) -> usize {
    varlong_bytes(i64::try_from(length).unwrap_or(i64::MAX))
}

fn nullable_bytes(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| length_bytes(bytes.len()).saturating_add(bytes.len()))
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        return put_varint(out, -1);
    };
    put_varlong(out, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    out.extend_from_slice(bytes);
}
