//! The one who writes: gathers what is queued into a group, writes it at its place with one write, syncs it, and only then
//! says so (and before the sync that it is written, to those who count that). A state machine that a thread or a test steps.

use super::{
    JournalEnd,
    frame_codec::{FramePlace, encode, encoded_bytes},
    header::LapEnd,
    ring::Ring,
    shared::Shared,
};
use crate::{
    disk::{AlignedBuffer, DiskResult},
    ids::{LogId, Offset},
    storage::frame::{Frame, FrameBody},
};
use std::{collections::VecDeque, sync::Arc};

/// The size of a group, as the queue counts it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GroupBytes {
    /// Of the frames, without padding.
    pub(super) bytes: usize,
    /// As if each frame were a group.
    pub(super) ring_bytes: u64,
}

/// What there was to gather.
enum Gathered {
    Group(GroupBytes),
    Nothing,
    /// The first frame has no place.
    NoPlace,
}

/// The committer's own memory, used again for each group.
pub(super) struct Committer {
    staging: AlignedBuffer,
    group: Vec<Frame>,
    ends: Vec<(LogId, JournalEnd)>,
}

impl Committer {
    pub(super) fn new() -> DiskResult<Self> {
        Ok(Self { staging: AlignedBuffer::new(1)?, group: Vec::new(), ends: Vec::new() })
    }

    /// One group. `false` when there was nothing to do, no place, or a failure.
    pub(super) fn step(&mut self, shared: &Shared) -> bool {
        if shared.failure().is_some() {
            return false;
        }
        match self.gather(shared) {
            Err(error) => {
                shared.fail(error);
                false
            }
            Ok(Gathered::Nothing) => false,
            Ok(Gathered::NoPlace) => {
                shared.tell(|listener| listener.ring_full());
                false
            }
            Ok(Gathered::Group(group)) => match self.commit(shared, group) {
                Err(error) => {
                    shared.fail(error);
                    false
                }
                Ok(()) => true,
            },
        }
    }

    /// Takes frames off the queue: as many as one group and the current file may hold. Begins another file first where
    /// not even the first frame fits.
    fn gather(&mut self, shared: &Shared) -> DiskResult<Gathered> {
        self.group.clear();
        let mut ring = shared.ring.lock();
        loop {
            let mut queue = shared.queue.lock();
            if queue.frames.is_empty() {
                if !queue.is_witness_due(shared.clock.now(), shared.options.witness_after) {
                    return Ok(Gathered::Nothing);
                }
                // The witness is a frame like any other; nobody waits for it.
                queue.frames.push_back(Frame { log: LogId(0), body: FrameBody::Synced });
                queue.bytes += super::frame_codec::FRAME_HEADER_BYTES;
                queue.queued_bytes += super::frame_codec::FRAME_HEADER_BYTES;
                queue.ring_bytes += shared.block_bytes;
                queue.next_sequence += 1;
            }
            let Some(first) = queue.frames.front() else { return Ok(Gathered::Nothing) };
            let first_bytes = (encoded_bytes(first) as u64).next_multiple_of(shared.block_bytes);
            if ring.space(is_append(first)) >= first_bytes && !ring.wants_next_lap() {
                let bytes = take_group(
                    &mut self.group,
                    &mut queue.frames,
                    &ring,
                    (shared.options.group_bytes_max, shared.block_bytes),
                );
                queue.queued_bytes -= bytes.bytes;
                queue.last_group_frames = self.group.len();
                return Ok(Gathered::Group(bytes));
            }
            let Some((file, header)) = ring.next_lap(first_bytes) else {
                queue.blocked = true;
                drop(queue);
                shared.publish(&ring);
                return Ok(Gathered::NoPlace);
            };
            drop(queue);
            file.begin(&header)?;
            ring.begin(file, &header);
            shared.publish(&ring);
        }
    }

