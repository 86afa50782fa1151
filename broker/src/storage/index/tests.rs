//! The index against the plain list of batches that it was told of.

use super::*;
use proptest::prelude::*;

const BASE: Offset = Offset(1_000);
const INTERVAL: u64 = 100;

/// Offset, position, bytes, max timestamp of each batch.
#[derive(Clone, Copy, Debug)]
struct Written {
    offset: i64,
    position: u64,
    bytes: u64,
    timestamp_ms: i64,
}

fn lay_out(shapes: &[(i64, u64, i64)]) -> Vec<Written> {
    let (mut offset, mut position) = (BASE.get(), 0);
    let mut written = Vec::new();
    for (records, bytes, timestamp_ms) in shapes {
        written.push(Written { offset, position, bytes: *bytes, timestamp_ms: *timestamp_ms });
        offset += records;
        position += bytes;
    }
    written
}

fn indexed(batches: &[Written]) -> Index {
    let mut index = Index::new(BASE, INTERVAL);
    for batch in batches {
        index.note(Offset(batch.offset), batch.position, batch.timestamp_ms, 7);
    }
    index
}

fn shapes() -> impl Strategy<Value = Vec<(i64, u64, i64)>> {
    prop::collection::vec((1..20_i64, 61..400_u64, -1..50_i64), 0..60)
}

#[test]
fn an_empty_one_holds_no_memory_and_points_at_the_beginning() {
    let index = Index::new(BASE, INTERVAL);
    assert_eq!(index.entries.capacity(), 0);
    assert_eq!(index.position_for_offset(Offset(1_005)), 0);
    assert_eq!(index.position_for_timestamp(5), 0);
    assert!(index.max_timestamp_ms() < 0 && index.last_append_ms() < 0);
}

#[test]
fn what_does_not_fit_is_looked_through_instead() {
    let mut index = Index::new(BASE, INTERVAL);
    index.note(Offset(1_000), 0, 1, 7);
    index.note(Offset(1_001), 500, 2, 7);
    index.note(Offset(1_000 + (1 << 40)), 900, 3, 7);
    index.note(Offset(1_001 + (1 << 40)), 1 << 40, 4, 7);
    assert_eq!(index.position_for_offset(Offset(i64::MAX)), 500);
    assert_eq!(index.position_for_timestamp(4), 500);
    assert_eq!(index.max_timestamp_ms(), 4);
    assert_eq!(index.position_for_offset(Offset(0)), 0, "below the segment");
}

#[test]
fn every_damaged_byte_of_a_file_is_found() {
    let batches = lay_out(&[(3, 150, 5), (2, 150, 9), (8, 300, 2), (1, 80, 3)]);
    let file = indexed(&batches).encode_file(680);
    assert!(Index::decode_file(&file, BASE, INTERVAL).is_ok());
    assert!(Index::decode_file(&file, Offset(1), INTERVAL).is_err());
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            assert!(Index::decode_file(&damaged, BASE, INTERVAL).is_err(), "byte {at} bit {bit}");
        }
        assert!(Index::decode_file(&file[..at], BASE, INTERVAL).is_err(), "cut at {at}");
    }
}

#[test]
fn entries_that_fall_or_lie_outside_are_refused_although_the_checksum_is_right() {
    let entry = |relative_offset, position, max_timestamp_before_ms| IndexEntry {
        relative_offset,
        position,
        max_timestamp_before_ms,
    };
    for entries in [
        vec![entry(5, 100, 1), entry(5, 200, 1)],
        vec![entry(5, 100, 1), entry(6, 100, 1)],
        vec![entry(5, 100, 2), entry(6, 200, 1)],
        vec![entry(5, 100, 100)],
        vec![entry(5, 1_000, 1)],
    ] {
        let index =
            Index { base: BASE, interval_bytes: INTERVAL, entries, max_timestamp_ms: 9, last_append_ms: 9 };
        assert!(Index::decode_file(&index.encode_file(1_000), BASE, INTERVAL).is_err(), "{index:?}");
    }
}

proptest! {
    #[test]
    fn an_offset_is_found_by_walking_a_bounded_way(shapes in shapes()) {
        let batches = lay_out(&shapes);
        let index = indexed(&batches);
        for (batch, (records, ..)) in batches.iter().zip(&shapes) {
            for offset in batch.offset..batch.offset + records {
                let from = index.position_for_offset(Offset(offset));
                prop_assert!(batches.iter().any(|batch| batch.position == from));
                prop_assert!(from <= batch.position);
                prop_assert!(batch.position - from < INTERVAL, "{from} for {}", batch.position);
            }
        }
    }

    #[test]
    fn the_first_timestamp_is_never_passed(shapes in shapes(), wanted in 0..50_i64) {
        let batches = lay_out(&shapes);
        let index = indexed(&batches);
        let from = index.position_for_timestamp(wanted);
        if let Some(first) = batches.iter().find(|batch| batch.timestamp_ms >= wanted) {
            prop_assert!(from <= first.position);
            prop_assert!(first.position - from < INTERVAL + 400, "not far in front of it");
        }
        let greatest = batches.iter().map(|batch| batch.timestamp_ms).max().unwrap_or(-1);
        prop_assert_eq!(index.max_timestamp_ms(), greatest);
    }

    #[test]
    fn truncation_leaves_what_was_there_at_that_end(shapes in shapes(), kept in 0..60_usize) {
        let batches = lay_out(&shapes);
        let kept = kept.min(batches.len());
        let end = batches[..kept].last().map_or(0, |batch| batch.position + batch.bytes);
        let mut index = indexed(&batches);
        let from = index.truncate(end);
        for batch in batches[..kept].iter().filter(|batch| batch.position >= from) {
            index.note(Offset(batch.offset), batch.position, batch.timestamp_ms, 7);
        }
        let mut expected = indexed(&batches[..kept]);
        expected.last_append_ms = index.last_append_ms;
        prop_assert_eq!(index, expected);
    }

    #[test]
    fn files_and_tails_come_back_equal(shapes in shapes(), persisted in 0..60_usize) {
        let batches = lay_out(&shapes);
        let index = indexed(&batches);
        let end = batches.last().map_or(0, |batch| batch.position + batch.bytes);
        let (decoded, bytes) = Index::decode_file(&index.encode_file(end), BASE, INTERVAL).unwrap();
        prop_assert_eq!((&decoded, bytes), (&index, end));

        let mut partly = indexed(&batches[..persisted.min(batches.len())]);
        let mut tail = Vec::new();
        index.encode_tail(partly.len(), &mut tail);
        let mut cursor = Cursor::new(&tail);
        partly.decode_tail(&mut cursor).unwrap();
        prop_assert!(cursor.finish().is_ok());
        prop_assert_eq!(partly, index);
    }

    #[test]
    fn any_bytes_end_in_an_index_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut index = Index::new(BASE, INTERVAL);
        let tail = index.decode_tail(&mut Cursor::new(&bytes));
        prop_assert!(tail.is_err() || index.len() * ENTRY_BYTES <= bytes.len());
        let file = Index::decode_file(&seal(bytes), BASE, INTERVAL);
        prop_assert!(file.is_err(), "random bytes do not begin with the magic");
    }
}
