//! The sparse index of one segment: where to begin looking for an offset or a timestamp. It only ever points at or before
//! the batch that is wanted, so a missing entry costs time and never an answer.

use super::decode::{Cursor, DecodeError, count_of, seal, unseal};
use crate::ids::Offset;

/// Bytes of one entry as persisted.
pub(super) const ENTRY_BYTES: usize = 16;
const FILE_MAGIC: [u8; 4] = *b"CIDX";
const FILE_VERSION: u8 = 1;
/// The greatest timestamp of no record at all.
const NO_TIMESTAMP_MS: i64 = -1;

/// A batch that the index knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    /// Its base offset, less the segment's.
    relative_offset: u32,
    /// Its byte position in the segment.
    position: u32,
    /// The greatest timestamp of the batches **before** it in the segment.
    max_timestamp_before_ms: i64,
}

/// The index of one segment, and the times that retention asks for. An empty one holds no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Index {
    base: Offset,
    interval_bytes: u64,
    entries: Vec<IndexEntry>,
    max_timestamp_ms: i64,
    last_append_ms: i64,
}

impl Index {
    /// Of an empty segment. `interval_bytes`: at most one entry per so many bytes.
    pub(super) fn new(base: Offset, interval_bytes: u64) -> Self {
        let (max_timestamp_ms, last_append_ms) = (NO_TIMESTAMP_MS, NO_TIMESTAMP_MS);
        Self { base, interval_bytes, entries: Vec::new(), max_timestamp_ms, last_append_ms }
    }

    /// Notes the batch that was written at `position`. Batches are noted in the order of their positions; noting the last
    /// indexed one again changes nothing. Offsets or positions beyond 32 bits are not indexed, only looked through.
    pub(super) fn note(&mut self, base_offset: Offset, position: u64, max_timestamp_ms: i64, append_ms: i64) {
        let last_position = self.entries.last().map_or(0, |entry| u64::from(entry.position));
        if position >= last_position.saturating_add(self.interval_bytes.max(1)) {
            let relative = u32::try_from(base_offset.get().saturating_sub(self.base.get()));
            if let (Ok(relative_offset), Ok(position)) = (relative, u32::try_from(position)) {
                let max_timestamp_before_ms = self.max_timestamp_ms;
                self.entries.push(IndexEntry { relative_offset, position, max_timestamp_before_ms });
            }
        }
        self.max_timestamp_ms = self.max_timestamp_ms.max(max_timestamp_ms);
        self.last_append_ms = self.last_append_ms.max(append_ms);
    }

    /// Notes that a batch begins at `position`, however near the last entry is: what stands in front of it cannot be walked
    /// over.
    pub(super) fn mark(&mut self, base_offset: Offset, position: u64) {
        let interval_bytes = std::mem::replace(&mut self.interval_bytes, 1);
        self.note(base_offset, position, NO_TIMESTAMP_MS, NO_TIMESTAMP_MS);
        self.interval_bytes = interval_bytes;
    }

    /// The position of a batch at or before the one that holds `offset`, from which to walk forward.
    #[cfg(test)]
    pub(super) fn position_for_offset(&self, offset: Offset) -> u64 {
        let wanted = offset.get().saturating_sub(self.base.get());
        self.last_entry(|entry| i64::from(entry.relative_offset) <= wanted)
    }

    /// The position of a batch at or before the first one with a timestamp of at least `timestamp_ms`.
    #[cfg(test)]
    pub(super) fn position_for_timestamp(&self, timestamp_ms: i64) -> u64 {
        self.last_entry(|entry| entry.max_timestamp_before_ms < timestamp_ms)
    }

    /// Base offset and position of a batch at or before the one that holds `offset`, from which to walk forward.
    pub(super) fn lookup(&self, offset: Offset) -> (Offset, u64) {
        let wanted = offset.get().saturating_sub(self.base.get());
        self.last_batch(|entry| i64::from(entry.relative_offset) <= wanted)
    }

    /// Base offset and position of a batch at or before the first one with a timestamp of at least `timestamp_ms`.
    pub(super) fn lookup_timestamp(&self, timestamp_ms: i64) -> (Offset, u64) {
        self.last_batch(|entry| entry.max_timestamp_before_ms < timestamp_ms)
    }

    /// The first indexed batch behind a position: where to go on when the bytes at that position cannot be read.
    pub(super) fn first_behind(&self, position: u64) -> Option<(Offset, u64)> {
        let behind = self.entries.partition_point(|entry| u64::from(entry.position) <= position);
        self.entries.get(behind).map(|entry| self.place(entry))
    }

    fn last_batch(&self, holds: impl Fn(&IndexEntry) -> bool) -> (Offset, u64) {
        let behind = self.entries.partition_point(holds);
        let found = behind.checked_sub(1).and_then(|index| self.entries.get(index));
        found.map_or((self.base, 0), |entry| self.place(entry))
    }

    fn place(&self, entry: &IndexEntry) -> (Offset, u64) {
        (self.base.advance(i64::from(entry.relative_offset)), u64::from(entry.position))
    }

    #[cfg(test)]
    fn last_entry(&self, holds: impl Fn(&IndexEntry) -> bool) -> u64 {
        let behind = self.entries.partition_point(holds);
        let found = behind.checked_sub(1).and_then(|index| self.entries.get(index));
        found.map_or(0, |entry| u64::from(entry.position))
    }

    /// The greatest timestamp of all batches noted; negative when there is none.
    pub(super) fn max_timestamp_ms(&self) -> i64 {
        self.max_timestamp_ms
    }