    /// Writes the group, syncs it, and tells. What fails here is final.
    fn commit(&mut self, shared: &Shared, group: GroupBytes) -> DiskResult<()> {
        let group_bytes = group.bytes;
        let (file, end) = {
            let ring = shared.ring.lock();
            (Arc::clone(&ring.current().file), ring.end())
        };
        let block = file.block_bytes();
        let padded = group_bytes.next_multiple_of(block);
        if self.staging.as_slice().len() < padded {
            self.staging =
                AlignedBuffer::new(padded.max(shared.options.group_bytes_max.next_multiple_of(block)))?;
        }
        let chain = self.encode_group(end, group_bytes, padded);
        let sequence = end.sequence + self.group.len() as u64;
        self.collect_ends(end.sequence);
        file.write_at(end.position, &[self.staging.as_slice().get(..padded).unwrap_or_default()])?;
        shared.tell(|listener| {
            if listener.wants_written() {
                listener.written(&self.ends);
            }
        });
        file.sync_data()?;
        let mut ring = shared.ring.lock();
        ring.advance(padded as u64, sequence, chain);
        shared.publish(&ring);
        drop(ring);
        let only_witness = matches!(self.group.as_slice(), [Frame { body: FrameBody::Synced, .. }]);
        // Whoever waits for a sync finds the ends advanced when the wait is over.
        shared.tell(|listener| listener.synced(sequence, &self.ends));
        shared.group_synced(sequence, group, only_witness);
        self.group.clear();
        Ok(())
    }

    /// Copies the frames one after the other into the staging memory and pads them with zeros. Returns the last checksum.
    fn encode_group(&mut self, end: LapEnd, group_bytes: usize, padded: usize) -> u32 {
        let (mut at, mut chain, count) = (0, end.chain, self.group.len());
        for (index, (frame, sequence)) in self.group.iter().zip(end.sequence..).enumerate() {
            let (first, last) = (index == 0, index + 1 == count);
            let place = FramePlace { lap: end.lap, sequence, synced: end.sequence, chain, first, last };
            let out = self.staging.as_mut_slice().get_mut(at..group_bytes).unwrap_or_default();
            chain = encode(frame, place, out);
            at += encoded_bytes(frame);
        }
        assert!(at == group_bytes, "a group of {group_bytes} bytes was gathered and {at} were written");
        if let Some(padding) = self.staging.as_mut_slice().get_mut(group_bytes..padded) {
            padding.fill(0);
        }
        chain
    }

    /// One entry for each log, in the state that the last of its frames left.
    fn collect_ends(&mut self, first_sequence: u64) {
        self.ends.clear();
        let frames = self.group.iter().zip(first_sequence..);
        self.ends
            .extend(frames.filter_map(|(frame, sequence)| Some((frame.log, end_after(frame, sequence)?))));
        self.ends.sort_unstable_by_key(|(log, end)| (*log, end.sequence()));
        self.ends.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = later.1.after(kept.1);
            }
            same
        });
    }
}

fn is_append(frame: &Frame) -> bool {
    matches!(frame.body, FrameBody::Append { .. })
}

/// Moves frames from the queue to the group; the first one fits. Returns their bytes.
fn take_group(
    group: &mut Vec<Frame>,
    frames: &mut VecDeque<Frame>,
    ring: &Ring,
    (group_bytes_max, block): (usize, u64),
) -> GroupBytes {
    let (mut taken, mut has_appends) = (GroupBytes::default(), false);
    while let Some(frame) = frames.front() {
        let (appends, frame_bytes) = (has_appends || is_append(frame), encoded_bytes(frame));
        let with_this = taken.bytes + frame_bytes;
        let fits = (with_this as u64).next_multiple_of(block) <= ring.space(appends);
        if !group.is_empty() && (with_this > group_bytes_max || !fits) {
            break;
        }
        taken.bytes = with_this;
        taken.ring_bytes += (frame_bytes as u64).next_multiple_of(block);
        has_appends = appends;
        group.extend(frames.pop_front());
    }
    taken
}

/// What a frame makes of its log's end; `None` for a witness.
fn end_after(frame: &Frame, sequence: u64) -> Option<JournalEnd> {
    Some(match &frame.body {
        FrameBody::Append { batch, .. } => {
            JournalEnd::At { sequence, end: Offset(batch.header().next_offset()) }
        }
        FrameBody::Truncate { end } => JournalEnd::At { sequence, end: *end },
        FrameBody::Create { start } => JournalEnd::At { sequence, end: *start },
        FrameBody::Delete { .. } => JournalEnd::Deleted { sequence },
        FrameBody::LogStart { .. } | FrameBody::Epoch { .. } => JournalEnd::Unmoved { sequence },
        FrameBody::Synced => return None,
    })
}
