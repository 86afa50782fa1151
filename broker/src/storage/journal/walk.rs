//! Through one file, frame by frame, as far as lap, sequence and chain go on; and the search behind that place for whole
//! groups, which alone can tell a torn write from damage, and which hold what was written behind the damage.
//!
//! A group behind the place is a witness only if it says that the frame missing there was synced before it was written:
//! groups are written one after the other, but the blocks of one may persist in any order.

use super::{
    file_bytes::FileBytes,
    frame_codec::{FRAME_HEADER_BYTES, FRAME_VERSION, FrameHead, FrameProblem, check_known},
    header::FileHeader,
};

/// A run of accepted frames, back to back or behind padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Why the walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// At the place that the next lap's head names.
    Bound,
    /// Nothing of this lap stands there.
    Clean,
    /// A write was cut off there.
    Torn(String),
    /// What stood there was synced.
    Damaged(String),
    /// A frame of a newer build: version or kind.
    Newer(u8),
}

/// How far a walk came.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) spans: Vec<Span>,
    /// Behind the last group that counts (the last frame, if its group was cut off).
    pub(super) position: usize,
    pub(super) sequence: u64,
    pub(super) chain: u32,
    pub(super) stop: Stop,
    pub(super) blemishes: Vec<(usize, String)>,
    pub(super) behind: Behind,
}

/// Whole groups behind a place.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// Their frames.
    pub(super) spans: Vec<Span>,
    /// One beyond the highest sequence found.
    pub(super) sequence_end: u64,
    /// One of them was written after the missing frame had been synced.
    has_witness: bool,
    /// The first of their frames.
    first: Option<FirstBehind>,
}

/// The first whole frame behind a place.
#[derive(Clone, Copy, Debug)]
struct FirstBehind {
    position: usize,
    sequence: u64,
    /// Of the frame that it follows.
    chain: u32,
    begins_group: bool,
}

/// Where a walk ends and what is covered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Position and sequence at which the next lap's head says this one ended, and the chain there.
    pub(super) bound: Option<(usize, u64, u32)>,
    /// Frames below are covered by the checkpoint: damage there loses nothing.
    pub(super) from: u64,
}

/// What stands at a place.
enum Found {
    Whole(FrameHead),
    Absent,
    Broken(&'static str),
}

fn find(bytes: &mut FileBytes, position: usize, lap: u64) -> Found {
    let Some(head) = bytes.get(position, FRAME_HEADER_BYTES).and_then(FrameHead::parse) else {
        return Found::Absent;
    };
    if head.place.lap != lap {
        return Found::Absent;
    }
    match bytes.get(position, head.length) {
        Some(frame) if head.checks(frame) => Found::Whole(head),
        Some(_) => Found::Broken("its checksum does not match"),
        None => Found::Broken("it is longer than the file"),
    }
}

/// The state of a walk.
struct Walker<'a> {
    bytes: &'a mut FileBytes,
    lap: u64,
    block: usize,
    limits: Limits,
    in_group: bool,
    walked: Walked,
}

/// Walks a file from its first group.
pub(super) fn walk(bytes: &mut FileBytes, header: &FileHeader, limits: Limits) -> Walked {
    let position = usize::try_from(header.data_start()).unwrap_or(usize::MAX);
    let walked = Walked {
        spans: vec![Span { start: position, end: position }],
        position,
        sequence: header.first_sequence,
        chain: header.predecessor.chain,
        stop: Stop::Clean,
        blemishes: Vec::new(),
        behind: Behind::default(),
    };
    let block = header.block_bytes as usize;
    let mut walker = Walker { bytes, lap: header.lap, block, limits, in_group: false, walked };
    while walker.step() {}
    walker.walked
}

