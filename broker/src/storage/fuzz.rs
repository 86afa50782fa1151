//! Bodies for fuzzing: any bytes in, nothing out, and no way to panic. Each reads the bytes as they are, and once more with
//! magic and checksum put right, so that what lies behind those is read too. What decodes says the same when it is encoded
//! and decoded again, and holds no more entries than the bytes have room for. Each answers whether anything decoded. Property tests and fuzz
//! targets call them.

pub use super::journal::fuzz_journal_frame;

use super::{
    LogOptions,
    checkpoint::Checkpoint,
    decode::{Cursor, seal},
    index::{ENTRY_BYTES, Index},
    producers::Producers,
    state::LogState,
};
use crate::ids::Offset;
use std::path::Path;

const INDEX_INTERVAL_BYTES: u64 = 4096;
/// Magic and version of an index file and of a producer snapshot; the offset in the file's name comes next in both.
const INDEX_HEAD: &[u8; 5] = b"CIDX\x01";
const PRODUCERS_HEAD: &[u8; 5] = b"CPRD\x01";
/// No log comes near the end of its offsets.
const OFFSETS: std::ops::Range<i64> = 0..1 << 62;

/// Bytes as an index file.
pub fn index(data: &[u8]) -> bool {
    let mut decoded = false;
    for file in [data.to_vec(), repaired(INDEX_HEAD, data)] {
        let Some(base) = offset_of(&file) else { continue };
        let Ok((index, segment_bytes)) = Index::decode_file(&file, base, INDEX_INTERVAL_BYTES) else {
            continue;
        };
        assert!(index.encode_file(segment_bytes) == file, "an index is written as it was read");
        assert!(index.len() * ENTRY_BYTES <= file.len(), "an index holds more entries than bytes");
        for wanted in [i64::MIN, 0, base.get(), base.get() + 1000, i64::MAX] {
            let found = [index.lookup(Offset(wanted)), index.lookup_timestamp(wanted)];
            for (offset, position) in found {
                assert!(offset >= base && position < segment_bytes.max(1), "a place outside the segment");
            }
        }
        decoded = true;
    }
    decoded
}

/// Bytes as a producer snapshot.
pub fn producer_snapshot(data: &[u8]) -> bool {
    let mut decoded = false;
    for file in [data.to_vec(), repaired(PRODUCERS_HEAD, data)] {
        let Some(end) = offset_of(&file) else { continue };
        let Ok(producers) = Producers::decode_snapshot(&file, end) else { continue };
        let again = Producers::decode_snapshot(&producers.encode_snapshot(end), end);
        assert_eq!(again, Ok(producers), "a producer snapshot says the same after a round trip");
        decoded = true;
    }
    decoded
}

/// Bytes as a checkpoint file, as one copy's content, and as one log's entry.
pub fn checkpoint(data: &[u8]) -> bool {
    let mut decoded = log_entry(data);
    // Half of it is a copy: its head, then its content.
    let content = data.get(24..data.len() / 2).unwrap_or_default();
    for file in [data.to_vec(), Checkpoint::file_of(data), Checkpoint::file_of(content)] {
        let path = Path::new("checkpoint");
        let Ok(found) = Checkpoint::decode_file(path, &file) else { continue };
        let checkpoint = found.checkpoint;
        assert!(checkpoint.logs.len() * 12 <= file.len(), "a checkpoint holds more logs than bytes");
        decoded |= checkpoint.logs.values().filter(|entry| log_entry(entry)).count() > 0;
        let again = Checkpoint::decode_file(path, &checkpoint.encode_file()).map(|found| found.checkpoint);
        assert!(
            again.is_ok_and(|again| again == checkpoint),
            "a checkpoint says the same after a round trip"
        );
    }
    decoded
}

/// A log's state has no equality of its own: two that are written alike are alike.
fn log_entry(entry: &[u8]) -> bool {
    let Some(state) = log_state(entry) else { return false };
    let written = state.encode();
    let again = log_state(&written).map(|again| again.encode());
    assert_eq!(again, Some(written), "a log's entry says the same after a round trip");
    true
}

/// The state of an entry whose producers are laid over an empty snapshot.
fn log_state(entry: &[u8]) -> Option<LogState> {
    let (mut state, over_snapshot) =
        LogState::decode(entry, LogOptions::default(), INDEX_INTERVAL_BYTES).ok()?;
    if state.snapshot_base.is_some() {
        let mut bytes = Cursor::new(&over_snapshot);
        state.producers.decode_onto(&mut bytes).ok()?;
        bytes.finish().ok()?;
    }
    Some(state)
}

/// The data as a file of that head, with a checksum that is right.
fn repaired(head: &[u8; 5], data: &[u8]) -> Vec<u8> {
    let without_checksum = data.get(head.len()..data.len().saturating_sub(4)).unwrap_or_default();
    seal([head.as_slice(), without_checksum].concat())
}

/// The offset that the file says it is of, which its name has to say too.
fn offset_of(file: &[u8]) -> Option<Offset> {
    let bytes = file.get(INDEX_HEAD.len()..)?.first_chunk()?;
    Some(i64::from_le_bytes(*bytes)).filter(|offset| OFFSETS.contains(offset)).map(Offset)
}
