//! A log as an entry of the checkpoint. An empty log is 26 bytes; what is not there takes no room.

use super::{
    LogOptions,
    decode::{Cursor, DecodeError, count_of},
    epochs::EpochCache,
    hole::Hole,
    segment::Segment,
    state::LogState,
};
use crate::ids::Offset;

const HAS_SEGMENTS: u8 = 1;
const HAS_EPOCHS: u8 = 2;
const HAS_PRODUCERS: u8 = 4;
const HAS_SNAPSHOT: u8 = 8;
const HAS_HOLES: u8 = 16;
const IS_COMPACTED: u8 = 32;
const ALL: u8 = HAS_SEGMENTS | HAS_EPOCHS | HAS_PRODUCERS | HAS_SNAPSHOT | HAS_HOLES | IS_COMPACTED;
/// From, to, segment, position.
const HOLE_BYTES: usize = 4 * 8;

impl LogState {
    /// The persisted form. No checksum of its own.
    pub(super) fn encode(&self) -> Box<[u8]> {
        let mut out = Vec::with_capacity(64);
        let snapshot = self.snapshot_base.filter(|_| !self.producers.is_empty());
        let flags = [
            (!self.segments.is_empty(), HAS_SEGMENTS),
            (self.epochs.latest().is_some(), HAS_EPOCHS),
            (!self.producers.is_empty(), HAS_PRODUCERS),
            (snapshot.is_some(), HAS_SNAPSHOT),
            (!self.holes.is_empty(), HAS_HOLES),
            (self.compacted_to > self.start, IS_COMPACTED),
        ];
        out.push(flags.iter().filter(|(has, _)| *has).map(|(_, flag)| flag).sum());
        out.extend_from_slice(&self.covers.to_le_bytes());
        out.extend_from_slice(&self.start.get().to_le_bytes());
        out.extend_from_slice(&self.end.get().to_le_bytes());
        out.extend_from_slice(&self.high_watermark.get().to_le_bytes());
        if self.compacted_to > self.start {
            out.extend_from_slice(&self.compacted_to.get().to_le_bytes());
        }
        if !self.segments.is_empty() {
            out.extend_from_slice(&count_of(self.segments.len()));
            for segment in &self.segments {
                segment.encode(&mut out);
            }
        }
        if self.epochs.latest().is_some() {
            self.epochs.encode(&mut out);
        }
        if !self.holes.is_empty() {
            out.extend_from_slice(&count_of(self.holes.len()));
            for hole in &self.holes {
                for offset in [hole.from, hole.to, hole.segment] {
                    out.extend_from_slice(&offset.get().to_le_bytes());
                }
                out.extend_from_slice(&hole.position.to_le_bytes());
            }
        }
        if !self.producers.is_empty() {
            if let Some(snapshot) = snapshot {
                out.extend_from_slice(&snapshot.get().to_le_bytes());
            }
            self.producers.encode_since(snapshot.unwrap_or(Offset::ZERO), &mut out);
        }
        out.into_boxed_slice()
    }

    /// Reads the persisted form. Producers that add to a snapshot are not read: the bytes to lay over it are returned.
    ///
    /// # Errors
    /// The bytes describe no log.
    pub(super) fn decode(
        entry: &[u8],
        options: LogOptions,
        index_interval_bytes: u64,
    ) -> Result<(Self, Vec<u8>), DecodeError> {
        let mut bytes = Cursor::new(entry);
        let flags = bytes.u8()?;
        let covers = bytes.u64()?;
        let before = bytes;
        let (start, end, high_watermark) = (Offset(bytes.i64()?), Offset(bytes.i64()?), Offset(bytes.i64()?));
        if flags & !ALL != 0 || start.get() < 0 || end < start {
            return Err(before.error("a log's flags, start or end are out of range"));
        }
        let mut state = Self { covers, end, high_watermark, ..Self::new(start, options) };
        if flags & IS_COMPACTED != 0 {
            state.compacted_to = Offset(bytes.i64()?);
            if !(start..=end).contains(&state.compacted_to) {
                return Err(before.error("a log was compacted beyond its end"));
            }
        }
        if flags & HAS_SEGMENTS != 0 {
            state.segments = Segment::decode_all(&mut bytes, index_interval_bytes)?;
        }
        if state.segments.last().is_some_and(|last| last.end > end) {
            return Err(before.error("a segment reaches beyond its log's end"));
        }
        if flags & HAS_EPOCHS != 0 {
            state.epochs = EpochCache::decode(&mut bytes)?;
        }
        if flags & HAS_HOLES != 0 {
            for _ in 0..bytes.count(HOLE_BYTES)? {
                let (from, to, segment) = (Offset(bytes.i64()?), Offset(bytes.i64()?), Offset(bytes.i64()?));
                state.holes.push(Hole { from, to, segment, position: bytes.u64()? });
            }
        }
        let mut over_snapshot = Vec::new();
        if flags & HAS_SNAPSHOT != 0 {
            state.snapshot_base = Some(Offset(bytes.i64()?));
            over_snapshot = bytes.rest().to_vec();
        } else if flags & HAS_PRODUCERS != 0 {
            state.producers.decode_onto(&mut bytes)?;
            bytes.finish()?;
        } else {
            bytes.finish()?;
        }
        state.has_directory = !state.segments.is_empty();
        Ok((state, over_snapshot))
    }
}
