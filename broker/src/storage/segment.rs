//! What a log knows of one of its segments. `bytes` is the published length: below it stand whole batches that never change,
//! behind it zeros (or, before the first append of a process life, bytes that no journal frame knows of: they are cut).

use super::{
    decode::{Cursor, DecodeError, count_of},
    files::{OpenSegment, SegmentFiles},
    index::Index,
    layout::{LogFile, SegmentId},
};
use crate::{
    disk::{DiskErrorKind, DiskResult, read_file},
    ids::{LogId, Offset},
};
use cairn_proto::record::BatchHeader;
use std::sync::{Arc, Weak};

/// An index file is smaller than this: 32 bits of positions, one entry of 16 bytes per some KiB.
pub(super) const INDEX_BYTES_MAX: usize = 256 << 20;
const GAPLESS: u8 = 1;
const CUT_DUE: u8 = 2;
const COMPACTED: u8 = 4;
/// Base, end, bytes, time of the first append, flags, indexed entries on disk, and an empty index tail.
const SEGMENT_BYTES_MIN: usize = 8 + 8 + 8 + 8 + 1 + 4 + 20;

/// One segment.
pub(super) struct Segment {
    /// Offset of its first batch (after compaction: of the first that there once was), and its name.
    pub(super) base: Offset,
    /// Which of the files of that name holds it.
    pub(super) version: u32,
    /// The end of its last batch.
    pub(super) end: Offset,
    /// The published length.
    pub(super) bytes: u64,
    /// Wall clock of the first append.
    pub(super) first_append_ms: i64,
    /// Whether every batch begins where the one before it ends.
    pub(super) gapless: bool,
    /// Whether bytes behind `bytes` may not be zero.
    pub(super) cut_due: bool,
    /// The entries of this process life, or since `index_on_disk`.
    pub(super) index: Index,
    /// Whether `index` holds the entries of the index file too.
    pub(super) index_whole: bool,
    /// Entries in the index file.
    pub(super) index_on_disk: usize,
    /// Space that the file has; 0 until it was opened for an append.
    pub(super) allocated: u64,
    /// Published bytes that a sync has covered.
    pub(super) synced_bytes: u64,
    /// Published bytes whose write-back was asked for.
    pub(super) written_back: u64,
    /// Bytes from here on were written in this process life.
    pub(super) fresh_from: u64,
    /// Rises with each file that takes this segment's name.
    pub(super) generation: u32,
    /// The open file, while it is open.
    pub(super) open: Weak<OpenSegment>,
}

impl Segment {
    /// An empty segment.
    pub(super) fn new(base: Offset, index_interval_bytes: u64, now_ms: i64) -> Self {
        Self {
            base,
            version: 0,
            end: base,
            bytes: 0,
            first_append_ms: now_ms,
            gapless: true,
            cut_due: false,
            index: Index::new(base, index_interval_bytes),
            index_whole: true,
            index_on_disk: 0,
            allocated: 0,
            synced_bytes: 0,
            written_back: 0,
            fresh_from: 0,
            generation: 0,
            open: Weak::new(),
        }
    }

    /// The open file, if it is open.
    pub(super) fn opened(&self) -> Option<Arc<OpenSegment>> {
        let open = self.open.upgrade()?;
        open.touch();
        Some(open)
    }

    /// The file, opened if need be.
    pub(super) fn file(&mut self, files: &SegmentFiles, log: LogId) -> DiskResult<Arc<OpenSegment>> {
        if let Some(open) = self.opened() {
            return Ok(open);
        }
        let open = files.open_segment(log, self.id())?;
        self.open = Arc::downgrade(&open);
        Ok(open)
    }

    /// Makes sure that there is space for so many bytes at the end, in doubling steps.
    ///
    /// # Errors
    /// The disk's; no space is a refusal that changes nothing.
    pub(super) fn allocate(
        &mut self,
        files: &SegmentFiles,
        open: &OpenSegment,
        bytes: u64,
    ) -> DiskResult<()> {
        if self.cut_due {
            // Whatever stands behind the end, no frame of the journal knows it.
            if open.file.len()? > self.bytes {
                open.file.set_len(self.bytes)?;
            }
            self.cut_due = false;
        }
        self.extend(files, open, bytes)
    }

    /// As [`Segment::allocate`], for writing again what the journal holds: the space was there before, so the file keeps all
    /// that it has, and where there is no space for a step the batch alone will do. Behind the end may stand anything: the
    /// next append cuts it.
    ///
    /// # Errors
    /// As [`Segment::allocate`].
    pub(super) fn allocate_again(
        &mut self,
        files: &SegmentFiles,
        open: &OpenSegment,
        bytes: u64,
    ) -> DiskResult<()> {
        match self.extend(files, open, bytes) {
            Err(error) if error.kind == DiskErrorKind::NoSpace => {
                let end = self.bytes.saturating_add(bytes);
                open.file.allocate(self.allocated, end - self.allocated)?;
                self.allocated = end;
                Ok(())
            }
            other => other,
        }
    }

    /// Whether so many bytes may need more space than the file has.
    pub(super) fn needs_space(&self, bytes: u64) -> bool {
        self.allocated == 0 || self.bytes.saturating_add(bytes) > self.allocated
    }

