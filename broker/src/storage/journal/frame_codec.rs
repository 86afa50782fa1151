//! One frame as bytes. Whatever the bytes, reading them ends in a frame or an error; what was written reads back the same.
//!
//! ```text
//! bytes  0..4   CRC-32 of 4..covered             24..32  sequence number
//!        4..8   length of the frame in bytes     32..40  log id
//!        8      version, 1                       40..48  base offset (end, start: whatever offset the kind has)
//!        9      kind                             48..52  leader epoch
//!       10      flags: 1 first, 2 last of group  52..56  zero
//!       11      zero                             56..64  every frame below this sequence was synced when it was written
//!       12..16  CRC-32 of the frame before       64..    payload
//!       16..24  lap of the file
//! ```
//!
//! All numbers are little-endian. Payloads: append: segment's base offset, position in it, the batch; log start and delete:
//! one byte, the cause; the others have none. The CRC covers the whole frame, of an append up to the end of the batch's own
//! header: that has the CRC-32C of everything behind it, which the producer computed and every append has checked.

use crate::{
    ids::{LeaderEpoch, LogId, Offset},
    storage::{
        DeletionCause,
        decode::Cursor,
        frame::{Frame, FrameBody, FrameKind},
    },
};
use bytes::Bytes;
use cairn_proto::record::{Batch, BatchHeader, CRC_FROM, HEADER_BYTES, StampedBatch, crc32c};

/// Bytes in front of the payload.
pub(super) const FRAME_HEADER_BYTES: usize = 64;
/// Bytes of an append in front of its batch.
pub(super) const APPEND_BYTES: usize = FRAME_HEADER_BYTES + 16;
/// Bytes of an append that the frame's own checksum covers.
const APPEND_BYTES_COVERED: usize = APPEND_BYTES + HEADER_BYTES;
/// The version that is written, and the newest that is read.
pub(super) const FRAME_VERSION: u8 = 1;
const FLAG_FIRST: u8 = 1;
const FLAG_LAST: u8 = 2;

/// What a frame says besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FramePlace {
    pub(super) lap: u64,
    pub(super) sequence: u64,
    /// Every frame below was synced when this one was written.
    pub(super) synced: u64,
    /// CRC of the frame before.
    pub(super) chain: u32,
    /// Begins a group, on a block of its own.
    pub(super) first: bool,
    /// Ends a group; zeros follow up to the next block.
    pub(super) last: bool,
}

/// Bytes of the frame as it will be written.
pub(super) fn encoded_bytes(frame: &Frame) -> usize {
    match &frame.body {
        FrameBody::Append { batch, .. } => APPEND_BYTES + batch.total_bytes(),
        FrameBody::LogStart { .. } | FrameBody::Delete { .. } => FRAME_HEADER_BYTES + 1,
        FrameBody::Truncate { .. }
        | FrameBody::Create { .. }
        | FrameBody::Epoch { .. }
        | FrameBody::Synced => FRAME_HEADER_BYTES,
    }
}

/// Writes a frame to the beginning of `out`, which has room for [`encoded_bytes`]. Returns its checksum.
pub(super) fn encode(frame: &Frame, place: FramePlace, out: &mut [u8]) -> u32 {
    let length = encoded_bytes(frame);
    let Ok(length_field) = u32::try_from(length) else { panic!("a frame of {length} bytes") };
    let (kind, offset, epoch) = head_of(&frame.body);
    let mut writer = Writer { out, at: 4 };
    writer.put(&length_field.to_le_bytes());
    let flags = if place.first { FLAG_FIRST } else { 0 } | if place.last { FLAG_LAST } else { 0 };
    writer.put(&[FRAME_VERSION, kind as u8, flags, 0]);
    writer.put(&place.chain.to_le_bytes());
    writer.put(&place.lap.to_le_bytes());
    writer.put(&place.sequence.to_le_bytes());
    writer.put(&frame.log.get().to_le_bytes());
    writer.put(&offset.get().to_le_bytes());
    writer.put(&epoch.get().to_le_bytes());
    writer.put(&[0; 4]);
    writer.put(&place.synced.to_le_bytes());
    match &frame.body {
        FrameBody::Append { segment_base, position, batch } => {
            writer.put(&segment_base.get().to_le_bytes());
            writer.put(&position.to_le_bytes());
            writer.put(batch.header_bytes());
            writer.put(batch.body());
        }
        FrameBody::LogStart { cause, .. } | FrameBody::Delete { cause } => writer.put(&[number_of(*cause)]),
        FrameBody::Truncate { .. }
        | FrameBody::Create { .. }
        | FrameBody::Epoch { .. }
        | FrameBody::Synced => {}
    }
    assert!(writer.at == length, "a frame of {length} bytes was written with {}", writer.at);
    writer.seal(covered_bytes(kind as u8, length))
}

