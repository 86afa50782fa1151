//! Reads records one by one out of decompressed bytes. One walk checks all framing of a record before anything is made
//! of it; after a malformed record nothing more is read, because nothing behind it can be trusted.

use super::{BatchError, BatchHeader, Headers, RecordProblem, varint::Reader};
use bytes::Bytes;

/// One record, owned: key, value and headers are slices of the batch (or of its decompressed form).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Absolute offset.
    pub offset: i64,
    /// Milliseconds since the epoch, -1 for none.
    pub timestamp_ms: i64,
    /// The key, if it is not null.
    pub key: Option<Bytes>,
    /// The value, if it is not null; null is a tombstone in a compacted topic.
    pub value: Option<Bytes>,
    /// The headers in order.
    pub headers: Headers,
}

/// The fields of one record, borrowed, before the batch's base values are added.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawRecord<'a> {
    pub(super) timestamp_delta_ms: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    header_count: usize,
    headers: &'a [u8],
}

impl<'a> RawRecord<'a> {
    /// Reads the record at the front, all framing checked: every length within the record, every byte accounted for.
    #[inline]
    pub(super) fn read(records: &mut Reader<'a>) -> Result<Self, RecordProblem> {
        let length = records.length()?;
        let start = records.position();
        let mut field = Reader::new(records.take(length)?, start);
        // Attributes of a record: no bit has a meaning so far.
        field.byte()?;
        let timestamp_delta_ms = field.varlong()?;
        let offset_delta = field.varint()?;
        let key = nullable(&mut field)?;
        let value = nullable(&mut field)?;
        let header_count = field.length()?;
        let rest = field;
        for _ in 0..header_count {
            let key_bytes = field.length()?;
            field.take(key_bytes)?;
            nullable(&mut field)?;
        }
        if field.remaining() != 0 {
            return Err(RecordProblem::BytesAfterFields { extra_bytes: field.remaining() });
        }
        let headers = rest.clone().take(rest.remaining())?;
        Ok(Self { timestamp_delta_ms, offset_delta, key, value, header_count, headers })
    }
}

#[inline]
fn nullable<'a>(field: &mut Reader<'a>) -> Result<Option<&'a [u8]>, RecordProblem> {
    match field.nullable_length()? {
        Some(length) => field.take(length).map(Some),
        None => Ok(None),
    }
}

/// Iterates the records of one batch. Ends after the first error.
#[derive(Clone, Debug)]
pub struct RecordIter {
    header: BatchHeader,
    /// The decompressed records.
    bytes: Bytes,
    position: usize,
    /// Index of the next record.
    index: i32,
    /// The lowest offset delta the next record may have.
    offset_delta_min: i32,
    done: bool,
}

impl RecordIter {
    pub(super) fn new(header: BatchHeader, bytes: Bytes) -> Self {
        Self { header, bytes, position: 0, index: 0, offset_delta_min: 0, done: false }
    }

    fn read(&mut self) -> Result<Record, RecordProblem> {
        let mut reader = Reader::new(self.bytes.get(self.position..).unwrap_or_default(), self.position);
        let raw = RawRecord::read(&mut reader)?;
        let (expected_min, expected_max) = (self.offset_delta_min, self.header.last_offset_delta);
        if raw.offset_delta < expected_min || raw.offset_delta > expected_max {
            let offset_delta = raw.offset_delta;
            return Err(RecordProblem::OffsetDelta { offset_delta, expected_min, expected_max });
        }
        let record = Record {
            offset: self.header.base_offset.saturating_add(i64::from(raw.offset_delta)),
            timestamp_ms: self.header.record_timestamp(raw.timestamp_delta_ms)?,
            key: raw.key.map(|key| self.bytes.slice_ref(key)),
            value: raw.value.map(|value| self.bytes.slice_ref(value)),
            headers: Headers::new(raw.header_count, self.bytes.slice_ref(raw.headers)),
        };
        self.position = reader.position();
        self.index = self.index.saturating_add(1);
        self.offset_delta_min = raw.offset_delta.saturating_add(1);
        Ok(record)
    }

    /// What to say when the header's number of records has been read.
    fn end(&self) -> Option<Result<Record, BatchError>> {
        let extra_bytes = self.bytes.len().saturating_sub(self.position);
        let record_count = self.header.record_count;
        (extra_bytes > 0).then_some(Err(BatchError::BytesAfterRecords { record_count, extra_bytes }))
    }
}

impl Iterator for RecordIter {
    type Item = Result<Record, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.index >= self.header.record_count {
            self.done = true;
            return self.end();
        }
        let result = self.read();
        self.done = result.is_err();
        let (index, position) = (self.index, self.position);
        Some(result.map_err(|problem| BatchError::Record { index, position, problem }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.done {
            return (0, Some(0));
        }
        // The count is a claim; it is no reason to reserve memory. At most one error follows the records.
        let left = usize::try_from(self.header.record_count.saturating_sub(self.index)).unwrap_or(0);
        (0, Some(left.saturating_add(1)))
    }
}
