//! Everything a log knows, behind its lock: segments, epochs, producers. Plain bookkeeping without a file call; appends,
//! truncation, replay and checkpoints all change a log through here, so that recovery cannot drift from the live path.

use super::{
    DamagedRange, LogOptions, epochs::EpochCache, hole::Hole, layout::SegmentId, producers::Producers,
    segment::Segment,
};
use crate::ids::{LeaderEpoch, Offset};
use cairn_proto::record::BatchHeader;

/// One log.
pub(super) struct LogState {
    pub(super) options: LogOptions,
    /// Deleted: nothing is appended or read any more.
    pub(super) closed: bool,
    pub(super) start: Offset,
    pub(super) end: Offset,
    pub(super) high_watermark: Offset,
    /// Oldest first, none of them empty; the last one is active.
    pub(super) segments: Vec<Segment>,
    /// Everything below was compacted; the start or less where nothing was.
    pub(super) compacted_to: Offset,
    /// Files of segments that compaction has replaced: the newest checkpoint may still know them, the next one does not.
    pub(super) replaced: Vec<SegmentId>,
    pub(super) epochs: EpochCache,
    /// The latest epoch has no frame yet.
    pub(super) epoch_frame_due: bool,
    pub(super) producers: Producers,
    /// Ends of the producer snapshots on disk, ascending.
    pub(super) snapshots: Vec<Offset>,
    /// The snapshot that the checkpoint's producer part adds to.
    pub(super) snapshot_base: Option<Offset>,
    /// A snapshot taken at a roll, to be written by the next checkpoint.
    pub(super) snapshot_due: Option<(Offset, Vec<u8>)>,
    /// Every frame of this log below this sequence is part of this state.
    pub(super) covers: u64,
    /// The truncate frame that is queued and not yet part of this state.
    pub(super) truncating: Option<u64>,
    /// Whether the next checkpoint looks at this log.
    pub(super) touched: bool,
    /// Names made or removed in the log's directory, and how many of them a sync has covered.
    pub(super) names_changed: u32,
    pub(super) names_synced: u32,
    pub(super) has_directory: bool,
    pub(super) damaged: Vec<DamagedRange>,
    /// Those of them that nobody would find again: they are part of the persisted form.
    pub(super) holes: Vec<Hole>,
}

/// Damaged ranges that are remembered of one log; the ranges found next are reported as they are met.
const DAMAGED_RANGES_MAX: usize = 1000;

impl LogState {
    /// An empty log.
    pub(super) fn new(start: Offset, options: LogOptions) -> Self {
        Self {
            options,
            closed: false,
            start,
            end: start,
            high_watermark: start,
            segments: Vec::new(),
            compacted_to: start,
            replaced: Vec::new(),
            epochs: EpochCache::default(),
            epoch_frame_due: false,
            producers: Producers::default(),
            snapshots: Vec::new(),
            snapshot_base: None,
            snapshot_due: None,
            covers: 0,
            truncating: None,
            touched: false,
            names_changed: 0,
            names_synced: 0,
            has_directory: false,
            damaged: Vec::new(),
            holes: Vec::new(),
        }
    }

    /// The latest epoch.
    pub(super) fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest().map(|latest| latest.epoch)
    }

    /// The segment that holds an offset, or the first one behind it where offsets are missing.
    pub(super) fn segment_index(&self, offset: Offset) -> Option<usize> {
        let index = self.segments.partition_point(|segment| segment.end <= offset);
        (index < self.segments.len()).then_some(index)
    }

    /// The segment of this base.
    pub(super) fn segment_of_base(&mut self, base: Offset) -> Option<&mut Segment> {
        let index = self.segments.binary_search_by_key(&base, |segment| segment.base).ok()?;
        self.segments.get_mut(index)
    }

    /// Whether an idempotent producer's state may be gone with the batches that it came from.
    pub(super) fn may_lack_producers(&self) -> bool {
        self.start > Offset::ZERO || self.compacted_to > self.start
    }

    /// Bytes of all segments.
    pub(super) fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Notes a batch that was written at the end of the active segment: index, producers, epoch, end.
    pub(super) fn note_batch(&mut self, header: &BatchHeader, total_bytes: usize, now_ms: i64) {
        let (base, end) = (Offset(header.base_offset), Offset(header.next_offset()));
        let Some(segment) = self.segments.last_mut() else {
            panic!("a batch was written and there is no segment");
        };
        segment.note(header, total_bytes as u64, now_ms);
        let epoch = LeaderEpoch(header.leader_epoch);
        if self.epochs.latest().is_none_or(|latest| latest.epoch < epoch) {
            self.epochs.assign(epoch, base);
        }
        self.producers.record(header, now_ms);
        self.end = end;
    }

    /// Raises the start; segments that lie below it leave and are returned.
    pub(super) fn raise_start(&mut self, start: Offset) -> Vec<Segment> {
        self.start = self.start.max(start);
        self.end = self.end.max(self.start);
        self.high_watermark = self.high_watermark.max(self.start);
        self.epochs.truncate_from_start(self.start);
        self.damaged.retain(|range| range.to > start);
        self.holes.retain(|hole| hole.to > start);
        let gone = self.segments.partition_point(|segment| segment.end <= self.start);
        self.segments.drain(..gone).collect()
    }

    /// Lowers the end to a batch's base; the last segment that stays ends at `position`. Segments that lie at or behind the
    /// end leave and are returned. Producers and the index tail are the caller's.
    pub(super) fn lower_end(&mut self, end: Offset, position: u64) -> Vec<Segment> {
        let kept = self.segments.partition_point(|segment| segment.base < end);
        let gone = self.segments.split_off(kept);
        if let Some(last) = self.segments.last_mut().filter(|last| last.end > end) {
            last.end = end;
            last.bytes = position;
            last.synced_bytes = last.synced_bytes.min(position);
            last.written_back = last.written_back.min(position);
            last.fresh_from = last.fresh_from.min(position);
        }
        self.end = end;
        self.high_watermark = self.high_watermark.min(end);
        self.compacted_to = self.compacted_to.min(end);
        self.epochs.truncate_from_end(end);
        self.epoch_frame_due = false;
        self.snapshot_due.take_if(|(at, _)| *at > end);
        self.damaged.retain(|range| range.from < end);
        self.damaged.iter_mut().for_each(|range| range.to = range.to.min(end));
        self.holes.retain(|hole| hole.from < end);
        self.holes.iter_mut().for_each(|hole| hole.to = hole.to.min(end));
        gone
    }

    /// Remembers a damaged range once.
    pub(super) fn note_damage(&mut self, range: DamagedRange) {
        let known = self.damaged.iter().any(|known| known.from <= range.from && range.to <= known.to);
        if !known && self.damaged.len() < DAMAGED_RANGES_MAX {
            self.damaged.push(range);
            self.damaged.sort_by_key(|range| range.from);
        }
    }

    /// The known damage that an offset lies in.
    pub(super) fn damage_at(&self, offset: Offset) -> Option<&DamagedRange> {
        self.damaged.iter().find(|range| range.from <= offset && offset < range.to)
    }
}