impl Walker<'_> {
    /// One frame; `false` at the end.
    fn step(&mut self) -> bool {
        if let Some((position, sequence, chain)) = self.limits.bound
            && self.walked.position >= position
        {
            let here = (self.walked.position, self.walked.sequence, self.walked.chain);
            if here == (position, sequence, chain) {
                self.walked.stop = Stop::Bound;
                return false;
            }
            return self.missing("the next lap's head says that other frames stood here");
        }
        match find(self.bytes, self.walked.position, self.lap) {
            Found::Whole(head) => self.take(&head),
            Found::Absent => self.missing("no frame stands here"),
            Found::Broken(what) => self.missing(what),
        }
    }

    fn take(&mut self, head: &FrameHead) -> bool {
        let place = head.place;
        if (place.sequence, place.chain) != (self.walked.sequence, self.walked.chain) {
            return self.missing("a frame stands here that does not follow the one before");
        }
        if place.first == self.in_group || place.synced > place.sequence {
            return self.missing("a frame stands here that contradicts its place");
        }
        if let Err(FrameProblem::Newer { found }) = check_known(head) {
            self.walked.stop = Stop::Newer(found);
            return false;
        }
        let end = self.walked.position + head.length;
        let next = if place.last { end.next_multiple_of(self.block) } else { end };
        if place.last && self.bytes.get(end, next - end).is_none_or(|padding| padding.iter().any(|b| *b != 0))
        {
            self.walked.blemishes.push((end, "the padding behind a group is not zero".to_string()));
        }
        self.in_group = !place.last;
        self.walked.position = next;
        self.walked.sequence += 1;
        self.walked.chain = head.checksum;
        if let Some(span) = self.walked.spans.last_mut() {
            span.end = next;
        }
        true
    }

    /// The wanted frame is not here. Goes on behind the place if only covered frames are missing.
    fn missing(&mut self, what: &'static str) -> bool {
        let (position, sequence) = (self.walked.position, self.walked.sequence);
        let end = self.limits.bound.map_or(self.bytes.len(), |(end, _, _)| end);
        let mut behind = search(self.bytes, self.lap, self.block, (position, end), sequence);
        let detail = match self.bytes.unreadable_from(position) {
            Some(error) => format!("frame {sequence}: {what} ({error})"),
            None => format!("frame {sequence}: {what}"),
        };
        if let Some(next) = behind.first
            && next.sequence <= self.limits.from
            && next.sequence > sequence
        {
            self.walked
                .blemishes
                .push((position, format!("{detail}; the checkpoint covers what is missing")));
            self.walked.spans.push(Span { start: next.position, end: next.position });
            self.walked.position = next.position;
            (self.walked.sequence, self.walked.chain) = (next.sequence, next.chain);
            self.in_group = !next.begins_group;
            return true;
        }
        // A group is only written when all before it is synced: one that follows something else says that it is not there.
        let contradicts = behind.first.is_some_and(|first| {
            (first.position, first.sequence) == (position, sequence) && first.chain != self.walked.chain
        });
        if contradicts {
            // Then it is not this journal's frame, and nothing behind it is.
            behind.spans.clear();
        }
        let was_synced = self.limits.bound.is_some()
            || behind.has_witness
            || contradicts
            || self.bytes.unreadable_from(position).is_some();
        self.walked.stop = if was_synced {
            Stop::Damaged(detail)
        } else if self.in_group || what != "no frame stands here" {
            Stop::Torn(detail)
        } else {
            Stop::Clean
        };
        self.walked.behind = behind;
        false
    }
}

/// Looks for whole groups of the lap in `[range.0, range.1)` whose frames have at least the sequence `missing`. Where a frame of
/// a group is broken and says where the next one stands, the rest of its group is looked at too.
pub(super) fn search(
    bytes: &mut FileBytes,
    lap: u64,
    block: usize,
    range: (usize, usize),
    missing: u64,
) -> Behind {
    let mut behind = Behind::default();
    let mut position = range.0;
    if let Some(next) = behind_broken(bytes, lap, position, missing) {
        position = rest_at(bytes, lap, next, Expected::After(missing), &mut behind).unwrap_or(position);
    }
    position = position.next_multiple_of(block);
    while position < range.1 {
        let group = rest_at(bytes, lap, position, Expected::Group { from: missing }, &mut behind);
        position = group.map_or(position + block, |end| end.next_multiple_of(block));
    }
    behind
}

/// Where the frame behind a broken one would stand. Nothing that the broken one says is to be believed.
fn behind_broken(bytes: &mut FileBytes, lap: u64, position: usize, missing: u64) -> Option<usize> {
    let head = bytes.get(position, FRAME_HEADER_BYTES).and_then(FrameHead::parse)?;
    let next = position.checked_add(head.length)?;
    match find(bytes, next, lap) {
        Found::Whole(found) if found.place.sequence == missing + 1 && !found.place.first => Some(next),
        _ => None,
    }
}

/// What the next frame has to be.
#[derive(Clone, Copy)]
enum Expected {
    /// The first of a group, with at least this sequence.
    Group { from: u64 },
    /// One within a group, behind the frame of this sequence.
    After(u64),
    /// This sequence, behind this checksum.
    Exactly(u64, u32),
}

impl Expected {
    fn is(self, head: &FrameHead) -> bool {
        let place = head.place;
        let fits = match self {
            Expected::Group { from } => place.first && place.sequence >= from,
            Expected::After(missing) => !place.first && place.sequence == missing + 1,
            Expected::Exactly(sequence, chain) => {
                !place.first && (place.sequence, place.chain) == (sequence, chain)
            }
        };
        fits && place.synced <= place.sequence && head.version == FRAME_VERSION
    }
}

/// Takes note of a group's frames, as far as they are whole. Returns where they end.
fn rest_at(
    bytes: &mut FileBytes,
    lap: u64,
    position: usize,
    mut expected: Expected,
    behind: &mut Behind,
) -> Option<usize> {
    let mut at = position;
    let missing = match expected {
        Expected::Group { from } => from,
        Expected::After(missing) | Expected::Exactly(missing, _) => missing,
    };
    while let Found::Whole(head) = find(bytes, at, lap) {
        let place = head.place;
        if !expected.is(&head) {
            break;
        }
        let (sequence, chain, begins_group) = (place.sequence, place.chain, place.first);
        behind.first.get_or_insert(FirstBehind { position, sequence, chain, begins_group });
        behind.has_witness |= place.synced > missing;
        behind.sequence_end = behind.sequence_end.max(place.sequence + 1);
        expected = Expected::Exactly(place.sequence + 1, head.checksum);
        at += head.length;
        if place.last {
            break;
        }
    }
    if at == position {
        return None;
    }
    behind.spans.push(Span { start: position, end: at });
    Some(at)
}