/// Kind, offset and epoch of a frame's head.
fn head_of(body: &FrameBody) -> (FrameKind, Offset, LeaderEpoch) {
    let none = LeaderEpoch(0);
    match body {
        FrameBody::Append { batch, .. } => {
            let header = batch.header();
            (FrameKind::Append, Offset(header.base_offset), LeaderEpoch(header.leader_epoch))
        }
        FrameBody::Truncate { end } => (FrameKind::Truncate, *end, none),
        FrameBody::LogStart { start, .. } => (FrameKind::LogStart, *start, none),
        FrameBody::Create { start } => (FrameKind::Create, *start, none),
        FrameBody::Delete { .. } => (FrameKind::Delete, Offset::ZERO, none),
        FrameBody::Epoch { epoch, start } => (FrameKind::Epoch, *start, *epoch),
        FrameBody::Synced => (FrameKind::Synced, Offset::ZERO, none),
    }
}

/// Puts bytes one after the other; a place beyond the end is a broken invariant.
struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        match self.out.get_mut(self.at..end) {
            Some(place) => place.copy_from_slice(bytes),
            None => panic!("a frame does not fit the {} bytes made for it", self.out.len()),
        }
        self.at = end;
    }

    /// The checksum goes in front of what it covers.
    fn seal(self, covered_bytes: usize) -> u32 {
        let checksum = crc32fast::hash(self.out.get(4..covered_bytes).unwrap_or_default());
        if let Some(place) = self.out.first_chunk_mut::<4>() {
            *place = checksum.to_le_bytes();
        }
        checksum
    }
}

/// A frame's head, its checksum verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) place: FramePlace,
    /// Of the whole frame.
    pub(super) length: usize,
    pub(super) checksum: u32,
    pub(super) version: u8,
    pub(super) kind: u8,
    pub(super) log: LogId,
    offset: i64,
    epoch: i32,
}

impl FrameHead {
    /// Reads the head at the beginning of `bytes`; nothing in it is to be believed before [`FrameHead::checks`].
    pub(super) fn parse(bytes: &[u8]) -> Option<FrameHead> {
        let mut from = Cursor::new(bytes);
        let checksum = from.u32().ok()?;
        let length = usize::try_from(from.u32().ok()?).ok()?;
        let [version, kind, flags, _] = from.array().ok()?;
        let chain = from.u32().ok()?;
        let lap = from.u64().ok()?;
        let sequence = from.u64().ok()?;
        let log = LogId(from.u64().ok()?);
        let offset = from.i64().ok()?;
        let epoch = from.i32().ok()?;
        from.u32().ok()?;
        let synced = from.u64().ok()?;
        let (first, last) = (flags & FLAG_FIRST != 0, flags & FLAG_LAST != 0);
        let place = FramePlace { lap, sequence, synced, chain, first, last };
        (length >= FRAME_HEADER_BYTES).then_some(FrameHead {
            place,
            length,
            checksum,
            version,
            kind,
            log,
            offset,
            epoch,
        })
    }

    /// Whether the checksums are those of the whole frame at the beginning of `bytes`.
    pub(super) fn checks(&self, bytes: &[u8]) -> bool {
        let covered = bytes.get(4..covered_bytes(self.kind, self.length));
        covered.is_some_and(|covered| crc32fast::hash(covered) == self.checksum)
            && (self.kind != FrameKind::Append as u8 || self.batch_checks(bytes))
    }

    /// The frame's checksum is right, so the batch's header and the checksum in it are.
    fn batch_checks(&self, bytes: &[u8]) -> bool {
        let batch = bytes.get(APPEND_BYTES..self.length).unwrap_or_default();
        let header = BatchHeader::parse(batch);
        header.is_ok_and(|header| {
            header.total_bytes() == batch.len()
                && batch.get(CRC_FROM..).is_some_and(|covered| crc32c(covered) == header.crc)
        })
    }
}