    /// When the last batch was written, by the wall clock of its writer; negative when there is none.
    pub(super) fn last_append_ms(&self) -> i64 {
        self.last_append_ms
    }

    /// Entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The segment now ends at `end_position`. Returns the position from which the caller notes the batches again, up to that
    /// end, because the greatest timestamp behind the last entry is not known otherwise.
    pub(super) fn truncate(&mut self, end_position: u64) -> u64 {
        while self.entries.pop_if(|entry| u64::from(entry.position) >= end_position).is_some() {}
        self.max_timestamp_ms =
            self.entries.last().map_or(NO_TIMESTAMP_MS, |entry| entry.max_timestamp_before_ms);
        self.entries.last().map_or(0, |entry| u64::from(entry.position))
    }

    /// Appends the entries from the `from`-th on, and the times: what a checkpoint adds to the part that it already has. No
    /// checksum of its own.
    pub(super) fn encode_tail(&self, from: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.max_timestamp_ms.to_le_bytes());
        out.extend_from_slice(&self.last_append_ms.to_le_bytes());
        let tail = self.entries.get(from..).unwrap_or_default();
        out.extend_from_slice(&count_of(tail.len()));
        for entry in tail {
            out.extend_from_slice(&entry.relative_offset.to_le_bytes());
            out.extend_from_slice(&entry.position.to_le_bytes());
            out.extend_from_slice(&entry.max_timestamp_before_ms.to_le_bytes());
        }
    }

    /// Takes what [`Index::encode_tail`] wrote off the front of some bytes, and adds it behind the present entries; the times
    /// replace the present ones.
    ///
    /// # Errors
    /// The bytes end early, or offsets, positions or timestamps fall. The index may hold a part of the tail then.
    pub(super) fn decode_tail(&mut self, bytes: &mut Cursor<'_>) -> Result<(), DecodeError> {
        let times = *bytes;
        self.max_timestamp_ms = bytes.i64()?;
        self.last_append_ms = bytes.i64()?;
        let count = bytes.count(ENTRY_BYTES)?;
        self.entries.reserve_exact(count);
        for _ in 0..count {
            let before = *bytes;
            let entry = IndexEntry {
                relative_offset: bytes.u32()?,
                position: bytes.u32()?,
                max_timestamp_before_ms: bytes.i64()?,
            };
            let follows = self.entries.last().is_none_or(|last| {
                last.relative_offset < entry.relative_offset
                    && last.position < entry.position
                    && last.max_timestamp_before_ms <= entry.max_timestamp_before_ms
            });
            if !follows {
                return Err(before.error("index entries do not increase"));
            }
            self.entries.push(entry);
        }
        if self.entries.last().is_some_and(|last| last.max_timestamp_before_ms > self.max_timestamp_ms) {
            return Err(times.error("an index entry has a timestamp above the segment's greatest"));
        }
        Ok(())
    }

    /// Adds the entries of an index that goes on where this one ends.
    ///
    /// # Errors
    /// It does not go on from here. This index may hold a part of it then.
    pub(super) fn extend_from(&mut self, tail: &Index) -> Result<(), DecodeError> {
        let mut encoded = Vec::new();
        tail.encode_tail(0, &mut encoded);
        let mut bytes = Cursor::new(&encoded);
        self.decode_tail(&mut bytes)
    }

    /// The batch that is indexed at exactly this position, or the segment's first.
    pub(super) fn lookup_position(&self, position: u64) -> (Offset, u64) {
        let found = self.entries.iter().rev().find(|entry| u64::from(entry.position) == position);
        found.map_or((self.base, 0), |entry| self.place(entry))
    }

    /// The index of the same segment that knows nothing yet.
    pub(super) fn emptied(&self) -> Self {
        Self::new(self.base, self.interval_bytes)
    }

    /// The same index without its entries: what stays in memory of a sealed segment.
    pub(super) fn without_entries(&self) -> Self {
        let mut index = Self::new(self.base, self.interval_bytes);
        index.max_timestamp_ms = self.max_timestamp_ms;
        index.last_append_ms = self.last_append_ms;
        index
    }

    /// The whole index file of a segment of `segment_bytes` bytes.
    pub(super) fn encode_file(&self, segment_bytes: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.entries.len() * ENTRY_BYTES);
        out.extend_from_slice(&FILE_MAGIC);
        out.push(FILE_VERSION);
        out.extend_from_slice(&self.base.get().to_le_bytes());
        out.extend_from_slice(&segment_bytes.to_le_bytes());
        self.encode_tail(0, &mut out);
        seal(out)
    }

    /// Reads a whole index file, and the bytes of the segment that it was written for.
    ///
    /// # Errors
    /// It is damaged, of another version, or of another segment: it can be built again from the batches.
    pub(super) fn decode_file(
        sealed: &[u8],
        base: Offset,
        interval_bytes: u64,
    ) -> Result<(Self, u64), DecodeError> {
        let mut bytes = Cursor::new(unseal(sealed)?);
        if bytes.array()? != FILE_MAGIC {
            return Err(bytes.error("this is not an index"));
        }
        if bytes.u8()? != FILE_VERSION {
            return Err(bytes.error("an index of another version"));
        }
        if bytes.i64()? != base.get() {
            return Err(bytes.error("the index of another segment"));
        }
        let segment_bytes = bytes.u64()?;
        let mut index = Self::new(base, interval_bytes);
        index.decode_tail(&mut bytes)?;
        if index.entries.last().is_some_and(|last| u64::from(last.position) >= segment_bytes) {
            return Err(bytes.error("an index entry lies beyond the segment's end"));
        }
        bytes.finish()?;
        Ok((index, segment_bytes))
    }
}

#[cfg(test)]
mod tests;