    fn extend(&mut self, files: &SegmentFiles, open: &OpenSegment, bytes: u64) -> DiskResult<()> {
        if self.allocated == 0 {
            self.allocated = open.file.len()?;
        }
        let end = self.bytes.saturating_add(bytes);
        if end <= self.allocated {
            return Ok(());
        }
        let step = self.allocated.clamp(files.allocate_bytes.0, files.allocate_bytes.1);
        let wanted = (end - self.allocated).div_ceil(step).saturating_mul(step);
        open.file.allocate(self.allocated, wanted)?;
        self.allocated += wanted;
        Ok(())
    }

    /// Notes a batch that was written at the published end.
    pub(super) fn note(&mut self, header: &BatchHeader, bytes: u64, now_ms: i64) {
        let (base, end) = (Offset(header.base_offset), Offset(header.next_offset()));
        assert!(base >= self.end && end > base, "a batch at {base} cannot follow {}", self.end);
        self.gapless &= base == self.end;
        self.index.note(base, self.bytes, header.max_timestamp_ms, now_ms);
        self.bytes += bytes;
        self.end = end;
    }

    /// Which file holds it.
    pub(super) fn id(&self) -> SegmentId {
        SegmentId { base: self.base, version: self.version }
    }

    /// Its name.
    pub(super) fn name(&self) -> LogFile {
        LogFile::Segment(self.id())
    }

    /// Its index's name.
    pub(super) fn index_name(&self) -> LogFile {
        LogFile::Index(self.id())
    }

    /// The index entries that are not in the index file.
    fn index_tail_from(&self) -> usize {
        if self.index_whole { self.index_on_disk } else { 0 }
    }

    /// Reads the index file's entries, so that this index is whole; `false`: the file is not the one that was written.
    pub(super) fn load_index(&mut self, files: &SegmentFiles, log: LogId) -> bool {
        let path = files.file(log, self.index_name());
        let Ok(sealed) = read_file(&*files.disk, &path, INDEX_BYTES_MAX) else { return false };
        let decoded = Index::decode_file(&sealed, self.base, files.index_interval_bytes);
        let Ok((mut whole, _)) = decoded else { return false };
        if whole.len() != self.index_on_disk || whole.extend_from(&self.index).is_err() {
            return false;
        }
        (self.index, self.index_whole) = (whole, true);
        true
    }

    /// Index entries that no file holds.
    pub(super) fn index_tail_entries(&self) -> usize {
        self.index.len().saturating_sub(self.index_tail_from())
    }

    /// Appends the persisted form, for a checkpoint.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.base.get().to_le_bytes());
        out.extend_from_slice(&self.end.get().to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.first_append_ms.to_le_bytes());
        let gapless = if self.gapless { GAPLESS } else { 0 };
        let cut_due = if self.cut_due { CUT_DUE } else { 0 };
        let compacted = if self.version > 0 { COMPACTED } else { 0 };
        out.push(gapless | cut_due | compacted);
        if self.version > 0 {
            out.extend_from_slice(&self.version.to_le_bytes());
        }
        out.extend_from_slice(&count_of(self.index_on_disk));
        self.index.encode_tail(self.index_tail_from(), out);
    }

    /// Takes the persisted form off the front of some bytes.
    ///
    /// # Errors
    /// They end early or describe an impossible segment.
    pub(super) fn decode(bytes: &mut Cursor<'_>, index_interval_bytes: u64) -> Result<Self, DecodeError> {
        let before = *bytes;
        let (base, end) = (Offset(bytes.i64()?), Offset(bytes.i64()?));
        let length = bytes.u64()?;
        let first_append_ms = bytes.i64()?;
        let flags = bytes.u8()?;
        let version = if flags & COMPACTED != 0 { bytes.u32()? } else { 0 };
        let index_on_disk = usize::try_from(bytes.u32()?).unwrap_or(usize::MAX);
        if base.get() < 0 || end <= base || length == 0 || i64::try_from(length).is_err() || flags > 7 {
            return Err(before.error("a segment's offsets, length or flags are out of range"));
        }
        let mut segment = Self::new(base, index_interval_bytes, first_append_ms);
        segment.index.decode_tail(bytes)?;
        if flags & COMPACTED != 0 && version == 0 {
            return Err(before.error("a compacted segment without a version"));
        }
        Ok(Self {
            version,
            end,
            bytes: length,
            gapless: flags & GAPLESS != 0,
            cut_due: flags & CUT_DUE != 0,
            index_whole: index_on_disk == 0,
            index_on_disk,
            synced_bytes: length,
            written_back: length,
            fresh_from: length,
            ..segment
        })
    }

    /// Takes a run of segments, oldest first.
    ///
    /// # Errors
    /// They are damaged or overlap.
    pub(super) fn decode_all(
        bytes: &mut Cursor<'_>,
        index_interval_bytes: u64,
    ) -> Result<Vec<Segment>, DecodeError> {
        let count = bytes.count(SEGMENT_BYTES_MIN)?;
        let mut segments: Vec<Segment> = Vec::with_capacity(count);
        for _ in 0..count {
            let before = *bytes;
            let segment = Self::decode(bytes, index_interval_bytes)?;
            if segments.last().is_some_and(|last| last.end > segment.base) {
                return Err(before.error("segments overlap"));
            }
            segments.push(segment);
        }
        Ok(segments)
    }
}