/// Bytes from the beginning of a frame up to which its own checksum goes.
fn covered_bytes(kind: u8, length: usize) -> usize {
    if kind == FrameKind::Append as u8 { length.min(APPEND_BYTES_COVERED) } else { length }
}

/// Why a whole frame is not one that this build can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameProblem {
    /// Its version or its kind is of a newer build.
    Newer {
        /// The number.
        found: u8,
    },
    /// The checksum is right and the content is not.
    Malformed(&'static str),
}

/// Whether this build knows the frame's version and kind.
pub(super) fn check_known(head: &FrameHead) -> Result<FrameKind, FrameProblem> {
    if head.version != FRAME_VERSION {
        return Err(FrameProblem::Newer { found: head.version });
    }
    Ok(match head.kind {
        1 => FrameKind::Append,
        2 => FrameKind::Truncate,
        3 => FrameKind::LogStart,
        4 => FrameKind::Create,
        5 => FrameKind::Delete,
        6 => FrameKind::Epoch,
        9 => FrameKind::Synced,
        found => return Err(FrameProblem::Newer { found }),
    })
}

/// The content of a frame whose checksum is right; `frame` is the whole frame.
pub(super) fn decode(head: &FrameHead, frame: &Bytes) -> Result<Frame, FrameProblem> {
    let kind = check_known(head)?;
    let payload = frame.get(FRAME_HEADER_BYTES..head.length);
    let payload = payload.ok_or(FrameProblem::Malformed("it is shorter than its length"))?;
    let offset = Offset(head.offset);
    if head.offset < 0 {
        return Err(FrameProblem::Malformed("its offset is negative"));
    }
    let without_payload = |body| {
        if payload.is_empty() { Ok(body) } else { Err(FrameProblem::Malformed("it has a payload too many")) }
    };
    let body = match kind {
        FrameKind::Append => append_of(head, frame.slice(FRAME_HEADER_BYTES..head.length))?,
        FrameKind::Truncate => without_payload(FrameBody::Truncate { end: offset })?,
        FrameKind::LogStart => FrameBody::LogStart { start: offset, cause: cause_of(payload)? },
        FrameKind::Create => without_payload(FrameBody::Create { start: offset })?,
        FrameKind::Delete => FrameBody::Delete { cause: cause_of(payload)? },
        FrameKind::Epoch => {
            without_payload(FrameBody::Epoch { epoch: LeaderEpoch(head.epoch), start: offset })?
        }
        FrameKind::Synced => without_payload(FrameBody::Synced)?,
    };
    Ok(Frame { log: head.log, body })
}

fn append_of(head: &FrameHead, payload: Bytes) -> Result<FrameBody, FrameProblem> {
    let mut from = Cursor::new(&payload);
    let place = (from.i64(), from.u64());
    let (Ok(segment_base), Ok(position)) = place else {
        return Err(FrameProblem::Malformed("an append without its place"));
    };
    let batch = payload.slice(payload.len() - from.remaining()..);
    let Ok(batch) = Batch::parse(batch) else {
        return Err(FrameProblem::Malformed("an append without exactly one batch"));
    };
    let (base, epoch) = (batch.header().base_offset, batch.header().leader_epoch);
    if segment_base < 0 || segment_base > base || base != head.offset || epoch != head.epoch {
        return Err(FrameProblem::Malformed("an append whose head and batch differ"));
    }
    let batch: StampedBatch = batch.stamp(base, epoch, None);
    Ok(FrameBody::Append { segment_base: Offset(segment_base), position, batch })
}

fn number_of(cause: DeletionCause) -> u8 {
    match cause {
        DeletionCause::Retention => 1,
        DeletionCause::DeleteRecords => 2,
        DeletionCause::TopicDelete => 3,
        DeletionCause::Snapshot => 4,
    }
}

fn cause_of(payload: &[u8]) -> Result<DeletionCause, FrameProblem> {
    match payload {
        [1] => Ok(DeletionCause::Retention),
        [2] => Ok(DeletionCause::DeleteRecords),
        [3] => Ok(DeletionCause::TopicDelete),
        [4] => Ok(DeletionCause::Snapshot),
        _ => Err(FrameProblem::Malformed("its cause is none of the known ones")),
    }
}
