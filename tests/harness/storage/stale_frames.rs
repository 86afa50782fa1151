//! Makes the frames that an older lap left in a journal file look as if they belonged to the present one: what a reader sees
//! that looks at checksums and not at lap, sequence and chain. The numbers are those of the journal's format.

use std::ops::Range;

const HEADER_BYTES: usize = 8192;
const FRAME_HEADER_BYTES: usize = 64;
const FLAGS: usize = 10;
const FLAG_FIRST: u8 = 1;
const FLAG_LAST: u8 = 2;

/// Where numbers stand in a file's head.
mod head {
    use std::ops::Range;
    pub(super) const LAP: Range<usize> = 16..24;
    pub(super) const BLOCK_BYTES: Range<usize> = 32..36;
    pub(super) const FIRST_SEQUENCE: Range<usize> = 40..48;
    pub(super) const CHAIN: Range<usize> = 48..56;
}

/// Where numbers stand in a frame.
mod frame {
    use std::ops::Range;
    pub(super) const CHECKSUM: Range<usize> = 0..4;
    pub(super) const LENGTH: Range<usize> = 4..8;
    pub(super) const CHAIN: Range<usize> = 12..16;
    pub(super) const LAP: Range<usize> = 16..24;
    pub(super) const SEQUENCE: Range<usize> = 24..32;
    pub(super) const SYNCED: Range<usize> = 56..64;
}

/// Changes a whole journal file. What is not understood stays as it is.
pub(super) fn rejuvenate(file: &mut [u8]) {
    let lap = number(file, head::LAP);
    let block = usize::try_from(number(file, head::BLOCK_BYTES)).unwrap_or(0);
    let (mut sequence, mut chain) = (number(file, head::FIRST_SEQUENCE), number(file, head::CHAIN));
    if lap == 0 || block == 0 {
        return;
    }
    let (mut position, mut in_group) = (HEADER_BYTES.next_multiple_of(block), false);
    while let Some(frame) = whole_frame(file, position) {
        let flags = frame.get(FLAGS).copied().unwrap_or(0);
        let frame_lap = number(frame, frame::LAP);
        let follows = frame_lap == lap && number(frame, frame::SEQUENCE) == sequence;
        if (flags & FLAG_FIRST != 0) == in_group || (!follows && frame_lap >= lap) {
            return;
        }
        if !follows {
            let synced = number(frame, frame::SYNCED).min(sequence);
            put(frame, frame::LAP, lap);
            put(frame, frame::SEQUENCE, sequence);
            put(frame, frame::SYNCED, synced);
            put(frame, frame::CHAIN, chain);
            let checksum = crc32(frame.get(4..).unwrap_or_default());
            put(frame, frame::CHECKSUM, u64::from(checksum));
        }
        sequence += 1;
        chain = number(frame, frame::CHECKSUM);
        let end = position + frame.len();
        in_group = flags & FLAG_LAST == 0;
        position = if in_group { end } else { end.next_multiple_of(block) };
    }
}

/// The frame at a position, if its checksum is right.
fn whole_frame(file: &mut [u8], position: usize) -> Option<&mut [u8]> {
    let length = usize::try_from(number(file.get(position..)?, frame::LENGTH)).ok()?;
    let frame = file.get_mut(position..position.checked_add(length.max(FRAME_HEADER_BYTES))?)?;
    let stored = number(frame, frame::CHECKSUM);
    (u64::from(crc32(frame.get(4..)?)) == stored && length >= FRAME_HEADER_BYTES).then_some(frame)
}

fn number(bytes: &[u8], range: Range<usize>) -> u64 {
    let field = bytes.get(range).unwrap_or_default();
    field.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn put(bytes: &mut [u8], range: Range<usize>, value: u64) {
    let field = bytes.get_mut(range).unwrap_or_default();
    for (to, from) in field.iter_mut().zip(value.to_le_bytes()) {
        *to = from;
    }
}

/// CRC-32 (IEEE), bit by bit: the files are small.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    };
    !bytes.iter().fold(u32::MAX, step)
}
